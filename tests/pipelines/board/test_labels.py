"""The labelling desk on the board: blind, complete, taken back, settled, hostile, held."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pipelines import warehouse
from pipelines.board import store
from pipelines.wording import plain
from tests.hostile.values import TEXTS
from tests.pipelines.board.test_pages import HOLD, said
from tests.pipelines.board.town import HOUR, Town, built, spoken, token
from tests.pipelines.watched import AS_OF, Said

FORM = {"tone": "positive", "topic_T10": "1", "act_none": "1", "what": "save"}


def first(client: Any) -> tuple[str, str, str]:
    """The message that somebody is asked: the page, the task, the hash of its text."""
    page = client.get("/board/labels").text
    action = re.search(r'action="/board/labels/task/(\w+)"', page)
    read = re.search(r'name="read" value="(\w+)"', page)
    assert action is not None
    assert read is not None
    return page, action[1], read[1]


def give(client: Any, **form: str) -> Any:
    page, task, read = first(client)
    data = {"csrf": token(page), "read": read} | form
    return client.post(f"/board/labels/task/{task}", data=data)


def test_an_answer_is_kept_and_only_then_the_models_are_told(own_town: Town) -> None:
    client = own_town.visitor("moderator")
    page, task, _ = first(client)
    assert "Les modèles disaient" not in page
    answer = give(client, **FORM)
    assert answer.headers["location"] == f"/board/labels?done={task}"
    told = said(client.get(answer.headers["location"]).text)
    assert "Votre réponse positif · Environnement, eau, énergie · Aucun de ces actes" in told
    assert "Les modèles disaient" in told
    asked = "select task_id, labeller, tone, topics, acts from label where labeller = 'moderator'"
    assert own_town.rows(asked) == [(task, "moderator", "positive", ["T10"], [])]


def test_nothing_tells_before_what_models_or_others_say(own_town: Town) -> None:
    """Another's answer stands in no page but that of disagreements."""
    client = own_town.visitor("analyst")
    task = own_town.dispute
    pages = [client.get("/board/labels").text, client.get(f"/board/labels/task/{task}").text]
    for html in pages:
        assert "checked" not in html
        assert "Ada" not in html
        assert "disaient" not in html
    assert client.get(f"/board/labels?done={task}").text.count("disaient") == 0


@pytest.mark.parametrize(
    ("form", "lacks"),
    [
        ({}, "Choisissez un ton"),
        ({"tone": "furious"}, "Choisissez un ton"),
        ({"tone": "neutral", "act_none": "1"}, "Cochez au moins un thème"),
        ({"tone": "neutral", "topic_none": "1"}, "Cochez au moins un acte"),
        ({"tone": "neutral", "topic_none": "1", "topic_T01": "1"}, "est coché avec un thème"),
        ({"tone": "neutral", "topic_T99": "1", "act_none": "1"}, "Cochez au moins un thème"),
    ],
)
def test_a_form_that_lacks_something_keeps_the_rest(
    own_town: Town, form: dict[str, str], lacks: str
) -> None:
    answer = give(own_town.visitor("moderator"), **form)
    assert answer.status_code == 422
    assert lacks in said(answer.text)
    assert answer.text.count(" checked") == sum(
        k != "topic_T99" and v != "furious" for k, v in form.items()
    )
    assert own_town.rows("select * from label where labeller = 'moderator'") == []


def test_a_message_that_cannot_be_judged_needs_no_box(own_town: Town) -> None:
    answer = give(own_town.visitor("moderator"), what="unreadable")
    assert answer.status_code == 303
    rows = own_town.rows("select is_unreadable, tone from label where labeller = 'moderator'")
    assert rows == [(True, None)]


def test_the_last_answer_is_taken_back(own_town: Town) -> None:
    client = own_town.visitor("moderator")
    _, task, _ = first(client)
    give(client, **FORM)
    page = client.get("/board/labels").text
    done = client.post(f"/board/labels/task/{task}/undo", data={"csrf": token(page)})
    assert done.headers["location"] == f"/board/labels/task/{task}?note=undone"
    page = client.get(done.headers["location"]).text
    assert "répondez à nouveau" in said(page)
    assert page.count(" checked") == 3  # what was said before is still there, to be mended
    found = re.search(r'name="read" value="(\w+)"', page)
    assert found is not None
    data = {"csrf": token(page), "read": found[1], **FORM, "tone": "negative"}
    assert client.post(f"/board/labels/task/{task}", data=data).status_code == 303
    rows = own_town.rows(
        "select tone, is_again from label where labeller = 'moderator' and withdrawn_at is null"
    )
    assert rows == [("negative", True)]


def test_progress_is_told_and_a_second_press_changes_nothing(own_town: Town) -> None:
    client = own_town.visitor("moderator")
    page, task, read = first(client)
    assert "2 réponses sur 72, dont 0 de vous" in said(page)
    data = {"csrf": token(page), "read": read, **FORM}
    for _ in range(2):
        assert client.post(f"/board/labels/task/{task}", data=data).status_code == 303
    assert "3 réponses sur 72, dont 1 de vous" in said(client.get("/board/labels").text)
    other = client.post(f"/board/labels/task/{task}", data=data | {"tone": "neutral"})
    assert "déjà répondu autrement" in said(client.get(other.headers["location"]).text)


def test_a_disagreement_is_settled_and_becomes_gold(own_town: Town) -> None:
    client = own_town.visitor("analyst")
    page = client.get("/board/labels/agreement").text
    assert "1 message attend" in said(page)
    assert "négatif · Environnement, eau, énergie · Aucun de ces actes" in said(page)
    assert "Ada" not in page
    path = f"/board/labels/task/{own_town.dispute}/settle"
    page = client.get(path).text
    assert page.count(" checked") == 2  # the topic and no act, on which both agree
    assert client.post(path, data={"csrf": token(page), "tone": "neutral"}).status_code == 422
    done = client.post(path, data={"csrf": token(page), **FORM, "tone": "neutral"})
    assert "Tranché" in said(client.get(done.headers["location"]).text)
    assert "Aucun désaccord" in said(client.get("/board/labels/agreement").text)
    assert client.get(path).status_code == 404
    rows = own_town.rows("select labeller, tone from label where is_settlement")
    assert rows == [("analyst", "neutral")]


def test_somebody_draws_the_next_messages(tmp_path: Path) -> None:
    town = built(tmp_path)
    town.rows("delete from label_task; delete from label; delete from label_batch; select 1")
    client = town.visitor("analyst")
    page = client.get("/board/labels").text
    assert "Rien à étiqueter pour vous" in said(page)
    for note in ("nouveaux messages sont tirés", "Aucun message nouveau"):
        done = client.post("/board/labels/draw", data={"csrf": token(page)})
        assert note in said(client.get(done.headers["location"]).text)
    assert town.rows("select drawn_by, count(*) from label_batch group by 1") == [("analyst", 1)]


def test_an_answer_given_while_a_run_holds_the_warehouse_is_not_lost(
    own_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.board.visit.WAIT_SECONDS", 0.2)
    client = own_town.visitor("moderator")
    page, task, read = first(client)
    data = {"csrf": token(page), "read": read, **FORM, "strange": "<b>"}
    command = [sys.executable, "-c", HOLD, str(own_town.settings.home)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "held\n"
        answer = client.post(f"/board/labels/task/{task}", data=data)
        writer.stdin.write("go on\n")
        writer.stdin.close()
    assert answer.status_code == 503
    assert "n’est pas perdue" in said(answer.text)
    assert "strange" not in answer.text
    form = answer.text.partition("<main")[2]
    again = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', form))
    assert again == {"csrf": token(form), "read": read, **FORM}
    assert client.post(f"/board/labels/task/{task}", data=again).status_code == 303
    assert own_town.rows("select tone from label where labeller = 'moderator'") == [("positive",)]


def test_a_form_of_elsewhere_labels_nothing(own_town: Town) -> None:
    client = own_town.visitor("moderator")
    _, task, _ = first(client)
    for path in (f"task/{task}", f"task/{task}/undo", f"task/{own_town.dispute}/settle", "draw"):
        answer = client.post(f"/board/labels/{path}", data={"csrf": "0" * 64, **FORM})
        assert answer.status_code == 403
    assert own_town.rows("select count(*) from label") == [(2,)]


def test_hostile_texts_are_words_and_nothing_else(tmp_path: Path) -> None:
    texts = [text for text in TEXTS if plain(text)]
    town = built(
        tmp_path,
        [Said(at=AS_OF - HOUR * (n % 70 + 1), text=t) for n, t in enumerate(texts)] + spoken(20),
    )
    with warehouse.opened(tmp_path) as connection:
        connection.execute("update label_task set wanted_count = 1 where wanted_count = 2")
        connection.execute("delete from label")
    client = town.visitor("moderator")
    seen = 0
    while "Le message" in said(page := client.get("/board/labels").text):
        body = page.partition("<main")[2]
        assert "<script" not in body
        assert "\x1b" not in body
        assert "\u202e" not in body
        assert not re.search(r"<(img|svg|iframe|style|a href=.javascript)", body)
        assert give(client, **FORM).status_code == 303
        seen += 1
    assert seen > 30


def test_what_is_read_is_logged_without_a_word_of_it(own_town: Town) -> None:
    client = own_town.visitor("moderator")
    page, task, _ = first(client)
    give(client, **FORM)
    found = store.accesses(own_town.settings.home, before=AS_OF + HOUR, limit=20)
    logged = {(a.page, a.about, a.shown) for a in found if a.page in ("labels", "label")}
    assert logged == {("labels", task, 1), ("label", task, 0)}
    text = re.search(r'<blockquote class="box said"[^>]*>([^<]+)', page)
    assert text is not None
    assert unescape(text[1]).strip() not in (
        own_town.settings.home / "board.sqlite"
    ).read_bytes().decode("latin-1")


def test_no_author_and_no_address_is_shown(own_town: Town) -> None:
    for role in ("analyst", "moderator"):
        client = own_town.visitor(role)  # type: ignore[arg-type]
        for path in ("", "/agreement", f"/task/{own_town.dispute}/settle"):
            html = client.get(f"/board/labels{path}").text
            assert "m.example" not in html
            assert "0000000" not in html
