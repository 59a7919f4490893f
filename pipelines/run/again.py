"""Stored mentions and landed payloads once more: through the models, or the queries, of today."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from pipelines import (
    listening,
    load as loading,
    normalise,
    places,
    privacy,
    query_history,
    subjects,
    warehouse,
)
from pipelines.errors import VigieError
from pipelines.house import House as House, house as house
from pipelines.run.accepting import Tables, accept_source, normalised
from pipelines.run.counted import Count
from pipelines.run.merging import watched
from pipelines.run.names import run_id, staging, until_of
from pipelines.run.scoring import score_at, scorer


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
    matcher = subjects.matcher(house.settings.subjects, who, house.settings.relays)
    normalise.places_again(
        folder / "mentions.parquet",
        folder / "places.parquet",
        finder=places.finder(who.territory),
        institution_subject=matcher.institution_subject,
    )
    return score_at(house, run, at=until_of(run))


def load_again(house: House, run: str) -> dict[str, int]:
    """Replace the scores and the places of an exported range; what changed."""
    folder = staging(house.home, run)
    staged = loading.Staged(
        run_id=run,
        scores=folder / "scores.parquet",
        scorer=scorer(folder),
        places=folder / "places.parquet",
    )
    with warehouse.opened(house.home) as connection:
        return asdict(loading.load(connection, staged, loaded_at=until_of(run)))


def rerun_queries(
    house: House,
    *,
    subject_ids: Sequence[str] = (),
    since: datetime,
    until: datetime,
    as_of: datetime,
) -> Iterator[query_history.Rejudged]:
    """Run the queries of today over stored mentions (aware, half open), a day at a time; what each
    day changed. The warehouse is held for a day at a time.

    Raises VigieError for a subject that is not watched. All subjects where none is named.
    """
    watches = _chosen(watched(house), subject_ids)
    given = [(block.name, block.subject) for block in house.settings.sources if block.subject]
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home) as connection:
        query_history.note_versions(connection, watches, used_at=as_of)
        days = query_history.days(connection, since=since, until=until)
    for day in days:
        with warehouse.opened(house.home) as connection:
            yield query_history.rerun(connection, watches, day, given=given)


def rerun_size(house: House, *, since: datetime, until: datetime) -> int:
    """How many stored mentions a run of the queries would read."""
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home, read_only=True) as connection:
        days = query_history.days(connection, since=since, until=until)
    return sum(day.mention_count for day in days)


def _chosen(
    watches: tuple[subjects.Watch, ...], subject_ids: Sequence[str]
) -> tuple[subjects.Watch, ...]:
    known = [watch.subject.id for watch in watches]
    if unknown := [subject_id for subject_id in subject_ids if subject_id not in known]:
        raise VigieError(f"no subject is called {unknown[0]!r}: there is {', '.join(known)}")
    return tuple(w for w in watches if not subject_ids or w.subject.id in subject_ids)


def landed(house: House, *, since: datetime, until: datetime) -> list[Path]:
    """The landed files of a span (aware, half open) that have not expired, the oldest first.

    Those of one run in the order of the settings, as it read them: of one post in two files the
    last counts.
    """
    places = {block.name: place for place, block in enumerate(house.settings.sources)}
    found = (p for p in (house.home / "landing").glob("*/*/*.jsonl.zst") if p.parts[-3] in places)
    kept = (path for path in found if since <= _landed_at(path) < until)
    return sorted(kept, key=lambda p: (_landed_at(p), places[p.parts[-3]], p.name))


def _landed_at(path: Path) -> datetime:
    """When a file landed: at the end of its run, or when a reader wrote it."""
    kind, _, stamp = path.name.removesuffix(".jsonl.zst").rpartition("-")
    return listening.moment(stamp) if kind == "live" else until_of(stamp)


def reread(house: House, paths: Sequence[Path], *, as_of: datetime) -> dict[str, int]:
    """Payloads that have landed once more through accept, score and load; what it changed.

    Finds what the queries of then let go. Moves no cursor, counts no coverage, refuses nothing
    anew: a post that is known gains subjects and nothing else.
    """
    name = f"requery-{run_id(as_of)}"
    folder = staging(house.home, name)
    settings = house.settings
    matcher = subjects.matcher(settings.subjects, settings.institution, settings.relays)
    finder = places.finder(settings.institution.territory)
    key = privacy.read_key(house.home, house.environ)
    with Tables(folder) as tables:
        for path in paths:
            receipt = {"name": path.parts[-3], "path": str(path.relative_to(house.home))}
            receipt["seen_at"] = _landed_at(path).isoformat()
            run = path.name.removesuffix(".jsonl.zst")
            found = normalised(house, run, receipt, matcher, finder, key, Count(), [])
            accept_source(found, tables, Count(), [])
    score_at(house, name, at=as_of)
    staged = loading.Staged(
        run_id=name,
        mentions=folder / "mentions.parquet",
        scores=folder / "scores.parquet",
        deletions=folder / "deletions.parquet",
        scorer=scorer(folder),
    )
    with warehouse.opened(house.home) as connection:
        return asdict(loading.load(connection, staged, loaded_at=as_of))
