"""Which models made a score: enough to make it again, or to say why it cannot be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol


class Scores(Protocol):
    """What lineage needs to know of a model."""

    @property
    def model_id(self) -> str: ...
    @property
    def weights_sha256(self) -> str: ...
    @property
    def thresholds(self) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """The models of a run with the code and thresholds around them: the fields of `scorer`.

    `thresholds` is JSON: `{"sentiment": {…}, "topics": {…}, "acts": {…}}`, and the model of acts
    stands there by its hash, which covers the network that all share. `scorer_id` is 16 hex
    digits of BLAKE2b over all the others, so two scorers that could differ never share an id.
    """

    scorer_id: str
    sentiment_model_id: str
    sentiment_weights_sha256: str
    topics_model_id: str
    topics_weights_sha256: str
    code_version: str
    thresholds: str


def scorer(sentiment: Scores, topics: Scores, acts: Scores) -> Scorer:
    """The lineage of scores made now by these models."""
    parts = {
        "sentiment_model_id": sentiment.model_id,
        "sentiment_weights_sha256": sentiment.weights_sha256,
        "topics_model_id": topics.model_id,
        "topics_weights_sha256": topics.weights_sha256,
        "code_version": code_version(),
        "thresholds": json.dumps(
            {
                "sentiment": dict(sentiment.thresholds),
                "topics": dict(topics.thresholds),
                "acts": dict(acts.thresholds),
                "acts_model": [acts.model_id, acts.weights_sha256],
            },
            sort_keys=True,
        ),
    }
    name = json.dumps(parts, sort_keys=True).encode()
    return Scorer(scorer_id=hashlib.blake2b(name, digest_size=8).hexdigest(), **parts)


def code_version() -> str:
    """The version of Vigie that is installed, `unknown` when it runs uninstalled."""
    try:
        return version("vigie")
    except PackageNotFoundError:
        return "unknown"
