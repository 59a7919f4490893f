"""The watch DAG run by Airflow itself, on the invented town."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.town.living import Home, lived_in
from tests.town.server import APP_PASSWORD, served, write_exports

MOMENT = datetime(2026, 9, 24, 18, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    from airflow.models import Pool
    from airflow.utils import db

    db.initdb()
    Pool.create_or_update_pool("warehouse", slots=1, description="", include_deferred=False)
    with served(MOMENT) as town, lived_in(tmp_path_factory.mktemp("town") / "home", town) as home:
        write_exports(town, home.path / "inbox")
        os.environ |= {"VIGIE_HOME": str(home.path), "VIGIE_DEMO_BLUESKY": APP_PASSWORD}
        yield home
        del os.environ["VIGIE_HOME"], os.environ["VIGIE_DEMO_BLUESKY"]


def _run(moment: datetime) -> Any:
    from dags.watch import watch

    return watch().test(logical_date=moment)


def _states(dag_run: Any) -> dict[str, str]:
    return {
        f"{task.task_id}[{task.map_index}]": str(task.state)
        for task in dag_run.get_task_instances()
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Airflow's own, in a run of its own
def test_a_run_loads_every_source_and_the_same_run_again_changes_nothing(home: Home) -> None:
    first = _run(MOMENT)
    assert str(first.state) == "success", _states(first)
    before = home.rows()
    assert len(before["mention"]) > 800
    assert len(before["score"]) == len(before["mention"])
    assert len(before["source_cursor"]) == 4
    again = _run(MOMENT)
    assert str(again.state) == "success", _states(again)
    assert home.rows() == before


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_rules_are_run_and_mails_sent_where_no_source_is_due(home: Home) -> None:
    home.town.clock = MOMENT
    _run(MOMENT)
    toml = home.path / "vigie.toml"
    whole = toml.read_text(encoding="utf-8")
    slow = whole.replace("[[sources]]", "[[sources]]\nevery_minutes = 60")
    toml.write_text(slow, encoding="utf-8")
    try:
        states = _states(_run(MOMENT + timedelta(minutes=5)))
    finally:
        toml.write_text(whole, encoding="utf-8")
    assert states["load[-1]"] == "skipped", states
    assert states["alert[-1]"] == "success", states


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_source_that_fails_is_told_and_the_others_are_loaded(home: Home) -> None:
    toml = home.path / "vigie.toml"
    whole = toml.read_text(encoding="utf-8")
    broken = whole.replace(f"{home.town.url}/courrier.xml", f"{home.town.url}/gone.xml")
    toml.write_text(broken, encoding="utf-8")
    home.town.clock = moment = datetime(2026, 9, 24, 19, 0, tzinfo=UTC)
    mails = len(home.message_ids())
    try:
        dag_run = _run(moment)
    finally:
        toml.write_text(whole, encoding="utf-8")
    states = _states(dag_run)
    assert states["collect[0]"] == "failed"
    assert states["load[-1]"] == states["alert[-1]"] == "success"
    assert len(home.message_ids()) > mails
    intake = [row for row in home.rows()["intake"] if "20260924T190000Z" in row]
    assert any("failed" in row for row in intake)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_back_fill_by_hand_fills_the_gap_of_the_source_that_failed(home: Home) -> None:
    from dags.backfill import backfill

    gap = [row for row in home.rows()["gap"] if "'failed', '20260924T190000Z'" in row]
    assert len(gap) == 1
    conf = {"since": "2026-09-24T17:00", "until": "2026-09-24T19:00", "source": "courrier"}
    filled = backfill().test(run_conf=conf)
    assert str(filled.state) == "success", _states(filled)
    assert not [row for row in home.rows()["gap"] if "None, None" in row]
    nothing = _states(backfill().test())
    assert nothing["plan[-1]"] == "success", nothing
    assert {state for task, state in nothing.items() if task != "plan[-1]"} == {"skipped"}
