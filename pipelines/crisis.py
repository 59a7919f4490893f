"""The report on one incident an hour, two hours and a day after it opened, or whenever asked for.

What is told of the incident's subject and scope since it opened: how much and how fast, in which
stories, which claims, what is asked, what the institution and the relays have said, what was not
heard. As in the digest nothing is written by a machine, and each figure names its query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path

import duckdb

from pipelines import asked, coverage, page, stories
from pipelines.aside import written_aside
from pipelines.brief import Answer, Asked, Claim, IncidentLine, RelayLine, Story
from pipelines.coverage import Coverage
from pipelines.digest import (
    LEAST_AUTHORS,
    MOST_TEXTS,
    Reader,
    answer,
    author_count,
    background,
    known_words,
    messages,
    relays,
)
from pipelines.errors import VigieError
from pipelines.faq import Entry
from pipelines.letter import Letter
from pipelines.outlook import PAST_DAYS, Interval, wilson
from pipelines.said import say
from pipelines.settings import Institution, Settings
from pipelines.wording import words

HORIZONS = {"h1": timedelta(hours=1), "h2": timedelta(hours=2), "d1": timedelta(days=1)}
# How late each may still be made, after a restart for instance: the first until the second is due.
LATE = {"h1": timedelta(hours=1), "h2": timedelta(hours=4), "d1": timedelta(hours=12)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Mentions since the incident opened, of the last hour and of the hour before."""

    mention_count: int
    text_count: int
    last_hour_count: int
    hour_before_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a crisis report says. `horizon` is h1, h2, d1, or None when a person asked."""

    institution: Institution
    incident: IncidentLine
    horizon: str | None
    until: datetime
    pace: Pace
    negative: Interval | None
    undetermined_count: int
    stories: tuple[Story, ...]
    claims: tuple[Claim, ...]
    asked: tuple[Asked, ...]
    own: tuple[Answer, ...]
    relays: tuple[RelayLine, ...]
    coverage: Coverage


def incidents(
    connection: duckdb.DuckDBPyConnection, *, as_of: datetime, name: str | None = None
) -> list[IncidentLine]:
    """The incidents whose id begins with `name`; without one, the critical ones still open."""
    reader = Reader(connection, {"as_of": as_of})
    return [_line(row) for row in reader.rows("crisis_incident", incident_name=name)]


def leading(connection: duckdb.DuckDBPyConnection, *, as_of: datetime) -> list[IncidentLine]:
    """The critical incidents still open that are reported by themselves.

    One that opened later on what an earlier one already covers, the same scope or all of a subject,
    is told in that one's reports: three rules that see one event make one report an hour.
    """
    led: list[IncidentLine] = []
    for each in incidents(connection, as_of=as_of):
        if not any(
            first.subject_id == each.subject_id and first.scope in {"all", each.scope}
            for first in led
        ):
            led.append(each)
    return led


def _line(row: dict[str, object]) -> IncidentLine:
    names = ("incident_id", "rule_id", "subject_id", "subject", "scope", "severity", "opened_at")
    more = ("resolved_at", "acked_at", "is_false", "begun_at")
    return IncidentLine(**{n: row[n] for n in (*names, *more)}, is_outage=False)  # type: ignore[arg-type]


def one(connection: duckdb.DuckDBPyConnection, name: str, *, as_of: datetime) -> IncidentLine:
    """The incident of that id or beginning of an id; VigieError when there is none, or several."""
    found = incidents(connection, as_of=as_of, name=name) if len(name) >= 2 else []
    if len(found) != 1:
        what = say("no incident has") if not found else say("{n} incidents have", n=len(found))
        raise VigieError(
            say(
                "{what} an id that begins with {name!r}: `vigie alerts list` shows them",
                what=what,
                name=name,
            )
        )
    return found[0]


def due(incident: IncidentLine, *, as_of: datetime) -> str | None:
    """The report that is due on an open incident: the latest horizon passed, if not too late."""
    age = as_of - incident.opened_at
    passed = [name for name, span in HORIZONS.items() if span <= age < span + LATE[name]]
    return passed[-1] if passed else None


def build(
    connection: duckdb.DuckDBPyConnection,
    incident: IncidentLine,
    *,
    settings: Settings,
    as_of: datetime,
    horizon: str | None = None,
    faq: Sequence[Entry] = (),
) -> Report:
    """The report on an incident as known at `as_of`; reads, never writes."""
    reader = Reader(connection, _bounds(incident, settings, as_of))
    found, known = stories.bundles(messages(reader)), known_words(settings)
    own = [answer(row) for row in reader.rows("digest_own_posts", before=incident.opened_at)]
    tones = Counter(m.sentiment for bundle in found for m in bundle.messages)
    told = tones["negative"] + tones["neutral"] + tones["positive"]
    hashes = [m.text_hash for bundle in found for m in bundle.messages]
    is_shown = told >= stories.LEAST_TONE and author_count(reader, hashes) >= LEAST_AUTHORS
    return Report(
        institution=settings.institution,
        incident=incident,
        horizon=horizon,
        until=as_of,
        pace=Pace(**reader.rows("crisis_pace")[0]),
        negative=wilson(tones["negative"], told) if is_shown else None,
        undetermined_count=tones["undetermined"],
        stories=_stories(reader, found, known),
        claims=stories.claims(found, own),
        asked=asked.asked(found, known=known, faq=faq),
        own=tuple(own[:3]),
        relays=relays(reader, settings),
        coverage=coverage.between(
            connection,
            since=begun(incident),
            until=as_of,
            as_of=as_of,
            zone=settings.institution.zone,
        ),
    )


def begun(incident: IncidentLine) -> datetime:
    """From when on a report counts: what opened the incident was said before it was open."""
    return incident.begun_at or incident.opened_at


def _bounds(incident: IncidentLine, settings: Settings, as_of: datetime) -> dict[str, object]:
    zone = settings.institution.zone
    opened_on = incident.opened_at.astimezone(zone).date()
    midnight = datetime.combine(opened_on - timedelta(days=PAST_DAYS), time.min, tzinfo=zone)
    return {
        "since": begun(incident),
        "opened": begun(incident),
        "until": as_of,
        "before": midnight,
        "as_of": as_of,
        "zone": settings.institution.time_zone,
        "most": MOST_TEXTS,
        "subject_id": incident.subject_id,
        "scope": incident.scope,
    }


def _stories(
    reader: Reader, found: Sequence[stories.Bundle], known: Collection[str]
) -> tuple[Story, ...]:
    """The stories; a tone of fewer than ten authors is not published."""
    return tuple(
        each
        if author_count(reader, each.text_hashes) >= LEAST_AUTHORS
        else replace(each, negative=None)
        for each in stories.stories(found, background(reader), known=known)
    )


def render(report: Report, *, locale: str) -> Letter:
    """The report as a letter in `locale`: subject, plain text, HTML; no pictures."""
    spoken = words(locale, report.institution.zone)
    return page.crisis_letter(report, spoken)


def kept(home: Path, incident: IncidentLine, settings: Settings, *, name: str) -> Path:
    """Where a report is kept: `digests/<day>.crisis-<incident>-<name>.<locale>.html`.

    The day is that on which the incident opened, `name` a horizon or a moment.
    """
    who = settings.institution
    day = incident.opened_at.astimezone(who.zone).date()
    short = "".join(c for c in incident.incident_id if c.isalnum())[:8]
    return home / "digests" / f"{day.isoformat()}.crisis-{short}-{name}.{who.locale}.html"


def save(path: Path, letter: Letter) -> Path:
    """Write a report's page; written aside and renamed."""
    with written_aside(path) as aside:
        aside.write_text(letter.html, encoding="utf-8")
    return path
