"""The letter at a change of shift: what is open, who has it in hand, who had the shift before.

Written only where something is open, once for each change, in the transaction of the caller. A
change that fell while nothing ran is told by the next run, for a day back.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pipelines import alert_letter, evidence, oncall, rules, warehouse
from pipelines.alert import Alert
from pipelines.letter import Letter
from pipelines.outbox import enqueue
from pipelines.settings import Settings
from pipelines.warehouse import Connection
from pipelines.wording import Words, plain

log = logging.getLogger(__name__)

_LONGEST = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """One incident that is open at a change of shift."""

    incident_id: str
    severity: str
    opened_at: datetime
    alert: Alert
    acked_by: str | None
    silent_until_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    alert: Alert


def record(connection: Connection, *, settings: Settings, as_of: datetime) -> int:
    """Put the letter of the last change of shift since the run before in the outbox; how many rows
    are new. Nothing where nobody came, or nothing is open; a second call adds nothing."""
    changed = oncall.changed_at(settings, since=_since(connection, as_of), until=as_of)
    if changed is None:
        return 0
    found = opened(connection, as_of=as_of)
    if not found:
        log.info("handover.calm at=%s", changed.isoformat())
        return 0
    heard = evidence.lately(connection, as_of=as_of, zone=settings.institution.zone)
    coverage = alert_letter.coverage_lines(heard, settings)
    with warehouse.transaction(connection):
        return enqueue(
            connection,
            letter(found, coverage, settings=settings, changed_at=changed),
            kind="handover",
            key=f"handover {changed.isoformat()}",
            settings=settings,
            recipients=oncall.on_call(settings, at=changed),
            as_of=as_of,
            reason="shift_changed",
        )


def _since(connection: Connection, as_of: datetime) -> datetime:
    """When the run before this one ended; a day ago at most, five minutes where none is known."""
    row = connection.execute(
        "select max(until_at) from intake where until_at < $as_of", {"as_of": as_of}
    ).fetchone()
    last = row[0].astimezone(UTC) if row and row[0] else as_of - timedelta(minutes=5)
    return max(last, as_of - _LONGEST)


def opened(connection: Connection, *, as_of: datetime) -> tuple[Open, ...]:
    """The open incidents, gravest and oldest first, but for those of rules that are gone."""
    found = warehouse.run(connection, "writes/handover_incidents", {"as_of": as_of})
    names = [column[0] for column in found.description or ()]
    rows = (_open(dict(zip(names, row, strict=True))) for row in found.fetchall())
    return tuple(row for row in rows if row and row.alert.rule_id in rules.names())


def _open(row: Mapping[str, Any]) -> Open | None:
    try:
        alert = msgspec.json.decode(row["evidence"], type=_Kept).alert
    except msgspec.MsgspecError:
        return None  # of another version; `notify` ends it, and tells
    times = {k: v.astimezone(UTC) for k, v in row.items() if isinstance(v, datetime)}
    rest = {k: v for k, v in row.items() if k != "evidence"}
    return Open(**(rest | times), alert=alert)


def letter(
    found: tuple[Open, ...], coverage: Sequence[str], *, settings: Settings, changed_at: datetime
) -> Letter:
    """What whoever comes on call reads: a line an incident, what was heard, whose shift it was."""
    who = settings.institution
    spoken = alert_letter.spoken(who.zone, who.locale)
    institution = plain(who.name)
    count = spoken.count("handover", len(found))
    before = ", ".join(plain(r.name) for r in oncall.before(settings, at=changed_at))
    nobody = oncall.trouble(settings, at=changed_at)
    name = "handover.subject_nobody" if nobody else "handover.subject"
    subject = spoken.say(name, count=count, institution=institution)
    values = {
        "w": spoken,
        "institution": institution,
        "title": spoken.say("handover.title", moment=spoken.moment(changed_at)),
        "nobody": spoken.text("handover.nobody") if nobody else None,
        "count": count,
        "lines": [_line(each, settings, spoken) for each in found],
        "coverage": coverage,
        "before": spoken.say("handover.before", names=before) if before else None,
    }
    text, html = alert_letter.filled("handover", values)
    lines = [subject, *([str(values["nobody"])] if nobody else [])]
    return Letter(subject=subject, text=text, html=html, brief="\n".join(lines))


def _line(each: Open, settings: Settings, spoken: Words) -> dict[str, str | bool]:
    alert = each.alert
    held = ""
    if each.silent_until_at:
        held = spoken.say("handover.silent", moment=spoken.moment(each.silent_until_at))
    elif each.acked_by:
        held = spoken.say("handover.acked", who=plain(each.acked_by))
    return {
        "is_critical": each.severity == "critical",
        "severity": spoken.text(f"status.{each.severity}"),
        "label": alert_letter.label_of(alert, spoken),
        "where": alert_letter.about(alert.subject_id, alert.scope, settings, spoken),
        "headline": alert_letter.headline(alert, spoken),
        "opened": spoken.say("handover.opened", moment=spoken.moment(each.opened_at)),
        "held": held or spoken.text("handover.free"),
        "id": each.incident_id,
    }
