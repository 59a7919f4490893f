"""What runs without Airflow and the daily upkeep say of themselves, a sentence a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.wording import Words

_READ = ("posts", "accepted", "off_subject", "duplicates", "rejected", "unreadable")
_STORED = ("inserted", "updated", "unchanged", "deleted", "blocked")
_BESIDE = ("live", "refreshed")  # steps that fail by themselves, their counts named after them


def step(name: str, spoken: Words) -> str:
    """What a run does now, for example "collect journal", in the words of people."""
    kind, _, what = name.partition(" ")
    return spoken.say(f"steps.{kind}", what=what)


def read(counts: Mapping[str, int], spoken: Words) -> Iterator[str]:
    """What a run has read and stored, without what failed."""
    well = counts["sources"] - counts["sources_failed"]
    if not counts["sources"]:
        yield spoken.text("watch.none")
    elif well:
        told = {"sources": spoken.count("sources", well), "parts": _parts(_READ, counts, spoken)}
        yield spoken.say("watch.read" if told["parts"] else "watch.nothing", **told)
    if parts := _parts(_STORED, counts, spoken):
        yield spoken.say("watch.stored", parts=parts)


def watched(counts: Mapping[str, int], spoken: Words) -> Iterator[str]:
    """What a whole run has done, without what failed."""
    yield from read(counts, spoken)
    for name in _BESIDE:
        own = {key: counts.get(f"{name}_{key}", 0) for key in _STORED}
        if parts := _parts(_STORED, own, spoken):
            yield spoken.say(f"watch.{name}", parts=parts)
    alerts = counts["alerts"]
    yield spoken.count("alerts", alerts) if alerts else spoken.text("watch.calm")
    yield from _mails(counts, spoken)


def delivered(counts: Mapping[str, int], spoken: Words) -> Iterator[str]:
    """What became of the mails that waited."""
    mails = {f"mails_{name}": count for name, count in counts.items()}
    yield from _mails(mails, spoken) if any(mails.values()) else [spoken.text("deliver.none")]


def _mails(counts: Mapping[str, int], spoken: Words) -> Iterator[str]:
    # What could not be sent waits too.
    waiting = "mails_failed" if counts.get("mails_failed") else "mails_waiting"
    yield from (spoken.count(k, counts[k]) for k in ("mails_sent", waiting) if counts.get(k))


def failures(counts: Mapping[str, int], names: Sequence[str], spoken: Words) -> list[str]:
    """What failed in a run, `names` being those of its sources that did; nothing if all went well.

    A mail that could not be sent is no failure of the run: it waits, and is tried again.
    """
    told = []
    if names:
        what = spoken.count("failed", len(names))
        told.append(spoken.say("watch.failed", what=what, names=", ".join(names)))
    return told + [spoken.text(f"watch.{n}_failed") for n in _BESIDE if counts.get(f"{n}_failed")]


def expired(receipt: Mapping[str, int], spoken: Words) -> str:
    """What was erased since its time was over."""
    parts = _parts(tuple(receipt), receipt, spoken)
    return spoken.say("upkeep.gone", parts=parts) if parts else spoken.text("upkeep.none")


def docs(pages: Path | None, spoken: Words) -> str:
    """Where the pages on the data are."""
    return spoken.say("upkeep.docs", path=pages) if pages else spoken.text("upkeep.no_docs")


def _parts(names: Sequence[str], counts: Mapping[str, int], spoken: Words) -> str:
    """Counts that are not nought, in one line."""
    return ", ".join(spoken.count(name, counts[name]) for name in names if counts.get(name))
