"""`vigie labels …`: draw messages to label, how far people agree, the gold set as a file.

Labelling itself is on the board (docs/labelling.md). What is printed is in the institution's
language and by its clock.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines import (
    agreement as agreeing,
    aside,
    gold_set,
    house,
    labelling,
    labels,
    warehouse,
    wording,
)
from pipelines.agreement import Agreement
from pipelines.commands import Commands
from pipelines.console import HERE, Home, out, table, waiting, words
from pipelines.errors import VigieError
from pipelines.gold_set import Gold
from pipelines.labelling import LabelError
from pipelines.settings import Settings
from pipelines.wording import Words

labels_app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Labels: messages that people judge, and the gold set (docs/labelling.md).",
)


def _opened(home: Path) -> tuple[Settings, Words]:
    settings = house.house(home, needs_secrets=False).settings
    warehouse.prepare(settings)
    who = settings.institution
    return settings, wording.words(who.locale, who.zone, name="labels")


@labels_app.command()
def draw(
    home: Home = HERE,
    count: Annotated[
        int, typer.Option(min=1, max=labelling.MOST, help="How many messages.")
    ] = labelling.COUNT,
    seed: Annotated[
        int | None,
        typer.Option(min=1, help="The day's draw of this number. Default: the day's next."),
    ] = None,
    by: Annotated[str, typer.Option("--by", help="Who draws. Default: this account.")] = "",
) -> None:
    """Draw the next messages to label: half by chance, half where models hesitate."""
    settings, spoken = _opened(home)
    now = datetime.now(UTC)
    drawn_by = by or _account()
    with waiting(spoken.text("draw.reading")):
        batch = labelling.draw(
            lambda is_read: warehouse.opened(settings.home, read_only=is_read),
            day=now.astimezone(settings.institution.zone).date(),
            seed=seed,
            as_of=now,
            by=drawn_by,
            count=count,
        )
    key = "draw.done" if batch.is_new else "draw.known"
    told = {part: spoken.number(n) for part, n in batch.parts.items()}
    distinct = spoken.number(batch.distinct_count)
    out.print(words(spoken.say(key, batch=batch.batch_id, distinct=distinct, **told)))


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise VigieError("this account has no name: say who draws with --by") from error


@labels_app.command()
def agreement(home: Home = HERE) -> None:
    """How far people agree beyond chance, by tone, topics and acts; what waits to be settled."""
    settings, spoken = _opened(home)
    with warehouse.opened(settings.home, read_only=True) as connection:
        found = labels.answers(connection)
        far = labels.progress(connection, "")
    out.print(words(spoken.say("agreement.progress", given=far.given, wanted=far.wanted)))
    lines = [_line(spoken, d, own) for d, own in gold_set.agreements(found).items()]
    out.print(table(spoken.text("agreement.heads").split(" | "), lines))
    out.print(words(spoken.text("agreement.what")))
    if waiting := len(gold_set.disputes(found)):
        out.print(words(spoken.count("disputes", waiting)))


def _line(spoken: Words, dimension: str, own: Agreement | None) -> tuple[str, ...]:
    name = spoken.text(f"dimension.{dimension}")
    if own is None:
        return (name, "0", "–", "–", "–", "–")
    return (
        name,
        spoken.number(own.count),
        spoken.percent(own.same_share),
        "–" if own.alpha is None else spoken.hundredths(own.alpha),
        " – ".join(map(spoken.hundredths, own.interval or ())) or "–",
        spoken.text(f"verdict.{agreeing.verdict(own)}"),
    )


@labels_app.command()
def export(
    path: Annotated[Path, typer.Argument(help="The file to write: FILE.jsonl.")],
    home: Home = HERE,
) -> None:
    """The gold set as JSON lines, for `vigie models gold`, without what has expired."""
    if path.suffix not in (".jsonl", ".ndjson"):
        raise VigieError(f"{path.name} is not written: name a file that ends in .jsonl")
    settings, spoken = _opened(home)
    with warehouse.opened(settings.home, read_only=True) as connection:
        own = [g for g in gold_set.gold(labels.answers(connection)) if g.text and g.answers]
    if not own:
        raise LabelError(
            "there is no gold answer whose text is kept: draw messages with `vigie labels draw` "
            "and label them on the board (/board/labels)"
        )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(own))
    _write(path, lines)
    ends = min(each.text_until_on for each in own)
    out.print(words(spoken.say("export.done", n=len(own), path=path, day=spoken.day(ends))))


def _rows(own: Sequence[Gold]) -> Iterator[dict[str, Any]]:
    """A message a row; `estimate_weight` is what it counts in estimates, 0 for a chosen one."""
    judged = [each for each in own if each.part == "random" and "tone" in each.answers]
    weigh = {
        each.task_id: float(weight)
        for each, weight in zip(judged, gold_set.weights(judged), strict=True)
    }
    for each in own:
        yield {
            "text": each.text,
            "label": each.answers.get("tone") or "",
            "lang": each.lang or "",
            "topics": _joined(each, "topics"),
            "acts": _joined(each, "acts"),
            "part": each.part,
            "reason": each.reason,
            "estimate_weight": round(weigh.get(each.task_id, 0.0), 4),
            "is_settled": each.is_settled,
            "text_hash": each.text_hash,
            "text_until_on": each.text_until_on.isoformat(),
        }


def _joined(own: Gold, dimension: gold_set.Dimension) -> list[str] | None:
    """The topics or acts in order; None where they are not agreed on."""
    found = own.answers.get(dimension)
    return None if found is None else sorted(found)  # type: ignore[call-overload]


def _write(path: Path, text: str) -> None:
    """A file for its owner alone: it quotes people."""
    try:
        with aside.written_aside(path) as fresh:
            fresh.touch(mode=0o600)
            fresh.write_text(text, encoding="utf-8")
    except OSError as error:
        raise VigieError(f"{path} cannot be written ({error.strerror}): name another") from error
