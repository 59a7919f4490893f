"""`vigie …`: the same steps without Airflow, with progress on long work.

The only place, with the DAGs, that asks what time it is.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from pipelines import orchestrator
from pipelines.commands import Commands
from pipelines.console import (
    HERE,
    Home,
    LangName,
    Locale,
    TextName,
    bar,
    chosen_locale,
    end_if_failed,
    moment,
    out,
    print_lines,
    print_unknown,
    spoken_in,
    table,
    words,
)
from pipelines.errors import VigieError
from pipelines.said import say
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.board.visit import End
    from pipelines.house import House
    from pipelines.wording import Words

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Vigie: hear in public what is said of a public institution, lawfully.",
)
When = Annotated[
    datetime | None,
    typer.Option(
        parser=moment, help="End of the window, for example 2026-10-01T16:00 (UTC). Default: now."
    ),
]


class Edition(StrEnum):
    """How long a digest tells of."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def _utc(moment: datetime | None) -> datetime:
    now = datetime.now(UTC)
    return now if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC)


def _now() -> datetime:
    return datetime.now(UTC)


def _aligned(moment: datetime) -> datetime:
    """The last full five minutes: where a run's window ends."""
    return moment.replace(minute=moment.minute - moment.minute % 5, second=0, microsecond=0)


def _past(moment: datetime | None, option: str) -> datetime:
    """The moment that an option gives, now when it gives none; VigieError when it is to come."""
    found, now = _utc(moment), datetime.now(UTC)
    if found > now:
        raise VigieError(
            say(
                "{option} {found:%Y-%m-%dT%H:%M} is still to come: choose a moment before "
                "{now:%Y-%m-%dT%H:%M} (UTC)",
                option=option,
                found=found,
                now=now,
            )
        )
    return found


def _check_order(since: datetime, until: datetime) -> None:
    if since >= until:
        raise VigieError(
            say(
                "the range would end ({until:%Y-%m-%dT%H:%M}) before it starts "
                "({since:%Y-%m-%dT%H:%M}): turn the two round",
                until=until,
                since=since,
            )
        )


@app.command()
def init(
    home: Home = HERE,
    name: Annotated[
        str, typer.Option(help='Its name, for example "Ville de Tours". Asked for on a terminal.')
    ] = "",
    kind: Annotated[
        str, typer.Option(help="commune, departement, region, prefecture or autre")
    ] = "commune",
) -> None:
    """Write a commented vigie.toml, the pseudonym key and the folders of a new institution."""
    from pipelines import init as beginning

    spoken = spoken_in(home)
    if not name and sys.stdin.isatty():
        name = typer.prompt(spoken.text("init.ask"))
    path = beginning.write(home, answers={"name": name, "kind": kind})
    out.print(words(spoken.say("init.done", path=path)), soft_wrap=True)
    out.print(words(spoken.text("init.next")))
    out.print(words(f"  vigie doctor --home {shlex.quote(str(home))}"), soft_wrap=True)


@app.command()
def doctor(home: Home = HERE, locale: Locale = None) -> None:
    """Check the whole installation and say what to do."""
    from pipelines import doctor as examiner

    chosen = chosen_locale(home, locale)
    checks = examiner.examine(home, environ=os.environ, now=datetime.now(UTC))
    signs = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "error": "[red]✗[/]"}
    for check in checks:
        told = say("{name}: {what}", name=check.name, what=check.what).told(chosen)
        out.print(signs[check.status], words(told))
        if check.status != "ok" and check.remedy:
            out.print("   →", words(check.remedy.told(chosen)))
    if any(check.status == "error" for check in checks):
        raise typer.Exit(1)


@app.command()
def watch(
    home: Home = HERE,
    until: When = None,
    since: Annotated[
        datetime | None, typer.Option(parser=moment, help="Start of a window read again.")
    ] = None,
) -> None:
    """One run: collect every source that is due, accept, score, load, alert; 1 if one failed."""
    from pipelines import run, run_told

    spoken = spoken_in(home)
    end = _aligned(_past(until, "--until"))
    start = _utc(since) if since else end - timedelta(minutes=5)
    _check_order(start, end)
    house = run.house(home)
    with out.status(spoken.text("steps.plan")) as status:
        counts = run.watch(
            house,
            since=start,
            until=end,
            now=datetime.now(UTC),
            progress=lambda step: status.update(words(run_told.step(step, spoken))),
        )
    names = run.failed(house, run.run_id(end)) if counts["sources_failed"] else []
    print_lines(run_told.watched(counts, spoken))
    end_if_failed(run_told.failures(counts, names, spoken))


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
        out.print(words(spoken_in(home).say("listen.begun", names=", ".join(names))))
    reader.listen(lambda: house.house(home), stopping=stopping, names=source or ())


@app.command()
def digest(
    home: Home = HERE,
    day: Annotated[
        datetime | None,
        typer.Option(
            parser=moment,
            help="Local day. Default: yesterday, or the end of the last whole week or month.",
        ),
    ] = None,
    edition: Annotated[
        Edition, typer.Option(help="day; or the week or month that ends with that day.")
    ] = Edition.DAY,
    as_of: When = None,
    is_mailed: Annotated[
        bool,
        typer.Option("--mail/--no-mail", help="Mail it to its readers, or only keep its page."),
    ] = True,
) -> None:
    """Make the digest of a day, a week or a month, keep its page and mail it to its readers."""
    from pipelines import run

    house, spoken = run.house(home, needs_secrets=False), spoken_in(home)
    now = _utc(as_of)
    today = _today(house.settings.institution.time_zone, now)
    chosen: date = day.date() if day else _ended(edition, today)
    if chosen > today:
        raise VigieError(
            say(
                "{day} has not begun yet: choose {today} or an earlier day", day=chosen, today=today
            )
        )
    if edition != Edition.DAY and chosen >= today:
        raise VigieError(
            say("a week or a month that ends today is not over yet: choose a day before")
        )
    page = run.digest(house, day=chosen, as_of=now, edition=edition.value, is_mailed=is_mailed)
    done = "digest.mailed" if is_mailed else "digest.kept"
    if is_mailed and _can_send(house):
        if run.deliver(house, now=datetime.now(UTC))["failed"]:
            done = "digest.waits"
    elif is_mailed:
        out.print(words(spoken.text("digest.no_secrets")))
    if page is None:
        out.print(words(spoken.text("digest.nothing")))
        raise typer.Exit(1)
    out.print(words(spoken.say(done, path=page)), soft_wrap=True)


def _can_send(house: House) -> bool:
    """Whether every secret that sending needs is there; without it each try would be one lost."""
    from pipelines.settings import env_names

    mail = house.settings.mail
    named = [mail.password_env] if mail.username else []
    named += [name for channel in house.settings.channels for name in env_names(channel)]
    return all(name in house.secrets for name in named)


def _ended(edition: Edition, today: date) -> date:
    """The last day of the last whole day, week (Monday to Sunday) or month before today."""
    days = {Edition.DAY: 1, Edition.WEEK: today.isoweekday(), Edition.MONTH: today.day}
    return today - timedelta(days=days[edition])


@app.command("crisis-report")
def crisis_report(
    incident: Annotated[str, typer.Argument(metavar="ALERT_ID", help="Its id, or its beginning.")],
    home: Home = HERE,
    as_of: When = None,
) -> None:
    """Write the report on one incident as it stands now; nobody gets a mail."""
    from pipelines import run

    house = run.house(home, needs_secrets=False)
    page = run.crisis_report(house, incident, as_of=_past(as_of, "--as-of"))
    out.print(words(spoken_in(home).say("crisis.done", path=page)), soft_wrap=True)


def _today(time_zone: str, now: datetime) -> date:
    from zoneinfo import ZoneInfo

    return now.astimezone(ZoneInfo(time_zone)).date()


@app.command()
def upkeep(home: Home = HERE, as_of: When = None) -> None:
    """Expire what has had its time, publish the analysts' file, build the data docs.

    Also draws messages to label, where [labels] asks for some.
    """
    from pipelines import run, run_told

    spoken = spoken_in(home)
    house, now = run.house(home, needs_secrets=False), _past(as_of, "--as-of")
    with out.status(spoken.text("steps.expire")) as status:
        out.print(words(run_told.expired(run.expire(house, as_of=now), spoken)))
        status.update(spoken.text("steps.publish"))
        path = run.published(house, as_of=now)
        out.print(words(spoken.say("upkeep.published", path=path)), soft_wrap=True)
        status.update(spoken.text("steps.docs"))
        out.print(words(run_told.docs(run.docs(house, as_of=now), spoken)), soft_wrap=True)
        status.update(spoken.text("steps.draw"))
        if batch := run.drawn(house, as_of=now):
            out.print(words(spoken.say("upkeep.drawn", batch=batch)))


Given = Annotated[
    list[str] | None,
    typer.Option("--set", help="A parameter, for example decided_on=2026-10-01; may be repeated."),
]


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="A query, or .run NAME. Default: a shell.")] = "",
    home: Home = HERE,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", exists=True, help="A file with the query.")
    ] = None,
    is_csv: Annotated[bool, typer.Option("--csv", help="Whole, as CSV, to the output.")] = False,
    given: Given = None,
) -> None:
    """Ask the analysts' file in SQL: read-only, nothing else can be reached. Try .help."""
    from pipelines import sql_shell

    now = datetime.now(UTC)
    sql_shell.ask(home, query, file=file, is_csv=is_csv, values=given or (), now=now)


@app.command()
def export(
    to: Annotated[Path, typer.Option(help="Where to: .csv, .parquet or .xlsx.")],
    name: Annotated[str, typer.Argument(help="A question: `vigie sql .queries` lists them.")] = "",
    home: Home = HERE,
    query: Annotated[
        Path | None, typer.Option(exists=True, help="A file with a query instead.")
    ] = None,
    separator: Annotated[str, typer.Option(help="Between the cells of a CSV.")] = ",",
    given: Given = None,
) -> None:
    """Write an answer from the analysts' file: whole, safe in a spreadsheet, with what it means."""
    from pipelines import sql_shell

    told = sql_shell.written(
        home,
        name,
        query=query,
        to=to,
        separator=separator,
        values=given or (),
        now=datetime.now(UTC),
    )
    out.print(words(told))


@app.command()
def deliver(home: Home = HERE) -> None:
    """Send what waits in the outbox, at once."""
    from pipelines import run, run_told

    counts = run.deliver(run.house(home), now=datetime.now(UTC), is_asked=True)
    print_lines(run_told.delivered(counts, spoken_in(home)))


@app.command()
def rescore(
    since: Annotated[
        datetime, typer.Argument(parser=moment, help="First day, for example 2026-10-01.")
    ],
    until: Annotated[datetime, typer.Argument(parser=moment, help="Day after the last.")],
    home: Home = HERE,
) -> None:
    """Score a range of stored mentions again with the models of today."""
    from pipelines import run

    _check_order(_utc(since), _utc(until))
    house, spoken = run.house(home, needs_secrets=False), spoken_in(home)
    with out.status(spoken.text("steps.export")) as status:
        name = run.export(house, since=since, until=until, as_of=datetime.now(UTC))
        status.update(spoken.text("steps.score"))
        count = run.score_again(house, name)
        status.update(spoken.text("steps.load"))
        run.load_again(house, name)
    out.print(words(spoken.count("scored_again", count)))


@app.command()
def score(
    source: Annotated[Path, typer.Argument(help="Texts: CSV, JSON lines or Parquet.")],
    out_path: Annotated[Path, typer.Option("--out", help="Where to write; the ending tells how.")],
    text: TextName = "text",
    lang: LangName = "",
    model: Annotated[
        str, typer.Option(help="embedded, gold (of --home), a folder, or org/name@revision")
    ] = "embedded",
    home: Home = HERE,
    spreadsheet_safe: Annotated[
        bool,
        typer.Option(help="Put ' before what a spreadsheet would take for a formula (CSV only)."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes of a file over 20,000 rows, about 500 MB each. Default: one a "
            "processor, at most 4.",
        ),
    ] = None,
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
    strange = scoring.Unknown()
    with bar("score") as moved:
        count = scoring.score_file(
            source,
            out_path,
            text=text,
            lang=lang,
            model=model,
            spreadsheet_safe=spreadsheet_safe,
            workers=workers,
            progress=moved,
            unknown=strange.update,
        )
    out.print(words(f"{count} texts scored into {out_path}"))
    print_unknown(strange)


@app.command()
def explain(
    text: Annotated[str, typer.Argument(help="A message, in quotes.")],
    lang: Annotated[
        str | None, typer.Option(help="Its language, for example fr. Default: found.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="embedded, a folder, or org/name@revision")
    ] = "embedded",
    home: Home = HERE,
    locale: Locale = None,
) -> None:
    """Score one message and show which words moved each score."""
    from pipelines import explained
    from pipelines.settings import Models

    spoken = spoken_in(home, locale)
    tone = Models(sentiment=model).at(home).sentiment
    found = explained.explain(text, spoken=spoken, lang=lang, model=tone)
    heads = spoken.text("explain.heads").split(" | ")
    out.print(table(heads, [(line.what, line.says, line.words) for line in found]))


@app.command()
def places(
    text: Annotated[str, typer.Argument(help="A message, in quotes.")],
    home: Home = HERE,
    about: Annotated[
        bool, typer.Option("--about", help="The message is about the institution of --home.")
    ] = False,
) -> None:
    """The places that a message names, and why each name is one or none.

    Read with the territory of --home where there is a vigie.toml. Above 0 a name is a place.
    """
    from pipelines import explained, run
    from pipelines.vigie_toml import FILE

    has_home = (home / FILE).exists()
    house = run.house(home, needs_secrets=False) if has_home else None
    territory = house.settings.institution.territory if house else ()
    found = explained.explain_places(text, territory=territory, is_about=about)
    rows = [(line.what, line.says, line.words) for line in found]
    out.print(table(("name", "place", "why"), rows) if rows else "No name in it is a place's.")


# What the operator asks of a source first, in the order of the view's columns named here.
STANDING = (
    *("source_name", "source", "last_status", "behind_minutes", "is_silent", "accepted_count"),
    *("rejected_count", "gap_minutes", "capped_count"),
)


@app.command()
def sources(
    home: Home = HERE,
    law: Annotated[bool, typer.Option("--law", help="By what right: each manifest.")] = False,
    locale: Locale = None,
) -> None:
    """Where each source block stands, what it noted and refused, what is left of its budget."""
    from pipelines import coverage_commands, run, warehouse

    house = run.house(home, needs_secrets=False)
    if law:
        for block in house.settings.sources:
            _print_manifest(block.name, block.kind)
        return
    warehouse.prepare(house.settings)
    with warehouse.opened(house.home, read_only=True) as connection:
        names = ", ".join(STANDING)
        asked = f"select {names} from source_coverage order by source_name"  # noqa: S608
        rows = connection.execute(asked).fetchall()
        troubles = warehouse.run(connection, "queries/source_troubles").fetchall()
        notes = warehouse.run(connection, "queries/source_notes").fetchall()
        refusals = warehouse.run(connection, "queries/source_refusals").fetchall()
    spoken = coverage_commands.words_of(house, locale)
    out.print(coverage_commands.standing(rows, spoken))
    print_lines(coverage_commands.trouble(spoken, *row) for row in troubles)
    for name, at, note in notes:
        time = f"{at.astimezone(UTC):%H:%M}"
        out.print(words(spoken.say("table.noted", name=name, time=time, note=note)))
    print_lines(coverage_commands.refused(spoken, *row) for row in refusals)
    coverage_commands.budgets(house, spoken=spoken, now=datetime.now(UTC))


@app.command()
def coverage(
    home: Home = HERE,
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment, help="From, for example 2026-10-01T12:00 (UTC)."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=moment, help="To (UTC). Default: now.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(parser=moment, help="As it was known then (UTC). Default: now."),
    ] = None,
    by_hour: Annotated[bool, typer.Option("--by-hour", help="Every hour of every source.")] = False,
    locale: Locale = None,
) -> None:
    """What was read and heard of a span, what was not, and what filled it. Default: 24 hours."""
    from pipelines import coverage_commands

    coverage_commands.show(
        home,
        since=since,
        until=until,
        as_of=as_of,
        now=datetime.now(UTC),
        by_hour=by_hour,
        locale=locale,
    )


@app.command()
def backfill(
    home: Home = HERE,
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment, help="From (UTC). Default: the open gaps of the week."),
    ] = None,
    until: Annotated[datetime | None, typer.Option(parser=moment, help="To (UTC).")] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Only this source of vigie.toml; may be repeated.")
    ] = None,
) -> None:
    """Read the past again where something is missing, and mark the gaps that it fills."""
    from pipelines import coverage_commands

    names = tuple(source or ())
    coverage_commands.fill(home, since=since, until=until, names=names, now=datetime.now(UTC))


def _print_manifest(name: str, kind: str) -> None:
    from pipelines import budget, sources as catalogue

    manifest = catalogue.load(kind).MANIFEST
    out.print(words(f"{name} ({manifest.label})", style="bold"))
    for title in ("access", "terms_url", "legal_basis", "cost", "retention_days", "deletion_duty"):
        out.print(words(f"  {title.replace('_', ' ')}: {getattr(manifest, title)}"))
    out.print(words(f"  fields kept: {', '.join(manifest.fields_kept)}"))
    for limit in manifest.limits:
        out.print(words(f"  limit: {limit.name}, {limit.most} {budget.span(limit.per)}"))
    for price in manifest.prices:
        out.print(words(f"  price: {price.name}, {price.amount} {price.currency}"))


@app.command()
def erase(
    home: Home = HERE,
    permalink: Annotated[str | None, typer.Option(help="Address of the post.")] = None,
    handle: Annotated[str | None, typer.Option(help="Handle of the person who objects.")] = None,
    network: Annotated[str | None, typer.Option(help="Network of the handle.")] = None,
) -> None:
    """Erase a post or a person's posts from every store, and block their return."""
    from pipelines import erasure, privacy, run

    house = run.house(home, needs_secrets=False)
    receipt = erasure.erase(
        house.settings,
        as_of=datetime.now(UTC),
        permalink=permalink,
        handle=handle,
        network=network,
        key=privacy.read_key(house.home, house.environ),
    )
    _print_erased(receipt, spoken_in(home))


def _print_erased(receipt: Mapping[str, object], spoken: Words) -> None:
    """What went and, where nothing did, what to check."""
    labels = spoken.texts["erased"]
    told = [(receipt[name], words(label)) for name, label in labels.items() if receipt.get(name)]
    if told:
        out.print(table(("", spoken.text("erase.what")), told))
    if not any(receipt.get(name) for name in ("mentions", "blocked", "payloads")):
        out.print(words(spoken.text("erase.none")))
    out.print(words(spoken.text("erase.rest")))


@app.command()
def up(
    home: Home = HERE,
    port: Annotated[int, typer.Option(help="Of the web interface, on 127.0.0.1.")] = 8080,
) -> None:
    """Run Airflow with its web interface on this home, until Ctrl-C."""
    from pipelines import house

    # Every fault of the settings now, not in the first task.
    is_live = bool(house.house(home).live_blocks)
    spoken = spoken_in(home)
    with orchestrator.alone(home, port=port):
        with out.status(spoken.text("steps.airflow")):
            password = orchestrator.set_up(home, os.environ)
        out.print(words(spoken.say("up.begun", port=port)))
        told = {"user": orchestrator.USER, "password": password, "logs": home / "airflow" / "logs"}
        out.print(words(spoken.say("up.login", **told)), soft_wrap=True)
        orchestrator.serve(home, os.environ, port=port, is_live=is_live)


@app.command()
def serve(
    home: Home = HERE,
    port: Annotated[int, typer.Option(help="On 127.0.0.1; put a proxy with TLS before it.")] = 8090,
    is_past: Annotated[
        bool,
        typer.Option("--at-end", help="As if it were the end of the data: a demo's, a copy's."),
    ] = False,
) -> None:
    """The board, the pages behind links of alert mails, and the door for pushed messages."""
    import uvicorn

    from pipelines import hooks, settings as reading, sources as catalogue
    from pipelines.board import web

    orchestrator.check_port(port)
    kinds = catalogue.options_by_kind()
    settings = reading.read(home, environ=os.environ, source_options=kinds, needs_secrets=False)
    secrets, turn = reading.secrets_for(settings, os.environ), threading.Lock()
    environ = {"VIGIE_BOARD_URL": f"http://127.0.0.1:{port}", **os.environ}
    end = _end(settings) if is_past else None
    made = web.build(settings, secrets, environ, now=_now, turn=turn, end=end)
    behind = end.behind if end else timedelta()
    taking = hooks.app(settings, secrets, now=_now, board=made, turn=turn, behind=behind)
    spoken = spoken_in(home)
    out.print(words(spoken.say("serve.board", url=f"http://127.0.0.1:{port}{hooks.BOARD}/")))
    if end and end.is_live:
        _print_live(settings, end)
    _print_nobody(settings, spoken)
    for block in settings.sources:
        if block.kind == "webhook":
            told = {"name": block.name, "url": f"http://127.0.0.1:{port}/hooks/{block.name}"}
            out.print(words(spoken.say("serve.pushed", **told)))
    if settings.web.url:
        out.print(words(spoken.say("serve.links", url=settings.web.url, port=port)))
    out.print(words(spoken.text("serve.stop")))
    uvicorn.run(
        taking,
        host="127.0.0.1",
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=64,
        timeout_keep_alive=5,
        h11_max_incomplete_event_size=16_384,
    )


def _end(settings: Settings) -> End:
    """Where the data of a home ended."""
    from pipelines import warehouse
    from pipelines.board import visit

    warehouse.prepare(settings)
    return visit.end(settings.home, now=_now())


def _print_live(settings: Settings, end: End) -> None:
    """Say that --at-end is not for data that goes on being read."""
    from pipelines.said import say

    until = end.read_until.astimezone(settings.institution.zone)
    told = say(
        "This data has not ended: it was last read at {moment}. With --at-end the pages stand at "
        "its last moment, what is read from now on is not shown at its time, and what is done on "
        "them is recorded at theirs. Stop this, and start `vigie serve` without --at-end.",
        moment=f"{until:%Y-%m-%d %H:%M}",
    )
    out.print("[yellow]![/]", words(told.told(settings.institution.locale)), soft_wrap=True)


def _print_nobody(settings: Settings, spoken: Words) -> None:
    """Say how to make an account where nobody could log in."""
    from pipelines.board import store

    if settings.board.oidc is None and not store.accounts(settings.home):
        out.print(words(spoken.text("serve.nobody")))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def airflow(context: typer.Context, home: Home = HERE) -> None:
    """Any `airflow` command in the environment of this home, for example `airflow dags list`."""
    words = orchestrator.command(*context.args)
    os.execve(words[0], words, orchestrator.environment(home, os.environ))  # noqa: S606


@app.command()
def backtest(
    home: Home = HERE,
    since: Annotated[
        datetime | None,
        typer.Option(parser=moment, help="From (UTC). Default: 28 days before --until."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=moment, help="To (UTC). Default: now.")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(help="Folder with changed or new rules to try (*.sql).")
    ] = None,
    numbers: Annotated[
        list[str] | None,
        typer.Option("--set", help="A number to try: volume_surge.least_mentions=20. Repeatable."),
    ] = None,
    rule: Annotated[list[str] | None, typer.Option(help="Only this rule. Repeatable.")] = None,
    step: Annotated[int, typer.Option(help="Minutes from one look at the rules to the next.")] = 5,
    locale: Annotated[
        str | None, typer.Option(help="fr or en. Default: the institution's; fr of a series.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV with a column timestamp: moments to be told of.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="HTML page with curves, what was expected, openings.")
    ] = None,
    series: Annotated[
        Path | None,
        typer.Option(help="Instead: CSV of columns timestamp,value, counts of one series."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--out", help="With --series: CSV of alarms, one a row.")
    ] = None,
    start: Annotated[
        datetime | None,
        typer.Option(
            parser=moment, help="With --series: count alarms from here on (UTC), learn from before."
        ),
    ] = None,
    zone: Annotated[
        str, typer.Option(help="With --series: whose clock people live by.")
    ] = "Europe/Paris",
) -> None:
    """Replay rules over the stored mentions, or a series of counts: openings, mails, delays."""
    from pipelines import backtest_commands as commands

    if series is not None:
        first = _utc(start) if start else None
        alarms = into or _missing("--series needs --out FILE: where the alarms are written")
        spoken = commands.spoken(locale or "fr", zone)
        commands.backtested(
            series, alarms, start=first, labels=labels, report=report, spoken=spoken
        )
        return
    commands.backtested_mentions(
        home,
        commands.Wanted(
            since=_utc(since) if since else None,
            until=_utc(until) if until else None,
            folder=rules,
            numbers=tuple(numbers or ()),
            only=tuple(rule or ()),
            labels=labels,
            minutes=step,
        ),
        report=report,
        locale=locale,
        now=datetime.now(UTC),
    )


def _missing(text: str) -> Path:
    raise VigieError(text)


_PASSED = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.command(context_settings=_PASSED)
def query(context: typer.Context) -> None:
    """Queries: try them on a file, explain, import them, run them again. `vigie query --help`."""
    from pipelines.query_cli import query_app

    query_app(context.args, prog_name="vigie query")


@app.command(context_settings=_PASSED)
def alerts(context: typer.Context) -> None:
    """Alerts: see, acknowledge, silence, judge them. `vigie alerts --help` lists how."""
    from pipelines.alerts_cli import alerts_app

    alerts_app(context.args, prog_name="vigie alerts")


@app.command(context_settings=_PASSED)
def board(context: typer.Context) -> None:
    """The board: who has an account on it. `vigie board --help` lists how."""
    from pipelines.board_cli import board_app

    board_app(context.args, prog_name="vigie board")


@app.command(context_settings=_PASSED)
def labels(context: typer.Context) -> None:
    """Labels: messages that people judge, and the gold set. `vigie labels --help` lists how."""
    from pipelines.labels_cli import labels_app

    labels_app(context.args, prog_name="vigie labels")


@app.command(context_settings=_PASSED)
def models(context: typer.Context) -> None:
    """Models: compare, train and watch them; checkpoints. `vigie models --help` lists how."""
    from pipelines.models_commands import models_app  # half a second that no other command needs

    models_app(context.args, prog_name="vigie models")


@app.command(context_settings=_PASSED)
def rules(context: typer.Context) -> None:
    """Alert rules: list them, run the cases beside each. `vigie rules --help` lists how."""
    from pipelines.rules_cli import rules_app

    rules_app(context.args, prog_name="vigie rules")


# What DuckDB raises where Ctrl-C comes while it works on a query.
QUERY_BROKEN_OFF = "Query interrupted"


def main() -> None:
    """The entry point: errors that a person can act on come without a traceback."""
    logging.basicConfig(level=os.environ.get("VIGIE_LOG", "WARNING"), format="%(message)s")
    try:
        app()
    except VigieError as error:
        Console(stderr=True, highlight=False).print(words(error), style="red")
        sys.exit(2)
    except PermissionError as error:
        text = f"{error}: run as the account that owns the file, or chown or chmod it"
        Console(stderr=True, highlight=False).print(words(text), style="red")
        sys.exit(2)
    except RuntimeError as error:
        if str(error) != QUERY_BROKEN_OFF:
            raise
        sys.exit(130)


if __name__ == "__main__":
    main()
