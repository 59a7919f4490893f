"""Notebooks run from top to bottom on bundled data, say their answer, and hold no output."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.town import analyst_file

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the invented town."""
    home = tmp_path_factory.mktemp("town")
    analyst_file.make(home)
    return home


CALM = {
    "a_crisis_replayed": "Aucune alerte en",
    "how_sure_are_the_models_here": "messages sont indéterminés",
    "what_our_own_posts_change": "rien à comparer",
    "which_channel_speaks_about_what": "Un seul réseau (mastodon), rien à comparer",
    "which_rule_would_have_been_quieter": "pas de crise",
}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a town without a crisis, heard on one network, that never posts itself."""
    home = tmp_path_factory.mktemp("calm")
    crisis = datetime(2026, 10, 1, tzinfo=UTC)
    analyst_file.make(
        home, kept=lambda t: t.network == "mastodon" and not t.is_own and t.at < crisis
    )
    return home


def run(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], str]:
    """All outputs of a notebook on a home, and what its last cell says."""
    monkeypatch.setenv("VIGIE_HOME", str(home))
    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    client = NotebookClient(book, timeout=60, resources={"metadata": {"path": str(FOLDER)}})
    client.execute(env=dict(os.environ))
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    last = book.cells[-1].outputs[-1]
    assert last.output_type == "stream"
    assert any(sign.isdigit() for sign in last.text)
    return outputs, last.text


def test_there_are_five_questions() -> None:
    assert len(NOTEBOOKS) >= 5


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_asks_a_question_and_holds_no_output(name: str) -> None:
    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(book)
    first = book.cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert first.source.endswith("?")
    for cell in book.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert "/tmp/" not in str(book)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_its_last_cell_is_the_answer(
    name: str, town: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs, _ = run(name, town, monkeypatch)
    assert [o for o in outputs if "image/png" in o.get("data", {})]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_where_there_is_nothing_to_answer_a_notebook_says_so(
    name: str, calm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CALM[name] in run(name, calm, monkeypatch)[1]
