"""Trains the embedded models from a folder of data: `vigie models train --data DIR`.

Five steps, each with its file of weights, in this order: the shared network (word vectors first),
tone, abuse, heads, terms (packed so that they load at once; `heads` packs them too, since it is
run after an edit of terms). Networks of five folds are fitted as well, so that whatever stands on
the network's answers (calibration, thresholds, figures of the cards) learns from texts that it had
not seen. Two runs with the same data, seed and library versions write the same bytes.

Takes about an hour on one core; what a step leaves for the next lies in a folder of work, so that
a run that was stopped goes on from there. Vectors and networks have in their names a digest of
what they follow from (data, seed, settings, how texts are read), so that another training finds
none of them; the later steps take those that the written network stands on. Known gap: files of
trainings that are over stay there until somebody deletes them, and a new version of a library
does not change the names.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from models import checkpoint, datasets, examples, features, lexicons, network, trunk, vectors
from models.checkpoint import Checkpoint, Description
from models.errors import WeightsError
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
STEPS = ("network", "tone", "abuse", "heads", "terms")
_MEASURED = {"network", "tone"}  # the steps whose weights the reference of drift is measured with
_WHOLE = "all"  # the part whose network learnt from every example


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the data are, where weights and intermediate files go, the seed; the heads that the
    step of that name fits, all when none is named.
    """

    data: Path
    out: Path
    work: Path
    seed: int = SEED
    heads: tuple[str, ...] = ()


def train(setting: Setting, *, only: Sequence[str] = STEPS) -> dict[str, str]:
    """Run the steps that are asked for, in order; the SHA-256 of each file of weights."""
    from models import train_abuse, train_heads, train_tone

    programs: dict[str, Callable[[Setting], str]] = {
        "network": train_network,
        "tone": train_tone.train,
        "abuse": train_abuse.train,
        "heads": train_heads.train,
        "terms": train_heads.pack_terms,
    }
    setting.work.mkdir(parents=True, exist_ok=True)
    done: dict[str, str] = {}
    for step in STEPS:
        if step in only:
            done[step] = programs[step](setting)
            log.info("models.written step=%s sha256=%s", step, done[step])
    if _MEASURED & set(done):
        _measure(setting)
    return done


def _measure(setting: Setting) -> None:
    """Write the reference of drift anew, or log why not: it is measured with what ships."""
    if setting.out.resolve() != checkpoint.WEIGHTS.resolve():
        log.info("reference.left reason=other_folder")
    elif not _is_paired(setting.out):
        log.warning("reference.left reason=tone_stands_on_another_network")
    else:
        write_reference(setting)


def _is_paired(folder: Path) -> bool:
    """Whether the tone of a folder was fitted on the network that is there."""
    from models import sentiment

    if checkpoint.stated(folder, sentiment.TASK) is None:
        return False
    tone = checkpoint.read(folder, sentiment.TASK, task=sentiment.TASK).description
    return tone.stands_on.get(network.TASK) == checkpoint.stated(folder, network.TASK)


def write_reference(setting: Setting) -> None:
    """Write what `vigie models drift` compares with: figures of a few hundred texts a set."""
    from models import drift

    network.load.cache_clear()  # this process may have read the network that was there before
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
    checkpoint.write_whole(setting.out / "reference.json", f"{text}\n".encode())


def train_network(setting: Setting) -> str:
    """Write the shared network, and leave those of the folds; the SHA-256 of the first."""
    from models import train_trunk

    taught = examples.examples(setting.data, seed=setting.seed)
    stands_on = {"vectors": vectors_key(setting), "lesson": lesson_key(setting, taught)}
    learnt = own_vectors(setting, stands_on["vectors"])
    lesson = train_trunk.lesson(taught, learnt)
    for part, chosen in _parts(taught).items():
        path = _network_path(setting, part, stands_on["lesson"])
        if not path.is_file():
            own = train_trunk.fit(lesson, learnt, chosen, seed=setting.seed)
            checkpoint.write_whole(path, save(trunk.tensors(own)))
            log.info("network.part_done part=%s", part)
    whole = load_file(_network_path(setting, _WHOLE, stands_on["lesson"]))
    return checkpoint.write(
        setting.out, network.TASK, _described(taught, setting, stands_on), whole
    )


def _parts(taught: Sequence[Example]) -> dict[str, NDArray[np.int64]]:
    """What each network learns from: for a fold all but its own examples, then every example."""
    folds = np.array([examples.fold(each) for each in taught])
    parts = {str(fold): np.flatnonzero(folds != fold) for fold in range(datasets.FOLDS)}
    return parts | {_WHOLE: np.arange(len(taught))}


def _described(
    taught: Sequence[Example], setting: Setting, stands_on: dict[str, str]
) -> Description:
    from models import train_trunk

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
        stands_on=stands_on,
    )


def vectors_key(setting: Setting) -> str:
    """16 hexadecimal digits of all that the vectors follow from: text, seed, settings, reading."""
    from models import pretrain

    files = sorted({source.file for source in datasets.PLAIN})
    data = {file: sha256((setting.data / f"{file}.parquet").read_bytes()) for file in files}
    return _key(
        setting.seed,
        lexicons.reading(),
        datasets.PLAIN,
        checkpoint.constants(pretrain),
        {file: own.hexdigest() for file, own in data.items()},
    )


def lesson_key(setting: Setting, taught: Sequence[Example]) -> str:
    """16 hexadecimal digits of all that the networks follow from: examples, vectors, settings."""
    from models import train_trunk

    told = [[own.text, own.lang, own.answers, own.origin, own.weight] for own in taught]
    settings = [checkpoint.constants(module) for module in (train_trunk, trunk, vectors)]
    return _key(setting.seed, vectors_key(setting), told, datasets.FOLDS, settings)


def _key(*parts: Any) -> str:
    return checkpoint.digest(parts)[:16]


def own_vectors(setting: Setting, key: str) -> Vectors:
    """The word vectors of that key, learnt once."""
    from models import pretrain

    path = _vectors_path(setting, key)
    if not path.is_file():
        learnt = pretrain.vectors(setting.data, seed=setting.seed)
        checkpoint.write_whole(path, save(vectors.packed(learnt)))
    return vectors.unpacked(load_file(path))


def _vectors_path(setting: Setting, key: str) -> Path:
    return setting.work / f"vectors-{key}.safetensors"


def _network_path(setting: Setting, part: str, key: str) -> Path:
    return setting.work / f"network-{part}-{key}.safetensors"


@dataclass(frozen=True, slots=True)
class Ground:
    """What tone, abuse and heads stand on: the network that was written, its vectors before they
    were tuned, and the networks of the folds, each of which has not seen its own.
    """

    network: Checkpoint
    vectors: Vectors
    folds: list[Trunk]

    @property
    def whole(self) -> Trunk:
        """The network that was written, ready to read."""
        return trunk.restored(self.network.tensors, outputs=self.network.description.labels)

    @property
    def stands_on(self) -> dict[str, str]:
        """What weights that are fitted on it say of it."""
        return {network.TASK: self.network.sha256}


def ground(setting: Setting) -> Ground:
    """What the step `network` left.

    Examples may have changed since then (a topic more): folds follow from texts, so what a network
    had not seen it still has not. FileNotFoundError when its files are not in the folder of work.
    """
    read = checkpoint.read(setting.out, network.TASK, task=network.TASK)
    network.check_version(read.description)
    named = read.description.stands_on
    if not {"vectors", "lesson"} <= named.keys():
        raise WeightsError(
            f"{setting.out / network.TASK}.safetensors does not say what it stands on: write it "
            "again with `vigie models train --only network`"
        )
    parts = [_network_path(setting, str(i), named["lesson"]) for i in range(datasets.FOLDS)]
    return Ground(
        read,
        vectors.unpacked(load_file(_vectors_path(setting, named["vectors"]))),
        [trunk.restored(load_file(path), outputs=read.description.labels) for path in parts],
    )


def keep(path: Path, **arrays: Any) -> None:
    """Write arrays for the card (`.npz`), whole or not at all."""
    data = BytesIO()
    np.savez(data, **arrays)
    checkpoint.write_whole(path, data.getvalue())


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
