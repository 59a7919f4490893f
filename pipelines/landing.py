"""Payloads as received, in compressed JSON lines, written aside and then renamed.

One file a run and source: `landing/<source name>/<YYYY-MM-DD>/<run id>.jsonl.zst`. A file is
there whole or not at all, so a killed collector leaves nothing that a reader could mistake for
an answer. Costs one pass; memory holds one payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from pipelines.aside import written_aside
from pipelines.sources import Checkpoint, Collected, Cursor, Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What one collection left: the file (none when there was nothing) and the next cursor."""

    path: Path | None
    payload_count: int
    cursor: Cursor | None
    gap: tuple[datetime, datetime] | None
    is_capped: bool
    note: str | None


def path_for(home: Path, source_name: str, run_id: str, at: datetime) -> Path:
    """Where the payloads of a run and source land; `at` (UTC) gives the folder of the day."""
    return home / "landing" / source_name / f"{at:%Y-%m-%d}" / f"{run_id}.jsonl.zst"


def land(items: Iterable[Collected], *, path: Path, fetched_at: datetime) -> Landed:
    """Write every payload of a collection to `path`; what comes back says how it ended.

    Errors of the source pass through and leave no file. A second call replaces the first file.
    """
    counted = 0
    last: Checkpoint | None = None
    gap: tuple[datetime, datetime] | None = None
    is_capped = False
    with written_aside(path) as aside, pa.output_stream(str(aside), compression="zstd") as out:
        for item in items:
            if isinstance(item, Payload):
                out.write(_line(item, fetched_at))
                counted += 1
                continue
            last = item
            gap = item.gap or gap
            is_capped = is_capped or item.capped
    if not counted:
        path.unlink(missing_ok=True)
    return Landed(
        path=path if counted else None,
        payload_count=counted,
        cursor=last.cursor if last else None,
        gap=gap,
        is_capped=is_capped,
        note=last.note if last else None,
    )


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
