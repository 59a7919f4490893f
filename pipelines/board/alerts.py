"""Alerts on the board: which there are, one from its opening to its end, and what is done about it.

Actions are those of `alert_actions`, in the name of who is logged in. Where a message stands on its
network is shown to moderators; others see its text, masked, as the digest shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines import alert_actions, alert_letter, post_mortem, rules, scopes, wording
from pipelines.alert_actions import ActionError, Contradiction, Done, Judgement, Verdict
from pipelines.board.visit import Answer, Row, Stopped, Visit, ledger, rows
from pipelines.warehouse import Connection
from pipelines.wording import Words, plain

RECENT = timedelta(days=7)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
MOST = 500  # alerts on one page
HOURS = (1, 4, 12, 24, 72, 168)
VERDICTS: tuple[Verdict, ...] = ("false_alarm", "wrong_tone", "wrong_topic")
_DONE = ("acked", "silenced", "unsilenced", "judged", "taken_back")
_BESIDE = {"acked": "acked_by", "silenced": "silent_until"}


def listed(visit: Visit) -> Answer:
    """The alerts that are open and those that ended lately; with `all`, every one."""
    every = visit.query.get("all") == "1"
    since = LONG_AGO if every else visit.now - RECENT
    with ledger(visit.desk) as connection:
        found = _listed(connection, visit, since=since)
    lines = [_line(visit, row) for row in found[:MOST]]
    values = {
        "open": [line for line in lines if line["is_open"]],
        "ended": [line for line in lines if not line["is_open"]],
        "every": every,
        "is_cut": len(found) > MOST,
        "a": _words(visit),
    }
    return Answer(template="alerts", values=values)


def one(visit: Visit, *, problem: str = "", form: Mapping[str, str] | None = None) -> Answer:
    """One alert: what it is about, who has it in hand, what happened, what each letter showed."""
    name = visit.path["incident_id"]
    with ledger(visit.desk) as connection:
        row = _known(connection, visit, name)
        changes = rows(connection, "alerts_changes", {"incident_id": name})
        judged = alert_actions.judgements(connection, name)
        found = post_mortem.gather(connection, name)
    told = _words(visit)
    settings = _in_the_visitors_words(visit)
    letters = [_letter(visit, post_mortem.letter(r, found, settings, told)) for r in found.letters]
    values: dict[str, Any] = {
        "a": told,
        "alert": _line(visit, row) | {"incident_id": name},
        "changes": [_change(told, change) for change in changes],
        "judged": [_judged(visit, told, each) for each in judged],
        "mails": [post_mortem.mail(r, settings, told) for r in found.mails],
        "letters": letters,
        "named": post_mortem.named_in(found, settings, told),
        "seen": post_mortem.sight(found.seen, settings, told) if found.seen else None,
        "messages": _messages(visit, row, found.seen),
        "problem": problem,
        "form": form or {},
        "hours": HOURS,
        "verdicts": VERDICTS,
        "topics": _topic_labels(visit.w.locale),
        "done": _done(visit, told, row),
    }
    shown = sum(len(letter["messages"]) for letter in letters)
    status = 422 if problem else 200
    return Answer(template="alert", values=values, about=name[:16], shown=shown, status=status)


def _listed(
    connection: Connection, visit: Visit, *, since: datetime, incident_id: str | None = None
) -> list[Row]:
    asked = {"since": since, "as_of": visit.now, "incident_id": incident_id}
    return rows(connection, "alerts_list", asked)


def _known(connection: Connection, visit: Visit, name: str) -> Row:
    found = _listed(connection, visit, since=LONG_AGO, incident_id=name)
    if not found:
        raise Stopped("unknown")
    return found[0]


def _words(visit: Visit) -> Words:
    """The words in which alerts are told, in the visitor's language."""
    return wording.words(visit.w.locale, visit.settings.institution.zone, name="alerts")


def _in_the_visitors_words(visit: Visit) -> Any:
    settings = visit.settings
    who = settings.institution.model_copy(update={"locale": visit.w.locale})
    return settings.model_copy(update={"institution": who})


def _line(visit: Visit, row: Row) -> Row:
    """An alert as a list tells it."""
    told = _words(visit)
    mails = alert_letter.spoken(visit.settings.institution.zone, visit.w.locale)
    states = [row["state"], *(name for name, key in _BESIDE.items() if row[key])]
    states += [mark for mark in row["marks"] if mark not in _BESIDE]
    return {
        "incident_id": row["incident_id"],
        "where": alert_letter.about(row["subject_id"], row["scope"], visit.settings, mails),
        "rule": _rule(row["rule_id"], visit.w.locale),
        "severity": row["severity"],
        "states": [told.text(f"state.{s}") if told.has(f"state.{s}") else s for s in states],
        "is_open": row["resolved_at"] is None,
        "is_acked": row["acked_by"] is not None,
        "is_silent": row["silent_until"] is not None,
        "opened": told.moment(row["opened_at"]),
        "resolved": told.moment(row["resolved_at"]) if row["resolved_at"] else "",
        "acked": _by(told, row) if row["acked_by"] else "",
        "silent": _until(told, row["silent_until"]) if row["silent_until"] else "",
    }


def _messages(visit: Visit, row: Row, seen: Row | None) -> dict[str, str] | None:
    """The search that finds what was said while the alert lasted, to the minute, from the start of
    the window in which its rule counts; None where it has no subject."""
    if row["subject_id"] is None:
        return None
    zone = visit.settings.institution.zone
    ends = row["resolved_at"] or visit.now
    window = timedelta(minutes=seen["alert"].window_minutes if seen else 60)
    first, last = (at.astimezone(zone) for at in (row["opened_at"] - window, ends))
    found = {"since": f"{first:%Y-%m-%d}", "until": f"{last:%Y-%m-%d}"}
    found |= {"from": f"{first:%H:%M}", "to": f"{last:%H:%M}", "subject": row["subject_id"]}
    found |= {"tone": "negative"} if row["rule_id"] == "negative_surge" else {}
    is_topic = row["scope"] in dict(_topic_labels(visit.w.locale))
    return found | ({"topic": row["scope"]} if is_topic else {})


def _by(told: Words, row: Row) -> str:
    return told.say("show.by", who=plain(row["acked_by"]), moment=told.moment(row["acked_at"]))


def _until(told: Words, at: datetime) -> str:
    return told.say("show.until", moment=told.moment(at))


def _rule(rule_id: str, locale: str) -> str:
    """How people call a rule; its id where the rule is gone."""
    return rules.read(rule_id).say("Label", locale) if rule_id in rules.names() else plain(rule_id)


def _change(told: Words, row: Row) -> tuple[str, ...]:
    key = f"state.{row['state_to']}"
    return (
        told.moment(row["changed_at"]),
        told.text(key) if told.has(key) else plain(row["state_to"]),
        told.text("show.rule") if row["actor"] == "rule" else plain(row["actor"]),
        post_mortem.named("reason", row["reason"], told),
    )


def _judged(visit: Visit, told: Words, said: Judgement) -> Row:
    """A judgement that stands, as the page tells it: what is wrong, what is right, who and when."""
    names = dict(_topic_labels(visit.w.locale)) | {
        tone: visit.w.text(f"tones.{tone}") for tone in alert_actions.TONES
    }
    what = visit.w.text(f"alert.judged_{said.verdict}")
    if said.better:
        better = names.get(said.better, plain(said.better))
        what = visit.w.say("alert.judged_better", what=what, better=better)
    if said.mention_id:
        what = visit.w.say("alert.judged_message", what=what, message=plain(said.mention_id)[:16])
    by = told.say("show.by", who=plain(said.actor), moment=told.moment(said.labelled_at))
    return {"verdict": said.verdict, "mention": said.mention_id or "", "what": what, "by": by}


def _letter(visit: Visit, letter: Row) -> Row:
    """A letter with its networks as people call them; addresses are for moderators."""
    mails = alert_letter.spoken(visit.settings.institution.zone, visit.w.locale)
    hidden = {} if visit.session.role == "moderator" else {"url": None, "host": None}
    messages = [
        message | {"network": alert_letter.network(message["network"], mails)} | hidden
        for message in letter["messages"]
    ]
    return letter | {"messages": messages}


def _topic_labels(locale: str) -> list[tuple[str, str]]:
    from models.taxonomy import taxonomy

    return [(topic.id, scopes.label(topic.id, locale)) for topic in taxonomy()]


# --- actions


def acknowledge(visit: Visit) -> Answer:
    """Take the alert in hand."""

    def act(connection: Connection, name: str) -> Done:
        return alert_actions.acknowledge(connection, name, actor=visit.session.name, at=visit.now)

    return _acted(visit, "acked", act)


def silence(visit: Visit) -> Answer:
    """Hold the mails about the alert for some hours, with a reason."""

    def act(connection: Connection, name: str) -> Done:
        hours = visit.form.get("hours", "")
        if hours not in [str(each) for each in HOURS]:
            raise ActionError(visit.w.text("alert.problem_hours"))
        reason = plain(visit.form.get("reason", ""))
        if len(reason) < 3:
            raise ActionError(visit.w.text("alert.problem_reason"))
        return alert_actions.silence(
            connection,
            name,
            actor=visit.session.name,
            reason=reason,
            until=visit.now + timedelta(hours=int(hours)),
            at=visit.now,
        )

    return _acted(visit, "silenced", act)


def unsilence(visit: Visit) -> Answer:
    """End the silence."""

    def act(connection: Connection, name: str) -> Done:
        return alert_actions.unsilence(connection, name, actor=visit.session.name, at=visit.now)

    return _acted(visit, "unsilenced", act)


def judge(visit: Visit) -> Answer:
    """Say that the alert, its tone or its topic is wrong."""

    def act(connection: Connection, name: str) -> Done:
        verdict = _verdict(visit)
        if problem := _contradiction(visit, verdict):
            raise ActionError(visit.w.text(f"alert.{problem}"))
        return alert_actions.judge(
            connection,
            name,
            verdict,
            actor=visit.session.name,
            at=visit.now,
            better=_better(visit, verdict),
            note=visit.form.get("reason", ""),
        )

    return _acted(visit, "judged", act)


def _verdict(visit: Visit) -> Verdict:
    """The judgement of the form; ActionError where it is none of ours."""
    for verdict in VERDICTS:
        if verdict == visit.form.get("verdict"):
            return verdict
    raise ActionError(visit.w.text("alert.problem_verdict"))


def take_back(visit: Visit) -> Answer:
    """Take back a judgement that stands, of the alert or of one message in it."""

    def act(connection: Connection, name: str) -> Done:
        verdict = _verdict(visit)
        return alert_actions.take_back(
            connection,
            name,
            verdict,
            actor=visit.session.name,
            at=visit.now,
            mention_id=visit.form.get("mention") or None,
            note=visit.form.get("reason", ""),
        )

    return _acted(visit, "taken_back", act)


def _contradiction(visit: Visit, verdict: Verdict) -> str | None:
    """Which sentence says what is wrong with a judgement: its other fields must be about it."""
    tone, topic = visit.form.get("tone", ""), visit.form.get("topic", "")
    other = {"wrong_tone": topic, "wrong_topic": tone}.get(verdict, tone or topic)
    if not other and alert_actions.is_whole(verdict, _better(visit, verdict)):
        return None
    return f"problem_{verdict}"


def _better(visit: Visit, verdict: Verdict) -> str | None:
    """What would have been right: the tone or topic that the form names."""
    named = {"wrong_tone": "tone", "wrong_topic": "topic"}.get(verdict, "")
    return visit.form.get(named) or None


def _acted(visit: Visit, what: str, act: Any) -> Answer:
    """Do one thing in a transaction, then show the alert; the form again where it was wrong."""
    name = visit.path["incident_id"]
    try:
        with ledger(visit.desk, read_only=False) as connection:
            _known(connection, visit, name)
            done = act(connection, name)
    except Contradiction:
        return one(visit, problem=visit.w.text("alert.problem_judged"), form=visit.form)
    except ActionError as error:
        return one(visit, problem=error.told(visit.w.locale), form=visit.form)
    said = what if done.is_new else f"{what}_already"
    return Answer(to=f"/alerts/{name}?done={said}", about=name[:16])


def _done(visit: Visit, told: Words, row: Row) -> str:
    """What came of the action that led here, in the words of `vigie alerts`."""
    said = visit.query.get("done", "")
    if said.removesuffix("_already") not in _DONE:
        return ""
    values = {
        "id": row["incident_id"][:8],
        "who": plain(row["acked_by"] or ""),
        "moment": told.moment(row["silent_until"]) if row["silent_until"] else "",
    }
    return told.say(f"done.{said}", **values)
