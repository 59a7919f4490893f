"""A process that evaluates one moment of an invented incident and hands its mails over, on demand.

    python -m tests.pipelines.evaluating HOME PORT

For each minute read from standard input a child does the work. A second number on the line is after
how many seconds it is killed. How it ended is printed: 0 when it came to its end.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

from pipelines import notify, warehouse
from pipelines.alert import Alert
from pipelines.settings import Mail, Recipient, Settings
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import AS_OF, MODERATOR, settings

MINUTES = (0, 5, 15, 20, 30, 35, 40, 45, 95, 100)


def town(home: Path, port: int) -> Settings:
    """A town with somebody on call and a head of communication."""
    people = (
        Recipient(name="Astreinte", email=MODERATOR, role="moderator", gets=("alerts",)),
        Recipient(name="Direction", email="d@v.example", role="director", gets=("digest",)),
    )
    mail = Mail(port=port, security="none", sender="vigie@valmorin.example")
    return settings(home, recipients=people, mail=mail)


def course(minute: int) -> list[Alert]:
    """What the rules say: a surge that doubles, a second one beside it, an end."""
    if minute >= 40:
        return []
    surge = alert(severity="critical", observed=40.0 if minute < 20 else 100.0)
    beside = [alert(severity="critical", subject_id="ville")] if minute >= 5 else []
    return [surge, *beside]


def evaluate(made: Settings, minute: int) -> None:
    """One evaluation and the delivery after it, as a run does them."""
    at = AS_OF + timedelta(minutes=minute)
    with warehouse.opened(made.home) as connection:
        notify.record(connection, course(minute), settings=made, as_of=at)
    # Two minutes later: what a delivery that broke off has left is due again.
    notify.deliver(made.home, settings=made, secrets={}, now=at + timedelta(minutes=2))


def serve(made: Settings) -> None:
    """A child for every minute that is asked for."""
    for line in sys.stdin:
        minute, _, seconds = line.strip().partition(" ")
        child = os.fork()
        if child == 0:
            evaluate(made, int(minute))
            os._exit(0)
        if seconds:
            time.sleep(float(seconds))
            os.kill(child, signal.SIGKILL)  # ours until it is waited for, though it may have ended
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(town(Path(sys.argv[1]), int(sys.argv[2])))
