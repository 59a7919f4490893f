"""The DAGs `live` and `refresh` run by Airflow itself, on a stream and its look-ups on loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import house as houses, listen, listening, privacy, warehouse
from pipelines.http import Client
from pipelines.sources import Checkpoint, bluesky
from tests.pipelines import valbrume
from tests.pipelines.sources.bluesky_network import SECOND
from tests.pipelines.sources.firehose import Firehose, streaming

ALICE = "did:plc:alice"


@pytest.fixture(scope="module")
def firehose() -> Iterator[Firehose]:
    with streaming() as found:
        yield found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, firehose: Firehose) -> Iterator[Path]:
    from airflow.models import Pool
    from airflow.utils import db

    db.initdb()
    Pool.create_or_update_pool("warehouse", slots=1, description="", include_deferred=False)
    path = tmp_path_factory.mktemp("live")
    valbrume.write(path, ws=f"{firehose.ws_url}{SECOND}", http=firehose.http_url)
    privacy.new_key(path)
    os.environ["VIGIE_HOME"] = str(path)
    yield path
    del os.environ["VIGIE_HOME"]


def _listen(home: Path, payloads: int) -> None:
    """What a reader lands of so many payloads, in this process."""
    house = houses.house(home, environ={})
    block = house.block("bluesky")
    book = listen.opened(house, block, listen.clock)
    with Client(allow_private=("127.0.0.0/8",)) as client:
        request = listen.asked(house, block, book, client=client, now=listen.clock)
        with closing(bluesky.listen(request)) as items:
            for item in items:
                book.add(item)
                if isinstance(item, Checkpoint) and len(book.payloads) >= payloads:
                    break
    book.land()


def _run(dag: Any, moment: datetime) -> dict[str, str]:
    dag_run = dag.test(logical_date=moment)
    return {task.task_id: str(task.state) for task in dag_run.get_task_instances()}


def _mentions(home: Path) -> list[tuple[Any, ...]]:
    with warehouse.opened(home, read_only=True) as connection:
        return connection.execute(
            "select m.native_id, m.text, m.deleted_at is not null, m.like_count is not null,"
            " s.sentiment is not null from mention as m left join score as s using (mention_id)"
            " order by 1"
        ).fetchall()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Airflow's own, in a run of its own
def test_what_a_reader_landed_is_judged_and_later_followed(home: Path, firehose: Firehose) -> None:
    from dags.live import live
    from dags.refresh import refresh

    now = datetime.now(UTC).replace(microsecond=0)
    for name in "ab":
        firehose.write(ALICE, name, f"Valbrume, message {name}")
    _listen(home, 2)
    states = _run(live(), now)
    assert states == dict.fromkeys(("take", "accept", "score", "load"), "success"), states
    uris = [f"at://{ALICE}/app.bsky.feed.post/{name}" for name in "ab"]
    assert _mentions(home) == [
        (uri, f"Valbrume, message {name}", False, True, True)
        for uri, name in zip(uris, "ab", strict=True)
    ]
    assert listening.taken(home) == listening.newest(home)
    firehose.posts[uris[1]].is_gone = True  # without a word in the stream
    states = _run(refresh(), now + timedelta(hours=1))
    assert states["load"] == "success", states
    assert [row[2] for row in _mentions(home)] == [False, True]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_where_nothing_has_landed_nothing_is_scored_and_the_silence_is_told(home: Path) -> None:
    from dags.live import live

    now = datetime.now(UTC)
    listening.write_reader(home, "bluesky", listening.Reader(at=now, until=now, status="stopped"))
    with warehouse.opened(home) as connection:  # as if the last word were ten minutes old
        connection.execute("update listened set moved_at = moved_at - interval '10 minutes'")
    states = _run(live(), now.replace(microsecond=0) + timedelta(hours=2))
    assert states["take"] == "success", states
    assert {states[name] for name in ("accept", "score", "load")} == {"skipped"}
    with warehouse.opened(home, read_only=True) as connection:
        status = connection.execute("select arg_max(status, finished_at) from intake").fetchone()
    assert status == ("missing",)
