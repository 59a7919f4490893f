"""Spans of time: joined, cut, taken away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from pipelines import spans

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
_SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def at(*pairs: tuple[int, int]) -> list[spans.Span]:
    return [(NOON + timedelta(minutes=a), NOON + timedelta(minutes=b)) for a, b in pairs]


def test_spans_that_touch_are_one_and_empty_ones_are_none() -> None:
    assert spans.merged(at((5, 9), (0, 3), (3, 4), (7, 8), (6, 6), (9, 2))) == at((0, 4), (5, 9))
    assert spans.within(at((0, 10), (20, 30)), *at((5, 25))) == at((5, 10), (20, 25))
    assert spans.without(at((0, 10)), at((2, 3), (5, 12))) == at((0, 2), (3, 5))
    assert spans.seconds(at((0, 2), (1, 3))) == 180


@given(_SPANS, _SPANS)
def test_minute_by_minute_the_algebra_is_that_of_sets(
    some: list[tuple[int, int]], holes: list[tuple[int, int]]
) -> None:
    def minutes(pairs: list[spans.Span]) -> set[datetime]:
        return {
            NOON + timedelta(minutes=n)
            for n in range(41)
            for start, end in pairs
            if start <= NOON + timedelta(minutes=n) < end
        }

    left = spans.without(at(*some), at(*holes))
    assert minutes(left) == minutes(at(*some)) - minutes(at(*holes))
    assert minutes(spans.merged(at(*some))) == minutes(at(*some))
    assert left == spans.merged(left)
