"""Trains the embedded models from a folder of data: `vigie models train --data DIR`.

Four steps, each with its file of weights, in this order: the shared network (word vectors first),
tone, abuse, heads. Networks of five folds are fitted too, so that whatever stands on the
network's answers (calibration, thresholds, figures of the cards) learns from texts that it had
not seen. Two runs with the same data, seed and library versions write the same bytes.

Takes about an hour on one core; what a step leaves for the next lies in a folder of work, so that
a run that was stopped goes on from there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from models import checkpoint, datasets, examples, network, trunk, vectors
from models.checkpoint import Description
from models.examples import Example
from models.network import Views
from models.reading import Read
from models.text import prepare
from models.trunk import Trunk
from models.vectors import Floats, Vectors

log = logging.getLogger(__name__)

VERSION = "2"
SEED = 20261120
_REFERENCE = 300  # texts of a set that say what the training text was like
STEPS = ("network", "tone", "abuse", "heads")


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the data are, where weights and intermediate files go, the seed."""

    data: Path
    out: Path
    work: Path
    seed: int = SEED


def train(setting: Setting, *, only: Sequence[str] = STEPS) -> dict[str, str]:
    """Run the steps that are asked for, in order; the SHA-256 of each file of weights."""
    from models import train_abuse, train_heads, train_tone

    programs: dict[str, Callable[[Setting], str]] = {
        "network": train_network,
        "tone": train_tone.train,
        "abuse": train_abuse.train,
        "heads": train_heads.train,
    }
    setting.work.mkdir(parents=True, exist_ok=True)
    done: dict[str, str] = {}
    for step in STEPS:
        if step in only:
            done[step] = programs[step](setting)
            log.info("models.written step=%s sha256=%s", step, done[step])
    if set(done) >= {"heads"} and setting.out.resolve() == checkpoint.WEIGHTS.resolve():
        write_reference(setting)
    return done


def write_reference(setting: Setting) -> None:
    """Write what `vigie models drift` compares with: figures of a few hundred texts a set."""
    from models import drift

    taught = examples.examples(setting.data, seed=setting.seed)
    draw = np.random.default_rng(setting.seed)
    kept: dict[str, list[Example]] = {}
    for place in draw.permutation(len(taught)):
        own = kept.setdefault(taught[place].origin, [])
        if len(own) < _REFERENCE and "(invented)" not in taught[place].origin:
            own.append(taught[place])
    chosen = [each for origin in sorted(kept) for each in kept[origin]]
    read = drift.reference([each.text for each in chosen], [each.lang for each in chosen])
    text = json.dumps(read, sort_keys=True, indent=1)
    (setting.out / "reference.json").write_text(f"{text}\n", encoding="utf-8")


def train_network(setting: Setting) -> str:
    """Write the shared network and the five of the folds; the hash of the first."""
    from models import train_trunk

    taught = examples.examples(setting.data, seed=setting.seed)
    learnt = own_vectors(setting)
    lesson = train_trunk.lesson(taught, learnt)
    folds = np.array([examples.fold(each) for each in taught])
    for fold in range(datasets.FOLDS):
        path = _fold_path(setting, fold)
        if not path.is_file():
            own = train_trunk.fit(lesson, learnt, np.flatnonzero(folds != fold), seed=setting.seed)
            save_file(trunk.tensors(own), path)
            log.info("network.fold_done fold=%d", fold)
    whole = train_trunk.fit(lesson, learnt, np.arange(len(taught)), seed=setting.seed)
    return checkpoint.write(
        setting.out, network.TASK, _described(taught, setting), trunk.tensors(whole)
    )


def _described(taught: Sequence[Example], setting: Setting) -> Description:
    from models import features, train_trunk

    return Description(
        model_id="vigie-network",
        version=VERSION,
        task=network.TASK,
        labels=train_trunk.outputs(),
        languages=network.LANGUAGES,
        features_version=features.VERSION,
        seed=setting.seed,
        training=(*datasets.plain_training(setting.data), *examples.training(taught)),
        thresholds={},
    )


def own_vectors(setting: Setting) -> Vectors:
    """The word vectors, learnt once."""
    from models import pretrain

    path = setting.work / "vectors.safetensors"
    if not path.is_file():
        save_file(vectors.packed(pretrain.vectors(setting.data, seed=setting.seed)), path)
    return vectors.unpacked(load_file(path))


def _fold_path(setting: Setting, fold: int) -> Path:
    return setting.work / f"network-{fold}.safetensors"


def fold_networks(setting: Setting) -> list[Trunk]:
    """The networks of the folds, each of which has not seen its own."""
    from models import train_trunk

    names = train_trunk.outputs()
    return [
        trunk.restored(load_file(_fold_path(setting, fold)), outputs=names)
        for fold in range(datasets.FOLDS)
    ]


def own_network(setting: Setting) -> Trunk:
    """The network that this training wrote."""
    read = checkpoint.read(setting.out, network.TASK, task=network.TASK)
    network.check_version(read.description)
    return trunk.restored(read.tensors, outputs=read.description.labels)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Texts as read, their folds, and what networks that had not seen them make of them."""

    read: Read
    folds: Floats
    logits: Floats
    outputs: tuple[str, ...]

    def views(self) -> Views:
        """The answers as those of one network; units and means are left out."""
        nothing = np.zeros((len(self.logits), 0), np.float32)
        return Views(nothing, nothing, self.logits, self.outputs)


def unseen(texts: Sequence[str], *, lang: str, networks: Sequence[Trunk]) -> Unseen:
    """Each text through the network of its fold."""
    read = Read(prepare(texts, lang=lang), lang=lang)
    folds = np.array([datasets.fold(text) for text in texts])
    names = networks[0].outputs
    logits = np.zeros((len(texts), len(names)), np.float32)
    for fold, own in enumerate(networks):
        is_held = folds == fold
        logits[is_held] = network.views(read.pieces, own=own).logits[is_held]
    return Unseen(read, folds, logits, names)
