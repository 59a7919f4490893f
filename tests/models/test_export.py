"""Checkpoints of each family of architectures go from torch to ONNX to 8 bits and score alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models import export as exporting, sentiment, topics
from models.errors import WeightsError
from models.export import export
from models.hub import running
from tests.models import tiny

TEXTS = ["honte encore une panne", "bravo merci", "la mairie est fermée", "rue sale " * 30, "bus"]
NLI = ("contradiction", "entailment", "neutral")


def scored(name: str) -> np.ndarray:
    return sentiment.load(name).score(TEXTS, ["fr"] * len(TEXTS)).probabilities


@tiny.NEEDS_TORCH
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_checkpoint_scores_in_onnx_as_in_torch_and_nearly_so_in_8_bits(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.classifier(tmp_path / "hub", family)
    in_torch = scored(f"{folder}#fr")
    report = export(f"{folder}#fr", tmp_path / "out", model_id=f"org/{family}@{'0' * 40}")
    assert report.apart < 1e-4
    assert report.int8_agreement is not None
    assert report.int8_agreement > 0.8

    monkeypatch.setattr(running, "find_spec", lambda _name: None)  # as if torch were not there
    in_8_bits = scored(str(tmp_path / "out"))
    assert sentiment.load(str(tmp_path / "out")).model_id == f"org/{family}@{'0' * 40}"
    (tmp_path / "out" / "model.int8.onnx").unlink()
    assert np.abs(scored(str(tmp_path / "out")) - in_torch).max() < 1e-3
    assert np.abs(in_8_bits - in_torch).max() < 0.25
    assert in_torch.std(axis=0).max() > 0.01  # texts are told apart, so that equality says much


@tiny.NEEDS_TORCH
@pytest.mark.parametrize("family", ["Bert", "XLMRoberta", "DebertaV2"])
def test_an_nli_head_is_exported_and_asked_about_tone_and_topics(
    family: str, tmp_path: Path
) -> None:
    folder = tiny.classifier(tmp_path / "hub", family, labels=NLI)
    in_torch = scored(f"{folder}#fr")
    export(f"{folder}#fr", tmp_path / "out", is_quantised=False)
    assert np.abs(scored(str(tmp_path / "out")) - in_torch).max() < 1e-3
    found = topics.load(str(tmp_path / "out")).score(TEXTS, ["fr"] * len(TEXTS))
    assert found.probabilities.shape == (len(TEXTS), len(topics.LABELS))
    assert ((found.probabilities > 0) & (found.probabilities < 1)).all()


@tiny.NEEDS_TORCH
def test_sentence_embeddings_are_exported_with_their_pooling(tmp_path: Path) -> None:
    folder = tiny.embedder(tmp_path / "hub")
    in_torch = scored(f"{folder}#fr")
    report = export(f"{folder}#fr", tmp_path / "out", is_quantised=False)
    assert report.kind == "embedder"
    assert np.abs(scored(str(tmp_path / "out")) - in_torch).max() < 1e-3


@tiny.NEEDS_TORCH
def test_an_export_is_the_same_bytes_again_and_its_sums_are_checked(tmp_path: Path) -> None:
    folder = tiny.classifier(tmp_path / "hub", "Camembert")
    out = tmp_path / "out"
    export(f"{folder}#fr,en", out)
    first = (out / "SHA256SUMS").read_text()
    export(f"{folder}#fr,en", out)
    assert (out / "SHA256SUMS").read_text() == first
    assert json.loads((out / "vigie.json").read_text())["languages"] == ["fr", "en"]
    assert not list(tmp_path.glob(".out*"))
    with (out / "model.int8.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(WeightsError, match=r"model\.int8\.onnx has SHA-256|cannot be run"):
        sentiment.load(str(out))


@tiny.NEEDS_TORCH
def test_an_export_that_differs_from_torch_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.classifier(tmp_path / "hub", "Bert")
    monkeypatch.setattr(exporting, "MOST_APART", -1.0)
    with pytest.raises(WeightsError, match="gives other results in ONNX than in torch"):
        export(f"{folder}#fr", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@tiny.NEEDS_TORCH
def test_labels_that_are_not_ours_are_refused_whatever_the_family(tmp_path: Path) -> None:
    folder = tiny.classifier(tmp_path / "hub", "Roberta", labels=("LABEL_0", "LABEL_1"))
    with pytest.raises(WeightsError, match="set id2label"):
        sentiment.load(f"{folder}#fr")


@tiny.NEEDS_TORCH
def test_a_checkpoint_without_safetensors_is_not_exported(tmp_path: Path) -> None:
    folder = tiny.classifier(tmp_path / "hub", "Bert")
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"has no model\.safetensors to export"):
        export(f"{folder}#fr", tmp_path / "out")


@tiny.NEEDS_TORCH
def test_safetensors_that_are_none_are_told(tmp_path: Path) -> None:
    folder = tiny.classifier(tmp_path / "hub", "Bert")
    (folder / "model.safetensors").write_bytes(b"oops")
    with pytest.raises(WeightsError, match="cannot be read by transformers"):
        sentiment.load(f"{folder}#fr")


def test_without_the_extra_an_export_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda _name: None)
    with pytest.raises(WeightsError, match=r"needs torch and onnx.*\.\[checkpoint\]"):
        export(tmp_path, tmp_path / "out")
