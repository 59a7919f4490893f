"""Arrow arrays made of buffers, where `pa.array` would import pandas (half a second) to look."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def numbers(values: NDArray[Any]) -> pa.Array:
    """Numbers as float32, null where NaN."""
    own = np.ascontiguousarray(values, np.float32)
    return pa.Array.from_buffers(
        pa.float32(), len(own), [_marks(~np.isnan(own)), pa.py_buffer(own)]
    )


def strings(values: Sequence[str | None]) -> pa.Array:
    """Strings, None as null. Half of a surrogate pair, which UTF-8 does not know, comes as `?`."""
    parts = [(value or "").encode("utf-8", "replace") for value in values]
    known = np.array([value is not None for value in values], np.bool_)
    offsets = _offsets([len(part) for part in parts])
    buffers = [_marks(known), pa.py_buffer(offsets), pa.py_buffer(b"".join(parts))]
    return pa.Array.from_buffers(pa.large_string(), len(parts), buffers).cast(pa.string())


def lists(values: Sequence[Sequence[str]]) -> pa.Array:
    """Lists of strings."""
    offsets = _offsets([len(value) for value in values]).astype(np.int32)
    flat = strings(list(chain.from_iterable(values)))
    kind = pa.list_(pa.string())
    own = [None, pa.py_buffer(offsets)]
    return pa.Array.from_buffers(kind, len(values), own, children=[flat])


def _offsets(sizes: Sequence[int]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def _marks(known: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(known, bitorder="little"))
