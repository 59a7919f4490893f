"""What an incident is and how it changes: pure functions of the last state, an alert, a moment.

    ok        seen once or twice, never confirmed: forgotten but for its events
    pending   above the threshold, not yet for long enough
    firing    confirmed
    cooling   below the level of leaving, for less than an hour
    resolved  below for an hour; a new rise within six hours joins the same incident

Severity is an attribute; during an incident it only rises. The same moment again changes
nothing, and a moment before the last one seen changes nothing either.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pipelines.alert import ENTER, LEAVE, Alert, Severity
from pipelines.explanation import Shown
from pipelines.holidays import is_holiday

State = Literal["ok", "pending", "firing", "cooling", "resolved"]
Kind = Literal["firing", "update", "resolved", "night", "unstable", "inhibited"]

FOR = {"warning": timedelta(minutes=10), "critical": timedelta(0)}
COOLING = timedelta(minutes=60)
JOIN = timedelta(hours=6)
REPEAT = {"warning": timedelta(hours=12), "critical": timedelta(hours=4)}
TIMES_LAST_TOLD = 2.0
QUIET = (time(22), time(7))  # local; warnings wait for the morning
OPENINGS_A_DAY = 4  # more is flapping
MAILS_AN_HOUR = {"warning": 6, "critical": 12}  # to one person; what is more waits
RANK = {"warning": 1, "critical": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The last letter about an incident, or the reason why none was needed (`inhibited`)."""

    at: datetime
    kind: Kind
    severity: Severity
    peak: float  # the highest rate until then, in the rule's unit a minute
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A rule that fired for a subject and scope.

    `alert` is what the rule last said above the level of leaving, `last_fired_at` when, and
    `evaluated_at` when it was last asked. `peak` is what it said at the highest rate. `shown` is
    why the messages of its first and last letters had their tone, as it was told then.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether to tell of an incident now, and why."""

    reason: str
    is_sent: bool


def step(
    last: Incident | None,
    alert: Alert | None,
    *,
    fingerprint: str,
    as_of: datetime,
    since_last: timedelta,
) -> Incident | None:
    """The incident after an evaluation at `as_of`; None where there is none.

    `alert` is what the rule says now, None when it says nothing. `since_last` is how long ago the
    rules were last run: where that is longer than a warning has to last, it need not last.
    """
    if last is not None and as_of < last.evaluated_at:
        return last
    level = alert.level if alert else 0.0
    if last is None or _is_over(last, as_of):
        return _opened(alert, fingerprint, as_of, since_last) if alert and level >= ENTER else last
    seen = _seen(last, alert, as_of) if alert and level >= LEAVE else last
    seen = replace(seen, evaluated_at=as_of)
    state, resolved_at = _next(seen, level, as_of, since_last)
    return replace(seen, state=state, resolved_at=resolved_at)


def _is_over(last: Incident, as_of: datetime) -> bool:
    if last.state == "resolved" and last.resolved_at is not None:
        return as_of - last.resolved_at > JOIN
    return last.state == "ok"


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


def _seen(last: Incident, alert: Alert, as_of: datetime) -> Incident:
    if last.state == "resolved" and alert.level < ENTER:
        return last
    return replace(
        last,
        severity=max(last.severity, alert.severity, key=RANK.__getitem__),
        last_fired_at=as_of,
        alert=alert,
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
    if as_of - seen.last_fired_at >= COOLING:
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
    is_inhibited: bool = False,
) -> Decision:
    """Whether people should hear of an incident at `as_of`, and the reason by its name.

    The quiet hours are those of `zone`. `is_inhibited`: a greater incident already tells it.
    """
    if incident.state in ("ok", "pending"):
        return Decision(reason="not_confirmed", is_sent=False)
    if is_inhibited and incident.state != "resolved":
        return Decision(reason="inhibited", is_sent=False)
    if is_quiet(as_of, zone) and incident.severity == "warning":
        return Decision(reason="quiet_hours", is_sent=False)
    if incident.state == "resolved":
        return _tell_the_end(last)
    if incident.opening_count > OPENINGS_A_DAY:
        return Decision(reason="unstable", is_sent=last is None or last.kind != "unstable")
    return _tell_the_course(last, incident, as_of)


def _tell_the_end(last: Told | None) -> Decision:
    if last is None:
        return Decision(reason="held_for_morning", is_sent=True)
    if last.kind in ("inhibited", "resolved", "night", "unstable"):
        return Decision(reason=f"already_{last.kind}", is_sent=False)
    return Decision(reason="resolved", is_sent=True)


def _tell_the_course(last: Told | None, incident: Incident, as_of: datetime) -> Decision:
    if last is None or last.kind == "inhibited":
        return Decision(reason="first", is_sent=True)
    if incident.state == "cooling":
        return Decision(reason="cooling", is_sent=False)
    if last.kind in ("resolved", "night", "unstable"):
        return Decision(reason="back_again", is_sent=True)
    if RANK[incident.severity] > RANK[last.severity]:
        return Decision(reason="severity_up", is_sent=True)
    if rate(incident.peak) >= TIMES_LAST_TOLD * last.peak:
        return Decision(reason="volume_doubled", is_sent=True)
    if as_of - last.at >= REPEAT[incident.severity]:
        return Decision(reason="repeat", is_sent=True)
    return Decision(reason="unchanged", is_sent=False)


def is_quiet(at: datetime, zone: ZoneInfo) -> bool:
    """Whether warnings wait now: 22:00 to 07:00 by the institution's clock, and on holidays."""
    local = at.astimezone(zone)
    return local.time() >= QUIET[0] or local.time() < QUIET[1] or is_holiday(local.date())
