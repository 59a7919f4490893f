"""What a letter about an alert rested on, kept as it was when the letter was made.

The rule to the letter (its text once for each SHA-256), what it said with its thresholds and
baseline, the curve and its picture byte for byte as mailed, and the messages shown, by their ids:
no word of anybody, so that a look back years later needs nothing that has expired.
"""

from __future__ import annotations

from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from pipelines import incident_rows, rules, warehouse
from pipelines.alert_letter import Occasion
from pipelines.evidence import Message
from pipelines.incidents import Incident, Told
from pipelines.letter import Letter

PICTURE = "curve"
_EVIDENCE = pa.schema(
    [
        ("incident_id", pa.string()),
        ("sequence", pa.int32()),
        ("made_at", pa.timestamp("us", tz="UTC")),
        *((name, pa.string()) for name in ("kind", "reason", "rule_sha256", "alert", "curve")),
        ("picture", pa.binary()),
        *((name, pa.string()) for name in ("messages", "networks", "tone")),
    ]
)


def keep(
    connection: duckdb.DuckDBPyConnection, occasion: Occasion, told: Told, letter: Letter
) -> None:
    """Record what `letter` rests on; belongs in the caller's transaction, twice adds nothing.

    Of an incident that stands in the letter beside another: what its rule said, without a curve or
    messages, for the letter shows none.
    """
    rows = [_row(occasion, told, letter)]
    rows += [
        _bare(other, other.told, decision.reason, occasion)
        for other, decision in occasion.joined
        if other.told is not None
    ]
    alerts = (occasion.incident.alert, *(other.alert for other, _ in occasion.joined))
    for rule_id in sorted({alert.rule_id for alert in alerts}):
        warehouse.run(connection, "writes/rule_text_add", _text(rule_id, occasion))
    incident_rows.merge(connection, "alert_evidence_add", rows, _EVIDENCE)


def _text(rule_id: str, occasion: Occasion) -> dict[str, Any]:
    rule = rules.read(rule_id)
    return {
        "rule_sha256": rule.sha256,
        "rule_id": rule_id,
        "rule_version": rule.version,
        "rule_sql": warehouse.sql(f"alerts/{rule_id}"),
        "made_at": occasion.as_of,
    }


def _bare(incident: Incident, told: Told, reason: str, occasion: Occasion) -> dict[str, Any]:
    return {
        "incident_id": incident.incident_id,
        "sequence": told.sequence,
        "made_at": occasion.as_of,
        "kind": told.kind,
        "reason": reason,
        "rule_sha256": rules.read(incident.alert.rule_id).sha256,
        "alert": _json(incident.alert),
        "curve": None,
        "picture": None,
        "messages": "[]",
        "networks": "{}",
        "tone": "{}",
    }


def _row(occasion: Occasion, told: Told, letter: Letter) -> dict[str, Any]:
    found = occasion.evidence
    return _bare(occasion.incident, told, occasion.decision.reason, occasion) | {
        "curve": _json(found.curve) if found.curve else None,
        "picture": letter.images.get(PICTURE),
        "messages": _json([_message(message) for message in found.messages]),
        "networks": _json(dict(found.networks)),
        "tone": _json(dict(found.tone)),
    }


def _message(message: Message) -> dict[str, Any]:
    """What is kept of a message shown: which, and how far it had gone; never what it says."""
    return {
        "mention_id": message.mention_id,
        "published_at": message.published_at,
        "network": message.network,
        "sentiment": message.sentiment,
        "copy_count": message.copy_count,
        "origin_count": message.origin_count,
    }


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
