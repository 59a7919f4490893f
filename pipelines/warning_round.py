"""The round of the warnings: one letter at 08:00 and at 18:00 on where all of them stand.

A warning escalates to nobody, and some are never mailed (they flap, another tells them, a reader
has had too many). The round tells whoever gets alerts of every warning that is open, or over since
the round before; nothing where there is none. What a reader has had a mail about in the two hours
before, and has not changed since, is counted and not told again: the warnings of the night are
mailed to who is on call at 07:00. None is made in the quiet hours and on holidays, when warnings
wait; the next one covers the time.

Each is made once: the row that says so stands in the transaction of its letters.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pipelines import alert_letter, evidence, oncall, rules, warehouse
from pipelines.incident_rows import Kept
from pipelines.incidents import is_quiet
from pipelines.letter import Letter
from pipelines.outbox import enqueue
from pipelines.settings import Recipient, Settings
from pipelines.warehouse import Connection
from pipelines.wording import Words, plain

log = logging.getLogger(__name__)

LATEST = timedelta(hours=6)  # where nothing ran at the time, it is made so much later at most
FRESH = timedelta(hours=2)  # what a mail told since then is not told again
MOST_LISTED = 60  # in a letter; the rest is counted
_FIRST_LOOK = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """One warning, open or over, as a round finds it; `changed_at`: when it last began or ended."""

    incident_id: str
    kept: Kept
    opened_at: datetime
    resolved_at: datetime | None
    changed_at: datetime
    acked_by: str | None

    @property
    def tells(self) -> str:
        """Whom its rule tells."""
        return rules.read(self.kept.alert.rule_id).tells

    @property
    def is_held(self) -> bool:
        """Whether a person or an event of the calendar keeps it quiet."""
        return bool({"silenced", "planned"} & {*self.kept.marks})


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader gets: the warnings listed, and how many are only counted, and why."""

    listed: tuple[Warned, ...]
    told_count: int
    held_count: int


def record(connection: Connection, *, settings: Settings, as_of: datetime) -> int:
    """Make the round that is due at `as_of`, if one is; how many rows of the outbox are new."""
    last = connection.execute("select max(slot_at), max(made_at) from warning_round").fetchone()
    last_slot, last_made = (each.astimezone(UTC) if each else None for each in last or (None, None))
    slot = due(settings, as_of=as_of)
    if slot is None or (last_slot and slot <= last_slot):
        return 0
    with warehouse.transaction(connection):
        found = warnings(connection, since=last_made or as_of - _FIRST_LOOK, as_of=as_of)
        heard = evidence.lately(connection, as_of=as_of, zone=settings.institution.zone)
        coverage = alert_letter.coverage_lines(heard, settings)
        count = _send(connection, found, coverage, settings=settings, slot=slot, as_of=as_of)
        made = {"slot_at": slot, "as_of": as_of, "letter_count": count}
        warehouse.run(connection, "writes/round_add", made | {"warning_count": len(found)})
    log.info("warnings.round slot=%s warnings=%d letters=%d", slot.isoformat(), len(found), count)
    return count


def due(settings: Settings, *, as_of: datetime) -> datetime | None:
    """The last time of a round up to `as_of` (aware UTC), not more than six hours ago; None where
    there is none, or it falls on a holiday."""
    zone = settings.institution.zone
    today = as_of.astimezone(zone).date()
    every = (
        datetime.combine(day, at, zone).astimezone(UTC)
        for day in (today - timedelta(days=1), today)
        for at in settings.alerts.warnings_at
    )
    found = [at for at in every if as_of - LATEST < at <= as_of and not is_quiet(at, zone)]
    return max(found, default=None)


def warnings(connection: Connection, *, since: datetime, as_of: datetime) -> tuple[Warned, ...]:
    """The warnings that are open at `as_of`, then those over since `since`; none of a rule that is
    gone."""
    found = warehouse.run(connection, "writes/round_warnings", {"since": since, "as_of": as_of})
    names = [column[0] for column in found.description or ()]
    rows = (_warned(dict(zip(names, row, strict=True))) for row in found.fetchall())
    return tuple(row for row in rows if row and rules.is_known(row.kept.alert.rule_id))


def _warned(row: Mapping[str, Any]) -> Warned | None:
    try:
        kept = msgspec.json.decode(row["evidence"], type=Kept)
    except msgspec.MsgspecError:
        return None  # of another version; `notify` ends it, and tells
    opened: datetime = row["opened_at"].astimezone(UTC)
    resolved: datetime | None = row["resolved_at"] and row["resolved_at"].astimezone(UTC)
    return Warned(
        incident_id=row["incident_id"],
        kept=kept,
        opened_at=opened,
        resolved_at=resolved,
        changed_at=resolved or kept.firing_at or opened,
        acked_by=row["acked_by"],
    )


def _send(
    connection: Connection,
    found: Sequence[Warned],
    coverage: Sequence[str],
    *,
    settings: Settings,
    slot: datetime,
    as_of: datetime,
) -> int:
    """One letter for all who are to read the same."""
    told = _told(connection, as_of)
    groups: dict[Reading, list[Recipient]] = {}
    for reader, tells in _readers(settings).items():
        reading = read_by(reader.email, [w for w in found if w.tells in tells], told)
        groups.setdefault(reading, []).append(reader)
    return sum(
        enqueue(
            connection,
            letter(reading, coverage, settings=settings, slot=slot, as_of=as_of),
            kind="warnings",
            key=f"warnings {slot.isoformat()}",
            settings=settings,
            recipients=readers,
            as_of=as_of,
            reason="round",
        )
        for reading, readers in groups.items()
        if reading.listed
    )


def _readers(settings: Settings) -> dict[Recipient, set[str]]:
    """Who reads the round, and of which rules: those that tell who is on call, or operators."""
    watchers = oncall.watchers(settings)
    found: dict[Recipient, set[str]] = {}
    for people, tells in (
        (watchers, "on_call"),
        (oncall.operators(settings) or watchers, "operators"),
    ):
        for reader in people:
            found.setdefault(reader, set()).add(tells)
    return found


def _told(connection: Connection, as_of: datetime) -> dict[tuple[str, str], datetime]:
    asked = {"since": as_of - FRESH, "as_of": as_of}
    rows = warehouse.run(connection, "writes/round_told", asked).fetchall()
    return {(incident_id, reader): at.astimezone(UTC) for incident_id, reader, at in rows}


def read_by(
    email: str, found: Iterable[Warned], told: Mapping[tuple[str, str], datetime]
) -> Reading:
    """What somebody reads of the warnings, by what mails have told them of lately, and when."""
    listed, told_count, held_count = [], 0, 0
    for each in found:
        at = told.get((each.incident_id, email))
        if each.is_held:
            held_count += 1
        elif at is not None and at >= each.changed_at:
            told_count += 1
        else:
            listed.append(each)
    return Reading(tuple(listed), told_count, held_count)


def letter(
    reading: Reading,
    coverage: Sequence[str],
    *,
    settings: Settings,
    slot: datetime,
    as_of: datetime,
) -> Letter:
    """The letter about some warnings, and what was heard while they went on, in the institution's
    language; it goes by mail alone."""
    who = settings.institution
    spoken = alert_letter.spoken(who.zone, who.locale)
    over = [each for each in reading.listed if each.resolved_at]
    still = [each for each in reading.listed if not each.resolved_at]
    subject = spoken.say(
        "round.subject",
        time=spoken.time(slot),
        counts=_counts(len(still), len(over), spoken),
        institution=plain(who.name),
    )
    parts = [("open", still[:MOST_LISTED]), ("over", over[: max(MOST_LISTED - len(still), 0)])]
    values = {
        "w": spoken,
        "institution": plain(who.name),
        "title": spoken.say("round.title", moment=spoken.moment(as_of)),
        "parts": [
            (spoken.text(f"round.{name}"), [_line(each, settings, spoken) for each in some])
            for name, some in parts
            if some
        ],
        "rest": _rest(reading, spoken, as_of),
        "coverage": coverage,
    }
    text, html = alert_letter.filled("round", values)
    return Letter(subject=subject, text=text, html=html)


def _counts(still: int, over: int, spoken: Words) -> str:
    """How many are open and how many are over, of those that there are."""
    parts = ((still, "open_warnings"), (over, "over_warnings"))
    return ", ".join(spoken.count(noun, n) for n, noun in parts if n)


def _rest(reading: Reading, spoken: Words, as_of: datetime) -> list[str]:
    """What is counted and not listed, a line each."""
    counts = {
        "more": len(reading.listed) - MOST_LISTED,
        "told": reading.told_count,
        "held": reading.held_count,
    }
    time = spoken.time(as_of - FRESH)
    return [
        spoken.say(f"round.{name}", warnings=spoken.count("warnings", n), time=time)
        for name, n in counts.items()
        if n > 0
    ]


def _line(each: Warned, settings: Settings, spoken: Words) -> dict[str, str]:
    alert = each.kept.peak if each.resolved_at else each.kept.alert
    moments = {"opened": spoken.moment(each.opened_at)}
    if each.resolved_at:
        when = spoken.say("round.ended", **moments, resolved=spoken.moment(each.resolved_at))
    else:
        when = spoken.say("round.since", moment=moments["opened"])
    return {
        "where": alert_letter.about(alert.subject_id, alert.scope, settings, spoken),
        "label": alert_letter.label_of(alert, spoken),
        "headline": alert_letter.headline(alert, spoken),
        "when": when,
        "note": _note(each, spoken),
        "id": each.incident_id,
    }


def _note(each: Warned, spoken: Words) -> str:
    """Who has it in hand, or why no mail of its own told it; empty where neither is so."""
    told = each.kept.told
    if each.acked_by:
        return spoken.say("round.acked", who=plain(each.acked_by))
    if "inhibited" in each.kept.marks:
        return spoken.text("round.inhibited")
    if told is not None and told.kind == "unstable":
        return spoken.text("round.unstable")
    return "" if told is not None and told.sequence else spoken.text("round.unmailed")
