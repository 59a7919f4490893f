"""The DAG files: they load, keep to their size, and hold the order and the clock they promise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dags import institution
from pipelines import orchestrator
from pipelines.errors import SourceError

FOLDER = Path(__file__).parents[2] / "dags"
FILES = ("watch", "live", "refresh", "digest", "upkeep", "rescore", "backfill")


@pytest.fixture(scope="module")
def bag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(FOLDER))


def test_every_dag_file_loads_and_serialises(bag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    assert bag.import_errors == {}
    assert set(bag.dags) == set(FILES)
    for dag in bag.dags.values():
        DagSerialization.to_dict(dag)


@pytest.mark.parametrize("name", FILES)
def test_a_dag_file_holds_order_and_nothing_else(name: str) -> None:
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    for heavy in ("pandas", "spacy", "transformers", "great_expectations", "duckdb"):
        assert f"import {heavy}" not in text


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("watch", timedelta(minutes=5)),
        ("refresh", timedelta(minutes=15)),
        ("digest", timedelta(days=1)),
        ("upkeep", timedelta(days=1)),
    ],
)
def test_a_window_has_a_length(bag: Any, name: str, length: timedelta) -> None:
    from airflow.serialization.encoders import coerce_to_core_timetable
    from pendulum import datetime

    timetable = coerce_to_core_timetable(bag.dags[name].timetable)
    interval = timetable.infer_manual_data_interval(run_after=datetime(2026, 6, 10, 12, tz="UTC"))
    assert interval.end - interval.start == length


def test_a_source_that_fails_does_not_stop_the_others(bag: Any) -> None:
    watch = bag.dags["watch"]
    assert watch.get_task("accept").trigger_rule == "all_done_min_one_success"
    assert watch.get_task("accept").upstream_task_ids == {"plan", "collect"}


def test_one_source_that_cannot_be_looked_up_does_not_stop_the_others(bag: Any) -> None:
    refresh = bag.dags["refresh"]
    assert refresh.get_task("accept").trigger_rule == "all_done_min_one_success"


def test_steps_that_wait_for_services_leave_a_worker_to_live(bag: Any) -> None:
    waiting = [("watch", "collect"), ("refresh", "recheck"), ("backfill", "collect")]
    most = [bag.dags[dag].get_task(task).max_active_tis_per_dag for dag, task in waiting]
    workers = orchestrator.environment(Path(), {})["AIRFLOW__CORE__PARALLELISM"]
    assert sum(most) < int(workers)


def test_live_is_started_by_landings_and_every_five_minutes_where_a_source_is_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv("VIGIE_HOME", str(tmp_path))
    (tmp_path / "vigie.toml").write_text("[[sources]]\nlive = true\n", encoding="utf-8")
    dag = DagBag(str(FOLDER)).dags["live"]
    told = DagSerialization.to_dict(dag)["dag"]["timetable"]["__var"]
    (asset,) = told["asset_condition"]["objects"]
    (watcher,) = asset["watchers"]
    assert watcher["trigger"]["classpath"] == "dags.landed.Landed"
    assert watcher["trigger"]["kwargs"]["home"] == str(tmp_path)
    assert told["timetable"]["__var"]["expression"] == "*/5 * * * *"
    assert dag.max_active_runs == 1


def test_live_is_not_scheduled_where_no_source_is_live(bag: Any) -> None:
    assert bag.dags["live"].schedule is None


def test_every_step_that_opens_the_warehouse_takes_the_one_slot(bag: Any) -> None:
    pooled = {
        (d.dag_id, t.task_id) for d in bag.dags.values() for t in d.tasks if t.pool == "warehouse"
    }
    assert pooled == {
        ("watch", "plan"),
        ("watch", "load"),
        ("watch", "alert"),
        ("live", "take"),
        ("live", "load"),
        ("refresh", "plan"),
        ("refresh", "load"),
        ("digest", "make"),
        ("upkeep", "expire"),
        ("upkeep", "publish"),
        ("upkeep", "draw"),
        ("rescore", "export"),
        ("rescore", "load"),
        ("backfill", "plan"),
        ("backfill", "load"),
    }


def test_every_task_tells_the_operator_when_it_fails(bag: Any) -> None:
    assert all(task.on_failure_callback for dag in bag.dags.values() for task in dag.tasks)


def test_a_task_that_hangs_is_ended_since_only_one_run_goes_at_a_time(bag: Any) -> None:
    limits = {task.execution_timeout for dag in bag.dags.values() for task in dag.tasks}
    assert limits == {timedelta(hours=2)}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SourceError("journal answered 500"), "SourceError: journal answered 500"),
        (ValueError("Jeanne Martin, 06 12"), "ValueError: see the log of the task"),
    ],
)
def test_a_failure_mail_quotes_no_error_but_our_own(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    steps = SimpleNamespace(report_failure=lambda _, **said: told.append(said["error"]))
    monkeypatch.setattr(institution, "steps", lambda: steps)
    monkeypatch.setattr(institution, "house", lambda: None)
    task = SimpleNamespace(dag_id="watch", task_id="load", map_index=-1, rendered_map_index=None)
    institution.tell_operator({"ti": task, "run_id": "first", "exception": error})
    assert told == [words]
