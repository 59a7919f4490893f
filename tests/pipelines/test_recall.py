"""The estimate of what neither of two sources heard: its formula, interval and bias."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines import recall


def test_the_estimate_is_chapmans_with_its_variance() -> None:
    found = recall.estimate(200, 150, 100)
    assert found is not None
    assert found.total == pytest.approx(201 * 151 / 101 - 1)  # 299.5
    assert recall._variance(200, 150, 100) == pytest.approx(145.848, abs=0.001)
    assert found.heard_count == 250
    assert found.share == pytest.approx(0.8347, abs=1e-4)
    assert 0.75 < found.low < found.share < found.high < 0.9


def test_too_few_posts_in_common_say_nothing() -> None:
    assert recall.estimate(40, 30, 6) is None
    assert recall.estimate(0, 0, 0) is None
    with pytest.raises(ValueError, match="cannot be"):
        recall.estimate(5, 3, 4)


def test_two_sources_that_hear_the_same_heard_all_that_either_could() -> None:
    found = recall.estimate(50, 50, 50)
    assert found is not None
    assert (found.share, found.low, found.high) == (1.0, 1.0, 1.0)
    inside = recall.estimate(50, 20, 20)
    assert inside is not None
    assert inside.share == 1.0


def _drawn(
    dice: np.random.Generator, total: int, chances: tuple[float, float], *, ease: float = 0.0
) -> recall.Recall | None:
    """One draw of a town of `total` posts; `ease` spreads how easy a post is for both sources."""
    easy = dice.normal(0, ease, total) if ease else np.zeros(total)
    heard = []
    for chance in chances:
        odds = np.log(chance / (1 - chance)) + easy
        heard.append(dice.random(total) < 1 / (1 + np.exp(-odds)))
    first, second = heard
    return recall.estimate(int(first.sum()), int(second.sum()), int((first & second).sum()))


@pytest.mark.parametrize(
    ("total", "chances"), [(60, (0.6, 0.5)), (400, (0.7, 0.3)), (2000, (0.2, 0.2))]
)
def test_the_interval_holds_the_truth_nineteen_times_in_twenty_where_sources_are_independent(
    total: int, chances: tuple[float, float]
) -> None:
    dice = np.random.default_rng(5)
    found = [f for _ in range(800) if (f := _drawn(dice, total, chances))]
    held = np.mean([f.total_low <= total <= f.total_high for f in found])
    assert 0.92 <= held <= 0.985
    assert np.mean([f.total for f in found]) == pytest.approx(total, rel=0.03)


def test_posts_that_are_easy_for_both_make_the_recall_look_better_than_it_is() -> None:
    dice = np.random.default_rng(6)
    found = [f for _ in range(300) if (f := _drawn(dice, 400, (0.6, 0.5), ease=1.5))]
    true = np.mean([f.heard_count / 400 for f in found])
    assert np.mean([f.share for f in found]) > true + 0.03
