"""Logging in at a provider: the whole round, and each rule that it might break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from pipelines import hooks, settings as reading
from pipelines.board import store, web
from pipelines.errors import SettingsError, VigieError
from pipelines.settings import Board, Oidc
from tests.pipelines.board.provider import CLIENT, SECRET, Provider, serving
from tests.pipelines.board.town import TOML, token
from tests.pipelines.staged import prepared
from tests.pipelines.watched import AS_OF, settings


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving(AS_OF.timestamp()) as found:
        yield found


def board(
    home: Path, provider: Provider, now: Callable[[], datetime] = lambda: AS_OF, **changes: Any
) -> TestClient:
    """A browser at a board where one logs in by the provider alone."""
    given: dict[str, Any] = {
        "issuer": provider.url,
        "client_id": CLIENT,
        "client_secret_env": "VIGIE_OIDC_SECRET",
        "roles": {"vigie-astreinte": "moderator", "vigie-direction": "director"},
    }
    oidc = Oidc(**(given | changes))
    made = settings(home, board=Board(local_accounts=False, oidc=oidc))
    prepared(made)
    secrets = {"VIGIE_OIDC_SECRET": SECRET}
    environ = {"VIGIE_BOARD_URL": "http://testserver"}
    app = web.build(made, secrets, environ, now=now)
    return TestClient(hooks.app(made, {}, board=app), follow_redirects=False)


def came_back(client: TestClient) -> Any:
    """What the board answers to a browser that has been at the provider."""
    left = client.get("/board/oidc/login")
    assert left.status_code == 303, left.text
    sent = httpx.get(left.headers["location"])
    assert sent.status_code == 302
    back = urlsplit(sent.headers["location"])
    return client.get(f"{back.path}?{back.query}")


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_provider_lets_in_whom_it_vouches_for(
    tmp_path: Path, provider: Provider, is_signed: bool
) -> None:
    provider.is_signed = is_signed
    client = board(tmp_path, provider)
    page = client.get("/board/login").text
    assert "Se connecter avec ProConnect" in page
    assert 'name="password"' not in page
    answer = came_back(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/board/")
    assert "claire@valmorin.example" in client.get("/board/").text
    [found] = [a for a in store.accesses(tmp_path, limit=9) if a.page == "login"]
    assert (found.name, found.role) == ("claire@valmorin.example", "director")


def test_a_role_that_is_taken_away_there_ends_here_within_hours(
    tmp_path: Path, provider: Provider
) -> None:
    clock = [AS_OF]
    client = board(tmp_path, provider, now=lambda: clock[0])
    came_back(client)
    for minutes in (119, 238):
        clock[0] = AS_OF + timedelta(minutes=minutes)
        assert client.get("/board/alerts").status_code == 200
    clock[0] = AS_OF + timedelta(hours=4)
    assert client.get("/board/alerts").headers["location"] == "/board/login"


def test_a_board_without_the_providers_secret_does_not_begin(tmp_path: Path) -> None:
    oidc = Oidc(
        issuer="https://id.example", client_id="x", client_secret_env="VIGIE_OIDC_SECRET",
        roles={"a": "dpo"},
    )  # fmt: skip
    with pytest.raises(VigieError, match="VIGIE_OIDC_SECRET is not set"):
        web.build(settings(tmp_path, board=Board(oidc=oidc)), {}, {}, now=lambda: AS_OF)


def test_the_first_role_of_the_settings_counts(tmp_path: Path, provider: Provider) -> None:
    provider.claims["groups"] = ["autre", "vigie-direction", "vigie-astreinte"]
    client = board(tmp_path, provider)
    came_back(client)
    assert "modération" in client.get("/board/").text


def test_a_claim_may_lie_deep_as_in_keycloak(tmp_path: Path, provider: Provider) -> None:
    provider.is_signed = False
    provider.claims = {"preferred_username": "c", "realm_access": {"roles": ["vigie-direction"]}}
    client = board(
        tmp_path, provider, role_claim="realm_access.roles", name_claim="preferred_username"
    )
    assert came_back(client).status_code == 303


@pytest.mark.parametrize(
    "groups", [[], ["autre"], None, "vigie-directions", {"vigie-direction": 1}]
)
def test_who_has_no_role_does_not_get_in(tmp_path: Path, provider: Provider, groups: Any) -> None:
    provider.claims["groups"] = groups
    client = board(tmp_path, provider)
    answer = came_back(client)
    assert answer.status_code == 403
    assert "pas de rôle" in answer.text
    assert client.get("/board/").status_code == 303


def test_an_address_that_is_not_verified_names_nobody(tmp_path: Path, provider: Provider) -> None:
    provider.claims["email_verified"] = False
    answer = came_back(board(tmp_path, provider))
    assert answer.status_code == 403
    assert "ne dit pas qui vous êtes" in answer.text


@pytest.mark.parametrize(
    "wrong",
    ["iss", "aud", "exp", "nonce", "key", "none", "sub", "userinfo aud", "state", "mixed up"],
)
def test_a_provider_that_breaks_a_rule_lets_nobody_in(
    tmp_path: Path, provider: Provider, wrong: str
) -> None:
    provider.wrong = wrong
    client = board(tmp_path, provider)
    answer = came_back(client)
    assert answer.status_code in (400, 502), wrong
    assert client.get("/board/").status_code == 303
    provider.wrong = ""
    assert came_back(client).status_code == 303


def test_a_provider_that_calls_itself_otherwise_is_not_asked(
    tmp_path: Path, provider: Provider
) -> None:
    provider.wrong = "issuer"
    answer = board(tmp_path, provider).get("/board/oidc/login")
    assert answer.status_code == 502
    assert "ne répond pas" in answer.text


def test_a_code_serves_once_and_only_the_browser_that_asked(
    tmp_path: Path, provider: Provider
) -> None:
    client = board(tmp_path, provider)
    left = client.get("/board/oidc/login")
    back = urlsplit(httpx.get(left.headers["location"]).headers["location"])
    path = f"{back.path}?{back.query}"
    other = TestClient(client.app, follow_redirects=False)
    assert other.get(path).status_code == 400
    assert client.get(path).status_code == 303
    client.cookies.delete("vigie_session")
    assert client.get(path).status_code == 400


def test_new_keys_of_a_provider_are_read(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = board(tmp_path, provider)
    assert came_back(client).status_code == 303
    provider.key = RSAKey.generate_key(2048, {"kid": "2"})
    monkeypatch.setattr("pipelines.board.oidc._ANEW_SECONDS", 0.0)
    provider_sign = provider.sign

    def signed(claims: dict[str, Any]) -> str:
        from joserfc import jwt

        return jwt.encode({"alg": "RS256", "kid": "2"}, claims, provider.key)

    monkeypatch.setattr(provider, "sign", signed)
    assert came_back(client).status_code == 303
    assert provider_sign is not signed
    assert provider.asked.count("keys") == 2


def test_logging_out_logs_out_of_the_provider(tmp_path: Path, provider: Provider) -> None:
    client = board(tmp_path, provider)
    came_back(client)
    page = client.get("/board/")
    assert f"form-action 'self' {provider.url}" in page.headers["content-security-policy"]
    answer = client.post("/board/logout", data={"csrf": token(page.text)})
    assert answer.headers["location"].startswith(f"{provider.url}/end?id_token_hint=")
    assert client.get("/board/").status_code == 303


def test_one_may_log_out_from_a_page_that_says_no(tmp_path: Path, provider: Provider) -> None:
    client = board(tmp_path, provider)
    came_back(client)
    for path in ("/board/privacy", "/board/nope"):
        page = client.get(path)
        assert page.status_code in (403, 404)
        assert f"form-action 'self' {provider.url}" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"authorization_endpoint": None}, "no authorization_endpoint"),
        ({"token_endpoint": "ftp://x.example/token"}, "token_endpoint is no address"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri is no address"),
        ({"userinfo_endpoint": "https.example"}, "userinfo_endpoint is no address"),
    ],
)
def test_addresses_that_leave_the_providers_way_are_not_asked(
    tmp_path: Path, provider: Provider, changed: dict[str, Any], told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    provider.changed = changed
    assert board(tmp_path, provider).get("/board/oidc/login").status_code == 502
    assert told in caplog.text


def test_a_provider_that_is_down_is_not_asked_by_everybody(
    tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.wrong = "issuer"
    client = board(tmp_path, provider)
    for _ in range(3):
        assert client.get("/board/oidc/login").status_code == 502
    assert provider.asked == ["about"]
    provider.wrong = ""
    monkeypatch.setattr("pipelines.board.oidc._DOWN_SECONDS", 0.0)
    assert came_back(client).status_code == 303


def test_without_a_local_account_a_password_opens_nothing(
    tmp_path: Path, provider: Provider
) -> None:
    client = board(tmp_path, provider)
    data = {"csrf": token(page) if 'name="csrf"' in (page := client.get("/board/login").text)
            else "", "name": "director", "password": "x"}  # fmt: skip
    assert client.post("/board/login", data=data).status_code == 404


def test_the_settings_of_a_provider_are_checked(tmp_path: Path) -> None:
    table = (
        '\n[board.oidc]\nissuer = "http://proconnect.example"\nclient_id = "v"\n'
        'client_secret_env = "VIGIE_OIDC"\nroles = { a = "chef" }\n'
    )
    (tmp_path / "vigie.toml").write_text(TOML + table, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        reading.read(tmp_path, environ={}, source_options={})
    told = str(error.value)
    assert "https address of the provider" in told
    assert "choose one of 'director'" in told
    assert "board.oidc.client_secret_env = 'VIGIE_OIDC': this environment variable" in told
