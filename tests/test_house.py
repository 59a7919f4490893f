"""The house rules that no tool checks: sources complete and documented, files named and kept."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pipelines import sources

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("kind", sources.names())
def test_a_source_has_its_four_names_and_a_whole_manifest(kind: str) -> None:
    source = sources.load(kind)
    manifest = source.MANIFEST
    assert manifest.name == kind
    assert all((manifest.access, manifest.terms_url, manifest.legal_basis, manifest.cost))
    assert manifest.fields_kept
    assert manifest.deletion_duty
    assert manifest.retention_days > 0
    assert callable(source.collect)
    assert callable(source.parse)
    assert source.Options.model_config.get("extra") == "forbid"


@pytest.mark.parametrize("kind", sources.names())
def test_a_source_is_documented(kind: str) -> None:
    text = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    assert re.search(rf"^## `?{kind}`?", text, re.MULTILINE), f"docs/sources.md lacks '## {kind}'"


def test_the_lock_holds_hashes_and_names_no_registry() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    names = re.findall(r"^[a-z0-9][\w.-]*==", lock, re.MULTILINE)
    assert len(names) > 100
    assert lock.count("--hash=sha256:") >= len(names)
    assert not any(name.startswith("torch==") for name in names)


def test_every_dependency_of_the_project_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").lower()
    for line in wanted:
        name = re.match(r"[\w.-]+", line)
        assert name is not None
        assert re.search(rf"^{re.escape(name[0].lower())}==", lock, re.MULTILINE), name[0]


def test_no_file_bears_a_name_that_says_nothing() -> None:
    empty = {"util", "utils", "helper", "helpers", "manager", "handler", "common", "misc", "base"}
    found = [p for folder in ("pipelines", "models", "dags") for p in (ROOT / folder).rglob("*.py")]
    assert not [p for p in found if p.stem in empty]
