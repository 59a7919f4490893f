"""What a cell of an export means: times, counts, networks, kinds of post, ids.

Pure functions from a cell (text, number or nothing, as JSON carries them) to a value of ours.
Nothing here guesses in silence: what cannot be read is None, and the caller says what that means.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple

from pipelines.mention import ContentType, Precision
from pipelines.said import say

_NOTHING = frozenset({"", "-", "–", "—", "n/a", "na", "null", "none", "nan", "s/o", "n.c.", "nc"})
_EXACT_FLOAT = 2**53  # beyond it a float no longer holds every whole number


def text_of(cell: Any) -> str:
    """The cell as stripped text, "" for nothing; a whole float has no ".0"."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def known(cell: Any) -> str | None:
    """The cell as text, None where it says that there is nothing."""
    text = text_of(cell)
    return None if text.casefold() in _NOTHING else text


# --- ids

_LONGEST_ID = 400  # beyond it the column is no id, and may be a person's text
_SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)


def id_of(cell: Any) -> str | None:
    """The id in a cell, None when a spreadsheet has rounded it away (5.67591E+17)."""
    if isinstance(cell, float) and abs(cell) >= _EXACT_FLOAT:
        return None
    text = known(cell)
    if text is None or len(text) > _LONGEST_ID or _SCIENTIFIC.fullmatch(text):
        return None
    return text.removesuffix(".0").strip("'\"") or None


def url_of(cell: Any) -> str | None:
    """The link in a cell, None when it is not one of the web."""
    text = text_of(cell)
    return text if re.match(r"https?://[^\s/]", text, re.IGNORECASE) else None


# --- counts

_LONGEST_COUNT = 30  # characters, with room for spaces; a longer one is a text or an attack
_COUNT = re.compile(r"(\d[\d .,'’]*)(k|m|md|b)?", re.IGNORECASE)
_TIMES = {"k": 1_000, "m": 1_000_000, "md": 1_000_000_000, "b": 1_000_000_000}
_THOUSANDS = re.compile(r"\d{1,3}(?:[.,]\d{3})+")


def count_of(cell: Any) -> int | None:
    """A count: 1234, "1 234", "1,234", "1.234", "1,2K", "3 M"; None when it is none of these."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return int(cell) if 0 <= cell < _EXACT_FLOAT else None
    if not isinstance(cell, str) or len(cell) > _LONGEST_COUNT:
        return None
    if cell.isascii() and cell.isdigit():
        return int(cell)
    found = _COUNT.fullmatch(re.sub(r"\s", "", cell))
    return _scaled(found[1].strip("'’ "), found[2]) if found else None


def _scaled(digits: str, unit: str | None) -> int | None:
    number = digits.replace("'", "").replace("’", "")
    if not unit and _THOUSANDS.fullmatch(number):
        return int(re.sub(r"[.,]", "", number))
    try:
        return int(float(number.replace(",", ".")) * _TIMES.get((unit or "").lower(), 1))
    except ValueError:
        return None


def number_of(cell: Any) -> float | None:
    """A number such as a rating: 4, "4,5", "4.5 / 5" (what precedes the slash)."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    if not isinstance(cell, str):
        return None
    found = re.match(r"\s*(-?\d+(?:[.,]\d+)?)\s*(?:/|$|★|\*|étoile|star)", cell)
    return float(found[1].replace(",", ".")) if found else None


# --- words

_NETWORKS = {
    "x": "x twitter x_twitter tweet tweets x_(twitter) x_(formerly_twitter) twitter_(x)",
    "facebook": "facebook fb facebook_page facebook_pages page_facebook facebook_public",
    "instagram": "instagram ig instagram_business instagram_public",
    "linkedin": "linkedin linkedin_page linkedin_company",
    "youtube": "youtube yt",
    "tiktok": "tiktok tik_tok",
    "snapchat": "snapchat snap snapchat_spotlight",
    "threads": "threads",
    "bluesky": "bluesky bsky",
    "mastodon": "mastodon",
    "reddit": "reddit",
    "pinterest": "pinterest",
    "telegram": "telegram",
    "whatsapp": "whatsapp",
    "press": "press presse news online_news newspaper print magazine news_agency news_sites "
    "presse_en_ligne presse_écrite actualités médias media article agency tv radio broadcast",
    "forum": "forum forums message_board board boards discussion",
    "reviews": "review reviews avis google google_business google_my_business trustpilot "
    "app_store google_play play_store",
    "web": "web blog blogs wordpress website websites site general other autre autres podcast "
    "newsletter",
}
NETWORKS = tuple(_NETWORKS)
_NETWORK_OF = {word: name for name, words in _NETWORKS.items() for word in words.split()}
_NETWORK_PARTS = (
    "twitter", "facebook", "instagram", "linkedin", "youtube", "tiktok", "snapchat", "bluesky",
    "mastodon", "reddit", "threads", "telegram", "pinterest", "wordpress", "forum", "board",
    "review", "blog", "news", "press",
)  # fmt: skip
_HOSTS = {
    "x.com": "x", "twitter.com": "x", "facebook.com": "facebook", "fb.com": "facebook",
    "instagram.com": "instagram", "linkedin.com": "linkedin", "youtube.com": "youtube",
    "youtu.be": "youtube", "tiktok.com": "tiktok", "snapchat.com": "snapchat",
    "threads.net": "threads", "threads.com": "threads", "bsky.app": "bluesky",
    "reddit.com": "reddit",
}  # fmt: skip


@lru_cache(maxsize=4096)
def network_of(word: str) -> str | None:
    """Our name of a network ("Twitter", "SOCIALMEDIA_FACEBOOK", "x.com"), None when unknown."""
    name = re.sub(r"[\s\-]+", "_", word.strip().casefold())
    host = name.removeprefix("www.").removeprefix("m.").removeprefix("mobile.")
    if found := _NETWORK_OF.get(name) or _HOSTS.get(host):
        return found
    part = next((p for p in _NETWORK_PARTS if p in name), None)
    return _NETWORK_OF[part] if part else None


def network_of_url(url: str | None) -> str | None:
    """The network that a link leads to, None when it is not one of the platforms."""
    found = re.match(r"https?://(?:www\.|m\.|mobile\.|[a-z]{2}\.)?([^/:?#]+)", url or "", re.I)
    return _HOSTS.get(found[1].lower()) if found else None


LANGUAGES = {
    "french": "fr", "français": "fr", "francais": "fr", "english": "en", "anglais": "en",
    "arabic": "ar", "arabe": "ar", "german": "de", "allemand": "de", "spanish": "es",
    "espagnol": "es", "italian": "it", "italien": "it", "portuguese": "pt", "portugais": "pt",
    "breton": "br", "basque": "eu", "corse": "co", "corsican": "co", "occitan": "oc",
}  # fmt: skip


_KINDS: dict[str, ContentType] = {
    "comment": "comment", "commentaire": "comment", "reply": "reply", "réponse": "reply",
    "reponse": "reply", "retweet": "repost", "repost": "repost", "partage": "repost",
    "share": "repost", "quote": "quote", "citation": "quote", "review": "review",
    "avis": "review", "article": "article", "news": "article", "video": "video",
    "vidéo": "video", "reel": "video", "message": "message",
}  # fmt: skip
_KIND_WORD = re.compile("|".join(_KINDS))
_PRIVATE = re.compile(
    r"direct.?message|private.?message|message.?priv|\bdms?\b|messenger|story.?(?:mention|reply)"
    r"|(?:facebook|instagram|linkedin|twitter|\bx|tiktok|whatsapp)[ _-]messages?\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def content_type_of(word: str) -> ContentType | None:
    """The kind of post that a word of an export means ("Retweet", "Commentaire"), None if none."""
    found = _KIND_WORD.search(word.casefold())
    return _KINDS[found[0]] if found else None


@lru_cache(maxsize=4096)
def is_private(word: str) -> bool:
    """Whether a type of message is a private one: those are never taken."""
    return private_type_in(word) is not None


def private_type_in(word: str) -> str | None:
    """The words by which a type of message is known to be private, None when it is not."""
    found = _PRIVATE.search(word)
    return found[0] if found else None


def words_of(cell: Any) -> tuple[str, ...]:
    """The words of a list cell: a JSON list, or text with commas, semicolons, spaces or bars."""
    parts: Iterable[Any] = cell if isinstance(cell, list) else re.split(r"[,;|\s]+", text_of(cell))
    stripped = (str(part).strip(" []'\"").lstrip("#@") for part in parts if part is not None)
    return tuple(word for word in stripped if word)


# --- times


class Moment(NamedTuple):
    """A time in UTC, and how finely the cell told it."""

    at: datetime
    precision: Precision


class Clock(NamedTuple):
    """How the times of one file are read: the zone of naive ones, the order of 03/04, a format."""

    zone: tzinfo
    is_day_first: bool = True
    date_format: str | None = None


_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january janv janvier", "feb february fev fevr fevrier", "mar march mars",
            "apr april avr avril", "may mai", "jun june juin", "jul july juil juillet",
            "aug august aou aout", "sep sept september septembre", "oct october octobre",
            "nov november novembre", "dec december decembre",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_ZONES = {"UTC": 0, "GMT": 0, "Z": 0, "CET": 1, "CEST": 2, "BST": 1, "EST": -5, "EDT": -4,
          "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}  # fmt: skip
_CLOCK_PART = (
    r"(?:[\sT,]+(?:à|at|a)?\s*(?P<hour>\d{1,2})(?:[:h](?P<minute>\d{2}))?(?:[:m](?P<second>\d{2})"
    r"(?:[.,]\d+)?)?h?\s*(?P<half>[ap]\.?\s?m\.?)?"
    r"(?:\s*(?P<zone>[A-Z]{1,4}|(?:UTC|GMT)?\s*[+-]\d{2}:?\d{2}))?)?"
)
_FIGURES = re.compile(
    r"(?P<a>\d{1,2})[/.\-](?P<b>\d{1,2})[/.\-](?P<year>\d{4}|\d{2})" + _CLOCK_PART, re.IGNORECASE
)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})[/.](?P<a>\d{1,2})[/.](?P<b>\d{1,2})" + _CLOCK_PART, re.IGNORECASE
)
_DAY_WORD = r"(?:[a-z]{3,9}\.?,?\s+)?"
_NAMED = re.compile(
    _DAY_WORD + r"(?P<day>\d{1,2})(?:er|st|nd|rd|th)?[\s\-/.]+(?P<month>[a-z]{3,9})\.?[\s\-/.,]+"
    r"(?P<year>\d{4})" + _CLOCK_PART,
    re.IGNORECASE,
)
_NAMED_US = re.compile(
    _DAY_WORD
    + r"(?P<month>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})"
    + _CLOCK_PART,
    re.IGNORECASE,
)
_NAMED_TWITTER = re.compile(
    r"[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2}) (?P<clock>[\d:]{8}) "
    r"(?P<zone>[+-]\d{4}) (?P<year>\d{4})"
)
_OFFSET_GAP = re.compile(r"\s+(?:(?:UTC|GMT)(?=[+-]))?(?=[+-]\d{2}:?\d{2}$)")
_NAMED_ZONE = re.compile(r"(?<=\d)\s*(?:UTC|GMT)$")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a serial has no zone; the file's is set
_EARLIEST, _LATEST = 1990, 2100
_LONGEST_TIME = 100  # characters
_DATE_LIKE = re.compile(r"\d{1,4}[/.\-]\d{1,2}[/.\-]\d{1,4}(?:[ T,]+\d\d?(?:[:h]\d\d?){0,2}Z?)?")


def time_of(cell: Any, clock: Clock) -> Moment | None:
    """The time in a cell, None when it is not one, or not between 1990 and 2100.

    Reads ISO 8601 (also with a space before the offset), day or month first as `clock` says,
    French and English month names, RFC 2822, Twitter's own form, Unix seconds to microseconds,
    and the day numbers of spreadsheets. A naive time is one of `clock.zone`.
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return _from_number(float(cell), clock)
    text = text_of(cell)
    if not text or len(text) > _LONGEST_TIME:
        return None
    try:
        found = _from_format(text, clock) if clock.date_format else _from_text(text, clock)
    except OverflowError:  # the year 1 or 9999, which its zone moves out of the calendar
        return None
    return found if found and _EARLIEST <= found.at.year <= _LATEST else None


def _from_format(text: str, clock: Clock) -> Moment | None:
    try:
        at = datetime.strptime(text, clock.date_format or "")  # noqa: DTZ007 - zone set below
    except ValueError:
        return None
    is_day = not re.search("%[HIXcTs]", clock.date_format or "")
    return Moment(_utc(at, clock), "day" if is_day else "second")


def _from_text(text: str, clock: Clock) -> Moment | None:
    try:
        return _iso(text, clock)
    except ValueError:
        pass  # not ISO: the other forms follow
    if found := _FIGURES.fullmatch(text):
        first, second = int(found["a"]), int(found["b"])
        day, month = (first, second) if clock.is_day_first else (second, first)
        return _of_parts(found, clock, month=month, day=day)
    if found := _YEAR_FIRST.fullmatch(text):
        return _of_parts(found, clock, month=int(found["a"]), day=int(found["b"]))
    if _NUMBER.fullmatch(text):
        return _from_number(float(text.replace(",", ".")), clock)
    return _named(text, clock)


def _iso(text: str, clock: Clock) -> Moment:
    if len(text) == 10 or (len(text) == 8 and text.isdigit()):
        return Moment(_utc(datetime.fromisoformat(text), clock), "day")
    if text.isdigit():
        raise ValueError(text)  # 1424592900 is a number of seconds, whatever fromisoformat thinks
    try:
        return Moment(_utc(datetime.fromisoformat(text), clock), "second")
    except ValueError:
        closed = _NAMED_ZONE.sub("+00:00", _OFFSET_GAP.sub("", text))
        if closed == text:
            raise
        return Moment(_utc(datetime.fromisoformat(closed), clock), "second")


def _named(text: str, clock: Clock) -> Moment | None:
    plain = unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode()
    if found := _NAMED_TWITTER.fullmatch(plain):
        month = _MONTHS.get(found["month"].lower(), 0)
        text = f"{found['year']}-{month:02}-{int(found['day']):02} {found['clock']}{found['zone']}"
        try:
            return _iso(text, clock)
        except ValueError:
            return None
    for form in (_NAMED, _NAMED_US):
        if found := form.fullmatch(plain):
            month = _MONTHS.get(found["month"].lower(), 0)
            return _of_parts(found, clock, month=month, day=int(found["day"]))
    try:
        return Moment(_utc(parsedate_to_datetime(plain), clock), "second")
    except ValueError:
        return None


def _of_parts(found: re.Match[str], clock: Clock, *, month: int, day: int) -> Moment | None:
    year = int(found["year"])
    hour = _hour(found["hour"], found["half"])
    minute, second = int(found["minute"] or 0), int(found["second"] or 0)
    try:
        zone = _zone(found["zone"]) or clock.zone
        at = datetime(
            year + (2000 if year < 100 else 0), month, day, hour, minute, second, tzinfo=zone
        )
    except ValueError:
        return None
    precision: Precision = "day" if not found["hour"] else "second" if found["second"] else "minute"
    return Moment(at.astimezone(UTC), precision)


def _hour(hour: str | None, half: str | None) -> int:
    value = int(hour or 0)
    if not half:
        return value
    return value % 12 + (12 if half[0] in "pP" else 0)


def _zone(word: str | None) -> timezone | None:
    if not word:
        return None
    if found := re.search(r"([+-])(\d{2}):?(\d{2})$", word):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(offset if found[1] == "+" else -offset)
    if word.upper() not in _ZONES:
        raise ValueError(word)
    return timezone(timedelta(hours=_ZONES[word.upper()]))


def _from_number(number: float, clock: Clock) -> Moment | None:
    """Unix seconds, milliseconds or microseconds; or days since 1899-12-30, as sheets count."""
    if 20_000 <= number < 80_000:
        at = _EXCEL_EPOCH + timedelta(seconds=round(number * 86_400))
        return Moment(_utc(at, clock), "day" if number.is_integer() else "second")
    scale = next((s for s in (1, 1e3, 1e6) if 6e8 <= number / s < 4.1e9), None)
    if scale is None:
        return None
    return Moment(datetime.fromtimestamp(number / scale, UTC), "second")


def _utc(at: datetime, clock: Clock) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=clock.zone)).astimezone(UTC)


def day_first_in(cells: Iterable[Any], *, made_at: datetime) -> bool | None:
    """Whether 03/04 means the third of April in these cells, None when they do not tell.

    The first cell that reads in one way alone decides, and the rest is not read. Else the order
    in which no post comes after the file itself (`made_at`, aware), if the other has one.
    None at once when the first cell has no such form.
    """
    limit = (made_at + timedelta(days=1)).strftime("%Y%m%d")
    is_late = [False, False]  # read with the month first, with the day first
    for number, cell in enumerate(cells):
        found = _FIGURES.fullmatch(text_of(cell))
        if not found:
            if not number:
                return None
            continue
        first, second = found["a"].zfill(2), found["b"].zfill(2)
        if first > "12" or second > "12":
            return first > "12"
        year = found["year"] if len(found["year"]) == 4 else "20" + found["year"]
        is_late = [is_late[0] or year + first + second > limit,
                   is_late[1] or year + second + first > limit]  # fmt: skip
    return None if is_late[0] == is_late[1] else is_late[0]


def has_order(cell: Any) -> bool:
    """Whether a cell is a date of the form 03/04/2026, whose order of day and month matters."""
    return bool(_FIGURES.fullmatch(text_of(cell)))


def _form(text: str) -> str:
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", text))


def safe(cell: Any) -> str:
    """A cell as a message may show it: a date, the form of what is short, or only a length.

    The form has `a` for each letter and `9` for each digit: a telephone number is no one's here.
    """
    text = text_of(cell)
    if _DATE_LIKE.fullmatch(text):
        return repr(text)
    if len(text) <= 40 and sum(c.isalpha() for c in text) <= 12 and text.isprintable():
        return say("a text of the form {form!r}", form=_form(text))
    return say("a text of {n} characters", n=len(text))
