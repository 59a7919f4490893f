"""Replays a rule set over stored mentions, by the evaluator that a run uses.

Every step asks `detect.detect` at its moment and hands what it says to `notify.record`, which
writes incidents and letters into the copy (`backtest_copy`): the clock is that of the replay, and
what would have been sent is read from the outbox. Nobody acknowledges or silences anything here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pipelines import backtest_copy, detect, notify, warehouse
from pipelines.alert import ENTER, Alert
from pipelines.backtest_copy import Copy
from pipelines.backtest_pulse import Pulse
from pipelines.incidents import Incident, is_settled
from pipelines.warehouse import Connection

STEP = timedelta(minutes=5)
Moved = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A message that an incident rests on, as the store holds it: what people wrote, masked."""

    text: str
    url: str | None
    network: str
    published_at: datetime
    copy_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """An incident of a replay: `alert` is what its rule said at the highest rate.

    `severity` is the highest it had; `ended_at` None: still open when the replay ended.
    """

    incident_id: str
    rule_id: str
    subject_id: str | None
    scope: str
    severity: str
    fired_at: datetime
    ended_at: datetime | None
    first_mail_at: datetime | None
    alert: Alert
    mail_count: int
    messages: tuple[Quoted, ...]

    @property
    def about(self) -> tuple[str, str | None, str]:
        """What makes two incidents of different rule sets the same trouble."""
        return self.rule_id, self.subject_id, self.scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A message that would have been sent: when, why, to whom."""

    at: datetime
    kind: str
    reason: str
    channel: str
    recipient: str
    incident_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a rule set made of a span: `asked` of `steps` moments needed the rules."""

    since: datetime
    until: datetime
    openings: tuple[Opening, ...]
    mails: tuple[Mail, ...]
    steps: int
    asked: int

    @property
    def days(self) -> float:
        """How long was watched."""
        return (self.until - self.since) / timedelta(days=1)


def moments(since: datetime, until: datetime, step: timedelta) -> list[datetime]:
    """The moments of a replay: multiples of `step` from `since` to `until`, both included."""
    first = -(-int(since.timestamp()) // int(step.total_seconds()))
    last = int(until.timestamp()) // int(step.total_seconds())
    zero = datetime(1970, 1, 1, tzinfo=UTC)
    return [zero + step * number for number in range(first, last + 1)]


def replay(
    copy: Copy,
    texts: Mapping[str, str],
    *,
    since: datetime,
    until: datetime,
    step: timedelta = STEP,
    moved: Moved = lambda _done, _total: None,
    skips: bool = True,
) -> Replayed:
    """What the rules `texts` would have told from `since` to `until`.

    `skips`: moments at which no rule can enter are passed over while nothing is open.
    """
    backtest_copy.emptied(copy.connection, since=since)
    times = moments(since, until, step)
    with warehouse.trying(texts):
        desk = _Desk(copy, texts, step=step, skips=skips)
        for done, at in enumerate(times):
            moved(done, len(times))
            desk.judge(at)
    moved(len(times), len(times))
    return Replayed(
        since=since,
        until=until,
        openings=tuple(_openings(copy.connection, since)),
        mails=tuple(_mails(copy.connection)),
        steps=len(times),
        asked=desk.asked,
    )


class _Desk:
    """Asks the rules and records what they say, moment by moment.

    Of a trouble that has no open incident, a level below that of entering is passed over by
    `incidents.step`: a rule that cannot enter, and has none, need not be asked. Where nothing
    enters and what has ended is settled, there is nothing to record either.
    """

    def __init__(
        self, copy: Copy, texts: Mapping[str, str], *, step: timedelta, skips: bool
    ) -> None:
        self.copy, self.step = copy, step
        self.zone = copy.settings.institution.zone
        pulse = Pulse(copy.connection, texts, step=step, zone=self.zone)
        self.pulse = pulse if skips else None
        self.incidents: list[Incident] = []
        self.asked = 0

    def judge(self, at: datetime) -> None:
        """Go on to `at`."""
        alerts = self._alerts(at)
        if self._is_settled(at) and not any(alert.level >= ENTER for alert in alerts):
            return
        _begun(self.copy.connection, at - self.step)
        found = notify.record(
            self.copy.connection, alerts, settings=self.copy.settings, as_of=at, draws=False
        )
        before, self.incidents = self.incidents, [i for i in found.incidents if i.state != "ok"]
        if self.pulse is not None and _are_teaching((*before, *self.incidents)):
            self.pulse.forget()

    def _is_settled(self, at: datetime) -> bool:
        """Whether time alone changes nothing: nobody waits for a letter, nothing is to end.

        A record costs 20 ms; without this, every moment of the half day after an incident.
        """
        if self.pulse is None:
            return not self.incidents
        return all(is_settled(incident, at, zone=self.zone) for incident in self.incidents)

    def _alerts(self, at: datetime) -> list[Alert]:
        names = self._due(at)
        if names is not None and not names:
            return []
        self.asked += 1
        return detect.detect(
            self.copy.connection,
            settings=self.copy.settings,
            as_of=at,
            keeps=self.pulse is not None,
            names=names,
        )

    def _due(self, at: datetime) -> frozenset[str] | None:
        """The rules to ask, those that may enter and those of which something is open; None: all.

        A third less than to ask all, where half of the moments asked have something open.
        """
        if self.pulse is None:
            return None
        is_open = frozenset(i.alert.rule_id for i in self.incidents if i.state != "resolved")
        return is_open | self.pulse.due_whatever(at) if is_open else self.pulse.due(at)


def _are_teaching(incidents: Iterable[Incident]) -> bool:
    """Whether hours of an incident leave the baselines: those of one that was confirmed."""
    return any(incident.state in ("firing", "cooling") for incident in incidents)


_CLOCK = "replay"


def _begun(connection: Connection, at: datetime) -> None:
    """Note that rules were run at `at`: how long a warning has lasted is told from it."""
    connection.execute("delete from intake where run_id = $clock", {"clock": _CLOCK})
    connection.execute(
        "insert into intake by name select $clock as run_id, '' as source_name, '' as source,"
        " $at as until_at, 'clock' as status,"
        " 0 as payload_count, 0 as post_count, 0 as accepted_count, 0 as rejected_count,"
        " 0 as off_subject_count, 0 as duplicate_count, 0 as deleted_count, false as is_capped,"
        " $at as finished_at",
        {"clock": _CLOCK, "at": at},
    )


class _Kept(msgspec.Struct):
    """What is read of an incident's evidence (`notify.Kept`)."""

    peak: Alert


def _rows(connection: Connection, name: str, **given: Any) -> list[dict[str, Any]]:
    found = warehouse.run(connection, f"queries/{name}", given)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _openings(connection: Connection, since: datetime) -> Iterator[Opening]:
    for row in _rows(connection, "replay_openings", since=since):
        peak = msgspec.json.decode(row["evidence"], type=_Kept).peak
        shown = row["message_ids"]
        listed = json.loads(shown) if shown else [{"mention_id": i} for i in peak.message_ids]
        yield Opening(
            incident_id=row["incident_id"],
            rule_id=row["rule_id"],
            subject_id=row["subject_id"],
            scope=row["scope"],
            severity=row["severity"],
            fired_at=row["fired_at"].astimezone(UTC),
            ended_at=row["resolved_at"] and row["resolved_at"].astimezone(UTC),
            first_mail_at=row["first_mail_at"] and row["first_mail_at"].astimezone(UTC),
            alert=peak,
            mail_count=row["mail_count"],
            messages=_quoted(connection, listed),
        )


def _quoted(connection: Connection, listed: list[dict[str, Any]]) -> tuple[Quoted, ...]:
    copies = {each["mention_id"]: each.get("copy_count", 1) for each in listed}
    rows = {
        row["mention_id"]: row for row in _rows(connection, "replay_messages", keys=list(copies))
    }
    return tuple(
        Quoted(
            text=rows[key]["text"],
            url=rows[key]["url"],
            network=rows[key]["network"],
            published_at=rows[key]["published_at"].astimezone(UTC),
            copy_count=count,
        )
        for key, count in copies.items()
        if key in rows
    )


def _mails(connection: Connection) -> Iterator[Mail]:
    for row in _rows(connection, "replay_mails"):
        yield Mail(at=row.pop("told_at").astimezone(UTC), **row)


def by_reader(mails: Sequence[Mail]) -> dict[tuple[str, str], int]:
    """How many mails each reader would have had, by kind."""
    found: dict[tuple[str, str], int] = {}
    for mail in mails:
        key = (mail.recipient, mail.kind)
        found[key] = found.get(key, 0) + 1
    return dict(sorted(found.items()))
