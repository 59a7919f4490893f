"""Krippendorff's alpha: the published example, chance, sets, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from pipelines.agreement import Agreement, agreement, masi, nominal, verdict

# Krippendorff 2011, section C: four people, twelve units, some not judged; nominal alpha 0.743.
PUBLISHED = [
    *("111", "2232", "3333", "3333", "2222", "1234", "4444", "1121", "2222", "555", "11", "3"),
]


def test_the_published_example_has_the_published_alpha() -> None:
    found = agreement(PUBLISHED, nominal)
    assert found is not None
    assert found.alpha == pytest.approx(0.743, abs=0.0005)
    assert found.count == 11
    assert found.interval is not None
    assert found.interval[0] < 0.743 < found.interval[1]


def test_full_agreement_is_one_and_chance_is_nearly_nothing() -> None:
    assert _alpha([("a", "a"), ("b", "b")] * 10) == 1.0
    dice = np.random.default_rng(1)
    rows = [tuple(dice.choice(["a", "b", "c"], 2).tolist()) for _ in range(3_000)]
    assert abs(_alpha(rows)) < 0.05
    assert _alpha([("a", "b")] * 20) < 0


def test_half_right_is_nearer_than_wrong() -> None:
    one, two, three = frozenset("a"), frozenset("ab"), frozenset("abc")
    assert masi(two, two) == masi(frozenset(), frozenset()) == 0
    assert masi(two, three) == pytest.approx(1 - 2 / 3 * 2 / 3)
    assert masi(frozenset("ab"), frozenset("bc")) == pytest.approx(1 - 1 / 3 * 1 / 3)
    assert masi(one, frozenset("b")) == masi(frozenset(), one) == 1


@given(st.frozensets(st.sampled_from("abcd")), st.frozensets(st.sampled_from("abcd")))
def test_a_distance_of_sets_is_symmetric_and_bounded(
    one: frozenset[str], other: frozenset[str]
) -> None:
    assert masi(one, other) == masi(other, one)
    assert 0 <= masi(one, other) <= 1
    assert (masi(one, other) == 0) == (one == other)


def test_nothing_is_told_of_messages_judged_once() -> None:
    assert agreement([("a",), ("b",), ()], nominal) is None


def test_where_every_answer_is_the_same_chance_is_not_known() -> None:
    found = agreement([("a", "a")] * 20, nominal)
    assert found == Agreement(count=20, same_share=1.0, alpha=None)
    assert verdict(found) == "few"


def test_a_verdict_rests_on_the_whole_interval() -> None:
    def of(alpha: float, low: float) -> str:
        return verdict(Agreement(count=50, same_share=0.9, alpha=alpha, interval=(low, 0.99)))

    assert of(0.9, 0.81) == "reliable"
    assert of(0.9, 0.75) == "tentative"
    assert of(0.6, 0.4) == "low"


def test_few_messages_have_no_interval() -> None:
    found = agreement([("a", "b"), ("a", "a"), ("b", "b")], nominal)
    assert found is not None
    assert found.interval is None
    assert found.same_share == pytest.approx(2 / 3)


def _alpha(rows: list[tuple[str, ...]]) -> float:
    found = agreement(rows, nominal)
    assert found is not None
    assert found.alpha is not None
    return found.alpha
