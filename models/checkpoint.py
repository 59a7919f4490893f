"""Weights with their own description and hash; refuses what does not match; never pickle.

One safetensors file a model. Its header holds one JSON text, the `Description`. The SHA-256 of
the whole file stands beside it in `SHA256SUMS` (the format of `sha256sum -c`), so that a file
altered by one byte is refused before it is read. Files are written aside and renamed: a run that
is killed leaves none half written.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from types import ModuleType
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
    """What a file of weights says of itself.

    `stands_on` names what it was fitted upon, each by a digest: tone, abuse and heads the file of
    the network (SHA-256), the network its vectors and its lesson (`models.train`).
    """

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
    stands_on: dict[str, str] = field(default_factory=dict)


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
    write_whole(folder / f"{name}.safetensors", data)
    sums = _sums(folder) | {f"{name}.safetensors": hashlib.sha256(data).hexdigest()}
    lines = (f"{digest}  {file}\n" for file, digest in sorted(sums.items()))
    write_whole(folder / SUMS, "".join(lines).encode("ascii"))
    return sums[f"{name}.safetensors"]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file aside and rename it, so that under its name it is whole or not there."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


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
    expected = stated(path.parent, path.stem)
    if digest != expected:
        raise WeightsError(
            f"{path} has SHA-256 {digest[:12]}… but {SUMS} states {(expected or 'none')[:12]}…: "
            f"{remedy}"
        )
    return digest


def stated(folder: Path, name: str) -> str | None:
    """The hash that SHA256SUMS states for `<name>.safetensors`, to which `read` holds the file."""
    return _sums(folder).get(f"{name}.safetensors")


def _sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    if not path.exists():
        return {}
    pairs = (line.split() for line in path.read_text(encoding="ascii").splitlines() if line)
    return {name: digest for digest, name in pairs}


def digest(value: Any) -> str:
    """SHA-256 of a value made of plain ones, patterns, sets, arrays and dataclasses.

    The same in every process; a function counts by its name alone.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()


def constants(module: ModuleType) -> dict[str, Any]:
    """The constants of a module by name, for `digest`: what its functions go by."""
    return {name: value for name, value in vars(module).items() if name.isupper()}


def _plain(value: Any) -> Any:
    if isinstance(value, re.Pattern):
        return [value.pattern, value.flags]
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return getattr(value, "__qualname__", type(value).__name__)
