"""Mention search: a query as `docs/queries.md` says, and filters, over the published file.

The same tree as the stream's, as DuckDB SQL. Pages go by key (time, id), so that a far page costs
no more than the first. What a query holds is bound, never pasted. Texts are masked; an address is
shown where the published file has one: articles, and posts of the institution.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pipelines import alert_letter, query, query_sql, scopes, textfile
from pipelines.board.visit import Answer, Row, Stopped, Visit, as_rows, published
from pipelines.errors import QueryError
from pipelines.query_tree import Author, Node, walk
from pipelines.said import Said
from pipelines.warehouse import Connection

PAGE = 25
DAYS = 7  # of a search that names no days
MOST_EXPORTED = 100_000  # rows; more is for the file itself
LONGEST = 2_000  # characters of a query on the board
MOST_COUNTED = 1_000  # messages; beyond, a search says that there are more
QUOTE = 600  # characters of a message in a list; the rest is in the export
TONES = ("negative", "neutral", "positive", "undetermined")
_COLUMNS = (
    "mention_id", "source_name", "network", "content_type", "title", "text", "is_text_expired",
    "lang", "published_at", "is_own", "url", "sentiment", "sentiment_score", "acts", "risk",
    "like_count", "reply_count", "share_count",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A search as its form gives it; empty values ask for everything.

    `begins` and `ends` are minutes of the first and last day, both within; None is all of the day.
    """

    q: str
    since: date
    until: date
    topic: str
    tone: str
    source: str
    subject: str
    own: bool
    begins: time | None
    ends: time | None
    after: tuple[datetime, str] | None

    def values(self) -> dict[str, str]:
        """The same as the fields of an address, without the place of a page."""
        told = {"q": self.q, "since": self.since.isoformat(), "until": self.until.isoformat()}
        told |= {"topic": self.topic, "tone": self.tone, "source": self.source}
        told |= {"subject": self.subject, "own": "1" if self.own else ""}
        told |= {"from": _clock(self.begins), "to": _clock(self.ends)}
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a query, where (from, to, in characters), and what to do."""

    what: str
    remedy: str
    place: str
    why: str  # all of it on one line
    before: str
    marked: str
    after: str


def found(visit: Visit) -> Answer:
    """One page of mentions, the last first; the form alone at first."""
    with published(visit.desk) as connection:
        made_at = _made_at(connection)
        asked = _asked(visit, made_at)
        problem, tree = _read(visit, asked)
        rows = [] if problem else _rows(connection, visit, asked, tree, limit=PAGE + 1)
        total = 0 if problem else _total(connection, visit, asked, tree)
    more = _cursor(rows[PAGE - 1]) if len(rows) > PAGE else None
    rows = rows[:PAGE]
    values: dict[str, Any] = {
        "asked": asked,
        "problem": problem,
        "rows": [_shown(visit, row) for row in rows],
        "more": asked.values() | {"after": more} if more else None,
        "total": _said(visit, total),
        "made_at": visit.w.moment(made_at),
        "export": asked.values(),
        "quote": QUOTE,
        **choices(visit),
    }
    status = 422 if problem else 200
    return Answer(template="search", values=values, status=status, shown=len(rows))


def export(visit: Visit) -> Answer:
    """All that a search finds, as CSV that no spreadsheet runs; Stopped("wide") for too much."""
    with published(visit.desk) as connection:
        asked = _asked(visit, _made_at(connection))
        problem, tree = _read(visit, asked)
        if problem:
            raise Stopped("refused", problem.why)
        statement, bound = _statement(visit, asked, tree, limit=MOST_EXPORTED + 1)
        table = connection.execute(statement, bound).to_arrow_table()
    if table.num_rows > MOST_EXPORTED:
        raise Stopped("wide", visit.w.number(MOST_EXPORTED))
    name = f"vigie-{asked.since.isoformat()}-{asked.until.isoformat()}.csv"
    return Answer(file=(name, _csv(table)), shown=table.num_rows)


def _csv(table: Any) -> bytes:
    file = io.BytesIO()
    writer = textfile.SafeCsv(file, table.schema, separator=",")
    writer.write(table)
    writer.close()
    return file.getvalue()


def choices(visit: Visit) -> dict[str, Any]:
    """What the form offers: topics, tones, sources, subjects."""
    from models.taxonomy import taxonomy

    return {
        "topics": [(t.id, scopes.label(t.id, visit.w.locale)) for t in taxonomy()],
        "tones": TONES,
        "sources": [block.name for block in visit.settings.sources],
        "subjects": [(s.id, s.label) for s in visit.settings.subjects],
    }


def _made_at(connection: Connection) -> datetime:
    row = connection.execute("select made_at from about").fetchone()
    if row is None:
        raise Stopped("empty")
    found: datetime = row[0]
    return found.astimezone(UTC)


def _asked(visit: Visit, made_at: datetime) -> Asked:
    """The search of an address; what is no date or no choice is left out."""
    given, today = visit.query, made_at.astimezone(visit.settings.institution.zone).date()
    until = _day(given.get("until", "")) or today
    since = _day(given.get("since", "")) or until - timedelta(days=DAYS - 1)
    offered = choices(visit)
    topics, subjects = ([name for name, _ in offered[key]] for key in ("topics", "subjects"))
    return Asked(
        q=given.get("q", "")[:LONGEST].strip(),
        since=min(since, until),
        until=max(since, until),
        topic=_one(given.get("topic", ""), topics),
        tone=_one(given.get("tone", ""), TONES),
        source=_one(given.get("source", ""), offered["sources"]),
        subject=_one(given.get("subject", ""), subjects),
        own=given.get("own") == "1",
        begins=_minute(given.get("from", "")),
        ends=_minute(given.get("to", "")),
        after=_after(given.get("after", "")),
    )


def _one(value: str, known: Sequence[str]) -> str:
    return value if value in known else ""


def _clock(at: time | None) -> str:
    return f"{at:%H:%M}" if at else ""


def _minute(text: str) -> time | None:
    """A time of day such as 09:40; None for anything else."""
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day alone
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2100 else None


# --- the query


def _read(visit: Visit, asked: Asked) -> tuple[Problem | None, Node | None]:
    """The tree of the query, or what is wrong with it."""
    if not asked.q:
        return None, None
    settings = visit.settings
    relays = ((relay.id, relay.handles) for relay in settings.relays)
    who = settings.institution
    allowed = query.allowed((who.id, *who.handles), relays)
    try:
        tree = query.parse(asked.q, allowed=allowed).tree
    except QueryError as error:
        return _problem(visit, asked.q, error), None
    if any(isinstance(node, Author) and node.relay_ids for node in walk(tree)):
        at = max(asked.q.lower().find("author:"), 0)
        what, remedy = (Said(visit.w.text(f"search.{key}")) for key in _NO_RELAYS)
        unheld = QueryError(asked.q, at=at, length=7, what=what, remedy=remedy)
        return _problem(visit, asked.q, unheld), None
    return None, tree


_NO_RELAYS = ("no_relays", "no_relays_remedy")


def _problem(visit: Visit, text: str, error: QueryError) -> Problem:
    end = error.at + max(1, error.length)
    locale = visit.w.locale
    return Problem(
        what=error.what.told(locale),
        remedy=error.remedy.told(locale),
        place=error.place.told(locale),
        why=error.why.told(locale),
        before=text[: error.at][-80:],
        marked=text[error.at : end] or " ",
        after=text[end:][:80],
    )


def _rows(
    connection: Connection, visit: Visit, asked: Asked, tree: Node | None, *, limit: int
) -> list[Row]:
    statement, bound = _statement(visit, asked, tree, limit=limit)
    return as_rows(connection.execute(statement, bound))


def _total(connection: Connection, visit: Visit, asked: Asked, tree: Node | None) -> int:
    """How many messages a search finds on all of its pages, MOST_COUNTED + 1 at most."""
    whole = replace(asked, after=None)
    statement, bound = _statement(visit, whole, tree, limit=MOST_COUNTED + 1)
    count = f"select count(*) from ({statement})"  # noqa: S608 - our own statement, values bound
    (found,) = connection.execute(count, bound).fetchone() or (0,)
    return int(found)


def _said(visit: Visit, total: int) -> str:
    """A total as a page says it: "312 messages", "plus de 1 000 messages"."""
    if total <= MOST_COUNTED:
        return visit.w.count("shown", total)
    return visit.w.say("search.more_than", n=visit.w.count("shown", MOST_COUNTED))


def _statement(
    visit: Visit, asked: Asked, tree: Node | None, *, limit: int
) -> tuple[str, dict[str, Any]]:
    """The SQL of a search with what is bound in it; only our own names stand in its text."""
    filters, bound = _filters(visit, asked)
    relation = f"(select * from mention_public where {' and '.join(filters)})"  # noqa: S608
    if tree is None:
        inner = f"select {', '.join(_COLUMNS)} from {relation}"  # noqa: S608
    else:
        made = query_sql.condition(tree, columns={"place_codes"})
        inner = made.select(relation, _COLUMNS)
        bound |= made.parameters
    key = ""
    if asked.after:
        key = " where (published_at, mention_id) < ($after_at, $after_id)"
        bound |= {"after_at": asked.after[0], "after_id": asked.after[1]}
    order = f" order by published_at desc, mention_id desc limit {limit}"
    return f"select * from ({inner}){key}{order}", bound  # noqa: S608


def _filters(visit: Visit, asked: Asked) -> tuple[list[str], dict[str, Any]]:
    zone = visit.settings.institution.zone
    start = datetime.combine(asked.since, asked.begins or time.min, tzinfo=zone).astimezone(UTC)
    end = datetime.combine(asked.until + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)
    if asked.ends is not None:
        last = datetime.combine(asked.until, asked.ends, tzinfo=zone).astimezone(UTC)
        end = last + timedelta(minutes=1)
    bound: dict[str, Any] = {"since": start, "until": end}
    filters = ["published_at >= $since", "published_at < $until"]
    if not asked.own:
        filters.append("not is_own")
    for name, value, text in (
        ("tone", asked.tone, "sentiment = $tone"),
        ("source", asked.source, "source_name = $source"),
        ("subject", asked.subject, "list_contains(subject_ids, $subject)"),
        ("topic", asked.topic, _OF_TOPIC),
    ):
        if value:
            filters.append(text)
            bound[name] = value
    return filters, bound


_OF_TOPIC = (
    "mention_id in (select mention_id from mention_topic where topic_id = $topic"
    " and published_at >= $since and published_at < $until)"
)


# --- pages by key


def _cursor(row: Mapping[str, Any]) -> str:
    """The place after a row, as an address holds it."""
    told = json.dumps([row["published_at"].astimezone(UTC).isoformat(), row["mention_id"]])
    return base64.urlsafe_b64encode(told.encode()).decode("ascii")


def _after(text: str) -> tuple[datetime, str] | None:
    """The place that an address holds; None for anything else."""
    try:
        at, name = json.loads(base64.urlsafe_b64decode(text.encode("ascii")))
        found = datetime.fromisoformat(at)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        return None
    return (found, name) if found.tzinfo and isinstance(name, str) else None


def _shown(visit: Visit, row: Row) -> Row:
    """A mention as a page shows it, cut at QUOTE, its network as people call it."""
    mails = alert_letter.spoken(visit.settings.institution.zone, visit.w.locale)
    told = "\n".join(filter(None, (row["title"], row["text"])))
    return (
        row
        | {"quote": told[:QUOTE], "is_cut": len(told) > QUOTE}
        | {"network": alert_letter.network(row["network"], mails)}
    )
