"""What a checkpoint is, as its own files say: a classifier, an NLI model, or sentence embeddings.

What is found is named in every refusal, so that whoever chose the checkpoint sees why.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from models import sentiment, topics
from models.errors import WeightsError
from models.hub.address import Found, read_json

Kind = Literal["classifier", "nli", "embedder"]
Pooling = Literal["mean", "cls", "max"]
Places = tuple[tuple[int, ...], ...]  # for each of our labels, its places among theirs

_TONES = {
    "negative": ("negative", "neg", "négatif", "negatif", "négative", "1 star", "2 stars"),
    "neutral": ("neutral", "neu", "neutre", "3 stars"),
    "positive": ("positive", "pos", "positif", "4 stars", "5 stars"),
}
_CONTRADICTION = ("contradiction", "not_entailment")
_POOLINGS: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_cls": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_max": "max",
}
_KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")


def kind_of(folder: Path, config: dict[str, Any], *, address: str) -> Kind:
    """The kind of a checkpoint; WeightsError when it is none that gives labels."""
    architecture = _architecture(config)
    if (folder / "modules.json").is_file() or architecture.endswith("Model"):
        return "embedder"
    if architecture.endswith("ForSequenceClassification") or (
        not architecture and "id2label" in config
    ):
        return "nli" if "entailment" in labels_of(config) else "classifier"
    raise WeightsError(
        f"{address} is a {architecture or 'checkpoint without an architecture'}, which gives "
        "neither labels, nor entailment, nor sentence embeddings: choose one whose config.json "
        "names an architecture that ends in ForSequenceClassification, or that has a modules.json"
    )


def _architecture(config: dict[str, Any]) -> str:
    return str(next(iter(config.get("architectures") or [""])))


def labels_of(config: dict[str, Any]) -> dict[str, int]:
    """The labels of a checkpoint in lower case, with their places."""
    return {str(label).lower(): int(i) for i, label in config.get("id2label", {}).items()}


def tone_places(found: Found) -> Places:
    """Where negative, neutral and positive stand; stars count as 1, 2 | 3 | 4, 5."""
    return _places(found, [_TONES[label] for label in sentiment.LABELS])


def topic_places(found: Found) -> Places:
    """Where each topic stands; WeightsError unless a text may have several."""
    kind = "multi_label_classification"
    if found.config.get("problem_type") != kind:
        raise WeightsError(
            f"{found.address} has problem_type {found.config.get('problem_type')!r}, not {kind!r}: "
            "a text may be of several topics, so train it so, or choose an NLI checkpoint"
        )
    return _places(found, [(label.lower(),) for label in topics.LABELS])


def _places(found: Found, labels: Sequence[tuple[str, ...]]) -> Places:
    """The places of each of our labels among the checkpoint's; all of them and no other."""
    named = labels_of(found.config)
    places = tuple(tuple(named[n] for n in dict.fromkeys(names) if n in named) for names in labels)
    if not all(places) or sum(map(len, places)) != len(named):
        raise WeightsError(
            f"{found.address} names its labels {sorted(named)} and Vigie needs "
            f"{[names[0] for names in labels]}: set id2label in its config.json, in their order"
        )
    return places


def entailment_places(found: Found) -> tuple[int, int]:
    """Where entailment and its contrary stand, which differs from checkpoint to checkpoint."""
    named = labels_of(found.config)
    contrary = [named[name] for name in _CONTRADICTION if name in named]
    if not contrary:
        raise WeightsError(
            f"{found.address} names its labels {sorted(named)}: an NLI checkpoint needs "
            "entailment and contradiction (or not_entailment) in its id2label"
        )
    return named["entailment"], contrary[0]


def pooling(found: Found) -> Pooling:
    """How vectors of tokens become one, `mean` when nothing is said; WeightsError if unknown."""
    _refuse_modules(found)
    path = found.folder / "1_Pooling" / "config.json"
    stated = read_json(path) if path.is_file() else {"pooling_mode": "mean"}
    said = {key for key, value in stated.items() if value is True}
    said |= {f"pooling_mode_{stated['pooling_mode']}"} if "pooling_mode" in stated else set()
    modes = [_POOLINGS.get(key) for key in said if key.startswith("pooling_mode_")]
    if len(modes) == 1 and modes[0]:
        return modes[0]
    raise WeightsError(
        f"{path} asks for {', '.join(sorted(said)) or 'no pooling'}: Vigie knows the mean, the "
        "first token and the maximum, one at a time; choose another checkpoint"
    )


def _refuse_modules(found: Found) -> None:
    path = found.folder / "modules.json"
    modules = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    names = [str(module.get("type", "")).rsplit(".", 1)[-1] for module in modules]
    if strange := [name for name in names if name not in _KNOWN_MODULES]:
        raise WeightsError(
            f"{found.address} has a module {strange[0]}, and Vigie runs only "
            f"{', '.join(_KNOWN_MODULES)}: choose another checkpoint"
        )
