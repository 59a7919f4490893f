"""Fits the shared network (`models.trunk`) to all its tasks at once, with torch on one thread.

Vectors learnt from open text are tuned with the rest; those of words that are not known stay as
their parts make them, so that training sees what scoring will. A step draws texts of like length
whatever their set, and a task counts the texts of the step that answer it. One run takes about
five minutes on a core. The same seed, data and versions of the libraries give the same bytes.

torch is needed for training only: `pip install -e '.[train]'`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.examples import TASKS, Example
from models.hashing import Places
from models.text import prepare
from models.tokens import batches
from models.trunk import LENGTH, TOKENS_LIMIT, UNITS, Layers, Trunk
from models.vectors import Floats, Vectors, composed, known

log = logging.getLogger(__name__)

WIDTH = 64  # of each convolution
ATTENTIONS = 2
EPOCHS = 10
BATCH = 32
RATE, VECTOR_RATE = 2e-3, 1e-3
DROPPED_UNITS, DROPPED_WORDS = 0.4, 0.15
SMOOTHING = 0.05
_RARE = 1e-3  # a word this frequent weighs half in the mean (Arora et al. 2017)
_CROWD = 9_000  # texts of one origin that one epoch reads at most
_REACH = 24  # steps whose texts are sorted by length together


@dataclass(frozen=True, slots=True)
class Lesson:
    """Texts as rows of the table of vectors, the answers of each task, folds are the caller's."""

    words: list[Places]
    others: Floats
    answers: dict[str, Floats]
    weights: Floats
    origins: NDArray[np.int64]


def lesson(taught: Sequence[Example], vectors: Vectors) -> Lesson:
    """The examples as numbers. Row 0 of the table is padding; known words, then others, follow."""
    words: list[Places] = [np.zeros(1, np.int64)] * len(taught)
    others: list[Floats] = []
    count = 1 + len(vectors.rows)
    for lang in sorted({each.lang for each in taught}):
        places = [i for i, each in enumerate(taught) if each.lang == lang]
        at = 0
        for read in batches(prepare([taught[i].text for i in places], lang=lang)):
            rows, _ = known(read, vectors)
            strange = np.flatnonzero(rows < 0)
            ids = rows + 1
            ids[strange] = count + np.arange(len(strange))
            count += len(strange)
            others.append(_unit(composed(read, strange, vectors.parts)))
            for own in np.split(ids, np.searchsorted(read.row, np.arange(1, read.count))):
                words[places[at]] = own[:TOKENS_LIMIT] if len(own) else np.zeros(1, np.int64)
                at += 1
    names = {name: place for place, name in enumerate(sorted({each.origin for each in taught}))}
    return Lesson(
        words,
        np.concatenate(others),
        {task.name: _answers(taught, task.name, len(task.labels)) for task in TASKS},
        np.array([each.weight for each in taught], np.float32),
        np.array([names[each.origin] for each in taught]),
    )


def _unit(rows: Floats) -> Floats:
    norms = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return np.asarray(LENGTH * rows / norms, np.float32)


def _answers(taught: Sequence[Example], name: str, count: int) -> Floats:
    nothing = (np.nan,) * count
    rows = [each.answers.get(name, nothing) for each in taught]
    return np.array([[np.nan if v is None else v for v in row] for row in rows], np.float32)


def outputs() -> tuple[str, ...]:
    """The names of the outputs, task by task."""
    return tuple(f"{task.name}.{label}" for task in TASKS for label in task.labels)


class _Network:
    """The torch side of `models.trunk`, word for word."""

    def __init__(self, vectors: Vectors, others: Floats, frequency: Floats, seed: int) -> None:
        import torch
        from torch import nn

        torch.manual_seed(seed)
        size = vectors.rows.shape[1]
        known_rows = np.concatenate([np.zeros((1, size), np.float32), _unit(vectors.rows)])
        self.torch = torch
        self.others = torch.from_numpy(others if len(others) else np.zeros((1, size), np.float32))
        self.rows = nn.Embedding.from_pretrained(
            torch.from_numpy(known_rows), freeze=False, sparse=True
        )
        gain = np.log(_RARE / (_RARE + frequency)).astype(np.float32)[:, None]
        self.gain = nn.Embedding.from_pretrained(torch.from_numpy(gain), freeze=False, sparse=True)
        self.one = nn.Linear(size, WIDTH)
        self.three = nn.Conv1d(size, WIDTH, 3, padding=1)
        self.attend = nn.Linear(2 * WIDTH, ATTENTIONS)
        self.join = nn.Linear(2 * WIDTH * (1 + ATTENTIONS) + size, UNITS)
        self.heads = nn.Linear(UNITS, len(outputs()))
        self.dense = [self.one, self.three, self.attend, self.join, self.heads]

    def vectors_of(self, ids: Any) -> Any:
        """Tuned vectors of known words, fixed ones of others."""
        size = self.rows.num_embeddings
        own = self.rows(ids.clamp(max=size - 1))
        strange = self.others[(ids - size).clamp(min=0)]
        return self.torch.where((ids >= size)[..., None], strange, own)

    def units(self, ids: Any, *, random: Any = None) -> Any:
        """As `Trunk.units`; with a generator, words and units are dropped."""
        torch, size = self.torch, self.rows.num_embeddings
        is_word = (ids > 0).float()
        if random is not None:
            is_word = is_word * (torch.rand(ids.shape, generator=random) > DROPPED_WORDS).float()
        rows = self.vectors_of(ids) * is_word[..., None]
        gain = self.gain(torch.where(ids < size, ids, size))[..., 0].exp() * is_word
        mean = (rows * gain[..., None]).sum(1) / gain.sum(1, keepdim=True).clamp(min=1e-6)
        seen = self._dropped(rows, random)
        near = self.three(seen.transpose(1, 2)).transpose(1, 2)
        hidden = torch.cat([self.one(seen), near], -1).relu() * is_word[..., None]
        scores = self.attend(hidden).masked_fill(is_word[..., None] == 0, -1e4).softmax(1)
        attended = torch.einsum("nth,nta->nah", hidden, scores).flatten(1)
        pooled = torch.cat([hidden.amax(1), attended, mean], 1)
        return self._dropped(self.join(self._dropped(pooled, random)).relu(), random)

    def _dropped(self, values: Any, random: Any) -> Any:
        if random is None:
            return values
        keep = 1.0 - DROPPED_UNITS
        return values * (self.torch.rand(values.shape, generator=random) < keep).float() / keep

    def layers(self) -> Layers:
        """What was learnt, as numpy arrays."""
        three = self.three.weight.detach().numpy()
        return Layers(
            gain=self.gain.weight.detach().numpy()[1:, 0].copy(),
            one=_transposed(self.one),
            three=np.ascontiguousarray(three.transpose(2, 1, 0)),
            bias=np.concatenate([_bias(self.one), _bias(self.three)]),
            attend=_transposed(self.attend),
            attend_bias=_bias(self.attend),
            join=_transposed(self.join),
            join_bias=_bias(self.join),
            heads=_transposed(self.heads),
            heads_bias=_bias(self.heads),
        )


def _transposed(layer: Any) -> Floats:
    return np.ascontiguousarray(layer.weight.detach().numpy().T)


def _bias(layer: Any) -> Floats:
    return np.asarray(layer.bias.detach().numpy()).copy()


def fit(taught: Lesson, vectors: Vectors, chosen: Places, *, seed: int) -> Trunk:
    """A trunk that learnt from the chosen examples."""
    import torch

    torch.set_num_threads(1)
    network = _Network(vectors, taught.others, _frequency(taught, chosen, len(vectors.rows)), seed)
    draw = np.random.default_rng(seed)
    random = torch.Generator().manual_seed(seed)
    sparse = torch.optim.SparseAdam([*network.rows.parameters(), *network.gain.parameters()])
    dense = torch.optim.AdamW(
        [value for layer in network.dense for value in layer.parameters()], weight_decay=1e-2
    )
    plan = [step for _ in range(EPOCHS) for step in _epoch(taught, chosen, draw)]
    for place, rows in enumerate(plan):
        share = min(1.0, (place + 1) / 200) * (0.51 + 0.49 * np.cos(np.pi * place / len(plan)))
        sparse.param_groups[0]["lr"], dense.param_groups[0]["lr"] = (
            VECTOR_RATE * share,
            RATE * share,
        )
        loss = _loss(network, taught, rows, random)
        sparse.zero_grad()
        dense.zero_grad()
        loss.backward()
        sparse.step()
        dense.step()
        if place % 1000 == 0:
            log.info("trunk.step done=%d of=%d loss=%.3f", place, len(plan), float(loss.detach()))
    rows_now = network.rows.weight.detach().numpy()[1:].copy()
    return Trunk(Vectors(vectors.hashes, rows_now, vectors.parts), network.layers(), outputs())


def _frequency(taught: Lesson, chosen: Places, count: int) -> Floats:
    """The share of each row of the table among the words of the chosen texts; 0 for padding."""
    ids = np.concatenate([taught.words[i] for i in chosen])
    found = np.bincount(np.minimum(ids, count + 1), minlength=count + 2).astype(np.float32)
    found /= found.sum()
    found[-1] = found[1:-1][found[1:-1] > 0].min()  # a strange word is a rare one
    return found


def _epoch(taught: Lesson, chosen: Places, draw: np.random.Generator) -> Iterator[Places]:
    """The steps of one epoch: every text once, but for the overflow of a crowded origin."""
    mixed = draw.permutation(chosen)
    kept = np.concatenate(
        [mixed[taught.origins[mixed] == origin][:_CROWD] for origin in np.unique(taught.origins)]
    )
    mixed = draw.permutation(kept)
    sizes = np.array([len(taught.words[i]) for i in mixed])
    steps = []
    for first in range(0, len(mixed), BATCH * _REACH):
        own = mixed[first : first + BATCH * _REACH]
        own = own[np.argsort(sizes[first : first + BATCH * _REACH], kind="stable")]
        steps += [own[at : at + BATCH] for at in range(0, len(own), BATCH)]
    return (steps[i] for i in draw.permutation(len(steps)))


def padded(words: Sequence[Places]) -> NDArray[np.int64]:
    """Texts as one array, 0 after their end."""
    made = np.zeros((len(words), max(3, max(map(len, words)))), np.int64)
    for row, own in enumerate(words):
        made[row, : len(own)] = own
    return made


def _loss(network: _Network, taught: Lesson, rows: Places, random: Any) -> Any:
    torch = network.torch
    ids = torch.from_numpy(padded([taught.words[i] for i in rows]))
    logits = network.heads(network.units(ids, random=random))
    weights = torch.from_numpy(taught.weights[rows])[:, None]
    total, at = 0.0, 0
    for task in TASKS:
        said = logits[:, at : at + len(task.labels)]
        at += len(task.labels)
        truth = torch.from_numpy(taught.answers[task.name][rows])
        is_said = ~truth.isnan()
        if not bool(is_said.any()):
            continue
        truth = truth.nan_to_num()
        if task.kind == "one":
            smooth = truth * (1 - SMOOTHING) + SMOOTHING / len(task.labels)
            each = -(smooth * said.log_softmax(1)) * is_said
        else:
            each = torch.nn.functional.binary_cross_entropy_with_logits(
                said, truth, reduction="none"
            )
            each = each * is_said
        total = total + task.weight * (each * weights).sum() / len(rows)
    return total
