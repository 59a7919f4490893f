"""Airflow for one home: what `vigie up` keeps in order while it runs."""

from __future__ import annotations

from pathlib import Path

from pipelines import orchestrator


def test_a_log_that_grows_is_begun_again_and_its_last_part_kept(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.log"
    with path.open("ab") as log:  # as its process holds it
        log.write(b"old " * 50)
        log.flush()
        orchestrator.keep_short(tmp_path, limit=100)
        log.write(b"new")
    assert path.read_bytes() == b"new"
    assert (tmp_path / "scheduler.log.1").read_bytes() == b"old " * 50


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "api-server.log").write_bytes(b"short")
    orchestrator.keep_short(tmp_path, limit=100)
    assert [p.name for p in tmp_path.iterdir()] == ["api-server.log"]
