"""Pseudonyms of authors and masks over what identifies people in a text.

The rules are those of `docs/law.md`: an author is an HMAC under a key that stands outside the
warehouse and changes every thirty days, never a bare hash; handles, e-mail addresses, telephone
numbers, IBAN, social security numbers and number plates are masked before a text is stored.

Cost: under 1 µs for a text without digit or @, 5 to 10 µs otherwise (`tests/bench`).
Known gaps: names of people in plain words stay, as do postal addresses; a number written out in
letters is not seen; thirteen loose digits are not taken for a social security number.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from pipelines.errors import Fault, SettingsError, VigieError
from pipelines.said import Said, say
from pipelines.settings import Settings
from pipelines.words import fold_handle as fold_handle  # as others know it

KEY_ENV = "VIGIE_PSEUDONYM_KEY"
KEY_BYTES = 32  # the strength of SHA-256
ROTATION_DAYS = 30
_KEY_FILE = "keys/pseudonym.key"
_DAY_SECONDS = 86_400

HANDLE, EMAIL, PHONE, IBAN, NIR, PLATE = "@…", "[e-mail]", "[tel]", "[IBAN]", "[NIR]", "[plaque]"


def read_key(home: Path, environ: Mapping[str, str]) -> bytes:
    """The key of this institution's pseudonyms, from the environment, else from its file.

    Raises SettingsError when there is none, when it is too short, or when others may read the
    file: without a key nothing is ingested.
    """
    written = environ.get(KEY_ENV)
    if written is None:
        written = _read_private(home / _KEY_FILE)
    try:
        key = bytes.fromhex(written.strip())
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        raise _fault(
            say("not {n} hexadecimal digits or more", n=2 * KEY_BYTES),
            say("draw one with `openssl rand -hex 32`"),
        )
    return key


def _read_private(path: Path) -> str:
    if not path.is_file():
        remedy = say(
            "set it to the output of `openssl rand -hex 32`, or write that to {path}", path=path
        )
        raise _fault(say("missing"), remedy)
    if path.stat().st_mode & 0o077:
        raise _fault(say("readable by other accounts"), say("run `chmod 600 {path}`", path=path))
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        remedy = say("give this account the file {path}", path=path)
        raise _fault(say("not readable"), remedy) from error


def _fault(what: Said, remedy: Said) -> SettingsError:
    return SettingsError("the key of pseudonyms", (Fault(KEY_ENV, what, remedy),))


def new_key(home: Path) -> Path:
    """The file of a key just drawn, readable by its owner alone; VigieError if there is one.

    Another key would make other pseudonyms of the same people, so none is ever overwritten.
    """
    path = home / _KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise VigieError(
            f"{path} exists: a new key would cut every pseudonym from those before it. "
            "Move the file away first if that is what you want"
        ) from error
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(secrets.token_hex(KEY_BYTES) + "\n")
    return path


def author_key(
    key: bytes,
    *,
    network: str,
    account_id: str,
    at: datetime,
    rotation_days: int = ROTATION_DAYS,
) -> str:
    """The pseudonym of an account at a time: 64 hexadecimal digits of HMAC-SHA-256.

    The same account has another pseudonym in each period of `rotation_days` (counted from
    1970-01-01 UTC), so that no long profile can be built.
    """
    period = int(at.timestamp() // _DAY_SECONDS) // rotation_days
    account = f"{network}\x1f{account_id}".encode("utf-8", "replace")
    return hmac.digest(_period_key(key, period, rotation_days), account, "sha256").hex()


@lru_cache(maxsize=64)
def _period_key(key: bytes, period: int, rotation_days: int) -> bytes:
    return hmac.digest(key, f"vigie author {rotation_days} {period}".encode(), "sha256")


def allow_list(settings: Settings) -> frozenset[str]:
    """The folded handles that may be read: the institution's, the subjects', the relays'.

    Of `name@host` the bare name too, since its own network shows it without the host.
    """
    lists = [settings.institution.handles]
    lists += [subject.handles for subject in settings.subjects]
    lists += [relay.handles for relay in settings.relays]
    folded = {fold_handle(handle) for handles in lists for handle in handles}
    return frozenset(folded | {handle.partition("@")[0] for handle in folded})


# An @ and what follows; an address when letters stand before it. Possessive repeats (`++`) keep
# the search linear: each run of letters is tried once.
_AT = re.compile(
    r"(?P<email>(?<![\w.+%\-])[\w.+%\-]++[@＠]\w[\w\-]*+(?:\.[\w\-]++)+)"
    r"|[@＠﹫](?P<handle>\w(?:[\w\-]*\w)?(?:\.\w(?:[\w\-]*\w)?)*+"
    r"(?:[@＠]\w(?:[\w\-]*\w)?(?:\.\w(?:[\w\-]*\w)?)++)?)"
)
_SPELT_EMAIL = re.compile(
    r"(?<![\w.+\-])[\w.+\-]{1,64}+ ?[(\[{] ?(?:at|arobase?|arrobase|@|a) ?[)\]}] ?"
    r"[\w\-]{1,63}+(?: ?(?:\.|[(\[{] ?(?:dot|point) ?[)\]}]) ?[\w\-]{2,63}+){1,4}",
    re.IGNORECASE,
)
_TELLING_LETTERS = 8  # shorter handles of letters alone are often words or first names
_ODD_IN_NAME = re.compile(r"\w[_.\-]\w|\d")
_CLOCK = re.compile(r"\d{1,2}(?:[hH:]\d{0,2})?")  # `@18h30`, and `2@5` for a price
_SITES = (".com/", "threads.net/", "/t.me/", "bsky.app/")
_PROFILE = re.compile(
    r"(?P<site>(?<![\w.\-])(?:www\.|m\.|fr-fr\.)?(?:(?:x|twitter|instagram|tiktok|threads|facebook)"
    r"\.com/|threads\.net/|t\.me/|bsky\.app/profile/))(?P<name>[\w.\-]+)"
)
_PAGE_NAMES = (
    "about account ads events explore feed gaming groups hashtag help home i intent legal login "
    "marketplace media messages notifications p pages photo photos policies privacy profile reel "
    "reels search settings share sharer sharer.php starter-pack status stories story tos "
    "video videos watch"
)
_PAGES = frozenset(_PAGE_NAMES.split())


def _by_length(lengths: Mapping[int, str]) -> str:
    """A pattern of every country's IBAN: two letters, two digits, and as many more as it has."""
    forms = (
        rf"(?:{'|'.join(lands.split())})\d\d(?:[ .\-]?[0-9A-Za-z]){{{length - 4}}}"
        for length, lands in lengths.items()
    )
    return "|".join(forms)


# Length by country: the SWIFT IBAN registry's figures, for countries that payments here know.
_IBAN_LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI NL", 19: "SI", 20: "AT EE LT LU", 21: "CH HR LI LV",
    22: "BG DE GB IE GE ME RS", 23: "GI IL AE", 24: "AD CZ ES RO SE SK TN SA MD", 25: "PT",
    26: "IS TR", 27: "FR GR IT MC SM", 28: "CY HU PL LB MA AL", 29: "BR", 31: "MT",
}  # fmt: skip

_BANKS = re.compile(
    rf"(?P<iban>(?<![0-9A-Za-z])(?:{_by_length(_IBAN_LENGTHS)})(?![0-9A-Za-z]))", re.IGNORECASE
)
SEPARATORS = r"[ .\-/–‑·_]"  # between the digits of a number, three in a row at most
_GAP = SEPARATORS + "{0,3}"
# Countries that people write with 00 and no space; others would be taken for padded numbers.
_NEAR = "3[0-469]|4[1-9]|35[1-3]|37[67]|21[236]|22[1-9]|23[1-7]|24[1-3]|26[12]|59[046]|68[79]"
_PHONES = re.compile(
    r"(?P<nir>(?<!\d)[1-478] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[ABab]) ?\d{3} ?\d{3}"
    r"(?: ?[/\-]? ?\d\d)?(?!\d))"
    rf"|(?P<phone>(?:\+|(?<!\d)00) ?33{_GAP}(?:\(0\)|0)?{_GAP}[1-9](?:{_GAP}\d\d){{4}}(?!\d)"
    rf"|(?<![\d,])\(?0[1-9]\)?(?:{_GAP}\d\d){{4}}(?!\d)"
    r"|(?<![\d,])0[1-9] ?\d{3}[ .\-]\d{3}[ .\-]?\d\d(?!\d)"
    r"|(?<![\d,])0[1-9][ .\-]\d{3}[ .\-]\d\d[ .\-]\d{3}(?!\d))"
    rf"|(?P<abroad>(?:\+[1-9]|(?<!\d)00 ?(?={_NEAR})\d)\d{{0,2}}(?:[ .\-]?\(\d{{1,4}}\))?"
    r"(?:[ .\-]?\d{1,5}){2,6}(?!\d))"
)
_PLATES = re.compile(
    r"(?P<siv>(?<![0-9A-Za-z\-])[A-HJ-NP-TV-Z]{2}[ \-]?\d{3}[ \-]?[A-HJ-NP-TV-Z]{2}"
    r"(?![0-9A-Za-z]))"
    r"|(?P<fni>(?<![0-9A-Za-z\-,])\d{2,4}[ \-]?[A-HJ-NP-TV-Z]{2,3}[ \-]?"
    r"(?:0[1-9]|[1-8]\d|9[0-5]|2[AB]|97[1-6])(?![0-9A-Za-z]))"
)
# What most texts with digits lack; searches that begin with a digit cost 1 µs, the others 40.
_DIGIT = re.compile(r"\d")
_MAY_HOLD_IBAN = re.compile(r"\d(?<=[A-Za-z]{2}\d)\d(?:[ .\-]?[0-9A-Za-z]){11}")
_MAY_HOLD_PHONE = re.compile(rf"\d(?:[()]?{_GAP}[()]?\d){{7}}")
_MAY_HOLD_PLATE = re.compile(r"\d[ \-]?[A-Z]{2}")
_FAMILIES = ((_MAY_HOLD_IBAN, _BANKS), (_MAY_HOLD_PHONE, _PHONES), (_MAY_HOLD_PLATE, _PLATES))


def mask(text: str, *, keep: Collection[str] = frozenset(), hide: Collection[str] = ()) -> str:
    """The text with every handle, address, number and plate that points at a person masked.

    `keep` holds folded handles that stay readable (`allow_list`); `hide` holds handles to mask
    even where no @ stands before them. A second call changes nothing.
    """
    if "(" in text or "[" in text or "{" in text:
        text = _SPELT_EMAIL.sub(EMAIL, text)
    if "@" in text or "＠" in text or "﹫" in text:
        text = _AT.sub(lambda found: _mask_at(found, keep), text)
    if _DIGIT.search(text):
        text = _mask_numbers(text)
    if any(site in text for site in _SITES):
        text = _PROFILE.sub(lambda found: _mask_profile(found, keep), text)
    for handle in hide:
        text = _mask_name(text, fold_handle(handle), keep)
    return text


def leak(text: str, *, keep: Collection[str] = frozenset()) -> str | None:
    """What kind of personal mark is still readable in a text ('handle', 'email', …), or None."""
    for found in _AT.finditer(text):
        if _mask_at(found, keep) != found[0]:
            return found.lastgroup
    for found in _numbers(text):
        if _mask_number(found) != found[0]:
            return found.lastgroup
    return None


def _numbers(text: str) -> Iterator[re.Match[str]]:
    """Whatever may be a number of some family; most texts with digits pay for three searches."""
    if _DIGIT.search(text):
        for may_hold, numbers in _FAMILIES:
            if may_hold.search(text):
                yield from numbers.finditer(text)


def readable_handles(text: str) -> tuple[str, ...]:
    """The folded handles that stand behind an @ in a text, in order."""
    found = (match["handle"] for match in _AT.finditer(text))
    return tuple(fold_handle(handle) for handle in found if handle)


def _mask_at(found: re.Match[str], keep: Collection[str]) -> str:
    if found["email"]:
        return EMAIL
    handle = found["handle"]
    is_read = fold_handle(handle) in keep or _CLOCK.fullmatch(handle)
    return found[0] if is_read else HANDLE


def _mask_profile(found: re.Match[str], keep: Collection[str]) -> str:
    name = fold_handle(found["name"])
    return found[0] if name in keep or name in _PAGES else found["site"] + HANDLE


def _mask_name(text: str, handle: str, keep: Collection[str]) -> str:
    """A folded handle without @ is masked, with its host or without; compiled only when there."""
    small = text.casefold()
    for name in dict.fromkeys((handle, handle.partition("@")[0])):
        if name in small and name not in keep and _is_telling(name):
            word = rf"(?<![\w@.\-]){re.escape(name)}(?![\w\-])"
            text = re.sub(word, HANDLE, text, flags=re.IGNORECASE)
    return text


def _is_telling(name: str) -> bool:
    """Whether a handle is too long or too odd to be taken for a common word."""
    return len(name) >= _TELLING_LETTERS or (len(name) >= 4 and bool(_ODD_IN_NAME.search(name)))


def _mask_numbers(text: str) -> str:
    for may_hold, numbers in _FAMILIES:
        if may_hold.search(text):
            text = numbers.sub(_mask_number, text)
    return text


def _mask_number(found: re.Match[str]) -> str:
    kind = found.lastgroup or ""
    tag, holds = _CHECKS[kind]
    return tag if holds(found) else found[0]


def _is_iban(found: re.Match[str]) -> bool:
    """ISO 13616: the first four characters go last, letters count from 10, modulo 97 leaves 1."""
    text = re.sub(r"[ .\-]", "", found[0]).upper()
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _is_nir(found: re.Match[str]) -> bool:
    """Thirteen digits and the key 97 - (n mod 97); Corsica's 2A counts as 19, 2B as 18 (INSEE).

    Without a key, or with a wrong one, only when spaced as on the card.
    """
    text = re.sub(r"[ /\-]", "", found[0]).upper().replace("2A", "19").replace("2B", "18")
    if len(text) == 15 and 97 - int(text[:13]) % 97 == int(text[13:]):
        return True
    return bool(re.match(r"\d \d\d \d\d \S\S \d{3} \d{3}\b", found[0]))


_DATE_START = re.compile(r"\d\d[./\-]\d\d[./\-](?:19|20)\d\d")
_YEAR_BEFORE = re.compile(r"(?<!\d)(?:19|20)\d\d[./\-]$")


def _is_phone(found: re.Match[str]) -> bool:
    """Ten digits that are neither `01/02/2026 14:30` nor what follows the year of an ISO date."""
    before = found.string[max(0, found.start() - 6) : found.start()]
    return not (_DATE_START.match(found[0]) or _YEAR_BEFORE.search(before))


def _is_abroad(found: re.Match[str]) -> bool:
    """Eight to fifteen digits (E.164), and not a figure with its thousands apart."""
    digits = re.sub(r"\D", "", found[0])
    is_grouped = re.fullmatch(r"\+?\d{1,3}(?:[ .]\d{3})+", found[0])
    is_figure = is_grouped and (digits.endswith("00") or len(digits) <= 8)
    rest = found.string[found.end() : found.end() + 2]
    return 8 <= len(digits) <= 15 and not is_figure and not re.match(r" ?[€%$]", rest)


_COMMON = (
    "DE LE LA ET EN NE SE CE ES MA TA SA NA PAR LES DES MES TES SES CES EST SA DANS SANS AN ANS "
    "AVEC AVANT RN RD CD KM KG CM MM MW KW GW HA MN MIN SEC MG ML CL DL FR EUR USD GBP CHF JAN "
    "FEV MAR AVR MAY SEPT SEP DEC TTC HT NB ART REF TEL BP CS GB TB MB KB HZ MHZ LED PM AM THE "
    "AT AS BE BY MY HE ME WE ALL AND FEB APR MPH"
)
_WORDS = frozenset(_COMMON.split())


def _is_plate(found: re.Match[str]) -> bool:
    """A plate since 2009 (AA-123-AA); its letters are no common words when spaces part them."""
    letters = re.findall(r"[A-Z]+", found[0])
    return " " not in found[0] or not _WORDS.intersection(letters)


def _is_old_plate(found: re.Match[str]) -> bool:
    """A plate before 2009 (1234 AB 06); its letters are no common word."""
    return not _WORDS.intersection(re.findall(r"[A-Z]+", found[0])[:1])


_CHECKS: dict[str, tuple[str, Callable[[re.Match[str]], bool]]] = {
    "iban": (IBAN, _is_iban),
    "nir": (NIR, _is_nir),
    "phone": (PHONE, _is_phone),
    "abroad": (PHONE, _is_abroad),
    "siv": (PLATE, _is_plate),
    "fni": (PLATE, _is_old_plate),
}
