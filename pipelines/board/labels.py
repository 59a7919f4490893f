"""The labelling desk: one message at a time, its tone, topics and acts, and where people disagree.

What models or others say of a message is shown once it has been answered, never before. No author
and no address is shown. While a run holds the warehouse an answer is not lost: the page that says
so carries it, to be sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from models import lexicons
from models.acts import ACTS
from models.sentiment import LABELS as TONES
from models.taxonomy import taxonomy
from pipelines import alert_letter, gold_set, labelling, labels
from pipelines.agreement import Agreement, verdict
from pipelines.board.visit import Answer, Row, Stopped, Visit, ledger
from pipelines.labelling import LabelError
from pipelines.labels import Answer as Said
from pipelines.warehouse import Connection
from pipelines.wording import Words, plain

UNSAID = "unsaid"  # a tone that cannot be said
_NONE = "none"
_MOST_DISPUTES = 50


# --- pages


def following(visit: Visit) -> Answer:
    """The next message to label, what came of the last, and how far the labelling is."""
    who = visit.session.name
    with ledger(visit.desk) as connection:
        row = labels.following(connection, who)
        found = labels.task(connection, row["task_id"], who) if row else None
        values = _around(connection, visit)
    if found is None:
        return Answer(template="labels", values=values | {"task": None, "form": {}, "problem": ""})
    return _asked(visit, found, values)


def one(visit: Visit, *, problem: str = "") -> Answer:
    """One message to label: of the queue, one whose answer was taken back, or a form to mend."""
    name = visit.path["task_id"]
    with ledger(visit.desk) as connection:
        found = _known(connection, visit, name)
        if found["answer"] is not None and not problem:
            return Answer(to=f"/labels?done={name}", about=name)
        values = _around(connection, visit)
        before = labels.former(connection, name, visit.session.name)
    form = visit.form or (_filled([before]) if before else {})
    return _asked(visit, found, values, form=form, problem=problem)


def _asked(
    visit: Visit,
    found: Row,
    values: Row,
    *,
    form: Mapping[str, str] | None = None,
    problem: str = "",
) -> Answer:
    values |= {
        "task": _shown(visit, found),
        "form": form or {},
        "problem": problem,
        "guide": _guide(visit.w.locale),
        "action": f"/labels/task/{found['task_id']}",
    }
    status = 422 if problem else 200
    return Answer(template="labels", values=values, about=found["task_id"], shown=1, status=status)


def _known(connection: Connection, visit: Visit, name: str) -> Row:
    try:
        return labels.task(connection, name, visit.session.name)
    except LabelError as error:
        raise Stopped("unknown") from error


def _around(connection: Connection, visit: Visit) -> Row:
    """What stands around a message: progress, the last answer, and what was said of it."""
    who = visit.session.name
    last, done = labels.last(connection, who), None
    if name := visit.query.get("done", ""):
        row = _known(connection, visit, name)
        if row["answer"] is not None:
            last = name
            done = {"own": _told(visit.w, row["answer"]), "said": _model_told(visit.w, row)}
    note = visit.query.get("note", "")
    return {
        "progress": labels.progress(connection, who),
        "last": last,
        "done": done,
        "note": note if visit.w.has(f"labels.note_{note}") else "",
    }


def _shown(visit: Visit, row: Row) -> Row:
    """A message as it is read: its words, network and moment, and no more."""
    mails = alert_letter.spoken(visit.settings.institution.zone, visit.w.locale)
    return {
        "task_id": row["task_id"],
        "text": _lines(gold_set.whole(row["title"], row["text"])),
        "read": row["text_hash"],
        "network": alert_letter.network(row["network"], mails),
        "moment": visit.w.moment(row["published_at"]),
        "copies": row["copy_count"],
    }


def _lines(text: str) -> str:
    """A text with its lines, each without what could turn reading round."""
    return "\n".join(plain(line) for line in text.splitlines())


# --- actions


def draw(visit: Visit) -> Answer:
    """Draw the next messages for everybody."""
    day = visit.now.astimezone(visit.settings.institution.zone).date()
    try:
        labelling.draw(
            lambda is_read: ledger(visit.desk, read_only=is_read),
            day=day,
            as_of=visit.now,
            by=visit.session.name,
        )
    except LabelError:
        return Answer(to="/labels?note=empty")
    return Answer(to="/labels?note=drawn")


def save(visit: Visit) -> Answer:
    """Keep an answer and go on to the next message; the form again where it lacks something."""
    name = visit.path["task_id"]
    if problem := _problem(visit):
        return one(visit, problem=problem)
    try:
        with ledger(visit.desk, read_only=False) as connection:
            labels.save(
                connection,
                name,
                _said(visit.form),
                labeller=visit.session.name,
                at=visit.now,
                read=visit.form.get("read"),
            )
    except LabelError as error:
        return _refused(visit, error)
    except Stopped as stopped:
        return _again(visit, stopped)
    return Answer(to=f"/labels?done={name}", about=name)


def undo(visit: Visit) -> Answer:
    """Take back an answer, and ask for another."""
    name = visit.path["task_id"]
    with ledger(visit.desk, read_only=False) as connection:
        _known(connection, visit, name)
        labels.withdraw(connection, name, labeller=visit.session.name, at=visit.now)
    return Answer(to=f"/labels/task/{name}?note=undone", about=name)


def _refused(visit: Visit, error: LabelError) -> Answer:
    """What went otherwise than somebody meant, in their words."""
    if error.key == "edited":
        return one(visit, problem=visit.w.text("labels.problem_edited"))
    if error.key == "answered":
        return Answer(to="/labels?note=answered")
    raise Stopped("unknown") from error


def _again(visit: Visit, stopped: Stopped) -> Answer:
    """The page that carries an answer while the warehouse is held."""
    if stopped.why != "busy":
        raise stopped
    kept = {name: text for name, text in visit.form.items() if name in _fields()}
    values = {"kept": kept, "action": visit.path["task_id"]}
    return Answer(template="labels_busy", values=values, status=503, about=visit.path["task_id"])


# --- the form


def _fields() -> set[str]:
    topics = {f"topic_{name}" for name in (*(t.id for t in taxonomy()), _NONE)}
    return {"tone", "read", "what", *topics, *(f"act_{name}" for name in (*ACTS, _NONE))}


def _problem(visit: Visit) -> str:
    """What a form lacks, in the reader's words; nothing where it lacks nothing."""
    form, w = visit.form, visit.w
    if form.get("what") == "unreadable":
        return ""
    if form.get("tone") not in (*TONES, UNSAID):
        return w.text("labels.problem_tone")
    for kind in ("topic", "act"):
        chosen, is_none = _chosen(form, kind), f"{kind}_{_NONE}" in form
        if bool(chosen) == is_none:
            return w.text(f"labels.problem_{kind}{'_both' if is_none else ''}")
    return ""


def _chosen(form: Mapping[str, str], kind: str) -> list[str]:
    names: Iterable[str] = ACTS if kind == "act" else (topic.id for topic in taxonomy())
    return [name for name in names if f"{kind}_{name}" in form]


def _said(form: Mapping[str, str]) -> Said:
    if form.get("what") == "unreadable":
        return Said(is_unreadable=True)
    tone = form.get("tone", "")
    return Said(
        tone=tone if tone in TONES else None,
        topics=tuple(_chosen(form, "topic")),
        acts=tuple(_chosen(form, "act")),
    )


def _guide(locale: str) -> Row:
    """The boxes of the form with what each means: ids, labels, definitions."""
    is_french = locale == "fr"
    acts = {name: lexicons.described(f"acts/{name}") for name in ACTS}
    return {
        "topics": [
            (t.id, t.label_fr, t.definition_fr)
            if is_french
            else (t.id, t.label_en, t.definition_en)
            for t in taxonomy()
        ],
        "acts": [(n, a["label"][locale], a["definition"][locale]) for n, a in acts.items()],
    }


def _told(w: Words, said: Said) -> str:
    """An answer in a line."""
    if said.is_unreadable:
        return w.text("labels.unreadable")
    guide = _guide(w.locale)
    by_id = {name: label for kind in guide.values() for name, label, _ in kind}
    tone = w.text(f"tones.{said.tone}") if said.tone else w.text("labels.tone_unsaid")
    topics = [by_id[name] for name in said.topics if name in by_id]
    acts = [by_id[name] for name in said.acts if name in by_id]
    parts = (tone, w.listed(topics) or w.text("labels.no_topic"))
    return " · ".join((*parts, w.listed(acts) or w.text("labels.no_act")))


def _model_told(w: Words, row: Row) -> str:
    """What the models say, in a line."""
    if row["said_tone"] is None:
        return w.text("tones.unscored")
    return _told(
        w,
        Said(
            tone=row["said_tone"],
            topics=tuple(row["said_topics"]),
            acts=tuple(row["said_acts"] or ()),
        ),
    )


# --- agreement


def agreement(visit: Visit) -> Answer:
    """How far people agree, what is gold, and the disagreements that wait to be settled."""
    with ledger(visit.desk) as connection:
        found = labels.answers(connection)
    waiting = gold_set.disputes(found)
    own = gold_set.gold(found)
    values: dict[str, Any] = {
        "lines": [_line(visit.w, d, a) for d, a in gold_set.agreements(found).items()],
        "disputes": [_dispute(visit, each) for each in waiting[:_MOST_DISPUTES]],
        "dispute_count": len(waiting),
        "gold": {
            part: sum(
                "tone" in each.answers for each in own if (each.part == "random") == is_random
            )
            for part, is_random in (("random", True), ("chosen", False))
        },
        "least": gold_set.LEAST,
        "again": sum(row["is_again"] for row in found),
        "note": "settled" if visit.query.get("note") == "settled" else "",
    }
    return Answer(template="agreement", values=values, shown=len(values["disputes"]))


def _line(w: Words, dimension: str, found: Agreement | None) -> Row:
    return {"name": w.text(f"labels.{dimension}"), **_agreement_told(w, found)}


def _agreement_told(w: Words, found: Agreement | None) -> dict[str, str]:
    """The figures of an agreement, and the word for it."""
    if found is None:
        return dict.fromkeys(("count", "same", "alpha", "interval", "verdict"), "–") | {
            "count": "0"
        }
    return {
        "count": w.number(found.count),
        "same": w.percent(found.same_share),
        "alpha": "–" if found.alpha is None else w.hundredths(found.alpha),
        "interval": " – ".join(map(w.hundredths, found.interval or ())) or "–",
        "verdict": w.text(f"labels.verdict_{verdict(found)}"),
    }


def _dispute(visit: Visit, group: list[Row]) -> Row:
    """A message on which people differ; who said which is not told."""
    first = group[0]
    return {
        "task_id": first["task_id"],
        "text": _lines(gold_set.whole(first["title"], first["text"])),
        "answers": [_told(visit.w, row["answer"]) for row in group],
    }


def dispute(visit: Visit, *, problem: str = "") -> Answer:
    """One disagreement: what was said, and the form for what is to hold."""
    name = visit.path["task_id"]
    with ledger(visit.desk) as connection:
        group = _waiting(connection, name)
        found = _known(connection, visit, name)
    values = {
        "task": _shown(visit, found),
        "answers": [_told(visit.w, row["answer"]) for row in group],
        "form": visit.form or _filled([row["answer"] for row in group]),
        "problem": problem,
        "guide": _guide(visit.w.locale),
        "action": f"/labels/task/{name}/settle",
    }
    status = 422 if problem else 200
    return Answer(template="settle", values=values, about=name, shown=1, status=status)


def _waiting(connection: Connection, name: str) -> list[Row]:
    waiting = gold_set.disputes(labels.answers(connection))
    found = [group for group in waiting if group[0]["task_id"] == name]
    if not found:
        raise Stopped("unknown")
    return found[0]


def _filled(given: list[Said]) -> dict[str, str]:
    """The form with what all these answers say alike."""
    form: dict[str, str] = {}
    if any(each.is_unreadable for each in given):
        return form
    if len({each.tone for each in given}) == 1:
        form["tone"] = given[0].tone or UNSAID
    for kind in ("topics", "acts"):
        sets = {getattr(each, kind) for each in given}
        if len(sets) == 1:
            names = next(iter(sets)) or (_NONE,)
            form |= {f"{kind.removesuffix('s')}_{name}": "1" for name in names}
    return form


def settle(visit: Visit) -> Answer:
    """End a disagreement: the answer becomes gold."""
    name = visit.path["task_id"]
    if problem := _problem(visit):
        return dispute(visit, problem=problem)
    with ledger(visit.desk, read_only=False) as connection:
        _waiting(connection, name)
        labels.settle(
            connection, name, _said(visit.form), labeller=visit.session.name, at=visit.now
        )
    return Answer(to="/labels/agreement?note=settled", about=name)
