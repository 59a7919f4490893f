"""Whether texts still look like those that the models learnt from, a plain verdict a figure.

Languages are compared each with its own training text, never together: training read two
languages in a share of its own choice, and a town reads one. French is compared by kind of writing
too: what is expected of a file is what training text of the same mix of kinds shows, since a file
of tweets is no other French than tweets in training because it lacks film reviews.

Each figure is a distribution over a few bins: words that the vectors do not know, texts that read
as another language than the one they are said to be in, length, sureness, undetermined. Two
distributions are compared by the population stability index, sum of (a - b) ln(a / b), with the
customary limits 0.1 and 0.25 (Siddiqi 2006, "Credit risk scorecards"). Drift is no error: it says
where to look, `vigie models evaluate` says whether answers got worse.

Costs what scoring and finding languages cost. Known gaps: under LEAST_TEXTS texts of a language
the index moves by chance alone, so that no verdict is given; languages without training text in
the reference (all but French and English) are counted and not compared; a kind of French that
training lacked shows only where it moves a figure.
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
NO_LANG = "none"  # the language of texts whose language cannot be told
_VERSION = 2
_PIECE = 5_000  # texts at a time
_PULL = 5.0  # texts of the reference added to each side, so that an empty bin is not infinite
_SINGLE = ("all",)  # the kinds of writing of a language other than French

Floats = NDArray[Any]
Verdict = Literal["ok", "look", "drifted", "few texts"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A figure: its bins by name, or the edges between them, and what to do when it moves.

    Without edges the share of the last bin is what is shown of it. Where there are bins of
    `trouble`, fewer texts in them than in training are no drift.
    """

    title: str
    bins: tuple[str, ...]
    advice: str
    edges: tuple[float, ...] = ()
    trouble: tuple[int, ...] = ()


def _cut(title: str, edges: tuple[float, ...], advice: str, trouble: tuple[int, ...] = ()) -> Kind:
    names = (f"under {edges[0]:g}", *(f"from {edge:g}" for edge in edges))
    return Kind(title, names, advice, edges, trouble)


KINDS = {
    "unknown_words": Kind(
        "words not known",
        ("known", "not known"),
        "new names or another way of writing: label some of these texts and run "
        "`vigie models gold`",
        trouble=(1,),
    ),
    "other_lang": Kind(
        "reads as another language",
        ("as said", "another"),
        "check the column of languages: leave it empty where it is not sure, and it is found",
        trouble=(1,),
    ),
    # Nothing between: how long texts are differs from source to source and moves no answer.
    "length": _cut(
        "length, characters",
        (20.0, 2000.0),
        "check that sources give whole texts, neither scraps nor several posts in one",
        trouble=(0, 2),
    ),
    "sureness": _cut(
        "sureness, likeliest of three",
        (0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        "judge the model on these texts with `vigie models evaluate`; then a gold set may help",
    ),
    "undetermined": Kind(
        UNDETERMINED,
        ("said", UNDETERMINED),
        "look at empty texts and at the column of languages first, then at sureness",
        trouble=(1,),
    ),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """How many texts (or words) of each kind of writing fall into each bin, `(kinds, bins)`, and
    the sum `(kinds,)` of what was measured, 0 without edges.
    """

    counts: Floats
    totals: Floats

    @property
    def count(self) -> float:
        """How many in all."""
        return float(self.counts.sum())

    @property
    def shares(self) -> Floats:
        """The share of each bin, zeros without texts."""
        return np.asarray(self.counts.sum(axis=0) / max(self.count, 1e-9))

    @property
    def mean(self) -> float:
        """The mean of what was measured."""
        return float(self.totals.sum()) / max(self.count, 1e-9)

    def __add__(self, other: Figure) -> Figure:
        return Figure(self.counts + other.counts, self.totals + other.totals)

    def mixed_as(self, other: Figure) -> Figure:
        """As many, of the kinds of writing of the other: what is expected of texts like its own."""
        own = self.counts.sum(axis=1)
        there = np.where(own > 0, other.counts.sum(axis=1), 0.0)
        each = there / np.maximum(own, 1e-9) * self.count / max(float(there.sum()), 1e-9)
        return Figure(self.counts * each[:, None], self.totals * each)


Figures = dict[str, Figure]
ByLang = dict[str, Figures]  # by language, NO_LANG where it cannot be told


def kinds(lang: str) -> tuple[str, ...]:
    """The kinds of writing that are told apart in a language."""
    return REGISTERS if lang == "fr" else _SINGLE


def added(one: ByLang, other: ByLang) -> ByLang:
    """The figures of two sets of texts together."""
    return one | {lang: _sum(one[lang], own) if lang in one else own for lang, own in other.items()}


def _sum(one: Figures, other: Figures) -> Figures:
    return {name: one[name] + other[name] for name in KINDS}


def measured(texts: Sequence[str], langs: Sequence[str | None], *, tone: SentimentModel) -> ByLang:
    """The figures of texts by language."""
    found: ByLang = {}
    for first in range(0, len(texts), _PIECE):
        piece = slice(first, first + _PIECE)
        found = added(found, _measured(Batch(texts[piece], langs[piece]), tone))
    return found


def _measured(batch: Batch, tone: SentimentModel) -> ByLang:
    said, found = tone.score_batch(batch), language.detect(batch.texts)
    every: ByLang = {}
    for lang, (places, read) in batch.by_lang.items():
        every[lang or NO_LANG] = _figures_of(
            _Own(
                lang=lang,
                read=read,
                lengths=np.array([len(batch.texts[place]) for place in places], float),
                is_other=np.array([found[place] not in (None, lang) for place in places]),
                is_unsure=np.array([said.labels[place] == UNDETERMINED for place in places]),
                sureness=said.probabilities[places].max(axis=1).astype(float),
            )
        )
    return every


@dataclass(frozen=True, slots=True)
class _Own:
    """The texts of one language as read, and of each `(n,)` its characters, whether it reads as
    another language, whether its tone is undetermined, and its largest probability or NaN.
    """

    lang: str | None
    read: Read
    lengths: Floats
    is_other: NDArray[np.bool_]
    is_unsure: NDArray[np.bool_]
    sureness: Floats


def _figures_of(own: _Own) -> Figures:
    weights = _kind_shares(own)
    is_read = ~np.isnan(own.sureness)
    return {
        "unknown_words": _words(own, weights),
        "other_lang": _named(own.is_other, weights),
        "length": _binned("length", own.lengths, weights),
        "sureness": _binned("sureness", own.sureness[is_read], weights[is_read]),
        "undetermined": _named(own.is_unsure, weights),
    }


def _kind_shares(own: _Own) -> Floats:
    """How much each text is of each kind of writing, `(n, kinds)`, rows sum to 1."""
    if own.lang != "fr":
        return np.ones((len(own.lengths), len(_SINGLE)))
    return np.asarray(softmax(own.read.views.of("register")).astype(float))


def _binned(name: str, values: Floats, weights: Floats) -> Figure:
    edges = np.array(KINDS[name].edges)
    places = np.searchsorted(edges, values, side="right")
    return Figure(weights.T @ np.eye(len(edges) + 1)[places], weights.T @ values)


def _named(is_last: NDArray[np.bool_], weights: Floats) -> Figure:
    """Counts of two bins."""
    return Figure(weights.T @ np.stack([~is_last, is_last], axis=1), np.zeros(weights.shape[1]))


def _words(own: _Own, weights: Floats) -> Figure:
    """Words that have a vector of their own and words that have none; none of a language that the
    network does not read.
    """
    counts = np.zeros((len(own.lengths), 2))
    if own.lang in network.LANGUAGES:
        counts = np.concatenate([np.zeros((0, 2)), *_known_words(own.read)])
    return Figure(weights.T @ counts, np.zeros(weights.shape[1]))


def _known_words(read: Read) -> list[Floats]:
    vectors = network.load().vectors
    counts = []
    for piece in read.pieces:
        is_known = known(piece, vectors)[1]
        is_word = piece.classes[piece.starts] == WORD
        both = (np.bincount(piece.row[is_word & own], minlength=piece.count)
                for own in (is_known, ~is_known))  # fmt: skip
        counts.append(np.stack(list(both), axis=1))
    return counts


def reference(
    texts: Sequence[str], langs: Sequence[str | None], *, tone: SentimentModel | None = None
) -> dict[str, Any]:
    """The figures of texts by language, as JSON can hold them: `models/weights/reference.json`.

    It names the weights by which sureness was measured: `tone`, by default those that ship.
    """
    own = tone or sentiment.load()
    return {
        "version": _VERSION,
        "texts": len(texts),
        "sentiment_sha256": own.weights_sha256,
        "network_sha256": network.read_weights().sha256,
        "languages": {
            lang: {name: _packed(figure) for name, figure in figures.items()}
            for lang, figures in measured(texts, langs, tone=own).items()
        },
    }


def _packed(figure: Figure) -> dict[str, Any]:
    return {"counts": figure.counts.round(3).tolist(), "totals": figure.totals.round(3).tolist()}


def read_reference(tone: SentimentModel, *, path: Path = PATH) -> ByLang:
    """The stored reference; WeightsError when it is missing, broken, or of other weights."""
    remedy = "restore models/weights from the distribution, or train again: `vigie models train`"
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        stated = (read["version"], read["sentiment_sha256"], read["network_sha256"])
        is_ours = stated == (_VERSION, tone.weights_sha256, network.read_weights().sha256)
        every = read["languages"].items() if is_ours else ()
        found = {lang: _figures(own, lang) for lang, own in every}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} cannot be read ({type(error).__name__}): {remedy}") from error
    if not is_ours:
        raise WeightsError(f"{path} was measured with other weights: {remedy}")
    return found


def _figures(read: Mapping[str, Any], lang: str) -> Figures:
    figures = {
        name: Figure(np.array(read[name]["counts"], float), np.array(read[name]["totals"], float))
        for name in KINDS
    }
    for name, own in figures.items():
        if own.counts.shape != (len(kinds(lang)), len(KINDS[name].bins)):
            raise ValueError(f"{name} of {lang} has other bins")
    return figures


@dataclass(frozen=True, slots=True)
class Line:
    """A figure of a language here and in training, how far they are apart, a verdict, what to do.

    `parts` are the bins with the share of each here and in training.
    """

    lang: str
    title: str
    here: str
    trained: str
    psi: float
    verdict: Verdict
    advice: str
    parts: tuple[tuple[str, float, float], ...]


def compared(here: ByLang, trained: ByLang) -> list[Line]:
    """A line a figure of each language that stands on both sides, the language with most texts
    first; a figure without texts here (no word, nothing read) is left out.
    """
    both = [lang for lang in counts(here) if lang in trained]
    return [
        _line(lang, kind, here[lang][name], trained[lang][name], count=counts(here)[lang])
        for lang in both
        for name, kind in KINDS.items()
        if here[lang][name].count > 0
    ]


def counts(here: ByLang) -> dict[str, int]:
    """How many texts are of each language, most first."""
    found = {lang: round(own["length"].count) for lang, own in here.items()}
    return dict(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def mix(here: ByLang) -> list[tuple[str, float]]:
    """The share of each kind of writing in French, largest first; none without French."""
    if "fr" not in here:
        return []
    own = here["fr"]["length"].counts.sum(axis=1)
    shares = zip(REGISTERS, (own / max(float(own.sum()), 1e-9)).tolist(), strict=True)
    return sorted(shares, key=lambda each: -each[1])


def _line(lang: str, kind: Kind, here: Figure, trained: Figure, *, count: int) -> Line:
    expected = trained.mixed_as(here)
    index = psi(here.counts.sum(axis=0), expected.counts.sum(axis=0))
    said = _verdict(kind, here, expected, index) if count >= LEAST_TEXTS else "few texts"
    return Line(
        lang=lang,
        title=kind.title,
        here=_shown(kind, here),
        trained=_shown(kind, expected),
        psi=index,
        verdict=said,
        advice=kind.advice if said in ("look", "drifted") else "",
        parts=tuple(zip(kind.bins, here.shares.tolist(), expected.shares.tolist(), strict=True)),
    )


def _verdict(kind: Kind, here: Figure, expected: Figure, index: float) -> Verdict:
    places = list(kind.trouble)
    is_better = places and here.shares[places].sum() <= expected.shares[places].sum()
    return "ok" if is_better else verdict(index)


def _shown(kind: Kind, own: Figure) -> str:
    """The mean of a measure, else the share of the last bin."""
    if kind.edges:
        return f"{own.mean:.0f}" if kind.edges[0] > 1 else f"{own.mean:.2f}"
    return f"{100 * own.shares[-1]:.1f} %"


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
