"""Every kind of letter as it would leave today: rules and mails run on a rehearsed crisis.

Nothing is canned: `rehearsal` fills a warehouse in a folder of its own, the rules are asked moment
by moment as a run asks them, and what comes out is the letter that stood in the outbox. Nothing is
sent. A kind of which no letter comes is an error, so that a rule that fell silent is seen.
"""

from __future__ import annotations

import shutil
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from pipelines import detect, handover, notify, rehearsal, warehouse, warning_round
from pipelines.errors import VigieError
from pipelines.holidays import is_holiday
from pipelines.rehearsal import SOURCES, Wave
from pipelines.settings import OnCall, Recipient, Settings, Shift, Web

_DAY = timedelta(days=1)
FIRST, SECOND, HEAD, WATCH = (
    Recipient(name=name, email=f"{name.lower()}@vigie.example", role=role, gets=gets)
    for name, role, gets in (
        ("Astreinte", "moderator", ("alerts",)),
        ("Renfort", "moderator", ("alerts",)),
        ("Direction", "director", ("digest",)),
        ("Exploitation", "operator", ("failures",)),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What is said and when the rules are asked, in minutes after `at` by the institution's clock.

    `wanted` is what the letter in question was sent for (`reason`), `rule` which rule it is about
    where that matters. `waves`: theme, first minute, minutes, messages. `gone`: since when a source
    is not read. `rota` is 'kept', 'ended' (nobody is on call) or 'changes' at the next midnight.
    """

    wanted: str
    ticks: tuple[int, ...]
    waves: tuple[tuple[str, int, int, int], ...] = ()
    at: time = time(14)
    rule: str | None = None
    gone: Mapping[str, int] | None = None
    rota: str = "kept"
    recipients: tuple[Recipient, ...] = (FIRST, SECOND, HEAD, WATCH)
    is_acked: bool = False


_WATER = ("water", 0, 60, 90)
# Rules are asked as often as each story needs, and no oftener: once takes half a second.
PLAYS: Mapping[str, Play] = {
    "firing": Play(wanted="first", waves=(_WATER,), ticks=(30,), rule="topic_surge"),
    "update": Play(
        wanted="volume_doubled", waves=(("water", 0, 30, 30), ("water", 30, 40, 160)),
        ticks=(20, *range(30, 75, 10)),
    ),
    "escalation": Play(wanted="escalation", waves=(_WATER,), ticks=(30, 45)),
    "reminder": Play(
        wanted="repeat", waves=(("water", 0, 400, 600),), ticks=(30, 60, 150, 270, 330, 395)
    ),
    "resolved": Play(wanted="resolved", waves=(_WATER,), ticks=(30, *range(60, 540, 30))),
    "unstable": Play(
        wanted="unstable", at=time(7, 30),
        waves=tuple(("joy", start, 20, 40) for start in range(0, 9 * 60, 120)),
        ticks=tuple(range(30, 9 * 60, 30)),
    ),
    "night": Play(
        wanted="held_for_morning", at=time(22, 30), waves=(("joy", 0, 40, 40),),
        ticks=(*range(10, 60, 10), 8 * 60 + 35),
    ),
    "nobody": Play(wanted="first", waves=(_WATER,), ticks=(30,), rota="ended"),
    "nobody_named": Play(wanted="first", waves=(_WATER,), ticks=(30,), recipients=(HEAD, WATCH)),
    "late": Play(wanted="first", waves=(_WATER,), ticks=(30,), gone={"mastodon": -180}),
    "grouped": Play(
        wanted="first", waves=(_WATER, ("claim", 0, 25, 14), ("threat", 10, 5, 1)), ticks=(30,),
    ),
    "round": Play(
        wanted="round", at=time(15), waves=(("claim", 0, 40, 8), ("service", 125, 55, 19)),
        ticks=(30, 40, 45, 110, 170, 180),
    ),
    "handover": Play(
        wanted="shift_changed", at=time(23), waves=(_WATER,), ticks=(30, 60), rota="changes"
    ),
    "claim": Play(
        wanted="first", waves=(("claim", 0, 40, 8),), ticks=(30, 40, 45), rule="claim_spreads"
    ),
    "call": Play(
        wanted="first", waves=(("gather", 0, 40, 7),), ticks=(30, 40, 45), rule="call_to_gather"
    ),
    "threat": Play(wanted="first", waves=(("threat", 0, 2, 1),), ticks=(5,), rule="threat"),
    "service": Play(
        wanted="first", at=time(18, 30), waves=(("service", 0, 60, 19),), ticks=(45, 55, 60),
        rule="service_outage",
    ),
    "source": Play(wanted="first", ticks=(0, 10), gone={"mastodon": -250}, rule="silent_source"),
}  # fmt: skip
KINDS = tuple(PLAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One letter of a rehearsal, as a mail, and the warehouse from which it came."""

    kind: str
    mail: EmailMessage
    settings: Settings
    incident_id: str | None
    at: datetime


def write(
    settings: Settings, kinds: Sequence[str], folder: Path, *, locale: str, as_of: datetime
) -> Iterator[tuple[str, str]]:
    """Write the letters of `kinds` to a folder, as .html, .txt and .eml: each kind and subject."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as rehearsed:
        ready = begun(settings, Path(rehearsed), locale=locale, as_of=as_of)
        for kind in kinds:
            mail = letter(ready, kind, as_of=as_of).mail
            path = folder / f"{kind}.{locale}"
            path.with_name(f"{path.name}.html").write_text(html(mail), encoding="utf-8")
            path.with_name(f"{path.name}.txt").write_text(text(mail), encoding="utf-8")
            path.with_name(f"{path.name}.eml").write_bytes(mail.as_bytes())
            yield kind, str(mail["Subject"])


def begun(settings: Settings, folder: Path, *, locale: str, as_of: datetime) -> Settings:
    """An institution like that of `settings` in `folder`, with a quiet month behind it.

    Its people and sources are invented; name, place, clock and first subject are its own.
    """
    day = _ordinary(as_of.astimezone(settings.institution.zone).date())
    institution = settings.institution.model_copy(update={"locale": locale})
    made = settings.model_copy(
        update={
            "home": folder / "begun",
            "institution": institution,
            "subjects": settings.subjects[:1],
            "sources": SOURCES,
            "recipients": (FIRST, SECOND, HEAD, WATCH),
            "web": settings.web if settings.web.url else Web(url="https://vigie.example"),
            "rota": (),
            "on_call": OnCall(),
            "channels": (),
            "events": (),
            "canaries": (),
        }
    )
    rehearsal.begin(made, midnight=_instant(made, day, time()))
    return made


def _ordinary(day: date) -> date:
    """The last day before `day` on which people work, as warnings wait on the others."""
    day -= 2 * _DAY
    while day.weekday() >= 4 or is_holiday(day) or is_holiday(day + _DAY):
        day -= _DAY
    return day


def _instant(settings: Settings, day: date, at: time) -> datetime:
    return datetime.combine(day, at, settings.institution.zone).astimezone(UTC)


def letter(begun: Settings, kind: str, *, as_of: datetime) -> Shown:
    """The letter of one kind, from a copy of a month that has begun.

    VigieError when no such letter was written.
    """
    play = PLAYS[kind]
    day = _ordinary(as_of.astimezone(begun.institution.zone).date())
    settings = _dressed(begun, play, kind, day)
    zero = _instant(settings, day, play.at)
    _load(settings, play, zero, _instant(settings, day, time()))
    for minutes in play.ticks:
        _evaluate(settings, zero + timedelta(minutes=minutes))
    return _found(settings, kind)


def _dressed(begun: Settings, play: Play, kind: str, day: date) -> Settings:
    home = begun.home.with_name(kind)
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(begun.home, home)
    spans = {"kept": (-1, 2), "ended": (-3, -1), "changes": (-1, 0)}
    first, last = (day + days * _DAY for days in spans[play.rota])
    rota = [Shift(email=FIRST.email, from_on=first, to_on=last)]
    if play.rota == "changes":
        rota.append(Shift(email=SECOND.email, from_on=last + _DAY, to_on=last + 2 * _DAY))
    is_named = FIRST in play.recipients
    changed = {"home": home, "recipients": play.recipients, "rota": tuple(rota) if is_named else ()}
    return begun.model_copy(update=changed)


def _load(settings: Settings, play: Play, zero: datetime, midnight: datetime) -> None:
    end = zero + timedelta(minutes=max(play.ticks))
    gone = {name: zero + timedelta(minutes=since) for name, since in (play.gone or {}).items()}
    waves = [
        Wave(theme=theme, start=zero + timedelta(minutes=first), minutes=minutes, count=count)
        for theme, first, minutes, count in play.waves
    ]
    rehearsal.add(
        settings,
        rehearsal.waves(waves, settings),
        windows=rehearsal.readings(midnight, end, but=gone),
        failed=[(name, since, end) for name, since in gone.items()],
        as_of=end,
    )


def _evaluate(settings: Settings, at: datetime) -> None:
    """What a run does at the end of its window, but for sending."""
    with warehouse.opened(settings.home) as connection:
        alerts = detect.detect(connection, settings=settings, as_of=at, keeps=True)
        notify.record(connection, alerts, settings=settings, as_of=at)
        handover.record(connection, settings=settings, as_of=at)
        warning_round.record(connection, settings=settings, as_of=at)


def _found(settings: Settings, kind: str) -> Shown:
    play = PLAYS[kind]
    with warehouse.opened(settings.home, read_only=True) as connection:
        rows = connection.execute(
            "select message, reason, rule_id, incident_id, created_at from outbox"
            " left join incident using (incident_id)"
            " where channel = 'email' order by created_at, outbox_key"
        ).fetchall()
    for message, reason, rule, incident_id, at in rows:
        if reason == play.wanted and play.rule in (None, rule):
            mail = message_from_bytes(message, policy=policy.default)
            return Shown(kind=kind, mail=mail, settings=settings, incident_id=incident_id, at=at)
    told = ", ".join(f"{reason} of {rule}" for _, reason, rule, *_ in rows) or "nothing"
    raise VigieError(
        f"the rehearsal of {kind!r} told {told}, and not {play.wanted!r}: a rule or a threshold has"
        " changed; see sql/alerts, or the messages of pipelines/templates/rehearsal.toml"
    )


def html(mail: EmailMessage) -> str:
    """The HTML of a mail with its pictures inside, to open in a browser."""
    part = mail.get_body(("html",))
    page = str(part.get_content()) if part else ""
    for piece in mail.walk():
        if cid := piece["Content-ID"]:
            picture = b64encode(_bytes(piece)).decode()
            page = page.replace(f"cid:{cid.strip('<>')}", f"data:image/png;base64,{picture}")
    return page


def _bytes(part: Any) -> bytes:
    return bytes(part.get_payload(decode=True))


def text(mail: EmailMessage) -> str:
    """The plain text of a mail, under the headers that a reader sees."""
    part = mail.get_body(("plain",))
    heads = "".join(f"{name}: {mail[name]}\n" for name in ("From", "To", "Subject", "Date"))
    return f"{heads}\n{part.get_content() if part else ''}"
