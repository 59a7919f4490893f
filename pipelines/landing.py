"""Payloads as received, in compressed JSON lines, written aside and then renamed.

One file a run and source: `landing/<source name>/<YYYY-MM-DD>/<run id>.jsonl.zst`. A file is
there whole or not at all, so a killed collector leaves nothing that a reader could mistake for
an answer. Costs one pass; memory holds one payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from pipelines.aside import written_aside
from pipelines.errors import BudgetSpent, RateLimited
from pipelines.notes import noted, why
from pipelines.sources import Checkpoint, Collected, Cursor, Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What one collection left: the file (none when there was nothing) and the next cursor.

    `gaps` are the spans that it told it could not read. `is_halted`: it was asked to wait after a
    checkpoint, so what came before is kept and the rest comes later; not before `retry_at` where
    the service says so.
    """

    path: Path | None
    payload_count: int
    cursor: Cursor | None
    gaps: tuple[tuple[datetime, datetime], ...]
    is_capped: bool
    note: str | None
    is_halted: bool = False
    retry_at: datetime | None = None


def path_for(home: Path, source_name: str, run_id: str, at: datetime) -> Path:
    """Where the payloads of a run and source land; `at` (UTC) gives the folder of the day."""
    return home / "landing" / source_name / f"{at:%Y-%m-%d}" / f"{run_id}.jsonl.zst"


@dataclass(slots=True)
class _Progress:
    """What a collection has told so far; the one thing here that changes in place."""

    count: int = 0
    last: Checkpoint | None = None
    gaps: dict[tuple[datetime, datetime], None] = field(default_factory=dict)
    is_capped: bool = False

    def told(self, checkpoint: Checkpoint) -> None:
        self.last = checkpoint
        self.is_capped = self.is_capped or checkpoint.capped
        if checkpoint.gap:
            self.gaps[checkpoint.gap] = None


def land(items: Iterable[Collected], *, path: Path, fetched_at: datetime) -> Landed:
    """Write every payload of a collection to `path`; what comes back says how it ended.

    Errors of the source pass through and leave no file, but for one: who is asked to wait after a
    checkpoint keeps what came before it, so that no page is fetched, or paid, twice. A second call
    replaces the first file.
    """
    done = _Progress()
    wait: RateLimited | None = None
    with written_aside(path) as aside, pa.output_stream(str(aside), compression="zstd") as out:
        try:
            for item in items:
                if isinstance(item, Checkpoint):
                    done.told(item)
                else:
                    out.write(_line(item, fetched_at))
                    done.count += 1
        except RateLimited as error:
            if done.last is None:
                raise
            wait = error
    if not done.count:
        path.unlink(missing_ok=True)
    return _landed(path, done, wait)


def _landed(path: Path, done: _Progress, wait: RateLimited | None) -> Landed:
    note = done.last.note if done.last else None
    if wait and str(wait) not in (note or ""):
        note = noted([note, why(wait)])
    return Landed(
        path=path if done.count else None,
        payload_count=done.count,
        cursor=done.last.cursor if done.last else None,
        gaps=tuple(done.gaps),
        is_capped=done.is_capped or wait is not None,
        note=note,
        is_halted=wait is not None,
        retry_at=asked_back(wait) if wait else None,
    )


def asked_back(wait: RateLimited) -> datetime | None:
    """When the service wants to be asked again; None where only our own budget stands in the way.

    That budget costs nothing to ask, and a person may raise it at any time.
    """
    return None if isinstance(wait, BudgetSpent) else wait.retry_at


def _line(item: Payload, fetched_at: datetime) -> bytes:
    stamped = item if item.fetched_at else replace(item, fetched_at=fetched_at)
    return msgspec.json.encode(stamped) + b"\n"


def read(path: Path) -> Iterator[Payload]:
    """The payloads of a landed file, in order, one in memory at a time."""
    decode: Any = msgspec.json.Decoder(Payload).decode
    with pa.input_stream(str(path), compression="zstd") as stream:
        rest = b""
        while block := stream.read(1 << 20):
            *lines, rest = (rest + block).split(b"\n")
            yield from map(decode, lines)
