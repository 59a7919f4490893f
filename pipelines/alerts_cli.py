"""`vigie alerts …`: see the alerts there are, take them in hand, silence and judge them.

What is printed is in the institution's language and by its clock. Who acts is named with --by;
without it, the account that runs the command.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from pipelines import (
    alert_actions,
    alert_letter,
    aside,
    house,
    post_mortem,
    quality as judging,
    rules,
    warehouse,
    wording,
)
from pipelines.alert_actions import Done
from pipelines.commands import Commands
from pipelines.console import HERE, Home, Locale, chosen_locale, moment, out, table, waiting, words
from pipelines.errors import VigieError
from pipelines.quality import Judged
from pipelines.said import say
from pipelines.settings import Settings
from pipelines.warehouse import Connection
from pipelines.wording import Words

alerts_app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Alerts: see, acknowledge, silence and judge them (docs/alerts.md).",
)
Named = Annotated[
    str, typer.Argument(metavar="ALERT", help="Its id, or the first four characters or more.")
]
By = Annotated[str, typer.Option("--by", help="Who acts. Default: this account.")]
Why = Annotated[str, typer.Option("--reason", help="Why, in a few words; kept in the log.")]
Message = Annotated[
    str | None, typer.Option("--message", help="The mention that is meant, by its id.")
]
SHOWN_ID = 8  # of sixteen characters; two open alerts never share so many
RECENT = timedelta(days=7)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every command works on."""

    connection: Connection
    settings: Settings
    spoken: Words
    now: datetime


@contextmanager
def _desk(home: Path, *, is_read: bool = False) -> Iterator[Desk]:
    settings = house.house(home, needs_secrets=False).settings
    warehouse.prepare(settings)
    with warehouse.opened(settings.home, read_only=is_read) as connection:
        yield _laid(connection, settings, datetime.now(UTC))


def _laid(connection: Connection, settings: Settings, now: datetime) -> Desk:
    who = settings.institution
    spoken = wording.words(who.locale, who.zone, name="alerts")
    return Desk(connection=connection, settings=settings, spoken=spoken, now=now)


# --- list, show


@alerts_app.command("list")
def list_(
    home: Home = HERE,
    every: Annotated[bool, typer.Option("--all", help="Those that have ended as well.")] = False,
) -> None:
    """The alerts that are open, and those that ended in the last seven days."""
    with _desk(home, is_read=True) as desk:
        rows = _listed(desk, since=LONG_AGO if every else desk.now - RECENT)
    if not rows:
        out.print(words(desk.spoken.text("list.none")))
        return
    heads = desk.spoken.text("list.heads").split(" | ")
    out.print(table(heads, [_line(desk, row) for row in rows]))
    if any(row["acked_by"] is None and row["resolved_at"] is None for row in rows):
        out.print(words(desk.spoken.text("list.more")))


def _listed(desk: Desk, *, since: datetime, incident_id: str | None = None) -> list[dict[str, Any]]:
    return _rows(desk, "alerts_list", since=since, as_of=desk.now, incident_id=incident_id)


def _rows(desk: Desk, name: str, **parameters: Any) -> list[dict[str, Any]]:
    found = warehouse.run(desk.connection, f"queries/{name}", parameters)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _line(desk: Desk, row: dict[str, Any]) -> tuple[str, ...]:
    spoken = desk.spoken
    return (
        row["incident_id"][:SHOWN_ID],
        ", ".join(spoken.text(f"state.{name}") for name in _states(row)),
        spoken.text(f"severity.{row['severity']}"),
        _what(desk, row),
        spoken.moment(row["opened_at"]),
    )


def _states(row: dict[str, Any]) -> list[str]:
    """The state of an incident, and what stands beside it."""
    known = {"acked": row["acked_by"], "silenced": row["silent_until"]}
    beside = [name for name, value in known.items() if value is not None]
    return [row["state"], *beside, *(m for m in row["marks"] if m not in known)]


def _what(desk: Desk, row: dict[str, Any]) -> str:
    who = desk.settings.institution
    spoken = wording.words(who.locale, who.zone, name="alert")
    place = alert_letter.about(row["subject_id"], row["scope"], desk.settings, spoken)
    return f"{place} · {_label(row['rule_id'], who.locale)}"


def _label(rule_id: str, locale: str) -> str:
    """How people call a rule; its id where the rule is gone."""
    return rules.read(rule_id).say("Label", locale) if rule_id in rules.names() else rule_id


@alerts_app.command()
def show(
    alert: Named,
    home: Home = HERE,
    page: Annotated[
        Path | None, typer.Option(help="Write a page to look back with: FILE.html.")
    ] = None,
) -> None:
    """One alert: what it is about, who has it in hand, and every change with who and why."""
    with _desk(home, is_read=True) as desk:
        name = alert_actions.resolve(desk.connection, alert)
        [row] = _listed(desk, since=LONG_AGO, incident_id=name)
        changes = _rows(desk, "alerts_changes", incident_id=name)
        facts = list(_facts(desk, row))
        if page is not None:
            _write_page(desk, row, changes, page)
            out.print(words(desk.spoken.text("page.written")))
            return
    for label, value in facts:
        out.print(words(f"{desk.spoken.text(f'show.{label}')} : {value}"))
    heads = desk.spoken.text("show.heads").split(" | ")
    out.print("", table(heads, [_change(desk, change) for change in changes]), sep="\n")


def write_page(settings: Settings, incident_id: str, path: Path, *, now: datetime) -> None:
    """Write the page to look back at an incident with; reads the warehouse of `settings.home`."""
    with warehouse.opened(settings.home, read_only=True) as connection:
        desk = _laid(connection, settings, now)
        [row] = _listed(desk, since=LONG_AGO, incident_id=incident_id)
        _write_page(desk, row, _rows(desk, "alerts_changes", incident_id=incident_id), path)


def _write_page(desk: Desk, row: dict[str, Any], changes: list[dict[str, Any]], path: Path) -> None:
    """A page for a look back, readable by its owner alone: it quotes people."""
    html = post_mortem.page(
        post_mortem.gather(desk.connection, row["incident_id"]),
        what=_what(desk, row),
        facts=[(desk.spoken.text(f"show.{label}"), value) for label, value in _facts(desk, row)],
        changes=[_change(desk, change) for change in changes],
        settings=desk.settings,
        as_of=desk.now,
    )
    try:
        with aside.written_aside(path) as fresh:
            fresh.touch(mode=0o600)
            fresh.write_text(html, encoding="utf-8")
    except OSError as error:
        raise VigieError(
            say("{path} cannot be written ({why}): name another", path=path, why=error.strerror)
        ) from error


def _facts(desk: Desk, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    spoken = desk.spoken
    yield "incident", row["incident_id"]
    yield "what", _what(desk, row)
    yield "state", ", ".join(spoken.text(f"state.{name}") for name in _states(row))
    yield "severity", spoken.text(f"severity.{row['severity']}")
    yield "opened", spoken.moment(row["opened_at"])
    if seen := post_mortem.last_seen(desk.connection, row["incident_id"]):
        told = post_mortem.sight(seen, desk.settings, spoken)
        lines = " · ".join(filter(None, (told["headline"], told["usual"], told["counted"])))
        yield "saw" if row["resolved_at"] else "sees", f"{lines} ({told['moment']})"
    if row["resolved_at"]:
        yield "resolved", spoken.moment(row["resolved_at"])
    if row["acked_by"]:
        moment = spoken.moment(row["acked_at"])
        yield "acked", spoken.say("show.by", who=row["acked_by"], moment=moment)
    if row["silent_until"]:
        yield "silent", spoken.say("show.until", moment=spoken.moment(row["silent_until"]))


def _change(desk: Desk, row: dict[str, Any]) -> tuple[str, ...]:
    spoken = desk.spoken
    key = f"state.{row['state_to']}"
    return (
        spoken.moment(row["changed_at"]),
        spoken.text(key) if spoken.has(key) else row["state_to"],
        spoken.text("show.rule") if row["actor"] == "rule" else row["actor"],
        post_mortem.named("reason", row["reason"] or "", spoken),
    )


# --- preview


@alerts_app.command()
def preview(
    folder: Annotated[Path, typer.Option("--out", help="The folder for the files.")],
    home: Home = HERE,
    kind: Annotated[
        str | None, typer.Option(help="One kind of letter, else every one: docs/alerts.md.")
    ] = None,
    locale: Locale = None,
) -> None:
    """Every kind of letter as files, from a rehearsed crisis: nothing is sent or recorded."""
    from pipelines import preview as rehearsed

    settings = house.read(home, environ=os.environ)
    known = rehearsed.KINDS
    if kind is not None and kind not in known:
        raise VigieError(
            say(
                "there is no letter of the kind {kind!r}: choose {known}",
                kind=kind,
                known=", ".join(known),
            )
        )
    chosen = chosen_locale(home, locale)
    kinds = (kind,) if kind else known
    spoken = wording.words(chosen, settings.institution.zone, name="alerts")
    with waiting(spoken.say("preview.rehearsed", n=len(kinds))):
        for name, subject in rehearsed.write(
            settings, kinds, folder, locale=chosen, as_of=datetime.now(UTC)
        ):
            out.print(words(f"{name:12} {subject}"), soft_wrap=True)


# --- quality


@alerts_app.command()
def quality(home: Home = HERE) -> None:
    """How often each rule was right by what moderators said, week by week, and what to change."""
    with _desk(home, is_read=True) as desk:
        alerts = judging.read(desk.connection, as_of=desk.now)
    spoken = desk.spoken
    if not alerts:
        out.print(words(spoken.text("quality.none")))
        return
    rows = [row for rule, own in judging.by_rule(alerts).items() for row in _weeks(rule, own, desk)]
    out.print(table(spoken.text("quality.heads").split(" | "), rows))
    if not any(a.is_false or a.is_right for a in alerts):
        out.print(words(spoken.text("quality.unjudged")))
        return
    for rule, own in judging.by_rule(alerts).items():
        for line in _proposal(rule, own, desk):
            out.print(words(line))
        _print_trial(rule, own, desk)
    out.print(words(spoken.text("quality.nothing")))


def _print_trial(rule: str, own: list[Judged], desk: Desk) -> None:
    """The proposal replayed over the stored mentions, so that nobody has to believe it."""
    found = judging.propose(own)
    if found is None or rule not in rules.names():
        return
    from pipelines import backtest_commands  # half a second that no other command needs

    try:
        backtest_commands.proposed(desk.settings, rule, found.factor, now=desk.now)
    except VigieError as error:
        out.print(words(str(error)))


def _weeks(rule: str, own: list[Judged], desk: Desk) -> Iterator[tuple[str, ...]]:
    spoken = desk.spoken
    yield (rule, spoken.text("quality.all"), *_shares(judging.precision(own), spoken))
    for monday, found in judging.by_week(own):
        yield ("", spoken.short_day(monday), *_shares(found, spoken))


def _shares(found: judging.Precision, spoken: Words) -> tuple[str, ...]:
    counts = (str(found.told), str(found.judged), str(found.false))
    if found.share is None:
        return (*counts, "–", "–")
    band = f"{spoken.percent(found.low)} – {spoken.percent(found.high)}"
    return (*counts, spoken.percent(found.share), band)


def _proposal(rule: str, own: list[Judged], desk: Desk) -> Iterator[str]:
    """What a higher threshold would have changed, in a sentence, and each alert it would lose."""
    spoken, count = desk.spoken, judging.precision(own).judged
    if count < judging.LEAST_JUDGED:
        yield spoken.say("quality.few", rule=rule, n=count, least=judging.LEAST_JUDGED)
        return
    found = judging.propose(own)
    if found is None:
        yield spoken.say("quality.keep", rule=rule)
        return
    yield spoken.say(
        "quality.proposal",
        rule=rule,
        factor=found.factor,
        days=(desk.now - own[0].opened_at).days + 1,
        spared=len(found.spared),
        lost=len(found.lost),
        unjudged=len(found.unjudged),
        before=_shares(found.before, spoken)[3],
        after=_shares(found.after, spoken)[3],
    )
    for each in found.unjudged:
        moment = spoken.moment(each.opened_at)
        yield spoken.say("quality.lost", id=each.incident_id[:SHOWN_ID], moment=moment)


# --- actions


@alerts_app.command()
def ack(alert: Named, home: Home = HERE, by: By = "", reason: Why = "") -> None:
    """Take an alert in hand: no reminder and no escalation, unless it gets worse."""

    def act(desk: Desk, name: str) -> Done:
        return alert_actions.acknowledge(
            desk.connection, name, actor=_who(by), at=desk.now, reason=reason
        )

    _do(home, alert, "acked", act, who=_who(by))


@alerts_app.command()
def silence(
    alert: Named,
    reason: Annotated[str, typer.Option("--reason", help="Why nobody need be told.")],
    home: Home = HERE,
    until: Annotated[
        datetime | None,
        typer.Option(parser=moment, help="End, by the institution's clock; 7 days off at most."),
    ] = None,
    hours: Annotated[
        float | None, typer.Option("--for", min=0.05, max=168, help="Or for so many hours.")
    ] = None,
    by: By = "",
) -> None:
    """Hold the mails about an alert and its like for a while; it is still recorded."""
    ends: list[datetime] = []

    def act(desk: Desk, name: str) -> Done:
        ends.append(_end(desk, until, hours))
        return alert_actions.silence(
            desk.connection, name, actor=_who(by), reason=reason, until=ends[0], at=desk.now
        )

    _do(home, alert, "silenced", act, moment=lambda spoken: spoken.moment(ends[0]))


@alerts_app.command()
def unsilence(alert: Named, home: Home = HERE, by: By = "", reason: Why = "") -> None:
    """End a silence before its time."""

    def act(desk: Desk, name: str) -> Done:
        return alert_actions.unsilence(
            desk.connection, name, actor=_who(by), at=desk.now, reason=reason
        )

    _do(home, alert, "unsilenced", act)


@alerts_app.command("false-alarm")
def false_alarm(alert: Named, home: Home = HERE, by: By = "", reason: Why = "") -> None:
    """Say that an alert should not have been one; it counts as taken in hand."""
    _judge(home, alert, "false_alarm", by, reason)


@alerts_app.command("wrong-tone")
def wrong_tone(
    alert: Named,
    home: Home = HERE,
    message: Message = None,
    better: Annotated[
        str | None, typer.Option(help=f"The right one: {', '.join(alert_actions.TONES)}.")
    ] = None,
    by: By = "",
    reason: Why = "",
) -> None:
    """Say that the tone of an alert, or of one message in it, is wrong."""
    _judge(home, alert, "wrong_tone", by, reason, message, better)


@alerts_app.command("wrong-topic")
def wrong_topic(
    alert: Named,
    home: Home = HERE,
    message: Message = None,
    better: Annotated[str | None, typer.Option(help="The right one, for example T09.")] = None,
    by: By = "",
    reason: Why = "",
) -> None:
    """Say that the topic of an alert, or of one message in it, is wrong."""
    _judge(home, alert, "wrong_topic", by, reason, message, better)


@alerts_app.command("take-back")
def take_back(
    alert: Named,
    home: Home = HERE,
    judged: Annotated[
        str, typer.Option("--judged", help="Which: false-alarm, wrong-tone or wrong-topic.")
    ] = "false-alarm",
    message: Message = None,
    by: By = "",
    reason: Why = "",
) -> None:
    """Take a judgement back, such as a mistaken one: it counts no more, and the log keeps both."""

    def act(desk: Desk, name: str) -> Done:
        return alert_actions.take_back(
            desk.connection,
            name,
            cast("alert_actions.Verdict", judged.replace("-", "_")),  # which checks it
            actor=_who(by),
            at=desk.now,
            mention_id=message,
            note=reason,
        )

    _do(home, alert, "taken_back", act)


def _judge(
    home: Path,
    alert: str,
    verdict: alert_actions.Verdict,
    by: str,
    reason: str,
    message: str | None = None,
    better: str | None = None,
) -> None:
    def act(desk: Desk, name: str) -> Done:
        return alert_actions.judge(
            desk.connection,
            name,
            verdict,
            actor=_who(by),
            at=desk.now,
            mention_id=message,
            better=better,
            note=reason,
        )

    _do(home, alert, "judged", act)


def _do(home: Path, alert: str, key: str, act: Callable[[Desk, str], Done], **values: Any) -> None:
    """Do one thing about one alert and say what came of it."""
    with _desk(home) as desk:
        name = alert_actions.resolve(desk.connection, alert)
        done = act(desk, name)
        if key == "acked":
            values["who"] = _holder(desk, name)
    told = {k: v(desk.spoken) if callable(v) else v for k, v in values.items()}
    said = key if done.is_new else f"{key}_already"
    out.print(words(desk.spoken.say(f"done.{said}", id=name[:SHOWN_ID], **told)))


def _holder(desk: Desk, name: str) -> str:
    row = desk.connection.execute(
        "select acked_by from incident_ack where incident_id = $name", {"name": name}
    ).fetchone()
    return str(row[0]) if row else ""


def _who(by: str) -> str:
    """Who acts: as named, or the account that runs the command."""
    try:
        return by.strip() or getpass.getuser()
    except (KeyError, OSError) as error:
        raise VigieError(say("this account has no name: say who acts with --by")) from error


def _end(desk: Desk, until: datetime | None, hours: float | None) -> datetime:
    """When a silence ends; a moment without a zone is one of the institution's clock."""
    if until is not None and hours is None:
        return until if until.tzinfo else until.replace(tzinfo=desk.settings.institution.zone)
    if hours is not None and until is None:
        return desk.now + timedelta(hours=hours)
    raise VigieError(say("say how long, with --until 2026-11-21T08:00 or with --for 4"))
