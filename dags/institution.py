"""What the DAG files need of an institution when Airflow reads them: its home, hour and zone.

Read from `vigie.toml` with the standard library alone, since Airflow reads these files again
and again. Without a readable file the defaults stand; the tasks then fail with every fault.
"""

from __future__ import annotations

import os
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


def home() -> Path:
    """The home of the institution that this Airflow serves: `VIGIE_HOME`."""
    return Path(os.environ.get("VIGIE_HOME", ".vigie/home")).resolve()


def _file() -> dict[str, Any]:
    try:
        return tomllib.loads((home() / "vigie.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def clock() -> tuple[str, int]:
    """The time zone of the institution and the local hour of its digest."""
    who: dict[str, Any] = _file().get("institution", {})
    return str(who.get("time_zone", "Europe/Paris")), int(who.get("digest_hour", 7))


def is_live() -> bool:
    """Whether a source block is read by `vigie listen`."""
    blocks = _file().get("sources", [])
    return any(isinstance(block, dict) and block.get("live") is True for block in blocks)


def window() -> tuple[Any, Any, str]:
    """The window of the present run, as aware times, and the run's name.

    A scheduled run and a back-fill have an interval; a run that somebody triggers by hand has
    none in Airflow 3, and covers the five minutes before it.
    """
    from airflow.sdk import get_current_context

    context: Any = get_current_context()
    until = context.get("data_interval_end") or context["dag_run"].run_after
    since = context.get("data_interval_start") or until - timedelta(minutes=5)
    # Airflow's moments are pendulum's, whose arithmetic is not that of the standard library.
    since, until = (datetime.fromtimestamp(t.timestamp(), UTC) for t in (since, until))
    return since, until, steps().run_id(until)


def live_window() -> tuple[Any, str]:
    """When the present run of `live` was asked for (aware UTC), and its name."""
    from airflow.sdk import get_current_context

    context: Any = get_current_context()
    moment = datetime.fromtimestamp(context["dag_run"].run_after.timestamp(), UTC)
    return moment, steps().live_run(moment)


def steps() -> Any:
    """The steps of `pipelines.run`, imported when a task needs them and not before."""
    from pipelines import run

    return run


def house() -> Any:
    """The institution that this Airflow serves, its settings read anew."""
    return steps().house(home())


def tell_operator(context: dict[str, Any]) -> None:
    """Mail the operators that a task has failed (Airflow calls this in the failed task).

    Our own errors hold no secret and nobody's text; what any other says stays in the log.
    """
    from pipelines.errors import VigieError

    task = context["ti"]
    part = task.rendered_map_index or (task.map_index if task.map_index >= 0 else None)
    error = context.get("exception")
    is_ours = isinstance(error, VigieError)
    steps().report_failure(
        house(),
        dag=task.dag_id,
        task=task.task_id if part is None else f"{task.task_id}[{part}]",
        run=context["run_id"],
        error=f"{type(error).__name__}: {error if is_ours else 'see the log of the task'}",
        now=datetime.now(UTC),
    )


DEFAULTS: dict[str, Any] = {
    "owner": "vigie",
    "retries": 1,
    "retry_delay": timedelta(seconds=float(os.environ.get("VIGIE_RETRY_SECONDS", "60"))),
    # One run at a time: a task that hangs would stop the watch, and nobody would hear of it.
    "execution_timeout": timedelta(hours=2),
    "on_failure_callback": tell_operator,
}
