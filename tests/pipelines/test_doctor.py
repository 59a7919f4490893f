"""`vigie doctor` finds what is wrong, says what to do, changes nothing and shows no secret."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Debugging
from aiosmtpd.smtp import AuthResult, LoginPassword

from pipelines import (
    budget,
    doctor,
    house,
    init,
    listening,
    orchestrator,
    rota_copy,
    settings,
    sources,
    warehouse,
)
from pipelines.doctor import Check
from pipelines.http import Client
from pipelines.limits import Daily, Limit, Price
from pipelines.sources import file
from tests.pipelines.calendars import calendar, event

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
PUBLIC = ("93.184.215.14",)


def client(answer: httpx.Response | None = None) -> Client:
    transport = httpx.MockTransport(lambda _: answer or httpx.Response(200, text="<rss/>"))
    return Client(transport=transport, sleep=lambda _: None, find=lambda *_: [*PUBLIC])


@contextmanager
def mail_server(*, password: str = "") -> Iterator[int]:
    """A mail server on loopback; with a password it lets in nobody without."""

    def check(*args: object) -> AuthResult:
        data = args[-1]
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password.decode() == password, handled=False)

    with socket.socket() as probe:  # the controller cannot be asked for any free port
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    controller = Controller(
        Debugging(), hostname="127.0.0.1", port=port,
        authenticator=check, auth_require_tls=False,
    )  # fmt: skip
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    init.write(path, answers={"name": "Ville de Vernelle", "legal_basis": "Délibération n° 14"})
    return path


def changed(home: Path, right: str, wrong: str) -> None:
    path = home / "vigie.toml"
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong, 1), encoding="utf-8")


def look(
    home: Path, environ: dict[str, str] | None = None, **answer: httpx.Response
) -> list[Check]:
    return doctor.examine(home, environ=environ or {}, now=NOW, client=client(**answer))


def of(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def prepared(home: Path) -> None:
    kinds = sources.options_by_kind()
    warehouse.prepare(settings.read(home, environ={}, source_options=kinds))


def test_a_fresh_home_has_no_error_but_what_is_left_to_complete(home: Path) -> None:
    with mail_server() as port:
        changed(home, "port = 25", f"port = {port}")
        checks = look(home)
    wrong = [c for c in checks if c.status != "ok" and not c.name.startswith("model")]
    assert [(c.name, c.status) for c in wrong] == [("vigie.toml", "warning")]
    assert "a domain that nobody owns" in wrong[0].what
    assert of(checks, "mail").what == f"127.0.0.1:{port} answers; nothing was sent"


def test_every_fault_of_the_settings_is_a_finding_with_its_remedy(home: Path) -> None:
    changed(home, 'kind = "commune"', 'kind = "ville"')
    changed(home, "port = 25", "port = 0")
    found = [c for c in look(home) if c.name == "vigie.toml"]
    assert [c.status for c in found] == ["error", "error"]
    assert all(c.what.startswith("line ") and c.remedy for c in found)


def test_a_missing_home_is_told_in_one_sentence(tmp_path: Path) -> None:
    for home in (tmp_path / "nowhere", tmp_path):
        wrong = [check for check in look(home) if check.status != "ok"]
        assert [check.name for check in wrong] == ["home"]
        assert "vigie init" in wrong[0].remedy


def test_findings_are_told_in_french_with_its_own_spaces(tmp_path: Path) -> None:
    checks = look(tmp_path / "nowhere")
    assert of(checks, "home").what == f"{tmp_path}/nowhere does not exist"
    told = of(checks, "home").told("fr")
    assert told.name == "dossier"
    assert told.what == f"{tmp_path}/nowhere n’existe pas"
    assert told.remedy == "lancez «\u00a0vigie init\u00a0», ou nommez le dossier avec --home"
    assert of(checks, "home").told("en") == of(checks, "home")


def test_the_key_must_be_there_and_private(home: Path) -> None:
    key = home / "keys" / "pseudonym.key"
    key.chmod(0o644)
    assert "chmod 600" in of(look(home), "key").remedy
    key.unlink()
    assert of(look(home), "key").status == "error"


def test_a_home_that_others_read_is_a_warning(home: Path) -> None:
    home.chmod(0o755)
    assert of(look(home), "home").status == "warning"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_home_that_cannot_be_written_is_an_error(home: Path) -> None:
    home.chmod(0o500)
    assert "cannot be written" in of(look(home), "home").what


def test_a_territory_that_is_no_place_is_an_error(home: Path) -> None:
    changed(home, "territory = []", 'territory = ["commune:99999"]')
    assert any("commune:99999, which is no place" in c.what for c in look(home))


def test_words_that_nothing_reads_are_told(home: Path) -> None:
    path = home / "vigie.toml"
    added = 'id = "tram"\nlabel = "Tram"\npurpose = "répondre aux gens"\nnames = ["tram"]'
    path.write_text(f'{path.read_text()}\n[[subjects]]\n{added}\ncontext = ["panne"]\n')
    assert any("context and places of tram do nothing" in c.what for c in look(home))


def test_texts_kept_longer_than_a_source_allows_are_told(home: Path) -> None:
    changed(home, "text_days = 30", "text_days = 90")
    assert any("longer than the terms of file" in c.what for c in look(home))


# --- mail


def test_a_closed_mail_server_is_an_error_with_its_address(home: Path) -> None:
    with mail_server() as port:
        changed(home, "port = 25", f"port = {port}")
    found = of(look(home), "mail")
    assert (found.status, found.what) == (
        "error",
        f"127.0.0.1:{port} cannot be used (ConnectionRefusedError)",
    )


@pytest.mark.parametrize(
    ("password", "status", "told"),
    [
        ("bonne-clef-9", "ok", "lets us in; nothing was sent"),
        ("fausse", "error", "refuses the login"),
    ],
)
def test_the_login_is_tried_and_the_password_never_shown(
    home: Path, password: str, status: str, told: str
) -> None:
    with mail_server(password="bonne-clef-9") as port:
        changed(home, "port = 25", f'port = {port}\nusername = "vigie"')
        checks = look(home, {"VIGIE_SMTP_PASSWORD": password})
    assert of(checks, "mail").status == status
    assert of(checks, "mail").what.endswith(told)
    assert password not in "".join(c.what + c.remedy for c in checks)


def test_a_server_without_tls_is_told_when_tls_is_asked_for(home: Path) -> None:
    with mail_server() as port:
        changed(home, "port = 25", f"port = {port}")
        changed(home, 'security = "none"', 'security = "starttls"')
        found = of(look(home), "mail")
    assert found.status == "error"
    assert "STARTTLS" in found.what
    assert "security" in found.remedy


# --- sources

FEED = (
    '\n[[sources]]\nname = "journal"\nkind = "feed"\nurl = "https://journal.example/rss"\n\n[mail]'
)


def test_each_source_is_asked(home: Path) -> None:
    changed(home, "\n[mail]", FEED)
    checks = look(home)
    assert of(checks, "source journal").what == "answers (200)"
    assert of(checks, "source exports").status == "ok"


def test_a_source_that_refuses_is_an_error(home: Path) -> None:
    changed(home, "\n[mail]", FEED)
    found = of(look(home, answer=httpx.Response(404)), "source journal")
    assert found.status == "error"
    assert "404" in found.what


@pytest.mark.parametrize(
    ("mode", "asked"),
    [
        ('mode = "jetstream"', "https://jetstream.us-east.bsky.network"),
        ("anonymous = true", "https://bsky.social"),
    ],
)
def test_bluesky_is_asked_where_its_mode_reads(home: Path, mode: str, asked: str) -> None:
    toml = home / "vigie.toml"
    block = f'\n[[sources]]\nname = "bluesky"\nkind = "bluesky"\n{mode}\n'
    toml.write_text(toml.read_text(encoding="utf-8") + block, encoding="utf-8")
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url).rstrip("/"))
        return httpx.Response(404)

    asker = Client(
        transport=httpx.MockTransport(answer), sleep=lambda _: None, find=lambda *_: [*PUBLIC]
    )
    found = of(doctor.examine(home, environ={}, now=NOW, client=asker), "source bluesky")
    assert (found.status, found.what) == ("ok", "answers (404 on its front page)")
    assert [url for url in seen if "bsky" in url] == [asked]


def test_a_source_that_looks_at_itself_says_what_it_finds(home: Path) -> None:
    block = FEED.replace("feed", "telegram").split("url")[0] + 'channels = ["vernelle"]\n\n[mail]'
    changed(home, "\n[mail]", block)
    changed(home, "handles = []", 'handles = ["@vernelle"]')
    page = '<header class="tgme_header"></header>'
    found = of(look(home, answer=httpx.Response(200, text=page)), "source journal")
    assert (found.status, found.what) == ("ok", "shows the preview of 1 channel")
    found = of(look(home, answer=httpx.Response(200, text="<p>")), "source journal")
    assert found.status == "error"
    assert "may have changed it" in found.what


def test_looks_that_hang_are_given_up_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", 0.2)
    end = threading.Event()

    def hanging(_: Any) -> Iterator[Check]:
        end.wait(20)
        yield from ()

    waits = [doctor._begun(hanging, None) for _ in range(8)]  # type: ignore[arg-type]
    begun = time.monotonic()
    found = [check for wait in waits for check in wait()]
    assert time.monotonic() - begun < 8 * 0.4 / 2
    assert {check.what for check in found} == {"no answer within 0 s"}
    end.set()


def test_a_source_that_asks_for_patience_is_no_error(home: Path) -> None:
    changed(home, "\n[mail]", FEED)
    busy = httpx.Response(429, headers={"retry-after": "600"})
    found = of(look(home, answer=busy), "source journal")
    assert found.status == "warning"
    assert "every_minutes" in found.remedy


def test_a_private_address_is_refused_with_the_remedy_for_that(home: Path) -> None:
    changed(home, "\n[mail]", FEED.replace("journal.example", "127.0.0.1"))
    found = of(look(home), "source journal")
    assert found.status == "error"
    assert found.remedy.startswith('if it is a server of yours, add "127.0.0.1" to allow_private')


def test_a_clock_that_is_wrong_shows_in_the_answers(home: Path) -> None:
    changed(home, "\n[mail]", FEED)
    late = httpx.Response(200, headers={"date": "Fri, 20 Nov 2026 10:09:00 GMT"})
    found = of(look(home, answer=late), "source journal")
    assert (found.status, found.what) == (
        "warning",
        "answers, but its clock and ours are 9 min apart",
    )


def test_a_folder_of_exports_that_is_gone_is_an_error(home: Path) -> None:
    shutil.rmtree(home / "inbox")
    assert of(look(home), "source exports").status == "error"


def test_exports_that_outlive_their_texts_are_told(home: Path) -> None:
    path = home / "inbox" / "vieux.csv"
    path.write_text("x")
    long_ago = (NOW - timedelta(days=31)).timestamp()
    os.utime(path, (long_ago, long_ago))
    assert of(look(home), "inbox").what.startswith("1 file in inbox/ is older than the 30 days")


# --- warehouse


def test_a_prepared_warehouse_is_well(home: Path) -> None:
    prepared(home)
    checks = look(home)
    assert of(checks, "warehouse").status == "ok"
    assert (of(checks, "runs").what, of(checks, "outbox").what) == (
        "none yet",
        "nothing waits to be sent",
    )
    assert of(checks, "published").remedy == "run `vigie upkeep`"


def test_a_warehouse_of_a_newer_vigie_is_an_error(home: Path) -> None:
    prepared(home)
    with warehouse.opened(home) as connection:
        connection.execute("insert into migration values ('9999_future', now())")
    assert "9999_future" in of(look(home), "warehouse").what


def test_a_broken_warehouse_is_an_error(home: Path) -> None:
    (home / "warehouse.duckdb").write_bytes(b"not a database" * 999)
    assert of(look(home), "warehouse").status == "error"


def test_mails_that_wait_too_long_are_an_error(home: Path) -> None:
    prepared(home)
    created = NOW - timedelta(hours=3)
    with warehouse.opened(home) as connection:
        connection.execute(
            "insert into outbox (outbox_key, kind, reason, channel, recipient, message_id, "
            "message, created_at, attempt_count, next_try_at, last_error) values "
            "('k', 'alert', 'new', 'email', 'a@b.example', '<m>', 'x'::blob, ?, 4, ?, "
            "'the server is closed')",
            [created, NOW],
        )
    found = of(look(home), "outbox")
    assert (found.status, found.what) == (
        "error",
        "1 mail waits, the oldest for 3 h; the server is closed",
    )


def test_a_mail_that_failed_once_is_a_warning_and_is_tried_again(home: Path) -> None:
    prepared(home)
    with warehouse.opened(home) as connection:
        connection.execute(
            "insert into outbox (outbox_key, kind, reason, channel, recipient, message_id, "
            "message, created_at, attempt_count, next_try_at, last_error) values "
            "('k', 'alert', 'new', 'email', 'a@b.example', '<m>', 'x'::blob, ?, 1, ?, "
            "'the server is closed')",
            [NOW - timedelta(minutes=1), NOW],
        )
    found = of(look(home), "outbox")
    assert found.status == "warning"
    assert "vigie deliver" in found.remedy


def test_runs_that_stopped_are_told(home: Path) -> None:
    prepared(home)
    ended = NOW - timedelta(hours=5)
    with warehouse.opened(home) as connection:
        columns = [row[0] for row in connection.execute("describe intake").fetchall()]
        given = {
            "run_id": "20261120T050000Z", "source_name": "exports", "source": "file",
            "since_at": ended, "until_at": ended, "finished_at": ended, "status": "ok",
            "is_capped": False,
        }  # fmt: skip
        values = [given.get(c, 0 if c.endswith("_count") else None) for c in columns]
        marks = ", ".join("?" for _ in columns)
        connection.execute(f"insert into intake values ({marks})", values)  # noqa: S608
    found = of(look(home), "runs")
    assert (found.status, found.what) == ("warning", "the last one ended 5 h ago")


BLUESKY = """
[[sources]]
name = "bluesky"
kind = "bluesky"
mode = "jetstream"
live = true
"""


@pytest.mark.parametrize(
    ("told", "status", "what"),
    [
        (None, "error", "has never listened"),
        ({"at": NOW - timedelta(hours=3)}, "error", "does not listen; it last did 3 h ago"),
        ({"status": "stopped"}, "error", "does not listen; it last did 0 min ago"),
        ({"status": "failed", "note": "no Jetstream"}, "warning", "no Jetstream"),
        ({"until": NOW - timedelta(minutes=7)}, "ok", "listens; it has heard all up to 7 min ago"),
    ],
)
def test_each_reader_is_told_how_it_is(
    home: Path, told: dict[str, Any] | None, status: str, what: str
) -> None:
    toml = home / "vigie.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + BLUESKY, encoding="utf-8")
    if told is not None:
        values = {"at": NOW, "until": NOW, "status": "ok"} | told
        listening.write_reader(home, "bluesky", listening.Reader(**values))
    found = of(look(home), "reader bluesky")
    assert (found.status, found.what) == (status, what)
    assert bool(found.remedy) == (status != "ok")


def test_a_source_that_cannot_be_listened_to_is_a_fault(home: Path) -> None:
    changed(home, 'kind = "file"', 'kind = "file"\nlive = true')
    (found,) = [check for check in look(home) if check.name == "vigie.toml"]
    assert found.status == "error"
    assert "cannot be listened to" in found.remedy


def test_an_old_published_file_is_told(home: Path) -> None:
    path = home / "published" / "analyst.duckdb"
    path.parent.mkdir()
    path.write_bytes(b"")
    old = (NOW - timedelta(days=3)).timestamp()
    os.utime(path, (old, old))
    assert of(look(home), "published").what == "the analysts' file is 3 days old"


# --- Airflow


@pytest.mark.parametrize(
    ("says", "status"),
    [
        ("""print('[{"pool": "warehouse", "slots": "1"}]')""", "ok"),
        ("""print('[{"pool": "warehouse", "slots": "128"}]')""", "error"),
        ("raise SystemExit('no such pool')", "error"),
    ],
)
def test_the_pool_of_one_slot_is_asked_of_airflow(
    home: Path, monkeypatch: pytest.MonkeyPatch, says: str, status: str
) -> None:
    (home / "airflow").mkdir()
    (home / "airflow" / "airflow.db").touch()
    monkeypatch.setattr(orchestrator, "command", lambda *_: [sys.executable, "-c", says])
    assert of(look(home), "airflow").status == status


def test_a_look_that_breaks_leaves_the_others(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> None:
        raise RuntimeError("no such device")

    monkeypatch.setattr(shutil, "disk_usage", broken)
    checks = look(home)
    assert "no such device" in of(checks, "disk").what
    assert of(checks, "key").status == "ok"


def test_looking_changes_nothing(home: Path) -> None:
    prepared(home)
    before = {p: p.stat().st_mtime_ns for p in home.rglob("*")}
    look(home)
    assert {p: p.stat().st_mtime_ns for p in home.rglob("*")} == before


def test_a_budget_that_is_nearly_spent_is_told_with_the_moment_it_is_free_again(home: Path) -> None:
    assert of(look(home), "budget").what == "nothing has been asked for yet"
    with closing(budget.Ledger(home / budget.FILE)) as ledger:
        limit = Limit(name="search", most=10, per=Daily())
        mine = budget.Budget(ledger=ledger, block="exports", kind="file", limits=(limit,))
        call = budget.Call(method="GET", host="api.example", path="/")
        for _ in range(9):
            held = mine.ask(call, now=NOW)
            assert isinstance(held, budget.Held)
            mine.answered(held, status=200, found=None, told=None, now=NOW)
    assert of(look(home), "budget").what == "nothing is nearly spent"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "MANIFEST", replace(file.MANIFEST, limits=(limit,)))
        found = of(look(home), "budget")
    assert found.status == "warning"
    assert "exports: search, 9 of 10 calls a day used until" in found.what


def test_a_source_that_costs_money_needs_a_cap(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    price = Price(name="posts", amount="0.005", currency="USD")
    monkeypatch.setattr(file, "MANIFEST", replace(file.MANIFEST, prices=(price,)))
    found = of(look(home), "budget")
    assert found.status == "error"
    assert "exports costs money and has no cap" in found.what
    assert "write monthly_cap, in USD" in found.remedy
    changed(home, 'path = "inbox"\n', 'path = "inbox"\nmonthly_cap = 5\n')
    assert of(look(home), "budget").status == "ok"


def rota_home(home: Path, *events: str) -> None:
    changed(home, "[on_call]", '[on_call]\ncalendar = "a.ics"')
    (home / "a.ics").write_bytes(calendar(*events))


def test_a_calendar_that_was_never_read_and_hours_that_nobody_has_are_told(home: Path) -> None:
    rota_home(home)
    found = look(home)
    assert of(found, "rota").status == "warning"
    assert of(found, "on call").status == "error"
    assert of(found, "on call").what.startswith("nobody now: 2026-11-20 10:00 – 2026-11-27")


def test_a_calendar_that_fails_says_since_when_its_copy_serves(home: Path) -> None:
    start, end = (f":{NOW + timedelta(days=d):%Y%m%dT%H%M%SZ}" for d in (-1, 8))
    rota_home(home, event(start, end, people=["astreinte@vernelle.example"]))
    made = house.read(home, environ={})
    with client() as asker:
        rota_copy.refresh(made, secrets={}, client=asker, now=NOW - timedelta(hours=2))
        assert of(look(home), "rota").status == "ok"
        assert of(look(home), "on call").what == "somebody is, every hour of the week to come"
        (home / "a.ics").unlink()
        rota_copy.refresh(made, secrets={}, client=asker, now=NOW)
    found = of(look(home), "rota")
    assert found.status == "error"
    assert found.what.endswith("the copy made 2 h ago serves")


def test_a_channel_that_cannot_be_used_is_told_without_its_address(home: Path) -> None:
    block = '[[channels]]\nname = "salon"\nkind = "chat"\naddress_env = "VIGIE_SALON"\n\n[web]'
    changed(home, "[web]", block)
    found = of(look(home, {"VIGIE_SALON": "mailto://s3cr3t"}), "channel salon")
    assert found.status == "error"
    assert "VIGIE_SALON" in found.what
    assert "s3cr3t" not in found.what + found.remedy
