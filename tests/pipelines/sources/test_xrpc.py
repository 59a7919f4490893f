"""Sessions with a host that keeps real ones: made, kept, renewed, made anew."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from pipelines.errors import RateLimited, SourceError
from pipelines.http import Client
from pipelines.sources import _xrpc as xrpc
from tests.pipelines.loopback import Clock

HOST = "https://pds.example"
PASSWORD = "abcd-efgh-ijkl-mnop"


class Pds:
    """A host with one account; `valid` holds the tokens that it takes."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.valid: set[str] = set()
        self.made = 0

    def __call__(self, asked: httpx.Request) -> httpx.Response:
        method = asked.url.path.rpartition(".")[2]
        self.calls.append(method)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if method == "createSession":
            is_right = json.loads(asked.content)["password"] == PASSWORD
            return self._tokens() if is_right else refusal(401, "AuthenticationRequired")
        if method == "refreshSession":
            assert asked.content == b""
            is_good = token in self.valid and token.startswith("refresh")
            return self._tokens() if is_good else refusal(400, "ExpiredToken")
        return (
            httpx.Response(200, json={"posts": []})
            if token in self.valid
            else refusal(400, "ExpiredToken")
        )

    def _tokens(self) -> httpx.Response:
        self.made += 1
        access, refresh = f"access{self.made}", f"refresh{self.made}"
        self.valid |= {access, refresh}
        told = {"did": "did:plc:x", "accessJwt": access, "refreshJwt": refresh, "handle": "v.test"}
        return httpx.Response(200, json=told)


def refusal(status: int, name: str, message: str = "said") -> httpx.Response:
    return httpx.Response(status, json={"error": name, "message": message})


def asking(
    answer: Callable[[httpx.Request], httpx.Response], home: Path, *, password: str = PASSWORD
) -> xrpc.Ask:
    clock = Clock()
    client = Client(transport=httpx.MockTransport(answer), sleep=clock.sleep, now=clock.now)
    account = xrpc.Account(
        host=HOST,
        handle="veille.example",
        password=password,
        password_env="VIGIE_BLUESKY",
        path=path(home),
    )
    return xrpc.with_session(client, account)


def path(home: Path) -> Path:
    return xrpc.session_path(home, host=HOST, handle="veille.example")


def search(ask: xrpc.Ask) -> None:
    ask("app.bsky.feed.searchPosts", {"q": "x"})


def test_a_session_is_made_once_and_kept_where_only_its_owner_reads(tmp_path: Path) -> None:
    pds = Pds()
    search(asking(pds, tmp_path))
    search(asking(pds, tmp_path))
    assert pds.calls == ["createSession", "searchPosts", "searchPosts"]
    assert stat.S_IMODE(path(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE(path(tmp_path).parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path(tmp_path).parent.iterdir()] == [path(tmp_path).name]
    assert PASSWORD not in path(tmp_path).read_text()


def test_a_session_that_expired_is_renewed_without_the_password(tmp_path: Path) -> None:
    pds = Pds()
    search(asking(pds, tmp_path))
    pds.valid.discard("access1")
    search(asking(pds, tmp_path, password="forgotten"))
    assert pds.calls[2:] == ["searchPosts", "refreshSession", "searchPosts"]
    assert json.loads(path(tmp_path).read_text())["access"] == "access2"


def test_a_session_too_old_to_renew_is_made_anew(tmp_path: Path) -> None:
    pds = Pds()
    search(asking(pds, tmp_path))
    pds.valid.clear()
    search(asking(pds, tmp_path))
    assert pds.calls[2:] == ["searchPosts", "refreshSession", "createSession", "searchPosts"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"did": 1}', '{"did":"a","access":"b"}'])
def test_a_session_file_that_cannot_be_read_is_made_anew(tmp_path: Path, content: str) -> None:
    path(tmp_path).parent.mkdir()
    path(tmp_path).write_text(content)
    pds = Pds()
    search(asking(pds, tmp_path))
    assert pds.calls == ["createSession", "searchPosts"]


def test_a_wrong_password_names_the_variable_and_not_the_password(tmp_path: Path) -> None:
    with pytest.raises(xrpc.XrpcError, match="put it in VIGIE_BLUESKY") as raised:
        search(asking(Pds(), tmp_path, password="wrong-word"))
    assert "wrong-word" not in str(raised.value)
    assert raised.value.name == "AuthenticationRequired"
    assert not path(tmp_path).exists()


def test_sign_ins_over_the_limit_wait_as_long_as_the_host_says(tmp_path: Path) -> None:
    pds, clock = Pds(), Clock()

    def answer(asked: httpx.Request) -> httpx.Response:
        if not clock.slept:
            told = {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}
            return httpx.Response(429, json=told, headers={"Retry-After": "288"})
        return pds(asked)

    client = Client(transport=httpx.MockTransport(answer), sleep=clock.sleep, now=clock.now)
    account = xrpc.Account(
        host=HOST, handle="v.example", password=PASSWORD, password_env="V", path=tmp_path / "s.json"
    )
    search(xrpc.with_session(client, account))
    assert 288 <= clock.slept[0] < 290


def test_a_longer_wait_than_a_run_may_is_handed_on(tmp_path: Path) -> None:
    with pytest.raises(RateLimited):
        search(asking(lambda _: httpx.Response(429, headers={"Retry-After": "800"}), tmp_path))


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (401, '{"error":"AuthMissing","message":"Authentication Required"}', "set handle and pass"),
        (401, '{"error":"AuthFactorTokenRequired"}', "make an app password"),
        (401, '{"error":"AccountTakedown"}', "the account is suspended"),
        (403, "<html><h1>403 Forbidden</h1></html>", "https://bsky.social"),
        (404, '{"error":"XRPCNotSupported","message":"x"}', "does not offer this method"),
        (400, '{"error":"InvalidRequest","message":"limit too big"}', "InvalidRequest: limit too"),
        (400, "[]", "no error of the protocol"),
        (400, '{"error":{"a":1}}', "check the source's options"),
    ],
)
def test_each_refusal_says_what_to_do(status: int, body: str, remedy: str) -> None:
    client = Client(transport=httpx.MockTransport(lambda _: httpx.Response(status, text=body)))
    with pytest.raises(xrpc.XrpcError, match=remedy):
        search(xrpc.without_session(client, HOST))


@pytest.mark.parametrize("body", ["[]", "null", '"oui"', "<html>"])
def test_an_answer_that_is_no_object_is_an_error_of_the_source(body: str) -> None:
    client = Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, text=body)))
    with pytest.raises(SourceError):
        search(xrpc.without_session(client, HOST))
