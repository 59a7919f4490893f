"""Whom to tell of an alert, and why: incidents, letters, the outbox.

`record` turns what the rules said at one moment into incidents and, in the same transaction,
into letters in the outbox: killed at any instant, both are there or neither. `deliver` hands the
letters over. Doing the same moment again adds nothing. Nothing here asks what time it is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import msgspec

from pipelines import alert_letter, alert_record, evidence, explanation, oncall, rules, warehouse
from pipelines.alert import Alert, fingerprint
from pipelines.evidence import Evidence
from pipelines.explanation import Shown
from pipelines.incidents import MAILS_AN_HOUR, Decision, Incident, Kind, Told, rate, step, tell
from pipelines.letter import Letter
from pipelines.outbox import Delivered, deliver, enqueue
from pipelines.settings import Recipient, Settings

log = logging.getLogger(__name__)

MOST_SHOWN = 8  # letters whose reasons an incident keeps: the first and the last ones

_KINDS: Mapping[str, Kind] = {
    "first": "firing",
    "held_for_morning": "night",
    "resolved": "resolved",
    "unstable": "unstable",
    "inhibited": "inhibited",
}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What an evaluation changed: incidents written, and letters put in the outbox."""

    incidents: tuple[Incident, ...]
    letter_count: int


def record(
    connection: duckdb.DuckDBPyConnection,
    alerts: Sequence[Alert],
    *,
    settings: Settings,
    as_of: datetime,
) -> Recorded:
    """Bring the incidents to what the rules said at `as_of`, and put the letters in the outbox.

    One transaction. The same `as_of` again changes nothing; an earlier one neither.
    """
    with warehouse.transaction(connection):
        before = _open_incidents(connection, as_of)
        after = _stepped(before, alerts, settings, as_of, _since_last(connection, as_of))
        for incident in after:
            _write_change(connection, before.get(incident.fingerprint), incident, as_of)
        told = [_told(connection, i, after, settings=settings, as_of=as_of) for i in after]
        for incident in told:
            warehouse.run(connection, "writes/incident_merge", _row(incident))
        connection.execute("delete from incident where state = 'ok'")
    letters = sum(_sequence(i) for i in told) - sum(_sequence(i) for i in after)
    log.info("incidents.recorded count=%d letters=%d", len(told), letters)
    return Recorded(incidents=tuple(told), letter_count=letters)


def _open_incidents(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> dict[str, Incident]:
    found = warehouse.run(connection, "writes/incident_open", {"as_of": as_of})
    names = [column[0] for column in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    incidents = (_read(connection, row, as_of) for row in rows)
    return {incident.fingerprint: incident for incident in incidents if incident}


def _read(
    connection: duckdb.DuckDBPyConnection, row: dict[str, Any], as_of: datetime
) -> Incident | None:
    """An incident as it was left; None, and its end, where another version of Vigie wrote it.

    If it lasts it begins anew, so that people hear of it twice and not never again.
    """
    try:
        return _incident(row)
    except msgspec.MsgspecError as error:
        log.error("incident.unreadable id=%s error=%s", row["incident_id"], error)
        ended = {"incident_id": row["incident_id"], "as_of": as_of}
        warehouse.run(connection, "writes/incident_end", ended)
        return None


def _incident(row: dict[str, Any]) -> Incident:
    kept = msgspec.json.decode(row["evidence"], type=Kept)
    times = {k: v.astimezone(UTC) for k, v in row.items() if isinstance(v, datetime)}
    found = {k: v for k, v in (row | times).items() if k != "evidence"}
    return Incident(
        **found,
        alert=kept.alert,
        peak=kept.peak,
        evaluated_at=kept.evaluated_at,
        told=kept.told,
        shown=kept.shown,
    )


def _since_last(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> timedelta:
    """How long before `as_of` the run before it ended; the ordinary five minutes when unknown."""
    row = connection.execute(
        "select max(until_at) from intake where until_at < $as_of", {"as_of": as_of}
    ).fetchone()
    last = row[0] if row else None
    return as_of - last if last else timedelta(minutes=5)


def _stepped(
    before: Mapping[str, Incident],
    alerts: Sequence[Alert],
    settings: Settings,
    as_of: datetime,
    since_last: timedelta,
) -> list[Incident]:
    """Every incident that is there at `as_of`, in a stable order."""
    now = {fingerprint(settings.institution.id, alert): alert for alert in alerts}
    stepped = (
        step(before.get(name), now.get(name), fingerprint=name, as_of=as_of, since_last=since_last)
        for name in sorted({*before, *now})
    )
    return [_counted(before.get(i.fingerprint), i) for i in stepped if i is not None]


def _counted(last: Incident | None, now: Incident) -> Incident:
    """The incident with this opening counted, if this is one."""
    was_firing = last is not None and (last.incident_id, last.state) == (now.incident_id, "firing")
    count = last.opening_count if last and last.incident_id == now.incident_id else 0
    return replace(now, opening_count=count + (now.state == "firing" and not was_firing))


def _write_change(
    connection: duckdb.DuckDBPyConnection, last: Incident | None, now: Incident, as_of: datetime
) -> None:
    is_new = last is None or last.incident_id != now.incident_id
    state_from = "none" if last is None or is_new else last.state
    severity_from = now.severity if last is None or is_new else last.severity
    if state_from == now.state and severity_from == now.severity:
        return
    event = {
        "incident_id": now.incident_id,
        "changed_at": as_of,
        "state_from": state_from,
        "state_to": now.state,
        "reason": "severity_up" if state_from == now.state else _why(now),
        "actor": "rule",
    }
    warehouse.run(connection, "writes/incident_event_add", event)


def _why(now: Incident) -> str:
    return f"{now.alert.rule_id} {now.severity} level={now.alert.level:.2f}"


def _told(
    connection: duckdb.DuckDBPyConnection,
    incident: Incident,
    beside: Sequence[Incident],
    *,
    settings: Settings,
    as_of: datetime,
) -> Incident:
    """The incident with what people are told of it now; its letter is in the outbox."""
    if as_of < incident.evaluated_at or incident.alert.rule_id not in rules.names():
        # Already seen from later on; or of a rule that is gone, and ends without a word.
        return incident
    zone = settings.institution.zone
    is_inhibited = any(_inhibits(other, incident) for other in beside)
    decision = tell(incident.told, incident, as_of, zone=zone, is_inhibited=is_inhibited)
    log.info("incident.decided id=%s reason=%s", incident.incident_id, decision.reason)
    if decision.is_sent and _is_flooded(connection, incident, settings, as_of):
        log.warning("incident.waits id=%s reason=rate_limit", incident.incident_id)
        return incident
    told = _telling(incident, decision, as_of)
    if decision.is_sent:
        found = _write(connection, incident, told, beside, decision, settings=settings, as_of=as_of)
        incident = _with_shown(incident, told, found)
    elif decision.reason != "inhibited" or incident.told is not None:
        return incident
    return replace(incident, told=told)


def _is_flooded(
    connection: duckdb.DuckDBPyConnection, incident: Incident, settings: Settings, as_of: datetime
) -> bool:
    """Whether a reader has had so many alert mails in an hour that this one waits.

    Nothing is lost: the incident is not told, so the next evaluation decides again.
    """
    readers, _ = _readers(incident, settings, as_of)
    counted = connection.execute(
        "select recipient, count(*) from outbox where incident_id is not null"
        " and created_at > $since group by recipient",
        {"since": as_of - timedelta(hours=1)},
    ).fetchall()
    sent = dict(counted)
    return any(sent.get(r.email, 0) >= MAILS_AN_HOUR[incident.severity] for r in readers)


def _sequence(incident: Incident) -> int:
    return incident.told.sequence if incident.told else 0


def _inhibits(other: Incident, incident: Incident) -> bool:
    """Whether the mail about `other` already tells what `incident` would; never a critical one."""
    return (
        incident.severity != "critical"
        and other.state in ("firing", "cooling")
        and other.alert.rule_id in rules.read(incident.alert.rule_id).inhibited_by
        and other.alert.subject_id == incident.alert.subject_id
    )


def _write(
    connection: duckdb.DuckDBPyConnection,
    incident: Incident,
    told: Told,
    beside: Sequence[Incident],
    decision: Decision,
    *,
    settings: Settings,
    as_of: datetime,
) -> Evidence:
    """Put the letter in the outbox; what it rests on."""
    recipients, nobody = _readers(incident, settings, as_of)
    occasion = alert_letter.Occasion(
        incident=incident,
        decision=decision,
        evidence=_evidence(connection, incident, settings=settings, as_of=as_of),
        settings=settings,
        as_of=as_of,
        others=[o for o in beside if _is_beside(o, incident)],
        nobody=nobody,
    )
    name = f"{incident.fingerprint}:{incident.incident_id}"
    written = alert_letter.letter(occasion)
    alert_record.keep(connection, occasion, told, written)
    enqueue(
        connection,
        written,
        kind=told.kind,
        key=f"{name}:{told.kind}:{told.sequence}",
        settings=settings,
        recipients=recipients,
        as_of=as_of,
        incident_id=incident.incident_id,
        thread=f"{name}:firing:1",
        reason=decision.reason,
    )
    return occasion.evidence


def _evidence(
    connection: duckdb.DuckDBPyConnection,
    incident: Incident,
    *,
    settings: Settings,
    as_of: datetime,
) -> Evidence:
    zone, load = settings.institution.zone, explanation.loader(settings.models.sentiment)
    return evidence.gather(connection, incident, as_of=as_of, zone=zone, load=load)


def _with_shown(incident: Incident, told: Told, found: Evidence) -> Incident:
    """The incident with why the messages of this letter had their tone, kept as it was told."""
    known = (message.reasons for message in found.messages)
    messages = tuple(each for each in known if each and (each.words or each.terms))
    if not messages:
        return incident
    every = (*incident.shown, Shown(at=told.at, kind=told.kind, messages=messages))
    return replace(incident, shown=(*every[:1], *every[1:][1 - MOST_SHOWN :]))


def _is_beside(other: Incident, incident: Incident) -> bool:
    is_known = other.alert.rule_id in rules.names()
    return is_known and other.state == "firing" and other is not incident


def _readers(
    incident: Incident, settings: Settings, as_of: datetime
) -> tuple[tuple[Recipient, ...], str | None]:
    """Who is told, and what is wrong with the rota if anything is."""
    if rules.read(incident.alert.rule_id).tells == "operators":
        return oncall.operators(settings) or oncall.on_call(settings, at=as_of), None
    readers = oncall.on_call(settings, at=as_of)
    if not readers:
        log.error("incident.nobody_to_tell id=%s", incident.incident_id)
    return readers, oncall.trouble(settings, at=as_of)


def _telling(incident: Incident, decision: Decision, as_of: datetime) -> Told:
    before = incident.told.sequence if incident.told else 0
    return Told(
        at=as_of,
        kind=_KINDS.get(decision.reason, "update"),
        severity=incident.severity,
        peak=rate(incident.peak),
        sequence=before + (1 if decision.is_sent else 0),
    )


def _row(incident: Incident) -> dict[str, Any]:
    kept = Kept(
        alert=incident.alert,
        peak=incident.peak,
        evaluated_at=incident.evaluated_at,
        told=incident.told,
        shown=incident.shown,
    )
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


def failure_letter(*, dag: str, task: str, run: str, error: str, settings: Settings) -> Letter:
    """What the operator reads when a task has failed; `error` must hold no secret."""
    return alert_letter.failure(dag=dag, task=task, run=run, error=error, settings=settings)


__all__ = ["Delivered", "Recipient", "Recorded", "deliver", "enqueue", "failure_letter", "record"]
