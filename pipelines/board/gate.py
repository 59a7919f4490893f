"""The gate: who a request is from, logging in and out, forms that are ours, the language.

A session is a random token in a cookie, signed (itsdangerous) so that made-up ones never reach the
store; HttpOnly, SameSite=Lax, Secure where the board is reached by https. Before a log-in the form
is bound to a token of its own in a cookie. A wrong name, a wrong password and a name that nobody
has are answered alike, after as long.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from itsdangerous import BadSignature, Signer
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pipelines import wording
from pipelines.board import access, pages, passwords, store
from pipelines.board.access import PAGES
from pipelines.board.store import Access, Session
from pipelines.board.visit import STATUS, Desk, Stopped
from pipelines.wording import LOCALES, Words, plain

SESSION, FORM, LANGUAGE = "vigie_session", "vigie_form", "vigie_lang"
_FORM_SECONDS = 3600
_LANGUAGE_SECONDS = 365 * 24 * 3600
_NAME = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A request before anybody is known: the words to answer in, and the path of the board."""

    request: Request
    base: str
    w: Words

    def languages(self) -> list[tuple[str, str]]:
        """Each other language and the address of this page in it."""
        kept = {k: v for k, v in self.request.query_params.items() if k != "lang"}
        others = [locale for locale in LOCALES if locale != self.w.locale]
        is_get = self.request.method in ("GET", "HEAD")
        return [(o, f"?{urlencode(kept | {'lang': o})}") for o in others] if is_get else []


def guest(desk: Desk, request: Request) -> Guest:
    """Who knocks, and in which language: as asked, as last chosen, else the institution's."""
    who = desk.settings.institution
    asked = (request.query_params.get("lang"), request.cookies.get(LANGUAGE), who.locale)
    locale = next(each for each in asked if each in LOCALES)
    spoken = wording.words(str(locale), who.zone, name="board")
    return Guest(request=request, base=str(request.scope.get("root_path", "")), w=spoken)


def is_secure(desk: Desk) -> bool:
    """Whether browsers reach the board by https."""
    return desk.settings.web.url.startswith("https://")


# --- sessions


def session(desk: Desk, guest: Guest) -> Session | None:
    """Who is logged in; None for nobody, or no longer."""
    try:
        signed = guest.request.cookies.get(SESSION, "")
        token = _signer(desk).unsign(signed).decode("ascii")
    except (BadSignature, UnicodeError):
        return None
    idle = timedelta(minutes=desk.settings.board.idle_minutes)
    found = store.session(desk.settings.home, token, at=desk.now(), idle=idle)
    return found if found and _is_allowed(desk, found) else None


def _is_allowed(desk: Desk, found: Session) -> bool:
    """A local session ends when local accounts are turned off, a provider's with the provider."""
    board = desk.settings.board
    return board.local_accounts if found.is_local else board.oidc is not None


def started(
    desk: Desk,
    guest: Guest,
    *,
    name: str,
    role: access.Role,
    is_local: bool,
    id_token: str | None = None,
) -> Response:
    """Log somebody in and send them to their first page; who was logged in here is so no more."""
    if before := session(desk, guest):
        store.end(desk.settings.home, before.token)
    now, hours = desk.now(), _lasts(desk, is_local=is_local)
    token = store.begin(
        desk.settings.home,
        name=name,
        role=role,
        is_local=is_local,
        at=now,
        ends_at=now + hours,
        id_token=id_token,
    )
    _note(desk, name=name, role=role, page="login", status=303)
    answer = _sent(f"{guest.base}{access.home(role)}")
    value = _signer(desk).sign(token).decode("ascii")
    _set(desk, guest, answer, SESSION, value, int(hours.total_seconds()))
    return answer


def _lasts(desk: Desk, *, is_local: bool) -> timedelta:
    """How long a session lasts at most."""
    board = desk.settings.board
    hours = [board.session_hours]
    if board.oidc and not is_local:
        hours.append(board.oidc.session_hours)
    return timedelta(hours=min(hours))


def _signer(desk: Desk) -> Signer:
    return Signer(desk.key, salt="vigie.board.session", digest_method=hashlib.sha256)


def _set(desk: Desk, guest: Guest, answer: Response, name: str, value: str, seconds: int) -> None:
    answer.set_cookie(
        name,
        value,
        max_age=seconds,
        path=guest.base or "/",
        secure=is_secure(desk),
        httponly=True,
        samesite="lax",
    )


def to_login(guest: Guest, *, is_get: bool) -> Response:
    """Send somebody unknown to the gate; a POST says first that nothing was done."""
    return _sent(f"{guest.base}/login" + ("" if is_get else "?late=1"))


def _sent(to: str) -> Response:
    return RedirectResponse(to, status_code=303, headers=pages.headers())


def leave(
    desk: Desk,
    guest: Guest,
    form: Mapping[str, str] | None,
    end_at: Callable[[Session, str], str | None],
) -> Response:
    """Log out, here and where the provider offers it (`end_at`)."""
    found = session(desk, guest)
    if found is None:
        return to_login(guest, is_get=True)
    try:
        check_form(desk, guest, form or {}, found.token)
    except Stopped as stopped:
        return stopped_page(desk, guest, found, stopped)
    store.end(desk.settings.home, found.token)
    _note(desk, name=found.name, role=found.role, page="logout", status=303)
    answer = _sent(end_at(found, guest.base) or f"{guest.base}/login?left=1")
    answer.delete_cookie(SESSION, path=guest.base or "/")
    return answer


# --- forms


def form_token(desk: Desk, bound_to: str) -> str:
    """What a form of ours carries, bound to a session or to the cookie of the log-in form."""
    return hmac.new(desk.key, b"vigie.board.form\x1f" + bound_to.encode(), "sha256").hexdigest()


def check_form(desk: Desk, guest: Guest, form: Mapping[str, str], bound_to: str) -> None:
    """Stopped("forged") for a form that no page of ours has given out."""
    given = form.get("csrf", "").encode("utf-8", "replace")
    right = form_token(desk, bound_to).encode()
    if not (hmac.compare_digest(given, right) and _is_from_here(guest.request, desk)):
        raise Stopped("forged")


def _is_from_here(request: Request, desk: Desk) -> bool:
    """Whether the browser, if it says where a form comes from, says here."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    own = {urlsplit(desk.settings.web.url).netloc, request.headers.get("host", "")}
    return urlsplit(origin).netloc in own - {""}


# --- what every page has


def origins(desk: Desk) -> tuple[str, ...]:
    """Where a form of ours may lead a browser: to the provider, when logging out."""
    oidc = desk.settings.board.oidc
    if oidc is None:
        return ()
    parts = urlsplit(oidc.issuer)
    return (f"{parts.scheme}://{parts.netloc}",)


def frame(desk: Desk, guest: Guest, session: Session | None, page: str) -> dict[str, Any]:
    """What the layout of every page reads."""
    return {
        "w": guest.w,
        "base": guest.base,
        "page": page,
        "sheet": pages.sheet_name(),
        "institution": plain(desk.settings.institution.name),
        "menu": [p for p in PAGES if p.is_menu and session and session.role in p.roles],
        "who": session,
        "may": lambda name: session is not None and access.may(session.role, name),
        "csrf": form_token(desk, session.token) if session else "",
        "languages": guest.languages(),
        "page_time": desk.page_time if desk.end else None,
        "read_until": desk.end.read_until if desk.end and desk.end.is_live else None,
    }


def stopped_page(desk: Desk, guest: Guest, session: Session | None, stopped: Stopped) -> Response:
    """A page that says why there is nothing, and what to do."""
    values = frame(desk, guest, session, "") | {"why": stopped.why, "said": stopped.said}
    status = STATUS[stopped.why]
    answer = pages.filled("stopped", values, status=status, goes_to=origins(desk))
    if answer.status_code in (429, 503):
        answer.headers["retry-after"] = "60"
    return answer


def keep_language(desk: Desk, guest: Guest, answer: Response) -> Response:
    """Keep the language that was asked for, for a year."""
    if (asked := guest.request.query_params.get("lang")) in LOCALES:
        _set(desk, guest, answer, LANGUAGE, str(asked), _LANGUAGE_SECONDS)
    return answer


# --- log-in


def login_page(desk: Desk, guest: Guest, *, why: str = "", status: int = 200) -> Response:
    """The page at the gate."""
    bound = secrets.token_urlsafe(16)
    told = next((n for n in ("late", "left") if guest.request.query_params.get(n) == "1"), "")
    provider = desk.settings.board.oidc
    values: dict[str, Any] = frame(desk, guest, None, "login") | {
        "told": why or told,
        "is_wrong": bool(why),
        "csrf": form_token(desk, bound),
        "has_local": desk.settings.board.local_accounts,
        "provider": provider.label if provider else "",
    }
    answer = pages.filled("login", values, status=status)
    _set(desk, guest, answer, FORM, bound, _FORM_SECONDS)
    return keep_language(desk, guest, answer)


def enter(desk: Desk, guest: Guest, form: Mapping[str, str] | None) -> Response:
    """Log in by name and password, or say that it did not work and nothing more."""
    if not desk.settings.board.local_accounts:
        return login_page(desk, guest, why="no_local", status=404)
    bound = guest.request.cookies.get(FORM, "")
    try:
        check_form(desk, guest, form or {}, bound)
    except Stopped as stopped:
        return login_page(desk, guest, why="expired", status=STATUS[stopped.why])
    return _entered(desk, guest, plain((form or {}).get("name", ""))[:_NAME], form or {})


def _entered(desk: Desk, guest: Guest, name: str, form: Mapping[str, str]) -> Response:
    home, now, source = desk.settings.home, desk.now(), address(desk, guest.request)
    if not store.may_try(home, name=name, address=source, at=now):
        answer = login_page(desk, guest, why="held", status=429)
        answer.headers["retry-after"] = str(int(store.WINDOW.total_seconds()))
        return answer
    found = store.account(home, name)
    if not passwords.is_right(form.get("password", ""), found.hash if found else None):
        _note(desk, name=found.name if found else "", role="", page="login", status=401)
        return login_page(desk, guest, why="wrong", status=401)
    assert found is not None  # noqa: S101 - no password is right without an account
    store.note_success(home, name=name, address=source, at=now)
    return started(desk, guest, name=found.name, role=found.role, is_local=True)


def note_refused(desk: Desk) -> None:
    """Keep that a log-in at the provider came to nothing."""
    _note(desk, name="", role="", page="login", status=403)


def _note(desk: Desk, *, name: str, role: str, page: str, status: int) -> None:
    entry = Access(at=desk.now(), name=name, role=role, page=page, about="", status=status, shown=0)
    store.note_access(desk.settings.home, entry)


def address(desk: Desk, request: Request) -> str:
    """Where a request comes from: the peer, or what a proxy of `trusted_proxies` says of it; an
    IPv6 address as its /64."""
    peer = request.client.host if request.client else ""
    trusted = desk.settings.board.trusted_proxies
    hops = [peer]
    if _is_in(peer, trusted):
        told = request.headers.get("x-forwarded-for", "")
        hops = [hop.strip() for hop in told.split(",") if hop.strip()] + [peer]
    return _house(next((hop for hop in reversed(hops) if not _is_in(hop, trusted)), peer))


def _house(address: str) -> str:
    """An address of version 6 as the network of 64 bits, all of which one line is given."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), 64), strict=False))


def _is_in(text: str, networks: Sequence[str]) -> bool:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(network, strict=False) for network in networks)
