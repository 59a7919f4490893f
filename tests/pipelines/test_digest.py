"""The digest: what a director reads, from a warehouse to a page."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from pipelines import digest
from pipelines.brief import Digest
from tests.pipelines import valmont


@pytest.fixture(scope="module")
def quiet() -> Iterator[Digest]:
    with valmont.warehouse_of("quiet") as connection:
        yield _built(connection)


@pytest.fixture(scope="module")
def crisis() -> Iterator[Digest]:
    with valmont.warehouse_of("crisis") as connection:
        yield _built(connection)


def _built(connection: duckdb.DuckDBPyConnection) -> Digest:
    return digest.build(connection, settings=valmont.SETTINGS, day=valmont.DAY, as_of=valmont.AS_OF)


def test_a_calm_day_is_green_and_says_so_in_one_line(quiet: Digest) -> None:
    assert quiet.risk.level == "vert"
    assert "Journée calme" in digest.render(quiet, locale="fr").text


def test_an_open_critical_incident_makes_the_day_red(crisis: Digest) -> None:
    assert (crisis.risk.level, crisis.risk.reason) == ("rouge", "critical_open")
    letter = digest.render(crisis, locale="fr")
    assert letter.subject == "Vigie · Ville de Valmont · ROUGE · incident critique ouvert"
    assert "En hausse" in letter.text
