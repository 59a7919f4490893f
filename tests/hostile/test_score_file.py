"""`vigie score` on a file of hostile texts: the same rows, in order, and no formula on request."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from pipelines.errors import VigieError
from pipelines.score import score_file
from tests.hostile.values import FORMULAS, TEXTS

WRITTEN = [*(text.replace("\x00", "") for text in TEXTS), "", " ", "9" * 400, "z" * 1_000_000]
STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def _write(path: Path, texts: list[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "text", "=note"])
        writer.writerows([str(n), text, TEXTS[n % len(TEXTS)][:1]] for n, text in enumerate(texts))


def _rows(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(1 << 24)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_hostile_rows_keep_their_texts_and_their_order(tmp_path: Path) -> None:
    _write(tmp_path / "in.csv", WRITTEN)
    assert score_file(tmp_path / "in.csv", tmp_path / "out.csv") == len(WRITTEN)
    rows = _rows(tmp_path / "out.csv")
    assert [row["id"] for row in rows] == [str(n) for n in range(len(WRITTEN))]
    assert [row["text"] for row in rows] == WRITTEN
    assert {row["sentiment"] for row in rows} <= {"negative", "neutral", "positive", "undetermined"}


def test_hostile_lines_keep_their_texts_and_their_order(tmp_path: Path) -> None:
    texts = [*TEXTS, "\ud83d", "z" * 1_000_000]
    lines = [json.dumps({"text": text}) for text in texts]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert score_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl") == len(texts)
    found = (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n")
    read = [json.loads(line)["text"] for line in found if line]
    assert read[: len(TEXTS)] == list(TEXTS)
    assert len(read) == len(texts)


def _cells(path: Path, separator: str) -> list[str]:
    """The cells of a file as a spreadsheet that parts them at `separator` would see them."""
    with path.open(encoding="utf-8", newline="") as file:
        return [cell for row in csv.reader(file, delimiter=separator) for cell in row]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_of_a_safe_csv_is_a_formula_wherever_it_is_parted(
    tmp_path: Path, separator: str
) -> None:
    split = [f'oui{mark}"{formula}' for mark in ";,\t\n" for formula in FORMULAS]
    _write(tmp_path / "in.csv", [*FORMULAS, *split, *WRITTEN[:-1]])
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", spreadsheet_safe=True)
    for cell in _cells(tmp_path / "out.csv", separator):
        begun = cell.lstrip(' \t\r\n"')
        assert not begun.startswith(STARTS) or re.fullmatch(r"-[\d.]+(?:e-\d+)?", begun), cell


def test_a_safe_csv_keeps_numbers_and_ordinary_texts(tmp_path: Path) -> None:
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([["text", "écart"], ["Belleroche a 3 - 2 = 1", "-3,5"]])
    score_file(tmp_path / "in.csv", tmp_path / "out.csv", spreadsheet_safe=True)
    (row,) = _rows(tmp_path / "out.csv")
    assert (row["text"], row["écart"]) == ("Belleroche a 3 - 2 = 1", "-3,5")
    with pytest.raises(VigieError, match="is no CSV"):
        score_file(tmp_path / "in.csv", tmp_path / "out.parquet", spreadsheet_safe=True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", "id,text\n1,secret de Zoé,secret,secret\n"),
        ("in.jsonl", '{"text": "a", "n": 1}\n{"text": "b", "n": "secret"}\n'),
        ("in.jsonl", '{"text": "secret'),
        ("in.jsonl", '{"text": "secret", "n": 1}\n{"text": "secret", "n": 1' + "0" * 30 + "}"),
        ("in.jsonl", "[" * 100_000),
        ("in.parquet", "PAR1secretPAR1"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_without_its_texts(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(VigieError) as told:
        score_file(tmp_path / name, tmp_path / "out.csv")
    assert "secret" not in str(told.value)
    assert str(told.value).isprintable()
    assert not (tmp_path / "out.csv").exists()
