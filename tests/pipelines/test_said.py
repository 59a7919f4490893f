"""Sentences told in two languages: every one that the code says has its French, with its values."""

from __future__ import annotations

import ast
import pickle
import re
import string
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import said
from pipelines.errors import AddressRefused, QueryError
from pipelines.said import Said, say, some

PIPELINES = Path(said.__file__).parent
_MAKERS = {"say": 1, "some": 2}  # function -> how many templates it takes first


def _calls(tree: ast.AST) -> Iterator[tuple[str, list[ast.expr]]]:
    """The maker and the arguments of each call of one, as itself or as `partial(say, …)`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        name, args = node.func.id, node.args
        if name == "partial" and isinstance(args[0], ast.Name):
            name, args = args[0].id, args[1:]
        if name in _MAKERS:
            yield name, args


def _templates() -> dict[str, str]:
    """Every template of the code -> where it stands; no template is made while the code runs."""
    found: dict[str, str] = {}
    for path in PIPELINES.rglob("*.py"):
        if path.name == "said.py":
            continue
        for maker, args in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            for arg in args[: _MAKERS[maker]]:
                place = f"{path.relative_to(PIPELINES)}:{arg.lineno}"
                assert isinstance(arg, ast.Constant), f"{place}: write the template as a text"
                found[str(arg.value)] = place
    return found


def _french() -> dict[str, str]:
    path = PIPELINES / "templates" / "said.fr.toml"
    parts = tomllib.loads(path.read_text(encoding="utf-8")).values()
    return {template: text for part in parts for template, text in part.items()}


def _values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_sentence_of_the_code_has_its_french_and_no_other_has() -> None:
    templates, french = _templates(), _french()
    missing = {template: at for template, at in templates.items() if template not in french}
    assert not missing
    assert not french.keys() - templates.keys(), "no longer said"


def test_the_french_holds_the_same_values() -> None:
    wrong = [en for en, fr in _french().items() if _values(en) != _values(fr)]
    assert not wrong


def test_the_french_is_written_with_its_own_signs() -> None:
    """Typographic apostrophes; what is quoted as Vigie's own code keeps its signs."""
    texts = _french().values()
    assert not [text for text in texts if re.search(r"[^\W\d_]'[^\W\d_]", text)]
    assert not [text for text in texts if re.search(r"[^\W\d_][;!?](?:\s|$)", text)]


def test_no_part_of_the_catalogue_says_what_another_says() -> None:
    path = PIPELINES / "templates" / "said.fr.toml"
    parts = tomllib.loads(path.read_text(encoding="utf-8")).values()
    assert max(Counter(template for part in parts for template in part).values()) == 1


def test_a_sentence_is_its_english_and_can_be_told_in_french() -> None:
    told = say("nothing stands after {sign}", sign="AND")
    assert told == "nothing stands after AND"
    assert told.told("en") == told
    assert told.told("fr") == "rien ne suit AND"


def test_what_a_language_lacks_is_told_in_english() -> None:
    assert say("nothing stands after {sign}", sign="AND").told("de") == "nothing stands after AND"
    assert Said("12 {x}").told("fr") == "12 {x}"
    assert say(str("no such {thing}"), thing="text").told("fr") == "no such text"  # noqa: UP018


def test_values_are_told_in_the_same_language_and_never_read_as_templates() -> None:
    inner = say("nothing stands after {sign}", sign="{what}")
    outer = say("{tool}'s {what}", tool="Brandwatch", what=inner)
    assert outer.told("fr") == "Brandwatch\u00a0: rien ne suit {what}"


def test_nought_is_singular_in_french() -> None:
    for n, english, french in ((0, "letters", "lettre"), (1, "letter", "lettre")):
        told = some(
            "{word} has {n} letter of its own: it would match far too much",
            "{word} has {n} letters of its own: it would match far too much",
            n=n,
            word="*",
        )
        assert f"{n} {english} of" in told
        assert f"n’a que {n} {french}\u00a0:" in told.told("fr")


def test_a_sentence_survives_another_process() -> None:
    told = pickle.loads(pickle.dumps(say("nothing stands after {sign}", sign="AND")))  # noqa: S301
    assert told.told("fr") == "rien ne suit AND"


@pytest.mark.parametrize("locale", ["en", "fr"])
def test_an_error_is_told_with_its_place(locale: str) -> None:
    what, remedy = say("the query is empty"), say("make two subjects of it")
    told = QueryError("aa\nbb", at=4, length=1, what=what, remedy=remedy).told(locale)
    assert told.splitlines()[1:] == ["    bb", "     ^"]
    assert ("line 2, character 2" if locale == "en" else "ligne 2, caractère 2") in told


def test_an_address_that_is_refused_survives_another_process() -> None:
    error = AddressRefused(say("{url} is not an http or https address", url="x"), say("correct it"))
    told = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert told.told("fr") == "x n’est pas une adresse http ou https\u00a0: corrigez-la"
    assert (told.what, told.remedy) == (error.what, error.remedy)
