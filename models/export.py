"""Exports a checkpoint to ONNX and to 8 bits, so that it runs without torch: `export(folder, out)`.

Needs the extra `vigie[checkpoint]` (torch and onnx) on the machine that exports, not on the one
that scores. What was exported is compared with torch before anything is kept; what the 8 bits cost
is in the report. The same checkpoint and versions give the same bytes. Takes about half a minute
for a base model.

Known gaps: what is over 2 GB in 32 bits does not fit in one ONNX file and is refused. 8-bit weights
can be off on processors without VNNI (before about 2019), whose 16-bit sums saturate: compare on
labelled texts there, or leave the 8-bit file out.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.checkpoint import SUMS
from models.errors import WeightsError
from models.hub.address import NOTE, Found, find
from models.hub.kind import Kind, kind_of
from models.hub.running import FP32, INT8, SAFE, Run, onnx_run, torch_model

MOST_APART = 1e-3  # between torch and ONNX, in logits or in coordinates of embeddings
_OPSET = 17
_SHAPES = ((2, 16), (7, 33), (32, 24), (1, 5))
_SEED = 20261120
_KEPT = (
    *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("modules.json", "1_Pooling/config.json", "README.md", "LICENSE"),
)
Inputs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an export gave: sizes in megabytes, distances, and how often 8 bits agree.

    `apart` is the largest difference between torch and ONNX before quantisation; `int8_apart` the
    same after it, and `int8_agreement` the share of random sequences with the same likeliest
    label (of embeddings: the mean cosine). Both are None when nothing was quantised.
    """

    kind: Kind
    apart: float
    fp32_mb: float
    int8_mb: float | None = None
    int8_apart: float | None = None
    int8_agreement: float | None = None


def export(
    folder: Path | str, out: Path, *, model_id: str = "", is_quantised: bool = True
) -> Report:
    """Write `out`, a folder that scores without torch; what it gave.

    `folder` is a name as `models.hub` reads it, with `#fr,en` for the languages where it does not
    state them. A second call replaces what the first wrote. WeightsError when the extra is not
    installed, or when ONNX differs from torch by more than `MOST_APART`.
    """
    _need_extra()
    found = find(str(folder))
    kind = kind_of(found.folder, found.config, address=found.address)
    if not (found.folder / SAFE).is_file():
        raise WeightsError(
            f"{found.folder} has no {SAFE} to export: save the checkpoint with "
            "save_pretrained(…, safe_serialization=True) on a machine you trust"
        )
    with _aside(out) as aside:
        report = _written(found, kind, aside, is_quantised=is_quantised)
        _keep_files(found, aside, model_id or found.model_id, report)
    return report


def _need_extra() -> None:
    missing = [name for name in ("torch", "onnx") if find_spec(name) is None]
    if missing:
        raise WeightsError(
            f"exporting needs {' and '.join(missing)}, which is not installed: "
            "`pip install -e '.[checkpoint]'`, on this or another machine"
        )


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """A folder that takes the name `out` when the block ends well."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as made:
        aside = Path(made) / "whole"
        aside.mkdir()
        yield aside
        if out.exists():
            out.rename(Path(made) / "old")
        aside.rename(out)


def _written(found: Found, kind: Kind, aside: Path, *, is_quantised: bool) -> Report:
    """Both files of weights, compared."""
    model, wants_types = torch_model(found.folder, kind, attention="eager")
    inputs = list(_random_inputs(found.config, wants_types=wants_types))
    said = _asked(model, inputs, wants_types=wants_types)
    fp32 = aside / FP32
    try:
        _trace(model, fp32, inputs[0], wants_types=wants_types)
    except Exception as error:  # torch raises of many kinds, some of them bare
        raise WeightsError(
            f"{found.address} does not export ({type(error).__name__}: {str(error)[:200]}): use it "
            "with torch, or choose another"
        ) from error
    del model
    apart = _apart(said, _answers(onnx_run(fp32), inputs))
    if apart > MOST_APART:
        raise WeightsError(
            f"{found.address} gives other results in ONNX than in torch ({apart:.4f} apart, "
            f"{MOST_APART} allowed): its architecture does not export; use it with torch"
        )
    report = Report(kind=kind, apart=apart, fp32_mb=_megabytes(fp32))
    return _quantised(fp32, aside / INT8, report, said, inputs) if is_quantised else report


def _random_inputs(config: dict[str, Any], *, wants_types: bool) -> Iterator[Inputs]:
    """Random sequences of several shapes, with padding."""
    random = np.random.default_rng(_SEED)
    words, pad = int(config.get("vocab_size", 100)), int(config.get("pad_token_id") or 0)
    width = max(4, int(config.get("max_position_embeddings", 512)) - 2)
    for count, length in _SHAPES:
        ids = random.integers(1, words, (count, min(length, width)))
        lengths = random.integers(2, ids.shape[1] + 1, count)
        lengths[0] = ids.shape[1]
        mask = (np.arange(ids.shape[1]) < lengths[:, None]).astype(np.int64)
        types = mask * (np.arange(ids.shape[1]) >= lengths[:, None] // 2) * wants_types
        yield np.where(mask, ids, pad).astype(np.int64), mask, types.astype(np.int64)


def _names(*, wants_types: bool) -> list[str]:
    return ["input_ids", "attention_mask"] + ["token_type_ids"] * wants_types


def _asked(model: Any, inputs: Sequence[Inputs], *, wants_types: bool) -> list[NDArray[Any]]:
    """What torch answers."""
    import torch

    names = _names(wants_types=wants_types)
    found = []
    with torch.inference_mode():
        for each in inputs:
            given = dict(zip(names, map(torch.from_numpy, each[: len(names)]), strict=True))
            found.append(_shown(model(**given)[0].numpy(), each[1]))
    return found


def _answers(run: Run, inputs: Sequence[Inputs]) -> list[NDArray[Any]]:
    return [_shown(run(*each), each[1]) for each in inputs]


def _shown(answer: NDArray[Any], mask: NDArray[np.int64]) -> NDArray[Any]:
    """What is read of an answer: all logits, or the vectors of tokens that are not padding."""
    return answer[mask.astype(bool)] if answer.ndim == 3 else answer


def _apart(first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


def _trace(model: Any, out: Path, sample: Inputs, *, wants_types: bool) -> None:
    """Write the graph as the legacy exporter traces it: the newer one's cannot be quantised."""
    import torch

    names = _names(wants_types=wants_types)
    dims = {name: {0: "texts", 1: "tokens"} for name in names} | {"answer": {0: "texts"}}

    def forward(own: Any, *given: Any) -> Any:
        return own.model(**dict(zip(names, given, strict=True)))[0]

    wrapper: Any = type("First", (torch.nn.Module,), {"forward": forward})()
    wrapper.model = model
    # eval() of the wrapper itself: the exporter restores its mode, and dropout with it.
    wrapper.eval()
    with warnings.catch_warnings(), torch.inference_mode(), _quiet():
        warnings.simplefilter("ignore")  # of the tracer, about shapes that the comparison tries
        torch.onnx.export(
            wrapper,
            tuple(map(torch.from_numpy, sample[: len(names)])),
            str(out),
            input_names=names,
            output_names=["answer"],
            dynamic_axes=dims,
            opset_version=_OPSET,
            dynamo=False,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the chatter of other people's loggers."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "root", "onnxruntime")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _quantised(
    fp32: Path,
    out: Path,
    report: Report,
    said: Sequence[NDArray[Any]],
    inputs: Sequence[Inputs],
) -> Report:
    """Write the 8-bit file; the report with what it costs."""
    quantise(fp32, out)
    answers = _answers(onnx_run(out), inputs)
    parts = asdict(report) | {
        "int8_mb": _megabytes(out),
        "int8_apart": _apart(said, answers),
        "int8_agreement": _agreement(said, answers, kind=report.kind),
    }
    return Report(**parts)


def quantise(fp32: Path, out: Path) -> None:
    """Write a graph again with weights in 8 bits, one scale a column; activations at run time."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(
            fp32,
            out,
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )


def _agreement(
    first: Sequence[NDArray[Any]], second: Sequence[NDArray[Any]], *, kind: Kind
) -> float:
    """The share of rows with the same largest value; of embeddings, the mean cosine."""
    one, other = np.concatenate(first), np.concatenate(second)
    if kind != "embedder":
        return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(axis=1) / lengths).mean())


def _megabytes(path: Path) -> float:
    return round(path.stat().st_size / 1e6, 1)


def _keep_files(found: Found, aside: Path, model_id: str, report: Report) -> None:
    """What stands beside the weights: tokens, settings, card, our note, and the sums."""
    for name in _KEPT:
        if (found.folder / name).is_file():
            (aside / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(found.folder / name, aside / name)
    note = {"model_id": model_id, "languages": list(found.languages), "export": asdict(report)}
    text = json.dumps(note, indent=2, sort_keys=True, ensure_ascii=False)
    (aside / NOTE).write_text(f"{text}\n", encoding="utf-8")
    files = sorted(path for path in aside.rglob("*") if path.is_file())
    lines = [f"{_sha256(path)}  {path.relative_to(aside).as_posix()}\n" for path in files]
    (aside / SUMS).write_text("".join(lines), encoding="ascii")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
