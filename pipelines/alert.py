"""The Alert: what a rule of `sql/alerts` says about one subject and scope at one moment.

The fields are the column contract of every rule, in any order; a test runs each rule and holds
it to them. `level` is what makes rules alike: 1 is where the rule enters, and below `LEAVE` it
has left; between the two an incident that is open stays open.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Literal

Severity = Literal["warning", "critical"]

ENTER = 1.0
LEAVE = 0.6  # of the entry level: hysteresis, so that an incident does not flicker


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One row of a rule.

    `scope` is 'all', a topic id, or the name of a source. `observed` and the bounds around
    `expected` are in the unit of the rule (mentions in the window; minutes for a silent source).
    `score` is -log10 of the chance to see as much by accident. Shares are 0..1, over distinct
    texts. `parameters` is JSON: the thresholds that the rule used.
    """

    rule_id: str
    rule_version: str
    subject_id: str | None
    scope: str
    severity: Severity
    level: float
    window_minutes: int
    observed: float
    expected: float | None
    low: float | None
    high: float | None
    score: float | None
    text_count: int | None
    author_count: int | None
    share: float | None
    share_low: float | None
    share_high: float | None
    share_expected: float | None
    message_ids: tuple[str, ...]
    is_warming_up: bool
    parameters: str


COLUMNS = tuple(f.name for f in fields(Alert))


def fingerprint(institution_id: str, alert: Alert) -> str:
    """What makes two alerts the same trouble: 64 hex digits of institution, rule, subject, scope.

    Never time, score, severity or text, so that a storm is one incident.
    """
    parts = (institution_id, alert.rule_id, alert.subject_id or "", alert.scope)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
