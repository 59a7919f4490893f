"""What kind a checkpoint is, and how NLI models and sentence embeddings answer our questions.

The graphs are written by hand (`onnx_file.py`), so that what they say is known in advance.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from models import sentiment, topics
from models.errors import WeightsError
from models.hub import judging
from models.hub.batching import Tokens, batches, padded
from tests.models.onnx_file import classifier, vectors

WORDS = ("[PAD]", "[UNK]", "honte", "bravo", "impôts", "négatif", "positif", "neutre", "Fiscalité")
PLACE = {word: place for place, word in enumerate(WORDS)}


def folder_of(folder: Path, graph: bytes, **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    tokenizer = Tokenizer(WordLevel(PLACE, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "model.onnx").write_bytes(graph)
    return folder


def rows(width: int, **values: list[float]) -> NDArray[np.float32]:
    """A row a word; zeros for the words without values."""
    found = np.zeros((len(WORDS), width), np.float32)
    for word, value in values.items():
        found[PLACE[word]] = value
    return found


def nli(folder: Path, *, labels: list[str]) -> Path:
    """An NLI model in which honte implies négatif, bravo positif, impôts Fiscalité.

    Logits are squares of sums, so that a text and a hypothesis that go together are far from 0.
    """
    at, width = labels.index("entailment"), len(labels)

    def says(value: float) -> list[float]:
        return [value if place == at else 0.0 for place in range(width)]

    table = rows(width, honte=says(2), négatif=says(2), bravo=says(-2), positif=says(-2))
    table[PLACE["impôts"]] = table[PLACE["Fiscalité"]] = says(2)
    graph = classifier(table, squared=True)
    head = ["BertForSequenceClassification"]
    return folder_of(folder, graph, id2label=dict(enumerate(labels)), architectures=head)


@pytest.mark.parametrize(
    "labels",
    [
        ["entailment", "neutral", "contradiction"],
        ["CONTRADICTION", "NEUTRAL", "entailment"],
        ["entailment", "not_entailment"],
    ],
)
def test_an_nli_model_judges_tone_whatever_the_order_of_its_labels(
    tmp_path: Path, labels: list[str]
) -> None:
    model = sentiment.load(f"{nli(tmp_path / 'nli', labels=labels)}#fr")
    found = model.score(["honte", "bravo", "honte honte", ""], ["fr"] * 4)
    assert found.labels == ["negative", "positive", "negative", "undetermined"]
    assert np.allclose(found.probabilities[:3].sum(axis=1), 1, atol=1e-6)


def test_an_nli_model_names_topics_each_on_its_own(tmp_path: Path) -> None:
    labels = ["entailment", "neutral", "contradiction"]
    model = topics.load(f"{nli(tmp_path / 'nli', labels=labels)}#fr")
    found = model.score(["impôts", "impôts impôts"], ["fr", "en"])
    assert found.probabilities.shape == (2, len(topics.LABELS))
    tax = found.probabilities[0, topics.LABELS.index("T01")]
    others = np.delete(found.probabilities[0], topics.LABELS.index("T01"))
    assert tax > 0.99
    assert tax > others.max()
    assert np.isnan(found.probabilities[1]).all()


def test_hypotheses_are_in_french_for_french_and_in_english_for_the_rest() -> None:
    assert judging.tone_hypotheses("fr")[0] == "Ce message est négatif."
    assert judging.tone_hypotheses("de") == judging.tone_hypotheses("en")
    assert len(judging.topic_hypotheses("fr")) == len(topics.LABELS)
    assert "Fiscalité et budget local" in judging.topic_hypotheses("fr")[0]


def test_a_pair_is_scored_as_alone_and_many_texts_as_one(tmp_path: Path) -> None:
    labels = ["entailment", "neutral", "contradiction"]
    model = sentiment.load(f"{nli(tmp_path / 'nli', labels=labels)}#fr")
    texts = ["honte " * (i % 3) + "bravo " * (i % 5) + "neutre" for i in range(60)]
    whole = model.score(texts, ["fr"] * 60).probabilities
    alone = np.concatenate([model.score([text], ["fr"]).probabilities for text in texts])
    assert np.allclose(whole, alone, atol=1e-6)


def embedding(folder: Path, *, pooling: dict[str, Any] | None = None, **config: Any) -> Path:
    """Sentence embeddings in which honte and impôts lie apart from bravo; other words are 0."""
    table = rows(3, honte=[1, 0, 0], bravo=[0, 1, 0], impôts=[0, 0, 1])
    folder_of(folder, vectors(table), **({"architectures": ["BertModel"]} | config))
    if pooling is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    return folder


def test_sentence_embeddings_judge_tone_by_the_nearest_phrases(tmp_path: Path) -> None:
    model = sentiment.load(f"{embedding(tmp_path / 'e')}#fr")
    found = model.score(["honte honte", "bravo"], ["fr", "fr"])
    assert found.probabilities[0].argmax() == 0
    assert found.probabilities[1].argmax() == 2


def test_sentence_embeddings_name_topics_nearer_to_yes_than_to_no(tmp_path: Path) -> None:
    model = topics.load(f"{embedding(tmp_path / 'e')}#fr")
    chances = model.score(["impôts", "honte"], ["fr", "fr"]).probabilities
    tax = topics.LABELS.index("T01")
    assert chances[0, tax] > chances[1, tax]
    assert chances[0].argmax() == tax


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("mean", [3 / np.sqrt(10), 1 / np.sqrt(10)]),
        ("max", [1 / np.sqrt(2), 1 / np.sqrt(2)]),
        ("cls", [0.0, 1.0]),
    ],
)
def test_vectors_of_tokens_are_pooled_without_padding_to_length_one(
    mode: Any, expected: list[float]
) -> None:
    answer = np.array([[[0, 1], [1, 0], [1, 0], [1, 0], [9, 9]]], np.float32)
    found = judging.pooled(mode)(answer, np.array([[1, 1, 1, 1, 0]]))
    assert np.allclose(found, [expected], atol=1e-6)


def test_a_pooling_that_vigie_does_not_know_is_refused(tmp_path: Path) -> None:
    folder = embedding(tmp_path / "e", pooling={"pooling_mode_lasttoken": True})
    with pytest.raises(WeightsError, match="pooling_mode_lasttoken"):
        sentiment.load(f"{folder}#fr")


def test_a_module_that_vigie_does_not_run_is_refused(tmp_path: Path) -> None:
    folder = embedding(tmp_path / "e")
    modules = [{"type": "sentence_transformers.models.Dense"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(WeightsError, match="a module Dense"):
        sentiment.load(f"{folder}#fr")


def test_a_model_without_labels_says_what_it_is(tmp_path: Path) -> None:
    folder = embedding(tmp_path / "e", architectures=["CamembertForMaskedLM"])
    with pytest.raises(WeightsError, match="is a CamembertForMaskedLM, which gives neither"):
        sentiment.load(f"{folder}#fr")


def test_an_nli_model_without_a_contrary_is_refused(tmp_path: Path) -> None:
    folder = nli(tmp_path / "nli", labels=["entailment", "neutral"])
    with pytest.raises(WeightsError, match="needs entailment and contradiction"):
        sentiment.load(f"{folder}#fr")


def test_stars_are_counted_as_tones(tmp_path: Path) -> None:
    stars = ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"]
    table = rows(5, honte=[2, 2, 0, 0, 0], bravo=[0, 0, 0, 0, 3])
    folder = folder_of(tmp_path / "stars", classifier(table), id2label=dict(enumerate(stars)))
    found = sentiment.load(f"{folder}#fr").score(["honte", "bravo"], ["fr"] * 2)
    assert found.labels == ["negative", "positive"]
    assert np.allclose(found.probabilities.sum(axis=1), 1)


def test_batches_keep_every_text_once_and_within_the_budget() -> None:
    lengths = [5, 200, 3, 64, 64, 7, 300, 1, 90]
    made = list(batches(lengths, budget=200))
    assert sorted(place for own in made for place in own) == list(range(len(lengths)))
    for own in made:
        assert len(own) == 1 or len(own) * max(lengths[place] for place in own) <= 200
    assert list(batches([])) == []


def test_padding_is_masked_and_has_the_id_of_the_checkpoint() -> None:
    ids, mask, types = padded([Tokens([5, 6], [0, 1]), Tokens([7], [0])], pad_id=1)
    assert ids.tolist() == [[5, 6], [7, 1]]
    assert mask.tolist() == [[1, 1], [1, 0]]
    assert types.tolist() == [[0, 1], [0, 0]]
