"""How much of what was said was heard, estimated where two sources overlap: capture–recapture.

Two sources hear the same network over the same hours: `first` posts, `second` posts, `both` in
common. The more of one that the other has too, the less is left that neither heard. Chapman's form
of Lincoln and Petersen's estimate (D. G. Chapman, Univ. California Publ. Stat. 1, 1951; G. A. F.
Seber, The Estimation of Animal Abundance, 2nd ed., 1982, section 3.1), with Chao's log-normal
interval (A. Chao, Biometrics 43, 1987), which never falls below what was heard.

It rests on four assumptions: nothing comes or goes while one looks (so the last hour is left out);
a post is recognised in both (by its id, else its address); each source hears any post with the
same chance; and whether one hears it says nothing of the other. The last two do not hold: posts
with a hashtag, or of popular accounts, are easier for both. Sources that miss the same posts make
the estimate of what was missed too low, so **the recall is at best what is said here**.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST_BOTH = 7  # below, Chapman's estimate is not nearly unbiased (Seber 1982, p. 60)
_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What two sources heard and what there may have been; `total_low` and `total_high` at 95 %."""

    first_count: int
    second_count: int
    both_count: int
    total: float
    total_low: float
    total_high: float

    @property
    def heard_count(self) -> int:
        """The posts that one or the other heard."""
        return self.first_count + self.second_count - self.both_count

    @property
    def share(self) -> float:
        """The part of the posts that was heard, 0..1, at best."""
        return self.heard_count / self.total

    @property
    def low(self) -> float:
        """The lower end of the interval of `share`."""
        return self.heard_count / self.total_high

    @property
    def high(self) -> float:
        """The upper end of the interval of `share`."""
        return self.heard_count / self.total_low


def estimate(first: int, second: int, both: int) -> Recall | None:
    """What there may have been beside what two sources heard; None when too few are in common.

    ValueError when `both` is more than either.
    """
    if not 0 <= both <= min(first, second):
        raise ValueError(f"{both} posts in common of {first} and {second}: that cannot be")
    if both < LEAST_BOTH:
        return None
    heard = first + second - both
    total = (first + 1) * (second + 1) / (both + 1) - 1
    missed = total - heard
    low, high = heard + 0.0, heard + 0.0
    if missed > 0:
        spread = _spread(missed, _variance(first, second, both))
        low, high = heard + missed / spread, heard + missed * spread
    return Recall(
        first_count=first,
        second_count=second,
        both_count=both,
        total=max(total, heard),
        total_low=low,
        total_high=high,
    )


def _variance(first: int, second: int, both: int) -> float:
    """Of the estimated total (Seber 1970)."""
    above = (first + 1) * (second + 1) * (first - both) * (second - both)
    return above / ((both + 1) ** 2 * (both + 2))


def _spread(missed: float, variance: float) -> float:
    """By what factor the number of missed posts may be off (Chao 1987)."""
    return math.exp(_Z * math.sqrt(math.log1p(variance / missed**2)))
