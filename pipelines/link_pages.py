"""The pages of links that act (`links.py`): GET shows what will happen, only POST does it.

Mail scanners and chats open every link, so opening one changes nothing. A link is believed by its
signature, until its time, once, and only of somebody to whom a message about the incident went.
Pages have no script, load nothing, and may be framed by nobody. While a run holds the warehouse
a page waits a few seconds, then says so and does nothing. Nothing of a request is logged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import duckdb
import msgspec
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from pipelines import alert_actions, alert_letter, forms, links, rules, warehouse
from pipelines.alert import Alert
from pipelines.alert_actions import ActionError, Contradiction
from pipelines.errors import WarehouseBusy, WarehouseError
from pipelines.links import Claim, LinkError
from pipelines.settings import Settings
from pipelines.templating import template
from pipelines.warehouse import Connection
from pipelines.wording import LOCALES, Words, plain, words

log = logging.getLogger(__name__)

Trouble = Literal["broken", "expired", "used", "gone", "over", "judged", "busy", "refused"]
WAIT_SECONDS = 8.0  # for a run that holds the warehouse
MOST_BYTES = 4_096  # of a form
MOST_FIELDS = 8
MOST_LISTED = 60  # of the incidents that a link takes in hand together
HOURS = (1, 4, 12, 24, 72, 168)
_REASON = (3, 300)
_STATUS: Mapping[Trouble, int] = {
    "broken": 404, "expired": 410, "used": 410, "gone": 410, "over": 410, "judged": 409,
    "busy": 503, "refused": 400,
}  # fmt: skip
_STYLE = (
    "body{margin:0;background:#f4f6f8;color:#1f2933;font:16px/1.5 system-ui,sans-serif;"
    "overflow-wrap:anywhere}"
    "main{max-width:34rem;margin:0 auto;padding:16px}h1{font-size:1.4rem;line-height:1.25}"
    "dl{margin:0 0 16px}dt{color:#52606d;font-size:.9rem}dd{margin:0 0 8px}"
    "label{display:block;margin:12px 0 4px;font-weight:600}"
    "input,select{box-sizing:border-box;width:100%;padding:10px;font:inherit;border:1px solid "
    "#52606d;border-radius:6px;background:#fff;color:#1f2933}"
    "button{margin:16px 0 8px;width:100%;min-height:48px;padding:10px;font:inherit;font-weight:600;"
    "color:#fff;background:#005a8c;border:0;border-radius:6px}"
    ":focus-visible{outline:3px solid #b36b00;outline-offset:2px}a{color:#005a8c}"
    ".problem{padding:10px;background:#ffe3a3;border:1px solid #b36b00;border-radius:6px}"
    ".who,.small{color:#52606d;font-size:.9rem}"
    "@media(prefers-color-scheme:dark){body{background:#14191f;color:#e4e7eb}dt,.who,.small{color:"
    "#9fb3c8}a{color:#8ec9f0}input,select{background:#1f2933;color:#e4e7eb}.problem{color:#1f2933}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex",
    "cross-origin-opener-policy": "same-origin",
}


class _Stopped(Exception):
    """A request that ends here: what is the matter, when it was, if that is known, and the token of
    a link that takes back what was done, if one does."""

    def __init__(
        self, trouble: Trouble, at: datetime | None = None, *, back: str | None = None
    ) -> None:
        self.trouble = trouble
        self.at = at
        self.back = back
        super().__init__(trouble)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the row of an incident keeps, as far as a page shows it."""

    alert: Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A link that counts, whose it is, and its incident as it is now."""

    claim: Claim
    actor: str
    alert: Alert
    opened_at: datetime
    acked_at: datetime | None
    acked_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pile:
    """A link that counts for a whole letter, whose it is, and its incidents as rows."""

    claim: Claim
    actor: str
    rows: tuple[Mapping[str, Any], ...]


@dataclass(slots=True)
class _Desk:
    """One institution's pages; one action at a time."""

    settings: Settings
    now: Callable[[], datetime]
    turn: threading.Lock = field(default_factory=threading.Lock)


def routes(
    settings: Settings, *, now: Callable[[], datetime], turn: threading.Lock | None = None
) -> list[Route]:
    """The routes of the pages; none where `[web]` gives no address.

    `turn` is shared with whoever else opens the warehouse in this process.
    """
    if not settings.web.url:
        return []
    desk = _Desk(settings, now, turn or threading.Lock())

    async def show(request: Request) -> Response:
        return await _answered(request, desk, _shown)

    async def act(request: Request) -> Response:
        return await _answered(request, desk, _done, await _form(request))

    path = f"{links.PATH}/{{token}}"
    return [Route(path, show, methods=["GET"]), Route(path, act, methods=["POST"])]


async def _answered(
    request: Request, desk: _Desk, work: Callable[..., Response], *given: Any
) -> Response:
    """What `work` answers; a page that says why where it may not."""
    spoken = _spoken(request, desk.settings)
    try:
        if None in given:
            raise _Stopped("refused")
        return await run_in_threadpool(work, desk, spoken, request.path_params["token"], *given)
    except _Stopped as stopped:
        log.info("link.stopped why=%s", stopped.trouble)
        return _trouble(stopped, desk.settings, spoken)


def _spoken(request: Request, settings: Settings) -> Words:
    asked = request.query_params.get("lang", "")
    institution = settings.institution
    locale = asked if asked in LOCALES else institution.locale
    return words(locale, institution.zone, name="link")


async def _form(request: Request) -> Mapping[str, str] | None:
    return await forms.read(request, most_bytes=MOST_BYTES, most_fields=MOST_FIELDS)


def _shown(desk: _Desk, spoken: Words, token: str) -> Response:
    """The page that says what will happen; reads, and changes nothing."""
    with _warehouse(desk, read_only=True) as connection:
        if _claim(desk, token)[1].action == links.ALL:
            return _ask_all(_pile(connection, desk, token), desk.settings, spoken)
        case = _case(connection, desk, token)
    return _ask(case, desk.settings, spoken)


def _done(desk: _Desk, spoken: Words, token: str, form: Mapping[str, str]) -> Response:
    """Do what the link asks for, once; the page that says so."""
    with _warehouse(desk, read_only=False) as connection:
        if _claim(desk, token)[1].action == links.ALL:
            return _done_all(connection, desk, spoken, token)
        case = _case(connection, desk, token)
        problem = _problem(case, form)
        if problem:
            return _ask(case, desk.settings, spoken, problem=spoken.text(f"problem.{problem}"))
        now = desk.now()
        is_new, until = _act(connection, case, form, now)
        _use(connection, case.claim, case.actor, now)
        back = _back(connection, desk, case.claim, case.actor)
        is_now = _incident(connection, case.claim)
    case = replace(case, acked_at=is_now["acked_at"], acked_by=is_now["acked_by"])
    log.info("link.used action=%s incident=%s", case.claim.action, case.claim.incident_id)
    name = f"{case.claim.action}.{'done' if is_new else 'before'}"
    line = spoken.say(name, until=spoken.moment(until) if until else "")
    settings, leads = desk.settings, _leads(back, spoken)
    return _page(case.claim.action, case, settings, spoken, lines=[line], back=leads)


def _done_all(connection: Connection, desk: _Desk, spoken: Words, token: str) -> Response:
    """Take every incident of a letter in hand, once; the page that says so."""
    pile, now = _pile(connection, desk, token), desk.now()
    ids = [row["incident_id"] for row in pile.rows]
    count = alert_actions.acknowledge_all(connection, ids, actor=pile.actor, at=now)
    _use(connection, pile.claim, pile.actor, now)
    log.info("link.used action=%s count=%d", pile.claim.action, count)
    line = spoken.say("acknowledge_all.done", alerts=spoken.count("alerts", count))
    values = {"title": spoken.text("acknowledge_all.title"), "lines": [line]}
    return _rendered(desk.settings, spoken, 200, values)


def _use(connection: Connection, claim: Claim, actor: str, now: datetime) -> None:
    used = {
        "link_id": claim.link_id,
        "incident_id": claim.incident_id,
        "action": claim.action,
        "actor": actor,
        "used_at": now,
    }
    warehouse.run(connection, "writes/link_use_add", used)


@contextmanager
def _warehouse(desk: _Desk, *, read_only: bool) -> Iterator[Connection]:
    """The warehouse, for one page at a time: DuckDB opens a file one way only in a process.

    _Stopped when a run holds it too long, or there is none.
    """
    with ExitStack() as stack:
        try:
            opening = warehouse.in_turn(
                desk.settings.home, desk.turn, read_only=read_only, wait_seconds=WAIT_SECONDS
            )
            connection = stack.enter_context(opening)
        except WarehouseBusy as error:
            raise _Stopped("busy") from error
        except WarehouseError as error:
            raise _Stopped("gone") from error
        yield connection


def _case(connection: Connection, desk: _Desk, token: str) -> _Case:
    """The link and its incident; _Stopped for one that does not count, or no longer."""
    secret, claim = _claim(desk, token)
    found = _incident(connection, claim)
    actor = _actor(connection, secret, claim)
    if found["used_at"] is not None:
        back = _back(connection, desk, claim, actor)
        raise _Stopped("used", found["used_at"], back=back)
    return _Case(
        claim=claim,
        actor=actor,
        alert=_alert(found["evidence"]),
        opened_at=found["opened_at"],
        acked_at=found["acked_at"],
        acked_by=found["acked_by"],
    )


def _back(connection: Connection, desk: _Desk, claim: Claim, actor: str) -> str | None:
    """The token that takes a false alarm back, of the same reader and time as the link that noted
    it; None where none stands, or that token has been used."""
    if claim.action != "false_alarm" or not _is_false(connection, claim.incident_id):
        return None
    secret = links.key(desk.settings.home)
    given = links.token(
        secret,
        action=links.BACK,
        incident_id=claim.incident_id,
        recipient=actor,
        expires_at=claim.expires_at,
    )
    asked = {"link_id": links.read(secret, given, now=desk.now()).link_id}
    return None if warehouse.run(connection, "writes/link_used", asked).fetchone() else given


def _is_false(connection: Connection, incident_id: str) -> bool:
    """Whether an alert is judged false; not known, so no, before the first run of this version,
    which makes the view."""
    try:
        judged = alert_actions.judgements(connection, incident_id)
    except duckdb.CatalogException:
        return False
    return any(each.verdict == "false_alarm" and each.mention_id is None for each in judged)


def _leads(token: str | None, spoken: Words) -> str | None:
    """The address of another link, beside the one that was opened, in the same language."""
    return f"./{token}?lang={spoken.locale}" if token else None


def _claim(desk: _Desk, token: str) -> tuple[bytes, Claim]:
    """The key of this home, and what a link asks for; _Stopped where it does not count."""
    try:
        secret = links.key(desk.settings.home)
        return secret, links.read(secret, token, now=desk.now())
    except LinkError as error:
        raise _Stopped(error.reason) from error


def _pile(connection: Connection, desk: _Desk, token: str) -> _Pile:
    """The incidents of the letter that a link names; _Stopped where it does not count, or all are
    over."""
    secret, claim = _claim(desk, token)
    asked = {"letter_id": claim.incident_id, "link_id": claim.link_id}
    used = warehouse.run(connection, "writes/link_used", asked).fetchone()
    if used:
        raise _Stopped("used", used[0])
    found = warehouse.run(connection, "writes/link_letter", asked)
    names = [column[0] for column in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    ours = [row for row in rows if _is_sent_to(row["recipient"], claim, secret)]
    if not ours:
        raise _Stopped("gone")
    if not (live := [row for row in ours if row["state"] != "resolved"]):
        raise _Stopped("over")
    return _Pile(claim=claim, actor=str(live[0]["recipient"]), rows=tuple(live))


def _is_sent_to(recipient: str, claim: Claim, secret: bytes) -> bool:
    return hmac.compare_digest(links.who(secret, claim.incident_id, recipient), claim.who)


def _alert(evidence: str) -> Alert:
    """What the rule said; _Stopped where another version of Vigie wrote it, or the rule is gone."""
    try:
        found = msgspec.json.decode(evidence, type=_Told).alert
    except msgspec.MsgspecError as error:
        raise _Stopped("gone") from error
    if found.rule_id not in rules.names():
        raise _Stopped("gone")
    return found


def _incident(connection: Connection, claim: Claim) -> dict[str, Any]:
    asked = {"incident_id": claim.incident_id, "link_id": claim.link_id}
    found = warehouse.run(connection, "writes/link_incident", asked)
    names = [column[0] for column in found.description or ()]
    row = found.fetchone()
    if row is None:
        raise _Stopped("gone")
    return dict(zip(names, row, strict=True))


def _actor(connection: Connection, secret: bytes, claim: Claim) -> str:
    """To whom the link was sent; _Stopped when no message about the incident went to them."""
    asked = {"incident_id": claim.incident_id}
    for (recipient,) in warehouse.run(connection, "writes/link_readers", asked).fetchall():
        if _is_sent_to(recipient, claim, secret):
            return str(recipient)
    raise _Stopped("gone")


def _problem(case: _Case, form: Mapping[str, str]) -> str | None:
    """What is wrong with a form: 'reason' or 'hours'; None where nothing is."""
    if case.claim.action != "silence":
        return None
    if form.get("hours") not in [str(h) for h in HOURS]:
        return "hours"
    reason = plain(form.get("reason", ""))
    return None if _REASON[0] <= len(reason) <= _REASON[1] else "reason"


def _act(
    connection: Connection, case: _Case, form: Mapping[str, str], now: datetime
) -> tuple[bool, datetime | None]:
    """Whether the action changed anything, and the end of a silence."""
    incident_id, until = case.claim.incident_id, None
    try:
        if case.claim.action == "acknowledge":
            done = alert_actions.acknowledge(connection, incident_id, actor=case.actor, at=now)
        elif case.claim.action == "false_alarm":
            done = alert_actions.judge(
                connection, incident_id, "false_alarm", actor=case.actor, at=now
            )
        elif case.claim.action == links.BACK:
            done = alert_actions.take_back(
                connection, incident_id, "false_alarm", actor=case.actor, at=now
            )
        else:
            until = now + timedelta(hours=int(form["hours"]))
            reason = plain(form["reason"])
            done = alert_actions.silence(
                connection, incident_id, actor=case.actor, reason=reason, until=until, at=now
            )
    except Contradiction as error:
        raise _Stopped("judged") from error
    except ActionError as error:
        raise _Stopped("gone") from error
    except duckdb.CatalogException as error:  # no run of this version has made its views yet
        raise _Stopped("busy") from error
    return done.is_new, until


def _ask(case: _Case, settings: Settings, spoken: Words, *, problem: str | None = None) -> Response:
    action = case.claim.action
    hours = [(h, spoken.say("forms.days", n=h // 24) if h > 24 else spoken.say("forms.hours", n=h))
             for h in HOURS]  # fmt: skip
    return _page(
        action, case, settings, spoken,
        lines=[spoken.text(f"{action}.what")], problem=problem,
        status=200 if problem is None else 422,
        button=spoken.text(f"{action}.button"), hours=hours if action == "silence" else [],
        actor=spoken.say("page.actor", actor=case.actor),
    )  # fmt: skip


def _ask_all(pile: _Pile, settings: Settings, spoken: Words) -> Response:
    values = {
        "title": spoken.text("acknowledge_all.title"),
        "lines": [spoken.text("acknowledge_all.what")],
        "items": [_item(row, settings, spoken) for row in pile.rows[:MOST_LISTED]],
        "button": spoken.text("acknowledge_all.button"),
        "actor": spoken.say("page.actor", actor=pile.actor),
    }
    if (rest := len(pile.rows) - MOST_LISTED) > 0:
        more = spoken.say("acknowledge_all.more", alerts=spoken.count("alerts", rest))
        values["items"] = [*values["items"], more]
    return _rendered(settings, spoken, 200, values)


def _item(row: Mapping[str, Any], settings: Settings, spoken: Words) -> str:
    """One incident of a letter on a line; its id where its row or rule is not of this version."""
    try:
        alert = _alert(row["evidence"])
    except _Stopped:
        return str(row["incident_id"])
    told = alert_letter.spoken(settings.institution.zone, spoken.locale)
    where = alert_letter.about(alert.subject_id, alert.scope, settings, told)
    line = f"{where} · {alert_letter.headline(alert, told)}"
    return f"{line} ({spoken.text('page.acked')})" if row["acked_at"] else line


def _page(
    name: str, case: _Case, settings: Settings, spoken: Words, *, status: int = 200, **values: Any
) -> Response:
    told = alert_letter.spoken(settings.institution.zone, spoken.locale)
    acked = None
    if case.acked_at:
        moment = spoken.moment(case.acked_at)
        acked = spoken.say("page.by", actor=case.acked_by, moment=moment)
    shown = {
        "title": spoken.text(f"{name}.title"),
        "where": alert_letter.about(case.alert.subject_id, case.alert.scope, settings, told),
        "headline": alert_letter.headline(case.alert, told),
        "opened": spoken.moment(case.opened_at),
        "acked": acked,
    }
    return _rendered(settings, spoken, status, shown | values)


def _trouble(stopped: _Stopped, settings: Settings, spoken: Words) -> Response:
    name = f"trouble.{stopped.trouble}"
    moment = spoken.moment(stopped.at) if stopped.at else ""
    values = {
        "title": spoken.text(f"{name}.title"),
        "lines": [spoken.say(f"{name}.what", moment=moment)],
        "back": _leads(stopped.back, spoken),
    }
    answer = _rendered(settings, spoken, _STATUS[stopped.trouble], values)
    if stopped.trouble == "busy":
        answer.headers["retry-after"] = "60"
    return answer


def _rendered(
    settings: Settings, spoken: Words, status: int, values: Mapping[str, Any]
) -> Response:
    names = ("where", "headline", "opened", "acked", "problem", "button", "actor", "back")
    blank = dict.fromkeys(names)
    shown: dict[str, Any] = {
        **blank, "lines": [], "items": [], "hours": [], "w": spoken, "style": Markup(_STYLE),  # noqa: S704
        "institution": plain(settings.institution.name),
        "other": next(each for each in LOCALES if each != spoken.locale),
    }  # fmt: skip
    html = template("link.html.j2").render(shown | dict(values))
    return HTMLResponse(html, status_code=status, headers=HEADERS)
