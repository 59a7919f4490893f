"""Whether texts still look like those that the models learnt from, a plain verdict a figure.

Each figure is a distribution over a few bins: words that the vectors do not know, registers,
languages, length, sureness, undetermined. Two distributions are compared by the population
stability index, sum of (a - b) ln(a / b), with the customary limits 0.1 and 0.25 (Siddiqi 2006,
"Credit risk scorecards"). Drift is no error: it says where to look, `vigie models evaluate` says
whether answers got worse.

Costs what scoring costs. Known gap: under LEAST_TEXTS texts the index moves by chance alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models import checkpoint, language, network, sentiment
from models.calibrate import softmax
from models.errors import WeightsError
from models.reading import Batch, Read
from models.sentiment import REGISTERS, UNDETERMINED, SentimentModel
from models.tokens import WORD
from models.vectors import known

PATH = checkpoint.WEIGHTS / "reference.json"
LOOK, DRIFTED = 0.1, 0.25
LEAST_TEXTS = 200
_VERSION = 1
_PIECE = 5_000  # texts at a time
_PULL = 5.0  # texts of the reference added to each side, so that an empty bin is not infinite

Floats = NDArray[Any]
Verdict = Literal["ok", "look", "drifted"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A figure: its bins by name, or the edges between them, and what to do when it moves."""

    title: str
    bins: tuple[str, ...]
    advice: str
    edges: tuple[float, ...] = ()


def _cut(title: str, edges: tuple[float, ...], advice: str) -> Kind:
    names = (f"under {edges[0]:g}", *(f"from {edge:g}" for edge in edges))
    return Kind(title, names, advice, edges)


KINDS = {
    "unknown_share": _cut(
        "words not known, share",
        (0.01, 0.05, 0.1, 0.2, 0.4),
        "new names or another way of writing: label some of these texts and run "
        "`vigie models gold`",
    ),
    "register": Kind(
        "kind of writing (French)",
        REGISTERS,
        "the kind of texts has changed: judge the models on it with `vigie models evaluate`",
    ),
    "lang": Kind(
        "language",
        (*language.LANGUAGES, "none"),
        "check which languages your sources bring: one without a model stays undetermined",
    ),
    "length": _cut(
        "length, characters",
        (20.0, 60.0, 120.0, 280.0, 600.0, 1500.0),
        "check that sources give whole texts, neither excerpts nor several posts in one",
    ),
    "sureness": _cut(
        "sureness, likeliest of three",
        (0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        "judge the model on these texts with `vigie models evaluate`; then a gold set may help",
    ),
    "undetermined": Kind(
        "undetermined",
        ("said", UNDETERMINED),
        "look at languages and empty texts first, then at sureness",
    ),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """How many texts fall into each bin, and the sum of what was measured (0 without edges)."""

    counts: Floats
    total: float = 0.0

    @property
    def shares(self) -> Floats:
        """The share of each bin, zeros without texts."""
        return np.asarray(self.counts / max(float(self.counts.sum()), 1e-9))

    @property
    def mean(self) -> float:
        """The mean of what was measured."""
        return self.total / max(float(self.counts.sum()), 1e-9)

    def __add__(self, other: Figure) -> Figure:
        return Figure(self.counts + other.counts, self.total + other.total)


Figures = dict[str, Figure]


def nothing() -> Figures:
    """The figures of no text, to add to."""
    return {name: Figure(np.zeros(len(kind.bins))) for name, kind in KINDS.items()}


def added(one: Figures, other: Figures) -> Figures:
    """The figures of two sets of texts together."""
    return {name: one[name] + other[name] for name in KINDS}


def measured(texts: Sequence[str], langs: Sequence[str | None], *, tone: SentimentModel) -> Figures:
    """The figures of texts in their languages."""
    found = nothing()
    for first in range(0, len(texts), _PIECE):
        piece = slice(first, first + _PIECE)
        found = added(found, _measured(Batch(texts[piece], langs[piece]), tone))
    return found


def _measured(batch: Batch, tone: SentimentModel) -> Figures:
    said = tone.score_batch(batch)
    sure = said.probabilities.max(axis=1, initial=0.0).astype(float)
    return {
        "unknown_share": _binned("unknown_share", _unknown(batch)),
        "register": Figure(_registers(batch)),
        "lang": _named("lang", [lang or "none" for lang in batch.langs]),
        "length": _binned("length", np.array([len(text) for text in batch.texts], float)),
        "sureness": _binned("sureness", sure[~np.isnan(sure)]),
        "undetermined": _named(
            "undetermined", [label if label == UNDETERMINED else "said" for label in said.labels]
        ),
    }


def _binned(name: str, values: Floats) -> Figure:
    bins = KINDS[name]
    places = np.searchsorted(np.array(bins.edges), values, side="right")
    counts = np.bincount(places, minlength=len(bins.bins)).astype(float)
    return Figure(counts, float(values.sum()))


def _named(name: str, values: Sequence[str]) -> Figure:
    """Counts by name; a language of no bin counts as none."""
    bins = KINDS[name].bins
    places = [bins.index(each) if each in bins else len(bins) - 1 for each in values]
    return Figure(np.bincount(np.array(places, int), minlength=len(bins)).astype(float))


def _unknown(batch: Batch) -> Floats:
    """The share of words that have no vector of their own, of each French or English text."""
    shares = [
        _unknown_shares(read)
        for lang, (_, read) in batch.by_lang.items()
        if (lang or "fr") in network.LANGUAGES
    ]
    return np.concatenate([np.zeros(0), *shares])


def _unknown_shares(read: Read) -> Floats:
    vectors = network.load().vectors
    shares = [np.zeros(0)]
    for piece in read.pieces:
        is_known = known(piece, vectors)[1]
        is_word = piece.classes[piece.starts] == WORD
        words = np.bincount(piece.row[is_word], minlength=piece.count)
        strange = np.bincount(piece.row[is_word & ~is_known], minlength=piece.count)
        shares.append((strange / np.maximum(words, 1))[words > 0])
    return np.concatenate(shares)


def _registers(batch: Batch) -> Floats:
    """How many French texts are of each register, each text shared by its probabilities."""
    if "fr" not in batch.by_lang:
        return np.zeros(len(REGISTERS))
    return np.asarray(softmax(batch.by_lang["fr"][1].views.of("register")).sum(axis=0))


def reference(
    texts: Sequence[str], langs: Sequence[str | None], *, tone: SentimentModel | None = None
) -> dict[str, Any]:
    """The figures of texts as JSON can hold them: what `models/weights/reference.json` is.

    It names the weights by which sureness was measured: `tone`, by default those that ship.
    """
    own = tone or sentiment.load()
    figures = measured(texts, langs, tone=own)
    return {
        "version": _VERSION,
        "texts": len(texts),
        "sentiment_sha256": own.weights_sha256,
        "network_sha256": network.read_weights().sha256,
        "figures": {
            name: {
                "counts": [round(float(count), 3) for count in figure.counts],
                "total": round(figure.total, 4),
            }
            for name, figure in figures.items()
        },
    }


def read_reference(tone: SentimentModel, *, path: Path = PATH) -> Figures:
    """The stored reference; WeightsError when it is missing, broken, or of other weights."""
    remedy = "restore models/weights from the distribution, or train again: `vigie models train`"
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        figures = _figures(read["figures"])
        stated = (read["version"], read["sentiment_sha256"], read["network_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} cannot be read ({type(error).__name__}): {remedy}") from error
    if stated != (_VERSION, tone.weights_sha256, network.read_weights().sha256):
        raise WeightsError(f"{path} was measured with other weights: {remedy}")
    return figures


def _figures(read: Mapping[str, Any]) -> Figures:
    figures = {
        name: Figure(np.array(read[name]["counts"], float), float(read[name]["total"]))
        for name in KINDS
    }
    if wrong := [name for name, own in figures.items() if len(own.counts) != len(KINDS[name].bins)]:
        raise ValueError(f"{wrong[0]} has other bins")
    return figures


@dataclass(frozen=True, slots=True)
class Line:
    """A figure here and in training, how far they are apart, a verdict and what to do.

    `parts` are the bins with the share of each here and in training.
    """

    title: str
    here: str
    trained: str
    psi: float
    verdict: Verdict
    advice: str
    parts: tuple[tuple[str, float, float], ...]


def compared(here: Figures, trained: Figures) -> list[Line]:
    """A line a figure; one without texts here (no French, nothing read) is left out."""
    return [
        _line(kind, here[name], trained[name])
        for name, kind in KINDS.items()
        if here[name].counts.sum() > 0
    ]


def _line(kind: Kind, here: Figure, trained: Figure) -> Line:
    index = psi(here.counts, trained.counts)
    said = verdict(index)
    return Line(
        title=kind.title,
        here=_shown(kind, here),
        trained=_shown(kind, trained),
        psi=index,
        verdict=said,
        advice="" if said == "ok" else kind.advice,
        parts=tuple(zip(kind.bins, here.shares.tolist(), trained.shares.tolist(), strict=True)),
    )


def _shown(kind: Kind, own: Figure) -> str:
    """The mean of a measure, the share of undetermined, else the most frequent bin."""
    if kind.edges:
        return f"{own.mean:.0f}" if kind.edges[0] > 1 else f"{own.mean:.2f}"
    place = 1 if kind.bins[-1] == UNDETERMINED else int(own.shares.argmax())
    return f"{kind.bins[place]} {100 * own.shares[place]:.0f} %"


def psi(here: Floats, trained: Floats) -> float:
    """The population stability index of two lots of counts, 0 when they are alike.

    Both sides are drawn a little to their mean, so that an empty bin does not make it infinite.
    """
    both = [own / max(float(own.sum()), 1e-9) for own in (here, trained)]
    prior = (both[0] + both[1]) / 2 + 1e-6
    one, other = (
        (own + _PULL * prior) / (own.sum() + _PULL * prior.sum()) for own in (here, trained)
    )
    return float(((one - other) * np.log(one / other)).sum())


def verdict(index: float) -> Verdict:
    """What an index means: under 0.1 nothing, under 0.25 look, else drifted."""
    if index < LOOK:
        return "ok"
    return "look" if index < DRIFTED else "drifted"
