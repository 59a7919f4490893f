"""One logistic head a label, each on its own: topics, acts, services, political, irony.

A head reads five views of a text: the units, mean vector and outputs of the shared network
(`models.network`), and the weight and presence of terms (`models.lexicons`). Every head was
fitted alone, from its own file and its own answers, on a network that is left as it is: as long
as the network is not trained again, a topic that is added or changed never moves another's scores.
(The network learns from the sentences of all topics that none of them is abuse, so that training
it again may move every score a little.) A label that was never trained is judged by its terms
alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models import checkpoint, lexicons, network
from models.calibrate import sigmoid
from models.checkpoint import Checkpoint
from models.network import Views
from models.taxonomy import taxonomy

TASK = "heads"
HITS_LIMIT = 1.5  # more terms than that add nothing
_UNTRAINED = (2.5, 1.0, -2.0)  # weight, presence, bias of a label that has terms and no training

Floats = NDArray[np.float32]


def columns_of(names: Sequence[str]) -> list[int]:
    """The places of some labels among `wanted()`."""
    return [wanted().index(name) for name in names]


def inputs(views: Views, hits: Floats) -> Floats:
    """The five views side by side: `(n, UNITS + d + outputs + 2 · labels)`."""
    return np.concatenate(
        [views.units, views.mean, views.logits, np.minimum(hits, HITS_LIMIT), hits > 0], axis=1
    ).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Heads:
    """Heads of a language: names, weights `(inputs, h)` and biases `(h,)`."""

    names: tuple[str, ...]
    weights: Floats
    bias: Floats

    def chances(self, views: Views, hits: Floats) -> Floats:
        """The probability of each label `(n, h)`: that of `inputs`, without laying them out.

        Terms are few in a text, so that their part is a product of sparse rows.
        """
        logits, first = self.bias.copy(), 0
        total = np.tile(logits, (len(hits), 1))
        for view in (views.units, views.mean, views.logits):
            total += view @ self.weights[first : first + view.shape[1]]
            first += view.shape[1]
        weighed = csr_matrix(np.minimum(hits, HITS_LIMIT))
        present = csr_matrix(
            (np.ones_like(weighed.data), weighed.indices, weighed.indptr), hits.shape
        )
        size = hits.shape[1]
        total += weighed @ self.weights[first : first + size]
        total += present @ self.weights[first + size :]
        return sigmoid(total).astype(np.float32)


@cache
def read_weights() -> Checkpoint:
    """The weights of the heads; WeightsError when they are missing, altered or do not match."""
    read = checkpoint.read(checkpoint.WEIGHTS, TASK, task=TASK)
    network.check(read.description)
    return read


@cache
def load(lang: str) -> Heads:
    """The heads of a language, in the order of `wanted()`."""
    return restored(read_weights().tensors, lang=lang)


def named(marks: NDArray[np.bool_], names: Sequence[str]) -> list[tuple[str, ...]]:
    """The names of the marked columns of each row, in order."""
    found: list[tuple[str, ...]] = [()] * len(marks)
    for row, column in zip(*(each.tolist() for each in np.nonzero(marks)), strict=True):
        found[row] = (*found[row], names[column])
    return found


def topic_count() -> int:
    """How many of `wanted()` are topics: they come first."""
    return len(taxonomy())


@cache
def wanted() -> tuple[str, ...]:
    """Every label that has a head: topics, political, irony, acts, services."""
    topics = tuple(topic.id for topic in taxonomy())
    others = (name for name in lexicons.labels() if name.startswith(("acts/", "aspects/")))
    return (*topics, "political", "irony", *(n for n in others if n[-1] != "!" and "." not in n))


def stored(heads: Mapping[str, tuple[Floats, float]], *, lang: str) -> dict[str, NDArray[Any]]:
    """Heads as arrays: each label's own weights, terms by name so that their order may change."""
    tensors: dict[str, NDArray[Any]] = {}
    size = len(lexicons.labels())
    for name, (weights, bias) in heads.items():
        dense, weighed, present = np.split(weights, [len(weights) - 2 * size, len(weights) - size])
        used = [i for i in range(size) if weighed[i] or present[i]]
        tensors[f"{lang}.{name}.dense"] = dense.astype(np.float32)
        tensors[f"{lang}.{name}.terms"] = np.array(
            [[weighed[i], present[i]] for i in used], np.float32
        ).reshape(-1, 2)
        tensors[f"{lang}.{name}.bias"] = np.array([bias], np.float32)
        labels = "\n".join(lexicons.labels()[i] for i in used)
        tensors[f"{lang}.{name}.labels"] = np.frombuffer(labels.encode() or b" ", np.uint8)
    return tensors


def restored(tensors: Mapping[str, NDArray[Any]], *, lang: str) -> Heads:
    """The heads that `stored` wrote, and terms alone for a label without weights."""
    size = len(lexicons.labels())
    dense = next(v for k, v in tensors.items() if k.startswith(f"{lang}.") and k.endswith(".dense"))
    total = np.zeros((len(dense) + 2 * size, len(wanted())), np.float32)
    bias = np.zeros(len(wanted()), np.float32)
    for column, name in enumerate(wanted()):
        own = {part: tensors.get(f"{lang}.{name}.{part}") for part in ("dense", "terms", "labels")}
        if own["dense"] is None or own["terms"] is None or own["labels"] is None:
            _untrained(total[:, column], len(dense), name)
            bias[column] = _UNTRAINED[2]
            continue
        total[: len(dense), column] = own["dense"]
        labels = own["labels"].tobytes().decode().split("\n")
        for label, (weighed, present) in zip(labels, own["terms"], strict=False):
            if label in lexicons.table():
                at = len(dense) + lexicons.place(label)
                total[at, column], total[at + size, column] = weighed, present
        bias[column] = tensors[f"{lang}.{name}.bias"][0]
    return Heads(wanted(), total, bias)


def _untrained(column: Floats, first: int, name: str) -> None:
    at = first + lexicons.place(name)
    column[at], column[at + len(lexicons.labels())] = _UNTRAINED[:2]
