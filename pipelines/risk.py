"""The risk level of a day: a pure function of what was counted, with the reason that decided.

Rules are tried from the gravest down; the first that holds gives level and reason. They are
written out in `docs/digest.md`. The principles:

- an open critical incident is red, whatever else was counted;
- volume alone never makes a day red: many glad messages are no danger;
- a share counts by the near end of its interval, so that ten messages frighten nobody;
- no data is not calm: a day that was not seen is never green.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipelines.outlook import Interval, Range

Level = Literal["vert", "jaune", "orange", "rouge"]
LEVELS: tuple[Level, ...] = ("vert", "jaune", "orange", "rouge")

ABOVE = 1.3  # times the high end: a band of 80 % is passed one calm day in ten
SURGE = 2.0  # times the high end of what was expected
GREAT_SURGE = 3.0
SURGE_COUNT = 50  # below, a multiple of little is little
RISE = 0.05  # how far a share's near end lies above its usual
HOSTILE = 0.5
LEAST_TEXTS = 20  # for a share to speak, as in the alert rules
CRISIS_SEEN, CRISIS_TEXTS, CRISIS_MANY = 3, 10, 20  # distinct texts on T20
CRISIS_SHARE = 0.2
BLIND_SHARE = 0.3  # of what the sources usually bring


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the level is made of. Shares are over distinct texts, 0..1; None where not known."""

    count: int
    expected: Range | None
    negative: Interval | None
    usual_negative: float | None
    sensitive: Interval | None
    usual_sensitive: float | None
    crisis: Interval | None
    critical_open: int
    critical_closed: int
    warning_open: int
    warning_closed: int
    unseen_share: float
    is_read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """The level, the name of the rule that gave it, and the first other rule of each theme."""

    level: Level
    reason: str
    also: tuple[str, ...]


THEMES: dict[str, str] = {
    "critical_open": "incident",
    "critical_closed": "incident",
    "warning_open": "incident",
    "warning_closed": "incident",
    "warning_surge": "incident",
    "crisis_surge": "crisis",
    "crisis_topic": "crisis",
    "crisis_seen": "crisis",
    "hostile_surge": "volume",
    "negative_surge": "volume",
    "surge": "volume",
    "above": "volume",
    "negative_rise": "tone",
    "sensitive_rise": "sensitive",
    "unread": "coverage",
    "blind": "coverage",
}


def assess(signals: Signals) -> Risk:
    """The level of a day and why. The same signals always give the same answer."""
    held = [(level, reason) for level, reason, holds in RULES if holds(signals)]
    level, reason = held[0]
    also: dict[str, str] = {}
    for _, name in held[1:]:
        if name in THEMES and THEMES[name] != THEMES.get(reason):
            also.setdefault(THEMES[name], name)
    return Risk(level=level, reason=reason, also=tuple(also.values()))


def _is_above(signals: Signals, times: float = 1.0, least: int = 0) -> bool:
    known = signals.expected
    return known is not None and signals.count > known.high * times and signals.count >= least


def _is_below(signals: Signals) -> bool:
    return signals.expected is not None and signals.count < signals.expected.low


def _rises(share: Interval | None, usual: float | None) -> bool:
    if share is None or usual is None or share.total < LEAST_TEXTS:
        return False
    return share.low > usual + RISE


def _is_hostile(signals: Signals) -> bool:
    share = signals.negative
    return share is not None and share.total >= LEAST_TEXTS and share.low >= HOSTILE


def _has_crisis(signals: Signals, texts: int, share: float = 0.0) -> bool:
    found = signals.crisis
    return found is not None and found.count >= texts and found.share >= share


def _is_crisis_surge(signals: Signals) -> bool:
    return _has_crisis(signals, CRISIS_MANY, CRISIS_SHARE) and _is_above(signals)


def _is_hostile_surge(signals: Signals) -> bool:
    return _is_above(signals, GREAT_SURGE, SURGE_COUNT) and _is_hostile(signals)


def _is_negative_surge(signals: Signals) -> bool:
    return _is_above(signals) and _rises(signals.negative, signals.usual_negative)


Rule = tuple[Level, str, Callable[[Signals], bool]]
RULES: tuple[Rule, ...] = (
    ("rouge", "critical_open", lambda s: s.critical_open > 0),
    ("rouge", "crisis_surge", _is_crisis_surge),
    ("rouge", "hostile_surge", _is_hostile_surge),
    ("orange", "critical_closed", lambda s: s.critical_closed > 0),
    ("orange", "crisis_topic", lambda s: _has_crisis(s, CRISIS_TEXTS)),
    ("orange", "negative_surge", _is_negative_surge),
    ("orange", "surge", lambda s: _is_above(s, SURGE, SURGE_COUNT)),
    ("orange", "warning_surge", lambda s: s.warning_open > 0 and _is_above(s)),
    ("jaune", "unread", lambda s: not s.is_read),
    ("jaune", "warning_open", lambda s: s.warning_open > 0),
    ("jaune", "warning_closed", lambda s: s.warning_closed > 0),
    ("jaune", "above", lambda s: _is_above(s, ABOVE)),
    ("jaune", "negative_rise", lambda s: _rises(s.negative, s.usual_negative)),
    ("jaune", "sensitive_rise", lambda s: _rises(s.sensitive, s.usual_sensitive)),
    ("jaune", "crisis_seen", lambda s: _has_crisis(s, CRISIS_SEEN)),
    ("jaune", "blind", lambda s: s.unseen_share >= BLIND_SHARE),
    ("vert", "learning", lambda s: s.expected is None),
    ("vert", "little_above", _is_above),
    ("vert", "below", _is_below),
    ("vert", "within", lambda _: True),
)


def change(level: Level, previous: Level | None) -> Literal["up", "down", "same", "first"]:
    """How a level stands to that of the day before."""
    if previous is None:
        return "first"
    step = LEVELS.index(level) - LEVELS.index(previous)
    return "up" if step > 0 else "down" if step < 0 else "same"
