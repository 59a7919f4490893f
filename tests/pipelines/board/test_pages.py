"""What the pages show and do."""

from __future__ import annotations

import base64
import csv
import io
import os
import re
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pipelines import cli, hooks, publish, warehouse
from pipelines.board import digests, examining, store, visit, web
from pipelines.board.access import PAGES
from pipelines.doctor import Check
from pipelines.said import say
from pipelines.wording import LOCALES, words
from tests.hostile.values import TEXTS
from tests.pipelines.board.town import HOUR, PASSWORD, Town, built, spoken, token
from tests.pipelines.watched import AS_OF, Said

DEEP = base64.urlsafe_b64encode(b"[" * 5000).decode()
HOLD = """
import sys
from pathlib import Path
from pipelines import warehouse
with warehouse.opened(Path(sys.argv[1])) as connection:
    print("held", flush=True)
    sys.stdin.readline()
"""


def said(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html.partition("<main")[2])).split())


def act(client: Any, town: Town, what: str, **form: str) -> Any:
    page = client.get(f"/board/alerts/{town.incident}")
    data = {"csrf": token(page.text), **form}
    return client.post(f"/board/alerts/{town.incident}/{what}", data=data)


def test_today_is_the_digest_as_its_readers_get_it(town: Town) -> None:
    answer = town.visitor("director").get("/board/")
    page = (town.settings.home / "digests" / "2026-11-19.fr.html").read_text()
    _, _, body, _ = digests.taken_apart(page)
    assert str(body) in answer.text
    assert "vendredi 20 novembre" not in answer.text or "jeudi 19 novembre" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "script" not in policy
    assert "unsafe-hashes" in policy


def test_over_data_that_has_ended_the_pages_stand_at_its_end_and_say_so(own_town: Town) -> None:
    home, months = own_town.settings.home, timedelta(days=90)
    with warehouse.opened(home) as connection:
        counts = ("payload", "post", "accepted", "rejected", "off_subject", "duplicate", "deleted")
        connection.execute(
            "insert into intake by name select 'r' as run_id, 'm' as source_name, 'x' as source,"
            " 'ok' as status, false as is_capped, $at as since_at, $at as until_at,"
            " $at as finished_at, " + ", ".join(f"0 as {name}_count" for name in counts),
            {"at": AS_OF - HOUR},
        )
    end = visit.end(home, now=AS_OF + months)
    assert end == visit.End(behind=months, read_until=AS_OF - HOUR)
    assert visit.end(home, now=AS_OF).is_live
    with warehouse.opened(home) as connection:  # somebody was erased from the data since
        connection.execute(
            "insert into receipt by name select 'erasure' as kind, $at as made_at,"
            " '{\"mentions\": 7}' as detail, 'r' as receipt_id",
            {"at": AS_OF + months - HOUR},
        )
    assert visit.end(home, now=AS_OF + months) == end  # which moves no page
    later = web.build(own_town.settings, {}, {}, now=lambda: AS_OF + months, end=end)
    then = Town(own_town.settings, hooks.app(own_town.settings, {}, board=later))
    assert "mentions" in said(then.visitor("dpo").get("/board/privacy").text)
    client = then.visitor("moderator")
    page = client.get("/board/alerts").text
    assert "ne sont pas arrêtées" not in page
    assert "nous sommes le vendredi 20 novembre 2026, " in page
    assert "2 alertes en cours" in page
    assert act(client, then, "silence", hours="4", reason="essai").status_code == 303
    assert then.rows("select max(changed_at) from incident_event") == [(AS_OF,)]
    logged = store.accesses(home, limit=1)
    assert logged[0].at == AS_OF + months
    assert "nous sommes" not in own_town.visitor("moderator").get("/board/alerts").text


def test_data_that_goes_on_being_read_is_told_from_data_that_has_ended(own_town: Town) -> None:
    end = visit.End(behind=HOUR, read_until=AS_OF - HOUR, is_live=True)
    live = web.build(own_town.settings, {}, {}, now=lambda: AS_OF, end=end)
    then = Town(own_town.settings, hooks.app(own_town.settings, {}, board=live))
    page = then.visitor("moderator").get("/board/alerts").text.replace("\u00a0", " ")
    assert "Ces données ne sont pas arrêtées (dernière lecture : 20 nov. à 10:25)" in page
    with cli.out.capture() as printed:
        cli._print_live(own_town.settings, end)
    told = " ".join(printed.get().split())
    assert "Ces données ne sont pas arrêtées : la dernière lecture est du 2026-11-20 10:25" in told
    assert "relancez `vigie serve` sans --at-end" in told


def test_an_alert_shows_what_its_rule_sees_before_anybody_is_told(own_town: Town) -> None:
    with warehouse.opened(own_town.settings.home) as connection:
        connection.execute("delete from alert_evidence")
    client = own_town.visitor("director")
    shown = said(client.get(f"/board/alerts/{own_town.incident}").text)
    assert "Ce que la règle voit" in shown
    assert "Toutes les grandeurs et les seuils" in shown
    with warehouse.opened(own_town.settings.home) as connection:  # of another version
        connection.execute("update incident set evidence = '{}'")
    again = said(client.get(f"/board/alerts/{own_town.incident}").text)
    assert "Ce que la règle voit" not in again


def test_a_day_without_a_digest_is_not_there(town: Town) -> None:
    client = town.visitor("director")
    assert client.get("/board/digests/2026-11-19").status_code == 200
    for day in ("2026-11-18", "x", "..%2f..%2fvigie.toml", "2026-11-19.fr.html"):
        assert client.get(f"/board/digests/{day}").status_code == 404


def test_the_archive_holds_editions_and_crisis_reports_and_nothing_else(own_town: Town) -> None:
    folder = own_town.settings.home / "digests"
    page = (folder / "2026-11-19.fr.html").read_text()
    ours = ("2026-11-15.week", "2026-10-31.month", "2026-11-18.crisis-ab12cd34-h1")
    others = ("2026-11-18.<b>", "2026-13-45", "notes", "2026-11-18.crisis")
    for name in (*ours, *others):
        (folder / f"{name}.fr.html").write_text(page)
    client = own_town.visitor("director")
    listed = client.get("/board/digests").text
    assert [name for name in (*ours, *others) if f'digests/{name}"' in listed] == list(ours)
    assert "Crise du mer. 18 nov. : point à H+1" in said(listed)
    for name in (*ours, *others):
        status = client.get(f"/board/digests/{name}").status_code
        assert status == (200 if name in ours else 404)


def test_a_warehouse_of_before_an_update_says_what_is_to_be_done(own_town: Town) -> None:
    with warehouse.opened(own_town.settings.home) as connection:
        connection.execute("drop table label_task cascade")
    answer = own_town.visitor("moderator").get("/board/labels")
    assert answer.status_code == 503
    assert "« vigie watch » en lance un maintenant" in said(answer.text)


def test_an_alert_without_a_mail_leads_to_the_one_whose_mail_named_it(own_town: Town) -> None:
    with warehouse.opened(own_town.settings.home) as connection:
        connection.execute("update incident_event set state_to = 'firing'")
    town = own_town
    [(name,)] = town.rows("select incident_id from incident where rule_id = 'negative_surge'")
    html = town.visitor("director").get(f"/board/alerts/{name}").text
    assert "Rien n’a été envoyé" not in html
    assert "la nommait" in html
    assert f'href="/board/alerts/{town.incident}">Voir l’autre alerte' in html


def test_an_alert_leads_those_who_may_search_to_what_was_said(town: Town) -> None:
    link = re.compile(r'href="(/board/search\?[^"]*)"')
    client = town.visitor("moderator")
    found = link.search(client.get(f"/board/alerts/{town.incident}").text)
    assert found is not None
    assert "from=10%3A25" in found[1]  # an hour before it began, in Paris
    assert "to=11%3A25" in found[1]
    html = client.get(unescape(found[1])).text
    assert html.count('class="said"') == 2
    assert "2 messages en tout" in said(html)
    director = town.visitor("director").get(f"/board/alerts/{town.incident}")
    assert not link.search(director.text)


def test_the_alerts_stand_critical_first_then_newest_then_those_that_ended(own_town: Town) -> None:
    with warehouse.opened(own_town.settings.home) as connection:
        connection.execute("delete from incident")
        for name, severity, opened, ended in (
            ("late", "warning", 1, None),
            ("early", "warning", 5, None),
            ("over", "critical", 2, 1),
            ("grave", "critical", 9, None),
        ):
            connection.execute(
                "insert into incident values (?, ?, 'volume_surge', '1', 'eau', ?, ?, ?, ?, ?, ?,"
                " 3, 1, '{}')",
                [name, name, name, severity, "resolved" if ended else "firing",
                 AS_OF - HOUR * opened, AS_OF - HOUR * opened, ended and AS_OF - HOUR * ended],
            )  # fmt: skip
    page = own_town.visitor("moderator").get("/board/alerts").text
    found = re.findall(r'href="/board/alerts/(\w+)"', page)
    assert list(dict.fromkeys(found)) == ["grave", "late", "early", "over"]


@pytest.mark.parametrize(
    ("lang", "why", "again"),
    [
        ("fr", "Afflux de mentions, critique, niveau 1,5", "premier message"),
        ("en", "Surge in mentions, critical, level 1.5", "first message"),
    ],
)
def test_the_reason_of_a_change_and_of_a_mail_is_in_the_visitors_language(
    own_town: Town, lang: str, why: str, again: str
) -> None:
    client = own_town.visitor("moderator")
    page = said(client.get(f"/board/alerts/{own_town.incident}?lang={lang}").text)
    assert why in page
    assert again in page
    assert "volume_surge critical level=1.5" not in page


def test_an_alert_is_taken_in_hand_once(own_town: Town) -> None:
    client = own_town.visitor("director")
    answer = act(client, own_town, "acknowledge")
    assert "en main" in said(client.get(answer.headers["location"]).text)
    assert own_town.rows("select acked_by from incident_ack") == [("director",)]
    again = own_town.visitor("moderator")
    page = said(again.get(f"/board/alerts/{own_town.incident}").text)
    assert "Je m’en occupe" not in page


def test_a_silence_has_an_end_and_a_reason(own_town: Town) -> None:
    client = own_town.visitor("moderator")
    for form in ({"hours": "4", "reason": "x"}, {"hours": "999", "reason": "exercice"}, {}):
        assert act(client, own_town, "silence", **form).status_code == 422
    assert own_town.rows("select * from silence") == []
    done = act(client, own_town, "silence", hours="168", reason="exercice <b>prévu</b>")
    assert done.status_code == 303
    assert own_town.rows("select until_at, actor, reason from silence") == [
        (AS_OF + timedelta(days=7), "moderator", "exercice <b>prévu</b>")
    ]
    page = client.get(done.headers["location"]).text
    assert "<b>prévu" not in page
    assert "exercice &lt;b&gt;prévu" in page
    assert act(client, own_town, "unsilence").status_code == 303
    assert own_town.rows("select ended_by from silence") == [("moderator",)]


@pytest.mark.parametrize(
    ("form", "kept"),
    [
        ({"verdict": "false_alarm"}, ("false_alarm", None)),
        ({"verdict": "wrong_tone", "tone": "positive"}, ("wrong_tone", "positive")),
        ({"verdict": "wrong_topic", "topic": "T01"}, ("wrong_topic", "T01")),
    ],
)
def test_a_judgement_is_a_label(own_town: Town, form: dict[str, str], kept: Any) -> None:
    assert act(own_town.visitor("moderator"), own_town, "judge", **form).status_code == 303
    assert own_town.rows("select verdict, better from alert_label") == [kept]


@pytest.mark.parametrize(
    "form",
    [
        {"verdict": "wrong_tone", "tone": "positive", "topic": "T01"},
        {"verdict": "wrong_tone", "topic": "T01"},
        {"verdict": "wrong_topic"},
        {"verdict": "wrong_topic", "topic": "'; drop"},
        {"verdict": "false_alarm", "tone": "neutral"},
    ],
)
def test_a_judgement_that_contradicts_itself_is_refused(
    own_town: Town, form: dict[str, str]
) -> None:
    answer = act(own_town.visitor("moderator"), own_town, "judge", **form)
    assert answer.status_code == 422
    assert "vide" in said(answer.text)
    assert own_town.rows("from alert_label") == []


def test_a_false_alarm_is_shown_and_has_no_tone_to_put_right(own_town: Town) -> None:
    client = own_town.visitor("moderator")
    done = act(client, own_town, "judge", verdict="false_alarm")
    assert "Jugée fausse alerte" in said(client.get(done.headers["location"]).text)
    answer = act(client, own_town, "judge", verdict="wrong_tone", tone="positive")
    assert "Un avis contraire" in said(answer.text)
    assert own_town.rows("select verdict from alert_label") == [("false_alarm",)]


def test_a_judgement_is_taken_back_and_may_be_replaced(own_town: Town) -> None:
    client = own_town.visitor("moderator")
    act(client, own_town, "judge", verdict="false_alarm")
    assert "Je me suis trompé" in client.get(f"/board/alerts/{own_town.incident}").text
    director = own_town.visitor("director").get(f"/board/alerts/{own_town.incident}").text
    assert "Jugée fausse alerte" in director
    assert "Je me suis trompé" not in director
    done = act(client, own_town, "take-back", verdict="false_alarm", reason="<b>mauvaise</b>")
    page = client.get(done.headers["location"]).text
    assert "est repris" in said(page)
    assert "jugement « fausse » repris" in said(page)  # the timeline keeps both
    assert "Jugée fausse alerte" not in said(page)
    assert "Je me suis trompé" not in page
    assert "<b>mauvaise" not in page
    assert own_town.rows("from incident_ack") == []
    assert act(client, own_town, "judge", verdict="wrong_tone", tone="positive").status_code == 303
    page = said(client.get(f"/board/alerts/{own_town.incident}").text)
    assert "Ton jugé faux, juste : positif" in page
    again = act(client, own_town, "take-back", verdict="false_alarm")
    assert "n’a pas ce jugement" in said(client.get(again.headers["location"]).text)


def test_a_judgement_is_taken_back_by_moderators_from_a_page_of_theirs(own_town: Town) -> None:
    client, path = own_town.visitor("moderator"), f"/board/alerts/{own_town.incident}/take-back"
    act(client, own_town, "judge", verdict="false_alarm")
    assert client.post(path, data={"verdict": "false_alarm"}).status_code == 403
    director = own_town.visitor("director")
    assert act(director, own_town, "take-back", verdict="false_alarm").status_code == 403
    assert act(client, own_town, "take-back", verdict="x").status_code == 422
    assert own_town.rows("select verdict from alert_label") == [("false_alarm",)]


def test_a_judgement_of_nothing_is_told_so(own_town: Town) -> None:
    answer = act(own_town.visitor("moderator"), own_town, "judge", verdict="x")
    assert answer.status_code == 422
    assert "Dites ce qui est faux" in said(answer.text)


def test_no_page_but_alerts_coverage_and_labels_waits_for_the_writer(
    own_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.board.visit.WAIT_SECONDS", 0.2)
    client = own_town.visitor("analyst")
    command = [sys.executable, "-c", HOLD, str(own_town.settings.home)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "held\n"
        codes = {
            page.path: client.get(f"/board{page.path}").status_code
            for page in PAGES
            if page.is_menu and "analyst" in page.roles
        }
        writer.stdin.write("go on\n")
        writer.stdin.close()
    assert {path for path, code in codes.items() if code == 503} == {
        "/alerts",
        "/coverage",
        "/labels",
    }
    assert set(codes.values()) == {200, 503}


def test_pages_that_wait_for_each_other_do_not_wait_long(
    own_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.board.visit.WAIT_SECONDS", 0.2)
    turn = threading.Lock()
    board = web.build(own_town.settings, {}, {}, now=lambda: AS_OF, turn=turn)
    town = Town(own_town.settings, hooks.app(own_town.settings, {}, board=board))
    client = town.visitor("analyst")
    with turn:
        assert client.get("/board/alerts").status_code == 503
        assert client.get("/board/topics").status_code == 200
    assert client.get("/board/alerts").status_code == 200


def test_no_address_is_sent_on_to_where_the_host_header_says(town: Town) -> None:
    client = town.visitor("analyst")
    for path in ("/board", "/", "/board/alerts/", "/board/login/", "/board//evil.example/"):
        answer = client.get(path, headers={"host": "evil.example"})
        assert "evil" not in answer.headers.get("location", "")
        assert answer.status_code in (307, 404)
    assert client.get("/board").headers["location"] == "/board/"


def test_the_log_of_accesses_loses_none_between_two_pages(own_town: Town) -> None:
    client = own_town.visitor("dpo")
    for _ in range(60):
        client.get("/board/coverage")  # all of one moment
    first = client.get("/board/accesses").text
    more = re.search(r'href="(\?before=\d+)"', first)
    assert more is not None
    second = client.get(f"/board/accesses{more[1]}").text
    shown = sum(page.count('<tr><th scope="row"') for page in (first, second))
    assert shown == 61  # with the log-in
    for value in ("x", "-1", "²", "9" * 40):
        assert client.get("/board/accesses", params={"before": value}).status_code == 200


# --- search


def found(client: Any, **asked: str) -> Any:
    return client.get("/board/search", params={"since": "2026-11-01"} | asked)


def test_a_query_finds_what_the_language_says(town: Town) -> None:
    client = town.visitor("analyst")
    page = found(client, q='"rue 7" AND trouble NOT incendie').text
    assert page.count('class="said"') == 1
    assert "rue 7, l" in unescape(page)
    assert found(client, q="incendie").text.count('class="said"') == 0
    assert (
        found(client, q="trouble", tone="negative", topic="T09").text.count("négatif</span>") == 20
    )


def test_pages_go_by_key_and_miss_and_repeat_nothing(town: Town) -> None:
    client, seen = town.visitor("analyst"), []
    path: str | None = "/board/search?q=trouble&since=2026-11-01"
    while path:
        page = client.get(path).text
        seen += re.findall(r"rue (\d+),", unescape(page))
        after = re.search(r'rel="next" href="([^"]+)"', page)
        path = unescape(after[1]) if after else None
    assert sorted(map(int, seen)) == list(range(60))


def test_a_wrong_query_is_shown_where_it_breaks_off(town: Town) -> None:
    answer = found(town.visitor("analyst"), q="eau AND (trouble")
    assert answer.status_code == 422
    assert "<mark>(</mark>trouble" in answer.text
    assert "caractère 9" in said(answer.text)
    assert "jamais fermée" in said(answer.text)


def test_a_search_says_how_many_there_are(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    client = town.visitor("analyst")
    assert "60 messages en tout" in said(found(client, q="trouble").text)
    monkeypatch.setattr("pipelines.board.search.MOST_COUNTED", 30)
    assert "plus de 30 messages en tout" in said(found(client, q="trouble").text)


def test_one_person_is_not_searched_for(town: Town) -> None:
    answer = found(town.visitor("analyst"), q="author:@quidam")
    assert answer.status_code == 422
    assert "publications d’une personne ne sont pas" in said(answer.text)


@pytest.mark.parametrize("name", ["since", "until", "after", "topic", "tone", "source", "subject"])
@pytest.mark.parametrize(
    "value", ["x", DEEP, "'; drop table mention_public; --", "9999-99-99", "é" * 99]
)
def test_a_filter_that_is_none_is_left_out(town: Town, name: str, value: str) -> None:
    answer = town.visitor("analyst").get("/board/search", params={name: value})
    assert answer.status_code == 200


def test_addresses_of_people_are_not_shown_those_of_the_press_are(town: Town) -> None:
    page = found(town.visitor("analyst"), q="trouble").text
    assert "gazette.example" in page
    assert "quidam" not in page


def test_an_export_is_whole_and_runs_nothing_in_a_spreadsheet(tmp_path: Path) -> None:
    formula = Said(at=AS_OF - HOUR, text='=HYPERLINK("http://x","eau")', author="a" * 64)
    town = built(tmp_path, [*spoken(60), formula])
    answer = town.visitor("analyst").get("/board/search.csv", params={"since": "2026-11-01"})
    assert answer.headers["content-disposition"].startswith("attachment;")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 61
    assert [row["text"][:12] for row in rows if "HYPER" in row["text"]] == ["'=HYPERLINK("]
    assert "author" not in ",".join(rows[0])


def test_an_export_is_never_cut(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.board.search.MOST_EXPORTED", 59)
    answer = town.visitor("analyst").get("/board/search.csv", params={"since": "2026-11-01"})
    assert answer.status_code == 422
    assert "n’est jamais coupé" in said(answer.text)


def test_a_home_without_a_published_file_says_so(own_town: Town) -> None:
    (own_town.settings.home / publish.ANALYST).unlink()
    client = own_town.visitor("analyst")
    for path in ("/search", "/topics", "/sources"):
        answer = client.get(f"/board{path}")
        assert answer.status_code == 404
        assert "Rien n’est encore publié" in said(answer.text)


# --- topics, sources


def _voices(people: int, count: int, *, days: int) -> list[Said]:
    """So many messages on mobility by so many people, half of them negative, so many days ago."""
    return [
        Said(
            at=AS_OF - 24 * HOUR * days - HOUR * n / 100,
            text=f"Le tram {days} {n}",
            author=f"{n % people:064x}",
            sentiment="negative" if n % 2 else "neutral",
            topics=("T09",),
        )
        for n in range(count)
    ]


def test_a_topic_shows_two_weeks_and_holds_few_people_back(tmp_path: Path) -> None:
    """Ten people of a day are told; nine are not, however much they wrote."""
    town = built(tmp_path, [*_voices(10, 26, days=1), *_voices(9, 44, days=2)])
    page = said(town.visitor("director").get("/board/topics/T09").text)
    assert "Mobilité et ZFE" in page
    assert "jeu. 19 nov. 26 50 %" in page.replace("\xa0", " ").replace("\u202f", " ")
    assert "mer. 18 nov. moins de 10 personnes –" in page
    assert "44" not in page
    assert "mar. 17 nov. 0 –" in page
    lines = said(town.visitor("director").get("/board/topics").text)
    assert "44" not in lines
    assert "70" not in lines
    assert town.visitor("director").get("/board/topics/T99").status_code == 404


def test_an_unknown_source_is_not_there(town: Town) -> None:
    assert town.visitor("analyst").get("/board/sources/x'%20or%201").status_code == 404


# --- languages


def test_a_language_is_kept_once_chosen(town: Town) -> None:
    client = town.visitor("director")
    assert '<html lang="fr">' in client.get("/board/topics").text
    assert '<html lang="en">' in client.get("/board/topics?lang=en").text
    page = client.get("/board/sources").text
    assert '<html lang="en">' in page
    assert "Log out" in page


def test_both_languages_say_the_same_things() -> None:
    def keys(table: Any, before: str = "") -> set[str]:
        return {
            full
            for key, value in table.items()
            for full in (keys(value, f"{before}{key}.") if isinstance(value, dict | type(table))
                         and not isinstance(value, str) else {before + key})
        }  # fmt: skip

    found = [keys(dict(words(name, AS_OF.tzinfo, name="board").texts)) for name in LOCALES]  # type: ignore[arg-type]
    assert found[0] == found[1]
    assert len(found[0]) > 150


def test_the_findings_are_in_the_language_of_the_page(
    own_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Check(
        name=say("disk"), status="warning", what=say("none yet"), remedy=say("delete them")
    )
    monkeypatch.setattr(examining, "_examined", lambda *_: [found])
    client = own_town.visitor("director")
    csrf = token(client.get("/board/settings").text)
    client.post("/board/settings", data={"csrf": csrf})
    page = client.get("/board/settings").text
    assert "<strong>disque</strong>\u00a0: aucun encore" in page
    assert "→ supprimez-les" in page


def killed(*_: Any, **__: Any) -> None:
    """An examination that the system stops, as it does for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_examination_that_is_killed_is_told_with_what_to_do(
    own_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = own_town.visitor("director")
    csrf = token(client.get("/board/settings").text)
    with monkeypatch.context() as patch:
        patch.setattr(examining.doctor, "examine", killed)
        for lang, told in (("fr", "faute de mémoire"), ("en", "for want of memory")):
            answer = client.post(f"/board/settings?lang={lang}", data={"csrf": csrf})
            assert answer.status_code == 503
            assert told in said(answer.text)
            assert "vigie doctor" in said(answer.text)
    assert "Not made since the start" in said(client.get("/board/settings").text)
    monkeypatch.setattr(examining, "_examined", lambda *_: [])
    assert client.post("/board/settings", data={"csrf": csrf}).status_code == 303


# --- hostile texts


def test_no_text_of_anybody_is_more_than_text(tmp_path: Path) -> None:
    texts = [t.replace("\x00", "") for t in TEXTS if isinstance(t, str)]
    said_ = [
        Said(at=AS_OF - HOUR * (n + 1), text=f"{text} eau", author=f"{n:064x}", url=text)
        for n, text in enumerate(texts)
    ]
    town = built(tmp_path, said_)
    client = town.visitor("moderator")
    for path in ("/", "/alerts", f"/alerts/{town.incident}", "/search?since=2026-11-01",
                 "/search?q=eau&since=2026-11-01", "/topics", "/sources", "/settings"):  # fmt: skip
        page = client.get(f"/board{path}").text
        for tag in (
            "<script",
            "<iframe",
            "<svg/onload",
            "<img src=x",
            "onerror=alert(1)>",
            "<h1>fin",
        ):
            assert tag not in page.lower().replace("&lt;", "‹"), (path, tag)
        assert not re.search(r'href="(?:javascript|data:text|file|vbscript)', page)
        assert "49 eau" not in said(page)
    for text in texts:
        for name in ("q", "since", "after", "lang"):
            answer = client.get("/board/search", params={name: text})
            assert answer.status_code in (200, 422)
            assert "<script" not in answer.text.lower()
        assert client.get("/board/nope", params={"lang": text}).status_code == 404


def test_every_answer_binds_the_browser(town: Town) -> None:
    client = town.visitor("director")
    for path in ("/", "/login", "/nope", "/privacy", "/search.csv", "/logout", "/alerts"):
        answer = client.get(f"/board{path}")
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert PASSWORD not in client.get("/board/settings").text
