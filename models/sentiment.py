"""The tone of texts: negative, neutral, positive, or undetermined.

`load()` gives the embedded model or a transformers checkpoint (`models.hub`), both with
`score(texts, langs)`. A language without a model of its own is never given another's: its
probabilities are NaN. Tone is about the text, not about its target;
figures by language and known failures stand in `models/cards/sentiment.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models import checkpoint, linear, network, word_scores
from models.calibrate import sigmoid, softmax
from models.checkpoint import Checkpoint, Description
from models.network import Views
from models.reading import Batch, Read
from models.word_scores import WordScores

TASK = "sentiment"
LABELS = ("negative", "neutral", "positive")
REGISTERS = ("service", "tweet", "debate", "review", "post")
UNDETERMINED = "undetermined"
ABSTAIN_UNDER = 0.42  # the likeliest of three must reach it: chance is 0.33
GOLD_FILE = "gold-sentiment.safetensors"  # of a home, once a gold set was promoted
WIDENING = 0.5  # how far a certain irony draws the probabilities to a third each

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tones:
    """Probabilities `(n, 3)` float32 in the order of LABELS, NaN where no model reads the text;
    labels, `undetermined` where NaN or under the threshold; scores p(positive) - p(negative) in
    -1..1, NaN where undetermined.
    """

    probabilities: NDArray[np.float32]
    labels: list[str]
    scores: NDArray[np.float32]


class SentimentModel(Protocol):
    """What both kinds of model offer."""

    @property
    def model_id(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def thresholds(self) -> Mapping[str, float]: ...
    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Tones: ...
    def score_batch(self, batch: Batch) -> Tones: ...


def load(name: str = "embedded", *, may_download: bool = False) -> SentimentModel:
    """The model of that name: `embedded`, a file of a gold set, a folder, `org/name@revision`.

    WeightsError when the weights are missing, altered or do not match. `may_download` lets a
    checkpoint be fetched; otherwise nothing leaves the machine.
    """
    if name == "embedded":
        return Embedded(checkpoint.read(checkpoint.WEIGHTS, TASK, task=TASK, labels=LABELS))
    if Path(name).name == GOLD_FILE:
        from models import gold

        return gold.load_gold(Path(name).parent)
    from models import hub

    return hub.load_sentiment(name, may_download=may_download)


def tones(probabilities: NDArray[np.float32], *, threshold: float | Floats) -> Tones:
    """Labels and scores from probabilities; NaN rows and unsure ones are undetermined.

    `threshold` is one for all texts, or one a text.
    """
    known = np.nan_to_num(probabilities, nan=0.0)
    is_sure = known.max(axis=1, initial=0.0) >= threshold
    places = known.argmax(axis=1) if len(known) else np.zeros(0, int)
    labels = [
        LABELS[place] if sure else UNDETERMINED for place, sure in zip(places, is_sure, strict=True)
    ]
    scores = np.where(is_sure, known[:, 2] - known[:, 0], np.nan).astype(np.float32)
    return Tones(probabilities, labels, scores)


class Embedded:
    """The network's heads and hashed linear ones, joined; linear ones alone in other languages.

    French has a head for each register (letters, tweets, debate, reviews, posts), and the network
    says how much a text is of each. A likely irony draws the three probabilities together: it
    widens the doubt and never turns the label.
    """

    def __init__(self, weights: Checkpoint) -> None:
        self._weights = weights
        network.check(weights.description)
        self._ready: dict[str, tuple[linear.Head, WordScores | None]] = {}

    @property
    def model_id(self) -> str:
        """Name and version of the weights."""
        return f"{self._weights.description.model_id}-{self._weights.description.version}"

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the file of weights; that of the network stands in the lineage beside it."""
        return self._weights.sha256

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probability under which the model abstains."""
        return self._weights.description.thresholds

    @property
    def description(self) -> Description:
        """What the weights say of themselves."""
        return self._weights.description

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that have a head."""
        return self._weights.description.languages

    def _linear(self, read: Read, lang: str) -> Floats:
        """The logits of the linear heads, each made ready when its language first comes."""
        if lang not in self._ready:
            words = None
            if lang in network.LANGUAGES:
                known, name = network.load().vectors, f"{lang}.words"
                words = word_scores.restored(self._weights.tensors, name=name, words=known)
            self._ready[lang] = linear.unpacked(self._weights.tensors, name=lang), words
        head, words = self._ready[lang]
        logits = head.logits(read.features)
        return logits if words is None else logits + words.logits(read.pieces, read.words)

    def score(self, texts: Sequence[str], langs: Sequence[str | None]) -> Tones:
        """The tone of each text in its language."""
        return self.score_batch(Batch(texts, langs))

    def score_batch(self, batch: Batch) -> Tones:
        """As `score`, of texts that may have been read already."""
        found = np.full((len(batch), len(LABELS)), np.nan, np.float32)
        limits = np.ones(len(batch))
        for lang, (places, read) in batch.by_lang.items():
            if lang in self.languages:
                chances = self._chances(read, lang)
                found[places] = np.where(read.is_empty[:, None], np.nan, chances)
                limits[places] = self.thresholds[f"abstain_under.{lang}"]
        return tones(found, threshold=limits)

    def _chances(self, read: Read, lang: str) -> Floats:
        stated = self._weights.description.calibration[lang]
        linear_logits = self._linear(read, lang)
        if lang not in network.LANGUAGES:
            return softmax(linear_logits / stated["temperature"][0])
        joined = mixed(
            read.views,
            linear_logits,
            lang=lang,
            share=stated["share"],
            temperature=stated["temperature"],
            lean=stated["lean"],
        )
        return widened(joined, irony(read.views, lang=lang), strength=WIDENING)


def mixed(
    views: Views,
    linear_logits: Floats,
    *,
    lang: str,
    share: Sequence[float],
    temperature: Sequence[float],
    lean: Sequence[float],
) -> Floats:
    """Probabilities `(n, 3)` of the network and the linear heads together.

    Of each register the logarithms of both are added, the linear one by its share, divided by its
    temperature, and less `lean` (of each tone, how much training texts lean to it); then registers
    are mixed by how likely the text is of each.
    """
    registers = REGISTERS if lang == "fr" else ("en",)
    gate = np.ones((len(linear_logits), 1))
    if lang == "fr":
        gate = gates(views.of("register"), linear_logits[:, -len(REGISTERS) :])
    total = np.zeros((len(linear_logits), len(LABELS)))
    for place, name in enumerate(registers):
        own = linear_logits[:, place * 3 : place * 3 + 3]
        both = logs(views.of(f"tone_{name}")) + share[place] * logs(own)
        total += gate[:, place : place + 1] * softmax(both / temperature[place] - np.array(lean))
    return total


def gates(network_logits: Floats, linear_logits: Floats) -> Floats:
    """How much each text is of each register `(n, registers)`.

    The geometric mean of what the network and a linear head say (a logarithmic opinion pool,
    Hinton 2002): either alone takes a tweet for debate too often.
    """
    return softmax((logs(network_logits) + logs(linear_logits)) / 2)


def logs(logits: Floats) -> Floats:
    """The logarithms of probabilities, at least that of 1e-7."""
    return np.log(np.maximum(softmax(logits), 1e-7))


def irony(views: Views, *, lang: str) -> Floats:
    """How likely each text is ironic by the network alone, `(n,)`."""
    return sigmoid(views.of("irony" if lang == "fr" else "irony_en")[:, 0])


def widened(chances: Floats, ironic: Floats, *, strength: float) -> Floats:
    """Probabilities drawn towards a third each by up to `strength`; their order stays."""
    drawn = (strength * ironic)[:, None]
    return (1.0 - drawn) * chances + drawn / len(LABELS)
