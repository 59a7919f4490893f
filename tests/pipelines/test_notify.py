"""From what a rule says to one mail for the person on call, and nothing twice."""

from __future__ import annotations

from pathlib import Path

from pipelines import detect, notify, warehouse
from pipelines.settings import Mail
from tests.pipelines.postbox import listening
from tests.pipelines.watched import AS_OF, MODERATOR, crowd, quiet_history, say, settings


def test_a_surge_becomes_one_mail_to_the_person_on_call(tmp_path: Path) -> None:
    with listening() as box:
        mail = Mail(port=box.port, security="none", sender="vigie@valmorin.example")
        town = settings(tmp_path, mail=mail)
        warehouse.prepare(town)
        with warehouse.opened(tmp_path) as connection:
            quiet_history(connection)
            say(connection, crowd(134, sentiment="negative"))
            alerts = detect.detect(connection, settings=town, as_of=AS_OF)
            notify.record(connection, alerts, settings=town, as_of=AS_OF)
            notify.record(connection, alerts, settings=town, as_of=AS_OF)
        for _ in range(2):
            notify.deliver(tmp_path, settings=town, secrets={}, now=AS_OF)
    assert box.recipients == [MODERATOR]
    assert "134" in box.mails()[0]["Subject"]
