"""What people say of drawn messages: blind, once, taken back, settled, gone with the message."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import erasure, gold_set, labels, load, publish, warehouse
from pipelines.labelling import LabelError
from pipelines.labels import Answer
from pipelines.mention import Deletion
from tests.hostile.values import CODES, LINES, SCRIPTS
from tests.pipelines import staged
from tests.pipelines.staged import RUN, SEEN, mention, one, score, stage, stored
from tests.pipelines.test_labelling import draw, warehouse as filled
from tests.pipelines.watched import AS_OF

MINUTE = timedelta(minutes=1)
BAD = Answer(tone="negative", topics=("T09",), acts=("complaint",))
GOOD = Answer(tone="positive", topics=(), acts=("praise",))


@pytest.fixture
def desk() -> duckdb.DuckDBPyConnection:
    """Ten messages to judge."""
    connection = filled()
    draw(connection)
    return connection


def twice(connection: duckdb.DuckDBPyConnection) -> str:
    """A message that two people are to judge."""
    query = "select task_id from label_task where wanted_count = 2 order by task_id limit 1"
    return str(one(connection, query))


def answer(connection: Any, task: str, said: Answer, who: str = "Ada", **more: Any) -> Any:
    return labels.save(connection, task, said, labeller=who, **({"at": AS_OF} | more))


def test_each_message_is_asked_until_enough_people_have_judged_it(desk: Any) -> None:
    judged: dict[str, int] = {}
    for who in ("Ada", "Bo", "Cy"):
        while row := labels.following(desk, who):
            answer(desk, row["task_id"], BAD, who)
            judged[row["task_id"]] = judged.get(row["task_id"], 0) + 1
    wanted = dict(desk.execute("select task_id, wanted_count from label_task").fetchall())
    assert judged == wanted
    assert labels.progress(desk, "Ada") == labels.Progress(wanted=12, given=12, own=10, lost=0)


def test_nobody_is_asked_the_same_twice_and_orders_differ(desk: Any) -> None:
    assert labels.following(desk, "Ada") == labels.following(desk, "Ada")
    firsts = {labels.following(desk, f"labeller {n}")["task_id"] for n in range(20)}  # type: ignore[index]
    assert len(firsts) > 3
    task = twice(desk)
    answer(desk, task, BAD)
    asked = set()
    while row := labels.following(desk, "Ada"):
        asked.add(row["task_id"])
        answer(desk, row["task_id"], GOOD)
    assert task not in asked


def test_an_answer_is_kept_with_who_when_and_which_models(desk: Any) -> None:
    task = twice(desk)
    assert answer(desk, task, BAD).is_new
    row = desk.execute(
        "select labeller, labelled_at, tone, topics, acts, scorer_id, is_again from label"
    ).fetchone()
    assert row == ("Ada", AS_OF, "negative", ["T09"], ["complaint"], "test", False)
    assert not answer(desk, task, BAD, at=AS_OF + MINUTE).is_new
    with pytest.raises(LabelError, match="answered otherwise before"):
        answer(desk, task, GOOD)


def test_an_answer_taken_back_may_be_given_again_and_says_so(desk: Any) -> None:
    task = twice(desk)
    answer(desk, task, BAD)
    assert labels.last(desk, "Ada") == task
    assert labels.withdraw(desk, task, labeller="Ada", at=AS_OF + MINUTE).is_new
    assert not labels.withdraw(desk, task, labeller="Ada", at=AS_OF + MINUTE).is_new
    assert labels.last(desk, "Ada") is None
    answer(desk, task, GOOD, at=AS_OF + 2 * MINUTE)
    [row] = labels.answers(desk)
    assert (row["answer"], row["is_again"]) == (GOOD, True)
    assert one(desk, "select count(*) from label") == 2


def test_an_answer_taken_back_and_given_again_in_one_moment_holds(desk: Any) -> None:
    task = twice(desk)
    answer(desk, task, BAD)
    labels.withdraw(desk, task, labeller="Ada", at=AS_OF)
    answer(desk, task, BAD)
    assert len(labels.answers(desk)) == 1


def test_only_the_taxonomy_is_an_answer_and_nothing_is_run(desk: Any) -> None:
    task = twice(desk)
    for value in (*CODES, *SCRIPTS, *LINES):
        for said in (Answer(tone=value), Answer(topics=(value,)), Answer(acts=(value,))):
            with pytest.raises(LabelError) as raised:
                answer(desk, task, said)
            assert "\n" not in str(raised.value)
            assert "\x1b" not in str(raised.value)
        with pytest.raises(LabelError, match="not drawn"):
            answer(desk, value, BAD)
    assert one(desk, "select count(*) from label") == 0


@pytest.mark.parametrize("who", ["", " \n", "x" * 121])
def test_a_label_has_somebodys_name(desk: Any, who: str) -> None:
    with pytest.raises(LabelError, match="say who labels"):
        answer(desk, twice(desk), BAD, who)


def test_a_message_that_cannot_be_judged_says_nothing_else(desk: Any) -> None:
    said = Answer(tone="negative", topics=("T01",), is_unreadable=True)
    answer(desk, twice(desk), said)
    [row] = labels.answers(desk)
    assert row["answer"] == Answer(is_unreadable=True)
    assert gold_set.gold([row])[0].answers == {}


def test_an_edit_between_reading_and_saving_is_told(desk: Any) -> None:
    task = twice(desk)
    read = labels.task(desk, task, "Ada")["text_hash"]
    desk.execute("update mention set text = 'Autre', text_hash = 'other'")
    with pytest.raises(LabelError, match="edited meanwhile"):
        answer(desk, task, BAD, read=read)
    assert answer(desk, task, BAD, read="other").is_new


def test_a_disagreement_is_open_until_somebody_settles_it(desk: Any) -> None:
    task = twice(desk)
    answer(desk, task, BAD, "Ada")
    answer(desk, task, GOOD, "Bo")
    rows = labels.answers(desk)
    assert [len(group) for group in gold_set.disputes(rows)] == [2]
    assert gold_set.gold(rows)[0].answers == {}
    labels.settle(desk, task, BAD, labeller="Cy", at=AS_OF)
    labels.settle(desk, task, GOOD, labeller="Cy", at=AS_OF + MINUTE)
    rows = labels.answers(desk)
    assert gold_set.disputes(rows) == []
    assert gold_set.gold(rows)[0].answers == {
        "tone": "positive",
        "topics": frozenset(),
        "acts": frozenset({"praise"}),
    }
    found = gold_set.agreements(rows)["tone"]
    assert found is not None
    assert (found.count, found.same_share) == (1, 0.0)  # what was said before, not the settlement


@pytest.mark.parametrize(
    "change", ["deleted_at = now()", "text = '', text_expired_at = now()", "optout = true"]
)
def test_what_may_not_be_shown_any_more_is_not_asked(desk: Any, change: str) -> None:
    desk.execute(f"update mention set {change}")  # noqa: S608 - our own words
    assert labels.following(desk, "Ada") is None
    assert labels.progress(desk, "Ada") == labels.Progress(wanted=0, given=0, own=0, lost=10)
    with pytest.raises(LabelError, match="no longer kept"):
        answer(desk, twice(desk), BAD)


def test_no_query_of_the_desk_names_an_author() -> None:
    for name in warehouse.sql_names("queries"):
        if name.startswith("label_"):
            told = warehouse.sql(f"queries/{name}")
            assert "author_" not in told
            assert "handle" not in told
    connection = filled(1)
    columns = connection.execute(
        "select column_name from duckdb_columns() where table_name like 'label%'"
    ).fetchall()
    assert not [c for (c,) in columns if "author" in c or c in ("text", "title", "url")]


# --- with the message's life


def labelled(connection: duckdb.DuckDBPyConnection, *numbers: int) -> None:
    """These mentions drawn and judged by Ada."""
    for number in numbers:
        post = mention(number)
        connection.execute(
            "insert into label_task values ($name, 'b', $id, $at, $hash, 'random', 'random',"
            " 'mastodon', 9, 3, 1, 1, $seen)",
            {
                "name": f"t{number}",
                "id": post.mention_id,
                "at": post.published_at,
                "hash": post.text_hash,
                "seen": SEEN,
            },
        )
        labels.save(connection, f"t{number}", BAD, labeller="Ada", at=SEEN)


def left(connection: duckdb.DuckDBPyConnection) -> list[str]:
    tasks = connection.execute("select task_id from label_task order by 1").fetchall()
    assert connection.execute("select task_id from label order by 1").fetchall() == tasks
    return [task for (task,) in tasks]


def test_the_label_of_an_erased_post_goes_with_it(tmp_path: Path) -> None:
    posts = [mention(1), mention(2)]
    with stored(tmp_path, posts, scores=map(score, posts)) as connection:
        labelled(connection, 1, 2)
    publish.publish(tmp_path, made_at=SEEN)
    key = {"source": posts[0].source, "native_id": posts[0].native_id}
    erasure.erase(staged.settings(tmp_path), as_of=SEEN, **key)
    with warehouse.opened(tmp_path) as connection:
        assert left(connection) == ["t2"]


def test_the_label_of_a_post_that_its_author_deletes_goes_with_it(tmp_path: Path) -> None:
    posts = [mention(1), mention(2)]
    gone = Deletion(source="mastodon", native_id="n1", deleted_at=SEEN)
    with stored(tmp_path, posts, scores=map(score, posts)) as connection:
        labelled(connection, 1, 2)
        files = stage(tmp_path / "staging" / RUN, deletions=[gone], run_id="r2")
        load.load(connection, files, loaded_at=SEEN)
        assert left(connection) == ["t2"]


def test_the_published_file_has_no_label(tmp_path: Path) -> None:
    with stored(tmp_path, [mention(1)], scores=[score(mention(1))]) as connection:
        labelled(connection, 1)
    path = publish.publish(tmp_path, made_at=SEEN)
    with warehouse.opened_file(path, read_only=True) as connection:
        tables = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert not [name for (name,) in tables if name.startswith("label")]
