"""One source collected over loopback, run after run, from a peer that answers as the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipelines import http, landing
from pipelines.mention import Deletion, Post, Rejection
from pipelines.sources import Checkpoint, Payload, Request, Source, Terms
from tests.pipelines.loopback import Answer, Asked, Clock, Peer, serving

SINCE = datetime(2026, 11, 20, 8, tzinfo=UTC)
UNTIL = datetime(2026, 11, 20, 9, tzinfo=UTC)
TERMS = Terms(names=("Valmont", "mairie de Valmont"), hashtags=("valmont",), handles=("@mairie",))
SECRETS = {"VIGIE_TEST_KEY": "cle-inventee"}

Answering = Callable[[Asked], Answer]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What one collection gave, its payloads landed and read back before they were parsed."""

    payloads: list[Payload]
    checkpoint: Checkpoint
    parsed: list[Post | Deletion | Rejection]
    slept: float

    @property
    def cursor(self) -> dict[str, Any]:
        return self.checkpoint.cursor

    @property
    def note(self) -> str:
        return self.checkpoint.note or ""

    @property
    def posts(self) -> list[Post]:
        return [item for item in self.parsed if isinstance(item, Post)]

    @property
    def ids(self) -> list[str]:
        return [post.native_id for post in self.posts]

    @property
    def gone(self) -> list[str]:
        return [item.native_id for item in self.parsed if isinstance(item, Deletion)]

    @property
    def reasons(self) -> list[str]:
        return [item.reason for item in self.parsed if isinstance(item, Rejection)]


@dataclass(frozen=True, kw_only=True)
class Ear:
    """A source that listens to one peer; `hear` is one run."""

    source: Source
    peer: Peer
    home: Path
    options: Callable[[str], dict[str, Any]]
    trouble: dict[int, Answer] = field(default_factory=dict)

    def hear(
        self,
        cursor: dict[str, Any] | None = None,
        *,
        since: datetime = SINCE,
        until: datetime = UNTIL,
        terms: Terms = TERMS,
        recheck: tuple[str, ...] = (),
        secrets: dict[str, str] | None = None,
        **chosen: Any,
    ) -> Heard:
        """One run: collected, landed, read back, parsed."""
        clock = Clock()
        is_silent = any(answer.is_silent for answer in self.trouble.values())
        options = self.source.Options(**{**self.options(self.peer.url), **chosen})
        with http.Client(
            allow_private=("127.0.0.0/8",),
            sleep=clock.sleep,
            now=clock.now,
            timeout=httpx.Timeout(0.5 if is_silent else 20.0),
        ) as asking:
            request = Request(
                name="oreille",
                options=options,
                terms=terms,
                cursor=cursor,
                since=since,
                until=until,
                client=asking,
                home=self.home,
                secrets=SECRETS if secrets is None else secrets,
                recheck_ids=recheck,
            )
            items = list(self.source.collect(request))
        assert isinstance(items[-1], Checkpoint)
        payloads = landed(items, self.home)
        parsed = [p for payload in payloads for p in self.source.parse(payload, options)]
        return Heard(payloads=payloads, checkpoint=items[-1], parsed=parsed, slept=sum(clock.slept))

    def hear_twice(self, fault: Answer, *, at: range, terms: Terms = TERMS) -> tuple[Heard, Heard]:
        """A run whose calls of these numbers fail, and the one five minutes later, as all work."""
        self.trouble.update(dict.fromkeys(at, fault))
        first = self.hear(terms=terms)
        self.trouble.clear()
        later = UNTIL + timedelta(minutes=5)
        return first, self.hear(first.cursor, since=UNTIL, until=later, terms=terms)

    @property
    def paths(self) -> list[str]:
        """The paths that the peer was asked for, in order."""
        return [asked.path for asked in self.peer.asked]


def landed(items: list[Any], home: Path) -> list[Payload]:
    """The payloads of a collection as the next step reads them from disk."""
    path = home / "landing" / "run.jsonl.zst"
    found = landing.land(items, path=path, fetched_at=UNTIL)
    return list(landing.read(path)) if found.path else []


def read_generated(source: Source, options: Any, payloads: list[Payload], home: Path) -> list[Any]:
    """What a parser makes of generated payloads; every refusal must have its reason in words."""
    parsed = [p for payload in landed(payloads, home) for p in source.parse(payload, options)]
    refused = [item for item in parsed if isinstance(item, Rejection)]
    assert refused
    assert all(item.source == source.MANIFEST.name for item in refused)
    assert all(item.reason and item.detail for item in refused)
    assert any(isinstance(item, Post) for item in parsed)
    return parsed


@contextmanager
def listening(
    source: Source,
    answer: Answering,
    home: Path,
    options: Callable[[str], dict[str, Any]] = lambda url: {"url": url},
) -> Iterator[Ear]:
    """A source and the peer that it listens to, on one port for every run.

    `ear.trouble` gives other answers by the number of the request, counted from 1.
    """
    trouble: dict[int, Answer] = {}

    def answered(asked: Asked) -> Answer:
        return trouble.get(len(peer.asked)) or answer(asked)

    with serving(answered) as peer:
        yield Ear(source=source, peer=peer, home=home, options=options, trouble=trouble)


WAITS = {
    "seconds": {"Retry-After": "60"},
    "date": {"Retry-After": "Fri, 20 Nov 2026 12:01:00 GMT"},
    "left": {"X-RateLimit-Reset": "60"},
    "epoch": {"X-RateLimit-Reset": str(int(datetime(2026, 11, 20, 12, 1, tzinfo=UTC).timestamp()))},
    "iso": {"X-RateLimit-Reset": "2026-11-20T12:01:00.000000Z"},
    "draft": {"RateLimit": '"default";r=0;t=60'},
}
FAULTS = {
    "500": Answer(500),
    "502": Answer(502, body=b"<html>Bad gateway</html>"),
    "503": Answer(503, {"Retry-After": "5"}),
    "silence": Answer(is_silent=True),
    "broken off": Answer(body=b'{"latest', length=4000),
}
every_wait = pytest.mark.parametrize("headers", WAITS.values(), ids=list(WAITS))
every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))


def minutes(count: int) -> datetime:
    """A moment of the window, so many minutes after its start."""
    return SINCE + timedelta(minutes=count)
