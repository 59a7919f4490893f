"""Writes a tiny ONNX classifier by hand, since the package `onnx` is not in the lock.

The graph sums a row of three numbers for every token that the mask keeps. Field numbers are
those of onnx.proto (opset 13); lengths and integers are Protocol Buffers varints.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FLOAT, INT64 = 1, 7


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def part(field: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(data)) + data


def node(kind: str, inputs: list[str], output: str, **attributes: int) -> bytes:
    named = (
        part(5, part(1, name) + number(3, value) + number(20, 2))
        for name, value in attributes.items()
    )
    ins = b"".join(part(1, name) for name in inputs)
    return part(1, ins + part(2, output) + part(4, kind) + b"".join(named))


def constant(name: str, values: NDArray[np.generic]) -> bytes:
    kind = FLOAT if values.dtype == np.float32 else INT64
    dims = b"".join(number(1, size) for size in values.shape)
    return part(5, dims + number(2, kind) + part(8, name) + part(9, values.tobytes()))


def signature(field: int, name: str, kind: int, dims: list[str]) -> bytes:
    shape = b"".join(part(1, part(2, dim)) for dim in dims)
    tensor = number(1, kind) + part(2, shape)
    return part(field, part(1, name) + part(2, part(1, tensor)))


def classifier(rows: NDArray[np.float32], *, squared: bool = False) -> bytes:
    """A model whose logits are the sum of `rows[token]` over the tokens that the mask keeps.

    `squared` multiplies each logit with itself, so that the parts of a pair work on each other.
    """
    summed = "sums" if squared else "logits"
    nodes = [
        node("Gather", ["rows", "input_ids"], "each"),
        node("Cast", ["attention_mask"], "kept", to=FLOAT),
        node("Unsqueeze", ["kept", "last"], "wide"),
        node("Mul", ["each", "wide"], "shown"),
        node("ReduceSum", ["shown", "middle"], summed, keepdims=0),
        *([node("Mul", ["sums", "sums"], "logits")] if squared else []),
    ]
    constants = [
        constant("rows", rows),
        constant("last", np.array([2], np.int64)),
        constant("middle", np.array([1], np.int64)),
    ]
    inputs = ("input_ids", "attention_mask")
    return _model(nodes, constants, inputs, "logits", ["texts", "labels"])


def vectors(rows: NDArray[np.float32]) -> bytes:
    """A model whose answer is `rows[token]` for every token, as an encoder without a head."""
    nodes = [node("Gather", ["rows", "input_ids"], "states")]
    dims = ["texts", "tokens", "width"]
    return _model(nodes, [constant("rows", rows)], ("input_ids",), "states", dims)


def _model(
    nodes: Sequence[bytes],
    constants: Sequence[bytes],
    inputs: Sequence[str],
    output: str,
    dims: list[str],
) -> bytes:
    given = [signature(11, name, INT64, ["texts", "tokens"]) for name in inputs]
    answer = signature(12, output, FLOAT, dims)
    graph = b"".join([*nodes, part(2, "made by hand"), *constants, *given, answer])
    return number(1, 8) + part(7, graph) + part(8, part(1, "") + number(2, 13))
