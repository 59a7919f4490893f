"""Every form of a word, from spaCy's tables: what `forms:` finds and does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import query, query_told, word_forms, words
from pipelines.query_match import compiled, document
from pipelines.query_tree import Any, Node, Phrase, cover, digest
from pipelines.settings import Subject
from pipelines.subjects import wanted


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own, with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    word_forms._kept.cache_clear()
    yield tmp_path
    word_forms._kept.cache_clear()


def test_what_was_found_is_read_from_the_disk_and_a_broken_file_is_made_anew(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = word_forms.of("fermer")
    (path,) = cache_folder.glob("vigie/forms-*.json")
    word_forms._kept.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(word_forms, "_found", {}.get)
        assert word_forms.of("Fermer") == first
    path.write_bytes(b"{")
    word_forms._kept.cache_clear()
    assert word_forms.of("fermer") == first
    assert "fermer" in path.read_text(encoding="utf-8")


def parsed(text: str) -> Node:
    return query.parse(text).tree


def finds(text: str, post: str) -> bool:
    return bool(compiled([parsed(text)]).find(document(post)))


@pytest.mark.parametrize(
    ("word", "found", "not_found"),
    [
        ("fermer", "ferme fermes fermé fermées fermaient fermera fermons fermèrent fermant ferment",
         "fermier fermette fermeture fermiers affermer"),
        ("supprimer", "supprime supprimée supprimeront supprimait", "suppression supprimable"),
        ("manger", "mangeons mangeait mange mangé", "mangeoire mangas mangons"),
        ("appeler", "appelle appelons appellera", "appel appels"),
        ("finir", "finit finissaient finies finirons", "finition final finale"),
        ("prendre", "prend pris prise prennent prîmes", "preneur apprendre"),
        ("aller", "va vont ira irons allait allée aille", "alliance allo"),
        ("devoir", "doit devra dues devaient", "du redevable"),
        ("faire", "font feront fasse faites", "fait refaire"),
        ("cheval", "cheval chevaux", "chevalier chevaline"),
        ("journal", "journal journaux", "journalier journaliste"),
        ("travail", "travail travaux", "travailler travailleur"),
        ("municipal", "municipale municipales municipaux municipal", "municipalité"),
        ("nouveau", "nouvelle nouveaux nouvel", "renouveau nouveauté"),
        ("heureux", "heureuse heureuses heureux", "heureusement"),
        ("beau", "belle beaux belles", "beauté"),
        ("école", "école écoles", "écolier"),
        ("œil", "yeux oeil", "œillet"),
        ("strike", "struck striking strikes", "striker"),
        ("demolish", "demolished demolishing", "demolition"),
    ],
)  # fmt: skip
def test_every_form_of_a_word_is_found_and_no_other_word(
    word: str, found: str, not_found: str
) -> None:
    test = compiled([parsed(f"forms:{word}")])
    assert [f for f in found.split() if not test.find(document(f"x {f} x"))] == []
    assert [f for f in not_found.split() if test.find(document(f"x {f} x"))] == []


@pytest.mark.parametrize(
    ("text", "post", "is_found"),
    [
        ("forms:fermer NEAR/5 école", "L’école de la rue Haute FERMERA en juin", True),
        ("forms:fermer NEAR/5 école", "école " + "x " * 6 + "fermée", False),
        ("forms:fermer ONEAR/0 école", "on ferme l'école", True),
        ("école ONEAR/3 forms:(fermer OR supprimer)", "école bientôt supprimée", True),
        ("title:forms:fermer", "on ferme", False),
        ("tram NOT forms:fermer", "le tram, fermé", False),
        ("risky/2:(forms:fermer) AND mairie", "la mairie ferme", True),
        ("risky/2:(forms:fermer) AND mairie", "la mairie a dit que tout ferme", False),
        ('forms:"fermer" tram', "tram fermé", True),
        ("forms:rendez-vous mairie", "Rendez vous à la mairie", True),
        ("forms:rendez-vous mairie", "rendez tout à la mairie", False),
        ("FORMS:Fermer tram", "tram fermé", True),
    ],
)
def test_forms_stand_wherever_words_do(text: str, post: str, is_found: bool) -> None:
    assert finds(text, post) is is_found


@pytest.mark.parametrize(
    "word", ["mairie", "école", "tram", "journal", "travail", "bus", "bureau", "jeu", "fermer"]
)
def test_no_less_is_found_than_without(word: str) -> None:
    (forms,) = (part.forms for way in _phrase(f"forms:{word}").ways for part in way)
    assert set(words.number_forms(words.fold(word))) <= set(forms)


def _phrase(text: str) -> Phrase:
    tree = parsed(text)
    assert isinstance(tree, Phrase)
    return tree


@pytest.mark.parametrize(
    ("word", "lemmas"),
    [
        ("fermées", ("fermer", "fermé")),
        ("fermaient", ("fermer",)),
        ("fermee", ("fermer", "fermé")),  # without its accent
        ("ecole", ("école",)),
        ("chevaux", ("cheval",)),
        ("fermerait", ("fermer",)),
        ("ferme", ("ferme",)),  # a word of its own
        ("demolishes", ("demolish",)),
    ],
)
def test_a_form_stands_for_its_word(word: str, lemmas: tuple[str, ...]) -> None:
    found = word_forms.of(word)
    assert found is not None
    assert found.lemmas == lemmas


def test_forms_that_fold_to_a_word_of_every_text_are_left_out_and_told() -> None:
    found = word_forms.of("devoir")
    assert found is not None
    assert found.left_out == ("dû",)
    assert not finds("forms:devoir AND tram", "le prix du tram")
    assert any("without “dû”" in each for each in query_told.warnings(parsed("forms:devoir tram")))
    assert not finds("forms:sûr AND tram", "sur le tram")
    assert finds("forms:sûr AND tram", "je suis sûre du tram")


def test_a_word_that_no_table_knows_is_told_with_the_nearest() -> None:
    assert word_forms.of("fermmer") is None
    assert word_forms.nearest("fermmer") == "fermer"
    assert word_forms.nearest("ecolle") == "école"
    assert word_forms.nearest("xzqq") is None


def test_explain_lists_the_forms_and_says_whose_they_are() -> None:
    (line,) = query_told.described(parsed("forms:chevaux"))
    assert line == "every form of “cheval”, since “chevaux” is one of them (cheval, chevaux)"
    (line,) = query_told.described(parsed("forms:ecole"))
    assert line == "every form of “école” (école, écoles)"
    told = query_told.warnings(parsed("forms:ferme tram"))
    assert any("write forms:fermer if that is meant" in each for each in told)
    told = query_told.warnings(parsed("forms:irons tram"))  # an English noun too
    assert any("write forms:aller if that is meant" in each for each in told)
    told = query_told.warnings(parsed("forms:fermer NEAR/5 école"))
    assert any("finds “fermant”, “ferme”" in each for each in told)
    assert not any("asked for each" in each for each in told)
    assert any("each of its 2 forms" in each for each in query_told.warnings(parsed("forms:école")))


def test_sources_are_asked_for_the_other_word_or_for_each_form() -> None:
    near = cover(parsed("forms:fermer NEAR/5 école"))
    assert near is not None
    assert [phrase.written for phrase in near] == ["école"]
    subject = Subject(id="s", label="s", purpose="répondre aux habitants", query="forms:cheval")
    assert wanted(subject, query.NOBODY).names == ("cheval", "chevaux")


def test_the_version_follows_from_the_forms_and_not_from_how_they_were_asked() -> None:
    assert digest(parsed("forms:cheval")) == digest(parsed("forms:chevaux"))
    assert digest(parsed("forms:cheval")) != digest(parsed("forms:école"))
    assert isinstance(parsed("forms:(cheval OR école)"), Any)


def test_spacy_is_loaded_for_a_query_with_forms_alone() -> None:
    code = (
        "import sys; from pipelines import query, subjects; query.parse('tram NEAR/5 école');"
        "assert 'spacy' not in sys.modules; query.parse('forms:tram école');"
        "assert 'spacy' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
