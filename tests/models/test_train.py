import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import checkpoint, datasets, evaluate, sentiment, topics, train
from models.datasets import Source

TEXTS = {
    "negative": ["quelle honte", "service lamentable", "très mal reçu", "toujours en retard"],
    "neutral": ["réunion mardi", "horaires du guichet", "liste des pièces", "ordre du jour"],
    "positive": ["merci beaucoup", "accueil super", "très bien reçu", "service rapide"],
}


def labelled(folder: Path) -> Path:
    rows = [
        {"text": f"{text} numéro {i}", "label": label, "lang": lang, "source": "invented"}
        for label, texts in TEXTS.items()
        for text in texts
        for i in range(8)
        for lang in train.LANGUAGES
    ]
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "sent_umsab.parquet")
    return folder


@pytest.fixture
def only_one_set(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(file="sent_umsab", licence="invented")
    monkeypatch.setattr(datasets, "SENTIMENT", (source,))
    monkeypatch.setattr(datasets, "TOPICS", {"fr": (source,), "en": (source,)})


def test_two_trainings_write_the_same_bytes(tmp_path: Path, only_one_set: None) -> None:
    data = labelled(tmp_path / "data")
    for out in ("one", "two"):
        assert train.main(["--data", str(data), "--out", str(tmp_path / out)]) == 0
    sums = [(tmp_path / out / checkpoint.SUMS).read_text() for out in ("one", "two")]
    assert sums[0] == sums[1]
    read = checkpoint.read(
        tmp_path / "one", sentiment.TASK, task=sentiment.TASK, labels=sentiment.LABELS
    )
    model = sentiment.Embedded(read)
    assert model.score(["merci beaucoup", "quelle honte"], ["fr", "fr"]).labels == [
        "positive",
        "negative",
    ]
    assert read.description.training[0].licence == "invented"


def test_folds_follow_from_the_letters_of_a_text() -> None:
    assert datasets.fold("Quelle honte !") == datasets.fold("quelle HONTE")
    folds = np.bincount([datasets.fold(f"texte {i}") for i in range(500)], minlength=5)
    assert folds.min() > 60


def test_copies_of_a_text_teach_once(tmp_path: Path) -> None:
    rows = [
        {"text": text, "label": "neutral", "lang": "fr", "source": "x"}
        for text in ("Réunion mardi", "réunion mardi !", "Autre")
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    found = datasets.sentiment(tmp_path, lang="fr", sources=[Source(file="a", licence="x")])
    assert found.texts == ["Réunion mardi", "Autre"]


def test_what_may_not_train_is_left_out() -> None:
    names = {source.file for source in datasets.trainable(datasets.SENTIMENT)}
    assert "sent_deft2017_fr" not in names
    assert not [name for name in names if "airline" in name]


def test_macro_f1_and_its_interval_are_those_of_a_hand_count() -> None:
    truth, said = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert evaluate.macro_f1(truth, said) == pytest.approx((2 / 3 + 4 / 5) / 2)
    low, high = evaluate.interval(evaluate.macro_f1, np.tile(truth, 50), np.tile(said, 50))
    assert low < evaluate.macro_f1(truth, said) < high


def test_ranking_is_one_when_every_text_of_the_topic_stands_first() -> None:
    is_of = np.array([True, False, True, False])
    assert evaluate.ranking(is_of, np.array([0.9, 0.1, 0.8, 0.2])) == 1.0
    assert evaluate.ranking(is_of, np.array([0.1, 0.9, 0.2, 0.8])) == 0.0


def test_a_card_keeps_what_stands_around_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "CARDS", tmp_path)
    table = evaluate.Table("Caption.", ("A", "B"), (("1", "2"),))
    (tmp_path / "x.md").write_text(f"# X\n\n{evaluate._BEGIN}\nold\n{evaluate._END}\n\nAfter.\n")
    evaluate.write_card("x", [table])
    text = (tmp_path / "x.md").read_text()
    assert "old" not in text
    assert "| 1 | 2 |" in text
    assert text.startswith("# X")
    assert text.endswith("After.\n")


def test_the_cards_name_the_weights_that_ship() -> None:
    for task, module in ((sentiment.TASK, sentiment), (topics.TASK, topics)):
        card = (evaluate.CARDS / f"{task}.md").read_text(encoding="utf-8")
        assert json.loads(f'"{module.load().weights_sha256}"') in card
