"""What the mail about an incident rests on: messages, words, sources, tone, coverage, a curve.

Everything is counted from the warehouse at one moment; nothing is generated. Costs the mentions
of eight days for the words, of one window for the rest, and only when a mail is due; the messages
shown are scored again to tell which words moved their tone (`pipelines/explanation.py`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from pipelines import baseline, copies, coverage, explanation, gains, rules, warehouse
from pipelines.alert import Alert
from pipelines.coverage import Coverage
from pipelines.explanation import Asked, Explanation, Loader
from pipelines.incidents import Incident

TOP_MESSAGES = 3
TOP_TERMS = 6
MOST_TEXTS = 400  # distinct texts compared for near-copies
TERM_Z = 2.5
LATELY = timedelta(hours=6)  # how far back a trouble of a source is told
CURVE_HOURS = 24
CURVE_MINUTES = 30
REACTIONS = "reactions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One text and its near-copies: how many mentions, and from how many networks or sites.

    `reasons`: why it has its tone and topics; None where that is not known.
    """

    mention_id: str
    text: str
    title: str | None
    url: str | None
    network: str
    published_at: datetime
    sentiment: str
    copy_count: int
    origin_count: int
    lang: str | None = None
    topics: tuple[str, ...] = ()
    reasons: Explanation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A word of more texts than usual: shares 0..1 of the texts of the window and of 7 days."""

    term: str
    count: int
    share: float
    usual_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What was counted, by the instant at which each step ends, with what was expected of it.

    `of`: 'mentions' of half hours, or 'reactions' of hours.
    """

    of: str = "mentions"
    times: tuple[datetime, ...]
    counts: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a mail says beside the incident itself.

    `networks` and `tone` count the mentions of the window, copies included; `topics` holds the
    share 0..1 of them that have a topic. The largest comes first. `lately` is the coverage of the
    last six hours at least, `window` that of what the alert counted.
    """

    lately: Coverage
    window: Coverage | None = None
    messages: tuple[Message, ...] = ()
    terms: tuple[Term, ...] = ()
    networks: Mapping[str, int] = field(default_factory=dict)
    tone: Mapping[str, int] = field(default_factory=dict)
    topics: Mapping[str, float] = field(default_factory=dict)
    curve: Curve | None = None


def gather(
    connection: duckdb.DuckDBPyConnection,
    incident: Incident,
    *,
    as_of: datetime,
    zone: ZoneInfo,
    load: Loader | None = None,
) -> Evidence:
    """What the warehouse knows at `as_of` of an incident; changes nothing.

    `load` gives the tone model that says why; without it, or where it fails, no message has
    reasons.
    """
    alert = incident.alert
    if alert.subject_id is None:
        return Evidence(lately=lately(connection, as_of=as_of, zone=zone))
    until = incident.window_ends_at
    window: dict[str, Any] = {
        "subject_id": alert.subject_id,
        "scope": alert.scope,
        "since": until - timedelta(minutes=alert.window_minutes),
        "until": until,
    }
    shares = _rows(connection, "signals/evidence_shares", window)
    return Evidence(
        messages=_with_reasons(_messages(connection, window, alert), load),
        terms=_terms(connection, window),
        networks=_totals(shares, "network"),
        tone=_totals(shares, "sentiment"),
        topics=_topics(connection, window),
        lately=_coverage(connection, min(window["since"], as_of - LATELY), as_of, zone),
        window=_coverage(connection, window["since"], as_of, zone),
        curve=_curve(connection, incident, as_of=as_of, zone=zone),
    )


def lately(connection: duckdb.DuckDBPyConnection, *, as_of: datetime, zone: ZoneInfo) -> Coverage:
    """The coverage of the last six hours, which every letter about alerts states."""
    return _coverage(connection, as_of - LATELY, as_of, zone)


def _rows(
    connection: duckdb.DuckDBPyConnection, name: str, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    found = warehouse.run(connection, name, parameters)
    columns = [column[0] for column in found.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


def _totals(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, int]:
    """Mentions by the values of a column, the largest first."""
    totals: Counter[str] = Counter()
    for row in rows:
        totals[row[name]] += row["mention_count"]
    return dict(totals.most_common())


def _topics(connection: duckdb.DuckDBPyConnection, window: Mapping[str, Any]) -> dict[str, float]:
    rows = _rows(connection, "signals/evidence_topics", window)
    return {row["topic_id"]: row["mention_share"] for row in rows}


def _messages(
    connection: duckdb.DuckDBPyConnection, window: Mapping[str, Any], alert: Alert
) -> tuple[Message, ...]:
    """The stories of the window that most mentions tell; those that the rule names come first.

    Where those are all that the rule counted (one claim, one call), nothing else is shown.
    """
    asked = {**window, "most": MOST_TEXTS, "named": list(alert.message_ids)}
    rows = _rows(connection, "signals/evidence_texts", asked)
    groups = [[rows[n] for n in g.members] for g in copies.groups([row["text"] for row in rows])]
    named = [group for group in groups if _is_named(group)]
    is_all = alert.text_count is not None and 0 < alert.text_count <= sum(map(len, named))
    rest = [] if is_all else [group for group in groups if not _is_named(group)]
    told = [*_most_told(named), *_most_told(rest)]
    return tuple(told[:TOP_MESSAGES])


def _is_named(group: Sequence[Mapping[str, Any]]) -> bool:
    return any(row["is_named"] for row in group)


def _most_told(groups: Sequence[Sequence[Mapping[str, Any]]]) -> list[Message]:
    messages = [_message(group) for group in groups]
    return sorted(messages, key=lambda m: (-m.copy_count, m.published_at))


def _with_reasons(messages: tuple[Message, ...], load: Loader | None) -> tuple[Message, ...]:
    if load is None:
        return messages
    found = explanation.explained([_asked(message) for message in messages], load=load)
    return tuple(replace(each, reasons=found.get(each.mention_id)) for each in messages)


def _asked(message: Message) -> Asked:
    return Asked(
        mention_id=message.mention_id,
        title=message.title,
        text=message.text,
        lang=message.lang,
        tone=message.sentiment,
        topics=message.topics,
    )


def _message(rows: Sequence[Mapping[str, Any]]) -> Message:
    first = min(rows, key=lambda row: (row["published_at"], row["mention_id"]))
    return Message(
        mention_id=first["mention_id"],
        text=first["text"],
        title=first["title"],
        url=first["url"],
        network=first["network"],
        published_at=first["published_at"].astimezone(UTC),
        sentiment=first["sentiment"],
        copy_count=sum(row["copy_count"] for row in rows),
        origin_count=len({origin for row in rows for origin in row["origins"]}),
        lang=first["lang"],
        topics=tuple(first["topics"]),
    )


def _terms(connection: duckdb.DuckDBPyConnection, window: Mapping[str, Any]) -> tuple[Term, ...]:
    """The words most above their usual: log-odds with an informative prior, as z-scores.

    Monroe, Colaresi and Quinn, "Fightin' Words", Political Analysis 16 (2008), section 3.3.2.
    """
    rows = _rows(connection, "signals/evidence_terms", window)
    scored = [(_excess(row), row) for row in rows]
    above = sorted((z, row["term"], row) for z, row in scored if z >= TERM_Z and _is_news(row))[
        ::-1
    ]
    return tuple(
        Term(
            term=row["term"],
            count=row["now_count"],
            share=row["now_count"] / row["now_total"],
            usual_share=row["past_count"] / max(row["past_total"], 1),
        )
        for _, _, row in above[:TOP_TERMS]
    )


def _is_news(row: Mapping[str, Any]) -> bool:
    """Whether a word says something, and at least twice as often as it used to."""
    usual = row["past_count"] / max(row["past_total"], 1)
    return row["term"] not in _function_words() and row["now_count"] / row["now_total"] >= 2 * usual


@lru_cache(maxsize=1)
def _function_words() -> frozenset[str]:
    """Words of four letters and more that say nothing of what happens, French and English."""
    text = files("pipelines") / "templates" / "function_words.txt"
    return frozenset(text.read_text(encoding="utf-8").split())


def _excess(row: Mapping[str, Any]) -> float:
    prior = 0.01 * row["past_count"] + 0.5
    whole = 0.01 * row["past_total"] + 10
    odds = []
    for when in ("now", "past"):
        held = row[f"{when}_count"] + prior
        odds.append(math.log(held / max(row[f"{when}_total"] + whole - held, 0.5)))
    spread = 1 / (row["now_count"] + prior) + 1 / (row["past_count"] + prior)
    return (odds[0] - odds[1]) / math.sqrt(spread)


def _coverage(
    connection: duckdb.DuckDBPyConnection, since: datetime, as_of: datetime, zone: ZoneInfo
) -> Coverage:
    return coverage.between(connection, since=since, until=as_of, as_of=as_of, zone=zone)


def _curve(
    connection: duckdb.DuckDBPyConnection, incident: Incident, *, as_of: datetime, zone: ZoneInfo
) -> Curve | None:
    """A day of what the rule counts; None while nothing is known of what to expect."""
    alert = incident.alert
    if alert.subject_id is None or alert.is_warming_up:
        return None
    if rules.is_known(alert.rule_id) and rules.read(alert.rule_id).counts == REACTIONS:
        return _reactions(connection, alert.subject_id, as_of)
    return _mentions(connection, alert.subject_id, alert.scope, as_of=as_of, zone=zone)


def _reactions(
    connection: duckdb.DuckDBPyConnection, subject_id: str, as_of: datetime
) -> Curve | None:
    """A day of likes, replies and shares in hours."""
    found = gains.day(connection, subject_id, as_of=as_of)
    if found is None:
        return None
    count = len(found.gained)
    times = tuple(as_of - timedelta(hours=count - 1 - i) for i in range(count))
    return Curve(of=REACTIONS, times=times, counts=found.gained, low=found.low, high=found.high)


def _mentions(
    connection: duckdb.DuckDBPyConnection,
    subject_id: str,
    scope: str,
    *,
    as_of: datetime,
    zone: ZoneInfo,
) -> Curve:
    """A day of mentions in half hours."""
    gap = timedelta(minutes=CURVE_MINUTES)
    steps = CURVE_HOURS * 60 // CURVE_MINUTES
    times = tuple(as_of - gap * (steps - 1 - i) for i in range(steps))
    within = {
        "subject_id": subject_id,
        "scope": scope,
        "since": times[0] - gap,
        "until": as_of,
        "minutes": CURVE_MINUTES,
    }
    counted = dict(warehouse.run(connection, "signals/evidence_curve", within).fetchall())
    windows = [baseline.Window(until=at, minutes=CURVE_MINUTES, zone=zone) for at in times]
    low, high = baseline.band(connection, (subject_id, scope), windows, as_of=as_of)
    return Curve(
        times=times,
        counts=tuple(float(counted.get(i, 0)) for i in range(steps)),
        low=low,
        high=high,
    )
