"""Draws the messages that people are asked to label: some by chance, some since models doubt them.

Half of a draw is random, so that it can say how good the models are; the other half is where a
label teaches most: a tone without a margin, a topic or an act near its threshold, what moderators
called wrong (active learning; Settles 2009, "Active learning literature survey", 3.1). The two are
never mixed again, since the second is hard by design.

The random part is stratified by network and drawn without replacement: of a stratum's N messages n
are drawn, so each has the chance n / N, which is stored, and weighing by N / n makes estimates
unbiased (Horvitz and Thompson 1952, "A generalization of sampling without replacement from a finite
universe", JASA 47). Each draw's frame is what was first seen since the frame before, so that every
message belongs to one frame. A message and its near-copies are one, and count once.

Never drawn: own posts, what is deleted, opted out, expired or not scored. The same frame, seed and
day give the same draw, in whatever order the rows come. Costs one pass over the frame: half a
minute for 100,000 messages on a shared core, two thirds of it for the copies, during which the
warehouse is free.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import pyarrow as pa

from models import topics
from models.acts import ACTS
from pipelines import copies, warehouse
from pipelines.errors import VigieError
from pipelines.warehouse import Connection
from pipelines.wording import plain

Part = Literal["random", "unsure", "reported"]
COUNT = 60  # messages of a draw: about an hour of one person
RANDOM_SHARE = 0.5
OVERLAP = 0.2  # of each part is given to two people, blind to each other
REPORTED_SHARE = 1 / 6
FRAME = timedelta(days=7)  # the most that a frame reaches back: older texts soon expire
MOST = 1_000
POOLED = "other"  # the networks too small for a stratum of their own
DOUBTS = ("tone", "topic", "act")
_ACT_THRESHOLD = 0.5  # where the lineage of a score tells none

Opening = Callable[[bool], AbstractContextManager[Connection]]


class LabelError(VigieError):
    """Something of the labelling desk that cannot be done; its message says what to do instead.

    `key` names it, so that the board can say it in its reader's language.
    """

    def __init__(self, said: str, key: str = "") -> None:
        self.key = key
        super().__init__(said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A message that may be drawn; `doubts` are 0 (sure) to 1 by kind, without those not known."""

    mention_id: str
    published_at: datetime
    network: str
    text_hash: str
    text: str
    doubts: Mapping[str, float] = field(default_factory=dict)
    copy_count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What a draw draws from: messages first seen after `since_at` up to `until_at`, what
    moderators called wrong, and the hashes of the texts that have been drawn before. Copies are
    all there until `joined` makes one message of them.
    """

    since_at: datetime
    until_at: datetime
    candidates: tuple[Candidate, ...]
    reported: tuple[Candidate, ...] = ()
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A message that was drawn: for which part and why, with what chance, for how many people."""

    mention: Candidate
    part: Part
    reason: str
    stratum: str = ""
    stratum_count: int = 0
    stratum_drawn: int = 0
    wanted_count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A draw as it is kept: how many messages there were, and how many were drawn of each part."""

    batch_id: str
    seed: int
    mention_count: int
    distinct_count: int
    parts: Mapping[str, int]
    is_new: bool = True


# --- the draw itself: pure


def plan(
    frame: Frame,
    *,
    key: str,
    count: int = COUNT,
    random_share: float = RANDOM_SHARE,
    overlap: float = OVERLAP,
) -> list[Task]:
    """The messages to label out of a joined frame; the same frame and key give the same.

    Fewer than `count` where there are fewer.
    """
    drawn = _random(frame.candidates, round(count * random_share), key)
    left = max(0, count - max(len(drawn), round(count * random_share)))
    fresh = _fresh(frame.reported, drawn, frame.known)
    reported = _reported(fresh, min(left, math.ceil(count * REPORTED_SHARE)), key)
    drawn += reported
    fresh = _fresh(frame.candidates, drawn, frame.known)
    drawn += _unsure(fresh, left - len(reported), key)
    return _doubled(drawn, overlap, key)


def joined(frame: Frame) -> Frame:
    """A frame in which each message and its near-copies are one."""
    own, reported = (tuple(once(each)) for each in (frame.candidates, frame.reported))
    return replace(frame, candidates=own, reported=reported)


def once(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Each message once, the first of its copies for all of them, with how many there are."""
    rows = sorted(candidates, key=lambda c: (c.published_at, c.mention_id))
    groups = copies.groups([row.text for row in rows])
    return [replace(rows[g.members[0]], copy_count=len(g.members)) for g in groups]


def _fresh(
    candidates: Iterable[Candidate], drawn: Iterable[Task], known: frozenset[str]
) -> list[Candidate]:
    """Those whose text has not been drawn, now or before."""
    taken = known | {task.mention.text_hash for task in drawn}
    return [each for each in candidates if each.text_hash not in taken]


def _random(distinct: Sequence[Candidate], count: int, key: str) -> list[Task]:
    """A stratified random sample without replacement, with the chance of each."""
    found = []
    for name, members in _strata(distinct, count).items():
        chosen = _ranked(members, key)[: _share(len(members), len(distinct), count)]
        found += [
            Task(
                mention=each,
                part="random",
                reason="random",
                stratum=name,
                stratum_count=len(members),
                stratum_drawn=len(chosen),
            )
            for each in chosen
        ]
    return found


def _strata(distinct: Sequence[Candidate], count: int) -> dict[str, list[Candidate]]:
    """The messages by network; networks that would get less than one are one stratum together.

    No stratum goes without a draw: its messages would have no chance, and no estimate would hold
    for them.
    """
    sizes = Counter(each.network for each in distinct)
    strata: dict[str, list[Candidate]] = defaultdict(list)
    for each in distinct:
        is_small = sizes[each.network] * count < len(distinct)
        strata[POOLED if is_small else each.network].append(each)
    return {name: strata[name] for name in sorted(strata)} if count else {}


def _share(size: int, total: int, count: int) -> int:
    """How many of a stratum are drawn: its proportion, at least one, all if there are no more."""
    return min(size, max(1, round(count * size / total)))


def _unsure(left: Sequence[Candidate], count: int, key: str) -> list[Task]:
    """The messages most doubted by tone, by topic and by act in turn, spread over the networks."""
    queues = {kind: _spread([c for c in left if kind in c.doubts], kind, key) for kind in DOUBTS}
    found: dict[str, Task] = {}
    while len(found) < count and any(queues.values()):
        for kind, queue in queues.items():
            while queue and queue[0].mention_id in found:
                queue.pop(0)
            if queue and len(found) < count:
                mention = queue.pop(0)
                found[mention.mention_id] = Task(mention=mention, part="unsure", reason=kind)
    return list(found.values())


def _spread(candidates: Sequence[Candidate], kind: str, key: str) -> list[Candidate]:
    """The most doubted of each network, then the second of each, and so on."""
    ordered = sorted(candidates, key=lambda c: (-c.doubts[kind], rank(key, c.mention_id)))
    turns: Counter[str] = Counter()
    turn = []
    for each in ordered:
        turn.append((turns[each.network], -each.doubts[kind]))
        turns[each.network] += 1
    return [ordered[i] for i in sorted(range(len(ordered)), key=lambda i: (*turn[i], i))]


def _reported(reported: Sequence[Candidate], count: int, key: str) -> list[Task]:
    chosen = _ranked(reported, key)[:count]
    return [Task(mention=each, part="reported", reason="reported") for each in chosen]


def _doubled(drawn: Sequence[Task], overlap: float, key: str) -> list[Task]:
    """The tasks, of which `overlap` of each part, by chance, is wanted from two people."""
    twice: set[str] = set()
    for part in ("random", "unsure", "reported"):
        own = _ranked([task.mention for task in drawn if task.part == part], f"{key} twice")
        twice |= {each.mention_id for each in own[: math.ceil(overlap * len(own))]}
    return [replace(t, wanted_count=1 + (t.mention.mention_id in twice)) for t in drawn]


def _ranked(candidates: Iterable[Candidate], key: str) -> list[Candidate]:
    """In an order of chance that only the key decides."""
    return sorted(candidates, key=lambda c: rank(key, c.mention_id))


def rank(key: str, name: str) -> str:
    """What a draw sorts by: as good as a random number, and the same at every call."""
    return hashlib.sha256(f"{key}\x1f{name}".encode()).hexdigest()


# --- doubt


def doubts(row: Mapping[str, Any]) -> dict[str, float]:
    """How much the models doubt their tone, topics and acts of a message, 0..1 each."""
    tones = [row["p_negative"], row["p_neutral"], row["p_positive"]]
    limits = _limits(row["thresholds"])
    found = {
        "tone": None if None in tones else 1.0 - _margin(tones),
        "topic": _nearest(row["topic_p"], limits[0]),
        "act": _nearest(row["act_p"], limits[1]),
    }
    return {kind: doubt for kind, doubt in found.items() if doubt is not None}


def _margin(chances: Sequence[float]) -> float:
    """How far the likeliest is before the second."""
    second, first = sorted(chances)[-2:]
    return first - second


def _nearest(chances: Sequence[float] | None, limits: Sequence[float]) -> float | None:
    """1 for a probability at its threshold, 0 at either end; the nearest of all counts."""
    if not chances or len(chances) != len(limits):
        return None
    return max(_near(p, limit) for p, limit in zip(chances, limits, strict=True))


def _near(p: float, limit: float) -> float:
    return p / limit if p < limit else (1.0 - p) / (1.0 - limit)


@lru_cache(maxsize=32)
def _limits(thresholds: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The thresholds of topics and of acts that a lineage tells, else those of the taxonomy."""
    told = json.loads(thresholds)
    by_topic = topics.thresholds() | told.get("topics", {})
    by_act = dict.fromkeys(ACTS, _ACT_THRESHOLD) | told.get("acts", {})
    return tuple(by_topic[t] for t in topics.LABELS), tuple(by_act[a] for a in ACTS)


# --- from and to the warehouse


def draw(
    opening: Opening,
    *,
    day: date,
    seed: int | None = None,
    as_of: datetime,
    by: str,
    count: int = COUNT,
) -> Batch:
    """Draw a batch and keep it; a second call with the same day and seed changes nothing.

    `opening(read_only)` opens the warehouse, which is not held while the draw is made: if another
    draw is kept meanwhile, this one is made again from what that one has left. Without a seed: that
    of the day's next draw. LabelError where there is nothing to draw from.
    """
    if not 1 <= count <= MOST:
        raise LabelError(f"a draw has 1 to {MOST} messages, not {count}: choose another number")
    with opening(True) as connection:
        number = seed or 1 + max((b.seed for b in _of_day(connection, day)), default=0)
        if known := _of_day(connection, day, number):
            return known[0]
        found, draws = frame(connection, as_of=as_of), _draws(connection)
    found = joined(found)
    tasks = plan(found, key=f"{number}|{day.isoformat()}", count=count)
    if not tasks:
        raise LabelError(
            f"there is no scored message of others first seen since {found.since_at:%Y-%m-%d %H:%M}"
            " (UTC), where the draw before ended: draw again once a run has brought some",
            "empty",
        )
    with opening(False) as connection, warehouse.transaction(connection):
        if is_first := _draws(connection) == draws:
            _store(connection, found, tasks, day=day, seed=number, by=plain(by), as_of=as_of)
            [kept] = _of_day(connection, day, number)
    if not is_first:  # two draws of one frame would break the chances that are kept
        return draw(opening, day=day, seed=number, as_of=as_of, by=by, count=count)
    return replace(kept, is_new=True)


def _draws(connection: Connection) -> int:
    """How many draws there are."""
    row = connection.execute("select count(*) from label_batch").fetchone()
    return int(row[0]) if row else 0


def frame(connection: Connection, *, as_of: datetime) -> Frame:
    """What may be drawn at a moment: up to the last message that is stored, since one that a run
    has seen and not yet loaded belongs to the next frame.
    """
    [bounds] = _rows(warehouse.run(connection, "queries/label_bounds", {"as_of": as_of}))
    since = max(bounds["drawn_until_at"] or as_of - FRAME, as_of - FRAME)
    until = max(bounds["stored_until_at"] or as_of, since)
    asked = {"since": since, "until": until}
    rows = _rows(warehouse.run(connection, "queries/label_frame", asked))
    reported = _rows(warehouse.run(connection, "queries/label_reported", {"since": as_of - FRAME}))
    known = connection.execute("select distinct text_hash from label_task").fetchall()
    return Frame(
        since_at=since,
        until_at=until,
        candidates=tuple(_candidate(row) for row in rows),
        reported=tuple(_candidate(row) for row in reported),
        known=frozenset(value for (value,) in known),
    )


def _rows(found: Connection) -> list[dict[str, Any]]:
    return list(found.to_arrow_table().to_pylist())


def _candidate(row: Mapping[str, Any]) -> Candidate:
    names = ("mention_id", "published_at", "network", "text_hash", "text")
    told = doubts(row) if "topic_p" in row else {}
    return Candidate(**{name: row[name] for name in names}, doubts=told)


def _of_day(connection: Connection, day: date, seed: int | None = None) -> list[Batch]:
    """The draws of a day, or the one of a seed."""
    found = warehouse.run(connection, "queries/label_batches", {"day": day, "seed": seed})
    return [
        Batch(
            batch_id=row["batch_id"],
            seed=row["seed"],
            mention_count=row["mention_count"],
            distinct_count=row["distinct_count"],
            parts={part: row[f"{part}_count"] for part in ("random", "unsure", "reported")},
            is_new=False,
        )
        for row in _rows(found)
    ]


def _store(
    connection: Connection,
    found: Frame,
    tasks: Sequence[Task],
    *,
    day: date,
    seed: int,
    by: str,
    as_of: datetime,
) -> None:
    """Keep a draw; nothing where another has kept it meanwhile."""
    batch_id = f"{day.isoformat()}-{seed}"
    row = {
        "batch_id": batch_id,
        "day": day,
        "seed": seed,
        "since": found.since_at,
        "until": found.until_at,
        "mention_count": sum(each.copy_count for each in found.candidates),
        "distinct_count": len(found.candidates),
        "as_of": as_of,
        "actor": by,
    }
    lines = [_line(task, batch_id, as_of) for task in tasks]
    connection.register("fresh_task", pa.Table.from_pylist(lines))
    warehouse.run(connection, "writes/label_batch_add", row)
    connection.unregister("fresh_task")


def _line(task: Task, batch_id: str, as_of: datetime) -> dict[str, Any]:
    return {
        "task_id": rank(batch_id, task.mention.mention_id)[:16],
        "batch_id": batch_id,
        "mention_id": task.mention.mention_id,
        "published_at": task.mention.published_at,
        "text_hash": task.mention.text_hash,
        "part": task.part,
        "reason": task.reason,
        "stratum": task.stratum,
        "stratum_count": task.stratum_count,
        "stratum_drawn": task.stratum_drawn,
        "copy_count": task.mention.copy_count,
        "wanted_count": task.wanted_count,
        "drawn_at": as_of,
    }
