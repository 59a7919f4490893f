"""What is done once a day: expiry, the analysts' file, the pages on the contract of the data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines import publish, retention, warehouse
from pipelines.house import House


def expire(house: House, *, as_of: datetime) -> dict[str, Any]:
    """Delete what has had its time; the receipt."""
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home) as connection:
        return retention.expire(connection, settings=house.settings, as_of=as_of)


def published(house: House, *, as_of: datetime) -> Path:
    """Write the analysts' file anew; its path. A reader of the old one is not disturbed."""
    warehouse.prepare(house.settings)
    return publish.publish(house.home, made_at=as_of)


def docs(house: House, *, as_of: datetime) -> Path | None:
    """Build the pages on the contract of accepted data; none when no run is on disk."""
    from pipelines import accept as acceptance

    results = list(_validations(house.home))
    return acceptance.build_docs(house.home, results, made_at=as_of) if results else None


def _validations(home: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((home / "staging").glob("*/validation.json")):
        yield from json.loads(path.read_text())
