"""Logging in at a provider of identities by OpenID Connect: ProConnect, Keycloak.

Authorization code with PKCE (RFC 7636), state and nonce, by Authlib; tokens are checked by joserfc
against the provider's published keys (OpenID Connect Core 1.0, 3.1.3.7). ProConnect signs what it
says of a user (application/jwt), others do not: both are read. Where nothing maps what somebody is
to a role (`[board.oidc] roles`), they do not get in. State, nonce and verifier wait ten minutes in
a signed cookie of the browser that asked.

Network: the provider's own addresses, ten seconds at most each, redirects not followed.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from fastapi import FastAPI
from itsdangerous import BadSignature, URLSafeTimedSerializer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pipelines.board import gate, pages
from pipelines.board.access import Role
from pipelines.board.store import Session
from pipelines.board.visit import Desk
from pipelines.settings import Oidc
from pipelines.wording import plain

log = logging.getLogger(__name__)

_ALGORITHMS = ("RS256", "PS256", "ES256")  # signed by a key that only the provider has
_COOKIE, _SECONDS = "vigie_oidc", 600
_PATIENCE = 10.0
_KEPT_SECONDS, _ANEW_SECONDS = 3600.0, 60.0  # what a provider publishes; keys again at the soonest
_DOWN_SECONDS = 10.0  # after it could not be read, before it is asked again
_LEEWAY = 60  # seconds that two clocks may be apart
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_USED = (*_NEEDED, "userinfo_endpoint", "end_session_endpoint")
_WRONG = (httpx.HTTPError, httpx.InvalidURL, JoseError, ValueError)  # of an answer


class Refused(Exception):
    """A log-in at a provider that came to nothing: 'provider', 'no_role' or 'expired'."""

    def __init__(self, why: str, told: str = "") -> None:
        self.why = why
        super().__init__(f"{why} {told}".strip())


@dataclass(slots=True)
class _Provider:
    """What a provider publishes of itself: its addresses and keys, read again now and then."""

    settings: Oidc
    about: Mapping[str, Any] = field(default_factory=dict)
    keys: KeySet | None = None
    read_at: float = float("-inf")
    failed_at: float = float("-inf")
    turn: threading.Lock = field(default_factory=threading.Lock)

    def known(self, *, anew: bool = False) -> tuple[Mapping[str, Any], KeySet]:
        """Its metadata and keys; asked `anew`, at most once a minute. Refused where it is down."""
        with self.turn:
            age = time.monotonic() - self.read_at
            if self.keys is None or age > (_ANEW_SECONDS if anew else _KEPT_SECONDS):
                self.about, self.keys = self._read()
            return self.about, self.keys

    def _read(self) -> tuple[Mapping[str, Any], KeySet]:
        """Ask it. Who comes while it is down does not wait in turn: that would hold every page."""
        if time.monotonic() - self.failed_at < _DOWN_SECONDS:
            raise Refused("provider", "it was down a moment ago")
        try:
            found = _published(self.settings)
        except Refused:
            self.failed_at = time.monotonic()
            raise
        self.read_at = time.monotonic()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What waits in the browser between leaving and coming back."""

    state: str
    nonce: str
    verifier: str


def _published(settings: Oidc) -> tuple[Mapping[str, Any], KeySet]:
    root = settings.issuer.rstrip("/")
    try:
        with httpx.Client(timeout=_PATIENCE) as client:
            about = _json(client.get(f"{root}/.well-known/openid-configuration"))
            if about.get("issuer") != settings.issuer:
                raise Refused("provider", "it calls itself otherwise than [board.oidc] issuer")
            _check_addresses(about, settings.issuer)
            keys = KeySet.import_key_set(_json(client.get(str(about["jwks_uri"]))))  # type: ignore[arg-type]
    except (*_WRONG, KeyError) as error:
        raise Refused("provider", type(error).__name__) from error
    return about, keys


def _check_addresses(about: Mapping[str, Any], issuer: str) -> None:
    """Refused where an address is missing, or leaves https, by which our secret would be read."""
    if missing := [name for name in _NEEDED if name not in about]:
        raise Refused("provider", f"it has no {missing[0]}")
    for name in (name for name in _USED if name in about):
        if not str(about[name]).startswith(f"{urlsplit(issuer).scheme}://"):
            raise Refused("provider", f"its {name} is no address like [board.oidc] issuer")


def _json(answer: httpx.Response) -> dict[str, Any]:
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def add(app: FastAPI, desk: Desk) -> None:
    """The two addresses of a log-in at the provider; none where there is no provider."""
    if desk.settings.board.oidc is None:
        return
    provider = _Provider(desk.settings.board.oidc)

    async def leave(request: Request) -> Response:
        return await run_in_threadpool(_left, desk, provider, gate.guest(desk, request))

    async def come_back(request: Request) -> Response:
        return await run_in_threadpool(_back, desk, provider, gate.guest(desk, request))

    app.state.provider = provider
    app.add_api_route("/oidc/login", leave, methods=["GET"], response_class=Response)
    app.add_api_route("/oidc/callback", come_back, methods=["GET"], response_class=Response)


def _left(desk: Desk, provider: _Provider, guest: gate.Guest) -> Response:
    """Send a browser to the provider."""
    try:
        about, _ = provider.known()
    except Refused as refused:
        return _told(desk, guest, refused)
    asked = _Asked(
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
    )
    with _client(desk, provider.settings, guest) as client:
        address, _ = client.create_authorization_url(
            about["authorization_endpoint"],
            state=asked.state,
            nonce=asked.nonce,
            code_verifier=asked.verifier,
        )
    answer = RedirectResponse(address, status_code=303, headers=pages.headers())
    value = _signer(desk).dumps([asked.state, asked.nonce, asked.verifier])
    answer.set_cookie(
        _COOKIE, str(value), max_age=_SECONDS, path=f"{guest.base}/oidc",
        secure=gate.is_secure(desk), httponly=True, samesite="lax",
    )  # fmt: skip
    return answer


def _back(desk: Desk, provider: _Provider, guest: gate.Guest) -> Response:
    """Let in whom the provider vouches for and the settings give a role."""
    try:
        asked = _asked(desk, guest)
        claims, id_token = _claims(desk, provider, guest, asked)
        role = _role(claims, provider.settings)
        name = _name(claims, provider.settings.name_claim)
    except Refused as refused:
        return _told(desk, guest, refused)
    answer = gate.started(desk, guest, name=name, role=role, is_local=False, id_token=id_token)
    answer.delete_cookie(_COOKIE, path=f"{guest.base}/oidc")
    return answer


def _told(desk: Desk, guest: gate.Guest, refused: Refused) -> Response:
    log.warning("board.oidc_refused why=%s", refused)
    gate.note_refused(desk)
    status = {"provider": 502, "no_role": 403, "no_name": 403}.get(refused.why, 400)
    why = "provider_failed" if refused.why == "provider" else refused.why
    return gate.login_page(desk, guest, why=why, status=status)


def _asked(desk: Desk, guest: gate.Guest) -> _Asked:
    """What this browser was sent away with; Refused unless it comes back with the same state."""
    try:
        kept = _signer(desk).loads(guest.request.cookies.get(_COOKIE, ""), max_age=_SECONDS)
        asked = _Asked(**dict(zip(("state", "nonce", "verifier"), kept, strict=True)))
    except (BadSignature, ValueError, TypeError) as error:
        raise Refused("expired") from error
    given = guest.request.query_params.get("state", "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, asked.state.encode()):
        raise Refused("expired")
    return asked


def _claims(
    desk: Desk, provider: _Provider, guest: gate.Guest, asked: _Asked
) -> tuple[dict[str, Any], str]:
    """What the provider says of somebody, all of it signed or told to us directly."""
    about, _ = provider.known()
    told = guest.request.query_params
    if "code" not in told or told.get("iss", about["issuer"]) != about["issuer"]:  # RFC 9207
        raise Refused("provider", "it gave no code")
    try:
        with _client(desk, provider.settings, guest) as client:
            token = client.fetch_token(
                about["token_endpoint"], code=told["code"], code_verifier=asked.verifier
            )
            signed = str(token["id_token"])
            claims = _id_claims(desk, provider, signed, asked)
            more = _more(desk, provider, client, about)
    except (*_WRONG, OAuthError, KeyError, TypeError) as error:
        raise Refused("provider", type(error).__name__) from error
    if more.get("sub", claims["sub"]) != claims["sub"]:  # OpenID Connect Core 1.0, 5.3.2
        raise Refused("provider", "it told of somebody else")
    return claims | more, signed


def _id_claims(desk: Desk, provider: _Provider, signed: str, asked: _Asked) -> dict[str, Any]:
    token = _verified(provider, signed)
    params = {"nonce": asked.nonce, "client_id": provider.settings.client_id}
    claims = CodeIDToken(
        token.claims, token.header, _options(provider.settings, nonce=asked.nonce), params
    )
    claims.validate(now=int(desk.now().timestamp()), leeway=_LEEWAY)
    return dict(claims)


def _options(settings: Oidc, *, nonce: str) -> dict[str, Any]:
    return {
        "iss": {"essential": True, "value": settings.issuer},
        "aud": {"essential": True, "value": settings.client_id},
        "nonce": {"essential": True, "value": nonce},
    }


def _more(desk: Desk, provider: _Provider, client: Any, about: Mapping[str, Any]) -> dict[str, Any]:
    if "userinfo_endpoint" not in about:
        return {}
    return _userinfo(desk, provider, client.get(about["userinfo_endpoint"]))


def _userinfo(desk: Desk, provider: _Provider, answer: httpx.Response) -> dict[str, Any]:
    """What the provider says of a user: JSON, or signed as ProConnect does."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/jwt":
        return _json(answer)
    answer.raise_for_status()
    claims = dict(_verified(provider, answer.text.strip()).claims)
    listed = claims.get("aud", [])
    audience = [listed] if isinstance(listed, str) else list(listed)
    if claims.get("iss") != provider.settings.issuer or (
        provider.settings.client_id not in audience
    ):
        raise ValueError("signed by or for somebody else")
    if float(claims.get("exp", float("inf"))) + _LEEWAY < desk.now().timestamp():
        raise ValueError("expired")
    return claims


def _verified(provider: _Provider, signed: str) -> jwt.Token:
    """A token whose signature is the provider's; its keys are read again where it has new ones."""
    _, keys = provider.known()
    try:
        return jwt.decode(signed, keys, algorithms=list(_ALGORITHMS))
    except (JoseError, ValueError):
        _, fresh = provider.known(anew=True)
        if fresh is keys:
            raise
        return jwt.decode(signed, fresh, algorithms=list(_ALGORITHMS))


def _role(claims: Mapping[str, Any], settings: Oidc) -> Role:
    """The first role of the settings that somebody's claim has a value for."""
    held = _claim(claims, settings.role_claim)
    values = {held} if isinstance(held, str) else {str(v) for v in _listed(held)}
    for value, role in settings.roles.items():
        if value in values:
            return role
    raise Refused("no_role")


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()


def _name(claims: Mapping[str, Any], path: str) -> str:
    """By which name somebody is logged; Refused("no_name") for none, or for an address that the
    provider says it has not verified (OpenID Connect Core 1.0, 5.1)."""
    name = plain(str(_claim(claims, path) or ""))[:120]
    if not name or (path == "email" and claims.get("email_verified") is False):
        raise Refused("no_name")
    return name


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by a path of names with dots, as Keycloak's `realm_access.roles`."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def end_address(desk: Desk, provider: Any, session: Session, base: str) -> str | None:
    """Where a browser logs out of the provider as well; None where it offers no such address."""
    if provider is None or session.id_token is None:
        return None
    try:
        about, _ = provider.known()
    except Refused:
        return None
    end = about.get("end_session_endpoint")
    if not isinstance(end, str):
        return None
    back = {"post_logout_redirect_uri": f"{_root(desk, base)}/login", "state": "left"}
    return f"{end}?{urlencode({'id_token_hint': session.id_token, **back})}"


def _client(desk: Desk, settings: Oidc, guest: gate.Guest) -> Any:
    return OAuth2Client(
        client_id=settings.client_id,
        client_secret=desk.secrets.get(settings.client_secret_env, ""),
        scope=" ".join(settings.scopes),
        redirect_uri=f"{_root(desk, guest.base)}/oidc/callback",
        code_challenge_method="S256",
        token_endpoint_auth_method="client_secret_post",  # noqa: S106 - ProConnect's only way
        timeout=_PATIENCE,
    )


def _root(desk: Desk, base: str) -> str:
    """The address of the board as browsers know it; the machine's own where `[web]` gives none."""
    return f"{desk.settings.web.url or desk.environ.get('VIGIE_BOARD_URL', '')}{base}"


def _signer(desk: Desk) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(desk.key, salt="vigie.board.oidc")
