"""What starts the DAG `live`: a trigger that fires when `vigie listen` has landed something.

It lists one folder a second, in Airflow's triggerer, and tells of what is new once. While a run is
taking up what it told of, it keeps still, so that runs do not queue up behind each other.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, AssetWatcher
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from pipelines import listening


class Landed(BaseEventTrigger):
    """Fires with the stamp of the newest landing that no run has taken up."""

    def __init__(self, home: str, every_seconds: float = 1.0, patience_seconds: float = 120.0):
        super().__init__()
        self.home, self.every_seconds = home, every_seconds
        self.patience_seconds = patience_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, from which the triggerer makes it again."""
        names = ("home", "every_seconds", "patience_seconds")
        return "dags.landed.Landed", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Each landing told of once; again after `patience_seconds` if no run has come for it."""
        home, told_at, seen = Path(self.home), -math.inf, None
        while True:
            newest, taken = await asyncio.to_thread(_looked, home)
            ahead = listening.ahead(newest, taken)
            is_waited_for = taken == seen and time.monotonic() - told_at < self.patience_seconds
            if ahead and not is_waited_for:
                seen, told_at = taken, time.monotonic()
                yield TriggerEvent({"landed": ahead})
            await asyncio.sleep(self.every_seconds)


def _looked(home: Path) -> tuple[dict[str, str], dict[str, str]]:
    return listening.newest(home), listening.taken(home)


def landed(home: Path) -> Asset:
    """The asset that stands for what readers land in `home`."""
    watcher = AssetWatcher(name="landed", trigger=Landed(home=str(home)))
    return Asset("vigie://landed", watchers=[watcher])
