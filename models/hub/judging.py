"""How each kind of checkpoint answers a question: probabilities `(n, labels)` of texts.

A classifier was trained on the labels. An NLI model is asked whether the text implies a sentence
that states the label (zero-shot: Yin et al. 2019, "Benchmarking zero-shot text classification").
Sentence embeddings are compared with the mean embedding of examples of each label (prototypes:
Snell et al. 2017, "Prototypical networks for few-shot learning").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models import sentiment, tone
from models.calibrate import sigmoid, softmax
from models.hub.batching import Ints
from models.hub.encoder import Encoder, Floats
from models.hub.kind import Places, Pooling
from models.taxonomy import LANGUAGES, taxonomy

# Similarities of sentence embeddings differ by some tenths: this makes them probabilities that
# use the whole range. Not calibrated.
_SLOPE = 20.0
_EXAMPLES = 16  # of a label and language: more hardly moves a mean, and each costs a run


class Judge(Protocol):
    """What every kind offers."""

    @property
    def encoder(self) -> Encoder: ...
    def chances(self, texts: Sequence[str], lang: str) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Classifier:
    """Trained on the labels; `is_exclusive` when a text has exactly one."""

    encoder: Encoder
    places: Places
    is_exclusive: bool

    def chances(self, texts: Sequence[str], lang: str) -> Floats:  # noqa: ARG002 (as the others)
        """The probability of each label, summed where several of its labels are one of ours."""
        logits = self.encoder.texts(texts)
        theirs = softmax(logits) if self.is_exclusive else sigmoid(logits)
        return np.stack([theirs[:, list(own)].sum(axis=1) for own in self.places], axis=1)


Hypotheses = Callable[[str], list[str]]  # one a label, in a language


def tone_hypotheses(lang: str) -> list[str]:
    """What a text would imply of its tone; English where Vigie does not write the language."""
    if lang == "fr":
        return [f"Ce message est {word}." for word in ("négatif", "neutre", "positif")]
    return [f"This message is {label}." for label in sentiment.LABELS]


def topic_hypotheses(lang: str) -> list[str]:
    """What a text would imply of its topics, from the labels of the taxonomy."""
    if lang == "fr":
        return [f"Ce message parle de ceci : {topic.label_fr}." for topic in taxonomy()]
    return [f"This message is about {topic.label_en}." for topic in taxonomy()]


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """An NLI model: entailment of each hypothesis, against the others or its own contrary."""

    encoder: Encoder
    hypotheses: Hypotheses
    entailment: int
    contradiction: int
    is_exclusive: bool

    def chances(self, texts: Sequence[str], lang: str) -> Floats:
        """The probability of each label."""
        logits = self.encoder.pairs(texts, self.hypotheses(lang))
        yes, no = logits[:, :, self.entailment], logits[:, :, self.contradiction]
        return np.asarray(softmax(yes) if self.is_exclusive else sigmoid(yes - no), np.float32)


Examples = Callable[[str], Sequence[tuple[Sequence[str], Sequence[str]]]]  # yes, no; by label


def tone_examples(lang: str) -> list[tuple[list[str], list[str]]]:
    """Phrases of each tone; none speak against it, since the other tones do."""
    known = [phrase for own in _written(lang) for phrase in tone.phrases(own)]
    classes = range(len(sentiment.LABELS))
    return [(_some([text for text, own in known if own == place]), []) for place in classes]


def topic_examples(lang: str) -> list[tuple[list[str], list[str]]]:
    """Sentences of each topic, and sentences that look like it and are not."""
    return [
        (
            _some([text for own in _written(lang) for text in topic.yes(lang=own, use="dev")]),
            _some([text for own in _written(lang) for text in topic.no(lang=own, use="dev")]),
        )
        for topic in taxonomy()
    ]


def _written(lang: str) -> tuple[str, ...]:
    """The languages whose examples speak for a language: its own, or all that Vigie writes."""
    return (lang,) if lang in LANGUAGES else LANGUAGES


def _some(texts: Sequence[str]) -> list[str]:
    """At most `_EXAMPLES` of them, from all over the list."""
    step = max(1, -(-len(texts) // _EXAMPLES))
    return list(texts[::step])


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Sentence embeddings: nearness to examples of a label, read at the first use of a language."""

    encoder: Encoder
    examples: Examples
    is_exclusive: bool
    _known: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)

    def chances(self, texts: Sequence[str], lang: str) -> Floats:
        """The probability of each label: logistic of what is nearer to yes than to no."""
        yes, no = self._prototypes(lang)
        vectors = self.encoder.texts(texts)
        nearness = _SLOPE * (vectors @ yes.T - vectors @ no.T)
        found = softmax(nearness) if self.is_exclusive else sigmoid(nearness)
        return np.asarray(found, np.float32)

    def _prototypes(self, lang: str) -> tuple[Floats, Floats]:
        if lang not in self._known:
            pairs = self.examples(lang)
            flat = [text for yes, no in pairs for text in (*yes, *no)]
            vectors = dict(zip(flat, self.encoder.texts(flat), strict=True))
            yes, no = (
                np.stack([_mean([vectors[text] for text in pair[side]], like=vectors[flat[0]])
                          for pair in pairs])
                for side in (0, 1)
            )  # fmt: skip
            self._known[lang] = yes, no
        return self._known[lang]


def _mean(vectors: Sequence[Floats], *, like: Floats) -> Floats:
    """The direction of the mean, of length 1; zeros for no vectors."""
    return normal(np.mean(vectors, axis=0)[None])[0] if vectors else np.zeros_like(like)


def normal(vectors: NDArray[np.floating]) -> Floats:
    """Rows of length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def pooled(pooling: Pooling) -> Callable[[Floats, Ints], Floats]:
    """What makes one vector of length 1 of the vectors of a text's tokens."""

    def pool(answer: Floats, mask: Ints) -> Floats:
        if answer.ndim == 2:  # pooled in the graph already
            return normal(answer)
        if pooling == "cls":
            return normal(answer[:, 0])
        kept = mask[:, :, None]
        if pooling == "max":
            return normal(np.where(kept, answer, -np.inf).max(axis=1))
        return normal((answer * kept).sum(axis=1) / kept.sum(axis=1))

    return pool
