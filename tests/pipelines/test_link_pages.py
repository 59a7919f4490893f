"""From the link in an alert mail to the action: two steps, once, by whom it was sent to."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from pipelines import alert_actions, hooks, link_pages, links, notify, warehouse
from pipelines.settings import Settings, Web
from tests.pipelines.staged import prepared
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import AS_OF, MODERATOR, settings

HOUR = timedelta(hours=1)


@dataclass
class Town:
    """A town whose alert mail has just gone out, and the pages behind its links."""

    settings: Settings
    client: TestClient
    now: list[datetime] = field(default_factory=lambda: [AS_OF])

    def link(self, label: str = "Je m’en occupe") -> str:
        """The path of the link that the mail gives under this label."""
        [(message,)] = self.rows("select message from outbox")
        mail = message_from_bytes(message, policy=policy.default)
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        found = re.search(rf"- {label} : (\S+)", text)
        assert found is not None
        return urlsplit(found[1]).path

    def rows(self, query: str) -> list[Any]:
        with warehouse.opened(self.settings.home) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = settings(tmp_path, web=Web(url="https://vigie.valmorin.example"))
    prepared(made)
    with warehouse.opened(tmp_path) as connection:
        notify.record(connection, [alert(1.5, severity="critical")], settings=made, as_of=AS_OF)
    now = [AS_OF]
    with TestClient(hooks.app(made, {}, now=lambda: now[0])) as client:
        yield Town(made, client, now)


def said(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html.partition("<main>")[2])).split())


def test_opening_a_link_shows_what_will_happen_and_does_nothing(town: Town) -> None:
    for _ in range(3):
        answer = town.client.get(town.link())
        assert answer.status_code == 200
        assert town.client.head(town.link()).status_code == 200
    page = said(answer.text)
    assert "Prendre cette alerte en charge" in page
    assert "plus de rappel" in page
    assert f"Au nom de {MODERATOR}" in page
    assert town.rows("select * from incident_ack") == []
    assert town.rows("select * from link_use") == []


def test_the_button_acknowledges_once_in_the_readers_name(town: Town) -> None:
    done = town.client.post(town.link())
    assert done.status_code == 200
    assert "vous vous en occupez" in said(done.text)
    assert town.rows("select acked_by from incident_ack") == [(MODERATOR,)]
    for again in (town.client.post(town.link()), town.client.get(town.link())):
        assert again.status_code == 410
        assert "Ce lien a déjà servi" in said(again.text)
    assert len(town.rows("select * from incident_event where state_to = 'acked'")) == 1


def test_a_silence_asks_for_an_end_and_a_reason(town: Town) -> None:
    path = town.link("Mettre en sourdine")
    assert 'name="reason"' in town.client.get(path).text
    short = town.client.post(path, data={"hours": "4", "reason": "x"})
    assert short.status_code == 422
    assert "Écrivez en quelques mots" in said(short.text)
    long = town.client.post(path, data={"hours": "9999", "reason": "exercice prévu"})
    assert "Choisissez une durée" in said(long.text)
    done = town.client.post(path, data={"hours": "4", "reason": "exercice <b>prévu</b>"})
    assert done.status_code == 200
    assert town.rows("select until_at, actor, reason from silence") == [
        (AS_OF + 4 * HOUR, MODERATOR, "exercice <b>prévu</b>")
    ]


def test_a_false_alarm_is_labelled(town: Town) -> None:
    assert town.client.post(town.link("Fausse alerte")).status_code == 200
    assert town.rows("select verdict, actor from alert_label") == [("false_alarm", MODERATOR)]


def test_a_false_alarm_is_taken_back_in_two_steps_and_once(town: Town) -> None:
    done = town.client.post(town.link("Fausse alerte") + "?lang=en")
    again = town.client.get(town.link("Fausse alerte"))  # used: what it did can be taken back
    assert "no false alarm" in said(done.text)
    found = [re.search(r'href="\./([\w-]+)\?lang=(\w\w)"', page.text) for page in (done, again)]
    assert [each and each[2] for each in found] == ["en", "fr"]
    assert found[0] is not None
    path = f"/alerts/{found[0][1]}"
    asked = town.client.get(path)
    assert "ce n’est pas une fausse alerte" in said(asked.text)
    assert f"Au nom de {MODERATOR}" in said(asked.text)
    assert len(town.rows("from alert_label")) == 1
    page = said(town.client.post(path).text)
    assert "n’est plus jugée fausse" in page
    assert MODERATOR not in page  # who had it in hand by that judgement alone
    verdicts = town.rows("select verdict, actor from alert_label order by labelled_at")
    assert verdicts == [("false_alarm", MODERATOR), ("not_false_alarm", MODERATOR)]
    assert town.rows("from incident_ack") == []
    assert town.client.post(path).status_code == 410
    assert "Je me suis trompé" not in town.client.get(town.link("Fausse alerte")).text


def test_a_link_that_is_no_judgement_offers_nothing_to_take_back(town: Town) -> None:
    assert "Je me suis trompé" not in town.client.post(town.link()).text
    assert "Je me suis trompé" not in town.client.get(town.link()).text


def test_a_false_alarm_against_a_judgement_that_stands_is_refused_and_its_link_kept(
    town: Town,
) -> None:
    path = town.link("Fausse alerte")
    [(name,)] = town.rows("select incident_id from incident")
    with warehouse.opened(town.settings.home) as connection:
        alert_actions.judge(
            connection, name, "wrong_tone", better="neutral", actor="anne", at=AS_OF
        )
    for query, told in (("", "déjà jugée autrement"), ("?lang=en", "judged otherwise already")):
        answer = town.client.post(path + query)
        assert (answer.status_code, told in said(answer.text)) == (409, True)
    assert town.rows("from link_use") == []
    with warehouse.opened(town.settings.home) as connection:
        alert_actions.take_back(connection, name, "wrong_tone", actor="anne", at=AS_OF)
    assert town.client.post(path).status_code == 200


def test_before_a_run_has_made_the_view_of_judgements_other_links_act_and_none_breaks(
    town: Town,
) -> None:
    town.rows("drop view alert_judgement")
    assert town.client.post(town.link()).status_code == 200
    assert town.client.get(town.link()).status_code == 410
    false_alarm = town.link("Fausse alerte")
    assert town.client.get(false_alarm).status_code == 200
    assert town.client.post(false_alarm).status_code == 503
    assert town.rows("from alert_label") == []
    with warehouse.opened(town.settings.home) as connection:
        warehouse.create_views(connection)
    assert town.client.post(false_alarm).status_code == 200
    town.rows("drop view alert_judgement")
    used = town.client.get(false_alarm)
    assert (used.status_code, "Je me suis trompé" in used.text) == (410, False)


def test_each_link_is_used_by_itself(town: Town) -> None:
    town.client.post(town.link())
    page = town.client.get(town.link("Fausse alerte"))
    assert page.status_code == 200
    assert f"par {MODERATOR}" in said(page.text)


def test_a_link_that_has_expired_says_so(town: Town) -> None:
    town.now[0] = AS_OF + 48 * HOUR
    answer = town.client.post(town.link())
    assert answer.status_code == 410
    assert "Ce lien a expiré" in said(answer.text)
    assert town.rows("select * from incident_ack") == []


@pytest.mark.parametrize("name", ["x", "é", "mark-abc", "A" * 52, "A" * 5_000, "%00"])
def test_a_link_that_is_not_ours_says_so(town: Town, name: str) -> None:
    answer = town.client.post(f"/alerts/{name}")
    assert answer.status_code == 404


def test_a_link_of_somebody_who_got_no_mail_does_nothing(town: Town) -> None:
    [(incident_id,)] = town.rows("select incident_id from incident")
    made = links.token(
        links.key(town.settings.home),
        action="acknowledge",
        incident_id=incident_id,
        recipient="ailleurs@v.example",
        expires_at=AS_OF + HOUR,
    )
    assert town.client.post(f"/alerts/{made}").status_code == 410
    assert town.rows("select * from incident_ack") == []


def test_an_incident_that_is_gone_says_so(town: Town) -> None:
    path = town.link()
    town.rows("delete from incident")
    answer = town.client.get(path)
    assert answer.status_code == 410
    assert "n’est plus là" in said(answer.text)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"x" * 5_000, "application/x-www-form-urlencoded"),
        (b"a=%ff&" * 20, "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"\xff", "application/x-www-form-urlencoded"),
    ],
)
def test_a_form_that_is_not_this_pages_does_nothing(town: Town, body: bytes, kind: str) -> None:
    answer = town.client.post(town.link(), content=body, headers={"content-type": kind})
    assert answer.status_code == 400
    assert town.rows("select * from incident_ack") == []


def test_pages_load_nothing_run_nothing_and_are_framed_by_nobody(town: Town) -> None:
    answer = town.client.get(town.link())
    policy_said = answer.headers["content-security-policy"]
    assert policy_said.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy_said
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "<script" not in answer.text
    assert not re.search(r"(?:src|href)=\"(?!\?lang)", answer.text)
    assert 'style="' not in answer.text


def test_a_page_is_english_where_asked(town: Town) -> None:
    answer = town.client.get(town.link() + "?lang=en")
    assert '<html lang="en">' in answer.text
    assert "Take this alert in hand" in said(answer.text)
    assert "far more mentions" in said(answer.text) or "mentions in" in said(answer.text)
    assert '<html lang="fr">' in town.client.get(town.link() + "?lang=<x>").text


def test_while_a_run_holds_the_warehouse_nothing_is_done_and_the_page_says_so(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_pages, "WAIT_SECONDS", 0.2)
    path = town.link()
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    file = str(town.settings.home / warehouse.WAREHOUSE)
    with subprocess.Popen(
        [sys.executable, "-c", code, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        answer = town.client.post(path)
        holder.communicate(b"\n")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "60"
    assert town.rows("select * from incident_ack") == []


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    made = settings(tmp_path, web=Web(url="https://vigie.valmorin.example"))
    hostile = "<img src=x onerror=alert(1)>"
    who = made.institution.model_copy(update={"name": hostile})
    made = made.model_copy(update={"institution": who})
    prepared(made)
    with TestClient(hooks.app(made, {}, now=lambda: AS_OF)) as client:
        answer = client.get(f"/alerts/{hostile}")
    assert "<img" not in answer.text


def test_without_an_address_there_are_no_pages(tmp_path: Path) -> None:
    assert link_pages.routes(settings(tmp_path), now=lambda: AS_OF) == []


def storm(town: Town, count: int = 3) -> None:
    """Another letter, about `count` alerts that begin together an hour later."""
    topics = [f"T{n:02d}" for n in range(1, count + 1)]
    alerts = [alert(1.5, severity="critical", rule_id="topic_surge", scope=t) for t in topics]
    with warehouse.opened(town.settings.home) as connection:
        connection.execute("delete from outbox; delete from incident")
        notify.record(connection, alerts, settings=town.settings, as_of=AS_OF)


ALL = "Je m’occupe de toutes ces alertes"


def test_each_alert_of_a_letter_is_answered_by_its_own_link(town: Town) -> None:
    storm(town)
    [(message,)] = town.rows("select message from outbox")
    mail = message_from_bytes(message, policy=policy.default)
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    html = unescape(mail.get_body(("html",)).get_content())  # type: ignore[union-attr]
    found = re.findall(r"(?:Fausse alerte) : (\S+)", text)
    assert len(set(found)) == 3
    assert all(url in html for url in found)
    for url in found:
        assert town.client.post(urlsplit(url).path).status_code == 200
    labelled = town.rows("select distinct incident_id from alert_label")
    assert sorted(labelled) == sorted(town.rows("select incident_id from incident"))


def test_one_link_takes_all_in_hand_in_two_steps_and_once(town: Town) -> None:
    storm(town)
    [(first, *_), *_] = town.rows("select incident_id from incident order by scope")
    with warehouse.opened(town.settings.home) as connection:
        alert_actions.acknowledge(connection, first, actor="anne", at=AS_OF)
    asked = town.client.get(town.link(ALL))
    assert asked.status_code == 200
    page = said(asked.text)
    assert page.count("Eau : ") == 3
    assert page.count("Prise en charge") == 1
    assert f"Au nom de {MODERATOR}" in page
    assert len(town.rows("select * from incident_ack")) == 1
    done = town.client.post(town.link(ALL))
    assert "vous vous occupez de 2 alertes" in said(done.text)
    held = town.rows("select acked_by, count(*) from incident_ack group by all order by all")
    assert held == [("anne", 1), (MODERATOR, 2)]
    assert len(town.rows("select * from incident_event where state_to = 'acked'")) == 3
    for again in (town.client.post(town.link(ALL)), town.client.get(town.link(ALL))):
        assert "Ce lien a déjà servi" in said(again.text)


def test_the_link_for_all_serves_nobody_else_and_ends_with_its_alerts(town: Town) -> None:
    storm(town)
    [(letter,)] = town.rows("select outbox_key from outbox")
    stolen = links.token(
        links.key(town.settings.home),
        action="acknowledge_all",
        incident_id=letter[:16],
        recipient="ailleurs@v.example",
        expires_at=AS_OF + HOUR,
    )
    assert town.client.post(f"/alerts/{stolen}").status_code == 410
    town.rows("update incident set state = 'resolved'")
    over = town.client.post(town.link(ALL))
    assert (over.status_code, "Ces alertes sont terminées" in said(over.text)) == (410, True)
    town.now[0] = AS_OF + 48 * HOUR
    assert "Ce lien a expiré" in said(town.client.post(town.link(ALL)).text)
    assert town.rows("select * from incident_ack") == []


def test_a_letter_about_hundreds_keeps_to_the_size_of_a_mail(town: Town) -> None:
    storm(town, 300)
    [(message,)] = town.rows("select message from outbox")
    mail = message_from_bytes(message, policy=policy.default)
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert len(html.encode()) < 60_000  # mail programs cut at about 100 KB
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "et 259 alertes de plus" in text
    assert text.count("Fausse alerte : ") == 13
    done = town.client.post(town.link(ALL))
    assert "vous vous occupez de 300 alertes" in said(done.text)
