"""Payloads as received: there whole or not at all, and what a collection told on its way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines import landing
from pipelines.errors import BudgetSpent, RateLimited, SourceError
from pipelines.sources import Checkpoint, Collected, Payload
from tests.pipelines.loopback import NOON

HOUR = timedelta(hours=1)
FIRST, SECOND = (NOON - 5 * HOUR, NOON - 4 * HOUR), (NOON - 2 * HOUR, NOON - HOUR)


def _pages(end: Exception | None = None) -> Iterator[Collected]:
    for number, gap in enumerate((FIRST, None, SECOND, SECOND)):
        yield Payload(kind="post", data={"n": number})
        yield Checkpoint(cursor={"page": number}, gap=gap, note=f"page {number}")
    if end:
        yield Payload(kind="post", data={"n": "after the last checkpoint"})
        raise end


def _land(folder: Path, items: Iterator[Collected]) -> landing.Landed:
    return landing.land(items, path=folder / "a.jsonl.zst", fetched_at=NOON)


def test_every_gap_is_kept_once_and_the_last_checkpoint_counts(tmp_path: Path) -> None:
    landed = _land(tmp_path, _pages())
    assert landed.gaps == (FIRST, SECOND)
    assert (landed.payload_count, landed.cursor, landed.note) == (4, {"page": 3}, "page 3")
    assert not landed.is_halted
    assert landed.path is not None
    assert [p.data["n"] for p in landing.read(landed.path)] == [0, 1, 2, 3]


@pytest.mark.parametrize(("kind", "is_asked"), [(RateLimited, True), (BudgetSpent, False)])
def test_a_long_wait_keeps_what_came_before_its_checkpoint(
    tmp_path: Path, kind: type[RateLimited], is_asked: bool
) -> None:
    landed = _land(tmp_path, _pages(kind("come back later", NOON + HOUR)))
    assert (landed.is_halted, landed.is_capped, landed.payload_count) == (True, True, 5)
    assert landed.note == "page 3; come back later"
    assert landed.retry_at == (NOON + HOUR if is_asked else None)


def test_any_other_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        _land(tmp_path, _pages(SourceError("broken")))
    assert list(tmp_path.iterdir()) == []


def test_a_wait_before_any_checkpoint_leaves_no_file(tmp_path: Path) -> None:
    def waits() -> Iterator[Collected]:
        yield Payload(kind="post", data={})
        raise RateLimited("come back later", NOON + HOUR)

    with pytest.raises(RateLimited):
        _land(tmp_path, waits())
    assert list(tmp_path.iterdir()) == []
