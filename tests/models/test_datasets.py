from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import datasets
from models.datasets import Source

NEVER_TAUGHT = {"sent_airline_en", "abuse_cyberado_fr", "abuse_olid_en", "abuse_hateval_en"}


def write(path: Path, rows: list[dict[str, str]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def row(text: str, label: str = "neutral", lang: str = "fr", source: str = "x") -> dict[str, str]:
    return {"text": text, "label": label, "lang": lang, "source": source}


def test_copies_have_one_key_whatever_their_case_and_signs() -> None:
    assert datasets.key("Quelle honte !") == datasets.key("quelle HONTE…")
    assert datasets.key("Quelle honte") != datasets.key("Quelle bonté")
    assert datasets.key("!!") != datasets.key("??")  # signs are all that such a text has
    assert datasets.key("Réunion mardi") == "05bf8f7ad2355161"  # labels.csv holds such keys


@pytest.mark.parametrize("text", ["", "\ud83d", "Merci \ud83d", "\udc00\ud800", "\x00", "🙂"])
def test_any_text_has_a_key_and_a_fold(text: str) -> None:
    assert len(datasets.key(text)) == 16
    assert 0 <= datasets.fold(text) < datasets.FOLDS


def test_half_an_emoji_is_a_sign_like_another() -> None:
    assert datasets.key("Merci \ud83d") == datasets.key("merci")
    assert datasets.key("\ud83d") != datasets.key("\ud83e")


def test_folds_follow_from_the_letters_of_a_text() -> None:
    assert datasets.fold("Quelle honte !") == datasets.fold("quelle HONTE")
    folds = np.bincount([datasets.fold(f"texte {i}") for i in range(500)], minlength=5)
    assert folds.min() > 60


def test_folds_are_those_of_the_weights_that_ship() -> None:
    """Other folds would make what the cards call unseen seen."""
    texts = ("Merci", "Honte", "Réunion mardi", "!", "Été")
    assert [datasets.fold(text) for text in texts] == [1, 2, 2, 1, 2]


def test_what_is_named_states_a_licence_and_what_never_teaches_is_not_named() -> None:
    sources = [*datasets.PLAIN, *datasets.SENTIMENT]
    assert all(source.licence for source in sources)
    assert not {source.file for source in sources} & NEVER_TAUGHT
    assert not any(word in s.licence for s in sources for word in ("NC", "GPL", "unstated"))
    allocine = [source for source in sources if source.file == "sent_allocine_fr"]
    assert {source.only_source for source in allocine} == {"allocine_films"}  # series state none


def test_copies_of_a_text_teach_once(tmp_path: Path) -> None:
    texts = ("Réunion mardi", "réunion mardi !", "Autre")
    write(tmp_path / "a.parquet", [row(text) for text in texts])
    write(tmp_path / "b.parquet", [row("AUTRE"), row("Encore", "positive")])
    sources = [Source(file=name, licence="x", weight=2.0) for name in ("a", "b")]
    found = datasets.sentiment(tmp_path, lang="fr", sources=sources)
    assert found.texts == ["Réunion mardi", "Autre", "Encore"]
    assert found.classes.tolist() == [1, 1, 2]
    assert found.origins == ["a", "a", "b"]
    assert found.weights.tolist() == [2.0] * 3
    assert found.folds.tolist() == [datasets.fold(text) for text in found.texts]


def test_other_labels_languages_and_sources_are_left_out(tmp_path: Path) -> None:
    rows = [
        row("un"),
        row("deux", "mixed"),
        row("three", lang="en"),
        row("quatre", source="y"),
    ]
    write(tmp_path / "a.parquet", rows)
    source = Source(file="a", licence="x", only_source="x")
    assert datasets.sentiment(tmp_path, lang="fr", sources=[source]).texts == ["un"]


def test_a_dialect_of_arabic_counts_in_arabic_script_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [row("شكرا", lang="ary"), row("choukran", lang="ary")])
    source = Source(file="a", licence="x")
    assert datasets.sentiment(tmp_path, lang="ar", sources=[source]).texts == ["شكرا"]


def test_plain_texts_are_drawn_in_order_the_same_with_the_same_seed(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", [row(f"texte {i:02}") for i in range(40)])
    source = Source(file="a", licence="x", limit=10)
    one, again, other = (
        datasets.plain(tmp_path, source, lang="fr", seed=seed) for seed in (1, 1, 2)
    )
    assert one == again == sorted(one)
    assert one != other
    assert len(set(one)) == 10
