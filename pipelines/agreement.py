"""How far people agree beyond chance: Krippendorff's alpha, with its bootstrap interval.

1 is full agreement, 0 what chance alone would give, below 0 worse than that. Alpha takes any number
of people and any holes (Krippendorff 2011, "Computing Krippendorff's alpha-reliability",
Annenberg School for Communication). Tones are nominal; topics and acts are sets, whose distance is
MASI: half right is better than wrong (Passonneau 2006, "Measuring agreement on set-valued items",
LREC). Krippendorff holds 0.8 for reliable and 0.667 for the least to draw a tentative conclusion
from (Content Analysis, chapter 11). Cohen's kappa would want the same two people throughout.

Known gap: rare topics make alpha low although almost every answer is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RELIABLE, TENTATIVE = 0.8, 0.667
LEAST = 10  # messages judged twice, for an interval to be told
_SAMPLES = 1_000
_SEED = 20261126

Distance = Callable[[Hashable, Hashable], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of `count` messages judged by two or more: the share of pairs of answers that are the same,
    alpha (None where all answers are one and the same, so that chance is not known) with its 95 %
    interval (None under `LEAST`).
    """

    count: int
    same_share: float
    alpha: float | None
    interval: tuple[float, float] | None = None


def verdict(found: Agreement) -> str:
    """`reliable` where all of the interval is, `tentative` or `low` by alpha, `few` without one."""
    if found.interval is None or found.alpha is None:
        return "few"
    if found.interval[0] >= RELIABLE:
        return "reliable"
    return "tentative" if found.alpha >= TENTATIVE else "low"


def nominal(one: Hashable, other: Hashable) -> float:
    """0 for the same answer, 1 for another."""
    return float(one != other)


def masi(one: Hashable, other: Hashable) -> float:
    """The distance of two sets, 0..1: 1 - Jaccard's index times how one lies in the other."""
    assert isinstance(one, frozenset)  # noqa: S101 - the type of every caller
    assert isinstance(other, frozenset)  # noqa: S101
    if one == other:
        return 0.0
    shared = len(one & other)
    lies = 2 / 3 if one <= other or other <= one else 1 / 3
    return 1.0 - lies * shared / len(one | other)


def agreement(units: Sequence[Sequence[Hashable]], distance: Distance) -> Agreement | None:
    """The agreement on messages, each with the answers of those who judged it; None where none was
    judged twice. Messages with one answer count for nothing.
    """
    twice = [unit for unit in units if len(unit) > 1]
    if not twice:
        return None
    values = list(dict.fromkeys(value for unit in twice for value in unit))
    counts = np.array([[unit.count(v) for v in values] for unit in twice], np.float64)
    apart = np.array([[distance(one, other) for other in values] for one in values])
    whole = float(_alphas(counts, apart, np.ones((1, len(twice))))[0])
    return Agreement(
        count=len(twice),
        same_share=_same(counts),
        alpha=None if np.isnan(whole) else whole,
        interval=_interval(counts, apart) if len(twice) >= LEAST else None,
    )


def _alphas(
    counts: NDArray[np.float64], apart: NDArray[np.float64], draws: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Alpha of each row of `draws`, which says how often each message counts; NaN where unknown.

    Observed disagreement over the one expected were all answers shuffled.
    """
    judged = counts.sum(axis=1)
    observed = np.einsum("ui,ij,uj->u", counts, apart, counts) / (judged - 1)
    total, pooled = draws @ judged, draws @ counts
    expected = np.einsum("bi,ij,bj->b", pooled, apart, pooled) / (total - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = 1.0 - (draws @ observed) / expected
    found[expected == 0] = np.nan
    return found


def _interval(
    counts: NDArray[np.float64], apart: NDArray[np.float64]
) -> tuple[float, float] | None:
    """The 2.5th and 97.5th percentiles over bootstrap samples of the messages."""
    size = len(counts)
    dice = np.random.default_rng(_SEED)
    draws = dice.multinomial(size, np.full(size, 1 / size), size=_SAMPLES).astype(np.float64)
    found = _alphas(counts, apart, draws)
    known = found[~np.isnan(found)]
    if not len(known):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def _same(counts: NDArray[np.float64]) -> float:
    """The share of pairs of answers to one message that are the same."""
    judged = counts.sum(axis=1)
    pairs = judged * (judged - 1)
    return float((counts * (counts - 1)).sum() / pairs.sum())
