"""A provider of identities on loopback, as OpenID Connect Core 1.0 and ProConnect describe one.

Discovery, keys, authorization code with PKCE (S256), nonce, an RS256 id token, and what it says of
a user, signed (application/jwt) or as JSON. It is as strict as the specification lets it be, and
each of `wrong` makes it break one rule.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "vigie", "un secret du fournisseur"


@dataclass
class Provider:
    """The provider: its keys, what it says of its one user, and which rule it breaks."""

    url: str = ""
    now: float = 0.0
    wrong: str = ""
    is_signed: bool = True
    claims: dict[str, Any] = field(
        default_factory=lambda: {"email": "claire@valmorin.example", "groups": ["vigie-direction"]}
    )
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    changed: dict[str, Any] = field(default_factory=dict)

    async def about(self, _: Request) -> Response:
        self.asked.append("about")
        told = {
            "issuer": "http://127.0.0.1:1" if self.wrong == "issuer" else self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/end",
        }
        told |= self.changed
        return JSONResponse({name: value for name, value in told.items() if value is not None})

    async def keys(self, _: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    async def authorize(self, request: Request) -> Response:
        """The user is logged in already: back with a code."""
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        assert len(asked["nonce"]) > 20
        assert len(asked["state"]) > 20
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        state = "x" if self.wrong == "state" else asked["state"]
        back = {"code": code, "state": state, "iss": self.url}
        if self.wrong == "mixed up":
            back["iss"] = "https://ailleurs.example"
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", status_code=302)

    async def token(self, request: Request) -> Response:
        form = await request.form()
        asked = self.codes.pop(str(form["code"]), None)
        if asked is None or (form["client_id"], form["client_secret"]) != (CLIENT, SECRET):
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        access = secrets.token_urlsafe(8)
        self.tokens.add(access)
        claims = {
            "iss": "https://ailleurs.example" if self.wrong == "iss" else self.url,
            "sub": "c1",
            "aud": "autre" if self.wrong == "aud" else CLIENT,
            "iat": int(self.now),
            "exp": int(self.now) + (-300 if self.wrong == "exp" else 300),
            "nonce": "x" if self.wrong == "nonce" else asked["nonce"],
        }
        told = {"access_token": access, "token_type": "Bearer", "id_token": self.sign(claims)}
        return JSONResponse(told)

    def sign(self, claims: dict[str, Any]) -> str:
        """A token by our key; 'key': by another; 'none', 'hs256': by none that counts."""
        header = {"alg": "RS256", "kid": "1"}
        if self.wrong == "none":
            parts = [{"alg": "none"}, claims]
            return ".".join([*map(_part, parts), ""])
        key = RSAKey.generate_key(2048, {"kid": "1"}) if self.wrong == "key" else self.key
        return jwt.encode(header, claims, key)

    async def userinfo(self, request: Request) -> Response:
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return Response(status_code=401)
        told = {"sub": "c2" if self.wrong == "sub" else "c1", **self.claims}
        if not self.is_signed:
            return JSONResponse(told)
        told |= {"iss": self.url, "aud": "autre" if self.wrong == "userinfo aud" else CLIENT}
        told |= {"iat": int(self.now), "exp": int(self.now) + 60}
        return Response(self.sign(told), media_type="application/jwt")


def _part(value: dict[str, Any]) -> str:
    import json

    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@contextmanager
def serving(now: float) -> Iterator[Provider]:
    """A provider that answers on loopback for as long as the block lasts."""
    provider = Provider(now=now)
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", provider.about),
            Route("/keys", provider.keys),
            Route("/authorize", provider.authorize),
            Route("/token", provider.token, methods=["POST"]),
            Route("/userinfo", provider.userinfo),
        ]
    )
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    provider.url = f"http://127.0.0.1:{port}"
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join()
