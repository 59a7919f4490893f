"""What a person does about an incident: acknowledge, silence, judge, and take a judgement back.

Nothing here sends a mail. Each action is one transaction, writes its line in the log
(`incident_event`: who, when, why), and done again changes nothing. The board's links and `vigie
alerts` call the same functions. The clock and the person are arguments; who they are is for the
caller to make sure of.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from models.taxonomy import taxonomy
from pipelines import warehouse
from pipelines.errors import VigieError
from pipelines.said import say
from pipelines.warehouse import Connection
from pipelines.wording import plain

Verdict = Literal["false_alarm", "wrong_tone", "wrong_topic"]
TONES = ("negative", "neutral", "positive", "undetermined")
LONGEST_SILENCE = timedelta(days=7)
_NAME, _REASON = 120, 500  # characters at most
_NOBODY = ("rule", "vigie.toml")  # as the log calls what no person did
# What the log calls a judgement. 'false' is what the digest and its readers know.
_LOGGED = {"false_alarm": "false", "wrong_tone": "wrong_tone", "wrong_topic": "wrong_topic"}
# A judgement is taken back by a row of its own, whose verdict is the same with this before it.
_NOT = "not_"
_NEXT = timedelta(microseconds=1)


class ActionError(VigieError):
    """An action that cannot be done as it was asked; its message says what to do instead."""


class Contradiction(ActionError):
    """A judgement against one that stands of the same alert, or of the same message in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an action did; `is_new` is False where it was so already and nothing was changed."""

    incident_id: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence that holds: of which trouble, until when (aware UTC), by whom and why."""

    silence_id: str
    fingerprint: str
    until_at: datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A judgement that stands, of an alert or of the message `mention_id` in it: what, by whom and
    when (aware UTC); `better` is the tone or topic that would have been right."""

    verdict: Verdict
    mention_id: str | None
    better: str | None
    actor: str
    labelled_at: datetime


def acknowledge(
    connection: Connection, incident_id: str, *, actor: str, at: datetime, reason: str = ""
) -> Done:
    """Note that `actor` has the incident in hand: no reminder and no escalation from now on.

    It lapses by itself when the incident gets worse or begins anew. It takes the place of one that
    came only of calling the alert false: that one goes when the judgement is taken back.
    """
    who, why = _name(actor), _text(reason)
    with warehouse.transaction(connection):
        since = _freed(connection, [incident_id], at)
        found = _incident(connection, incident_id)
        is_new = _acknowledge(connection, found, who, why, since)
    return Done(incident_id=incident_id, is_new=is_new)


def acknowledge_all(
    connection: Connection, incident_ids: Sequence[str], *, actor: str, at: datetime
) -> int:
    """Note that `actor` has these incidents in hand; how many nobody had before, but by calling
    them false.

    One transaction, three statements for however many.
    """
    found: dict[str, Any] = {"incident_ids": list(incident_ids), "actor": _name(actor)}
    with warehouse.transaction(connection):
        found["made_at"] = _freed(connection, incident_ids, at)
        held = "select count(*) from incident_ack"
        (before,) = connection.execute(held).fetchone() or (0,)
        warehouse.run(connection, "writes/incidents_ack", found)
        (after,) = connection.execute(held).fetchone() or (0,)
    return int(after - before)


def silence(
    connection: Connection,
    incident_id: str,
    *,
    actor: str,
    reason: str,
    until: datetime,
    at: datetime,
) -> Done:
    """Hold every mail about the trouble of an incident until `until`, seven days off at most.

    Another end, person or reason takes the place of the silence before; rules go on, and record.
    """
    who, why, end = _name(actor), _text(reason), _end(until, at)
    if len(why) < 3:
        raise ActionError(
            say("a silence needs a reason: say in a few words why nobody need be told")
        )
    with warehouse.transaction(connection):
        found = _incident(connection, incident_id)
        held = silences(connection, as_of=at, fingerprint=found["fingerprint"])
        if any((s.until_at, s.actor, s.reason) == (end, who, why) for s in held):
            return Done(incident_id=incident_id, is_new=False)
        _end_silences(connection, held, who, at)
        row = {"made_at": at, "actor": who, "reason": why, "until_at": end}
        name = _digest(found["fingerprint"], at.isoformat(), end.isoformat(), who, why)
        row |= {"silence_id": name, "incident_id": incident_id}
        row |= {"fingerprint": found["fingerprint"]}
        warehouse.run(connection, "writes/silence_add", row)
        _log(connection, found, "silenced", who, why, at)
    return Done(incident_id=incident_id, is_new=True)


def unsilence(
    connection: Connection, incident_id: str, *, actor: str, at: datetime, reason: str = ""
) -> Done:
    """End the silence of an incident's trouble; nothing where there is none."""
    who, why = _name(actor), _text(reason)
    with warehouse.transaction(connection):
        found = _incident(connection, incident_id)
        held = silences(connection, as_of=at, fingerprint=found["fingerprint"])
        _end_silences(connection, held, who, at)
        if held:
            _log(connection, found, "unsilenced", who, why, at)
    return Done(incident_id=incident_id, is_new=bool(held))


def judge(
    connection: Connection,
    incident_id: str,
    verdict: Verdict,
    *,
    actor: str,
    at: datetime,
    mention_id: str | None = None,
    better: str | None = None,
    note: str = "",
) -> Done:
    """Label an alert, or one message in it, as wrongly told; a label changes no rule or model.

    `better` is the right tone (of TONES) or the right topic's id; `mention_id` the message meant.
    Another `better` takes the place of the one before; another verdict is a Contradiction where it
    cannot be true beside one that stands. Who calls an alert false has seen it: it is acknowledged
    as well.
    """
    who, why = _name(actor), _text(note)
    _check_verdict(verdict, mention_id)
    _check_better(verdict, better)
    if verdict == "false_alarm" and mention_id is not None:
        raise ActionError(say("a false alarm is said of the whole alert: name no message"))
    with warehouse.transaction(connection):
        found = _incident(connection, incident_id)
        _check_standing(connection, incident_id, verdict, mention_id)
        held = _standing(connection, incident_id, verdict, mention_id)
        if held and (held.better, held.actor) == (better, who):
            return Done(incident_id=incident_id, is_new=False)
        said_at = _after(connection, incident_id, at)
        _label(connection, found, verdict, who, why, said_at, mention_id, better)
        if verdict == "false_alarm":
            _acknowledge(connection, found, who, why or "false_alarm", said_at)
    return Done(incident_id=incident_id, is_new=True)


def take_back(
    connection: Connection,
    incident_id: str,
    verdict: Verdict,
    *,
    actor: str,
    at: datetime,
    mention_id: str | None = None,
    note: str = "",
) -> Done:
    """Take a judgement back, whoever made it; nothing where it does not stand.

    The log keeps both. An alert that was in hand only by being called false is in nobody's hands
    again, so that who should be told of it is.
    """
    who, why = _name(actor), _text(note)
    _check_verdict(verdict, mention_id)
    with warehouse.transaction(connection):
        found = _incident(connection, incident_id)
        if _standing(connection, incident_id, verdict, mention_id) is None:
            return Done(incident_id=incident_id, is_new=False)
        said_at = _after(connection, incident_id, at)
        _label(connection, found, f"{_NOT}{verdict}", who, why, said_at, mention_id, None)
        if verdict == "false_alarm":
            _release(connection, found, who, said_at)
    return Done(incident_id=incident_id, is_new=True)


def is_whole(verdict: Verdict, better: str | None) -> bool:
    """Whether `better` is what that verdict needs: the right tone, the right topic, or nothing."""
    if verdict == "false_alarm":
        return better is None
    return better in (TONES if verdict == "wrong_tone" else [topic.id for topic in taxonomy()])


def judgements(connection: Connection, incident_id: str) -> tuple[Judgement, ...]:
    """The judgements of an alert that stand: of the alert itself first, then of its messages."""
    asked = {"incident_id": incident_id}
    rows = warehouse.run(connection, "queries/alert_judgements", asked).fetchall()
    return tuple(
        Judgement(
            verdict=verdict,
            mention_id=mention_id,
            better=better,
            actor=actor,
            labelled_at=at.astimezone(UTC),
        )
        for verdict, mention_id, better, actor, at in rows
    )


def silences(
    connection: Connection, *, as_of: datetime, fingerprint: str | None = None
) -> tuple[Silence, ...]:
    """The silences that hold at `as_of`, of one trouble or of all."""
    asked = {"as_of": as_of, "fingerprint": fingerprint}
    rows = warehouse.run(connection, "writes/silence_active", asked).fetchall()
    return tuple(
        Silence(
            silence_id=name,
            fingerprint=of,
            until_at=until.astimezone(UTC),
            actor=actor,
            reason=reason,
        )
        for name, of, until, actor, reason in rows
    )


def resolve(connection: Connection, named: str) -> str:
    """The id of the one incident whose id begins with `named` (four characters or more)."""
    start = named.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{4,64}", start):
        raise ActionError(
            say(
                "{named!r} is no incident's id: write four or more of the letters and digits that "
                "`vigie alerts list` shows first",
                named=plain(named)[:40],
            )
        )
    found = connection.execute(
        "select incident_id from incident where starts_with(incident_id, $start) limit 2",
        {"start": start},
    ).fetchall()
    if len(found) == 1:
        return str(found[0][0])
    what = say("more than one incident begins") if found else say("no incident begins")
    raise ActionError(
        say(
            "{what} with {start!r}: `vigie alerts list --all` shows every one",
            what=what,
            start=start,
        )
    )


def _incident(connection: Connection, incident_id: str) -> dict[str, Any]:
    found = warehouse.run(connection, "writes/action_subject", {"incident_id": incident_id})
    names = [column[0] for column in found.description or ()]
    row = found.fetchone()
    if row is None:
        raise ActionError(
            say(
                "there is no incident {name!r}: `vigie alerts list` shows those there are",
                name=plain(incident_id)[:40],
            )
        )
    return dict(zip(names, row, strict=True))


def _acknowledge(
    connection: Connection, found: dict[str, Any], actor: str, reason: str, at: datetime
) -> bool:
    if found["acked_at"] is not None:
        return False
    row = {"incident_id": found["incident_id"], "made_at": at, "actor": actor}
    warehouse.run(connection, "writes/incident_ack", row)
    _log(connection, found, "acked", actor, reason, at)
    return True


def _end_silences(
    connection: Connection, held: tuple[Silence, ...], actor: str, at: datetime
) -> None:
    for each in held:
        row = {"silence_id": each.silence_id, "made_at": at, "actor": actor}
        warehouse.run(connection, "writes/silence_end", row)


def _standing(
    connection: Connection, incident_id: str, verdict: Verdict, mention_id: str | None
) -> Judgement | None:
    """The judgement of that kind, of the alert or of one message, where one stands."""
    own = (verdict, mention_id)
    said = judgements(connection, incident_id)
    return next((each for each in said if (each.verdict, each.mention_id) == own), None)


def _after(connection: Connection, incident_id: str, at: datetime) -> datetime:
    """`at`, or the instant after the last judgement where that was later: the last one stands, and
    two of the same instant have no order."""
    asked = "select max(labelled_at) from alert_label where incident_id = $name"
    (last,) = connection.execute(asked, {"name": incident_id}).fetchone() or (None,)
    return max(at, last.astimezone(UTC) + _NEXT) if last else at


def _release(connection: Connection, found: dict[str, Any], actor: str, at: datetime) -> None:
    """Nobody has the alert in hand any more, where calling it false had taken it in hand."""
    if _unack(connection, [found["incident_id"]]):
        _log(connection, found, "unacked", actor, "taken_back", at)


def _freed(connection: Connection, incident_ids: Sequence[str], at: datetime) -> datetime:
    """Make room for whoever takes in hand what was so only by being called false; `at`, or the
    instant after that where it was later."""
    return max([at, *(held + _NEXT for held in _unack(connection, incident_ids))])


def _unack(connection: Connection, incident_ids: Sequence[str]) -> list[datetime]:
    """Put out of hand what is in hand only by being called false; since when each was (aware)."""
    asked = {"incident_ids": list(incident_ids)}
    found = warehouse.run(connection, "writes/judgement_unack", asked).fetchall()
    return [acked_at.astimezone(UTC) for (acked_at,) in found]


def _label(
    connection: Connection,
    found: dict[str, Any],
    verdict: str,
    actor: str,
    note: str,
    at: datetime,
    mention_id: str | None,
    better: str | None,
) -> None:
    """Write a judgement, or that it is taken back, and its line in the log."""
    said = (verdict, mention_id or "", better or "", actor, at.isoformat())
    name = _digest(found["incident_id"], *said)
    row = {key: found[key] for key in ("incident_id", "rule_id", "rule_version")}
    row |= {"label_id": name, "mention_id": mention_id, "verdict": verdict, "better": better}
    row |= {"note": note, "actor": actor, "made_at": at}
    warehouse.run(connection, "writes/alert_label_add", row)
    kind = verdict.removeprefix(_NOT)
    logged = _LOGGED[kind] if kind == verdict else f"{_NOT}{_LOGGED[kind]}"
    _log(connection, found, logged, actor, note, at)


def _log(
    connection: Connection,
    found: dict[str, Any],
    to: str,
    actor: str,
    reason: str,
    at: datetime,
) -> None:
    event = {
        "incident_id": found["incident_id"],
        "changed_at": at,
        "state_from": found["state"],
        "state_to": to,
        "reason": reason,
        "actor": actor,
    }
    warehouse.run(connection, "writes/incident_event_add", event)


def _check_verdict(verdict: Verdict, mention_id: str | None) -> None:
    if verdict not in _LOGGED:
        raise ActionError(
            say(
                "there is no verdict {verdict!r}: choose one of {known}",
                verdict=plain(verdict)[:40],
                # As commands and their options write them.
                known=", ".join(_LOGGED).replace("_", "-"),
            )
        )
    if mention_id is not None and len(mention_id) > _NAME:
        raise ActionError(say("a message's id is longer than any there is: check it"))


def _check_better(verdict: Verdict, better: str | None) -> None:
    if is_whole(verdict, better):
        return
    if verdict == "wrong_tone":
        raise ActionError(say("say which tone is right: one of {tones}", tones=", ".join(TONES)))
    if verdict == "wrong_topic":
        raise ActionError(say("say which topic is right, for example T09: models/taxonomy has all"))
    raise ActionError(say("a false alarm has no tone or topic to put right: name none"))


def _check_standing(
    connection: Connection, incident_id: str, verdict: Verdict, mention_id: str | None
) -> None:
    """Contradiction where a false alarm is also called wrong in its tone or topic, or the reverse:
    that rule is here, for the board, the links and the command line."""
    judged = judgements(connection, incident_id)
    said = {each.verdict for each in judged if each.mention_id == mention_id}
    if said and (verdict == "false_alarm") != ("false_alarm" in said):
        raise Contradiction(
            say(
                "a judgement that says otherwise stands: a false alarm has no tone or topic to put "
                "right; take that one back first, with `vigie alerts take-back`"
            )
        )


def _name(actor: str) -> str:
    """Who acts, on one line; ActionError where nobody is named."""
    name = plain(actor)
    if not name or len(name) > _NAME:
        raise ActionError(
            say("say who acts, in {n} characters at most: a name or a mail address", n=_NAME)
        )
    if name in _NOBODY:
        raise ActionError(
            say("{name!r} is what the log calls what no person did: use another name", name=name)
        )
    return name


def _text(reason: str) -> str:
    text = plain(reason)
    if len(text) > _REASON:
        raise ActionError(
            say(
                "a reason has {most} characters at most: this one has {n}",
                most=_REASON,
                n=len(text),
            )
        )
    return text


def _end(until: datetime, at: datetime) -> datetime:
    if until <= at:
        raise ActionError(
            say(
                "the silence would end {until:%Y-%m-%d %H:%M}, which is over: choose a later end",
                until=until,
            )
        )
    if until - at > LONGEST_SILENCE:
        raise ActionError(
            say(
                "a silence ends within seven days, {last:%Y-%m-%d %H:%M} (UTC) at the latest: "
                "choose an earlier end, and silence again then if need be",
                last=at + LONGEST_SILENCE,
            )
        )
    return until.astimezone(UTC)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]
