"""Asks a service one question after another, so that one in trouble never stops the others.

A question is whatever a source asks for by itself: a search, a page, a video. Each keeps how far
it has been read, so that what fails is asked again from there; the one read longest ago goes
first, so that a limit which cuts every run short starves none. What was handed over already is
known by short hashes (no address, no author), so that windows may overlap without doubling.

A service that asks for a longer wait than a run may sleep is left alone until then: the moment
stands in the cursor, and a run before it raises RateLimited without asking anything.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator

from pipelines.errors import RateLimited, SourceError
from pipelines.notes import noted, why
from pipelines.said import say
from pipelines.sources import Checkpoint, Collected, Cursor, Payload, Request, Terms, _values

log = logging.getLogger(__name__)

Window = tuple[datetime, datetime]
_REMEMBERED = 5_000  # items handed over before; one forgotten is landed again, and merged
_OF_A_PERSON = re.compile(r"(?:^|\s)-?(?:from|author|user|by|did):", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class Round:
    """What one collection knows while it runs; the one thing here that changes in place.

    `reached` tells how far each question has been read; `starts` from when one is to be read that
    never was to its end, for which the window of a later run would begin too late. `of` names the
    service, so that a cursor of another one is not gone on from; `kind` is the name of the source;
    `more` gives what else the source keeps in its cursor.
    """

    request: Request
    kind: str
    of: str
    reached: dict[str, datetime]
    starts: dict[str, datetime]
    seen: dict[str, None]
    more: Callable[[], Cursor] = dict
    retry_at: datetime | None = None
    gap: Window | None = None
    is_capped: bool = False
    notes: list[str] = field(default_factory=list)
    handed_count: int = 0
    well_count: int = 0  # questions that were read to their end

    def since(self, question: str, *, overlap: timedelta = timedelta(0)) -> datetime:
        """From when a question is to be read: where it stands less `overlap`, else the window."""
        at = self.reached.get(question)
        if at is None:
            return self.starts.get(question, self.request.since)
        return min(at, self.request.until) - overlap

    def go_on_from(self, question: str, at: datetime) -> None:
        """A question was read up to `at` and not to its end: the next run begins exactly there."""
        self.reached.pop(question, None)
        self.starts[question] = at

    def knows(self, key: str) -> bool:
        """Whether this was noted before, by this run or an earlier one."""
        return _values.digest(key, size=5) in self.seen

    def note(self, key: str) -> None:
        """Remember that this is done, once nothing of it can fail any more."""
        mark = _values.digest(key, size=5)
        self.seen.pop(mark, None)  # met again, it is young again
        self.seen[mark] = None

    def is_new(self, key: str) -> bool:
        """Whether this item was not handed over before; notes that it is now."""
        is_known = self.knows(key)
        self.note(key)
        return not is_known

    def forget_all_but(self, questions: Iterable[str]) -> None:
        """Keep how far these have been read; one that is no longer asked has no place to keep."""
        kept = frozenset(questions)
        self.reached = {name: at for name, at in self.reached.items() if name in kept}
        self.starts = {name: at for name, at in self.starts.items() if name in kept}

    def tell_cut(self, gap: Window | None, note: str) -> None:
        """Note that a limit has cut the answer, and the window that was not read, if any."""
        self.is_capped = True
        self.notes.append(note)
        if gap is not None and gap[0] < gap[1]:
            self.gap = joined(self.gap, gap)

    def checkpoint(self) -> Checkpoint:
        """Where the next run goes on, with all that there is to tell."""
        cursor: Cursor = {
            "of": self.of,
            "reached": _texts(self.reached),
            "starts": _texts({n: at for n, at in self.starts.items() if n not in self.reached}),
            "seen": list(self.seen)[-_REMEMBERED:],
            **self.more(),
        }
        if self.retry_at is not None:
            cursor["retry_at"] = self.retry_at.isoformat()
        note = noted(self.notes)
        return Checkpoint(cursor=cursor, gap=self.gap, capped=self.is_capped, note=note)


def begun(request: Request, *, kind: str, of: str) -> Round:
    """A round that knows what the cursor tells; RateLimited where the service must still rest."""
    cursor = request.cursor or {}
    cursor = cursor if cursor.get("of") == of else {}
    rest = _values.time(cursor.get("retry_at"))
    if rest is not None and rest > request.client.now():
        told = say("{name} has been asked to wait until {at:%Y-%m-%d %H:%MZ}", name=of, at=rest)
        raise RateLimited(told, rest)
    marks = _values.items(cursor.get("seen"))
    return Round(
        request=request,
        kind=kind,
        of=of,
        reached=_moments(cursor.get("reached")),
        starts=_moments(cursor.get("starts")),
        seen=dict.fromkeys(mark for mark in marks if isinstance(mark, str)),
    )


def _texts(moments: Mapping[str, datetime]) -> dict[str, str]:
    return {name: at.isoformat() for name, at in moments.items()}


def _moments(told: object) -> dict[str, datetime]:
    found = ((str(name), _values.time(text)) for name, text in _values.mapping(told).items())
    return {name: at for name, at in found if at is not None}


def joined(gap: Window | None, other: Window) -> Window:
    """The window that holds both: one source tells one gap."""
    return other if gap is None else (min(gap[0], other[0]), max(gap[1], other[1]))


def asked(
    run: Round, questions: Iterable[str], ask: Callable[[str], Iterator[Payload]]
) -> Iterator[Collected]:
    """What every question gives, a checkpoint after each; SourceError when nothing could be read.

    Nothing: not of an earlier call with the same round either. `ask` hands over payloads and moves
    `reached` of its question once that has been read. After RateLimited no other question is
    asked: the service has spoken for all of them.
    """
    failure: SourceError | None = None
    ordered = sorted(questions, key=run.since)
    for question in ordered:
        run.starts.setdefault(question, run.request.since)
    for question in ordered:
        try:
            for payload in ask(question):
                run.handed_count += 1
                yield payload
            run.well_count += 1
        except RateLimited as error:
            failure, run.retry_at = error, error.retry_at
            run.tell_cut(None, why(error))
        except SourceError as error:
            failure = failure or error
            run.tell_cut(None, why(error))
        yield run.checkpoint()
        if run.retry_at is not None:
            break
    log.info("%s.read source=%s count=%d", run.kind, run.request.name, run.handed_count)
    if failure and not run.well_count and not run.handed_count:
        raise failure


def phrases(terms: Terms) -> tuple[str, ...]:
    """The names to search for, those of several words between quotes, each once."""
    words = (" ".join(name.replace('"', " ").split()) for name in terms.names)
    found = (name if name.isalnum() else f'"{name}"' for name in words if name)
    return tuple({name.casefold(): name for name in found}.values())


def wanted(queries: tuple[str, ...], request: Request) -> tuple[str, ...]:
    """The queries of a block, else the names of the subjects; SourceError when there is none."""
    found = queries or phrases(request.terms)
    if not found:
        raise SourceError(
            f"{request.name} has nothing to search for: give a subject names, or the source queries"
        )
    return found


def _of_no_person(queries: tuple[str, ...]) -> tuple[str, ...]:
    for query in queries:
        if not query.strip():
            raise ValueError("a query is empty: write words, or take it out")
        if _OF_A_PERSON.search(query):
            raise ValueError(
                f"the query {query!r} follows an account: Vigie watches subjects, not people "
                "(GDPR art. 9, CJEU C-184/20); search for a name or a subject"
            )
    return queries


Queries = Annotated[tuple[str, ...], AfterValidator(_of_no_person)]
