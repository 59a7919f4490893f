import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from models import sentiment, topics
from models.errors import WeightsError
from models.hub import running
from tests.models.onnx_file import classifier

VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "bravo": 2, "honte": 3, "mairie": 4}


def checkpoint(folder: Path, *, labels: list[str], **settings: Any) -> Path:
    """A checkpoint in which bravo speaks for its third label and honte for its first."""
    folder.mkdir(exist_ok=True)
    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    id2label: Mapping[str, str] = {str(i): label for i, label in enumerate(labels)}
    config = {"id2label": id2label, "pad_token_id": 0, "max_position_embeddings": 40, **settings}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    rows = np.zeros((len(VOCABULARY), len(labels)), np.float32)
    rows[0] = 9.0  # padding that was not masked would drown everything
    rows[2, 2], rows[3, 0], rows[4, 1] = 3.0, 3.0, 1.0
    (folder / "model.onnx").write_bytes(classifier(rows))
    return folder


def tone(folder: Path, **settings: Any) -> Path:
    return checkpoint(folder, labels=["NEG", "NEU", "POS"], **settings)


def test_an_onnx_checkpoint_scores_through_the_same_interface(tmp_path: Path) -> None:
    model = sentiment.load(f"{tone(tmp_path / 'small')}#fr")
    texts = ["honte", "bravo bravo bravo mairie", "mairie mairie", "bravo"]
    found = model.score(texts, ["fr"] * 4)
    assert found.labels == ["negative", "positive", "neutral", "positive"]
    assert np.allclose(found.probabilities.sum(axis=1), 1)
    assert model.model_id == "small"
    assert len(model.weights_sha256) == 64


def test_a_text_scores_the_same_alone_and_in_a_batch_of_all_lengths(tmp_path: Path) -> None:
    model = sentiment.load(f"{tone(tmp_path / 'small')}#fr")
    texts = ["bravo " * (i % 7 + 1) + "mairie " * (i % 3) for i in range(80)]
    whole = model.score(texts, ["fr"] * 80).probabilities
    alone = np.concatenate([model.score([text], ["fr"]).probabilities for text in texts])
    assert np.allclose(whole, alone, atol=1e-6)


def test_labels_in_another_order_are_put_in_ours(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "other", labels=["positive", "neutral", "negative"])
    found = sentiment.load(f"{folder}#fr").score(["bravo"], ["fr"])
    assert found.labels == ["negative"]


def test_other_languages_and_empty_texts_are_undetermined(tmp_path: Path) -> None:
    model = sentiment.load(f"{tone(tmp_path / 'small')}#fr")
    found = model.score(["bravo", "bravo", "", " "], ["en", None, "fr", "fr"])
    assert found.labels == ["undetermined"] * 4
    assert np.isnan(found.probabilities).all()


def test_a_checkpoint_of_topics_needs_every_topic_and_several_labels(tmp_path: Path) -> None:
    kind = "multi_label_classification"
    folder = checkpoint(tmp_path / "t", labels=list(topics.LABELS), problem_type=kind)
    found = topics.load(f"{folder}#fr").score(["bravo bravo", "mairie"], ["fr", "es"])
    assert found.topics[0][0] == "T01"
    assert "T03" in found.topics[0]
    assert found.topics[1] == ()
    one = checkpoint(tmp_path / "one", labels=list(topics.LABELS))
    with pytest.raises(WeightsError, match="problem_type None"):
        topics.load(f"{one}#fr")


def test_languages_are_read_from_the_card_or_from_vigie_json(tmp_path: Path) -> None:
    folder = tone(tmp_path / "small")
    with pytest.raises(WeightsError, match="which languages it reads"):
        sentiment.load(str(folder))
    (folder / "README.md").write_text("---\nlanguage:\n- fr\n- en\nlicense: mit\n---\n# de\n")
    assert sentiment.load(str(folder)).score(["bravo"] * 3, ["fr", "en", "de"]).labels == [
        "positive",
        "positive",
        "undetermined",
    ]
    (folder / "vigie.json").write_text('{"languages": ["de"]}')
    assert sentiment.load(str(folder)).score(["bravo"], ["de"]).labels == ["positive"]


@pytest.mark.parametrize(
    "labels", [["LABEL_0", "LABEL_1", "LABEL_2"], ["neg", "neu", "pos", "mix"]]
)
def test_labels_that_are_not_ours_are_refused(tmp_path: Path, labels: list[str]) -> None:
    folder = checkpoint(tmp_path / "x", labels=labels)
    with pytest.raises(WeightsError, match="set id2label"):
        sentiment.load(f"{folder}#fr")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = tone(tmp_path / "small")
    (folder / "model.onnx").rename(folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin, a pickle"):
        sentiment.load(f"{folder}#fr")


def test_code_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = tone(tmp_path / "small", auto_map={"AutoModel": "evil.Model"})
    with pytest.raises(WeightsError, match="code of its own"):
        sentiment.load(f"{folder}#fr")


def test_safetensors_without_torch_say_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tone(tmp_path / "small")
    (folder / "model.onnx").rename(folder / "model.safetensors")
    monkeypatch.setattr(running, "find_spec", lambda _name: None)
    with pytest.raises(WeightsError, match="need torch"):
        sentiment.load(f"{folder}#fr")


def test_an_onnx_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    folder = tone(tmp_path / "small")
    (folder / "model.onnx").write_bytes(b"oops")
    with pytest.raises(WeightsError, match="cannot be run"):
        sentiment.load(f"{folder}#fr")


@pytest.mark.parametrize("name", ["org/name", "org/name@main", "no-such-folder"])
def test_an_id_without_a_pinned_revision_is_refused(name: str) -> None:
    with pytest.raises(WeightsError, match="40 hexadecimal digits"):
        sentiment.load(name)


def test_a_pinned_id_that_was_not_fetched_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match="fetch it first"):
        sentiment.load(f"org/none@{'0' * 40}#fr")


def test_a_card_that_says_multilingual_too_gives_its_languages(tmp_path: Path) -> None:
    folder = tone(tmp_path / "small")
    for head in ("language:\n- multilingual\n- fr\n- de", "language: [fr, de]", "language: fr"):
        (folder / "README.md").write_text(f"---\n{head}\nlicense: mit\n---\n# en\n")
        assert sentiment.load(str(folder)).score(["bravo"] * 2, ["fr", "en"]).labels == [
            "positive",
            "undetermined",
        ]


def test_a_missing_tokenizer_says_how_to_save_one(tmp_path: Path) -> None:
    folder = tone(tmp_path / "small")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match="save the checkpoint with a fast tokenizer"):
        sentiment.load(f"{folder}#fr")


def test_files_that_differ_from_their_sums_are_refused(tmp_path: Path) -> None:
    folder = tone(tmp_path / "small")
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  model.onnx\n", encoding="ascii")
    with pytest.raises(WeightsError, match="SHA256SUMS states 000000000000"):
        sentiment.load(f"{folder}#fr")


def test_another_file_gives_another_hash(tmp_path: Path) -> None:
    first = sentiment.load(f"{tone(tmp_path / 'a')}#fr").weights_sha256
    again = sentiment.load(f"{tone(tmp_path / 'b')}#fr").weights_sha256
    other = sentiment.load(f"{tone(tmp_path / 'c', hidden_size=2)}#fr").weights_sha256
    assert first == again != other


def test_processors_are_counted_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running.os, "process_cpu_count", lambda: 3, raising=False)
    assert running.processors() == 3
    monkeypatch.delattr(running.os, "process_cpu_count")
    monkeypatch.setattr(running.os, "sched_getaffinity", lambda _: {0, 5}, raising=False)
    assert running.processors() == 2
    monkeypatch.delattr(running.os, "sched_getaffinity")
    monkeypatch.setattr(running.os, "cpu_count", lambda: None)
    assert running.processors() == 1
