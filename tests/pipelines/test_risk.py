"""Risk: which level a day has, and that the reason is the rule that decided."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from pipelines.outlook import Range, wilson
from pipelines.risk import LEVELS, RULES, Signals, assess, change

CALM = Signals(
    count=100,
    expected=Range(low=80, middle=100, high=120),
    negative=wilson(30, 100),
    usual_negative=0.3,
    sensitive=wilson(20, 100),
    usual_sensitive=0.2,
    crisis=wilson(0, 100),
    critical_open=0,
    critical_closed=0,
    warning_open=0,
    warning_closed=0,
    unseen_share=0.0,
    is_read=True,
)


@pytest.mark.parametrize(
    ("level", "reason", "changes"),
    [
        ("vert", "within", {}),
        ("vert", "below", {"count": 40}),
        ("vert", "little_above", {"count": 130}),
        ("vert", "learning", {"expected": None}),
        ("jaune", "above", {"count": 160}),
        ("jaune", "negative_rise", {"negative": wilson(60, 100)}),
        ("jaune", "sensitive_rise", {"sensitive": wilson(60, 100)}),
        ("jaune", "crisis_seen", {"crisis": wilson(3, 100)}),
        ("jaune", "warning_open", {"warning_open": 1}),
        ("jaune", "warning_closed", {"warning_closed": 1}),
        ("jaune", "blind", {"unseen_share": 0.4}),
        ("jaune", "unread", {"is_read": False}),
        ("orange", "surge", {"count": 260}),
        ("orange", "negative_surge", {"count": 130, "negative": wilson(60, 100)}),
        ("orange", "warning_surge", {"count": 130, "warning_open": 1}),
        ("orange", "crisis_topic", {"crisis": wilson(10, 100)}),
        ("orange", "critical_closed", {"critical_closed": 1}),
        ("rouge", "critical_open", {"critical_open": 1}),
        ("rouge", "hostile_surge", {"count": 400, "negative": wilson(80, 100)}),
        ("rouge", "crisis_surge", {"count": 130, "crisis": wilson(30, 100)}),
    ],
)
def test_the_level_and_its_reason(level: str, reason: str, changes: dict[str, object]) -> None:
    found = assess(replace(CALM, **changes))  # type: ignore[arg-type]
    assert (found.level, found.reason) == (level, reason)


def test_many_glad_messages_are_never_red() -> None:
    assert assess(replace(CALM, count=5_000, negative=wilson(2, 100))).level == "orange"


def test_a_multiple_of_little_is_little() -> None:
    few = replace(CALM, count=9, expected=Range(low=0, middle=1, high=3))
    assert assess(few).level == "jaune"


def test_ten_negative_texts_do_not_make_a_share() -> None:
    assert assess(replace(CALM, negative=wilson(10, 10))).level == "vert"


def test_a_day_not_seen_is_never_green() -> None:
    assert assess(replace(CALM, count=0, is_read=False, expected=None)).level == "jaune"
    assert assess(replace(CALM, count=20, unseen_share=0.8)).level == "jaune"


def test_the_gravest_rule_decides_and_other_matters_are_told_once() -> None:
    worst = replace(
        CALM,
        count=400,
        critical_open=1,
        warning_open=1,
        negative=wilson(80, 100),
        crisis=wilson(30, 100),
        unseen_share=0.5,
    )
    found = assess(worst)
    assert found.reason == "critical_open"
    assert found.also == ("crisis_surge", "hostile_surge", "negative_rise", "blind")


def test_more_of_a_bad_sign_never_lowers_the_level() -> None:
    order = {level: place for place, level in enumerate(LEVELS)}
    counts, negatives, incidents = (100, 130, 200, 400), (10, 40, 60, 90), (0, 1)
    for count, negative, critical, warning in product(counts, negatives, incidents, incidents):
        signals = replace(
            CALM,
            count=count,
            negative=wilson(negative, 100),
            critical_open=critical,
            warning_open=warning,
        )
        level = order[assess(signals).level]
        for worse in (
            replace(signals, count=count * 2),
            replace(signals, negative=wilson(min(negative + 10, 100), 100)),
            replace(signals, critical_open=critical + 1),
            replace(signals, warning_open=warning + 1),
        ):
            assert order[assess(worse).level] >= level


def test_rules_stand_from_the_gravest_to_the_calmest() -> None:
    places = [LEVELS.index(level) for level, _, _ in RULES]
    assert places == sorted(places, reverse=True)


def test_the_change_since_yesterday() -> None:
    assert change("rouge", "vert") == "up"
    assert change("vert", "jaune") == "down"
    assert change("orange", "orange") == "same"
    assert change("vert", None) == "first"
