"""Weights with their own description and hash; refuses what does not match; never pickle.

One safetensors file a model. Its header holds one JSON text, the `Description`. The SHA-256 of
the whole file stands beside it in `SHA256SUMS` (the format of `sha256sum -c`), so that a file
altered by one byte is refused before it is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from models.errors import WeightsError

SUMS = "SHA256SUMS"
WEIGHTS = Path(__file__).parent / "weights"
_KEY = "vigie"  # the only key of the header: several would be written in no fixed order


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One data set that a model learnt from: how many texts, its licence, its weight."""

    name: str
    rows: int
    licence: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a file of weights says of itself."""

    model_id: str
    version: str
    task: str
    labels: tuple[str, ...]
    languages: tuple[str, ...]
    features_version: int
    seed: int
    training: tuple[Training, ...]
    thresholds: dict[str, float]
    calibration: dict[str, Any] = field(default_factory=dict)
    terms_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights that were read and checked: their description, arrays and hash."""

    description: Description
    tensors: dict[str, NDArray[Any]]
    sha256: str


def write(
    folder: Path, name: str, description: Description, tensors: Mapping[str, NDArray[Any]]
) -> str:
    """Write `<name>.safetensors` and its line of SHA256SUMS; the hash of the file.

    The same description and arrays give the same bytes.
    """
    text = json.dumps(asdict(description), sort_keys=True, ensure_ascii=False)
    ordered = {key: np.ascontiguousarray(tensors[key]) for key in sorted(tensors)}
    data = save(ordered, metadata={_KEY: text})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.safetensors").write_bytes(data)
    sums = _sums(folder) | {f"{name}.safetensors": hashlib.sha256(data).hexdigest()}
    lines = (f"{digest}  {file}\n" for file, digest in sorted(sums.items()))
    (folder / SUMS).write_text("".join(lines), encoding="ascii")
    return sums[f"{name}.safetensors"]


def read(folder: Path, name: str, *, task: str, labels: Sequence[str] | None = None) -> Checkpoint:
    """The weights `<name>.safetensors` of a folder, checked.

    WeightsError when the file is missing, differs from SHA256SUMS, or describes another task,
    other labels or other features than this version of the code has.
    """
    path = folder / f"{name}.safetensors"
    digest = _checked(path)
    try:
        with safe_open(str(path), framework="numpy") as file:
            description = _description((file.metadata() or {}).get(_KEY, ""))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} is not a file of weights that Vigie wrote: {error}") from error
    if description.task != task or (labels and description.labels != tuple(labels)):
        raise WeightsError(
            f"{path} holds task {description.task!r} with labels {list(description.labels)}, "
            f"and {task!r} needs {list(labels or ())}: train again with `vigie models train`"
        )
    return Checkpoint(description, tensors, digest)


def _description(text: str) -> Description:
    parts = json.loads(text)
    parts["training"] = tuple(Training(**row) for row in parts["training"])
    for key in ("labels", "languages"):
        parts[key] = tuple(parts[key])
    return Description(**parts)


def _checked(path: Path) -> str:
    """The hash of a file, once it is the one that SHA256SUMS states."""
    remedy = "restore the folder from the distribution, or train with `vigie models train`"
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    stated = _sums(path.parent).get(path.name)
    if digest != stated:
        raise WeightsError(
            f"{path} has SHA-256 {digest[:12]}… but {SUMS} states {(stated or 'none')[:12]}…: "
            f"{remedy}"
        )
    return digest


def _sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    if not path.exists():
        return {}
    pairs = (line.split() for line in path.read_text(encoding="ascii").splitlines() if line)
    return {name: digest for digest, name in pairs}
