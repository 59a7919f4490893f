"""What a stranger wrote computes nothing in a real LibreOffice, in no form and no place.

Every way to begin a formula stands behind every sign that may hide it, in cells, in names of
columns and in what is told beside the rows. The CSV is parted as it was written and at every sign
that any country parts at. A file that nothing guards shows that formulas would have been computed.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from datetime import UTC
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from pipelines import export
from pipelines.wording import words

FORMULAS = [
    "=1+1", "+1+1", "-1-1", "@SUM(1;1)", "=A1", "=SOMME(1;1)", "of:=1+1", "msoxl:=1+1", "{=1+1}",
    '=HYPERLINK("http://127.0.0.1:9/";"clic")', '=WEBSERVICE("http://127.0.0.1:9/x")',
    '=DDE("soffice";"/etc/hostname";"a")', "=cmd|' /C calc'!A0", "='file:///etc/hostname'#$A.A1",
    '=INDIRECT("A1")', '=FILTERXML("<a>2</a>";"//a")', '=T(STYLE("x"))', "=TODAY()", "=RAND()",
    "＝1+1", "＋1+1", "－1-1", "＠SUM(1;1)", "\ufe661+1", "\ufe621+1", "\u207a1+1", "\u208c1+1",
    "\u22121-1", "\u20111-1", "\u20131-1", "\u27951+1", "=> suite", "-10 % de budget", "#N/A",
]  # fmt: skip
HIDDEN = [
    "", "\t", "\r", "\n", "\r\n", " ", "\xa0", "\u202f", "\u200b", "\ufeff", "\u202e", "\u200e",
    "\x00", "\x0b", "\x0c", "\x85", "\u2028", "\u2060", "\xad", "\u3164", "\u2800", "\u180e",
    "\ufe0f", "\u034f", "\U000e0020", '"', '""', "'", "`", "\u2019", "a;", "a,", "a|", "a\t", "a\n",
    "a\r", 'a";"', 'a","', 'a"\n', 'a\n"',
]  # fmt: skip
TEXTS = [f"{sign}{formula}" for sign, formula in product(HIDDEN, FORMULAS)]
EVERY_SIGN = "44/59/9/124"  # , ; tab |
_CSV = (
    "--infilter=Text - txt - csv (StarCalc):{parted},34,76,1,,0,false,true,false,false,false,0,true"
)
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile of LibreOffice that knows nothing of this machine's."""
    return tmp_path_factory.mktemp("profile")


@pytest.fixture
def answer() -> export.Answer:
    """Rows, names of columns and metadata, all of them hostile."""
    table = pa.table({"t": TEXTS, **{text: ["x"] * len(TEXTS) for text in FORMULAS}})
    told = {text: text for text in TEXTS}
    w = words("fr", UTC, name="export")
    return export.Answer(table.schema, iter([table]), told, {text: text for text in FORMULAS}, w)


def _read(profile: Path, to: Path, *files: Path, parted: str = "") -> list[ElementTree.Element]:
    """The cells of each file as LibreOffice has them once it has computed what it would."""
    office = os.environ.get("SOFFICE") or shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed (SOFFICE names it elsewhere)")
    asked = [
        *(office, "--headless", f"-env:UserInstallation=file://{profile}"),
        *([_CSV.format(parted=parted)] if parted else []),
        *("--convert-to", "fods", "--outdir", str(to), *map(str, files)),
    ]
    done = subprocess.run(asked, check=False, capture_output=True, timeout=300)
    if done.returncode == 81:  # a new profile asks to be started again
        done = subprocess.run(asked, check=False, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [ElementTree.parse(to / f"{file.stem}.fods").getroot() for file in files]  # noqa: S314


def _computed(book: ElementTree.Element) -> list[str]:
    """The formulas of a book, its links to other programs among them."""
    formulas = [cell.attrib.get(f"{_TABLE}formula") for cell in book.iter(f"{_TABLE}table-cell")]
    links = [*book.iter(f"{_TABLE}dde-link"), *book.iter(f"{_TABLE}cell-range-source")]
    return [formula for formula in formulas if formula] + [link.tag for link in links]


def _texts(book: ElementTree.Element) -> list[str]:
    """What the first column shows, below its head; lines of a cell are joined by a space."""
    first = [row[0] for row in next(book.iter(f"{_TABLE}table")).iter(f"{_TABLE}table-row")]
    return [" ".join("".join(line.itertext()) for line in cell) for cell in first if len(cell)][1:]


@pytest.mark.slow
def test_a_sheet_computes_nothing_and_keeps_every_text(
    answer: export.Answer, profile: Path, tmp_path: Path
) -> None:
    file = tmp_path / "a.xlsx"
    export.write(answer, file)
    (book,) = _read(profile, tmp_path / "out", file)
    assert _computed(book) == []
    shown = _texts(book)
    assert len(shown) == len(TEXTS)
    assert sum("1+1" in text for text in shown) == sum("1+1" in text for text in TEXTS)


@pytest.mark.slow
def test_a_csv_computes_nothing_wherever_it_is_parted(
    answer: export.Answer, profile: Path, tmp_path: Path
) -> None:
    rows = pa.Table.from_batches([batch for piece in answer.pieces for batch in piece.to_batches()])
    files = [tmp_path / f"{name}.csv" for name in ("comma", "semicolon", "tab")]
    for file, separator in zip(files, ",;\t", strict=True):
        again = export.Answer(rows.schema, iter([rows]), answer.told, answer.columns, answer.w)
        export.write(again, file, separator=separator)
    bare = tmp_path / "bare.csv"
    with bare.open("w", encoding="utf-8-sig", newline="") as opened:
        csv.writer(opened, quoting=csv.QUOTE_ALL).writerows([text] for text in TEXTS)
    *books, unguarded = _read(profile, tmp_path / "out", *files, bare, parted=EVERY_SIGN)
    assert [_computed(book) for book in books] == [[], [], []]
    assert len(_computed(unguarded)) > 20
    assert [len(_texts(book)) for book in books] == [len(TEXTS)] * 3
