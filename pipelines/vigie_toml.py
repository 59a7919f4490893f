"""`vigie.toml` as its writer sees it: the line of every key, and the faults between keys.

Works on what the file says, before any record is built, so that a wrong time zone does not hide
a missing recipient: whoever reads the file again should be able to mend everything at once.
"""

from __future__ import annotations

import difflib
import itertools
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.errors import ONE_PERSON, Fault, QueryError, SettingsError
from pipelines.said import NOTHING, Said, say

FILE = "vigie.toml"
MISSING = say("(missing)")
HIDDEN = "…"  # what is shown of a value that may be a secret
Place = tuple[str | int, ...]
Table = Mapping[str, Any]

_SECRET = re.compile(
    r"(?:^|_)(?:password|passwd|secret|token|api_?key|key|mot_de_passe|motdepasse|mdp|pwd|bearer|"
    r"credentials?)$",
    re.IGNORECASE,
)
_ENV_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,80}")
_AUTHOR = re.compile(r"\s*(?:author|auteur|autrice|from|compte|account|user|by)\s*:", re.IGNORECASE)
_NOT_OURS = ("columns", "where")  # tables whose keys are names of somebody's columns
_PEOPLE = (
    *("author", "authors", "account", "accounts", "actors", "users", "profiles", "follow"),
    "channels",
)
_VOICES = {"telegram": ("own",)}  # options of a kind that follow somebody's voice
_TERMS = ("names", "ambiguous", "context", "exclude", "hashtags", "handles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The file as read: its path, what it says, and on which line each key stands."""

    path: Path
    raw: Table
    lines: Mapping[Place, int]

    def fault(self, place: Place, value: Any, remedy: Said) -> Fault:
        """A fault at a place, with the line of the key, or of the nearest table around it."""
        around = [place[:length] for length in range(len(place), 0, -1)]
        line = next((self.lines[p] for p in around if p in self.lines), None)
        return Fault(self.key(place), shown(value), remedy, line)

    def key(self, place: Place) -> str:
        """A place in words: `sources "gazette" url`, `subjects #2 names`, `mail.port`."""
        if len(place) > 1 and isinstance(place[1], int):
            entry = _entry(self.raw, str(place[0]), place[1])
            name = entry.get("name") or entry.get("id") or entry.get("email")
            which = f'"{_short(str(name))}"' if name else f"#{place[1] + 1}"
            return " ".join([str(place[0]), which, *map(str, place[2:3])])
        return ".".join(str(p) for p in place if not isinstance(p, int))

    def is_secret(self, place: Place) -> bool:
        """Whether what stands there, or around it, may be a secret and must not be shown."""
        return any(place[: len(secret)] == secret for secret, _ in _secrets(self.raw, ()))

    def tables(self, name: str) -> list[tuple[int, Table]]:
        """The entries of an array of tables that are tables, with their places."""
        found = self.raw.get(name)
        entries = found if isinstance(found, list) else []
        return [(i, e) for i, e in enumerate(entries) if isinstance(e, dict)]

    def table(self, name: str) -> Table:
        """A table by its name, empty when there is none."""
        found = self.raw.get(name)
        return found if isinstance(found, dict) else {}


def _entry(raw: Table, name: str, index: int) -> Table:
    entries = raw.get(name)
    found = entries[index] if isinstance(entries, list) and index < len(entries) else {}
    return found if isinstance(found, dict) else {}


def shown(value: Any) -> str:
    """A value as a message may show it: on one line, short; what we say in its place, as it is."""
    if isinstance(value, Said):
        return value
    if value == HIDDEN:
        return HIDDEN
    return _short(repr(value) if isinstance(value, str) else str(value))


def _short(text: str) -> str:
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= 80 else line[:79] + "…"


def near(word: str, words: Collection[str]) -> Said:
    """ "did you mean …? " for a word that resembles one of `words`, else nothing."""
    found = difflib.get_close_matches(str(word), list(words), n=1, cutoff=0.6)
    return say("did you mean {word!r}? ", word=found[0]) if found else NOTHING


def is_page(text: str) -> bool:
    """Whether a text is the https address of a page, without a name or password in it."""
    return re.fullmatch(r"https://[\w.-]+(?::\d+)?(?:/[^\s<>\"'\\]*)?", text) is not None


def read(path: Path) -> Document:
    """The document at `path`; SettingsError when there is none or when it is not TOML."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        remedy = say("run `vigie init`, or name the home with --home")
        raise _refused(path, MISSING, remedy) from None
    except (OSError, UnicodeDecodeError) as error:
        remedy = say("save it as UTF-8 text that this account may read")
        raise _refused(path, type(error).__name__, remedy) from error
    try:
        raw = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(path), (_broken(text, str(error)),)) from error
    return Document(path=path, raw=raw, lines=lines_of(text))


def _refused(path: Path, value: str, remedy: Said) -> SettingsError:
    return SettingsError(str(path), (Fault(FILE, value, remedy),))


def _broken(text: str, message: str) -> Fault:
    found = re.search(r"\(at line (\d+), column \d+\)", message)
    line = int(found[1]) if found else len(text.splitlines())
    said = re.sub(r"\s*\(at .*\)", "", message)
    remedy = say("mend this line: text stands between quotes, a list between [ ], one key a line")
    return Fault("TOML", said, remedy, line)


# --- lines

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"([^"]*)"|'([^']*)'""")
_TEXT = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*')


def lines_of(text: str) -> dict[Place, int]:
    """The line (from 1) of every table and key of a TOML text that parses."""
    found: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    inside = _Inside()
    for number, line in enumerate(text.splitlines(), start=1):
        if not inside.value:
            if header := _HEADER.match(line):
                table = _table(_parts(header[2]), header[1] == "[[", counts)
                found.setdefault(table, number)
                continue
            if key := _KEY.match(line):
                found.setdefault((*table, *_parts(key[1])), number)
        inside = inside.after(line)
    return found


@dataclass(frozen=True, slots=True)
class _Inside:
    """Whether a line begins inside a value: in a long text, or in brackets still open."""

    quote: str = ""
    depth: int = 0

    @property
    def value(self) -> bool:
        return bool(self.quote) or self.depth > 0

    def after(self, line: str) -> _Inside:
        quote, depth, rest = self.quote, self.depth, line
        while True:
            if quote:
                _, closed, rest = rest.partition(quote)
                if not closed:
                    return _Inside(quote, depth)
                quote = ""
            token = _TEXT.search(rest)
            plain = rest[: token.start()] if token else rest
            depth += sum(plain.count(c) for c in "[{") - sum(plain.count(c) for c in "]}")
            if not token:
                return _Inside("", depth)
            quote = token[0] if token[0] in ('"""', "'''") else ""
            rest = rest[token.end() :]


def _parts(key: str) -> tuple[str, ...]:
    return tuple(m[1] or m[2] or m[0] for m in _PART.finditer(key))


def _table(parts: tuple[str, ...], is_array: bool, counts: dict[Place, int]) -> Place:
    """The place of a table header: the last entry of each array in it, a new one at its end."""
    place: Place = ()
    for position, part in enumerate(parts):
        place = (*place, part)
        if position == len(parts) - 1 and is_array:
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place


# --- faults between keys


def faults(document: Document) -> Iterator[Fault]:
    """Every fault that one key alone does not show."""
    if "home" in document.raw:
        remedy = say("no such key: the home is this folder")
        yield document.fault(("home",), document.raw["home"], remedy)
    for find in (
        _secrets_written,
        _written_twice,
        _subjects,
        _queries,
        _authors_watched,
        _people_watched,
        _unknown_subjects,
        _relays,
        _recipients,
        _rota,
        _channels,
        _canaries,
        _events,
        _mail,
        _models,
        _compared,
    ):
        yield from find(document)


def _secrets(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and inner and _SECRET.search(name):
                yield (*place, name), f"{name}_env"
            elif (
                isinstance(inner, str) and name.endswith("_env") and not _ENV_NAME.fullmatch(inner)
            ):
                yield (*place, name), name
            elif name not in _NOT_OURS:
                yield from _secrets(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _secrets(inner, (*place, index))
    elif isinstance(value, str) and re.match(r"[a-z][a-z0-9+.-]*://[^/\s]*:[^/\s]*@", value, re.I):
        yield place, "password_env"


def _secrets_written(document: Document) -> Iterator[Fault]:
    for place, name in _secrets(document.raw, ()):
        remedy = say(
            "a secret never stands in this file: put it in an environment variable and write "
            'the name of that variable, {name} = "VIGIE_…"; then change the secret',
            name=name,
        )
        yield document.fault(place, HIDDEN, remedy)


def _written_twice(document: Document) -> Iterator[Fault]:
    keys = {
        "subjects": "id", "sources": "name", "relays": "id", "recipients": "email",
        "canaries": "id", "channels": "name",
    }  # fmt: skip
    for name, key in keys.items():
        seen: set[str] = set()
        for index, entry in document.tables(name):
            value = entry.get(key)
            if not isinstance(value, str):
                continue
            if value.casefold() in seen:
                remedy = say("two {table} have this {key}: give each its own", table=name, key=key)
                yield document.fault((name, index, key), value, remedy)
            seen.add(value.casefold())


def _subjects(document: Document) -> Iterator[Fault]:
    for index, subject in document.tables("subjects"):
        terms = {name: _texts(subject.get(name)) for name in _TERMS}
        is_named = any(terms[name] for name in ("names", "ambiguous", "handles", "hashtags"))
        if not is_named and not subject.get("query"):
            remedy = say("nothing would be heard: write names, handles, hashtags or a query")
            yield document.fault(("subjects", index), say("no name"), remedy)
        if terms["ambiguous"] and not terms["context"] and not subject.get("places"):
            remedy = say(
                "a name that means other things too counts only near a word of `context`, or where "
                'a place of `places` is named: write context = ["mairie", "commune"]'
            )
            yield document.fault(("subjects", index, "ambiguous"), terms["ambiguous"][0], remedy)
        for name in terms["names"]:
            if len(name.strip()) < 3:
                remedy = say(
                    "so short a name is found everywhere: move it to `ambiguous`, with `context`"
                )
                yield document.fault(("subjects", index, "names"), name, remedy)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _queries(document: Document) -> Iterator[Fault]:
    """Queries that cannot be read, or that may not be asked."""
    asked = [(n, s["query"]) for n, s in document.tables("subjects") if s.get("query")]
    if not asked:
        return
    from pipelines import query  # imports this module; and its grammar is not for every home

    allowed = query.allowed(*allow_lists(document))
    for index, text in asked:
        try:
            query.parse(str(text), allowed=allowed)
        except QueryError as error:
            yield document.fault(("subjects", index, "query"), text, error.why)


def allow_lists(document: Document) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The names of the institution, and each relay's id with its handles, as they are written."""
    who = document.table("institution")
    own = [str(who.get("id", "")), *_texts(who.get("handles"))]
    relays = document.tables("relays")
    return own, [(str(r.get("id", "")), _texts(r.get("handles"))) for _, r in relays]


def _authors_watched(document: Document) -> Iterator[Fault]:
    """Words that would watch an author: what `author:` says elsewhere, accounts among names."""
    allowed = _allowed(document)
    for index, subject in document.tables("subjects"):
        for name in _TERMS:
            for term in _texts(subject.get(name)):
                is_account = name != "handles" and term.strip()[:1] in ("@", "＠")
                if _AUTHOR.match(term):
                    remedy = say("{why}: write names of the institution", why=ONE_PERSON)
                    yield document.fault(("subjects", index, name), term, remedy)
                elif is_account and _bare(term) not in allowed:
                    yield document.fault(("subjects", index, name), term, _DECLARE)


def _people_watched(document: Document) -> Iterator[Fault]:
    """Handles that are neither the institution's nor a relay's, in a subject or a source."""
    allowed = _allowed(document)
    for table, names in (("subjects", ("handles",)), ("sources", _PEOPLE)):
        for index, entry in document.tables(table):
            for name in (*names, *_VOICES.get(str(entry.get("kind")), ())):
                for handle in _texts(entry.get(name)):
                    if _bare(handle) not in allowed and not _AUTHOR.match(handle):
                        yield document.fault((table, index, name), handle, _DECLARE)


_DECLARE = say(
    "{why}: write it under institution.handles if it is yours, or declare the institution, "
    "medium or elected official in office under [[relays]]",
    why=ONE_PERSON,
)


def _allowed(document: Document) -> frozenset[str]:
    lists = [document.table("institution").get("handles")]
    lists += [relay.get("handles") for _, relay in document.tables("relays")]
    return frozenset(_bare(handle) for found in lists for handle in _texts(found))


def _bare(handle: str) -> str:
    """A handle without @, address and server, as its own network shows it."""
    name = handle.strip().rstrip("/").rpartition("/")[2]
    return name.lstrip("@").partition("@")[0].casefold()


def _unknown_subjects(document: Document) -> Iterator[Fault]:
    known = [s["id"] for _, s in document.tables("subjects") if isinstance(s.get("id"), str)]
    for index, source in document.tables("sources"):
        subject = source.get("subject")
        if isinstance(subject, str) and subject not in known:
            yield document.fault(
                ("sources", index, "subject"), subject, _no_subject(subject, known)
            )


def _no_subject(subject: str, known: list[str]) -> Said:
    guess, names = near(subject, known), ", ".join(known)
    return say("no subject has this id: {guess}there is {names}", guess=guess, names=names)


def _relays(document: Document) -> Iterator[Fault]:
    for index, relay in document.tables("relays"):
        if not _texts(relay.get("handles")) and not _texts(relay.get("sites")):
            remedy = say("a relay is known by its handles or sites: write one of them")
            yield document.fault(("relays", index), say("no handle, no site"), remedy)


def _compared(document: Document) -> Iterator[Fault]:
    """Own posts are compared with those of public institutions, and of nobody else."""
    kinds = {relay.get("id"): relay.get("kind") for _, relay in document.tables("relays")}
    for name in _texts(document.table("engagement").get("compare")):
        if name not in kinds:
            guess = near(name, [str(k) for k in kinds])
            remedy = say("no [[relays]] block has this id: {guess}add one", guess=guess)
            yield document.fault(("engagement", "compare"), name, remedy)
        elif kinds[name] != "institution":
            remedy = say(
                'only relays of kind = "institution" may be compared with: a medium or an '
                "elected official is no public service of the same kind"
            )
            yield document.fault(("engagement", "compare"), name, remedy)


_READERS = {
    "alerts": say("an alert would reach nobody"),
    "digest": say("the daily digest would reach nobody"),
    "failures": say("a source that stops would stop unseen"),
}


def _recipients(document: Document) -> Iterator[Fault]:
    listed = [r for _, r in document.tables("recipients")]
    got = {kind for r in listed for kind in _texts(r.get("gets"))}
    got |= {"failures"} if any(r.get("role") == "operator" for r in listed) else set()
    for kind, harm in _READERS.items():
        if kind not in got:
            remedy = say(
                '{harm}: add "{kind}" to `gets` of a [[recipients]] block', harm=harm, kind=kind
            )
            yield document.fault(("recipients",), say("nobody gets {kind}", kind=kind), remedy)


def _rota(document: Document) -> Iterator[Fault]:
    known = {r.get("email") for _, r in document.tables("recipients")}
    spans: list[tuple[date, date, int]] = []
    for index, shift in document.tables("rota"):
        email, first, last = (shift.get(k) for k in ("email", "from_on", "to_on"))
        if isinstance(email, str) and email not in known:
            guess = near(email, [str(k) for k in known if k])
            remedy = say(
                "nobody of [[recipients]] has this address: {guess}add them there", guess=guess
            )
            yield document.fault(("rota", index, "email"), email, remedy)
        if type(first) is not date or type(last) is not date:
            continue
        if last < first:
            remedy = say(
                "the shift would end before it starts ({first}): correct one of the two",
                first=first,
            )
            yield document.fault(("rota", index, "to_on"), last, remedy)
            continue
        spans.append((first, last, index))
    if not document.table("on_call"):  # a calendar may hold the days between
        yield from _seams(document, sorted(spans))


def _seams(document: Document, spans: list[tuple[date, date, int]]) -> Iterator[Fault]:
    """Days that no shift covers, and shifts that lie over one another in part.

    Two people with exactly the same span are a pair, and no fault.
    """
    for (first, last, _), (start, end, index) in itertools.pairwise(spans):
        if (start, end) == (first, last):
            continue
        if start <= last:
            remedy = say(
                "two shifts hold on this day: end the other before it, it ends on {last}", last=last
            )
            yield document.fault(("rota", index, "from_on"), start, remedy)
        elif start > last + timedelta(days=1):
            remedy = say(
                "nobody is on call from {first} to {last}: add a shift, or lengthen one",
                first=last + timedelta(days=1),
                last=start - timedelta(days=1),
            )
            yield document.fault(("rota", index, "from_on"), start, remedy)


MAIL = "email"  # the channel that everybody has, without a block


def _channels(document: Document) -> Iterator[Fault]:
    """Channels of no kind that there is, and recipients of a channel that nobody describes."""
    blocks = document.tables("channels")
    if blocks:
        yield from _kinds(document)
    known = [MAIL, *(str(c["name"]) for _, c in blocks if isinstance(c.get("name"), str))]
    for index, recipient in document.tables("recipients"):
        for name in _texts(recipient.get("channels")):
            if name not in known:
                remedy = say(
                    "{guess}add a [[channels]] block of this name, or choose one of {names}",
                    guess=near(name, known),
                    names=", ".join(known),
                )
                yield document.fault(("recipients", index, "channels"), name, remedy)


def _kinds(document: Document) -> Iterator[Fault]:
    from pipelines import channels  # its modules read the settings

    kinds = [name for name in channels.names() if name not in (MAIL, "console")]
    for index, block in document.tables("channels"):
        if block.get("name") == MAIL:
            remedy = say("this name is the mail's, which is described in [mail]: choose another")
            yield document.fault(("channels", index, "name"), MAIL, remedy)
        kind = block.get("kind")
        if isinstance(kind, str) and kind not in kinds:
            guess, names = near(kind, kinds), ", ".join(kinds)
            remedy = say("{guess}choose one of {names}", guess=guess, names=names)
            yield document.fault(("channels", index, "kind"), kind, remedy)


def _canaries(document: Document) -> Iterator[Fault]:
    """Canaries that nothing could hear, or whose planting is not known."""
    known = [s["name"] for _, s in document.tables("sources") if isinstance(s.get("name"), str)]
    for index, canary in document.tables("canaries"):
        if not canary.get("word") and not canary.get("url"):
            remedy = say("write its word, which nobody else writes, or its url")
            yield document.fault(("canaries", index), say("no word, no url"), remedy)
        if bool(canary.get("planted_at")) == bool(canary.get("daily_at")):
            remedy = say(
                "write either planted_at = [2026-11-26T09:00:00+01:00] or daily_at = 09:00:00"
            )
            yield document.fault(("canaries", index), say("planted when?"), remedy)
        for moment in canary.get("planted_at") or ():
            if isinstance(moment, datetime) and moment.tzinfo is None:
                remedy = say("write its zone: 2026-11-26T09:00:00+01:00, or …Z")
                yield document.fault(("canaries", index, "planted_at"), moment, remedy)
        for name in _texts(canary.get("sources")):
            if name not in known:
                guess, names = near(name, known), ", ".join(known)
                remedy = say(
                    "no source has this name: {guess}there is {names}", guess=guess, names=names
                )
                yield document.fault(("canaries", index, "sources"), name, remedy)


def _events(document: Document) -> Iterator[Fault]:
    """Planned events that end before they start, that never end, or of a subject that is none."""
    known = [s["id"] for _, s in document.tables("subjects") if isinstance(s.get("id"), str)]
    for index, event in document.tables("events"):
        start, end = event.get("start"), event.get("end")
        if isinstance(start, datetime) and isinstance(end, datetime):
            if (start.tzinfo is None) != (end.tzinfo is None):
                remedy = say("write the zone of both start and end, or of neither")
                yield document.fault(("events", index, "end"), end, remedy)
            elif end <= start:
                remedy = say(
                    "the event would end before it starts ({start}): correct one of the two",
                    start=start,
                )
                yield document.fault(("events", index, "end"), end, remedy)
            elif end - start > _LONGEST_EVENT:
                remedy = say("an event lasts seven days at most: nobody would be told for so long")
                yield document.fault(("events", index, "end"), end, remedy)
        for subject in _texts(event.get("subjects")):
            if subject not in known:
                remedy = _no_subject(subject, known)
                yield document.fault(("events", index, "subjects"), subject, remedy)


_LONGEST_EVENT = timedelta(days=7)


def _mail(document: Document) -> Iterator[Fault]:
    mail = document.table("mail")
    if document.tables("recipients") and not mail.get("sender"):
        remedy = say('write the address that mails come from: sender = "vigie@…"')
        yield document.fault(("mail", "sender"), MISSING, remedy)
    host = mail.get("host", "127.0.0.1")
    is_local = isinstance(host, str) and (host == "localhost" or host.startswith("127."))
    if mail.get("username") and mail.get("security") == "none" and not is_local:
        remedy = say("the password would cross the network in the clear: write starttls or tls")
        yield document.fault(("mail", "security"), "none", remedy)


def _models(document: Document) -> Iterator[Fault]:
    for name, value in document.table("models").items():
        if not isinstance(value, str) or value == "embedded" or re.search("@.", value):
            continue
        if not (document.path.parent / value).is_dir():
            remedy = say(
                'write "embedded", a folder that exists, or org/name@revision with its revision'
            )
            yield document.fault(("models", name), value, remedy)
