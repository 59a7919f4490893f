"""The steps of a run in their order: what the DAGs and the command line both call.

A run is one window of time. Its steps hand over paths under `staging/<run id>`, never tables,
so each can be killed at any instant and run again, on any worker that sees the home:

    plan      which sources are due, from which cursor         plan.json
    collect   one source: payloads as received                 landed/<source name>.json
    accept    payloads to mentions, kept or quarantined        mentions, deletions, rejections
    score     mentions to scores, without authors              scores.parquet
    load      one transaction: rows, counts, cursors
    alert     rules at a moment, incidents, mails

This module puts the stages together, so it is the one place that may import them all.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.lineage import Scorer
from pipelines import (
    accept as acceptance,
    detect,
    digest as digests,
    landing,
    load as loading,
    normalise,
    notify,
    places,
    privacy,
    publish,
    retention,
    score as scoring,
    settings as reading,
    sources,
    subjects,
    warehouse,
)
from pipelines.aside import written_aside
from pipelines.errors import ContractBroken, RateLimited, SourceError, VigieError
from pipelines.http import Client
from pipelines.mention import (
    DELETION_SCHEMA,
    MENTION_SCHEMA,
    REJECTION_SCHEMA,
    Deletion,
    Mention,
    Rejection,
    to_table,
)
from pipelines.settings import Settings, SourceBlock

log = logging.getLogger(__name__)

BATCH_ROWS = 20_000  # bounds the memory of accept; 63 columns of short text are about 60 MB
UNREADABLE_SHARE = 0.2  # of a reading's payloads; above it the parser is wrong, not a payload
RECHECK_IDS = 50  # posts looked up again a run and source, to see whether they are gone


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One institution's home, its settings and the secrets that they name."""

    settings: Settings
    secrets: Mapping[str, str]
    environ: Mapping[str, str]

    @property
    def home(self) -> Path:
        """The folder that holds everything of this institution."""
        return self.settings.home


def house(home: Path, *, environ: Mapping[str, str] | None = None) -> House:
    """The institution that lives in `home`; SettingsError with every fault of its file.

    PlaceUnknown where its territory is no place.
    """
    environ = os.environ if environ is None else environ
    settings = reading.read(home, environ=environ, source_options=sources.options_by_kind())
    places.check(settings.institution.territory)
    secrets = reading.secrets_for(settings, environ)
    return House(settings=settings, secrets=secrets, environ=environ)


def run_id(until: datetime) -> str:
    """The name of the run whose window ends at `until`; names sort as their windows do."""
    return f"{until.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def until_of(run: str) -> datetime:
    """The end of a run's window (aware UTC), from its name."""
    return datetime.strptime(run, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def staging(home: Path, run: str) -> Path:
    """The folder through which the steps of a run hand over."""
    return home / "staging" / run


def plan(house: House, *, since: datetime, until: datetime) -> list[str]:
    """The names of the source blocks that this run collects, in the order of `vigie.toml`.

    The plan is written once a run: a second call finds it and changes nothing, so that a run
    that is done again reads the same windows from the same cursors. A run whose window lies
    before what is already loaded is a back-fill: it reads its own window and moves no cursor.
    A source that has asked to be left alone until after the window is left out, as one that is
    not due yet.
    """
    path = staging(house.home, run_id(until)) / "plan.json"
    if not path.exists():
        warehouse.prepare(house.settings)
        with warehouse.opened(house.home, read_only=True) as connection:
            orders = [o for o in _orders(connection, house.settings, since, until) if o]
        _write_json(path, orders)
    return [order["name"] for order in json.loads(path.read_text())]


def _orders(
    connection: warehouse.Connection, settings: Settings, since: datetime, until: datetime
) -> Iterator[dict[str, Any] | None]:
    known = loading.cursors(connection)
    for block in settings.sources:
        moved = known.get(block.name)
        is_backfill = moved is not None and until_of(moved.run_id) >= until
        if not is_backfill and _is_asked_to_wait(settings.home, block.name, until):
            continue
        if moved is None:
            start = until - timedelta(days=block.first_days)
            yield _order(block, None, min(since, start), until)
            continue
        done = until_of(moved.run_id)
        if is_backfill:
            yield _order(block, None, since, until, is_backfill=True)
        elif until - done >= timedelta(minutes=block.every_minutes, seconds=-30):
            ids = loading.recheck_ids(connection, block.name, as_of=until, limit=RECHECK_IDS)
            yield _order(block, moved.cursor, done, until, recheck_ids=ids)


def _is_asked_to_wait(home: Path, name: str, until: datetime) -> bool:
    """Whether the source's last answer was to come back later than `until`."""
    receipts = sorted((home / "staging").glob(f"*/landed/{name}.json"))
    retry_at = json.loads(receipts[-1].read_text()).get("retry_at") if receipts else None
    return retry_at is not None and datetime.fromisoformat(retry_at) > until


def _order(
    block: SourceBlock,
    cursor: sources.Cursor | None,
    since: datetime,
    until: datetime,
    *,
    recheck_ids: tuple[str, ...] = (),
    is_backfill: bool = False,
) -> dict[str, Any]:
    return {
        "name": block.name,
        "cursor": cursor,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "recheck_ids": recheck_ids,
        "is_backfill": is_backfill,
    }


def collect(house: House, run: str, name: str) -> int:
    """Land what one source holds for this run; how many payloads.

    Touches the network. The outcome is written for the steps that follow, a failure too: it is
    coverage. A failure is raised again so that Airflow shows it; a source that asks to wait
    longer than a run may is no failure, and is asked again in the first run after that.
    """
    folder = staging(house.home, run)
    order = next(o for o in json.loads((folder / "plan.json").read_text()) if o["name"] == name)
    # A reading has failed until it has ended well: whatever breaks it must not pass for calm.
    receipt = {**order, "status": "failed", "path": None, "payload_count": 0, "next_cursor": None}
    receipt |= {"gap": None, "is_capped": False, "note": "broke off: see the log of the task"}
    try:
        receipt |= {"status": "ok"} | _land(house, run, order)
    except RateLimited as error:
        receipt |= {"status": "waiting", "note": str(error), "retry_at": error.retry_at}
        log.warning("source.waiting source=%s until=%s", name, error.retry_at)
    except SourceError as error:
        receipt |= {"note": str(error)}
        raise
    finally:
        _write_json(folder / "landed" / f"{name}.json", receipt)
    log.info("mentions.landed source=%s count=%d", name, receipt["payload_count"])
    return int(receipt["payload_count"])


def _land(house: House, run: str, order: Mapping[str, Any]) -> dict[str, Any]:
    block = _block(house.settings, order["name"])
    until = datetime.fromisoformat(order["until"])
    source = sources.load(block.kind)
    net = house.settings.net
    with Client(contact=net.contact, allow_private=net.allow_private) as client:
        request = sources.Request(
            name=block.name,
            options=block.options,
            terms=terms(house.settings, block),
            cursor=order["cursor"],
            since=datetime.fromisoformat(order["since"]),
            until=until,
            client=client,
            home=house.home,
            secrets=house.secrets,
            recheck_ids=tuple(order["recheck_ids"]),
        )
        path = landing.path_for(house.home, block.name, run, until)
        landed = landing.land(source.collect(request), path=path, fetched_at=until)
    found = asdict(landed) | {"next_cursor": landed.cursor}
    del found["cursor"]
    found["path"] = str(landed.path.relative_to(house.home)) if landed.path else None
    found["gap"] = [moment.isoformat() for moment in landed.gap] if landed.gap else None
    return found


def terms(settings: Settings, block: SourceBlock) -> sources.Terms:
    """What a source may search for: the terms of its subject, or of every subject."""
    chosen = [s for s in settings.subjects if block.subject in (None, s.id)]
    return sources.Terms(
        names=_once(name for s in chosen for name in (*s.names, *s.ambiguous)),
        hashtags=_once(tag for s in chosen for tag in s.hashtags),
        handles=_once(handle for s in chosen for handle in s.handles),
    )


def _once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _block(settings: Settings, name: str) -> SourceBlock:
    return next(block for block in settings.sources if block.name == name)


@dataclass(slots=True)
class _Count:
    """What became of the payloads of one source; the one thing here that changes in place."""

    posts: int = 0
    accepted: int = 0
    rejected: int = 0
    off_subject: int = 0
    duplicates: int = 0
    deleted: int = 0
    unreadable: int = 0
    broken: str = ""


def accept(house: House, run: str) -> dict[str, int]:
    """Payloads of every source of the run to accepted mentions; the counts over all sources.

    A batch that is not what the table promises stops its source, not the others: the operators
    are told which expectation broke, the reading counts as failed, and its cursor stays.
    """
    folder = staging(house.home, run)
    names = [order["name"] for order in json.loads((folder / "plan.json").read_text())]
    matcher = subjects.matcher(house.settings.subjects, house.settings.institution)
    finder = places.finder(house.settings.institution.territory)
    key = privacy.read_key(house.home, house.environ)
    counts: dict[str, _Count] = {}
    results: list[dict[str, Any]] = []
    with _Tables(folder) as tables:
        for name in names:
            counts[name] = _Count()
            receipt = _receipt(folder, name)
            if receipt["path"]:
                found = _normalised(house, run, receipt, matcher, finder, key, counts[name])
                try:
                    _accept_source(found, tables, counts[name], results)
                except ContractBroken as error:
                    counts[name].broken = str(error)
    for name, repeated in _repeats(folder / "mentions.parquet"):
        counts[name].duplicates += repeated
        counts[name].accepted -= repeated
    _write_json(folder / "accepted.json", {n: asdict(c) for n, c in counts.items()})
    _write_json(folder / "validation.json", results)
    for name, count in counts.items():
        if count.broken:
            log.error("contract.broken source=%s error=%s", name, count.broken)
            at = until_of(run)
            report_failure(
                house, dag="watch", task=f"accept {name}", run=run, error=count.broken, now=at
            )
    fields = [f for f, value in asdict(_Count()).items() if isinstance(value, int)]
    total = {f: sum(asdict(c)[f] for c in counts.values()) for f in fields}
    log.info("mentions.accepted run=%s %s", run, " ".join(f"{k}={v}" for k, v in total.items()))
    return total


def _receipt(folder: Path, name: str) -> dict[str, Any]:
    """What `collect` wrote; a source whose collector died without a word is `missing`."""
    path = folder / "landed" / f"{name}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    order = next(o for o in json.loads((folder / "plan.json").read_text()) if o["name"] == name)
    lost = {"path": None, "payload_count": 0, "next_cursor": None, "gap": None}
    return {**order, **lost, "status": "missing", "is_capped": False, "note": "never finished"}


def _normalised(
    house: House,
    run: str,
    receipt: Mapping[str, Any],
    matcher: subjects.Matcher,
    finder: places.Finder,
    key: bytes,
    count: _Count,
) -> Iterator[Mention | Deletion | Rejection]:
    block = _block(house.settings, receipt["name"])
    source = sources.load(block.kind)
    parsed = _parsed(house.home, receipt["path"], source, block, count)
    return normalise.normalise(
        parsed,
        settings=house.settings,
        block=block,
        manifest=source.MANIFEST,
        key=key,
        matcher=matcher,
        finder=finder,
        run_id=run,
        seen_at=until_of(run),
    )


def _parsed(
    home: Path, path: str, source: sources.Source, block: SourceBlock, count: _Count
) -> Iterator[tuple[sources.Parsed, str]]:
    for number, payload in enumerate(landing.read(home / path)):
        for item in _items(payload, source, block, count):
            count.posts += 1
            yield item, f"{path}#{number}"


def _items(
    payload: sources.Payload, source: sources.Source, block: SourceBlock, count: _Count
) -> Iterator[sources.Parsed]:
    """What a payload holds, and a rejection where its parser breaks.

    Raised, the error of one payload would stop every source, in this run and in all that follow.
    """
    try:
        yield from source.parse(payload, block.options)
    except (
        Exception
    ) as error:  # any parser may fail in its own way, with people's text in its words
        count.unreadable += 1
        name = type(error).__name__
        log.error("payload.unreadable source=%s error=%s", block.name, name)
        detail = f"{name} while a payload of kind {payload.kind!r} was parsed"
        yield Rejection(source=block.kind, native_id=None, reason="unreadable", detail=detail)


def _accept_source(
    found: Iterator[Mention | Deletion | Rejection],
    tables: _Tables,
    count: _Count,
    results: list[dict[str, Any]],
) -> None:
    while batch := list(islice(found, BATCH_ROWS)):
        deletions = [item for item in batch if isinstance(item, Deletion)]
        refused = [item for item in batch if isinstance(item, Rejection)]
        stored = [item for item in refused if item.reason != normalise.OFF_SUBJECT]
        count.off_subject += len(refused) - len(stored)
        mentions = [item for item in batch if isinstance(item, Mention)]
        if mentions:
            accepted = acceptance.accept(to_table(mentions, MENTION_SCHEMA))
            tables.mentions.write_table(accepted.table)
            stored += accepted.rejections
            results += accepted.results
            count.accepted += accepted.table.num_rows
            count.duplicates += accepted.duplicate_count
        tables.deletions.write_table(to_table(deletions, DELETION_SCHEMA))
        tables.rejections.write_table(to_table(stored, REJECTION_SCHEMA))
        count.deleted += len(deletions)
        count.rejected += len(stored)


class _Tables:
    """The three Parquet files of `accept`, each written aside and renamed at a good end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()

    def __enter__(self) -> _Tables:
        self.mentions = self._writer("mentions", MENTION_SCHEMA)
        self.deletions = self._writer("deletions", DELETION_SCHEMA)
        self.rejections = self._writer("rejections", REJECTION_SCHEMA)
        return self

    def _writer(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        aside = self._files.enter_context(written_aside(self._folder / f"{name}.parquet"))
        writer = pq.ParquetWriter(aside, schema, compression="zstd")
        return self._files.enter_context(writer)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.__exit__(kind, error, trace)


def _repeats(mentions: Path) -> list[tuple[str, int]]:
    """How many rows of each source repeat a key of an earlier batch; DuckDB spills if it must."""
    with warehouse.in_memory() as connection:
        rows = warehouse.run(connection, "writes/count_repeats", {"path": str(mentions)})
        return [(name, repeated) for name, repeated in rows.fetchall() if repeated]


def score(house: House, run: str) -> int:
    """Score the accepted mentions of a run; how many. CPU only, no network."""
    return _score(house, run, at=until_of(run))


def _score(house: House, run: str, *, at: datetime) -> int:
    folder = staging(house.home, run)
    mentions, scores = folder / "mentions.parquet", folder / "scores.parquet"
    models = house.settings.models.at(house.home)
    scored = scoring.score(mentions, scores, models=models, scored_at=at)
    _write_json(folder / "scorer.json", asdict(scored.scorer))
    log.info("mentions.scored run=%s count=%d", run, scored.row_count)
    return scored.row_count


def _scorer(folder: Path) -> Scorer:
    return Scorer(**json.loads((folder / "scorer.json").read_text()))


def load(house: House, run: str) -> dict[str, int]:
    """Merge a run into the warehouse, with its cursors, in one transaction; what changed."""
    folder = staging(house.home, run)
    staged = loading.Staged(
        run_id=run,
        mentions=folder / "mentions.parquet",
        scores=folder / "scores.parquet",
        deletions=folder / "deletions.parquet",
        rejections=folder / "rejections.parquet",
        intake=tuple(_intake(house.settings, folder, run)),
        scorer=_scorer(folder),
    )
    with warehouse.opened(house.home) as connection:
        loaded = loading.load(connection, staged, loaded_at=until_of(run))
    counts = asdict(loaded)
    log.info("mentions.loaded run=%s %s", run, " ".join(f"{k}={v}" for k, v in counts.items()))
    return counts


def _intake(settings: Settings, folder: Path, run: str) -> Iterator[loading.Intake]:
    counts = json.loads((folder / "accepted.json").read_text())
    for name, count in counts.items():
        receipt = _read_whole(_receipt(folder, name), count)
        gap = [datetime.fromisoformat(moment) for moment in receipt["gap"] or ()]
        yield loading.Intake(
            run_id=run,
            source_name=name,
            source=_block(settings, name).kind,
            since_at=datetime.fromisoformat(receipt["since"]),
            until_at=datetime.fromisoformat(receipt["until"]),
            status=receipt["status"],
            payload_count=receipt["payload_count"],
            post_count=count["posts"],
            accepted_count=count["accepted"],
            rejected_count=count["rejected"],
            off_subject_count=count["off_subject"],
            duplicate_count=count["duplicates"],
            deleted_count=count["deleted"],
            is_capped=receipt["is_capped"],
            gap_since_at=gap[0] if gap else None,
            gap_until_at=gap[1] if gap else None,
            note=receipt["note"],
            finished_at=until_of(run),
            cursor=_moved(receipt),
        )


def _moved(receipt: Mapping[str, Any]) -> sources.Cursor | None:
    """Where the next run goes on; a source that had nothing to tell has been read all the same."""
    if receipt["is_backfill"] or receipt["status"] != "ok":
        return None
    found: sources.Cursor | None = receipt["next_cursor"] or receipt["cursor"]
    return found


def _read_whole(receipt: dict[str, Any], count: Mapping[str, Any]) -> dict[str, Any]:
    """The receipt; that of a failed reading, to be read again, where what came was no use."""
    if count["broken"]:
        return receipt | {"status": "failed", "note": count["broken"]}
    if count["unreadable"] <= UNREADABLE_SHARE * receipt["payload_count"]:
        return receipt
    note = f"{count['unreadable']} of {receipt['payload_count']} payloads broke the parser"
    return receipt | {"status": "failed", "note": note}


def alert(house: House, *, as_of: datetime) -> dict[str, int]:
    """Run every rule at `as_of`, open and close incidents, put letters in the outbox.

    A back-fill of the past wakes nobody: where a later window is loaded, no rule is run.
    """
    with warehouse.opened(house.home) as connection:
        moved = [position.run_id for position in loading.cursors(connection).values()]
        if max(moved, default="") > run_id(as_of):
            log.info("rules.skipped as_of=%s a later window is loaded", as_of.isoformat())
            return {"alerts": 0}
        alerts = detect.detect(connection, settings=house.settings, as_of=as_of)
        notify.record(connection, alerts, settings=house.settings, as_of=as_of)
    log.info("rules.evaluated as_of=%s alerts=%d", as_of.isoformat(), len(alerts))
    return {"alerts": len(alerts)}


def deliver(house: House, *, now: datetime, is_asked: bool = False) -> dict[str, int]:
    """Hand over what is due in the outbox, or all of it when a person asks; how many were sent,
    failed, and wait."""
    settings, secrets = house.settings, house.secrets
    return asdict(
        notify.deliver(house.home, settings=settings, secrets=secrets, now=now, is_asked=is_asked)
    )


def watch(
    house: House,
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    progress: Callable[[str], object] = log.debug,
) -> dict[str, int]:
    """One whole run without Airflow: plan, collect, accept, score, load, alert; its counts.

    A source that fails never stops another; its error is logged and stands in the coverage.
    """
    run = run_id(until)
    counts = {"sources": 0, "sources_failed": 0}
    for name in plan(house, since=since, until=until):
        progress(f"collect {name}")
        counts["sources"] += 1
        try:
            collect(house, run, name)
        except VigieError as error:
            counts["sources_failed"] += 1
            log.error("source.failed source=%s error=%s", name, " ".join(str(error).split()))
        except Exception as error:  # as the mapped tasks of Airflow: one breaks, the others go on
            counts["sources_failed"] += 1
            log.error("source.broken source=%s error=%s", name, type(error).__name__)
    for step in (accept, score, load):
        progress(step.__name__)
        found = step(house, run)
        counts |= found if isinstance(found, dict) else {"scored": found}
    progress("alert")
    counts |= alert(house, as_of=until)
    return counts | {f"mails_{k}": n for k, n in deliver(house, now=now).items()}


def digest(house: House, *, day: date, as_of: datetime) -> Path | None:
    """Make the digest of a local day, keep its page, put it in the outbox; the page.

    None where nothing has ever been read: Airflow starts a new home with the digest of
    yesterday, and nobody should hear of Vigie first by an empty page.
    """
    settings = house.settings
    warehouse.prepare(settings)
    with warehouse.opened(house.home) as connection:
        if not loading.cursors(connection):
            log.warning("digest.skipped day=%s: nothing has been read yet", day)
            return None
        made = digests.build(connection, settings=settings, day=day, as_of=as_of)
        locale = settings.institution.locale
        letter = digests.render(made, locale=locale)
        page = digests.save(house.home, made, letter, locale=locale)
        readers = tuple(r for r in settings.recipients if "digest" in r.gets)
        with warehouse.transaction(connection):
            digests.remember(connection, made, made_at=as_of)
            notify.enqueue(
                connection,
                letter,
                kind="digest",
                key=f"digest {day.isoformat()}",
                settings=settings,
                recipients=readers,
                as_of=as_of,
                reason="daily_digest",
            )
    return page


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
    results = list(_validations(house.home))
    return acceptance.build_docs(house.home, results, made_at=as_of) if results else None


def _validations(home: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((home / "staging").glob("*/validation.json")):
        yield from json.loads(path.read_text())


def export(house: House, *, since: datetime, until: datetime, as_of: datetime) -> str:
    """Write the stored mentions of a date range aside for scoring; the name of the run.

    Naive bounds are days of the institution.
    """
    zone = house.settings.institution.zone
    bounds = [t if t.tzinfo else t.replace(tzinfo=zone) for t in (since, until)]
    run = run_id(as_of)
    path = staging(house.home, f"rescore-{run}") / "mentions.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with warehouse.opened(house.home, read_only=True) as connection:
        loading.export(connection, path, since=bounds[0], until=bounds[1])
    return f"rescore-{run}"


def score_again(house: House, run: str) -> int:
    """Score what `export` wrote with the models of today, and read its places again; how many."""
    who, folder = house.settings.institution, staging(house.home, run)
    normalise.places_again(
        folder / "mentions.parquet",
        folder / "places.parquet",
        finder=places.finder(who.territory),
        institution_subject=subjects.matcher(house.settings.subjects, who).institution_subject,
    )
    return _score(house, run, at=until_of(run.removeprefix("rescore-")))


def load_again(house: House, run: str) -> dict[str, int]:
    """Replace the scores and the places of an exported range; what changed."""
    folder = staging(house.home, run)
    staged = loading.Staged(
        run_id=run,
        scores=folder / "scores.parquet",
        scorer=_scorer(folder),
        places=folder / "places.parquet",
    )
    with warehouse.opened(house.home) as connection:
        at = until_of(run.removeprefix("rescore-"))
        return asdict(loading.load(connection, staged, loaded_at=at))


def report_failure(
    house: House, *, dag: str, task: str, run: str, error: str, now: datetime
) -> None:
    """Tell the operators by mail that a task has failed; once a task and quarter of a day.

    A source that is down for a night would else be told of every five minutes.
    """
    quarter = f"{now.astimezone(UTC):%Y-%m-%d} {now.astimezone(UTC).hour // 6}"
    letter = notify.failure_letter(
        dag=dag, task=task, run=run, error=error, settings=house.settings
    )
    readers = tuple(r for r in house.settings.recipients if "failures" in r.gets)
    warehouse.prepare(house.settings)  # what failed may have been the first step of a new home
    with warehouse.opened(house.home) as connection, warehouse.transaction(connection):
        notify.enqueue(
            connection,
            letter,
            kind="failure",
            key=f"failure {dag} {task} {quarter}",
            settings=house.settings,
            recipients=readers,
            as_of=now,
            reason="task_failed",
        )
    deliver(house, now=now)


def _write_json(path: Path, content: object) -> None:
    with written_aside(path) as aside:
        aside.write_text(json.dumps(content, ensure_ascii=False, default=str))
