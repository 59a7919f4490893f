import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from models import checkpoint, features, lexicons, terms, text
from models.taxonomy import LANGUAGES, taxonomy

CACHED = (lexicons.digest, lexicons.reading, terms.lexicon)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What was cached is forgotten before and after, once what was changed is back."""
    for each in CACHED:
        each.cache_clear()
    yield
    monkeypatch.undo()
    for each in CACHED:
        each.cache_clear()


def test_labels_are_each_of_one_place_topics_first() -> None:
    assert [lexicons.place(name) for name in lexicons.labels()] == list(
        range(len(lexicons.labels()))
    )
    assert lexicons.labels()[0] == taxonomy()[0].id
    assert all(set(own) <= set(LANGUAGES) for own in lexicons.table().values())


def test_an_exclusion_speaks_against_a_label_that_is_there() -> None:
    pairs = lexicons.exclusions()
    assert len(pairs) >= len(taxonomy())
    for label, against in pairs:
        assert lexicons.labels()[against] == f"{lexicons.labels()[label]}!"


def test_no_label_but_an_exclusion_or_a_part_is_without_terms() -> None:
    for name, own in lexicons.table().items():
        assert name.endswith("!") or own["fr"], name


def test_the_packed_terms_that_ship_are_those_of_the_files() -> None:
    """Else every start compiles them: `vigie models train --data . --only terms` packs them."""
    stored = checkpoint.read(checkpoint.WEIGHTS, terms.TASK, task=terms.TASK).description
    assert stored.terms_sha256 == lexicons.digest()
    assert stored.labels == lexicons.labels()


def a_term_more(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    table = lexicons.table()
    own = {**table["T01"], "fr": (*table["T01"]["fr"], "licorne")}
    monkeypatch.setattr(lexicons, "table", lambda: {**table, "T01": own})


def an_impartial_word_more(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    lexicons.table()  # read before the folder is another
    for name in ("impartial", "spelling"):
        shutil.copytree(str(files("models") / name), folder / name)
    path = folder / "impartial" / "faiths.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("words = [", 'words = ["licorne", '))
    monkeypatch.setattr(lexicons, "files", lambda _: folder)


def a_spelling_more(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    lexicons.table()
    for name in ("impartial", "spelling"):
        shutil.copytree(str(files("models") / name), folder / name)
    path = folder / "spelling" / "fr.toml"
    path.write_text(path.read_text(encoding="utf-8") + '"licrn" = "licorne"\n', encoding="utf-8")
    monkeypatch.setattr(lexicons, "files", lambda _: folder)


def another_rule(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    monkeypatch.setattr(text, "READ_LIMIT", 2_999)


def other_features(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    monkeypatch.setattr(features, "VERSION", features.VERSION + 1)


def other_endings(monkeypatch: pytest.MonkeyPatch, _: Path) -> None:
    monkeypatch.setattr(terms, "_ENDINGS", ("", "s"))


def packed_now(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of weights whose packed terms are those of the files (there are none in it)."""
    own = checkpoint.Description(
        model_id="vigie-terms", version="0", task=terms.TASK, labels=(), languages=("fr",),
        features_version=0, seed=0, training=(), thresholds={}, terms_sha256=lexicons.digest(),
    )  # fmt: skip
    checkpoint.write(folder / "weights", terms.TASK, own, {})
    monkeypatch.setattr(checkpoint, "WEIGHTS", folder / "weights")


Edit = Callable[[pytest.MonkeyPatch, Path], None]
OF_TERMS: list[Edit] = [a_term_more, other_endings]
OF_READING: list[Edit] = [an_impartial_word_more, a_spelling_more, another_rule, other_features]


@pytest.mark.parametrize("edit", [*OF_TERMS, *OF_READING])
def test_an_edit_of_what_terms_depend_on_makes_the_packed_ones_stale(
    edit: Edit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(terms, "compiled", lambda lang: compiled.append(lang))
    packed_now(tmp_path, monkeypatch)
    terms.lexicon("fr")
    assert compiled == []
    for each in CACHED:
        each.cache_clear()
    edit(monkeypatch, tmp_path)
    terms.lexicon("fr")
    assert compiled == ["fr"]


@pytest.mark.parametrize("edit", OF_READING)
def test_an_edit_of_how_texts_are_read_is_told_apart_from_one_of_terms(
    edit: Edit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = lexicons.reading()
    lexicons.reading.cache_clear()
    edit(monkeypatch, tmp_path)
    assert lexicons.reading() != before


@pytest.mark.parametrize("edit", OF_TERMS)
def test_an_edit_of_terms_alone_leaves_how_texts_are_read(
    edit: Edit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = lexicons.reading()
    lexicons.reading.cache_clear()
    edit(monkeypatch, tmp_path)
    assert lexicons.reading() == before
