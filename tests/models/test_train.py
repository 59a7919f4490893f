"""Training from invented data: needs torch and floret (`make test-training`)."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import (
    acts,
    checkpoint,
    datasets,
    evaluate,
    examples,
    heads,
    pretrain,
    sentiment,
    train,
    train_trunk,
)
from models.datasets import Source
from models.train import Setting

TEXTS = {
    "negative": ["quelle honte", "service lamentable", "très mal reçu", "toujours en retard"],
    "neutral": ["réunion mardi", "horaires du guichet", "liste des pièces", "ordre du jour"],
    "positive": ["merci beaucoup", "accueil super", "très bien reçu", "service rapide"],
}
NEEDS_EXTRAS = pytest.mark.skipif(
    not (find_spec("torch") and find_spec("floret")),
    reason="needs the extra vigie[train]: `make test-training`",
)


def labelled(folder: Path) -> Path:
    """A folder with every file that training reads, each of a few invented texts."""
    rows = [
        {"text": f"{text} numéro {i} de {name}", "label": label, "lang": lang, "source": "s"}
        for name in ("a", "b")
        for label, texts in TEXTS.items()
        for text in texts
        for i in range(4)
        for lang in ("fr", "en", "de", "es", "it", "pt", "ar")
    ]
    files = {source.file for source in (*datasets.PLAIN, *datasets.SENTIMENT)}
    files |= {"abuse_ftr_fr", "abuse_toxifrench_fr", "abuse_mlma", "abuse_davidson_en"}
    for file in sorted(files):
        sources = {"sent_allocine_fr": "allocine_films", "unlab_tweets_fr": "deft2017_test"}
        own = [
            {**row, "source": sources.get(file, "s"), "text": f"{row['text']} {file[-3:]}"}
            for row in rows
        ]
        if file.startswith("abuse"):
            own = [{**r, "label": "abusive" if r["label"] == "negative" else "not"} for r in own]
        _write(folder / f"{file}.parquet", own)
    for file, labels in (
        ("irony_tweeteval_en", ("irony", "non_irony")),
        ("emo_tweeteval_en", ("joy", "anger")),
    ):
        own = [
            {"text": f"so {label} {i}", "label": label, "lang": "en", "source": "s"}
            for label in labels
            for i in range(20)
        ]
        _write(folder / f"{file}.parquet", own)
    return folder


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One short epoch and small vectors."""
    monkeypatch.setitem(pretrain.SETTINGS, "minCount", 1)
    monkeypatch.setitem(pretrain.SETTINGS, "epoch", 1)
    monkeypatch.setitem(pretrain.SETTINGS, "bucket", 1_000)
    monkeypatch.setattr(train_trunk, "EPOCHS", 1)
    monkeypatch.setattr(train_trunk, "_CROWD", 60)
    monkeypatch.setattr(examples, "_DRILLS", 2)
    monkeypatch.setattr(examples, "_TONE_DRILLS", 2)
    monkeypatch.setattr("models.posts.posts", lambda _folder: [])


@NEEDS_EXTRAS
@pytest.mark.slow
def test_two_trainings_write_the_same_bytes(tmp_path: Path, small: None) -> None:
    data = labelled(tmp_path / "data")
    hashes = []
    for name in ("one", "two"):
        setting = Setting(data, tmp_path / name, tmp_path / f"work-{name}", seed=3)
        hashes.append(train.train(setting, only=("network",)))
    assert hashes[0] == hashes[1]
    stated = checkpoint.read(tmp_path / "one", "network", task="network").description
    assert stated.seed == 3
    assert all(each.licence for each in stated.training)


def test_folds_follow_from_the_letters_of_a_text() -> None:
    assert datasets.fold("Quelle honte !") == datasets.fold("quelle HONTE")
    folds = np.bincount([datasets.fold(f"texte {i}") for i in range(500)], minlength=5)
    assert folds.min() > 60


def test_what_states_no_licence_never_teaches() -> None:
    taught: list[Source] = [*datasets.PLAIN, *datasets.trainable(datasets.SENTIMENT)]
    assert all(source.licence for source in taught)
    assert not any("unstated" in source.file for source in taught)
    assert not {"sent_airline_en", "abuse_cyberado_fr"} & {source.file for source in taught}


def test_macro_f1_and_recall_are_means_over_the_classes_that_occur() -> None:
    truth, said = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert evaluate.macro_f1(truth, said) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert evaluate.macro_recall(truth, said) == pytest.approx(0.75)
    low, high = evaluate.interval(evaluate.macro_f1, truth, said)
    assert 0.0 <= low <= high <= 1.0


def test_a_judgement_counts_what_is_answered() -> None:
    truth = np.array([0, 1, 2, 0])
    chances = np.array([[0.9, 0.05, 0.05], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8], [0.35, 0.4, 0.25]])
    found = evaluate.judgement(truth, chances, threshold=0.5)
    assert found.abstained_share == pytest.approx(0.5)
    assert found.f1_answered == pytest.approx(100.0)
    assert found.count == 4


def test_copies_of_a_text_teach_once(tmp_path: Path) -> None:
    rows = [
        {"text": text, "label": "neutral", "lang": "fr", "source": "x"}
        for text in ("Réunion mardi", "réunion mardi !", "Autre")
    ]
    _write(tmp_path / "a.parquet", rows)
    found = datasets.sentiment(tmp_path, lang="fr", sources=[Source(file="a", licence="x")])
    assert found.texts == ["Réunion mardi", "Autre"]


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
    for card, sha256 in (
        ("sentiment", sentiment.load().weights_sha256),
        ("topics", heads.read_weights().sha256),
        ("acts", acts.load().weights_sha256),
    ):
        assert sha256 in (evaluate.CARDS / f"{card}.md").read_text(encoding="utf-8")
