"""The small network that all French and English heads share, in plain numpy.

Words become vectors (`models.vectors`); two convolutions look at each word alone and with its
neighbours (Kim 2014, "Convolutional neural networks for sentence classification"); a maximum, two
attentions and a mean by word weight pool them; one layer of 128 units follows, and from it every
head is one matrix. A convolution is linear in each word, so its products with every known word
are made once at loading, and reading a text is looking rows up and adding them.

Trained by `models.train_trunk`. Cost: about 25 microseconds a text of 100 characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.hashing import Places
from models.tokens import Tokens
from models.vectors import Floats, Found, Vectors, packed, unpacked

LENGTH = 3.0  # of a vector made from parts, and of every vector before it is tuned
TOKENS_LIMIT = 300  # that are read of one text
UNITS = 128
PLAIN_NAMES = ("gain", "one", "three", "bias", "attend", "attend_bias", "join", "join_bias")
_PIECE = 2_000  # tokens at a time, near the processor's cache


@dataclass(frozen=True, slots=True)
class Layers:
    """What was learnt beside the vectors.

    `gain` (v + 1,): log weight of each known word, then of any other; `one` (d, h), `three`
    (3, d, h) and `bias` (2h,): the convolutions; `attend` (2h, a): attentions; `join`
    (2h + 2ha + d, UNITS): the layer; `heads` (UNITS, outputs) with their biases.
    """

    gain: Floats
    one: Floats
    three: Floats
    bias: Floats
    attend: Floats
    attend_bias: Floats
    join: Floats
    join_bias: Floats
    heads: Floats
    heads_bias: Floats


@dataclass(frozen=True)
class Trunk:
    """Vectors and layers; the names of the outputs of its heads."""

    vectors: Vectors
    layers: Layers
    outputs: tuple[str, ...]

    @cached_property
    def _table(self) -> Floats:
        """Every known word through the convolutions: alone, before, at and after its place."""
        return self._through(self.vectors.rows)

    @cached_property
    def _seen(self) -> list[int]:
        """How many words were read: a few need no table of all."""
        return [0]

    def _through_words(self, places: Places, rows: Floats) -> Floats:
        """The rows of words through the convolutions, from the table once it is worth making."""
        self._seen[0] += len(places)
        if self._seen[0] < len(self.vectors.rows):
            return self._through(rows)
        return self._table[places]

    @cached_property
    def _kernels(self) -> tuple[Floats, Floats]:
        """Both convolutions side by side, and their biases where a word stands at its own place."""
        width = self.layers.one.shape[1]
        bias = np.zeros(4 * width, np.float32)
        bias[:width], bias[2 * width : 3 * width] = np.split(self.layers.bias, 2)
        return np.concatenate([self.layers.one, *self.layers.three], axis=1), bias

    def _through(self, rows: Floats) -> Floats:
        kernels, bias = self._kernels
        through = np.asarray(rows @ kernels, np.float32)
        through += bias  # in place: the table of all words is 60 MB
        return through

    def units(self, read: Tokens, words: Found) -> tuple[Floats, Floats]:
        """Of each text the units `(n, UNITS)`, at least 0, and its mean vector `(n, d)`.

        Zeros for a text without a word.
        """
        size = self.vectors.rows.shape[1]
        found, means = (np.zeros((read.count, width), np.float32) for width in (UNITS, size))
        places = words.places
        own, others = self._others(words)
        kept = np.flatnonzero(_within(read.row))
        sizes = np.bincount(read.row[kept], minlength=read.count)
        for first, last in _pieces(sizes):
            tokens = kept[slice(*np.searchsorted(read.row[kept], [first, last]))]
            rows = np.flatnonzero(sizes[first:last])
            if len(rows):
                pooled = self._pooled(places[tokens], own[tokens], others, sizes[first:last][rows])
                joined = pooled @ self.layers.join + self.layers.join_bias
                found[first + rows] = np.maximum(joined, 0)
                means[first + rows] = pooled[:, -size:]
        return found, means

    def logits(self, units: Floats) -> Floats:
        """`(n, outputs)` float32 in the order of `outputs`."""
        return np.asarray(units @ self.layers.heads + self.layers.heads_bias, np.float32)

    def _others(self, words: Found) -> tuple[Places, Floats]:
        """For each token that is not known a row of the second array, made from its parts."""
        rows = np.asarray(words.shares @ self.vectors.parts, np.float32)
        rows *= LENGTH / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
        own = np.full(len(words.places), -1)
        own[words.strange] = np.arange(len(words.strange))
        return own, rows

    def _pooled(self, places: Places, own: Places, others: Floats, sizes: Places) -> Floats:
        rows, gain = self.vectors.rows[places], self.layers.gain[places]
        table = self._through_words(places, rows)
        strange = np.flatnonzero(own >= 0)
        if len(strange):
            rows[strange] = others[own[strange]]
            table[strange] = self._through(rows[strange])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        hidden = self._hidden(table, starts)
        scores = np.exp(np.clip(hidden @ self.layers.attend + self.layers.attend_bias, -40, 40))
        parts = [np.maximum.reduceat(hidden, starts, axis=0)]
        parts += [_mean(hidden, scores[:, i], starts) for i in range(scores.shape[1])]
        return np.concatenate([*parts, _mean(rows, np.exp(gain), starts)], axis=1)

    def _hidden(self, table: Floats, starts: Places) -> Floats:
        """Each word alone and with its neighbours, after the threshold at 0; changes `table`."""
        width = self.layers.one.shape[1]
        alone, before, own, after = (
            table[:, place * width : (place + 1) * width] for place in range(4)
        )
        before[starts[1:] - 1] = 0.0  # a text has no neighbour beyond its edges
        after[starts[1:]] = 0.0
        hidden = np.empty((len(table), 2 * width), np.float32)
        hidden[:, :width] = alone
        hidden[:, width:] = own
        hidden[1:, width:] += before[:-1]
        hidden[:-1, width:] += after[1:]
        return np.maximum(hidden, 0, out=hidden)


def _within(row: Places) -> NDArray[np.bool_]:
    """Which tokens are among the first TOKENS_LIMIT of their text."""
    is_first = np.concatenate([[True], row[1:] != row[:-1]]) if len(row) else np.zeros(0, bool)
    starts = np.flatnonzero(is_first)
    place = np.arange(len(row)) - np.repeat(starts, np.diff(np.append(starts, len(row))))
    return np.asarray(place < TOKENS_LIMIT)


def _pieces(sizes: Places) -> list[tuple[int, int]]:
    """Runs of texts of about _PIECE tokens."""
    total = np.cumsum(sizes)
    cuts = np.flatnonzero(np.diff(total // _PIECE)) + 1 if len(sizes) else np.zeros(0, int)
    bounds = [0, *cuts.tolist(), len(sizes)]
    return list(pairwise(bounds))


def _mean(values: Floats, weights: Floats, starts: Places) -> Floats:
    """The mean of the rows of each text by weight."""
    pointers = np.append(starts, len(values))
    chosen = csr_matrix((weights, np.arange(len(values)), pointers))
    return np.asarray((chosen @ values) / np.add.reduceat(weights, starts)[:, None], np.float32)


def tensors(trunk: Trunk) -> dict[str, NDArray[Any]]:
    """The trunk as arrays to store."""
    own = {name: getattr(trunk.layers, name) for name in (*PLAIN_NAMES, "heads", "heads_bias")}
    return {**packed(trunk.vectors), **{f"layer.{name}": own[name] for name in own}}


def restored(stored: Mapping[str, NDArray[Any]], *, outputs: tuple[str, ...]) -> Trunk:
    """The trunk that `tensors` stored."""
    names = (*PLAIN_NAMES, "heads", "heads_bias")
    layers = Layers(*(stored[f"layer.{name}"].astype(np.float32) for name in names))
    return Trunk(unpacked(stored), layers, outputs)
