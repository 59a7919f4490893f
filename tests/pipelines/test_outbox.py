"""The outbox: what is written once is handed over once, whatever dies in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from pipelines import outbox, warehouse
from pipelines.letter import Letter
from pipelines.settings import Channel, Mail, Recipient, Settings
from tests.pipelines.postbox import Postbox, listening
from tests.pipelines.staged import prepared
from tests.pipelines.watched import AS_OF, MODERATOR, settings

LETTER = Letter(subject="Digest", text="Journée calme.\n", html="<p>Journée calme.</p>")
MINUTE = timedelta(minutes=1)


def town(home: Path, box: Postbox) -> Settings:
    mail = Mail(port=box.port, security="none", sender="vigie@valmorin.example")
    made = settings(home, mail=mail)
    prepared(made)
    return made


def put(made: Settings, *, key: str = "digest 2026-11-20", **changes: Any) -> int:
    values: dict[str, Any] = {
        "kind": "digest",
        "key": key,
        "settings": made,
        "recipients": made.recipients[:1],
        "as_of": AS_OF,
        "reason": "daily_digest",
    }
    with warehouse.opened(made.home) as connection, warehouse.transaction(connection):
        return outbox.enqueue(connection, LETTER, **(values | changes))


def deliver(made: Settings, *, after: timedelta = timedelta(0)) -> outbox.Delivered:
    return outbox.deliver(made.home, settings=made, secrets={}, now=AS_OF + after)


def rows(made: Settings, columns: str) -> list[Any]:
    with warehouse.opened(made.home, read_only=True) as connection:
        return connection.sql("from outbox order by created_at").project(columns).fetchall()


def test_a_letter_is_sent_once_however_often_it_is_put_in_and_delivered(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        assert [put(made), put(made)] == [1, 0]
        assert deliver(made) == outbox.Delivered(sent=1, failed=0, waiting=0)
        assert deliver(made) == outbox.Delivered(sent=0, failed=0, waiting=0)
    assert box.recipients == [MODERATOR]
    assert rows(made, "attempt_count, sent_at is not null, last_error") == [(1, True, None)]
    assert list((tmp_path / "outbox").glob("*.sent")) == []


def test_each_recipient_gets_a_mail_of_their_own(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made, recipients=made.recipients)
        deliver(made)
    assert sorted(str(mail["To"]) for mail in box.mails()) == sorted(box.recipients)
    assert len({mail["Message-ID"] for mail in box.mails()}) == 2


def test_a_refused_mail_is_tried_again_later_and_later_up_to_an_hour(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made)
        box.answers += ["451 4.7.1 later"] * 2
        assert deliver(made) == outbox.Delivered(sent=0, failed=1, waiting=1)
        assert deliver(made, after=MINUTE / 2).failed == 0
        assert deliver(made, after=MINUTE).failed == 1
        assert deliver(made, after=2 * MINUTE).sent == 0
        assert deliver(made, after=3 * MINUTE).sent == 1
    pauses = [outbox.pause(tried) for tried in (1, 2, 3, 6, 7, 30)]
    assert pauses == [MINUTE, 2 * MINUTE, 4 * MINUTE, 32 * MINUTE, 60 * MINUTE, 60 * MINUTE]


def test_a_mail_that_was_put_off_goes_at_once_when_a_person_asks(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made)
        box.answers.append("451 4.7.1 later")
        assert deliver(made).failed == 1
        assert deliver(made).sent == 0
        asked = outbox.deliver(made.home, settings=made, secrets={}, now=AS_OF, is_asked=True)
        assert asked == outbox.Delivered(sent=1, failed=0, waiting=0)
    assert rows(made, "sent_at") == [(AS_OF,)]


def test_a_failure_is_kept_with_its_reason_and_given_up_only_after_a_day(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made)
    hour = timedelta(hours=1)
    for count in range(3):
        deliver(made, after=count * hour)
    assert rows(made, "attempt_count") == [(3,)]
    with warehouse.opened(made.home) as connection:  # two weeks on, with one an hour
        connection.execute("update outbox set attempt_count = ?", [outbox.ATTEMPT_LIMIT - 2])
    assert outbox.ATTEMPT_LIMIT * hour > timedelta(days=1)
    now = timedelta(days=15)
    for _ in range(5):
        deliver(made, after=now)
        now += hour
    [(tried, error)] = rows(made, "attempt_count, last_error")
    assert tried == outbox.ATTEMPT_LIMIT
    assert "could not be reached" in error
    with warehouse.opened(made.home, read_only=True) as connection:
        asked = {"as_of": AS_OF + now}
        found = warehouse.run(connection, "queries/digest_unsent", asked).fetchall()
    assert [row[:3] for row in found] == [("email", 1, 1)]


def test_what_was_given_up_is_tried_again_when_a_person_asks(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made)
        with warehouse.opened(tmp_path) as connection:
            connection.execute("update outbox set attempt_count = 360")
        assert deliver(made, after=timedelta(days=20)).sent == 0
        done = outbox.deliver(made.home, settings=made, secrets={}, now=AS_OF, is_asked=True)
    assert (done.sent, outbox.ATTEMPT_LIMIT) == (1, 360)
    assert len(box.mails()) == 1


BRIEF = Letter(
    subject="[Vigie] CRITIQUE · Eau",
    text="« Tout est noir » dit quelqu'un\n",
    html="<p>x</p>",
    brief="[Vigie] CRITIQUE · Eau · 120",
    quotes=("« Tout est noir »",),
)
ROOM = Channel(name="salon", kind="chat", address_env="VIGIE_SALON")
PHONE = Channel(name="portable", kind="sms", address_env="VIGIE_PORTABLE", quotes=True)


def enqueued(made: Settings, letter: Letter, *channels: str) -> dict[str, str]:
    """What each channel's row holds as text, by the row's recipient."""
    reader = made.recipients[0].model_copy(update={"channels": channels})
    with warehouse.opened(made.home) as connection, warehouse.transaction(connection):
        outbox.enqueue(
            connection, letter, kind="firing", key="k", settings=made, recipients=[reader],
            as_of=AS_OF, reason="first",
        )  # fmt: skip
    found = rows(made, "channel, recipient, message")
    mails = [(f"{c} {r}", message_from_bytes(m, policy=policy.default)) for c, r, m in found]
    return {k: m.get_body(("plain",)).get_content() for k, m in mails}  # type: ignore[union-attr]


def test_chat_and_telephone_get_the_short_form_and_no_text_of_people(tmp_path: Path) -> None:
    made = settings(tmp_path, channels=(ROOM, PHONE))
    prepared(made)
    found = enqueued(made, BRIEF, "email", "salon", "portable")
    assert "noir" in found[f"email {MODERATOR}"]
    assert found["chat salon"].strip() == BRIEF.brief
    assert found["sms portable"].strip() == BRIEF.brief


def test_a_chat_that_may_have_quotes_gets_them(tmp_path: Path) -> None:
    room = ROOM.model_copy(update={"quotes": True})
    made = settings(tmp_path, channels=(room,))
    prepared(made)
    assert "« Tout est noir »" in enqueued(made, BRIEF, "salon")["chat salon"]


def test_a_letter_without_a_short_form_goes_by_mail(tmp_path: Path) -> None:
    made = settings(tmp_path, channels=(ROOM,))
    prepared(made)
    assert list(enqueued(made, LETTER, "salon")) == [f"email {MODERATOR}"]


def test_a_channel_that_fails_holds_up_no_other_and_is_tried_again(tmp_path: Path) -> None:
    with listening() as box:
        mail = Mail(port=box.port, security="none", sender="vigie@valmorin.example")
        made = settings(tmp_path, mail=mail, channels=(ROOM,))
        prepared(made)
        enqueued(made, BRIEF, "salon", "email")
        assert deliver(made) == outbox.Delivered(sent=1, failed=1, waiting=1)
    [(error,)] = [row for row in rows(made, "last_error") if row[0]]
    assert error.startswith("the channel 'salon' has no address: set VIGIE_SALON")
    assert box.recipients == [MODERATOR]


def test_one_mail_that_fails_does_not_hold_up_the_next(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made, key="one")
        put(made, key="two", as_of=AS_OF + MINUTE)
        box.answers.append("554 5.6.0 not this one")
        assert deliver(made, after=MINUTE) == outbox.Delivered(sent=1, failed=1, waiting=1)


def test_news_of_an_incident_waits_for_its_first_mail(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made, key="i firing 1", incident_id="i", thread="i firing 1")
        box.answers.append("451 4.3.0 later")
        deliver(made)
        put(
            made, key="i resolved 2", incident_id="i", thread="i firing 1", as_of=AS_OF + MINUTE / 2
        )
        assert deliver(made, after=MINUTE / 2).sent == 0
        assert deliver(made, after=2 * MINUTE).sent == 2
    first, second = box.mails()
    assert second["References"] == second["In-Reply-To"] == first["Message-ID"]


def test_a_mail_taken_before_a_crash_is_not_sent_again(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outbox, "_settle", _crash)
            with pytest.raises(KeyboardInterrupt):
                deliver(made)
        assert len(box.messages) == 1
        assert rows(made, "sent_at") == [(None,)]
        assert deliver(made) == outbox.Delivered(sent=1, failed=0, waiting=0)
    assert len(box.messages) == 1
    assert rows(made, "sent_at is not null") == [(True,)]


def _crash(*_: Any) -> int:
    raise KeyboardInterrupt


def test_a_process_killed_the_moment_a_mail_is_taken_does_not_send_it_twice(
    tmp_path: Path,
) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made)
        code = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from pipelines import outbox\n"
            "from pipelines.settings import Mail\n"
            "from tests.pipelines.watched import AS_OF, settings\n"
            "home, port = Path(sys.argv[1]), int(sys.argv[2])\n"
            "outbox._settle = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
            "mail = Mail(port=port, security='none', sender='vigie@valmorin.example')\n"
            "outbox.deliver(home, settings=settings(home, mail=mail), secrets={}, now=AS_OF)\n"
        )
        root = Path(__file__).parents[2]
        died = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), str(box.port)],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            check=False,
        )
        assert died.returncode == -signal.SIGKILL
        assert len(box.messages) == 1
        assert deliver(made).sent == 1
    assert len(box.messages) == 1


def test_two_deliveries_at_once_send_each_mail_once(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        for number in range(8):
            put(made, key=f"letter {number}")
        threads = [threading.Thread(target=deliver, args=(made,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        deliver(made)
    assert len(box.messages) == 8
    assert len({mail["Message-ID"] for mail in box.mails()}) == 8


def test_the_warehouse_is_free_while_a_server_is_spoken_to(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made)
        seen: list[int] = []
        keep = box.handle_DATA

        async def look(server: Any, session: Any, envelope: Any) -> str:
            with warehouse.opened(made.home, wait_seconds=0) as connection:
                seen.append(connection.execute("select 1").fetchall()[0][0])
            return await keep(server, session, envelope)

        box.handle_DATA = look  # type: ignore[method-assign]
        assert deliver(made).sent == 1
    assert seen == [1]


def test_a_recipient_that_cannot_be_written_to_does_not_cost_the_others_their_mail(
    tmp_path: Path,
) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        odd = Recipient(name="É", email="é@valmorin.example", role="moderator", gets=("alerts",))
        assert put(made, recipients=(odd, *made.recipients)) == 2
        assert deliver(made).sent == 2


def test_a_channel_that_is_none_fails_its_row_and_says_so(tmp_path: Path) -> None:
    with listening() as box:
        made = town(tmp_path, box)
        put(made)
        with warehouse.opened(tmp_path) as connection:
            connection.execute("update outbox set channel = 'os'")
        assert deliver(made).failed == 1
    assert "there is no channel 'os'" in rows(made, "last_error")[0][0]
