"""One town for the tests that only look; those that change something build their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.board import town as making
from tests.pipelines.board.town import Town


@pytest.fixture(scope="package")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return making.built(tmp_path_factory.mktemp("board"))


@pytest.fixture
def own_town(tmp_path: Path) -> Town:
    return making.built(tmp_path)
