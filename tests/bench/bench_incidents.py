"""What an evaluation costs with many incidents open, and with a year of closed ones beside:

    python -m tests.bench.bench_incidents [0 200 2000 10000]

Each number is a process of its own and a warehouse on disk. Printed are the seconds of the
evaluation that opens them all, of one at which the warnings are told as well, of one that begins to
cool them all, and of one that resolves them; then the highest memory of the process, and the bytes
of the largest mail. The second line of each has CLOSED incidents of the past year, with their
events and mails, beside.
"""

from __future__ import annotations

import argparse
import logging
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from pipelines import notify, warehouse
from pipelines.alert import Alert
from pipelines.settings import Settings
from pipelines.warehouse import Connection
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import AS_OF, settings

SIZES = (0, 200, 2_000, 10_000)
CLOSED = 36_500  # a hundred a day for a year
STEP = timedelta(minutes=5)

_PAST_INCIDENTS = """
insert into incident
select
    lpad(to_hex(number), 16, '0'), sha256('past ' || number), 'volume_surge', '1',
    'subject' || number % 1000, 'all', 'critical', 'resolved', opened_at,
    opened_at + interval 1 hour, opened_at + interval 2 hour, 40, 6, $evidence
from (
    select number, $as_of - interval 1 day - to_minutes(cast(number * 14 as integer)) as opened_at
    from range($closed) as past(number)
)
"""
_PAST_EVENTS = """
insert into incident_event
select
    incident_id, opened_at + to_minutes(cast(60 * place as integer)),
    ['none', 'firing', 'cooling'][place + 1], ['firing', 'cooling', 'resolved'][place + 1],
    'volume_surge critical level=1.50', 'rule'
from incident, range(3) as steps(place)
where state = 'resolved'
"""
_PAST_MAILS = """
insert into outbox
select
    sha256(incident_id || place), incident_id, ['firing', 'resolved'][place + 1], 'first', 'email',
    'astreinte@valmorin.example', '<' || incident_id || '@valmorin.example>', ''::blob,
    opened_at + to_hours(cast(place as integer)), 1, opened_at, opened_at, null, null
from incident, range(2) as steps(place)
where state = 'resolved'
"""


def storm(count: int, *, level: float = 1.5) -> list[Alert]:
    """`count` critical alerts, twelve of each subject."""
    topics = ["all", *(f"T{n:02d}" for n in range(1, 12))]
    return [
        alert(
            level,
            severity="critical" if number % 3 else "warning",
            subject_id=f"subject{number // 12}",
            scope=topics[number % 12],
            rule_id="volume_surge" if number % 12 == 0 else "topic_surge",
        )
        for number in range(count)
    ]


def remember(connection: Connection, town: Settings) -> None:
    """Write a year of closed incidents, with what was told of them."""
    told = [alert(severity="critical")]
    notify.record(connection, told, settings=town, as_of=AS_OF - timedelta(days=400))
    row = connection.execute("select evidence from incident").fetchone()
    connection.execute("delete from incident; delete from incident_event; delete from outbox")
    values = {"as_of": AS_OF, "closed": CLOSED, "evidence": _over(row[0] if row else "")}
    connection.execute(_PAST_INCIDENTS, values)
    connection.execute(_PAST_EVENTS)
    connection.execute(_PAST_MAILS)


def _over(evidence: str) -> str:
    """What a row keeps of an incident whose end has been told."""
    return evidence.replace('"kind":"firing"', '"kind":"resolved"')


def measured(count: int, *, has_past: bool) -> str:
    """One line: the seconds of each evaluation, memory, and the largest mail."""
    with tempfile.TemporaryDirectory() as folder:
        town = settings(Path(folder))
        warehouse.prepare(town)
        with warehouse.opened(town.home) as connection:
            if has_past:
                remember(connection, town)
            spent = [_seconds(connection, town, *each) for each in _course(count)]
            found = connection.execute(
                "select max(octet_length(message)) from outbox where created_at >= $as_of",
                {"as_of": AS_OF},
            ).fetchone()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    past = CLOSED if has_past else 0
    times = "".join(f"{each:>10.2f}" for each in spent)
    return f"{count:>8}{past:>9}{times}{memory:>9.0f}{(found or [0])[0] or 0:>11}"


def _course(count: int) -> list[tuple[int, list[Alert]]]:
    """Which evaluation, and what the rules say at it."""
    alerts = storm(count)
    return [(0, alerts), (3, alerts), (4, []), (16, [])]


def _seconds(connection: Connection, town: Settings, step: int, alerts: list[Alert]) -> float:
    began = time.perf_counter()
    notify.record(connection, alerts, settings=town, as_of=AS_OF + step * STEP)
    return time.perf_counter() - began


def main() -> None:
    """Print a table: two lines a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--one", choices=("bare", "past"))
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    if asked.one:
        sys.stdout.write(measured(asked.sizes[0], has_past=asked.one == "past") + "\n")
        return
    print("    open   closed    opened unchanged   cooling  resolved   MiB mem  mail bytes")
    for size in asked.sizes:
        for one in ("bare", "past"):
            command = [sys.executable, "-m", "tests.bench.bench_incidents", "--one", one, str(size)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
