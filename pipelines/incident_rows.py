"""The incidents as rows: read once an evaluation, and written in one statement a table.

A row each would cost a join with the whole table for every incident, and hold a version of the
table in memory for each until the transaction ends: with 1,000 incidents the warehouse's 800 MB
were not enough.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa

from pipelines import warehouse
from pipelines.alert import Alert
from pipelines.explanation import Shown
from pipelines.incidents import Alarm, Incident, Mark, Told
from pipelines.warehouse import Connection

log = logging.getLogger(__name__)

_TIME = pa.timestamp("us", tz="UTC")
_INCIDENT = pa.schema(
    [
        *((name, pa.string()) for name in ("incident_id", "fingerprint", "rule_id")),
        *((name, pa.string()) for name in ("rule_version", "subject_id", "scope", "severity")),
        ("state", pa.string()),
        *((name, _TIME) for name in ("opened_at", "last_fired_at", "resolved_at")),
        ("peak_observed", pa.float64()),
        ("peak_score", pa.float64()),
        ("evidence", pa.string()),
    ]
)
_EVENT = pa.schema(
    [
        ("incident_id", pa.string()),
        ("changed_at", _TIME),
        *((name, pa.string()) for name in ("state_from", "state_to", "reason", "actor")),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What an incident's row keeps beside its columns, as JSON.

    `shown` holds words of people: `sql/writes/expire_message.sql` empties it with the mails.
    """

    alert: Alert
    peak: Alert
    evaluated_at: datetime
    told: Told | None
    shown: tuple[Shown, ...] = ()
    firing_at: datetime | None = None
    blind_at: datetime | None = None
    late_at: datetime | None = None
    alarm: Alarm | None = None
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What an evaluation at `as_of` has to write beside its incidents, gathered to be written at
    once: lines of the log, and the incidents that nobody has in hand any more."""

    as_of: datetime
    lines: list[dict[str, Any]] = field(default_factory=list)
    unacked: list[str] = field(default_factory=list)

    def note(
        self, incident: Incident, change: tuple[str, str], *, reason: str, actor: str = "rule"
    ) -> None:
        """A line of the log: from what to what, why, and who."""
        line = {"incident_id": incident.incident_id, "changed_at": self.as_of}
        line |= {"state_from": change[0], "state_to": change[1], "reason": reason, "actor": actor}
        self.lines.append(line)


def read(connection: Connection, *, as_of: datetime) -> dict[str, Incident]:
    """The incidents that an evaluation at `as_of` may change or still has to tell, by fingerprint.

    One that another version of Vigie wrote ends: if it lasts it begins anew, so that people hear of
    it twice and not never again.
    """
    found = warehouse.run(connection, "writes/incident_open", {"as_of": as_of})
    names = [column[0] for column in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    incidents = (_read(connection, row, as_of) for row in rows)
    return {incident.fingerprint: incident for incident in incidents if incident}


def write(connection: Connection, incidents: Sequence[Incident], journal: Journal) -> None:
    """Bring the rows to `incidents`, and add what `journal` gathered; twice changes nothing.

    Belongs in the caller's transaction.
    """
    merge(connection, "incident_events_add", journal.lines, _EVENT)
    gone = {"incident_ids": journal.unacked}
    if journal.unacked:
        warehouse.run(connection, "writes/incident_unack", gone)
    merge(connection, "incident_merge", map(row, incidents), _INCIDENT)


def merge(
    connection: Connection, name: str, rows: Iterable[Mapping[str, Any]], schema: pa.Schema
) -> None:
    """Run `sql/writes/<name>.sql`, which reads `rows` as `incoming`; nothing where there are none.

    The table's columns are those of `schema`.
    """
    if not (listed := [dict(each) for each in rows]):
        return
    connection.register("incoming", pa.Table.from_pylist(listed, schema=schema))
    try:
        warehouse.run(connection, f"writes/{name}")
    finally:
        connection.unregister("incoming")


def _read(connection: Connection, found: dict[str, Any], as_of: datetime) -> Incident | None:
    try:
        return _incident(found)
    except msgspec.MsgspecError as error:
        log.error("incident.unreadable id=%s error=%s", found["incident_id"], error)
        ended = {"incident_id": found["incident_id"], "as_of": as_of}
        warehouse.run(connection, "writes/incident_end", ended)
        return None


def _incident(found: dict[str, Any]) -> Incident:
    kept = msgspec.json.decode(found["evidence"], type=Kept)
    times = {k: v.astimezone(UTC) for k, v in found.items() if isinstance(v, datetime)}
    columns = {k: v for k, v in (found | times).items() if k != "evidence"}
    beside = {name: getattr(kept, name) for name in Kept.__dataclass_fields__}
    return Incident(**columns, **beside)


def row(incident: Incident) -> dict[str, Any]:
    """An incident as the table holds it."""
    kept = Kept(**{name: getattr(incident, name) for name in Kept.__dataclass_fields__})
    return {
        "incident_id": incident.incident_id,
        "fingerprint": incident.fingerprint,
        "rule_id": incident.alert.rule_id,
        "rule_version": incident.alert.rule_version,
        "subject_id": incident.alert.subject_id,
        "scope": incident.alert.scope,
        "severity": incident.severity,
        "state": incident.state,
        "opened_at": incident.opened_at,
        "last_fired_at": incident.last_fired_at,
        "resolved_at": incident.resolved_at,
        "peak_observed": incident.peak.observed,
        "peak_score": incident.peak.score,
        "evidence": msgspec.json.encode(kept).decode(),
    }
