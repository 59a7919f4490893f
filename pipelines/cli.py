"""`vigie …`: the same steps without Airflow, with progress on long work.

The only place, with the DAGs, that asks what time it is.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from pipelines import models_commands, orchestrator
from pipelines.errors import VigieError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Vigie: hear in public what is said of a public institution, lawfully.",
)
app.add_typer(models_commands.models_app, name="models")
out = Console(highlight=False)
Home = Annotated[
    Path,
    typer.Option("--home", "-H", envvar="VIGIE_HOME", help="The institution's folder."),
]
When = Annotated[
    datetime | None,
    typer.Option(help="End of the window, for example 2026-10-01T16:00 (UTC). Default: now."),
]
HERE = Path(".vigie/home")


def _words(value: object, *, style: str = "") -> Text:
    """A value as it reads: never markup, and no control character of a stranger for a terminal."""
    signs = (c if c.isprintable() or c == "\n" else " " * c.isspace() for c in str(value))
    return Text("".join(signs), style=style)


def _utc(moment: datetime | None) -> datetime:
    now = datetime.now(UTC)
    return now if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC)


def _aligned(moment: datetime) -> datetime:
    """The last full five minutes: where a run's window ends."""
    return moment.replace(minute=moment.minute - moment.minute % 5, second=0, microsecond=0)


def _past(moment: datetime | None, option: str) -> datetime:
    """The moment that an option gives, now when it gives none; VigieError when it is to come."""
    found, now = _utc(moment), datetime.now(UTC)
    if found > now:
        raise VigieError(
            f"{option} {found:%Y-%m-%dT%H:%M} is still to come: choose a moment before "
            f"{now:%Y-%m-%dT%H:%M} (UTC)"
        )
    return found


def _check_order(since: datetime, until: datetime) -> None:
    if since >= until:
        raise VigieError(
            f"the range would end ({until:%Y-%m-%dT%H:%M}) before it starts "
            f"({since:%Y-%m-%dT%H:%M}): turn the two round"
        )


@app.command()
def init(
    home: Home = HERE,
    name: Annotated[str, typer.Option(help="Name of the institution.")] = "Ville de Monbourg",
    kind: Annotated[
        str, typer.Option(help="commune, departement, region, prefecture or autre")
    ] = "commune",
) -> None:
    """Write a commented vigie.toml, the pseudonym key and the folders of a new institution."""
    from pipelines import init as beginning

    path = beginning.write(home, answers={"name": name, "kind": kind})
    out.print(_words(f"{path} is written."), "Next: open it, follow its comments, then run")
    out.print(_words(f"  vigie doctor --home {shlex.quote(str(home))}"), soft_wrap=True)


@app.command()
def doctor(home: Home = HERE) -> None:
    """Check the whole installation and say what to do."""
    from pipelines import doctor as examiner

    checks = examiner.examine(home, environ=os.environ, now=datetime.now(UTC))
    signs = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "error": "[red]✗[/]"}
    for check in checks:
        out.print(signs[check.status], _words(f"{check.name}: {check.what}"))
        if check.status != "ok" and check.remedy:
            out.print("   →", _words(check.remedy))
    if any(check.status == "error" for check in checks):
        raise typer.Exit(1)


@app.command()
def watch(
    home: Home = HERE,
    until: When = None,
    since: Annotated[datetime | None, typer.Option(help="Start of a window read again.")] = None,
) -> None:
    """One run: collect every source that is due, accept, score, load, alert."""
    from pipelines import run

    end = _aligned(_past(until, "--until"))
    start = _utc(since) if since else end - timedelta(minutes=5)
    _check_order(start, end)
    with out.status("plan") as status:
        counts = run.watch(
            run.house(home),
            since=start,
            until=end,
            now=datetime.now(UTC),
            progress=lambda step: status.update(step),
        )
    out.print("  ".join(f"{key} {value}" for key, value in counts.items()))
    if counts["sources_failed"]:
        out.print(
            "A source failed: `vigie sources` says why; the next run goes on from its cursor."
        )


@app.command()
def listen(
    home: Home = HERE,
    source: Annotated[
        list[str] | None, typer.Option(help="Only this block; may be given again.")
    ] = None,
) -> None:
    """Read live sources as they are written, until Ctrl-C; `vigie up` runs it by itself."""
    from pipelines import house, listen as reader

    stopping = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopping.set())
    names = source or [block.name for block in house.house(home).live_blocks]
    if names:
        out.print(_words(f"Listening to {', '.join(names)}. Stop it with Ctrl-C."))
    reader.listen(lambda: house.house(home), stopping=stopping, names=source or ())


@app.command()
def digest(
    home: Home = HERE,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Local day. Default: yesterday.")
    ] = None,
    as_of: When = None,
) -> None:
    """Make the digest of a day, keep its page and mail it to its readers."""
    from pipelines import run

    house = run.house(home)
    now = _utc(as_of)
    today = _today(house.settings.institution.time_zone, now)
    chosen: date = day.date() if day else today - timedelta(days=1)
    if chosen > today:
        raise VigieError(f"{chosen} has not begun yet: choose {today} or an earlier day")
    page = run.digest(house, day=chosen, as_of=now)
    run.deliver(house, now=datetime.now(UTC))
    if page is None:
        out.print("Nothing has been read yet: `vigie watch` first.")
        raise typer.Exit(1)
    out.print(_words(f"{page} is written. Open it in a browser; readers get it by mail."))


def _today(time_zone: str, now: datetime) -> date:
    from zoneinfo import ZoneInfo

    return now.astimezone(ZoneInfo(time_zone)).date()


@app.command()
def upkeep(home: Home = HERE, as_of: When = None) -> None:
    """Expire what has had its time, publish the analysts' file, build the data docs."""
    from pipelines import run

    house, now = run.house(home), _past(as_of, "--as-of")
    receipt = run.expire(house, as_of=now)
    out.print("expired", _words(json.dumps(receipt, default=str)))
    out.print("published", _words(str(run.published(house, as_of=now))))
    pages = run.docs(house, as_of=now)
    out.print(
        "data docs", _words(str(pages or "none: nothing accepted lies in staging/ to tell of"))
    )


@app.command()
def deliver(home: Home = HERE) -> None:
    """Send what waits in the outbox, at once."""
    from pipelines import run

    counts = run.deliver(run.house(home), now=datetime.now(UTC), is_asked=True)
    out.print("  ".join(f"{key} {value}" for key, value in counts.items()))


@app.command()
def rescore(
    since: Annotated[datetime, typer.Argument(help="First day, for example 2026-10-01.")],
    until: Annotated[datetime, typer.Argument(help="Day after the last.")],
    home: Home = HERE,
) -> None:
    """Score a range of stored mentions again with the models of today."""
    from pipelines import run

    _check_order(_utc(since), _utc(until))
    house = run.house(home)
    with out.status("export") as status:
        name = run.export(house, since=since, until=until, as_of=datetime.now(UTC))
        status.update("score")
        count = run.score_again(house, name)
        status.update("load")
        run.load_again(house, name)
    out.print(f"{count} mentions scored again")


@app.command()
def score(
    source: Annotated[
        Path, typer.Argument(help="CSV, JSON lines or Parquet with a column `text`.")
    ],
    out_path: Annotated[Path, typer.Option("--out", help="Where to write; the ending tells how.")],
    model: Annotated[
        str, typer.Option(help="embedded, gold (of --home), a folder, or org/name@revision")
    ] = "embedded",
    home: Home = HERE,
    spreadsheet_safe: Annotated[
        bool,
        typer.Option(help="Put ' before what a spreadsheet would take for a formula (CSV only)."),
    ] = False,
) -> None:
    """Score any file of texts: its columns kept, tone, topics, acts and more added.

    Texts are written as they are. A CSV of strangers' texts can hold formulas that a spreadsheet
    runs on opening: give --spreadsheet-safe, or write .parquet or .jsonl for programs.
    """
    from pipelines import score as scoring
    from pipelines.settings import Models

    if source.resolve() == out_path.resolve():
        raise VigieError(f"{out_path} would be written over what is read: choose another --out")
    model = Models(sentiment=model).at(home).sentiment
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("score", total=None)
        count = scoring.score_file(
            source,
            out_path,
            model=model,
            spreadsheet_safe=spreadsheet_safe,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    out.print(_words(f"{count} texts scored into {out_path}"))


@app.command()
def explain(
    text: Annotated[str, typer.Argument(help="A message, in quotes.")],
    lang: Annotated[
        str | None, typer.Option(help="Its language, for example fr. Default: found.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="embedded, a folder, or org/name@revision")
    ] = "embedded",
) -> None:
    """Score one message and show which words moved each score."""
    from pipelines import explained

    found = explained.explain(text, lang=lang, model=model)
    table = Table("what", "says", "words that moved it", box=box.SIMPLE_HEAD, pad_edge=False)
    for line in found:
        table.add_row(_words(line.what), _words(line.says), _words(line.words))
    out.print(table)


# What the operator asks of a source first, in the order of the view's columns named here.
COVERAGE = {
    "source_name": "name",
    "source": "kind",
    "last_status": "last run",
    "behind_minutes": "behind (min)",
    "is_silent": "silent",
    "accepted_count": "kept, 24 h",
    "rejected_count": "refused, 24 h",
    "gap_minutes": "gaps, 7 d (min)",
    "capped_count": "cut short, 7 d",
}


@app.command()
def sources(
    home: Home = HERE,
    law: Annotated[bool, typer.Option("--law", help="The manifest of each source.")] = False,
) -> None:
    """The source blocks of this home: where each stands or, with --law, by what right."""
    from pipelines import run, warehouse

    house = run.house(home)
    if law:
        for block in house.settings.sources:
            _print_manifest(block.name, block.kind)
        return
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home, read_only=True) as connection:
        names = ", ".join(COVERAGE)
        rows = connection.execute(f"select {names} from source_coverage").fetchall()  # noqa: S608
        troubles = warehouse.run(connection, "queries/source_troubles").fetchall()
    table = Table(*COVERAGE.values(), box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(_words("" if value is None else value) for value in row))
    out.print(table)
    for name, status, note in troubles:
        out.print(_words(f"{name}: {status}: {note}"))


def _print_manifest(name: str, kind: str) -> None:
    from pipelines import sources as catalogue

    manifest = catalogue.load(kind).MANIFEST
    out.print(_words(f"{name} ({manifest.label})", style="bold"))
    for title in ("access", "terms_url", "legal_basis", "cost", "retention_days", "deletion_duty"):
        out.print(_words(f"  {title.replace('_', ' ')}: {getattr(manifest, title)}"))
    out.print(_words(f"  fields kept: {', '.join(manifest.fields_kept)}"))


@app.command()
def erase(
    home: Home = HERE,
    permalink: Annotated[str | None, typer.Option(help="Address of the post.")] = None,
    handle: Annotated[str | None, typer.Option(help="Handle of the person who objects.")] = None,
    network: Annotated[str | None, typer.Option(help="Network of the handle.")] = None,
) -> None:
    """Erase a post or a person's posts from every store, and block their return."""
    from pipelines import erasure, privacy, run

    house = run.house(home)
    receipt = erasure.erase(
        house.settings,
        as_of=datetime.now(UTC),
        permalink=permalink,
        handle=handle,
        network=network,
        key=privacy.read_key(house.home, house.environ),
    )
    out.print("erased", _words(json.dumps(receipt, default=str)))


@app.command()
def up(
    home: Home = HERE,
    port: Annotated[int, typer.Option(help="Of the web interface, on 127.0.0.1.")] = 8080,
) -> None:
    """Run Airflow with its web interface on this home, until Ctrl-C."""
    from pipelines import house

    # Every fault of the settings now, not in the first task.
    is_live = bool(house.house(home).live_blocks)
    with orchestrator.alone(home, port=port):
        with out.status("setting up Airflow (about 10 s)"):
            password = orchestrator.set_up(home, os.environ)
        out.print(f"Airflow starts on http://127.0.0.1:{port} in about 20 s. Stop it with Ctrl-C.")
        logs = home / "airflow" / "logs"
        out.print(_words(f"User {orchestrator.USER}, password {password}. Logs: {logs}"))
        orchestrator.serve(home, os.environ, port=port, is_live=is_live)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def airflow(context: typer.Context, home: Home = HERE) -> None:
    """Any `airflow` command in the environment of this home, for example `airflow dags list`."""
    words = orchestrator.command(*context.args)
    os.execve(words[0], words, orchestrator.environment(home, os.environ))  # noqa: S606


def main() -> None:
    """The entry point: errors that a person can act on come without a traceback."""
    logging.basicConfig(level=os.environ.get("VIGIE_LOG", "WARNING"), format="%(message)s")
    try:
        app()
    except VigieError as error:
        Console(stderr=True, highlight=False).print(_words(str(error)), style="red")
        sys.exit(2)
    except PermissionError as error:
        text = f"{error}: run as the account that owns the file, or chown or chmod it"
        Console(stderr=True, highlight=False).print(_words(text), style="red")
        sys.exit(2)


if __name__ == "__main__":
    main()
