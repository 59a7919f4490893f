"""Whatever stands in any field of a payload, a mention, a deletion or a reason comes of it."""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipelines import normalise, places, sources, subjects
from pipelines.accept import accept
from pipelines.mention import (
    DELETION_SCHEMA,
    MENTION_SCHEMA,
    REJECTION_SCHEMA,
    TEXT_LIMIT,
    Deletion,
    Mention,
    Post,
    Rejection,
    to_table,
)
from pipelines.settings import Institution, Settings, SourceBlock, Subject
from pipelines.sources import Parsed, Payload
from tests.hostile.values import ANYTHING

SEEN = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
PAYLOADS = Path(__file__).parents[1] / "payloads"
SETTINGS = Settings(
    home=Path("/nowhere"),
    institution=Institution(
        id="belleroche", name="Belleroche", kind="commune", legal_basis="délibération 12"
    ),
    subjects=(
        Subject(id="ville", label="Ville", purpose="répondre aux habitants", names=("Belleroche",)),
    ),
)
CELLS = {
    "date": "2026-11-18 10:00:00",
    "heure": "",
    "text": "La piscine est fermée",
    "title": "Piscine",
    "url": "https://journal.example/1",
    "id": "a1",
    "network": "x",
    "author": "zoe_k",
    "likes": "3",
    "comments": "1",
    "lang": "fr",
    "type": "post",
    "pays": "FR",
    "lieu": "Belleroche",
    "tags": "a,b",
    "nommés": "@x",
    "note": "4",
    "fil": "3",
}
COLUMNS = {"geo_country": "pays", "geo_place": "lieu", "hashtags": "tags", "rating_value": "note"}
COLUMNS |= {"mentioned_handles": "nommés", "published_time": "heure", "thread_id": "fil"}


def _mastodon() -> tuple[Any, Callable[[Any], Payload], dict[str, Any]]:
    status = json.loads((PAYLOADS / "mastodon" / "status.json").read_text())
    return status, _of("status", instance="quais.example"), {"instance": "https://quais.example"}


def _bluesky_post() -> tuple[Any, Callable[[Any], Payload], dict[str, Any]]:
    found = json.loads((PAYLOADS / "bluesky" / "search.json").read_text())
    return found["posts"][0], _of("post"), {"mode": "jetstream"}


def _bluesky_event() -> tuple[Any, Callable[[Any], Payload], dict[str, Any]]:
    lines = (PAYLOADS / "bluesky" / "jetstream.jsonl").read_text().splitlines()
    return json.loads(lines[0]), _of("event"), {"mode": "jetstream"}


def _feed() -> tuple[Any, Callable[[Any], Payload], dict[str, Any]]:
    feed = json.loads((PAYLOADS / "feed" / "site.json").read_text())

    def landed(document: Any) -> Payload:
        body = base64.b64encode(json.dumps(document).encode()).decode()
        return Payload(kind="document", data={"body": body}, fetched_at=SEEN)

    options = {"url": "https://journal.example/f", "network": "forum"}
    return feed | {"items": feed["items"][:1]}, landed, options


def _file() -> tuple[Any, Callable[[Any], Payload], dict[str, Any]]:
    said = {"block": "exports", "preset": "generic", "day_first": True}

    def landed(cells: Any) -> Payload:
        data = {"row": 2, "of": said, "cells": cells}
        return Payload(kind="row", instance="export.csv", data=data)

    return CELLS, landed, {"path": "inbox", "columns": COLUMNS}


def _of(kind: str, *, instance: str | None = None) -> Callable[[Any], Payload]:
    return lambda data: Payload(kind=kind, data=data, instance=instance, fetched_at=SEEN)


SOURCES = {
    "mastodon": _mastodon,
    "bluesky": _bluesky_post,
    "bluesky stream": _bluesky_event,
    "feed": _feed,
    "file": _file,
}


def _places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON value, by the keys and indexes that lead to it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in inner:
        yield (*before, key)
        if isinstance(each, dict | list):
            yield from _places(each, (*before, key))


def _with(value: Any, place: tuple[Any, ...], other: Any) -> Any:
    changed = copy.deepcopy(value)
    at = changed
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = other
    return changed


def _payloads(name: str) -> Iterator[Payload]:
    whole, landed, _ = SOURCES[name]()
    for place in _places(whole):
        for other in ANYTHING[:: len(place)]:  # each place alike; deep ones meet fewer
            # What is landed is what JSON can hold: there is no NaN in it.
            yield landed(msgspec.json.decode(msgspec.json.encode(_with(whole, place, other))))


def normalised(items: list[Parsed], *, kind: str) -> list[Mention | Deletion | Rejection]:
    """What parsed items become, all of them on the subject of their source."""
    found = normalise.normalise(
        [(item, "landing/x#0") for item in items],
        settings=SETTINGS,
        block=SourceBlock(name="source", kind=kind, subject="ville"),
        manifest=sources.load(kind).MANIFEST,
        key=b"k" * 32,
        matcher=subjects.matcher(SETTINGS.subjects, SETTINGS.institution),
        finder=places.finder(),
        run_id="r",
        seen_at=SEEN,
    )
    return list(found)


def test_masks_longer_than_what_they_stand_for_break_no_contract() -> None:
    mails = "a@b.fr " * 20_000
    warned = Post(native_id="1", text=mails, title=mails, content_warning=mails, published_at=SEEN)
    (mention,) = normalised([warned], kind="feed")
    assert isinstance(mention, Mention)
    assert (len(mention.text), len(mention.title or "")) <= (TEXT_LIMIT, normalise.TITLE_LIMIT)
    assert accept(to_table([mention], MENTION_SCHEMA)).rejections == ()


@pytest.mark.parametrize("name", SOURCES)
def test_any_value_in_any_field_is_a_mention_or_a_reason(name: str) -> None:
    kind = name.split()[0]
    source = sources.load(kind)
    options = source.Options(**SOURCES[name]()[2])
    parsed = [list(source.parse(payload, options)) for payload in _payloads(name)]
    assert name == "feed" or all(parsed)  # a feed may have no entries
    items = [item for found in parsed for item in found]
    outcomes = normalised(items, kind=kind)
    assert len(outcomes) == len(items) > 100
    _can_be_written(outcomes)
    table = to_table([o for o in outcomes if isinstance(o, Mention)], MENTION_SCHEMA)
    assert accept(table).rejections == ()  # or a stranger could have whole batches refused


def _can_be_written(outcomes: list[Mention | Deletion | Rejection]) -> None:
    to_table([o for o in outcomes if isinstance(o, Mention)], MENTION_SCHEMA)
    to_table([o for o in outcomes if isinstance(o, Deletion)], DELETION_SCHEMA)
    refused = [o for o in outcomes if isinstance(o, Rejection)]
    to_table(refused, REJECTION_SCHEMA)
    for rejection in refused:
        assert len(rejection.detail) < 300
        assert re.sub("[\u00a0\u202f]", " ", rejection.detail).isprintable()  # French spaces
        assert not any(
            word in rejection.detail for word in ("alert(", "pisteur", "calc", "zoe_k", "mireille")
        )
        assert len(rejection.native_id or "") <= normalise.ID_LIMIT
