"""Fits one head a label (`models.heads`), each alone: topics, political, acts, services, irony.

A head learns from posts read for Vigie and from invented sentences. What the shared network was
itself taught on those posts (acts, political, irony) comes to their heads from networks that had
not seen them; topics and services were never taught to the network, so their heads may read all
of it. Rows of English learn from the invented English sentences and share nothing with French.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import checkpoint, examples, features, heads, lexicons, network, posts, terms
from models.acts import ACTS
from models.checkpoint import Description, Training
from models.datasets import FOLDS
from models.errors import WeightsError
from models.reading import Read
from models.taxonomy import taxonomy
from models.text import prepare
from models.train import VERSION, Ground, Setting, Unseen, ground, keep, unseen

log = logging.getLogger(__name__)

UNIT_SCALE, MEAN_SCALE, HIT_SCALE = 0.3, 2.0, 3.0  # how easily each view is believed
_STRENGTH = 3.0  # of 1, 3 and 10, on posts that no head had seen
_SENTENCE_WEIGHT = 0.5
_OWN_TASK = {"political": "political", "irony": "irony"}
# No English post was read. These heads stand on thirty sentences each and on what the network
# learnt in French; topics and the other acts on their terms, which find more and err less.
_ENGLISH = ("political", "irony", "acts/complaint", "acts/request", "acts/abuse")
_TRUST = 0.5  # of the shift to the usual share: all of it left most of the sentences unnamed
_SERVICE_TERMS = (2.5, 1.0, -4.0)  # of a service in English: weight, presence, bias; two terms

Floats = NDArray[Any]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts of a language, for each label 1, 0 or NaN (it judges neither way), and their weight."""

    texts: list[str]
    answers: dict[str, Floats]
    weights: Floats
    is_post: Bools


def train(setting: Setting) -> str:
    """Write the weights of the heads, and all terms packed; the SHA-256 of the weights.

    Where the setting names heads, these alone are fitted and every other keeps its bytes.
    """
    pack_terms(setting)
    under = ground(setting)
    names = setting.heads or heads.wanted()
    tensors = _others(setting, under) if setting.heads else {}
    usual: dict[str, float] = {}
    for lang in network.LANGUAGES:
        taught = corpus(setting, lang)
        views = _Views(taught, lang, under)
        fitted = {name: _fit(taught, views, name) for name in names}
        if lang == "fr":
            usual = {name: _share(taught, name) for name in fitted}
        else:
            read = {n: _by_terms(n, len(fitted[n][0])) for n in services() if n in names}
            rare = [name for name in _ENGLISH if name in names]
            fitted = {n: _rarer(fitted[n], taught, n, usual[n]) for n in rare} | read
        tensors |= heads.stored(fitted, lang=lang)
        _keep(setting, lang, taught, views)
        log.info("heads.trained lang=%s texts=%d", lang, len(taught.texts))
    post_count = sum(post.may_train for post in posts.posts(setting.data))
    sentence_count = sum(len(_sentences(lang)) for lang in network.LANGUAGES)
    own = "Apache-2.0 (written for Vigie)"
    description = Description(
        model_id="vigie-heads",
        version=VERSION,
        task=heads.TASK,
        labels=heads.wanted(),
        languages=network.LANGUAGES,
        features_version=features.VERSION,
        seed=setting.seed,
        training=(
            Training(name="posts read for Vigie", rows=post_count, licence=examples.POSTS_LICENCE),
            Training(name="sentences (invented)", rows=sentence_count, licence=own),
        ),
        thresholds={},
        stands_on=under.stands_on,
    )
    return checkpoint.write(setting.out, heads.TASK, description, tensors)


def _others(setting: Setting, under: Ground) -> dict[str, NDArray[Any]]:
    """The weights of the heads that the setting leaves; WeightsError where another network bears
    them.
    """
    read = checkpoint.read(setting.out, heads.TASK, task=heads.TASK)
    if read.description.stands_on != under.stands_on:
        raise WeightsError(
            f"{setting.out / heads.TASK}.safetensors stands on another network: train all heads "
            "with `vigie models train --only heads`"
        )
    fitted = tuple(f"{lang}.{name}." for lang in network.LANGUAGES for name in setting.heads)
    return {key: own for key, own in read.tensors.items() if not key.startswith(fitted)}


def pack_terms(setting: Setting) -> str:
    """Write the terms of all labels packed; the SHA-256 of the file. Reads no data."""
    return terms.pack(setting.out, version=VERSION, features_version=features.VERSION)


def corpus(setting: Setting, lang: str) -> Corpus:
    """Posts that may teach (French only) and invented sentences, with their answers."""
    names = heads.wanted()
    rows: list[tuple[str, dict[str, float], float, bool]] = []
    if lang == "fr":
        known = (post for post in posts.posts(setting.data) if post.may_train)
        rows += [(post.text, answers(post), 1.0, True) for post in known]
    rows += [(text, said, _SENTENCE_WEIGHT, False) for text, said in _sentences(lang)]
    return Corpus(
        [row[0] for row in rows],
        {name: np.array([row[1].get(name, np.nan) for row in rows]) for name in names},
        np.array([row[2] for row in rows]),
        np.array([row[3] for row in rows]),
    )


def answers(post: posts.Post) -> dict[str, float]:
    """What a read post says of every label."""
    topics = {topic.id: float(topic.id in post.topics) for topic in taxonomy()}
    done = {f"acts/{act}": float(act in post.acts) for act in ACTS}
    spoken = {name: float(name.removeprefix("aspects/") in post.aspects) for name in services()}
    other = {"political": float(post.is_political), "irony": float(post.is_ironic)}
    return topics | done | spoken | other


def _sentences(lang: str) -> list[tuple[str, dict[str, float]]]:
    """Invented sentences of every label with what they say of it, and of no other."""
    found = list(_topic_sentences(lang))
    for name, own, text, is_so in examples.sentences():
        if own == lang:
            found.append((text, {f"acts/{name}" if name in ACTS else name: float(is_so)}))
    if lang == "fr":
        for name in services():
            read = lexicons.described(name)["sentences"]
            found += [(text, {name: 1.0}) for text in read.get("yes", [])]
            found += [(text, {name: 0.0}) for text in read.get("no", [])]
    return found


def services() -> list[str]:
    """The labels of all services."""
    return [name for name in heads.wanted() if name.startswith("aspects/")]


def _topic_sentences(lang: str) -> Iterator[tuple[str, dict[str, float]]]:
    for topic in taxonomy():
        for text in topic.yes(lang=lang, use="dev"):
            yield text, {topic.id: 1.0}
        for text in topic.no(lang=lang, use="dev"):
            yield text, {topic.id: 0.0}


class _Views:
    """What heads read of a corpus, with the network's answers on its own tasks unseen."""

    def __init__(self, taught: Corpus, lang: str, under: Ground) -> None:
        self.read = Read(prepare(taught.texts, lang=lang), lang=lang)
        self.views = network.views(self.read.pieces, own=under.whole)
        self.held: Unseen = unseen(taught.texts, lang=lang, networks=under.folds)
        self.lang = lang

    def of(self, name: str) -> tuple[Floats, Floats]:
        """The inputs of one label scaled for fitting, and the scale of each."""
        views, size = self.views, len(lexicons.labels())
        scale = np.zeros(
            views.units.shape[1] + views.mean.shape[1] + views.logits.shape[1] + 2 * size
        )
        at = views.units.shape[1] + views.mean.shape[1]
        is_taught = name in _OWN_TASK or name.startswith("acts/")
        if is_taught:
            outputs = [
                i for i, out in enumerate(views.outputs) if out in _own_outputs(name, self.lang)
            ]
            scale[[at + i for i in outputs]] = 1.0
        else:
            scale[: views.units.shape[1]] = UNIT_SCALE
            scale[views.units.shape[1] : at] = MEAN_SCALE
        first = at + views.logits.shape[1]
        for label in own_terms(name):
            place = first + lexicons.place(label)
            scale[[place, place + size]] = HIT_SCALE
        seen = network.Views(views.units, views.mean, self.held.logits, views.outputs)
        return heads.inputs(seen, self.read.hits) * scale, scale


def _own_outputs(name: str, lang: str) -> set[str]:
    """The outputs of the network that answer a label."""
    if name == "irony":
        return {"irony.irony" if lang == "fr" else "irony_en.irony"}
    if name == "political":
        return {"political.political"}
    return {f"acts.{name.removeprefix('acts/')}"}


def own_terms(name: str) -> list[str]:
    """The lexicon labels that are a label's own."""
    return [
        label
        for label in lexicons.labels()
        if label == name or label.startswith((f"{name}.", f"{name}!"))
    ]


def _fit(taught: Corpus, views: _Views, name: str) -> tuple[Floats, float]:
    """Weights and bias of one head."""
    seen, scale = views.of(name)
    said = ~np.isnan(taught.answers[name])
    weights, bias = _logistic(seen[said], taught.answers[name][said], taught.weights[said])
    return weights * scale, bias


def _share(taught: Corpus, name: str) -> float:
    """The share of a label among read posts, in 0.02..0.3."""
    return float(np.clip(taught.answers[name][taught.is_post].mean(), 0.02, 0.3))


def _rarer(
    head: tuple[Floats, float], taught: Corpus, name: str, usual: float
) -> tuple[Floats, float]:
    """A head that learnt from invented sentences alone, half of them yes, at the usual share."""
    own = taught.answers[name]
    taught_share = float(np.clip(np.nanmean(own), 0.02, 0.98)) if (~np.isnan(own)).any() else 0.5
    shift = np.log(usual / (1 - usual)) - np.log(taught_share / (1 - taught_share))
    return head[0], head[1] + _TRUST * min(0.0, float(shift))


def _by_terms(name: str, size: int) -> tuple[Floats, float]:
    """A head of `size` inputs that reads the terms of its label alone."""
    weights, count = np.zeros(size), len(lexicons.labels())
    at = size - 2 * count + lexicons.place(name)
    weights[at], weights[at + count], bias = _SERVICE_TERMS
    return weights, bias


def _logistic(seen: Floats, truth: Floats, weights: Floats) -> tuple[Floats, float]:
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(truth)) < 2:
        return np.zeros(seen.shape[1]), -4.0
    used = np.flatnonzero(np.abs(seen).max(axis=0) > 0)
    model = LogisticRegression(C=_STRENGTH, max_iter=500, tol=1e-5)
    model.fit(seen[:, used], truth, sample_weight=weights)
    full = np.zeros(seen.shape[1])
    full[used] = model.coef_[0]
    return full, float(model.intercept_[0])


def _keep(setting: Setting, lang: str, taught: Corpus, views: _Views) -> None:
    """What unseen posts get of each head, five folds, for the card and the thresholds."""
    if lang != "fr":
        return
    path = setting.work / "heads-fr.npz"
    found = _left(path, taught.texts) if setting.heads else _none(taught.texts)
    for name in setting.heads or heads.wanted():
        seen, _ = views.of(name)
        said = ~np.isnan(taught.answers[name])
        for fold in range(FOLDS):
            is_held = views.held.folds == fold
            chosen = said & ~is_held
            weights, bias = _logistic(
                seen[chosen], taught.answers[name][chosen], taught.weights[chosen]
            )
            chances = 1.0 / (1.0 + np.exp(-(seen[is_held] @ weights + bias)))
            found[is_held, heads.wanted().index(name)] = chances
    truth = np.stack([taught.answers[name] for name in heads.wanted()], axis=1)
    keep(
        path,
        names=np.array(heads.wanted()),
        chances=found,
        truth=truth,
        is_post=taught.is_post,
        texts=np.array(taught.texts),
    )


def _left(path: Path, texts: Sequence[str]) -> Floats:
    """The chances `(texts, heads)` that an earlier training left, NaN where it left none.

    FileNotFoundError without one: the card reads all heads of that file.
    """
    found, left = _none(texts), np.load(path)
    rows = {text: place for place, text in enumerate(left["texts"].tolist())}
    known = [place for place, text in enumerate(texts) if text in rows]
    earlier = left["chances"][[rows[texts[place]] for place in known]]
    for column, name in enumerate(left["names"].tolist()):
        if name in heads.wanted():
            found[known, heads.wanted().index(name)] = earlier[:, column]
    return found


def _none(texts: Sequence[str]) -> Floats:
    return np.full((len(texts), len(heads.wanted())), np.nan)
