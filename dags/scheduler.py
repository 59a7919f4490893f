"""Airflow's scheduler with the libraries of our tasks imported once: `vigie up` starts it so.

    python -m dags.scheduler --skip-serve-logs

The local executor makes each task by a fork of the scheduler, so what is imported here is there in
every task at once: the steps of a live run cost 3 s of processor instead of 17, and share memory.
Only modules are loaded: no thread, no connection and no setting may stand here, since a fork would
inherit them. New code is seen when `vigie up` is started again.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module

WARM = (
    "great_expectations",
    "pipelines.accept",
    "pipelines.detect",
    "pipelines.normalise",
    "pipelines.notify",
    "pipelines.run",
    "pipelines.score",
    "pipelines.sources.bluesky",
    "pipelines.sources.feed",
    "pipelines.sources.file",
    "pipelines.sources.mastodon",
)


def main() -> None:
    """Import what tasks need, then be `airflow scheduler` with the words of the command line."""
    for name in WARM:
        import_module(name)
    gc.freeze()  # what is imported never goes: collections of a task need not look at it
    sys.argv = ["airflow", "scheduler", *sys.argv[1:]]
    import_module("airflow.__main__").main()


if __name__ == "__main__":
    main()
