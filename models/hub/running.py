"""What runs the weights of a checkpoint: ONNX Runtime, or torch where it is installed.

With ONNX Runtime several batches run side by side, one thread each: no thread waits for another
inside a batch, and a busy machine slows it in proportion rather than many times over.
OMP_NUM_THREADS lowers the number of threads.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.checkpoint import SUMS
from models.errors import WeightsError
from models.hub.batching import Ints
from models.hub.kind import Kind

INT8, FP32 = "model.int8.onnx", "model.onnx"
SAFE = "model.safetensors"
Run = Callable[[Ints, Ints, Ints], NDArray[np.float32]]  # ids, mask and types `(n, tokens)`


@dataclass(frozen=True, slots=True)
class Backend:
    """The file of weights, what runs it, and how many batches it may run at a time."""

    weights: Path
    run: Run
    workers: int


def backend(folder: Path, kind: Kind) -> Backend:
    """The best that a folder offers: 8-bit ONNX, ONNX, safetensors with torch."""
    for path in (folder / INT8, folder / FP32, folder / "onnx" / FP32):
        if path.is_file():
            return Backend(path, onnx_run(path), threads())
    if not (folder / SAFE).is_file():
        raise WeightsError(_without_weights(folder))
    if find_spec("torch") is None:
        raise WeightsError(
            f"{folder} holds safetensors, which need torch: `pip install -e '.[checkpoint]'`, or "
            "put an exported model.onnx beside them (`vigie models export` on another machine)"
        )
    return Backend(folder / SAFE, _torch(folder, kind), 1)


def _without_weights(folder: Path) -> str:
    pickled = sorted(path.name for path in folder.glob("*.bin"))
    return (
        f"{folder} has no model.onnx and no model.safetensors"
        + (f" but {pickled[0]}, a pickle, which may run anything" if pickled else "")
        + ": convert it to safetensors or ONNX on a machine you trust"
    )


def threads() -> int:
    """How many threads may run: the processors of this process, OMP_NUM_THREADS if lower."""
    count, asked = processors(), os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(count, int(asked))) if asked.isdigit() else count


def processors() -> int:
    """How many processors this process may use, as nearly as the system tells."""
    if own := getattr(os, "process_cpu_count", None):  # from Python 3.13 on
        return own() or 1
    affinity = getattr(os, "sched_getaffinity", None)  # Linux: what a container or taskset leaves
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def digest(paths: list[Path]) -> str:
    """SHA-256 over the SHA-256 of each file, in order; WeightsError when SHA256SUMS disagrees."""
    whole = hashlib.sha256()
    for path in paths:
        own = file_sha256(path)
        _check_sum(path, own)
        whole.update(bytes.fromhex(own))
    return whole.hexdigest()


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_sum(path: Path, found: str) -> None:
    sums = path.parent / SUMS
    lines = sums.read_text(encoding="ascii").splitlines() if sums.is_file() else []
    stated = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    if stated.get(path.name, found) != found:
        raise WeightsError(
            f"{path} has SHA-256 {found[:12]}… but {SUMS} states {stated[path.name][:12]}…: "
            "export or fetch the checkpoint again"
        )


def onnx_run(path: Path) -> Run:
    """What runs an ONNX file, one thread a run; WeightsError when it is none."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # `Backend.workers` batches run at once
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own C++ module
        raise WeightsError(
            f"{path} cannot be run ({str(error)[:200]}): export it again with `vigie models export`"
        ) from error
    wanted = {each.name for each in session.get_inputs()}

    def run(ids: Ints, mask: Ints, types: Ints) -> NDArray[np.float32]:
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        used = {key: value for key, value in given.items() if key in wanted}
        return np.asarray(session.run(None, used)[0], np.float32)

    return run


def _torch(folder: Path, kind: Kind) -> Run:
    import torch

    model, wants_types = torch_model(folder, kind)

    def run(ids: Ints, mask: Ints, types: Ints) -> NDArray[np.float32]:
        given = {"input_ids": ids, "attention_mask": mask}
        used = given | {"token_type_ids": types} if wants_types else given
        with torch.inference_mode():
            found = model(**{key: torch.from_numpy(value) for key, value in used.items()})
        return np.asarray(found[0].float().numpy(), np.float32)

    return run


def torch_model(folder: Path, kind: Kind, *, attention: str | None = None) -> tuple[Any, bool]:
    """The model of a folder in 32 bits, ready to judge, and whether it tells two texts apart."""
    from transformers import AutoModel, AutoModelForSequenceClassification

    loader = AutoModel if kind == "embedder" else AutoModelForSequenceClassification
    try:
        model = loader.from_pretrained(
            str(folder),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            attn_implementation=attention,
        )
    except Exception as error:  # transformers and safetensors raise of many kinds
        raise WeightsError(
            f"{folder} cannot be read by transformers ({type(error).__name__}: "
            f"{str(error)[:200]}): fetch or save the checkpoint again"
        ) from error
    wants_types = (getattr(model.config, "type_vocab_size", 0) or 0) > 1
    return model.float().eval(), wants_types
