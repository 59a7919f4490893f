"""What every source shares: its manifest, what it is asked for, what it hands over.

A source is one module of this folder, with four names:

- `MANIFEST`: access way, terms, legal base, fields kept. No manifest, no ingestion.
- `Options`: a frozen pydantic model of its block in `vigie.toml`.
- `collect(request)`: a generator of `Payload` and `Checkpoint`; it hides paging, touches the
  network (or the disk), and may stop at any instant: what came before the last `Checkpoint` is
  what the next run need not fetch again.
- `parse(payload, options)`: pure; a generator of `Post`, `Deletion` and `Rejection`, and of
  `Attention` where a source measures something instead of hearing somebody.

A fifth is for sources that no plain GET can look at: `check(request)`, what `vigie doctor` says of
it in a few words (`said`), or the SourceError that says what to do.

and, where the service offers it, more:

- `waiting(home, name, options, is_wanted, take=…)`, of sources that keep what came until it lands:
  finds posts in it that must go, and takes them out.
- `listen(request)`: as `collect`, but without end: it hands over what is published as it is
  published, and a `Checkpoint` at least every second or so, also when there is nothing to tell.
  `vigie listen` runs it for blocks that say `live = true`; it stops it at a `Checkpoint`, and
  calls it again from the last one after any error.
- `recheck(request, held)`: posts that the warehouse holds, looked up again: each as it is now,
  or gone. What it cannot find out it leaves out. SourceError ends it; all are asked again later.

There is no registry: a module in this folder with these names is a source.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from pydantic import BaseModel

from pipelines.attention import Attention
from pipelines.errors import Fault, SettingsError
from pipelines.limits import Limit, Price
from pipelines.mention import Deletion, Post, Rejection
from pipelines.said import say

if TYPE_CHECKING:
    from pipelines.http import Client

Cursor = dict[str, Any]  # JSON; its content is the source's own business
_SHORT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a source is, in law and in money; `docs/sources.md` and the AIPD annex print it.

    `limits` and `prices` are kept to by `pipelines/budget.py` for every call of the source;
    `rows_expire` says that nothing may outlive `retention_days`, not even a row whose text is gone.
    """

    name: str
    label: str
    access: str
    terms_url: str
    legal_basis: str
    fields_kept: tuple[str, ...]
    cost: str
    retention_days: int
    deletion_duty: str
    version: str = "1"
    limits: tuple[Limit, ...] = ()
    prices: tuple[Price, ...] = ()
    rows_expire: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a source may search for, gathered from every watched subject.

    `wild` holds the words with `*` or `?` of queries: no service searches for those, so they are
    for sources that read everything and sieve it.
    """

    names: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    wild: tuple[str, ...] = ()


def _nothing() -> Iterator[Payload]:
    return iter(())


def _clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one run asks of one source. `since` and `until` are aware UTC, half open.

    `is_backfill`: the window lies in the past and there is no cursor; what the source cannot reach
    back to has to be told as a gap, since the window passes for read otherwise.

    `recheck_ids` are posts that a source without `recheck` may look up beside its collection.

    Two fields are for `listen` alone, which outlives every moment that it could be given: `now`
    is its clock (aware UTC), and `landed` gives what this block has landed in the past days, the
    newest first.
    """

    name: str
    options: Any
    terms: Terms
    cursor: Cursor | None
    since: datetime
    until: datetime
    client: Client
    home: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    recheck_ids: tuple[str, ...] = ()
    is_backfill: bool = False
    now: Callable[[], datetime] = _clock
    landed: Callable[[], Iterator[Payload]] = _nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A post that the warehouse holds: its id, and how its server looks it up if otherwise."""

    native_id: str
    lookup_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One item as received: `kind` tells the parser its shape, `data` is JSON (bytes as base64)."""

    kind: str
    data: Any
    instance: str | None = None
    fetched_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """All before this is handed over: where the next run goes on, and what was not seen.

    `gap` is a half-open window that could not be read; `capped` says that a limit of the source
    cut the answer; `note` is for the operator. `until` (aware UTC) is for `listen`: all that was
    published before has been handed over.
    """

    cursor: Cursor
    until: datetime | None = None
    gap: tuple[datetime, datetime] | None = None
    capped: bool = False
    note: str | None = None


Collected = Payload | Checkpoint
Parsed = Post | Deletion | Rejection
Yielded = Parsed | Attention


class Source(Protocol):
    """The four names of a source module."""

    MANIFEST: Manifest
    Options: type[BaseModel]

    def collect(self, request: Request) -> Iterator[Collected]: ...

    def parse(self, payload: Payload, options: Any) -> Iterator[Yielded]: ...


@runtime_checkable
class Listening(Protocol):
    """A source that can be listened to."""

    def listen(self, request: Request) -> Generator[Collected, None, None]: ...


@runtime_checkable
class Rechecking(Protocol):
    """A source that looks posts up again."""

    def recheck(self, request: Request, held: Sequence[Held]) -> Iterator[Payload]: ...


def names() -> tuple[str, ...]:
    """Every source there is, by its module's name."""
    return tuple(
        sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    )


def load(kind: str) -> Source:
    """The source module `kind`; SettingsError when there is none of that name."""
    if kind not in names():
        choices = ", ".join(names())
        raise SettingsError(
            "vigie.toml",
            (Fault("sources.kind", kind, say("choose one of {names}", names=choices)),),
        )
    module: ModuleType = importlib.import_module(f"{__name__}.{kind}")
    return cast("Source", module)


def options_by_kind() -> dict[str, type[BaseModel]]:
    """The `Options` of every source, for reading `vigie.toml`."""
    return {kind: load(kind).Options for kind in names()}
