"""The board as one application: who somebody is, whether they may, what they get, what is logged.

    board = web.build(settings, secrets, environ, now=…)      # mounted under /board

Each request runs one plain function in a thread. A POST is believed only from a page of ours: its
form carries a token of the session (HMAC), and a browser that says where it comes from says here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import duckdb
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pipelines import forms, links
from pipelines.board import (
    alerts,
    coverage,
    digests,
    examining,
    gate,
    labels,
    oidc,
    pages,
    privacy,
    search,
    store,
    topics,
)
from pipelines.board.access import PAGES, Page
from pipelines.board.store import Access, Session
from pipelines.board.visit import Answer, Desk, End, Stopped, Visit
from pipelines.errors import VigieError
from pipelines.settings import Settings
from pipelines.wording import plain

log = logging.getLogger(__name__)

MOST_BYTES = 16_384  # of a form
MOST_FIELDS = 48  # a label has a box for each topic and act
HANDLERS: Mapping[str, Callable[[Visit], Answer]] = {
    "today": digests.today,
    "archive": digests.archive,
    "digest": digests.digest,
    "alerts": alerts.listed,
    "alert": alerts.one,
    "acknowledge": alerts.acknowledge,
    "silence": alerts.silence,
    "unsilence": alerts.unsilence,
    "judge": alerts.judge,
    "take_back": alerts.take_back,
    "labels": labels.following,
    "draw": labels.draw,
    "agreement": labels.agreement,
    "labelling": labels.one,
    "label": labels.save,
    "unlabel": labels.undo,
    "dispute": labels.dispute,
    "settle": labels.settle,
    "search": search.found,
    "export": search.export,
    "topics": topics.topics,
    "topic": topics.topic,
    "sources": coverage.sources,
    "source": coverage.source,
    "coverage": coverage.coverage,
    "privacy": privacy.receipts,
    "accesses": privacy.accesses,
    "settings": examining.settings_page,
    "examine": examining.examine,
}


def build(
    settings: Settings,
    secrets: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    now: Callable[[], datetime],
    turn: threading.Lock | None = None,
    end: End | None = None,
) -> FastAPI:
    """The board of one institution. `turn` is shared with whoever else opens its warehouse here.

    Over data that has ended its pages stand at the `end`.
    VigieError where nobody could log in, or a secret is missing.
    """
    if not settings.board.local_accounts and settings.board.oidc is None:
        raise VigieError(
            "[board] local_accounts = false and there is no [board.oidc]: nobody could log in; "
            "write one of the two"
        )
    if (oidc := settings.board.oidc) and not secrets.get(oidc.client_secret_env):
        raise VigieError(
            f"{oidc.client_secret_env} is not set, which [board.oidc] names: set it where the "
            "board runs, to the secret that the provider gave"
        )
    desk = Desk(
        settings=settings,
        secrets=secrets,
        environ=environ,
        key=links.key(settings.home),
        now=now,
        turn=turn or threading.Lock(),
        end=end,
    )
    # An address with a slash too many is none: sent on, it would go where the Host header says.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for page in PAGES:
        if page.name in HANDLERS:
            app.add_api_route(
                page.path, _endpoint(desk, page), methods=[page.method], response_class=Response
            )
    _add_gate(app, desk)
    app.add_api_route(f"/{pages.sheet_name()}", _sheet, methods=["GET"])
    app.add_exception_handler(404, _lost(desk))
    app.add_exception_handler(405, _lost(desk))
    return app


def _add_gate(app: FastAPI, desk: Desk) -> None:
    """Logging in and out, by password and by provider, and the language."""

    async def show(request: Request) -> Response:
        return await run_in_threadpool(gate.login_page, desk, gate.guest(desk, request))

    async def enter(request: Request) -> Response:
        form = await _form(request)
        return await run_in_threadpool(gate.enter, desk, gate.guest(desk, request), form)

    async def leave(request: Request) -> Response:
        form = await _form(request)
        provider = getattr(app.state, "provider", None)

        def end_at(session: Session, base: str) -> str | None:
            return oidc.end_address(desk, provider, session, base)

        return await run_in_threadpool(gate.leave, desk, gate.guest(desk, request), form, end_at)

    app.add_api_route("/login", show, methods=["GET"], response_class=Response)
    app.add_api_route("/login", enter, methods=["POST"], response_class=Response)
    app.add_api_route("/logout", leave, methods=["POST"], response_class=Response)
    oidc.add(app, desk)


async def _sheet() -> Response:
    return pages.sheet()


def _lost(desk: Desk) -> Any:
    async def answer(request: Request, _: Exception) -> Response:
        guest = gate.guest(desk, request)
        session = await run_in_threadpool(gate.session, desk, guest)
        return gate.stopped_page(desk, guest, session, Stopped("unknown"))

    return answer


def _endpoint(desk: Desk, page: Page) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        form = await _form(request) if page.method == "POST" else {}
        return await run_in_threadpool(_answered, desk, page, gate.guest(desk, request), form)

    return endpoint


def _answered(
    desk: Desk, page: Page, guest: gate.Guest, form: Mapping[str, str] | None
) -> Response:
    """The answer to one request, logged whatever it is."""
    session = gate.session(desk, guest)
    if session is None:
        return gate.to_login(guest, is_get=page.method == "GET")
    answer = Answer()
    try:
        answer = _done(desk, page, guest, session, form)
        response = _response(desk, page, guest, session, answer)
    except Stopped as stopped:
        response = gate.stopped_page(desk, guest, session, stopped)
    except duckdb.InterruptException:
        response = gate.stopped_page(desk, guest, session, Stopped("slow"))
    _log(desk, page, session, answer, response.status_code, guest)
    return gate.keep_language(desk, guest, response)


def _done(
    desk: Desk,
    page: Page,
    guest: gate.Guest,
    session: Session,
    form: Mapping[str, str] | None,
) -> Answer:
    if session.role not in page.roles:
        raise Stopped("forbidden")
    if form is None:
        raise Stopped("refused")
    if page.method == "POST":
        gate.check_form(desk, guest, form, session.token)
    visit = Visit(
        desk=desk,
        session=session,
        page=page.name,
        base=guest.base,
        w=guest.w,
        path=guest.request.path_params,
        query=dict(guest.request.query_params),
        form=form,
        now=desk.page_time,
    )
    return HANDLERS[page.name](visit)


def _response(
    desk: Desk, page: Page, guest: gate.Guest, session: Session, answer: Answer
) -> Response:
    if answer.to is not None:
        return RedirectResponse(
            f"{guest.base}{answer.to}", status_code=303, headers=pages.headers()
        )
    if answer.file is not None:
        name, content = answer.file
        given = {"content-disposition": f'attachment; filename="{name}"'}
        kind = "text/csv; charset=utf-8"
        return Response(content, media_type=kind, headers={**pages.headers(), **given})
    values = gate.frame(desk, guest, session, page.name) | dict(answer.values)
    return pages.filled(
        answer.template,
        values,
        status=answer.status,
        styles=answer.styles,
        goes_to=gate.origins(desk),
    )


def _log(
    desk: Desk, page: Page, session: Session, answer: Answer, status: int, guest: gate.Guest
) -> None:
    """Who opened or did what: ids and counts, no text."""
    about = answer.about or next(iter(guest.request.path_params.values()), "")
    store.note_access(
        desk.settings.home,
        Access(
            at=desk.now(),
            name=session.name,
            role=session.role,
            page=page.name,
            about=plain(str(about))[:80],
            status=status,
            shown=answer.shown,
        ),
    )


async def _form(request: Request) -> dict[str, str] | None:
    return await forms.read(request, most_bytes=MOST_BYTES, most_fields=MOST_FIELDS)
