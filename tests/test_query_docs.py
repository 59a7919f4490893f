"""docs/queries.md holds queries that can be read, and names every field and command there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pipelines import query
from pipelines.query_cli import query_app
from pipelines.query_terms import EXAMPLES

PAGE = (Path(__file__).parents[1] / "docs" / "queries.md").read_text(encoding="utf-8")
ALLOWED = query.allowed(("tours", "@villedetours"), (("journal", ()),))
BLOCKS = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
EXAMPLE_QUERIES = [text for block in BLOCKS for text in block.split("\n\n")]
WRITTEN = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("text", EXAMPLE_QUERIES)
def test_an_example_is_a_query(text: str) -> None:
    query.parse(text, allowed=ALLOWED)


def test_the_subject_that_is_shown_is_one() -> None:
    toml = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert toml is not None
    (subject,) = tomllib.loads(toml[1])["subjects"]
    query.parse(subject["query"])


@pytest.mark.parametrize("cell", WRITTEN)
def test_an_operator_of_the_table_is_read(cell: str) -> None:
    for text in re.findall(r"`([^`]+)`", cell):
        query.parse(f"Valmont AND ({text})", allowed=ALLOWED)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_field_is_documented(name: str) -> None:
    assert f"`{name}" in PAGE


def test_every_command_is_documented() -> None:
    names = {c.name or (c.callback and c.callback.__name__) for c in query_app.registered_commands}
    assert all(f"vigie query {name}" in PAGE for name in names)
