import csv
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import sentiment, topics
from pipelines import score as scoring, textfile
from pipelines.errors import VigieError, WeightsError
from pipelines.score import SCORE_SCHEMA, WORKERS, Unknown, score, score_file
from pipelines.settings import Models

AT = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
FLOOD = "Inondations à Bron, caves sous l'eau, évitez le secteur"
THANKS = "Merci à toute l'équipe, super accueil, bravo !"


def mentions(folder: Path, *rows: dict[str, Any]) -> Path:
    blank = {"title": None, "lang": "fr", "author_key": "ab" * 32}
    filled = [
        {"mention_id": f"{i:032x}", "text_hash": f"{i + 9:032x}", **blank, **row}
        for i, row in enumerate(rows)
    ]
    path = folder / "mentions.parquet"
    text = pa.string()
    names = ("mention_id", "text_hash", "title", "lang", "author_key", "text")
    pq.write_table(pa.Table.from_pylist(filled, schema=pa.schema([(n, text) for n in names])), path)
    return path


def scored(folder: Path, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    out = folder / "scores.parquet"
    score(mentions(folder, *rows), out, models=Models(), scored_at=AT)
    found: list[dict[str, Any]] = pq.read_table(out).to_pylist()
    return found


def test_every_mention_gets_a_score_in_its_place(tmp_path: Path) -> None:
    rows = scored(tmp_path, {"text": THANKS}, {"text": FLOOD})
    assert [row["mention_id"] for row in rows] == [f"{0:032x}", f"{1:032x}"]
    assert rows[0]["sentiment"] == "positive"
    assert rows[0]["sentiment_score"] > 0.5
    assert "T20" in rows[1]["topics"]
    assert rows[1]["topic_p"][topics.LABELS.index("T20")] > 0.4
    assert rows[0]["scored_at"] == AT


def test_scores_hold_no_author(tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    score(mentions(tmp_path, {"text": THANKS}), out, models=Models(), scored_at=AT)
    assert pq.read_schema(out) == SCORE_SCHEMA
    assert not [name for name in SCORE_SCHEMA.names if "author" in name]


def test_an_unknown_language_has_no_tone_and_no_topics(tmp_path: Path) -> None:
    (row,) = scored(tmp_path, {"text": "Wat een mooie stad is dit", "lang": "nl"})
    assert row["sentiment"] == "undetermined"
    assert row["p_negative"] is None
    assert row["sentiment_score"] is None
    assert row["topic_p"] == []


def test_a_short_alarm_of_unknown_language_still_has_topics(tmp_path: Path) -> None:
    (row,) = scored(tmp_path, {"text": "incendie gare", "lang": None})
    assert "T20" in row["topics"]
    assert row["sentiment"] == "undetermined"


def test_the_title_of_an_article_is_read(tmp_path: Path) -> None:
    (row,) = scored(tmp_path, {"title": "Incendie à la gare", "text": "Lire la suite."})
    assert "T20" in row["topics"]


def test_no_mentions_give_an_empty_file_and_a_lineage(tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    found = score(mentions(tmp_path), out, models=Models(), scored_at=AT)
    assert found.row_count == 0
    assert pq.read_schema(out) == SCORE_SCHEMA
    assert len(found.scorer.scorer_id) == 16


def test_the_lineage_names_models_hashes_and_thresholds(tmp_path: Path) -> None:
    made = [
        score(mentions(tmp_path), tmp_path / "s.parquet", models=Models(), scored_at=AT).scorer
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert made[0].sentiment_weights_sha256 == sentiment.load().weights_sha256
    assert json.loads(made[0].thresholds)["topics"]["T20"] == topics.thresholds()["T20"]
    assert all(asdict(made[0]).values())


def test_a_model_that_does_not_exist_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no-such-folder"):
        score(
            mentions(tmp_path),
            tmp_path / "s.parquet",
            models=Models(sentiment=str(tmp_path / "no-such-folder")),
            scored_at=AT,
        )
    assert not (tmp_path / "s.parquet").exists()


def write_csv(path: Path, rows: list[dict[str, str]], **options: Any) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), **options)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_keeps_its_columns_rows_and_texts_as_they_were(tmp_path: Path) -> None:
    given = [
        {"code": "007", "text": 'Merci ! "Super",\nbravo', "note": ""},
        {"code": "010", "text": "=1+1; honteux, quelle honte", "note": "é😡"},
    ]
    source = write_csv(tmp_path / "in.csv", given)
    assert score_file(source, tmp_path / "out.csv") == 2
    found = read_csv(tmp_path / "out.csv")
    assert [{key: row[key] for key in given[0]} for row in found] == given
    assert [row["sentiment"] for row in found] == ["positive", "negative"]
    assert json.loads(found[0]["topics"]) == []
    assert 0 <= float(found[0]["topic_p_T20"]) <= 1
    assert found[0]["model_id"] == "vigie-sentiment-2+vigie-topics-2+vigie-acts-2"


def test_csv_with_semicolons_and_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"id": "1", "text": THANKS}], delimiter=";")
    source.write_bytes(b"\xef\xbb\xbf" + source.read_bytes())
    score_file(source, tmp_path / "out.jsonl")
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines())
    assert (row["id"], row["sentiment"]) == ("1", "positive")


def test_a_language_that_is_given_is_respected_and_others_are_found(tmp_path: Path) -> None:
    lines = [
        {"text": "Thank you so much, great service", "lang": None, "n": 1},
        {"text": "Merci beaucoup, excellent service", "lang": "fr-FR", "n": 2},
        {"text": "Merci beaucoup", "lang": "nl", "n": 3},
        {"text": None, "lang": None, "n": 4},
        {"text": "", "lang": None, "n": 5},
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(map(json.dumps, lines)) + "\n\n", encoding="utf-8")
    score_file(source, tmp_path / "out.parquet")
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["n"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["lang"] for row in rows] == ["en", "fr", "nl", None, None]
    assert [row["sentiment"] for row in rows] == ["positive"] * 2 + ["undetermined"] * 3
    assert rows[3]["text"] is None
    assert rows[2]["p_positive"] is rows[3]["p_positive"] is None


def test_languages_are_normalised_and_those_that_are_none_are_told(tmp_path: Path) -> None:
    langs = ["fr-FR", "FR", "fra", "fre", "Français", "french", "xx", "xx", "Québec", "en_GB", " "]
    table = pa.table({"text": ["Merci beaucoup, excellent"] * len(langs), "lang": langs})
    pq.write_table(table, tmp_path / "in.parquet")
    told: list[Unknown] = []
    out = tmp_path / "out.parquet"
    assert score_file(tmp_path / "in.parquet", out, unknown=told.append) == len(langs)
    rows = pq.read_table(out).to_pylist()
    assert [row["lang"] for row in rows] == [*["fr"] * 6, "xx", "xx", "québec", "en", "fr"]
    assert [row["sentiment"] for row in rows[:6]] == ["positive"] * 6
    assert [row["sentiment"] for row in rows[6:9]] == ["undetermined"] * 3
    assert told == [{"xx": 2, "Québec": 1}]


def test_a_language_that_is_none_is_logged_as_a_count_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_csv(tmp_path / "in.csv", [{"text": "Merci", "lang": "Mme Untel"}])
    score_file(source, tmp_path / "out.csv")
    assert "score.unknown_languages rows=1 values=1" in caplog.text
    assert "Untel" not in caplog.text


def test_columns_of_other_names_are_read_and_kept(tmp_path: Path) -> None:
    rows = [{"corps": THANKS, "langue": "FR"}, {"corps": "Thank you, great service", "langue": ""}]
    source = write_csv(tmp_path / "in.csv", rows)
    score_file(source, tmp_path / "out.csv", text="corps", lang="langue")
    found = read_csv(tmp_path / "out.csv")
    assert [(row["langue"], row["lang"], row["sentiment"]) for row in found] == [
        ("FR", "fr", "positive"),
        ("", "en", "positive"),
    ]
    with pytest.raises(VigieError, match="no column 'lg' but corps, langue: rename it, or name it"):
        score_file(source, tmp_path / "no.csv", text="corps", lang="lg")
    with pytest.raises(VigieError, match="or name it with --text"):
        score_file(source, tmp_path / "no.csv")
    both = write_csv(tmp_path / "both.csv", [{"text": "a", "lang": "fr", "langue": "en"}])
    with pytest.raises(VigieError, match="already has the columns lang"):
        score_file(both, tmp_path / "no.csv", lang="langue")
    assert not (tmp_path / "no.csv").exists()


def test_progress_begins_once_nothing_is_wrong_with_the_arguments(tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []

    def moved(done: int, total: int | None) -> None:
        calls.append((done, total))

    source = write_csv(tmp_path / "in.csv", [{"text": "a", "langue": "fr"}])
    wrong: list[dict[str, Any]] = [{"lang": "lg"}, {"text": "corps"}, {"model": str(tmp_path)}]
    for options in wrong:
        with pytest.raises(VigieError):
            score_file(source, tmp_path / "out.csv", progress=moved, **options)
    assert calls == []
    score_file(source, tmp_path / "out.csv", progress=moved)
    assert calls == [(0, None), (1, None)]


def test_emoji_alone_have_a_tone_without_a_language(tmp_path: Path) -> None:
    texts = ["😡😡😡", "👍", ":-(", "❤️ !", "?!", "12 345"]
    source = write_csv(tmp_path / "in.csv", [{"text": text} for text in texts])
    score_file(source, tmp_path / "out.csv")
    said = [row["sentiment"] for row in read_csv(tmp_path / "out.csv")]
    assert said[:4] == ["negative", "positive", "negative", "positive"]
    assert said[4:] == ["undetermined"] * 2


@pytest.mark.parametrize(
    ("cores", "asked", "started"), [(16, None, WORKERS), (2, None, 2), (2, 6, 6), (1, None, 0)]
)
def test_a_long_file_starts_few_processes_unless_more_are_asked_for(
    cores: int, asked: int | None, started: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def shared(pieces: Iterator[pa.Table], count: int, work: Any) -> Iterator[Any]:
        counts.append(count)
        yield from ((piece, Unknown()) for piece in pieces)

    monkeypatch.setattr(scoring, "processors", lambda: cores)
    monkeypatch.setattr(scoring, "_shared", shared)
    monkeypatch.setattr(textfile, "ROWS", 1)
    pq.write_table(pa.table({"text": ["a", "b"]}), tmp_path / "in.parquet")
    score_file(tmp_path / "in.parquet", tmp_path / "out.parquet", workers=asked)
    assert counts == [started] * bool(started)


def test_pieces_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"text": [THANKS, FLOOD, "", "ok", "Quelle honte"] * 5, "n": range(25)})
    pq.write_table(table, tmp_path / "in.parquet")
    score_file(tmp_path / "in.parquet", tmp_path / "whole.parquet")
    monkeypatch.setattr(textfile, "ROWS", 4)
    calls: list[tuple[int, int | None]] = []
    score_file(
        tmp_path / "in.parquet",
        tmp_path / "pieces.parquet",
        progress=lambda done, total: calls.append((done, total)),
    )
    whole, pieces = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("whole", "pieces"))
    pd.testing.assert_frame_equal(whole.to_pandas(), pieces.to_pandas(), rtol=1e-4)
    assert calls[-1] == (25, 25)
    assert calls[0] == (0, 25)
    assert len(calls) == 8


def test_a_file_with_a_header_only_gives_one_with_the_added_columns(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n", encoding="utf-8")
    assert score_file(tmp_path / "in.csv", tmp_path / "out.csv") == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith('"id","text","lang"')


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("in.csv", "id,message\n1,bonjour\n", "no column 'text' but id, message"),
        ("in.csv", "text,sentiment\nbonjour,x\n", "already has the columns sentiment"),
        ("in.csv", "text,text\na,b\n", "two columns 'text'"),
        ("in.csv", "", "cannot be read as csv"),
        ("in.csv", "id,text\n1,a,b,c\n", "Row #2: Expected 2 columns, got 4"),
        ("in.jsonl", '{"text": "a"}\n{oops\n', "line 2 of in.jsonl is not JSON"),
        ("in.jsonl", '["a"]\n', "line 1 of in.jsonl is not an object"),
        ("in.jsonl", '{"text": 3}\n', "column 'text' of int64: it must be text"),
        ("in.jsonl", "", "no column 'text' but none"),
        ("in.parquet", "not parquet", "cannot be read as parquet"),
        ("in.xlsx", "", "ends in .xlsx: use .csv"),
    ],
)
def test_a_file_at_fault_is_named_with_the_remedy(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(VigieError, match=says):
        score_file(tmp_path / name, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_file_that_is_not_there_or_an_unknown_ending_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VigieError, match="is not a file"):
        score_file(tmp_path / "none.csv", tmp_path / "out.csv")
    source = write_csv(tmp_path / "in.csv", [{"text": "a"}])
    with pytest.raises(VigieError, match=r"out\.xls ends in \.xls"):
        score_file(source, tmp_path / "out.xls")


def test_latin_1_bytes_are_an_error_and_not_question_marks(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("text\nécole fermée\n".encode("latin-1"))
    with pytest.raises(VigieError, match="UTF-8"):
        score_file(tmp_path / "in.csv", tmp_path / "out.csv")
