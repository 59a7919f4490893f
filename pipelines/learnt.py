"""Keeps what the detector of bursts learns of a series at the beginning of a day.

Learning a series costs some 30 ms, judging a step of it then two. What was learnt stands in the
table `burst_day` until the next day: numbers only, packed and compressed (about 10 KB a series). A
`stamp` says what of the days before was known; where mentions or gaps of the last five days have
changed since, as late posts do, it is another one, and the series is learnt anew.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from pipelines import warehouse
from pipelines.burst import Kept, Learnt, Tail
from pipelines.series import Flags, Floats

Key = tuple[str, str]  # subject and scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was kept of one series, and of what state of the days before."""

    stamp: str
    kept: Kept


class _Packed(msgspec.Struct):
    learnt: bytes | None
    numbers: tuple[float, float, float, float, float]
    tails: list[tuple[bytes, float, float, float, float] | None]
    means: bytes
    owed: bytes
    heard: bytes
    silence: float


def pack(kept: Kept) -> bytes:
    """The bytes of what was kept."""
    found = kept.learnt
    packed = _Packed(
        learnt=found.rate.tobytes() if found else None,
        numbers=(found.spread, found.day_spread, found.doubt, found.day_mean, found.hours)
        if found
        else (0.0, 0.0, 0.0, 0.0, 0.0),
        tails=[_packed_tail(t) if t else None for t in (found.tails if found else ())],
        means=kept.means.tobytes(),
        owed=kept.owed.tobytes(),
        heard=np.packbits(kept.heard).tobytes(),
        silence=float(kept.silence),
    )
    return zlib.compress(msgspec.msgpack.encode(packed), 1)


def _packed_tail(t: Tail) -> tuple[bytes, float, float, float, float]:
    return t.maxima.tobytes(), float(t.over), float(t.share), float(t.shape), float(t.scale)


def unpack(packed: bytes) -> Kept:
    """What `pack` was given, to the bit."""
    found = msgspec.msgpack.decode(zlib.decompress(packed), type=_Packed)
    means = _floats(found.means)
    bits = np.unpackbits(np.frombuffer(found.heard, np.uint8), count=len(means))
    heard: Flags = bits.astype(np.bool_)
    return Kept(
        learnt=_learnt(found),
        means=means,
        owed=_floats(found.owed),
        heard=heard,
        silence=found.silence,
    )


def _learnt(found: _Packed) -> Learnt | None:
    if found.learnt is None:
        return None
    spread, day_spread, doubt, day_mean, hours = found.numbers
    return Learnt(
        rate=_floats(found.learnt),
        spread=spread,
        day_spread=day_spread,
        doubt=doubt,
        day_mean=day_mean,
        hours=hours,
        tails=tuple(_tail(each) for each in found.tails),
    )


def _tail(found: tuple[bytes, float, float, float, float] | None) -> Tail | None:
    if found is None:
        return None
    maxima, over, share, shape, scale = found
    return Tail(maxima=_floats(maxima), over=over, share=share, shape=shape, scale=scale)


def _floats(found: bytes) -> Floats:
    return np.frombuffer(found, np.float64)


def load(connection: duckdb.DuckDBPyConnection, day_on: date) -> dict[int, Known]:
    """What was kept of the series of `watched_series` that day, by their numbers."""
    rows = warehouse.run(connection, "signals/burst_day", {"day_on": day_on}).fetchall()
    return {n: Known(stamp=stamp, kept=unpack(packed)) for n, stamp, packed in rows}


def save(
    connection: duckdb.DuckDBPyConnection,
    day_on: date,
    keys: Sequence[Key],
    found: Sequence[Known],
) -> None:
    """Keep what was learnt of series that day instead of what was; earlier days go."""
    rows = {
        "subject_id": [subject for subject, _ in keys],
        "scope": [scope for _, scope in keys],
        "stamp": [known.stamp for known in found],
        "kept": pa.array([pack(known.kept) for known in found], pa.binary()),
    }
    connection.register("learnt_series", pa.table(rows))
    try:
        with warehouse.transaction(connection):
            warehouse.run(connection, "writes/burst_day_add", {"day_on": day_on})
    finally:
        connection.unregister("learnt_series")
