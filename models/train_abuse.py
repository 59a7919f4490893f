"""Fits the linear heads of abuse, how they join the network, and the threshold of each act."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import acts, checkpoint, examples, features, linear, network, train_linear, word_scores
from models.acts import ABUSE_REGISTERS, ACTS
from models.checkpoint import Description
from models.datasets import Labelled, labelled
from models.train import VERSION, Setting, Unseen, ground, keep, unseen

log = logging.getLogger(__name__)

_KEPT_ROWS = 60_000
_SHARES = (0.0, 0.25, 0.5, 1.0)
# Chosen on posts that no model had seen; a rare act is named from a lower probability.
THRESHOLDS = {
    "complaint": 0.4, "question": 0.3, "request": 0.45, "praise": 0.5, "claim": 0.25,
    "gather": 0.4, "threat": 0.35, "abuse": 0.5,
}  # fmt: skip

Floats = NDArray[Any]


def train(setting: Setting) -> str:
    """Write the weights of abuse; their SHA-256."""
    under = ground(setting)
    tensors: dict[str, NDArray[Any]] = {}
    calibration: dict[str, Any] = {}
    for lang in network.LANGUAGES:
        taught = _sets(setting, lang)
        read = {
            name: unseen(o.texts, lang=lang, networks=under.folds) for name, o in taught.items()
        }
        view = train_linear.seen({n: o.read for n, o in read.items()}, under.vectors)
        every = train_linear.held_out(view, taught, {n: o.folds for n, o in read.items()}, 2)
        held = {name: every[name][:, place] for place, name in enumerate(taught)}
        head, words = train_linear.shipped(view, taught, 2)
        assert words is not None  # noqa: S101
        tensors |= linear.packed(head, name=lang, keep=_KEPT_ROWS)
        tensors |= word_scores.stored(words, name=f"{lang}.words")
        calibration[lang] = _joined(taught, read, held)
        _keep(setting, lang, taught, read, every, calibration[lang])
        log.info("abuse.trained lang=%s %s", lang, calibration[lang])
    taught_all = examples.examples(setting.data, seed=setting.seed)
    used = [each for each in taught_all if any(t.startswith("abuse") for t in each.answers)]
    description = Description(
        model_id="vigie-acts",
        version=VERSION,
        task=acts.TASK,
        labels=ACTS,
        languages=network.LANGUAGES,
        features_version=features.VERSION,
        seed=setting.seed,
        training=examples.training(used),
        thresholds=THRESHOLDS,
        calibration=calibration,
        stands_on=under.stands_on,
    )
    return checkpoint.write(setting.out, acts.TASK, description, tensors)


def _sets(setting: Setting, lang: str) -> dict[str, Labelled]:
    names = ABUSE_REGISTERS if lang == "fr" else ("en",)
    rows: dict[str, list[tuple[str, int, str, float]]] = {name: [] for name in names}
    for each in examples.examples(setting.data, seed=setting.seed):
        for name in names:
            answer = each.answers.get(f"abuse_{name}")
            if each.lang == lang and answer:
                rows[name].append((each.text, int(answer[0] or 0), each.origin, each.weight))
    return {name: labelled(own) for name, own in rows.items()}


def _joined(
    taught: dict[str, Labelled], read: dict[str, Unseen], held: dict[str, Floats]
) -> dict[str, Any]:
    """The share of the linear heads, and slope and offset of each register (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    best: tuple[float, dict[str, Any]] | None = None
    for share in _SHARES:
        slopes, offsets, losses = [], [], []
        for name, own in taught.items():
            joined = _own_logit(read[name], name) + share * held[name]
            model = LogisticRegression(C=100.0).fit(joined[:, None], own.classes)
            chances = model.predict_proba(joined[:, None])[:, 1]
            slopes.append(round(float(model.coef_[0, 0]), 4))
            offsets.append(round(float(model.intercept_[0]), 4))
            losses.append(_loss(chances, own.classes))
        stated = {"share": share, "slope": slopes, "offset": offsets}
        if best is None or np.mean(losses) < best[0]:
            best = (float(np.mean(losses)), stated)
    assert best is not None  # noqa: S101
    return best[1]


def _own_logit(read: Unseen, name: str) -> Floats:
    return read.views().of(f"abuse_{name}")[:, 0].astype(float)


def _loss(chances: Floats, classes: Floats) -> float:
    said = np.where(classes == 1, chances, 1.0 - chances)
    return float(-np.log(np.maximum(said, 1e-9)).mean())


def _keep(
    setting: Setting,
    lang: str,
    taught: dict[str, Labelled],
    read: dict[str, Unseen],
    held: dict[str, Floats],
    stated: dict[str, Any],
) -> None:
    """What unseen texts were given, for the card."""
    for name, own in taught.items():
        plain = acts.is_plain(read[name].read.hits)
        chances = acts.abuse(read[name].views(), held[name], plain, lang=lang, **stated)
        path = setting.work / f"abuse-{lang}-{name}.npz"
        keep(path, chances=chances, classes=own.classes, texts=np.array(own.texts))
