"""On a French home the analysts' file, its shell, its page and its exports speak French."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import openpyxl
import pytest

from pipelines import analyst, contract, dictionary, export, publish, questions, sql_shell
from pipelines.wording import LOCALES, words
from tests.pipelines.staged import SEEN, mention, score, stored

PARIS = ZoneInfo("Europe/Paris")
_ENGLISH = re.compile(r"\b(?:the|of|which|are|is|per|what|those|their|with|and)\b")
_SIGN = re.compile(r"[^\s\u00a0\u202f][;!?»]|[^\s\u00a0\u202f\w]: |« | [:;!?»]|«[^\u00a0]")


def _catalogue(name: str) -> dict[str, Any]:
    path = files("pipelines") / "templates" / f"{name}.fr.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A French home with an analysts' file of a dozen messages."""
    home = tmp_path_factory.mktemp("home")
    mentions = [mention(n) for n in range(1, 13)]
    with stored(home, mentions, scores=map(score, mentions)):
        pass
    publish.publish(home, made_at=SEEN)
    return home


def _said(home: Path, lines: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with analyst.opened(home) as connection:
        sql_shell.talk(sql_shell.Shell(connection, lambda: SEEN), lines)
    return " ".join(capsys.readouterr().out.split())


def test_every_question_has_its_french_and_no_other_has() -> None:
    told = _catalogue("questions")["questions"]
    assert told.keys() == {question.name for question in contract.questions()}
    for name, texts in told.items():
        assert tuple(texts) == questions.TOLD, name


def test_a_question_in_french_names_the_columns_that_its_english_names() -> None:
    """A name of a column stands between `…` in both."""
    french = {question.name: question for question in questions.questions("fr")}
    for question in contract.questions():
        for key in ("units", "caveat"):
            named = [
                set(re.findall(r"`\w+`", getattr(told, key)))
                for told in (question, french[question.name])
            ]
            assert named[0] - {"`null`", "`days`"} <= named[1], (question.name, key)


def test_the_french_of_a_question_is_french_with_its_own_signs() -> None:
    for question in questions.questions("fr"):
        assert question.question.endswith("\u202f?")
        assert question.question[0].isupper()
        for key in questions.TOLD:
            text = getattr(question, key)
            assert not _ENGLISH.search(re.sub(r"`[^`]*`|«[^»]*»|\(T\. [^)]*\)", "", text)), text
            assert not _SIGN.search(text), text
            assert "'" not in text, text
            assert not text.endswith("."), text
            assert text.count("`") % 2 == 0, text


def test_english_is_what_the_sql_says() -> None:
    assert questions.questions("en") == contract.questions()


def test_the_sql_of_a_question_keeps_its_body_under_a_french_head() -> None:
    for told, source in zip(questions.questions("fr"), contract.questions(), strict=True):
        assert _body(told.sql) == _body(source.sql)
        head = told.sql.removesuffix(_body(told.sql)).splitlines()
        assert head[0].startswith("-- Question\u00a0: ")
        assert max(map(len, head)) <= 100
        assert all(line.startswith("-- ") for line in head)
        assert told.reads == source.reads


def _body(sql: str) -> str:
    return re.sub(r"\A(?:--[^\n]*\n)+", "", sql)


def test_macros_and_figures_of_the_digest_have_their_french() -> None:
    told = _catalogue("dictionary")
    assert told["macros"].keys() == told["macro_caveats"].keys() == contract.macros().keys()
    assert told["figures"].keys() == dictionary.digest_queries()
    assert not told["tables"].keys() - contract.columns().keys()


@pytest.mark.parametrize("name", ["dictionary", "export"])
def test_the_frame_says_the_same_in_both_languages(name: str) -> None:
    french, english = (words(locale, PARIS, name=name).texts for locale in LOCALES)
    for part, texts in english.items():
        if isinstance(texts, dict):
            assert french[part].keys() == texts.keys(), part


def test_the_file_says_in_french_what_it_holds(home: Path) -> None:
    with analyst.opened(home) as connection:
        told = connection.execute(
            "select says, purpose, grain, units, caveat from dictionary"
            " union all select question, purpose, grain, units, caveat from question"
        ).fetchall()
        comments = connection.execute(
            "select comment from duckdb_tables() union all select comment from duckdb_columns()"
            " where not internal union all select comment from duckdb_functions()"
            " where not internal and comment is not null"
        ).fetchall()
    texts = [text for row in (*told, *comments) for text in row if text]
    english = [t for t in texts if _ENGLISH.search(re.sub(r"`[^`]*`|«[^»]*»|\(T\. .*", "", t))]
    assert english == []


def test_the_dictionary_and_the_comments_say_the_same(home: Path) -> None:
    with analyst.opened(home) as connection:
        different = connection.execute(
            "select table_name, column_name from dictionary join duckdb_columns()"
            " using (table_name, column_name) where says is distinct from comment"
            " union all select table_name, null from dictionary join duckdb_tables()"
            " using (table_name) where column_name is null and says is distinct from comment"
        ).fetchall()
    assert different == []


def test_an_english_home_stays_english(tmp_path: Path) -> None:
    with stored(tmp_path, [mention(1)]) as connection:
        connection.execute("update institution set locale = 'en'")
    publish.publish(tmp_path, made_at=SEEN)
    with analyst.opened(tmp_path) as connection:
        found = connection.execute("select question, sql from question where name = 'copies'")
        assert found.fetchall() == [
            (question.question, question.sql)
            for question in contract.questions()
            if question.name == "copies"
        ]
        says = connection.execute(
            "select comment from duckdb_functions() where comment like '%a n%'"
        )
        assert not any("é" in text for (text,) in says.fetchall())
    page = (tmp_path / "published/dictionary.fr.html").read_text(encoding="utf-8")
    assert "Quels textes sont répétés mot pour mot\u202f?" in page


def test_the_shell_speaks_french(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        ".help", ".tables", ".queries", ".macros", ".schema daily_tone", ".run tone_by_day",
        ".run copies", f".export {tmp_path}/a.csv", ".nothing", ".schema nowhere", ".run tone_by",
        "selct 1;", "select i from range(60) as t (i);",
    ]  # fmt: skip
    said = _said(home, lines, capsys)
    for told in (
        "écrivez et vous aurez",
        "Le ton de chaque jour, et à quel point on peut en être sûr.",
        "Quels textes sont répétés mot pour mot ?",
        "Les messages d’un thème.",
        "Messages au ton négatif ;",
        "Unités : parts de 0 à 1 des messages qui ont un ton ;",
        "Réserve : des intervalles qui se recouvrent ne montrent aucun changement.",
        "0 ligne écrite dans",
        "il n’y a pas de .nothing : .help donne tout",
        "il n’y a pas de table « nowhere » : .tables les donne toutes",
        "il n’y a pas de question « tone_by » : essayez tone_by_day",
        ".show NOM montre le SQL d’une question qui fonctionne",
        "Les 50 premières lignes ; .export FICHIER, ou vigie export, les écrit toutes.",
    ):
        assert told in said, told


def test_an_export_is_told_in_french_under_keys_of_every_language(
    home: Path, tmp_path: Path
) -> None:
    with analyst.opened(home) as connection:
        _export(connection, tmp_path / "a.csv")
        _export(connection, tmp_path / "a.xlsx")
    told = json.loads((tmp_path / "a.csv-metadata.json").read_text(encoding="utf-8"))
    assert told["@context"] == ["http://www.w3.org/ns/csvw", {"@language": "fr"}]
    assert told["vigie:asks"] == "Quels textes sont répétés mot pour mot\u202f?"
    assert told["vigie:query"].startswith("-- Question\u00a0: Quels textes")
    assert "mention_public\u00a0: url est nul" in told["vigie:caveats"]
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["données", "à propos"]
    rows = {row[0]: row[1] for row in book["à propos"].values if row[0]}
    assert rows["Question"] == "Quels textes sont répétés mot pour mot\u202f?"
    assert rows["Réserve"].startswith("seulement les copies identiques")
    assert rows["Lignes"] == "0"
    assert not rows.keys() & told.keys()
    assert list(rows)[-1] == "Requête"


def _export(connection: duckdb.DuckDBPyConnection, to: Path) -> None:
    export.export(connection, analyst.asked(connection, "copies"), to, name="copies", now=SEEN)


@pytest.mark.parametrize("locale", LOCALES)
def test_the_page_shows_what_each_question_is_for_and_does_not_say(home: Path, locale: str) -> None:
    page = (home / f"published/dictionary.{locale}.html").read_text(encoding="utf-8")
    text = re.sub(r"</?code>", "`", page).replace("&#39;", "'").replace("&#34;", '"')
    for question in questions.questions(locale):
        for field in fields(question):
            if field.name in questions.TOLD:
                assert getattr(question, field.name) in text, (question.name, field.name)
