"""Exports are read as people have them; every row becomes a Post or says why it does not."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipelines import landing
from pipelines.errors import SourceError
from pipelines.http import Client
from pipelines.mention import Post, Rejection
from pipelines.sources import Checkpoint, Payload, Request, Terms, _presets, _tables, file

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
NAIVE = datetime(2026, 11, 18, 9, 30)  # noqa: DTZ001 - as a workbook holds it
LEA = "La piscine de Vernelle est fermée"
TOM = "Merci la mairie de Vernelle !"
HEADER = ["id", "created_at", "text", "author", "likes"]
ROWS = [
    ["1990000000000000001", "2026-11-18 09:30:00", LEA, "@lea_v", "3"],
    ["1990000000000000002", "2026-11-18 10:00:00", TOM, "@tom_b", "1 204"],
]


def request(home: Path, cursor: dict[str, Any] | None = None, **options: Any) -> Request:
    return Request(
        name="exports",
        options=file.Options(**{"path": "inbox", **options}),
        terms=Terms(),
        cursor=cursor,
        since=NOW - timedelta(minutes=5),
        until=NOW,
        client=Client(),
        home=home,
    )


def inbox(home: Path) -> Path:
    folder = home / "inbox"
    folder.mkdir(exist_ok=True)
    return folder


def as_csv(rows: Sequence[Sequence[Any]], separator: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    return out.getvalue()


def read(asked: Request) -> list[Post | Rejection]:
    """What becomes of every row, through landing and back as in a run."""
    path = asked.home / "landed.jsonl.zst"
    landing.land(file.collect(asked), path=path, fetched_at=NOW)
    payloads = landing.read(path) if path.exists() else iter(())
    return [parsed for payload in payloads for parsed in file.parse(payload, asked.options)]  # type: ignore[misc]


def posts(asked: Request) -> list[Post]:
    found = read(asked)
    assert all(isinstance(p, Post) for p in found), found
    return [p for p in found if isinstance(p, Post)]


def last(collected: Iterator[Any]) -> Checkpoint:
    found = [item for item in collected if isinstance(item, Checkpoint)]
    return found[-1]


# --- forms of file


def test_a_csv_with_usual_names_needs_no_mapping(tmp_path: Path) -> None:
    (inbox(tmp_path) / "a.csv").write_text(as_csv([HEADER, *ROWS]), encoding="utf-8")
    first, second = posts(request(tmp_path, network="x"))
    assert first.native_id == "1990000000000000001"
    assert first.published_at == datetime(2026, 11, 18, 8, 30, tzinfo=UTC)  # Paris in winter
    assert first.author_id == "@lea_v"
    assert second.like_count == 1204
    assert (second.network, second.collected_via) == ("x", "export")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encoding_and_separator_are_found(tmp_path: Path, encoding: str, separator: str) -> None:
    text = as_csv([HEADER, *ROWS], separator)
    (inbox(tmp_path) / "a.csv").write_bytes(text.encode(encoding))
    assert [p.text for p in posts(request(tmp_path))] == [row[2] for row in ROWS]


def test_exports_hold_tiktok_and_snapchat_which_no_interface_gives(tmp_path: Path) -> None:
    """By a listening tool's preset, and by the names of a table that somebody made."""
    talkwalker = (
        "url,published,title,content,source_type,extra_author_attributes.name,tiktok_likes\n"
        "https://www.tiktok.com/@v/video/7,2026-11-18 07:15:00,,La piscine de Valmont,"
        "SOCIALMEDIA_TIKTOK,v,41\n"
    )
    table = (
        "Lien;Date;Texte\n"
        "https://www.snapchat.com/spotlight/W7;18/11/2026 09:00;Spotlight sur Valmont\n"
    )
    folder = inbox(tmp_path)
    (folder / "talkwalker.csv").write_text(talkwalker, encoding="utf-8")
    (folder / "table.csv").write_text(table, encoding="utf-8")
    found = {post.network: post for post in posts(request(tmp_path))}
    assert found["tiktok"].like_count == 41
    assert found["snapchat"].text == "Spotlight sur Valmont"


def test_one_late_byte_that_is_not_utf8_makes_it_a_code_page(tmp_path: Path) -> None:
    plain = [["1", "2026-11-18", "rien a signaler " * 3, "x", "0"]] * 3_000
    text = as_csv([HEADER, *plain, ["2", "2026-11-18", "été à Vernelle, déjà fermée", "y", "0"]])
    (inbox(tmp_path) / "a.csv").write_bytes(text.encode("cp1252"))
    assert posts(request(tmp_path))[-1].text == "été à Vernelle, déjà fermée"


def test_lines_of_metadata_above_the_header_are_passed_over(tmp_path: Path) -> None:
    above = "Rapport;Vernelle, le 18/11/2026\nRequête;mairie AND (piscine, bus)\n\n"
    text = above + as_csv([HEADER, *ROWS], ";")
    (inbox(tmp_path) / "a.csv").write_text(text, encoding="utf-8")
    assert len(posts(request(tmp_path))) == 2


def test_line_breaks_quotes_and_separators_inside_a_cell_stay_in_it(tmp_path: Path) -> None:
    text = 'Il dit : "non", puis\nse tait; voilà'
    (inbox(tmp_path) / "a.csv").write_text(as_csv([HEADER, ["x1", "2026-11-18", text, "a", "1"]]))
    assert posts(request(tmp_path))[0].text == text


def test_json_lines_and_a_json_array_read_alike(tmp_path: Path) -> None:
    objects = [{"id": r[0], "created_at": r[1], "text": r[2], "user": {"name": "x"}} for r in ROWS]
    (inbox(tmp_path) / "a.jsonl").write_text("\n".join(map(json.dumps, objects)))
    (inbox(tmp_path) / "b.json").write_text(json.dumps({"data": objects}, indent=2))
    lines = posts(request(tmp_path, path="inbox/a.jsonl"))
    array = posts(request(tmp_path, path="inbox/b.json", columns={"author_handle": "user.name"}))
    assert [p.native_id for p in lines] == [p.native_id for p in array]
    assert array[0].author_handle == "x"


def test_a_line_that_is_not_json_is_rejected_alone(tmp_path: Path) -> None:
    good = json.dumps({"id": "a-1", "date": "2026-11-18", "text": "Bonjour"})
    (inbox(tmp_path) / "a.jsonl").write_text(f"{good}\n{{broken\n{good}\n")
    found = read(request(tmp_path))
    assert [type(p) for p in found] == [Post, Rejection, Post]
    assert isinstance(found[1], Rejection)
    assert (found[1].reason, found[1].detail) == (
        "broken_row",
        "a.jsonl row 2: not a JSON object",
    )


def test_parquet_keeps_long_ids_and_times_with_zones(tmp_path: Path) -> None:
    times = [datetime(2015, 2, 22, 18, 15, tzinfo=UTC), datetime(2015, 2, 22, 18, 16, tzinfo=UTC)]
    table = pa.table(
        {
            "tweet_id": [569600000000000001, 569600000000000002],
            "created_at": pa.array(times, pa.timestamp("us", tz="UTC")),
            "text": ["My bag is lost", None],
            "retweet_count": pa.array([2, 0], pa.int32()),
        }
    )
    pq.write_table(table, inbox(tmp_path) / "a.parquet")
    post, empty = read(request(tmp_path, network="x"))
    assert isinstance(post, Post)
    assert (post.native_id, post.published_at) == ("569600000000000001", times[0])
    assert post.share_count == 2
    assert isinstance(empty, Rejection)
    assert (empty.reason, empty.native_id) == ("empty_text", "569600000000000002")


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def test_a_workbook_is_read_from_the_sheet_that_holds_posts(tmp_path: Path) -> None:
    held = [["Export du 18/11"], [], HEADER]
    held.append(["p-1", NAIVE, "Le bus 4 ne passe plus", "lea", 12])  # type: ignore[list-item]
    workbook(inbox(tmp_path) / "a.xlsx", {"Lisez-moi": [["Bonjour"]], "Messages": held})
    (post,) = posts(request(tmp_path))
    assert post.published_at == datetime(2026, 11, 18, 8, 30, tzinfo=UTC)
    assert post.like_count == 12


def test_a_sheet_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    workbook(inbox(tmp_path) / "a.xlsx", {"Messages": [HEADER]})
    with pytest.raises(SourceError, match="no sheet 'Mentions': it has 'Messages'"):
        list(file.collect(request(tmp_path, sheet="Mentions")))


def test_a_cell_that_looks_like_a_formula_is_only_text(tmp_path: Path) -> None:
    text = '=HYPERLINK("http://x.example","clic")'
    (inbox(tmp_path) / "a.csv").write_text(as_csv([HEADER, ["x1", "2026-11-18", text, "a", "1"]]))
    assert posts(request(tmp_path))[0].text == text


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.xlsx"])
def test_every_form_may_be_gzipped(tmp_path: Path, name: str) -> None:
    plain = tmp_path / name
    rows = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    if name.endswith("csv"):
        plain.write_text(as_csv([HEADER, *ROWS]))
    elif name.endswith("jsonl"):
        plain.write_text("\n".join(map(json.dumps, rows)))
    elif name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), plain)
    else:
        workbook(plain, {"a": [HEADER, *ROWS]})
    (inbox(tmp_path) / f"{name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert [p.native_id for p in posts(request(tmp_path))] == [row[0] for row in ROWS]


# --- hostile and broken files


def test_a_workbook_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tables, "WORKBOOK_LIMIT", 1 << 20)
    with zipfile.ZipFile(inbox(tmp_path) / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", b" " * (3 << 20))
    with pytest.raises(SourceError, match="unpacks to 3 MiB, too much for a workbook"):
        list(file.collect(request(tmp_path)))


def test_a_gzip_bomb_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tables, "UNPACKED_LIMIT", 1 << 20)
    (inbox(tmp_path) / "a.csv.gz").write_bytes(gzip.compress(b"a" * (8 << 20)))
    with pytest.raises(SourceError, match="split the export"):
        list(file.collect(request(tmp_path)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", gzip.compress(b"id,date,text\n" * 99, mtime=0)[:-9]),
        ("a.xlsx", b"PK\x03\x04 not a workbook"),
        ("a.parquet", b"PAR1 cut"),
        ("a.json", b'[{"id": 1,'),
        ("a.csv", b'id,date,text\n1,2026-11-18,"' + b"x" * 1_100_000),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_broken_file_is_named_with_a_remedy(tmp_path: Path, name: str, content: bytes) -> None:
    (inbox(tmp_path) / name).write_bytes(content)
    with pytest.raises(SourceError, match=rf"{name} .*(export it again|no column)"):
        list(file.collect(request(tmp_path)))


def test_a_row_longer_than_the_header_is_rejected_with_its_number(tmp_path: Path) -> None:
    text = as_csv([HEADER, ROWS[0], [*ROWS[1], "de trop"], ROWS[1][:3]])
    (inbox(tmp_path) / "a.csv").write_text(text)
    whole, long, short = read(request(tmp_path))
    assert isinstance(whole, Post)
    assert isinstance(short, Post)
    assert isinstance(long, Rejection)
    assert long.detail == "a.csv row 3: 6 cells where the header has 5"


def test_a_quote_that_never_closes_loses_its_own_rows_and_says_how_many(tmp_path: Path) -> None:
    text = 'date,text\n2026-11-17,un\n2026-11-18,"deux\n2026-11-19,trois\n'
    (inbox(tmp_path) / "a.csv").write_text(text)
    whole, broken = read(request(tmp_path))
    assert isinstance(whole, Post)
    assert isinstance(broken, Rejection)
    assert broken.detail == "a.csv row 3: a quote opens and never closes: 2 lines lost"


def test_blank_rows_are_nothing(tmp_path: Path) -> None:
    (inbox(tmp_path) / "a.csv").write_text("date,text\n\n,\n2026-11-18,un\n,\n")
    assert len(posts(request(tmp_path))) == 1


def test_a_file_without_header_is_told_without_showing_a_post(tmp_path: Path) -> None:
    (inbox(tmp_path) / "a.csv").write_text("2026-11-18,je vous déteste\n2026-11-19,encore\n")
    with pytest.raises(SourceError, match="add a row of names above it") as told:
        list(file.collect(request(tmp_path)))
    assert "déteste" not in str(told.value)


@pytest.mark.parametrize(
    "line",
    [
        '{"data": [{"date": "2026-11-18", "text": "un"}], "next": {}}',
        '{"date": "2026-11-18", "text": "un", "media": [{"id": 1}]}',
    ],
)
def test_one_json_object_is_a_post_or_holds_the_posts(tmp_path: Path, line: str) -> None:
    (inbox(tmp_path) / "a.json").write_text(line)
    assert [p.text for p in posts(request(tmp_path))] == ["un"]


def test_an_empty_file_gives_nothing_and_is_not_read_again(tmp_path: Path) -> None:
    (inbox(tmp_path) / "a.csv").write_text("")
    done = last(file.collect(request(tmp_path)))
    assert done.note == "a.csv: empty"
    assert list(file.collect(request(tmp_path, done.cursor))) == []


# --- which files, and once


def test_a_file_is_read_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path = inbox(tmp_path) / "a.csv"
    path.write_text(as_csv([HEADER, ROWS[0]]))
    first = last(file.collect(request(tmp_path)))
    assert list(file.collect(request(tmp_path, first.cursor))) == []
    path.write_text(as_csv([HEADER, *ROWS]))
    again = list(file.collect(request(tmp_path, first.cursor)))
    assert sum(isinstance(item, Payload) for item in again) == 2


def test_the_same_content_under_another_name_is_not_read_twice(tmp_path: Path) -> None:
    (inbox(tmp_path) / "a.csv").write_text(as_csv([HEADER, *ROWS]))
    (inbox(tmp_path) / "b.csv").write_text(as_csv([HEADER, *ROWS]))
    collected = list(file.collect(request(tmp_path)))
    assert sum(isinstance(item, Payload) for item in collected) == 2
    assert last(iter(collected)).note == (
        "a.csv: 2 rows read as generic\nb.csv: the same content was read before"
    )


@pytest.mark.parametrize(
    ("day", "hour"),
    [
        *(("26/11/2026", hour) for hour in ("8h05", "8 h 05", "08:05", "08:05:00", "8:05 AM")),
        *(("2026-11-26", hour) for hour in ("8h05", "8:05", "08:05:00")),
        ("26/11/2026 00:00", "8h05"),
        ("2026-11-26T00:00:00", "08:05:00"),
        ("26 novembre 2026", "8 H 05"),
    ],
)
def test_a_clock_in_a_column_of_its_own_is_the_time_of_the_post(
    tmp_path: Path, day: str, hour: str
) -> None:
    head = ["Date", "Heure", "Réseau", "Auteur", "Message", "Lien", "J'aime", "Partages"]
    rows = [head, [day, hour, "Facebook", "Léa", LEA, "https://example.org/1", "3", "0"]]
    (inbox(tmp_path) / "a.csv").write_bytes(as_csv(rows, ";").encode("cp1252"))
    (found,) = posts(request(tmp_path))
    assert found.published_at == datetime(2026, 11, 26, 7, 5, tzinfo=UTC)
    assert last(file.collect(request(tmp_path))).note == "a.csv: 1 row read as generic"


def test_a_file_whose_times_are_all_midnight_says_so(tmp_path: Path) -> None:
    rows = [["date", "Heure de saisie", "text"], ["26/11/2026", "8h05", LEA]]
    (inbox(tmp_path) / "a.csv").write_text(as_csv(rows))
    note = last(file.collect(request(tmp_path))).note
    assert note is not None
    assert "no clock: every post counts as of 00:00" in note
    assert "published_time = 'Heure de saisie'" in note
    mapped = request(tmp_path, columns={"published_time": "Heure de saisie"})
    assert last(file.collect(mapped)).note == "a.csv: 1 row read as generic"
    (inbox(tmp_path) / "a.csv").write_text(as_csv([["date", "text"], ["2026-11-26 00:00", LEA]]))
    note = last(file.collect(request(tmp_path))).note
    assert note is not None
    assert note.endswith("(export it with the time of each post)")


def test_each_file_ends_with_its_own_checkpoint(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (inbox(tmp_path) / name).write_text(as_csv([HEADER, [name, *ROWS[0][1:]]]))
    kinds = [type(item) for item in file.collect(request(tmp_path))]
    assert kinds == [Payload, Checkpoint, Payload, Checkpoint]


def test_one_bad_file_does_not_hide_the_good_one_then_speaks_up(tmp_path: Path) -> None:
    (inbox(tmp_path) / "a.csv").write_text("nothing,of,use\n1,2,3\n")
    (inbox(tmp_path) / "b.csv").write_text(as_csv([HEADER, *ROWS]))
    done = last(file.collect(request(tmp_path)))
    assert list(done.cursor["files"]) == ["inbox/b.csv"]
    assert done.note is not None
    assert done.note.startswith("a.csv: no column is known to hold the text of a post")
    with pytest.raises(SourceError, match=r"a\.csv"):
        list(file.collect(request(tmp_path, done.cursor)))


def test_hidden_lock_and_half_copied_files_are_left_alone(tmp_path: Path) -> None:
    for name in (".a.csv", "~$a.xlsx", "a.csv.part", "notes.docx"):
        (inbox(tmp_path) / name).write_text("x")
    assert list(file.collect(request(tmp_path))) == []


def test_a_pattern_reads_what_matches(tmp_path: Path) -> None:
    for name in ("tw_1.csv", "fb_1.csv"):
        (inbox(tmp_path) / name).write_text(as_csv([HEADER, [name, *ROWS[0][1:]]]))
    assert [p.native_id for p in posts(request(tmp_path, path="inbox/tw_*.csv"))] == ["tw_1.csv"]


def test_an_absolute_path_may_lie_outside_the_home(tmp_path: Path) -> None:
    home, share = tmp_path / "home", tmp_path / "partage"
    home.mkdir()
    share.mkdir()
    (share / "a.csv").write_text(as_csv([HEADER, *ROWS]))
    done = last(file.collect(request(home, path=str(share / "*.csv"))))
    assert list(done.cursor["files"]) == [str(share / "a.csv")]


def test_a_file_that_grows_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = inbox(tmp_path) / "a.csv"
    path.write_text(as_csv([HEADER, *ROWS]))
    collected = file.collect(request(tmp_path))
    next(collected)
    os.utime(path, (1, 1))
    assert last(collected).cursor == {"files": {}}


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nope\.csv does not exist"):
        list(file.collect(request(tmp_path, path="inbox/nope.csv")))


# --- mapping


def test_a_mapping_goes_before_the_preset(tmp_path: Path) -> None:
    text = as_csv([["Réf", "Le", "Verbatim", "text"], ["r-1", "18/11/2026", "Trop long", "autre"]])
    (inbox(tmp_path) / "a.csv").write_text(text)
    mapping = {"native_id": "Réf", "published_at": "le", "text": "VERBATIM"}
    (post,) = posts(request(tmp_path, columns=mapping, preset="none"))
    assert (post.native_id, post.text, post.published_precision) == ("r-1", "Trop long", "day")


def test_a_missing_column_is_named_with_those_there_and_a_guess(tmp_path: Path) -> None:
    (inbox(tmp_path) / "a.csv").write_text(as_csv([HEADER, *ROWS]))
    with pytest.raises(SourceError) as told:
        list(file.collect(request(tmp_path, columns={"text": "texte", "title": "titl"})))
    message = str(told.value)
    assert "names the column 'texte', which is not there (did you mean 'text'?)" in message
    assert "'titl'" in message
    assert "The file has 'id', 'created_at', 'text', 'author', 'likes'" in message


def test_only_columns_that_are_read_are_landed(tmp_path: Path) -> None:
    text = as_csv([[*HEADER, "bio", "followers"], [*ROWS[0], "mère de deux enfants", "41"]])
    (inbox(tmp_path) / "a.csv").write_text(text)
    payload = next(file.collect(request(tmp_path)))
    assert isinstance(payload, Payload)
    assert set(payload.data["cells"]) == set(HEADER)


def test_where_keeps_the_rows_asked_for(tmp_path: Path) -> None:
    rows = [["a-1", "2026-11-18", "un", "United"], ["a-2", "2026-11-18", "deux", "Delta"]]
    (inbox(tmp_path) / "a.csv").write_text(as_csv([["id", "date", "text", "brand"], *rows]))
    assert [p.text for p in posts(request(tmp_path, where={"Brand": "United"}))] == ["un"]
    done = last(file.collect(request(tmp_path, where={"brand": ("United", "Delta")})))
    assert done.note.startswith("a.csv: 2 rows read as generic, 0 rows left out; no clock: ")
    with pytest.raises(SourceError, match="did you mean 'brand'"):
        list(file.collect(request(tmp_path, where={"brands": "United"})))


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"path": "../ailleurs"}, "leads out of the home"),
        ({"preset": "talkwalkr"}, "choose one of auto, brandwatch"),
        ({"columns": {"txt": "a"}}, "did you mean text"),
        ({"time_zone": "Paris"}, "Europe/Paris"),
        ({"encoding": "utf-9"}, "cp1252"),
        ({"separator": ";;"}, "one character"),
        ({"network": "minitel"}, "choose one of x, facebook"),
    ],
)
def test_a_wrong_option_says_what_to_write(option: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        file.Options(**{"path": "inbox", **option})


# --- rows


def test_a_date_that_is_none_is_rejected_and_named(tmp_path: Path) -> None:
    rows = [
        ["a-1", "31/02/2026", "un", "", ""],
        ["a-2", "jamais de la vie, madame", "deux", "", ""],
    ]
    (inbox(tmp_path) / "a.csv").write_text(as_csv([HEADER, *rows]))
    first, second = read(request(tmp_path))
    assert isinstance(first, Rejection)
    assert isinstance(second, Rejection)
    assert (first.reason, first.native_id) == ("bad_date", "a-1")
    assert "'31/02/2026' is not a time" in first.detail
    assert "madame" not in second.detail  # a shifted row must not put a text in the quarantine


def test_the_file_itself_tells_whether_the_day_comes_first(tmp_path: Path) -> None:
    american = [
        ["a-1", "3/4/2026 9:05 AM", "un", "", ""],
        ["a-2", "3/14/2026 9:05 PM", "deux", "", ""],
    ]
    (inbox(tmp_path) / "us.csv").write_text(as_csv([HEADER, *american]))
    first, second = posts(request(tmp_path, time_zone="UTC"))
    assert first.published_at == datetime(2026, 3, 4, 9, 5, tzinfo=UTC)
    assert second.published_at == datetime(2026, 3, 14, 21, 5, tzinfo=UTC)


def test_no_post_is_later_than_its_file(tmp_path: Path) -> None:
    path = inbox(tmp_path) / "a.csv"
    path.write_text(as_csv([HEADER, ["a-1", "03/05/2026", "un", "", ""]]))
    made = datetime(2026, 3, 6, tzinfo=UTC).timestamp()
    os.utime(path, (made, made))
    (post,) = posts(request(tmp_path, time_zone="UTC"))
    assert post.published_at == datetime(2026, 3, 5, tzinfo=UTC)


def test_dates_that_do_not_tell_are_read_as_the_french_write_them(tmp_path: Path) -> None:
    text = as_csv([HEADER, ["a-1", "03/04/2026 10:00", "un", "", ""]])
    (inbox(tmp_path) / "a.csv").write_text(text)
    (post,) = posts(request(tmp_path, time_zone="UTC"))
    assert post.published_at == datetime(2026, 4, 3, 10, tzinfo=UTC)


def test_a_row_without_an_id_has_one_of_its_content(tmp_path: Path) -> None:
    header = ["date", "text", "url", "likes"]
    row = ["2026-11-18 10:00", "Bravo", "https://x.com/lea/status/1", "1"]
    (inbox(tmp_path) / "a.csv").write_text(as_csv([header, row]))
    (inbox(tmp_path) / "b.csv").write_text(as_csv([header, [*row[:3], "250"]]))
    workbook(
        inbox(tmp_path) / "c.xlsx",
        {"a": [header, [NAIVE.replace(minute=0, hour=10), *row[1:3], 9]]},
    )
    one, two, three = posts(request(tmp_path))
    assert one.native_id == two.native_id == three.native_id
    assert two.like_count == 250
    assert one.network == "x"


def test_ids_that_a_spreadsheet_has_rounded_are_not_ids(tmp_path: Path) -> None:
    rows = [[i, "2026-11-18", t, "", ""] for i, t in (("5,6759E+17", "un"), ("5.6759E+17", "deux"))]
    (inbox(tmp_path) / "a.csv").write_text(as_csv([HEADER, *rows], ";"))
    one, two = posts(request(tmp_path))
    assert one.native_id != two.native_id


def test_a_short_number_is_an_id_only_within_its_block(tmp_path: Path) -> None:
    (inbox(tmp_path) / "a.csv").write_text(as_csv([HEADER, ["1", *ROWS[0][1:]]]))
    assert posts(request(tmp_path))[0].native_id == "exports:1"


def test_private_messages_are_refused_and_their_text_is_not_landed(tmp_path: Path) -> None:
    header = ["Message ID", "Direction", "Message Type", "Content", "Created at", "Post URL"]
    rows = [
        ["m-10", "Inbound", "Facebook private message", "mon numéro de dossier", "2026-11-18", ""],
        [
            "m-11",
            "Inbound",
            "Facebook comment",
            "Merci !",
            "2026-11-18",
            "https://facebook.com/1_2",
        ],
        ["m-12", "Outbound", "Facebook comment", "Bonjour Léa", "2026-11-18", ""],
    ]
    (inbox(tmp_path) / "inbox.csv").write_text(as_csv([header, *rows]))
    refused, post = read(request(tmp_path))
    assert isinstance(refused, Rejection)
    assert isinstance(post, Post)
    assert refused.reason == "private_message"
    assert (post.text, post.content_type, post.network) == ("Merci !", "comment", "facebook")
    landed = b"".join(p.data["detail"].encode() for p in file.collect(request(tmp_path))
                      if isinstance(p, Payload) and p.kind == "private")  # fmt: skip
    assert b"dossier" not in landed


# --- presets: one file as each tool writes it, people invented

EXPORTS = Path(__file__).parents[2] / "payloads" / "exports"


def export(name: str) -> str:
    return (EXPORTS / f"{name}.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("preset", "name", "encoding", "expected"),
    [
        ("talkwalker", "talkwalker", "utf-8-sig",
         [("press", "2026-11-18T06:15", "La piscine, encore", "article"),
          ("x", "2026-11-18T06:16", "@vernelle la piscine ?", "post")]),
        ("brandwatch", "brandwatch", "utf-8",
         [("forum", "2026-11-18T07:00", "le bus 4 ne passe plus", "post"),
          ("x", "2026-11-18T07:01", "Bravo la mairie", "post")]),
        ("meltwater", "meltwater", "utf-16",
         [("press", "2026-11-18T09:15", "Le bus 4 est en panne.", "article"),
          ("x", "2026-11-18T09:16", "@vernelle merci", "post")]),
        ("meta_business_suite", "meta_fr", "utf-8-sig",
         [("facebook", "2026-11-18T18:00", "Fête de la ville samedi !", "post")]),
        ("meta_business_suite", "meta_en", "utf-8-sig",
         [("facebook", "2026-11-08T18:00", "Fête de la ville samedi !", "post")]),
        ("sprout_social", "sprout_social", "utf-8",
         [("x", "2026-11-08T15:30", "Travaux rue Basse", "post")]),
        ("hootsuite", "hootsuite", "utf-8",
         [("x", "2026-11-18T08:30", "Travaux rue Basse", "post")]),
    ],
)  # fmt: skip
def test_the_export_of_each_tool_is_recognised(
    tmp_path: Path, preset: str, name: str, encoding: str, expected: list[tuple[str, ...]]
) -> None:
    (inbox(tmp_path) / "export.csv").write_bytes(export(name).encode(encoding))
    done = last(file.collect(request(tmp_path)))
    rows = "1 row" if len(expected) == 1 else f"{len(expected)} rows"
    assert done.note == f"export.csv: {rows} read as {preset}"
    found = posts(request(tmp_path))
    told = [(p.network, f"{p.published_at:%Y-%m-%dT%H:%M}", p.text, p.content_type) for p in found]
    assert told == expected


def test_counts_of_a_tool_land_where_they_belong(tmp_path: Path) -> None:
    (inbox(tmp_path) / "export.csv").write_text(export("meta_fr"), encoding="utf-8")
    (post,) = posts(request(tmp_path))
    counts = (post.view_count, post.like_count, post.reply_count, post.share_count)
    assert counts == (1204, 55, 3, 2)
    assert (post.native_id, post.title) == ("122100000000000001", None)


def test_french_exports_of_meta_whose_dates_do_not_tell_ask_which_order(tmp_path: Path) -> None:
    text = export("meta_fr").replace("18/11/2026", "03/04/2026")
    (inbox(tmp_path) / "export.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError, match="write day_first = true"):
        list(file.collect(request(tmp_path)))
    (post,) = posts(request(tmp_path, day_first=True))
    assert post.published_at == datetime(2026, 4, 3, 17, tzinfo=UTC)


def test_every_preset_maps_only_fields_that_exist() -> None:
    for name in _presets.names():
        assert set(_presets.load(name).columns) <= set(_presets.FIELDS)
