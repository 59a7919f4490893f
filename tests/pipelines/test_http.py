"""The client against a real server on loopback, and against transports handed in."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from pipelines import http
from pipelines.budget import Budget, Ledger, Told
from pipelines.errors import AddressRefused, BudgetSpent, RateLimited, SourceError, StatusRefused
from pipelines.limits import Daily, Limit, Price, Rolling
from tests.pipelines.loopback import NOON, Answer, Asked, Clock, serving

LOOPBACK = ("127.0.0.0/8",)


def client(clock: Clock, **options: object) -> http.Client:
    """A client that may speak to loopback and sleeps on `clock`."""
    settings = {"allow_private": LOOPBACK, "sleep": clock.sleep, "now": clock.now, **options}
    return http.Client(**settings)  # type: ignore[arg-type]


def answering(*answers: Answer) -> Callable[[Asked], Answer]:
    """A server that gives each of `answers` once, the last for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def mocked(answer: Callable[[httpx.Request], httpx.Response], **options: object) -> http.Client:
    """A client over a transport handed in, for addresses that loopback cannot be."""
    return client(Clock(), transport=httpx.MockTransport(answer), allow_private=(), **options)


def test_an_answer_comes_with_its_address_lower_case_headers_and_json() -> None:
    with (
        serving(answering(Answer(headers={"X-Word": "Oui"}, body=b'{"a": 1}'))) as peer,
        client(Clock(), contact="veille@ville.example") as asking,
    ):
        answer = asking.get(f"{peer.url}/a?q=caf", params={"limit": 40, "types[]": ["x", "y"]})
    assert answer.json() == {"a": 1}
    assert answer.headers["x-word"] == "Oui"
    assert peer.asked[0].path == "/a?q=caf&limit=40&types%5B%5D=x&types%5B%5D=y"
    assert peer.asked[0].headers["user-agent"] == "Vigie/0.1 (veille@ville.example)"


def test_a_post_sends_json_and_its_own_headers() -> None:
    with serving(answering(Answer(body=b"{}"))) as peer, client(Clock()) as asking:
        asking.post_json(peer.url, json={"mot": "été"}, headers={"Authorization": "Bearer x"})
    asked = peer.asked[0]
    assert (asked.method, json.loads(asked.body)) == ("POST", {"mot": "été"})
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"] == "Bearer x"


def test_a_post_of_nothing_sends_no_body() -> None:
    with serving(answering(Answer(body=b"{}"))) as peer, client(Clock()) as asking:
        asking.post_json(peer.url, json=None)
    assert peer.asked[0].body == b""
    assert "content-type" not in peer.asked[0].headers


def test_not_modified_is_an_answer() -> None:
    with serving(answering(Answer(304))) as peer, client(Clock()) as asking:
        assert asking.get(peer.url, headers={"If-None-Match": '"1"'}).status == 304


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Retry-After", "30"),
        ("Retry-After", "Fri, 20 Nov 2026 12:00:30 GMT"),
        ("X-RateLimit-Reset", "2026-11-20T12:00:30.000Z"),
        ("X-RateLimit-Reset", str(int((NOON + timedelta(seconds=30)).timestamp()))),
        ("x-rate-limit-reset", str(int((NOON + timedelta(seconds=30)).timestamp()))),
        ("x-ratelimit-reset", str(int((NOON + timedelta(seconds=30)).timestamp()) * 1000)),
        ("x-ratelimit-reset", "30.0"),
        ("RateLimit-Reset", "30"),
        ("RateLimit", "limit=100, remaining=0, reset=30"),
        ("RateLimit", '"default";r=0;t=30'),
    ],
)
def test_429_waits_as_long_as_any_form_of_header_says(name: str, value: str) -> None:
    clock = Clock()
    answers = answering(Answer(429, {name: value}, b'{"error": "x"}'), Answer(body=b"{}"))
    with serving(answers) as peer, client(clock) as asking:
        assert asking.get(peer.url).status == 200
    assert 30 <= sum(clock.slept) < 32


@pytest.mark.parametrize(
    "body",
    [
        {"extras": {"wait_seconds": 12}},
        {"backoff": 12},
        {"retry_after": 12.0},
        {"reset_time": "2026-11-20T12:00:12Z"},
    ],
)
def test_429_waits_as_long_as_the_body_says(body: dict[str, object]) -> None:
    clock = Clock()
    answers = answering(Answer(429, body=json.dumps(body).encode()), Answer(body=b"{}"))
    with serving(answers) as peer, client(clock) as asking:
        asking.get(peer.url)
    assert 12 <= sum(clock.slept) < 14


@pytest.mark.parametrize("value", ["", "soon", "-5", "nan", "1e999", "Fri, 99 Nov", "0", "9" * 40])
def test_an_odd_retry_after_neither_fails_nor_spins(value: str) -> None:
    clock = Clock()
    answers = answering(Answer(429, {"Retry-After": value}), Answer(body=b"{}"))
    with serving(answers) as peer, client(clock) as asking:
        asking.get(peer.url)
    assert 1 <= sum(clock.slept) <= 5


def test_a_wait_is_between_a_second_and_fifteen_minutes() -> None:
    def seconds(value: str) -> float | None:
        return http.seconds_until(value, now=NOON)

    assert seconds("0") == 1
    assert seconds("2020-01-01T00:00:00Z") == 1
    assert seconds("86400") == 900
    assert seconds("2026-11-20T13:01:00+01:00") == 60
    assert seconds("bientôt") is None


def test_a_wait_over_five_minutes_raises_with_the_time_to_come_back() -> None:
    clock = Clock()
    with (
        serving(answering(Answer(429, {"Retry-After": "600"}))) as peer,
        client(clock) as asking,
        pytest.raises(RateLimited, match="may be asked again at 2026-11-20 12:10") as caught,
    ):
        asking.get(peer.url)
    assert caught.value.retry_at == NOON + timedelta(seconds=600)
    assert clock.slept == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(502), StatusRefused),
        (Answer(429, {"Retry-After": "20"}), RateLimited),
        (Answer(429), RateLimited),
    ],
)
def test_who_has_no_time_to_wait_is_told_what_the_matter_is(
    answer: Answer, error: type[SourceError]
) -> None:
    clock = Clock()
    with (
        serving(answering(answer)) as peer,
        client(clock, wait_seconds=2.0) as asking,
        pytest.raises(error, match=f"answered with status {answer.status}"),
    ):
        asking.get(peer.url)
    assert sum(clock.slept) <= 2.0


def test_waits_that_add_up_to_more_than_five_minutes_raise_too() -> None:
    clock = Clock()
    with (
        serving(answering(Answer(429, {"Retry-After": "200"}))) as peer,
        client(clock) as asking,
        pytest.raises(RateLimited),
    ):
        asking.get(peer.url)
    assert len(clock.slept) == 1


def test_429_for_ever_ends_as_rate_limited() -> None:
    clock = Clock()
    with (
        serving(answering(Answer(429))) as peer,
        client(clock) as asking,
        pytest.raises(RateLimited),
    ):
        asking.get(peer.url)
    assert len(peer.asked) == http.TRIES


def test_a_spent_budget_waits_for_the_reset_before_the_next_call() -> None:
    clock = Clock()
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-11-20T12:02:00.000Z"}
    with serving(answering(Answer(headers=spent))) as peer, client(clock) as asking:
        asking.get(peer.url)
        assert clock.slept == []
        asking.get(peer.url)
    assert clock.slept == [120.0]


def test_a_spent_budget_with_a_far_reset_raises_without_a_call() -> None:
    clock = Clock()
    spent = {"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "600"}
    with serving(answering(Answer(headers=spent))) as peer, client(clock) as asking:
        asking.get(peer.url)
        with pytest.raises(RateLimited, match="no calls left"):
            asking.get(peer.url)
    assert len(peer.asked) == 1


def _budget(*limits: Limit, **options: object) -> Budget:
    return Budget(ledger=Ledger(), block="gdelt", kind="gdelt", limits=limits, **options)  # type: ignore[arg-type]


def test_a_budget_spaces_the_calls_to_one_host() -> None:
    clock = Clock()
    budget = _budget(Limit(name="spacing", most=1, per=Rolling(5)))
    with serving(answering(Answer())) as peer, client(clock, budget=budget) as asking:
        asking.get(peer.url)
        asking.get(peer.url)
    assert clock.slept == [5.0]


def test_a_pace_spaces_the_calls_to_its_host_also_after_no_answer() -> None:
    clock = Clock()
    answers = answering(Answer(body=b"{}", length=9), Answer(), Answer())
    with serving(answers) as peer, client(clock) as asking:
        asking.pace(peer.url, seconds=5)
        asking.get(peer.url)
        asking.get(peer.url)
    assert len(peer.asked) == 3
    assert clock.now() - NOON == timedelta(seconds=10)


def test_a_host_that_asks_to_be_left_alone_in_a_body_is_left_alone() -> None:
    clock = Clock()
    with serving(answering(Answer())) as peer, client(clock) as asking:
        asking.hold(peer.url, seconds=40)
        asking.hold(peer.url, seconds=10)  # a shorter wait does not take back a longer one
        asking.get(peer.url)
        asking.get(peer.url)
        assert clock.slept == [40.0]
        asking.hold(peer.url, seconds=400)
        with pytest.raises(RateLimited) as raised:
            asking.get(peer.url)
    assert raised.value.retry_at == NOON + timedelta(seconds=440)
    assert asking.now() == clock.now()


def test_a_day_that_is_used_up_is_told_without_a_call_and_with_the_time_to_come_back() -> None:
    clock = Clock()
    limit = Limit(name="search", most=2, per=Daily("America/Los_Angeles"))
    with serving(answering(Answer())) as peer, client(clock, budget=_budget(limit)) as asking:
        asking.get(peer.url)
        asking.get(peer.url)
        with pytest.raises(
            BudgetSpent, match=r"'search' of gdelt is used up \(2 of 2 calls a day\)"
        ) as caught:
            asking.get(peer.url)
    assert len(peer.asked) == 2
    assert caught.value.retry_at == datetime(2026, 11, 21, 8, 1, tzinfo=UTC)


def test_each_try_and_each_hop_of_a_call_is_counted() -> None:
    budget = _budget(Limit(name="calls", most=9, per=Rolling(300)))
    answers = answering(Answer(503), Answer(302, {"location": "/ici"}), Answer())
    clock = Clock()
    with serving(answers) as peer, client(clock, budget=budget) as asking:
        asking.get(peer.url)
    (standing,) = budget.standings(now=clock.now())
    assert (standing.used, standing.left) == (3, 6)


def test_a_call_that_never_went_out_is_not_counted() -> None:
    def lost(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    budget, clock = _budget(Limit(name="calls", most=9, per=Rolling(300))), Clock()
    with client(clock, find=lost, budget=budget) as asking, pytest.raises(SourceError):
        asking.get("http://perdu.example/")
    assert [s.used for s in budget.standings(now=clock.now())] == [0]


def test_money_is_what_the_answer_holds_and_a_call_that_could_exceed_the_cap_is_refused() -> None:
    price = Price(
        name="posts",
        amount="0.005",
        currency="USD",
        items=("data",),
        items_param="max_results",
        most_items=100,
    )
    budget = _budget(prices=(price,), caps={("gdelt", "USD"): 510_000})
    body = json.dumps({"data": [{}] * 37}).encode()
    clock = Clock()
    with serving(answering(Answer(body=body))) as peer, client(clock, budget=budget) as asking:
        asking.get(peer.url, params={"max_results": 100})
        asking.get(peer.url, params={"max_results": 50})
        with pytest.raises(BudgetSpent, match=r"0\.37 of 0\.51 USD .* may cost 0\.50") as caught:
            asking.get(peer.url, params={"max_results": 100})
        asking.get(peer.url, params={"max_results": 10})
    assert caught.value.retry_at == datetime(2026, 12, 1, 0, 1, tzinfo=UTC)
    assert "raise monthly_cap of this source in vigie.toml" in str(caught.value)
    assert [s.used for s in budget.standings(now=clock.now())] == [37 * 3 * 5000]


def test_a_source_that_costs_money_spends_nothing_without_a_cap() -> None:
    budget = _budget(prices=(Price(name="calls", amount="0.01", currency="EUR"),))
    with (
        serving(answering(Answer())) as peer,
        client(Clock(), budget=budget) as asking,
        pytest.raises(BudgetSpent, match="write monthly_cap, in EUR"),
    ):
        asking.get(peer.url)
    assert peer.asked == []


def test_a_refusal_costs_no_money() -> None:
    price = Price(name="calls", amount="0.01", currency="EUR")
    budget = _budget(prices=(price,), caps={("gdelt", "EUR"): 10_000})
    with serving(answering(Answer(400), Answer())) as peer, client(Clock(), budget=budget) as ask:
        with pytest.raises(StatusRefused):
            ask.get(peer.url)
        assert ask.get(peer.url).status == 200


def test_what_one_worker_is_told_holds_for_every_worker() -> None:
    clock, ledger = Clock(), Ledger()
    one, other = (Budget(ledger=ledger, block=name) for name in ("a", "b"))
    answers = answering(Answer(429, {"Retry-After": "600"}), Answer())
    with (
        serving(answers) as peer,
        client(clock, budget=one) as first,
        client(clock, budget=other) as second,
    ):
        for asking in (first, second):
            with pytest.raises(RateLimited):
                asking.get(peer.url)
    assert len(peer.asked) == 1


def test_a_reset_goes_by_the_clock_of_the_service() -> None:
    headers = {
        "date": "Fri, 20 Nov 2026 12:05:00 GMT",  # its clock is five minutes ahead
        "x-ratelimit-remaining": "0",
        "x-ratelimit-limit": "300",
        "x-ratelimit-reset": "2026-11-20T12:06:00Z",
    }
    said = http.told(headers, now=NOON)
    assert said == Told(remaining=0, reset_at=NOON + timedelta(seconds=60), most=300)
    wild = http.told(headers | {"date": "Fri, 20 Nov 2020 12:05:00 GMT"}, now=NOON)
    assert wild is not None
    assert wild.reset_at == NOON + timedelta(minutes=6)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_of_the_server_is_tried_again(status: int) -> None:
    clock = Clock()
    answers = answering(Answer(status), Answer(status), Answer(body=b"{}"))
    with serving(answers) as peer, client(clock) as asking:
        assert asking.get(peer.url).status == 200
    assert len(clock.slept) == 2


def test_a_fault_that_lasts_is_told_with_its_status() -> None:
    with (
        serving(answering(Answer(503))) as peer,
        client(Clock()) as asking,
        pytest.raises(StatusRefused, match="status 503: the next run tries again") as caught,
    ):
        asking.get(peer.url)
    assert caught.value.status == 503
    assert len(peer.asked) == http.TRIES


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_refusal_is_not_tried_again_and_hides_the_query(status: int) -> None:
    with (
        serving(answering(Answer(status, body=b'{"error": "no"}'))) as peer,
        client(Clock()) as asking,
        pytest.raises(StatusRefused) as caught,
    ):
        asking.get(f"{peer.url}/p?token=verysecret&q=caf")
    assert caught.value.status == status
    assert caught.value.content == b'{"error": "no"}'
    assert "/p?token=…&q=…" in str(caught.value)
    assert "verysecret" not in str(caught.value)
    assert len(peer.asked) == 1


def test_a_post_is_not_repeated_where_it_may_have_had_an_effect() -> None:
    with (
        serving(answering(Answer(500))) as peer,
        client(Clock()) as asking,
        pytest.raises(StatusRefused),
    ):
        asking.post_json(peer.url, json={})
    assert len(peer.asked) == 1


def test_a_post_is_repeated_after_429() -> None:
    with serving(answering(Answer(429), Answer())) as peer, client(Clock()) as asking:
        assert asking.post_json(peer.url, json={}).status == 200


def test_an_answer_cut_short_is_tried_again_and_then_told() -> None:
    with (
        serving(answering(Answer(body=b'{"a"', length=50))) as peer,
        client(Clock()) as asking,
        pytest.raises(SourceError, match="could not be read"),
    ):
        asking.get(peer.url)
    assert len(peer.asked) == http.TRIES


def test_gzip_cut_short_is_not_taken_for_the_whole() -> None:
    cut = gzip.compress(b'{"a": 1}' * 1000)[:-20]
    with (
        serving(answering(Answer(headers={"content-encoding": "gzip"}, body=cut))) as peer,
        client(Clock()) as asking,
        pytest.raises(SourceError, match="could not be read"),
    ):
        asking.get(peer.url)


@pytest.mark.parametrize("body", [b'{"a": [1, 2', b"<html>", b"", b"[" * 100_000, b"\xff"])
def test_json_that_is_none_says_what_came(body: bytes) -> None:
    with serving(answering(Answer(body=body))) as peer, client(Clock()) as asking:
        answer = asking.get(peer.url)
    with pytest.raises(SourceError, match="not JSON"):
        answer.json()


def test_json_that_could_not_be_written_again_is_mended() -> None:
    body = b'{"half \\ud83d": ["\\ude00"], "whole": "\\ud83d\\ude00", "n": %s}' % (b"9" * 5000)
    answer = http.Response(status=200, url="https://a.example", headers={}, content=body)
    found = answer.json()
    assert found["whole"] == "😀"
    assert found["half \ufffd"] == ["\ufffd"]
    assert isinstance(found["n"], float)
    assert http.Response(status=200, url="", headers={}, content=b"9007199254740993").json() == (
        9007199254740993
    )


def test_text_follows_the_charset_of_the_header_and_never_fails() -> None:
    def text(content_type: str, content: bytes) -> str:
        headers = {"content-type": content_type}
        return http.Response(status=200, url="", headers=headers, content=content).text

    assert text("text/plain; charset=iso-8859-15", b"\xa4") == "€"
    assert text("text/plain; charset=klingon", "é".encode()) == "é"
    assert text("text/plain", b"\xe9") == "\ufffd"


def test_a_slow_server_is_given_up() -> None:
    def slow(_: Asked) -> Answer:
        time.sleep(0.2)
        return Answer()

    clock = Clock()
    with (
        serving(slow) as peer,
        client(clock, timeout=httpx.Timeout(0.02)) as asking,
        pytest.raises(SourceError, match="took too long"),
    ):
        asking.get(peer.url)
    assert len(clock.slept) == http.TRIES - 1


def test_a_server_that_drips_is_given_up_at_the_total_limit() -> None:
    def drip(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=_Drip())

    asking = mocked(drip, total_seconds=0.0)
    with pytest.raises(SourceError, match="took too long"):
        asking.get("https://ville.example/")


def test_a_server_that_drips_its_headers_is_given_up_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_drip_headers, args=(listening,))
        thread.start()
        with (
            client(Clock(), total_seconds=0.2) as asking,
            pytest.raises(SourceError, match="took too long"),
        ):
            asking.post_json(f"http://127.0.0.1:{listening.getsockname()[1]}/", json={})
        thread.join()


def _drip_headers(listening: socket.socket) -> None:
    peer, _ = listening.accept()
    with peer, contextlib.suppress(OSError):
        peer.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            peer.sendall(b"a")
            time.sleep(0.02)


@pytest.mark.parametrize("secret", ["jeton-é", "jeton\n", "je\r\nX-Bad: 1"])
def test_a_secret_that_cannot_be_a_header_is_told_and_not_shown(secret: str) -> None:
    with serving(answering(Answer())) as peer, client(Clock()) as asking:
        with pytest.raises(SourceError, match="check the secret") as caught:
            asking.get(peer.url, headers={"authorization": secret})
        assert secret not in str(caught.value)
    assert peer.asked == []


def test_a_certificate_that_cannot_be_verified_says_what_to_set() -> None:
    def unverified(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")

    with pytest.raises(SourceError, match="SSL_CERT_FILE"):
        mocked(unverified).get("https://interne.example/")


class _Drip(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b"."


def test_a_body_is_counted_while_it_streams() -> None:
    with (
        serving(answering(Answer(body=b"x" * 2000))) as peer,
        client(Clock(), max_bytes=1000) as asking,
        pytest.raises(SourceError, match="more than 1000 bytes"),
    ):
        asking.get(peer.url)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_bomb_is_stopped_at_the_limit(pack: Callable[[bytes], bytes]) -> None:
    coding = "gzip" if pack is gzip.compress else "deflate"
    bomb = pack(b"\0" * 30_000_000)
    with (
        serving(answering(Answer(headers={"content-encoding": coding}, body=bomb))) as peer,
        client(Clock(), max_bytes=1_000_000) as asking,
        pytest.raises(SourceError, match="more than 1000000 bytes"),
    ):
        asking.get(peer.url)
    assert len(peer.asked) == 1


def test_gzip_in_several_members_is_read_whole() -> None:
    body = gzip.compress(b"un ") + gzip.compress(b"deux")
    answers = answering(Answer(headers={"content-encoding": "gzip"}, body=body))
    with serving(answers) as peer, client(Clock()) as asking:
        assert asking.get(peer.url).content == b"un deux"


def test_a_compression_that_was_not_asked_for_is_refused() -> None:
    answers = answering(Answer(headers={"content-encoding": "gzip, gzip"}, body=b"x"))
    with (
        serving(answers) as peer,
        client(Clock()) as asking,
        pytest.raises(SourceError, match="not asked for"),
    ):
        asking.get(peer.url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://10.0.0.8/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.100.100.200/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fd00:ec2::254]/",
        "http://[fe80::1]/",
        "http://224.0.0.1/",
        "http://240.0.0.1/",
    ],
)
def test_an_address_that_is_not_public_is_refused(url: str) -> None:
    asking = mocked(lambda _: httpx.Response(200))
    with pytest.raises(AddressRefused, match="not a public address"):
        asking.get(url)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://a.example/", "data:,x", "//x", "http://", "http://0177.0.0.1/"],
)
def test_only_http_and_https_are_spoken(url: str) -> None:
    with pytest.raises(AddressRefused):
        mocked(lambda _: httpx.Response(200)).get(url)


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(AddressRefused) as caught:
        mocked(lambda _: httpx.Response(200)).get("https://moi:verysecret@a.example/")
    assert "verysecret" not in str(caught.value)


def test_a_name_that_resolves_to_a_private_address_is_refused() -> None:
    with (
        http.Client(find=lambda *_: ["127.0.0.1"]) as asking,
        pytest.raises(AddressRefused, match=r'add "ville.example" to allow_private'),
    ):
        asking.get("http://ville.example/")


def test_a_name_is_resolved_once_and_the_checked_address_is_the_one_opened() -> None:
    looked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        looked.append(host)
        return ["127.0.0.1"] if len(looked) == 1 else ["169.254.169.254"]

    with serving(answering(Answer(body=b"ici"))) as peer, client(Clock(), find=rebinding) as asking:
        port = peer.url.rsplit(":", 1)[1]
        assert asking.get(f"http://ville.example:{port}/").content == b"ici"
    assert looked == ["ville.example"]
    assert peer.asked[0].headers["host"] == f"ville.example:{port}"


def test_addresses_for_other_sockets_pass_the_same_guard() -> None:
    known = {"flux.example": ["192.0.2.1", "10.0.0.5", "8.8.8.8"], "interne.example": ["10.0.0.5"]}
    asking = client(Clock(), allow_private=(), find=lambda host, _: known[host])
    assert asking.addresses("flux.example", 443) == ["8.8.8.8"]
    with pytest.raises(AddressRefused, match=r"interne\.example leads to 10\.0\.0\.5"):
        asking.addresses("interne.example", 443)


def test_a_host_or_a_network_can_be_allowed_by_name() -> None:
    for allowed in ("forum.interne", "10.0.0.0/8", "10.1.2.3"):
        assert http.Guard.reading((allowed,)).allows("forum.interne", "10.1.2.3")
    assert not http.Guard.reading(("autre.interne",)).allows("forum.interne", "10.1.2.3")
    assert http.Guard.reading(("127.0.0.0/8",)).allows("x", "::ffff:127.0.0.1")


def test_a_name_without_an_address_is_a_source_error() -> None:
    def lost(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    clock = Clock()
    with client(clock, find=lost) as asking, pytest.raises(SourceError, match="could not be read"):
        asking.get("http://perdu.example/")


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/", "http://[::1]/", "http://2130706433/"]
)
def test_a_redirect_into_a_private_network_is_refused(target: str) -> None:
    asking = mocked(lambda _: httpx.Response(302, headers={"location": target}))
    with pytest.raises(AddressRefused):
        asking.get("http://ville.example/")


def test_a_redirect_from_https_to_http_is_refused() -> None:
    asking = mocked(lambda _: httpx.Response(302, headers={"location": "http://ville.example/b"}))
    with pytest.raises(AddressRefused, match="from https to http"):
        asking.get("https://ville.example/a")


def test_a_redirect_carries_no_credentials_to_another_host() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.host == "a.example" and request.url.path == "/":
            return httpx.Response(301, headers={"location": "/ici"})
        if request.url.host == "a.example":
            return httpx.Response(307, headers={"location": "https://b.example/#frag"})
        return httpx.Response(200, headers={"set-cookie": "a=b"})

    secrets = {"Authorization": "Bearer x", "X-Api-Key": "y", "If-None-Match": '"1"'}
    final = mocked(answer).get("https://a.example/", headers=secrets)
    assert final.url == "https://b.example/"
    assert seen[1].headers["authorization"] == "Bearer x"
    assert "authorization" not in seen[2].headers
    assert "x-api-key" not in seen[2].headers
    assert seen[2].headers["if-none-match"] == '"1"'


def test_redirects_end() -> None:
    asking = mocked(lambda request: httpx.Response(302, headers={"location": f"{request.url}x"}))
    with pytest.raises(SourceError, match="more than 5 redirects"):
        asking.get("https://ville.example/")


def test_a_redirect_of_a_post_is_told_instead_of_followed() -> None:
    asking = mocked(lambda _: httpx.Response(308, headers={"location": "https://b.example/"}))
    with pytest.raises(SourceError, match="set that address instead"):
        asking.post_json("https://a.example/", json={})


def test_a_contact_cannot_add_a_header() -> None:
    with serving(answering(Answer())) as peer, client(Clock(), contact="a\r\nX-Bad: 1") as asking:
        asking.get(peer.url)
    assert "x-bad" not in peer.asked[0].headers


def test_what_a_service_says_of_its_limit_is_read_in_utc() -> None:
    at = datetime(2026, 11, 20, 12, 0, 45, tzinfo=UTC)
    assert http.wait_asked({"x-ratelimit-reset": "2026-11-20T12:01:00Z"}, now=at) == 15
    assert http.wait_asked({}, b"[]", now=at) is None
    spent = http.told({"ratelimit-remaining": "0.9", "ratelimit-reset": "30"}, now=at)
    assert spent == Told(remaining=0, reset_at=at + timedelta(seconds=30))
    assert http.told({"x-ratelimit-remaining": "many", "x-ratelimit-reset": "30"}, now=at) is None
    assert http.told({"ratelimit-remaining": "0"}, now=at) is None
