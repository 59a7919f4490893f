"""`vigie query …` from end to end: on a file, on a home, and what an analyst reads."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from pipelines import query_cli, run
from pipelines.errors import QueryError, VigieError
from pipelines.query_cli import query_app

TOML = """
[institution]
id = "belleroche"
name = "Ville de Belleroche"
kind = "commune"
handles = ["@belleroche"]
legal_basis = "Mission d'intérêt public"

[[subjects]]
id = "transports"
label = "Transports"
purpose = "Répondre aux voyageurs."
query = "{query}"

[[sources]]
name = "exports"
kind = "file"
path = "inbox"
preset = "none"
columns = {{ native_id = "id", published_at = "date", text = "texte" }}

[[recipients]]
name = "Exploitation"
email = "exploitation@belleroche.example"
role = "operator"
gets = ["digest", "alerts", "failures"]

[mail]
port = 9
security = "none"
sender = "vigie@belleroche.example"
"""
TEXTS = ("le tram est en panne", "le bus est en retard", "rien à voir", "le tram et le bus")


def said(*words: str) -> Result:
    return CliRunner().invoke(query_app, list(words), catch_exceptions=False)


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    path = tmp_path / "posts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "title", "lang", "like_count", "hashtags", "url"])
        writer.writerow(["Le tram de Tours est en panne", "", "fr", "3", "", "https://a.fr/x"])
        writer.writerow(["Les tours du quartier", "Le tram", "fr", "", "TramTours", ""])
        writer.writerow(["The tram is late in Tours", "", "en", "x", "", ""])
        writer.writerow(["", "", "", "", "", ""])
        writer.writerow(["Tours [bold]\x1b[31m tram", "", "fr", "", "", ""])
    return path


@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        (
            "posts.jsonl",
            ['{"text": "le tram"}', '{"text": "le', "7", '{"text": "le bus"}'],
            ["line 2 of posts.jsonl is not JSON", "line 3 of posts.jsonl is not an object"],
        ),
        (
            "posts.csv",
            ["text,lang", "le tram,fr", "le tram, encore,fr", '"le bus",fr'],
            ["row 3 of posts.csv has 3 columns and not 2"],
        ),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_the_others_are_read(
    tmp_path: Path, name: str, lines: list[str], told: list[str]
) -> None:
    (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    result = said("test", "tram OR Tours", "--on", str(tmp_path / name), "--home", str(tmp_path))
    shown = " ".join(result.stdout.split())
    assert "1 of 2 texts match" in shown
    assert [words for words in told if f"left out: {words}" in shown] == told


def test_of_many_bad_lines_the_first_are_named_and_all_are_counted(tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_text('{"text": "le tram"}\n' + "oops\n" * 40)
    on = ("--on", str(tmp_path / "posts.jsonl"), "--home", str(tmp_path))
    shown = " ".join(said("test", "tram OR Tours", *on).stdout.split())
    assert shown.count("is not JSON") == 5
    assert "40 lines in all were left out" in shown


def test_a_file_without_a_line_that_can_be_read_says_what_is_wrong_with_the_first(
    tmp_path: Path,
) -> None:
    (tmp_path / "posts.jsonl").write_text("oops\n" * 3)
    on = ("--on", str(tmp_path / "posts.jsonl"), "--home", str(tmp_path))
    with pytest.raises(VigieError, match="line 1 of posts"):
        said("test", "tram OR Tours", *on)


def test_what_may_surprise_is_told_in_the_language_asked_for(tmp_path: Path) -> None:
    words = ("explain", "tram AND place:commune:37999", "--home", str(tmp_path))
    assert "is no code of today" in " ".join(said(*words, "--locale", "en").stdout.split())
    shown = " ".join(said(*words).stdout.split())
    assert "n’est pas un code d’aujourd’hui" in shown


def test_a_query_on_a_file_shows_matches_counts_and_reasons(posts: Path, tmp_path: Path) -> None:
    result = said("test", "tram NEAR/3 Tours", "--on", str(posts), "--home", str(tmp_path))
    assert result.exit_code == 0
    assert "Le tram de Tours est en panne" in result.stdout
    assert "4 of 5 texts match (80.0%)" in result.stdout
    assert "without “tram”" in result.stdout
    assert "\x1b[31m" not in result.stdout
    assert "[bold]" in result.stdout


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("tram lang:fr", 3),
        ("title:tram", 1),
        ("#TramTours", 1),
        ("tram engagement:>2", 1),
        ("site:a.fr tram", 1),
        ("tram NOT late", 3),
    ],
)
def test_the_columns_of_a_file_answer_fields(
    posts: Path, tmp_path: Path, asked: str, count: int
) -> None:
    result = said("test", asked, "--on", str(posts), "--home", str(tmp_path), "--sample", "0")
    assert f"{count} of 5 texts match" in result.stdout


def test_json_lines_with_lists_are_read_and_a_text_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    row: dict[str, Any] = {"body": "la mairie", "place_codes": ["commune:37261"], "hashtags": None}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    result = said("test", "mairie place:37", "--on", str(path), "--text", "body")
    assert "1 of 1 texts match" in result.stdout
    with pytest.raises(VigieError, match="no column 'text'"):
        said("test", "mairie", "--on", str(path))


def test_language_and_places_that_no_column_tells_are_found_in_the_text(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    rows = ["text", "Le tram de Tours est en panne", "The tram in Lyon is late again", "Le tram"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    for asked, count in (("tram place:37", 1), ("tram place:69123", 1), ("tram lang:en", 1)):
        result = said("test", asked, "--on", str(path), "--home", str(tmp_path))
        assert f"{count} of 3 texts match" in result.stdout


@pytest.mark.parametrize(
    ("row", "is_found"),
    [
        ({"like_count": 12.0, "hashtags": 3, "place_codes": {"a": 1}}, True),
        ({"like_count": "12.0"}, True),
        ({"like_count": None}, False),
        ({"like_count": float("nan")}, False),
        ({"like_count": float("inf")}, False),
    ],
)
def test_odd_cells_are_read_or_left_alone(
    tmp_path: Path, row: dict[str, Any], is_found: bool
) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text(json.dumps({"text": "le tram"} | row), encoding="utf-8")
    asked = ("test", "tram engagement:>2", "--on", str(path), "--home", str(tmp_path))
    assert f"{int(is_found)} of 1 texts" in said(*asked).stdout


def test_a_file_is_read_as_it_would_be_stored(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    row = {"text": "la tram\u00adway\u200b de @quidam, 06 12 34 56 78, en panne",
           "url": "HTTPS://WWW.Exemple.FR/a"}  # fmt: skip
    path.write_text(json.dumps(row), encoding="utf-8")
    asked = "(tramway NEAR/4 panne) AND site:exemple.fr"
    shown = said("test", asked, "--on", str(path), "--home", str(tmp_path)).stdout
    assert "1 of 1 texts match" in shown
    assert "quidam" not in shown


def test_a_wrong_query_and_a_person_are_refused(posts: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="nothing stands after AND"):
        said("test", "tram AND", "--on", str(posts), "--locale", "en")
    with pytest.raises(QueryError, match=r"GDPR art\. 9"):
        said("explain", "author:@quidam", "--home", str(tmp_path), "--locale", "en")


def test_a_wrong_query_is_told_in_the_locale_asked_for(posts: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="rien ne suit AND"):
        said("explain", "tram AND", "--locale", "fr")
    with pytest.raises(VigieError, match="Vigie ne connaît pas les phrases"):
        said("import", "a SENTENCE b", "--from", "brandwatch", "--locale", "fr")
    with pytest.raises(VigieError, match="choose fr or en"):
        said("explain", "tram AND", "--locale", "de")


def test_a_wrong_query_is_told_in_the_locale_of_the_home(tmp_path: Path) -> None:
    path = tmp_path / "vigie.toml"
    path.write_text(TOML.format(query="tram"), encoding="utf-8")
    with pytest.raises(QueryError, match="rien ne suit AND"):
        said("explain", "tram AND", "--home", str(tmp_path))
    with pytest.raises(QueryError, match="nothing stands after AND"):
        said("explain", "tram AND", "--home", str(tmp_path), "--locale", "en")


def test_explain_tells_the_tree_the_warnings_and_the_sql(tmp_path: Path) -> None:
    words = ("explain", "mairie OR trava*", "--sql", "--home", str(tmp_path), "--locale", "en")
    result = said(*words)
    assert "at least one of these:" in result.stdout
    assert "the word “mairie” (mairie/mairies)" in result.stdout
    assert "is enough by itself" in result.stdout
    assert "from mention" in result.stdout
    assert "$q1" in result.stdout


def test_a_query_is_imported_with_notes_from_text_or_file(tmp_path: Path) -> None:
    result = said("import", '"conseil municipal"~3', "--from", "brandwatch")
    assert "(conseil NEAR/3 municipal)" in result.stdout
    path = tmp_path / "q.txt"
    path.write_text("{SNCF} AND tram", encoding="utf-8")
    assert 'raw:"SNCF" AND tram' in said("import", str(path), "--from", "brandwatch").stdout


def test_a_long_query_is_no_name_of_a_file_and_a_file_may_have_a_mark(tmp_path: Path) -> None:
    long = " OR ".join(f'"mairie de Valmont {n}"' for n in range(30))
    assert "mairie de Valmont 29" in said("import", long, "--from", "brandwatch").stdout
    path = tmp_path / "query.txt"
    path.write_bytes("tram AND grève".encode("utf-8-sig"))
    assert said("import", str(path), "--from", "brandwatch").stdout.startswith("tram AND grève\n")
    path.write_bytes("tram AND grève".encode("cp1252"))
    with pytest.raises(VigieError, match="is not in UTF-8"):
        said("import", str(path), "--from", "brandwatch")


def home_of(home: Path, query: str) -> run.House:
    (home / "vigie.toml").write_text(TOML.format(query=query), encoding="utf-8")
    return run.house(home, environ={"VIGIE_PSEUDONYM_KEY": "ab" * 32})


def found(home: Path) -> dict[str, list[str]]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute("select native_id, subject_ids from mention order by native_id")
        return dict(rows.fetchall())


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that has read four posts with the query `tram`."""
    monkeypatch.setenv("VIGIE_PSEUDONYM_KEY", "ab" * 32)
    now = datetime.now(UTC).replace(microsecond=0)
    (tmp_path / "inbox").mkdir()
    with (tmp_path / "inbox" / "a.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "date", "texte"])
        for number, text in enumerate(TEXTS):
            writer.writerow([f"n{number}", (now - timedelta(hours=number + 1)).isoformat(), text])
    house = home_of(tmp_path, "tram")
    run.watch(house, since=now - timedelta(minutes=5), until=now, now=now)
    return tmp_path


@pytest.mark.slow
def test_a_changed_query_is_run_over_history_and_over_what_has_landed(watched: Path) -> None:
    assert list(found(watched).values()) == [["transports"]] * 2
    home_of(watched, "bus")

    result = said("rerun", "--home", str(watched))
    assert "transports" in result.stdout
    assert "2 mentions over" in result.stdout
    assert sorted(found(watched).values()) == [[], ["transports"]]

    result = said("rerun", "--home", str(watched), "--landed")
    assert "1 posts found that were let go, of 1 landed files." in result.stdout
    assert sorted(map(tuple, found(watched).values())) == [(), ("transports",), ("transports",)]
    assert "Nothing changed." in said("rerun", "--home", str(watched)).stdout

    versions = said("versions", "--home", str(watched)).stdout
    assert versions.count("transports@") == 2
    assert versions.count("(now)") == 1
    assert "tram" in versions


def test_simple_terms_of_a_version_are_listed_in_short() -> None:
    asked = json.dumps({"names": list("abcdefgha"), "places": [], "query": "tram"})
    assert query_cli._asks(asked) == ["names: a, b, c, d, e, f and 2 more", "query: tram"]
    assert query_cli._asks("tram OR bus") == ["tram OR bus"]


@pytest.mark.slow
def test_a_subject_that_is_not_watched_and_an_empty_span_are_told(watched: Path) -> None:
    with pytest.raises(VigieError, match="no subject is called 'mer': there is transports"):
        said("rerun", "mer", "--home", str(watched))
    with pytest.raises(VigieError, match="is not before"):
        said("rerun", "--home", str(watched), "--since", "2026-02-01", "--until", "2026-01-01")
    result = said("rerun", "--home", str(watched), "--until", "2020-01-01", "--landed")
    assert "No payloads of that span are left" in result.stdout
    assert "0 mentions over 0 days" in result.stdout
    assert "the word “tram”" in said("explain", "transports", "--home", str(watched)).stdout
