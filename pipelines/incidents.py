"""What an incident is and how it changes: pure functions of the last state, an alert, a moment.

    ok        seen once or twice, never confirmed: forgotten but for its events
    pending   above the threshold, not yet for long enough
    firing    confirmed
    cooling   below the level of leaving, for less than an hour
    resolved  below for an hour; a new rise within six hours joins the same incident

Beside its state an incident has marks: acked, silenced, planned, inhibited, no_data, warming_up.
Severity is an attribute; during an incident it only rises. The same moment again changes
nothing, and a moment before the last one seen changes nothing either.

Whom to tell is `tell`: a pure function of what was told last, the incident, what stands around it
and the moment. Its reasons are in docs/alerts.md; a test holds the two together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pipelines.alert import ENTER, LEAVE, Alert, Severity
from pipelines.explanation import Shown
from pipelines.holidays import is_holiday
from pipelines.settings import QUIET_FROM, QUIET_UNTIL

State = Literal["ok", "pending", "firing", "cooling", "resolved"]
Mark = Literal["acked", "silenced", "planned", "inhibited", "no_data", "warming_up"]
Kind = Literal["firing", "update", "resolved", "night", "unstable", "inhibited", "silenced"]
To = Literal["readers", "missed", "second", "head", "second_and_head"]

FOR = {"warning": timedelta(minutes=10), "critical": timedelta(0)}
COOLING = timedelta(minutes=60)
JOIN = timedelta(hours=6)
REPEAT = {"warning": timedelta(hours=12), "critical": timedelta(hours=4)}
TIMES_LAST_TOLD = 2.0
OPENINGS_A_DAY = 4  # more is flapping
CALM = timedelta(hours=12)  # after which what was flapping begins anew
UNTOLD = timedelta(days=3)  # for which an end that nobody was told of may still be
GROUP_WAIT = {"warning": timedelta(minutes=2), "critical": timedelta(seconds=30)}
GROUP_INTERVAL = timedelta(minutes=15)
ESCALATION = (timedelta(minutes=15), timedelta(minutes=30))  # to the second, to the head
MAILS_AN_HOUR = {"warning": 6, "critical": 12}  # to one person; what is more waits
RANK = {"warning": 1, "critical": 2}
# What another critical alert of the subject, which people know of, tells well enough by itself.
_BESIDE = {
    "critical": ("first", "severity_up", "back_again"),
    "warning": ("volume_doubled", "repeat"),
}
_RIDES = ("unchanged", "acked", "told_beside", "others_open", "group_interval")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The last letter about an incident, or why none was needed (`inhibited`, `silenced`).

    `thread` is the key of the letter that opened its conversation. `missed` are the addresses that
    had had too many mails to get this one.
    """

    at: datetime
    kind: Kind
    severity: Severity
    peak: float  # the highest rate until then, in the rule's unit a minute
    sequence: int
    thread: str | None = None
    missed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Since when somebody should have taken a critical incident in hand; escalations so far."""

    since: datetime
    step_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A rule that fired for a subject and scope.

    `alert` is what the rule last said above the level of leaving, `last_fired_at` when, and
    `evaluated_at` when it was last asked. `peak` is what it said at the highest rate. `shown` is
    why the messages of its first and last letters had their tone, as it was told then.
    `firing_at` is when it last began to fire, `blind_at` when its sources were last not read;
    `late_at` the end of the past window that it is about, where it was heard too late.
    """

    incident_id: str
    fingerprint: str
    severity: Severity
    state: State
    opened_at: datetime
    last_fired_at: datetime
    evaluated_at: datetime
    resolved_at: datetime | None
    alert: Alert
    peak: Alert
    told: Told | None = None
    shown: tuple[Shown, ...] = ()
    opening_count: int = 0  # how often it began to fire in the last 24 hours
    firing_at: datetime | None = None
    blind_at: datetime | None = None
    late_at: datetime | None = None
    acked_at: datetime | None = None
    acked_by: str | None = None
    alarm: Alarm | None = None
    marks: tuple[Mark, ...] = ()

    @property
    def window_ends_at(self) -> datetime:
        """Where the window ends that `alert` speaks of."""
        return self.late_at or self.last_fired_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether to tell of an incident now, why, and whom: its readers, or some beside them."""

    reason: str
    is_sent: bool
    to: To = "readers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What stands around an incident when it is decided whether to tell of it.

    `since_last` is how long ago the rules were run before; `group_told_at` when the same readers
    last had a letter of that severity. `is_inhibited`: a greater incident tells it, or its source
    is late; `is_flooded`: every reader has had too many mails in an hour; `is_missed_free`: one
    who had, has no more. `is_leaving`: a letter about something new goes to the same readers now,
    and what is new as well goes with it. Within `joins` of a letter twice as much is no news.
    `is_spoken_for`: people know of a critical alert of its subject, open and no lesser danger;
    `is_new_danger`: it tells of one that no letter told; `is_others_open`: others of its subject,
    as grave, go on.
    """

    since_last: timedelta = timedelta(minutes=5)
    group_told_at: Mapping[str, datetime] = field(default_factory=dict)
    is_inhibited: bool = False
    is_silenced: bool = False
    is_planned: bool = False
    is_flooded: bool = False
    is_missed_free: bool = False
    is_leaving: bool = False
    is_spoken_for: bool = False
    is_new_danger: bool = False
    is_others_open: bool = False
    joins: timedelta = timedelta(0)
    has_second: bool = True
    has_head: bool = True


def step(
    last: Incident | None,
    alert: Alert | None,
    *,
    fingerprint: str,
    as_of: datetime,
    since_last: timedelta,
    is_blind: bool = False,
) -> Incident | None:
    """The incident after an evaluation at `as_of`; None where there is none.

    `alert` is what the rule says now, None when it says nothing. `since_last` is how long ago the
    rules were last run: where that is longer than a warning has to last, it need not last.
    `is_blind`: what is said is not being read, so that silence is no calm and ends nothing.
    """
    if last is not None and (as_of < last.evaluated_at or _is_just_opened_late(last, as_of)):
        return last
    level = alert.level if alert else 0.0
    if last is None or is_over(last, as_of):
        return _opened(alert, fingerprint, as_of, since_last) if alert and level >= ENTER else last
    seen = _seen(last, alert, as_of) if alert and level >= LEAVE else last
    seen = replace(seen, evaluated_at=as_of)
    if is_blind and level < LEAVE and seen.state in ("firing", "cooling"):
        return replace(seen, blind_at=as_of)
    state, resolved_at = _next(seen, level, as_of, since_last)
    return replace(seen, state=state, resolved_at=resolved_at)


def _is_just_opened_late(last: Incident, as_of: datetime) -> bool:
    """Whether this moment opened it, of a past window: what the rules say now is not about it."""
    return last.late_at is not None and last.opened_at == as_of


def is_over(last: Incident, as_of: datetime) -> bool:
    """Whether what comes now begins a new incident, and does not join this one."""
    if last.state == "resolved" and last.resolved_at is not None:
        if last.told is not None and last.told.kind == "unstable":
            return as_of - last.last_fired_at > CALM
        return as_of - last.resolved_at > JOIN
    return last.state == "ok"


def is_settled(incident: Incident, as_of: datetime, *, zone: ZoneInfo) -> bool:
    """Whether it is over and nobody is to hear of it again, unless it comes back.

    No longer than an evaluation reads it (`sql/writes/incident_open.sql`): then an older one of the
    same trouble, whose end was not told, is read again.
    """
    if incident.state != "resolved" or incident.resolved_at is None:
        return False
    if incident.told is None:
        is_read = as_of - incident.resolved_at <= UNTOLD
        return is_read and not _is_told_later(incident, zone)
    is_read = as_of - incident.resolved_at <= CALM
    return is_read and incident.told.kind not in ("firing", "update")


def _opened(alert: Alert, fingerprint: str, as_of: datetime, since_last: timedelta) -> Incident:
    name = f"{fingerprint} {as_of.isoformat()}"
    is_confirmed = since_last >= FOR[alert.severity]
    return Incident(
        incident_id=hashlib.sha256(name.encode()).hexdigest()[:16],
        fingerprint=fingerprint,
        severity=alert.severity,
        state="firing" if is_confirmed else "pending",
        opened_at=as_of,
        last_fired_at=as_of,
        evaluated_at=as_of,
        resolved_at=None,
        alert=alert,
        peak=alert,
    )


def opened_late(alert: Alert, *, fingerprint: str, as_of: datetime, late_at: datetime) -> Incident:
    """The incident of a window that ended at `late_at` and fires by what was heard since.

    Its course begins at `as_of`, when people can hear of it.
    """
    made = _opened(alert, fingerprint, as_of, max(FOR.values()))
    return replace(made, late_at=late_at)


def _seen(last: Incident, alert: Alert, as_of: datetime) -> Incident:
    if last.state == "resolved" and alert.level < ENTER:
        return last
    return replace(
        last,
        severity=max(last.severity, alert.severity, key=RANK.__getitem__),
        last_fired_at=as_of,
        alert=alert,
        late_at=None,
        peak=max(last.peak, alert, key=rate),
    )


def rate(alert: Alert) -> float:
    """How much a minute: windows of different lengths compare only so."""
    return alert.observed / max(alert.window_minutes, 1)


def _next(
    seen: Incident, level: float, as_of: datetime, since_last: timedelta
) -> tuple[State, datetime | None]:
    """The state after this evaluation, and since when the incident is resolved."""
    if seen.state == "pending":
        return _after_pending(seen, level, as_of, since_last), None
    if level >= ENTER:
        return "firing", None
    if seen.state == "resolved" or level >= LEAVE:
        return seen.state, seen.resolved_at
    if as_of - max(seen.last_fired_at, seen.blind_at or seen.last_fired_at) >= COOLING:
        return "resolved", as_of
    return "cooling", None


def _after_pending(seen: Incident, level: float, as_of: datetime, since_last: timedelta) -> State:
    if level < ENTER:
        return "ok"
    lasted = max(as_of - seen.opened_at, since_last)
    return "firing" if lasted >= FOR[seen.severity] else "pending"


def tell(
    last: Told | None,
    incident: Incident,
    as_of: datetime,
    *,
    zone: ZoneInfo,
    around: Around = Around(),
) -> Decision:
    """Whether and whom to tell of an incident at `as_of`, and the reason by its name.

    The quiet hours are those of `zone`. The same arguments always give the same answer.
    """
    if incident.state in ("ok", "pending"):
        return _no("not_confirmed")
    if around.is_silenced:
        return _no("silenced")
    if around.is_planned:
        return _no("planned_event")
    if around.is_inhibited and incident.state != "resolved":
        return _no("inhibited")
    if incident.severity == "warning" and is_quiet(as_of, zone):
        return _no("quiet_hours")
    if incident.state == "resolved":
        end = _tell_the_end(last, incident, as_of, zone, around)
        return _held(end, incident, as_of, around)
    if to := _escalation(incident, as_of, around):
        return Decision(reason="escalation", is_sent=True, to=to)
    course = _tell_the_course(last, incident, as_of, around)
    if around.is_spoken_for and course.reason in _BESIDE[incident.severity]:
        return _no("told_beside")
    return _held(course, incident, as_of, around)


def _no(reason: str) -> Decision:
    return Decision(reason=reason, is_sent=False)


def _yes(reason: str) -> Decision:
    return Decision(reason=reason, is_sent=True)


def _tell_the_end(
    last: Told | None, incident: Incident, as_of: datetime, zone: ZoneInfo, around: Around
) -> Decision:
    if last is None and around.is_spoken_for:
        return _no("told_beside")
    if last is None:
        is_held = _is_told_later(incident, zone)
        return _yes("held_for_morning") if is_held else _no("over_untold")
    if last.kind not in ("firing", "update"):
        return _no(f"already_{last.kind}")
    is_joined = as_of - (incident.resolved_at or as_of) < JOIN
    return _no("others_open") if around.is_others_open and is_joined else _yes("resolved")


def _is_told_later(incident: Incident, zone: ZoneInfo) -> bool:
    """Whether an incident that was over before anybody heard of it is told all the same."""
    ends = (incident.firing_at or incident.opened_at, incident.resolved_at)
    was_quiet = any(at and is_quiet(at, zone) for at in ends)
    return was_quiet or incident.severity == "critical"


def _tell_the_course(
    last: Told | None, incident: Incident, as_of: datetime, around: Around
) -> Decision:
    if last is not None and last.kind == "unstable":
        return _tell_the_unstable(last, incident)
    if incident.opening_count > OPENINGS_A_DAY:
        return _yes("unstable")
    if last is None or last.kind in ("inhibited", "silenced"):
        return _yes("first")
    if incident.state == "cooling":
        return _no("cooling")
    if last.kind in ("resolved", "night"):
        return _yes("back_again")
    return _tell_the_news(last, incident, as_of, around)


def _tell_the_unstable(last: Told, incident: Incident) -> Decision:
    """The digest only, until it has been calm; but for what is graver, or no longer flaps."""
    if RANK[incident.severity] > RANK[last.severity]:
        return _yes("severity_up")
    if incident.state == "firing" and incident.opening_count == 0:
        return _yes("repeat")  # it has fired for a day without a break
    return _no("still_unstable")


def _tell_the_news(last: Told, incident: Incident, as_of: datetime, around: Around) -> Decision:
    if RANK[incident.severity] > RANK[last.severity]:
        return _yes("severity_up")
    is_doubled = rate(incident.peak) >= TIMES_LAST_TOLD * last.peak
    if is_doubled and as_of - last.at >= around.joins:
        return _yes("volume_doubled")
    if around.is_missed_free:
        return Decision(reason="rest", is_sent=True, to="missed")
    if as_of - last.at < REPEAT[incident.severity]:
        return _no("unchanged")
    return _no("acked") if incident.acked_at else _yes("repeat")


def _escalation(incident: Incident, as_of: datetime, around: Around) -> To | None:
    """Who has to hear that nobody has taken a critical incident in hand; None when nobody has."""
    alarm = incident.alarm
    if alarm is None or incident.acked_at is not None:
        return None
    due = sum(as_of - alarm.since >= wait for wait in ESCALATION)
    is_second = around.has_second and alarm.step_count < 1 <= due
    is_head = around.has_head and alarm.step_count < 2 <= due
    if is_second and is_head:
        return "second_and_head"
    return "second" if is_second else "head" if is_head else None


def _held(decision: Decision, incident: Incident, as_of: datetime, around: Around) -> Decision:
    """The decision, or why a letter that is due waits to be one with others."""
    if not decision.is_sent or decision.to != "readers":
        return decision
    if around.is_flooded:
        return _no("rate_limit")
    if around.is_leaving and decision.reason == "first":
        return decision
    wait = GROUP_WAIT[incident.severity]
    waited = max(as_of - (incident.firing_at or incident.opened_at), around.since_last)
    if decision.reason == "first" and waited < wait:
        return _no("group_wait")
    if around.is_new_danger and decision.reason in ("first", "severity_up"):
        return decision
    graver = ("critical",) if incident.severity == "critical" else ("critical", "warning")
    times = [around.group_told_at[each] for each in graver if each in around.group_told_at]
    if times and as_of - max(times) < GROUP_INTERVAL:
        return _no("group_interval")
    return decision


def beside(decision: Decision, incident: Incident) -> Decision:
    """What becomes of a decision where a letter about something as grave leaves in its thread."""
    if decision.reason not in _RIDES:
        return decision
    return _yes("resolved") if incident.state == "resolved" else _yes("along")


def is_quiet(at: datetime, zone: ZoneInfo) -> bool:
    """Whether warnings wait now: 22:00 to 07:00 by the institution's clock, and on holidays."""
    local = at.astimezone(zone)
    is_night = local.time() >= QUIET_FROM or local.time() < QUIET_UNTIL
    return is_night or is_holiday(local.date())
