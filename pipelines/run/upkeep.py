"""What is done once a day: expiry, the analysts' file, the pages on the contract of the data."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines import labelling, labels, publish, retention, warehouse
from pipelines.house import House

log = logging.getLogger(__name__)


def expire(house: House, *, as_of: datetime) -> dict[str, Any]:
    """Delete what has had its time; the receipt."""
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home) as connection:
        return retention.expire(connection, settings=house.settings, as_of=as_of)


def published(house: House, *, as_of: datetime) -> Path:
    """Write the analysts' file anew; its path. A reader of the old one is not disturbed."""
    warehouse.prepare(house.settings)
    return publish.publish(house.home, made_at=as_of)


def drawn(house: House, *, as_of: datetime) -> str | None:
    """Draw the day's messages to label, where `[labels]` asks for some; the draw, if it is new.

    None where as many still wait for an answer, so that nothing piles up where nobody labels, or
    where nothing new is there. At most one a day; what people draw by hand comes besides.
    """
    count, zone = house.settings.labels.daily_count, house.settings.institution.zone
    if not count:
        return None

    def opening(is_read: bool) -> AbstractContextManager[warehouse.Connection]:
        return warehouse.opened(house.home, read_only=is_read)

    warehouse.prepare(house.settings)
    with opening(True) as connection:
        far = labels.progress(connection, "")
    if far.wanted - far.given >= count:
        return None
    day = as_of.astimezone(zone).date()
    try:
        made = labelling.draw(opening, day=day, seed=1, as_of=as_of, by="vigie", count=count)
    except labelling.LabelError as error:
        log.info("labels.not_drawn day=%s why=%s", day, error)
        return None
    return made.batch_id if made.is_new else None


def docs(house: House, *, as_of: datetime) -> Path | None:
    """Build the pages on the contract of accepted data; none when no run is on disk."""
    from pipelines import accept as acceptance

    results = list(_validations(house.home))
    return acceptance.build_docs(house.home, results, made_at=as_of) if results else None


def _validations(home: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((home / "staging").glob("*/validation.json")):
        yield from json.loads(path.read_text())
