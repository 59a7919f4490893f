"""One town for the tests that only look; those that change something have a copy of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pipelines.board import town as making
from tests.pipelines.board.town import Town


@pytest.fixture(scope="package")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a town in which nobody has been yet: to be copied, and never opened."""
    home = tmp_path_factory.mktemp("untouched") / "home"
    home.mkdir()
    making.filled(home)
    return home


@pytest.fixture(scope="package")
def town(untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> Town:
    return _copied(untouched, tmp_path_factory.mktemp("board"))


@pytest.fixture
def own_town(untouched: Path, tmp_path: Path) -> Town:
    return _copied(untouched, tmp_path)


def _copied(untouched: Path, home: Path) -> Town:
    shutil.copytree(untouched, home, dirs_exist_ok=True)
    return making.opened(home)
