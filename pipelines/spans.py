"""Spans of time, half open, as a small algebra: joined, cut, taken away, measured.

A span is a pair of aware moments; one that ends before it begins holds nothing and is dropped.
What comes back is always sorted, and no two spans of it touch.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

Span = tuple[datetime, datetime]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Spans that touch or overlap, as one."""
    made: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((start, end))
    return made


def within(spans: Iterable[Span], window: Span) -> list[Span]:
    """What of the spans lies in `window`."""
    return merged((max(start, window[0]), min(end, window[1])) for start, end in spans)


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """What of the spans lies in none of the holes."""
    left = merged(spans)
    for start, end in merged(holes):
        left = [
            part
            for since, until in left
            for part in ((since, min(until, start)), (max(since, end), until))
            if part[0] < part[1]
        ]
    return left


def seconds(spans: Iterable[Span]) -> float:
    """How long the spans are together, each moment counted once."""
    return sum((end - start).total_seconds() for start, end in merged(spans))
