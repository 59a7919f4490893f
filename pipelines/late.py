"""What past windows would have said, had what was heard late been heard in time.

Rules look back an hour or a day from the moment at which they are asked; a message that comes later
than that is in no window of its own time. So past hours of the last day of which something was
heard only since the run before are asked again, and a critical alert that nobody was told of opens
an incident that says that it is late. Nothing that was told is ever taken back.

A warning is not told late: it would have had to last, and needs nobody to act at once. Costs as an
evaluation for each hour asked, four at most; nothing where nothing came late.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipelines import detect, warehouse
from pipelines.alert import ENTER, Alert, fingerprint
from pipelines.settings import Settings
from pipelines.warehouse import Connection

log = logging.getLogger(__name__)

MOST_HOURS = 4  # asked again in one evaluation, the gravest first
_STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """What a rule says of the window that ended at `at`, which nobody was told."""

    alert: Alert
    at: datetime


def alerts(connection: Connection, *, settings: Settings, as_of: datetime) -> tuple[Late, ...]:
    """The critical alerts of past hours that what was heard since the run before has made.

    Each trouble once, by its newest hour. Changes nothing; the same moment again says the same.
    Nothing at the very first run, which reads days of the past.
    """
    found: dict[str, Late] = {}
    for at in sorted(moments(connection, as_of=as_of)):
        told = _told(connection, at, as_of)
        for alert in _said(connection, at, settings):
            name = fingerprint(settings.institution.id, alert)
            if name not in told:
                found[name] = Late(alert=alert, at=at)
    log.info("late.evaluated alerts=%d", len(found))
    return tuple(found.values())


def moments(connection: Connection, *, as_of: datetime) -> list[datetime]:
    """The moments up to which past windows are asked again, on whole steps of five minutes."""
    row = connection.execute(
        "select max(until_at) from intake where until_at < $as_of", {"as_of": as_of}
    ).fetchone()
    if row is None or row[0] is None:
        return []
    asked = {"as_of": as_of, "since": row[0]}
    rows = warehouse.run(connection, "signals/late", asked).fetchall()
    if len(rows) > MOST_HOURS:
        log.warning("late.cut hours=%d asked=%d", len(rows), MOST_HOURS)
    return [_after(last.astimezone(UTC)) for last, *_ in rows[:MOST_HOURS]]


def _after(at: datetime) -> datetime:
    """The first whole step after `at`: a window does not hold its own end."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((at - midnight) // _STEP + 1) * _STEP


def _told(connection: Connection, at: datetime, as_of: datetime) -> set[str]:
    asked = {"at": at, "as_of": as_of}
    return {name for (name,) in warehouse.run(connection, "signals/told_about", asked).fetchall()}


def _said(connection: Connection, at: datetime, settings: Settings) -> Iterator[Alert]:
    for alert in detect.detect(connection, settings=settings, as_of=at):
        is_grave = alert.severity == "critical" and alert.level >= ENTER
        if is_grave and alert.subject_id is not None:
            yield alert
