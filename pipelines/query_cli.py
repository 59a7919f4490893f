"""`vigie query …`: queries tried on a file, explained, imported, run again over what is stored."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from models.language import detect
from pipelines import (
    plaintext,
    privacy,
    query,
    query_import,
    query_match,
    query_sql,
    query_told,
    query_tree,
    textfile,
    vigie_toml,
)
from pipelines.commands import Commands
from pipelines.console import HERE, Home, Locale, bar, moment, out, told, words
from pipelines.errors import VigieError
from pipelines.places import Finder
from pipelines.query_match import Document
from pipelines.query_terms import Allowed
from pipelines.query_told import Why
from pipelines.query_tree import Node

query_app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Queries: try them on a file, explain, import them, run them again (docs/queries.md).",
)
Asked = Annotated[str, typer.Argument(help="A query in quotes, or the id of a subject of --home.")]
_SHOWN = 240  # characters of a text around the words that matched
_REASONS = 12
_LEFT_OUT = 5  # lines of a file that are no rows, and are named
_TERMS = 6  # of a kind that a version shows
_LISTS = ("hashtags", "mentioned_handles", "place_codes")
_COUNTS = ("like_count", "reply_count", "share_count", "quote_count")


def _allowed(home: Path) -> Allowed:
    """The allow-list of a home; nobody's where there is no home."""
    path = home / vigie_toml.FILE
    if not path.is_file():
        return Allowed()
    return query.allowed(*vigie_toml.allow_lists(vigie_toml.read(path)))


def _parsed(text: str, home: Path) -> Node:
    """The tree of a query, or of the subject of the home that is called so."""
    path = home / vigie_toml.FILE
    subjects = vigie_toml.read(path).tables("subjects") if path.is_file() else []
    if text in [subject.get("id") for _, subject in subjects]:
        from pipelines import run

        watches = run.watched(run.house(home, needs_secrets=False))
        return next(watch.tree for watch in watches if watch.subject.id == text)
    return query.parse(text, allowed=_allowed(home)).tree


# --- test


@query_app.command("test")
def try_(
    asked: Asked,
    on: Annotated[
        Path, typer.Option("--on", help="CSV, JSON lines or Parquet with a column `text`.")
    ],
    home: Home = HERE,
    text: Annotated[str, typer.Option(help="The column that holds the texts.")] = "text",
    sample: Annotated[int, typer.Option(min=0, help="How many matches are shown.")] = 10,
    locale: Locale = None,
) -> None:
    """Show what a query finds in a file and why, and what kept the rest out.

    The columns title, url, lang, source, network, content_type, like_count… are read if there.
    Where a query asks for a language or a place and no column tells it, it is found in the text.
    """
    tree = _parsed(asked, home)
    found = query_match.compiled([tree])
    reasons: Counter[str] = Counter()
    shown: list[tuple[Document, Why]] = []
    matched = 0
    left_out = _LeftOut()
    for document in _documents(on, text, tree, home, left_out.add):
        why = query_told.why(tree, found, document)
        matched += why.is_found
        if not why.is_found:
            reasons[why.reason] += 1
        elif len(shown) < sample:
            shown.append((document, why))
    _print_matches(shown)
    _print_reasons(reasons)
    total = matched + reasons.total()
    share = f" ({matched / total:.1%})" if total else ""
    out.print(f"{matched} of {total} texts match{share}")
    _print_left_out(left_out)
    _print_warnings(told(query_told.warnings(tree), home, locale))


def _documents(
    path: Path, text: str, tree: Node, home: Path, leave: textfile.Leave
) -> Iterator[Document]:
    """The rows of a file as documents; what a column does not hold is not known."""
    finder = _finder(home) if query_tree.is_late(tree) else None
    allowed = _allowed(home)
    keep = allowed.own.union(allowed.relays)
    hint = ", or name it with --text"
    for piece in textfile.opened(path, added=(), text=text, hint=hint, leave=leave).pieces:
        documents = [_document(row, text, keep) for row in piece.to_pylist()]
        yield from _read_further(documents, finder) if finder else documents


def _finder(home: Path) -> Finder:
    """The finder of a home's own territory; of none where there is no home."""
    from pipelines import places, run

    has_home = (home / vigie_toml.FILE).is_file()
    return places.finder(
        run.house(home, needs_secrets=False).settings.institution.territory if has_home else ()
    )


def _read_further(documents: list[Document], finder: Finder) -> Iterator[Document]:
    """The documents with the language and the places that no column told."""
    texts = [document.text for document in documents]
    langs = [d.lang or found for d, found in zip(documents, detect(texts), strict=True)]
    rows = zip(documents, langs, finder.find(texts), strict=True)
    for document, lang, codes in rows:
        yield replace(document, lang=lang, place_codes=document.place_codes or codes)


def _document(row: dict[str, Any], text: str, keep: Collection[str]) -> Document:
    """A row as it would be stored: plain, and people masked, so that the same words are met."""
    title, warning = (_line(row.get(name), keep) for name in ("title", "content_warning"))
    lists = {name: _list(row.get(name)) for name in _LISTS}
    counts = [count for count in (_count(row.get(name)) for name in _COUNTS) if count is not None]
    names = ("source", "source_name", "network", "content_type")
    return query_match.document(
        privacy.mask(plaintext.plain(str(row.get(text) or ""))[0], keep=keep),
        title=title,
        warning=warning,
        hashtags=lists["hashtags"],
        handles=lists["mentioned_handles"],
        place_codes=lists["place_codes"],
        url=plaintext.canonical_url(str(row["url"])) if row.get("url") else None,
        lang=str(row["lang"]) if row.get("lang") else None,
        engagement=sum(counts) if counts else None,
        **{name: str(row.get(name) or "") for name in names},
    )


def _line(value: Any, keep: Collection[str]) -> str | None:
    return privacy.mask(plaintext.line(str(value), limit=500), keep=keep) if value else None


def _list(value: Any) -> list[str]:
    """A list, or a text of words parted by commas or spaces."""
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def _count(value: Any) -> int | None:
    """A whole number; "12.0" too, which tables make of one beside empty cells."""
    try:
        found = float(str(value).strip())
    except ValueError:
        return None
    return int(found) if found.is_integer() else None


def _print_matches(shown: list[tuple[Document, Why]]) -> None:
    for document, why in shown:
        first = why.spans[0][0] if why.spans else 0
        start = max(0, first - _SHOWN // 3)
        end = min(len(document.text), start + _SHOWN)
        line = Text("… " if start else "")
        for at in range(start, end):
            is_marked = any(a <= at < b for a, b in why.spans)
            line.append_text(words(document.text[at], style="bold reverse" if is_marked else ""))
        out.print(Text("✓ ", style="green"), line, Text("…" if end < len(document.text) else ""))


def _print_reasons(reasons: Counter[str]) -> None:
    if not reasons:
        return
    table = Table("not matched", "because", box=box.SIMPLE_HEAD, pad_edge=False)
    for reason, count in reasons.most_common(_REASONS):
        table.add_row(str(count), words(reason))
    rest = sum(reasons.values()) - sum(count for _, count in reasons.most_common(_REASONS))
    if rest:
        table.add_row(str(rest), f"{len(reasons) - _REASONS} other reasons")
    out.print(table)


@dataclass(slots=True)
class _LeftOut:
    """Rows of a file that are none: how many, and what there is to say of the first."""

    count: int = 0
    first: list[VigieError] = field(default_factory=list)

    def add(self, error: VigieError) -> None:
        """Count one more."""
        self.count += 1
        self.first += [error] if self.count <= _LEFT_OUT else []


def _print_left_out(found: _LeftOut) -> None:
    _print_warnings(f"left out: {error}" for error in found.first)
    if found.count > _LEFT_OUT:
        _print_warnings((f"{found.count} lines in all were left out",))


def _print_warnings(found: Iterable[str]) -> None:
    for each in found:
        out.print(Text("! ", style="yellow"), words(each))


# --- explain


@query_app.command()
def explain(
    asked: Asked,
    home: Home = HERE,
    sql: Annotated[bool, typer.Option("--sql", help="The SQL over stored mentions too.")] = False,
    locale: Locale = None,
) -> None:
    """Say in words what a query means and what in it may surprise."""
    tree = _parsed(asked, home)
    for line in query_told.described(tree):
        out.print(words(line), soft_wrap=True)
    warnings = query_told.warnings(tree, sources=_sources(home))
    _print_warnings(told(warnings, home, locale))
    if sql:
        found = query_sql.condition(tree, columns=())
        out.print(words(found.select("mention", ["mention_id"])), soft_wrap=True)
        for name, value in found.parameters.items():
            out.print(words(f"  ${name} = {value!r}"), soft_wrap=True)


def _sources(home: Path) -> set[str]:
    """What `source:` may name in a home; nothing where files bring in networks of any name."""
    path = home / vigie_toml.FILE
    blocks = [b for _, b in vigie_toml.read(path).tables("sources")] if path.is_file() else []
    if any(block.get("kind") == "file" for block in blocks):
        return set()
    return {str(b[key]) for b in blocks for key in ("kind", "name", "network") if key in b}


# --- import


@query_app.command("import")
def import_(
    asked: Annotated[str, typer.Argument(help="A query of the other tool, in quotes, or a file.")],
    tool: Annotated[str, typer.Option("--from", help="brandwatch or talkwalker")],
    home: Home = HERE,
    locale: Locale = None,  # noqa: ARG001 - what goes wrong is told in it
) -> None:
    """Put a query of Brandwatch or Talkwalker into Vigie's words, or name what cannot be put."""
    found = query_import.imported(_given(asked), tool=tool, allowed=_allowed(home))
    out.print(words(found.text), soft_wrap=True)
    _print_warnings(found.notes)


def _given(asked: str) -> str:
    """A query, or what stands in the file of that name."""
    path = Path(asked)
    try:
        if not path.is_file():
            return asked
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise VigieError(f"{asked} is not in UTF-8: save it again in that encoding") from error
    except (OSError, ValueError):  # longer than a name may be, or with signs that none has
        return asked


# --- history


@query_app.command()
def rerun(
    subject_ids: Annotated[
        list[str] | None, typer.Argument(help="Ids of subjects. Default: all of them.")
    ] = None,
    home: Home = HERE,
    since: Annotated[
        datetime | None, typer.Option(parser=moment, help="First day. Default: the oldest.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=moment, help="Day after the last.")
    ] = None,
    landed: Annotated[
        bool,
        typer.Option("--landed", help="Read the payloads of the last days again too (7 at most)."),
    ] = False,
) -> None:
    """Run the queries of today over the mentions that are stored, a day at a time.

    A post that no subject named when it was read was never kept: only --landed can find it.
    """
    from pipelines import run

    house, now = run.house(home, needs_secrets=False), datetime.now(UTC)
    zone = house.settings.institution.zone
    start = since.replace(tzinfo=zone) if since else datetime(2000, 1, 1, tzinfo=UTC)
    end = until.replace(tzinfo=zone) if until else datetime(9999, 1, 1, tzinfo=UTC)
    if start >= end:
        raise VigieError(f"--since {start:%Y-%m-%d} is not before --until {end:%Y-%m-%d}")
    if landed:
        _reread(home, start, end, now)
    added: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    days = done = 0
    with bar("mentions") as moved:
        total = run.rerun_size(house, since=start, until=end)
        for day in run.rerun_queries(
            house, subject_ids=subject_ids or (), since=start, until=end, as_of=now
        ):
            done += day.day.mention_count
            moved(done, total)
            added.update(day.added)
            removed.update(day.removed)
            days += 1
    table = Table("subject", "gained", "lost", box=box.SIMPLE_HEAD, pad_edge=False)
    for subject_id in sorted({*added, *removed}):
        table.add_row(words(subject_id), str(added[subject_id]), str(removed[subject_id]))
    out.print(table if added or removed else "Nothing changed.")
    span = "1 day" if days == 1 else f"{days} days"
    out.print(f"{total} mentions over {span} were read again.")


def _reread(home: Path, since: datetime, until: datetime, now: datetime) -> None:
    from pipelines import run

    house = run.house(home, needs_secrets=False)
    paths = run.landed(house, since=since, until=until)
    if not paths:
        out.print("No payloads of that span are left: they expire after some days.")
        return
    with out.status(f"read {len(paths)} landed files"):
        counts = run.reread(house, paths, as_of=now)
    out.print(f"{counts['inserted']} posts found that were let go, of {len(paths)} landed files.")


@query_app.command()
def versions(home: Home = HERE) -> None:
    """The versions of each subject's query, when each was used, and how many mentions it found."""
    from pipelines import run, warehouse

    house = run.house(home, needs_secrets=False)
    warehouse.prepare(house.settings)
    now = {watch.version for watch in run.watched(house)}
    with warehouse.opened(house.home, read_only=True) as connection:
        rows = warehouse.run(connection, "queries/query_versions").fetchall()
    for version, first, last, asked, count in rows:
        mark = " (now)" if version in now else ""
        out.print(
            words(
                f"{version}{mark}: {count} mentions, used {first:%Y-%m-%d %H:%M} to "
                f"{last:%Y-%m-%d %H:%M} UTC"
            )
        )
        for line in _asks(asked):
            out.print(words(f"    {line}"), soft_wrap=True)
    if not rows:
        out.print("No version has been used yet: `vigie watch` uses the first.")


def _asks(asked: str) -> list[str]:
    """What a version asks: its query, or the first of each kind of simple terms."""
    try:
        found = json.loads(asked)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return asked.strip().splitlines()
    return [line for key, told in found.items() for line in _terms(key, told)]


def _terms(key: str, told: object) -> list[str]:
    if not isinstance(told, list):
        return [f"{key}: {told}"]
    terms = list(dict.fromkeys(map(str, told)))
    more = f" and {len(terms) - _TERMS} more" if len(terms) > _TERMS else ""
    return [f"{key}: {', '.join(terms[:_TERMS])}{more}"] if terms else []
