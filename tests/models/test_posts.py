import re
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import datasets, heads, posts
from models.acts import ACTS
from models.taxonomy import taxonomy

ROWS = posts._labels()


def written(file: str, text: str, **own: str) -> dict[tuple[str, str], dict[str, str]]:
    """A row of labels as the file has them."""
    key = datasets.key(text)
    empty = {"tone": "Z", "topics": "", "political": "0", "acts": "", "irony": "0", "aspects": ""}
    return {(file, key): {"file": file, "text_key": key, **empty, **own}}


def data(folder: Path, file: str, rows: dict[str, str]) -> None:
    """A file of a folder of data: texts with their sources."""
    table = {"text": list(rows), "source": list(rows.values())}
    pq.write_table(pa.table(table), folder / f"{file}.parquet")


def test_every_post_was_read_once() -> None:
    assert len(ROWS) == 3608
    keys = Counter(key for _, key in ROWS)
    assert all(re.fullmatch("[0-9a-f]{16}", key) for key in keys)
    text = (Path(posts.__file__).parent / "posts" / "labels.csv").read_text(encoding="utf-8")
    assert len(text.splitlines()) == len(ROWS) + 1


def test_labels_are_those_that_the_models_know() -> None:
    topics = {topic.id for topic in taxonomy()}
    services = {name.removeprefix("aspects/") for name in heads.wanted() if "aspects/" in name}
    for row in ROWS.values():
        post = posts._post("", row, may_train=True)
        assert set(post.topics) <= topics
        assert set(post.acts) <= set(ACTS)
        assert set(post.aspects) <= services
        assert row["political"] in "01"
        assert row["irony"] in "01"


def test_the_labels_hold_no_text() -> None:
    """Every cell is a key, a name of the models or a sign; none is a person's words."""
    cells = {cell for row in ROWS.values() for cell in row.values()}
    words = {word.split(":")[0] for cell in cells for word in cell.split()}
    files = {file for file, _ in ROWS}
    named = files | {topic.id for topic in taxonomy()} | set(ACTS) | {"N", "Z", "P", "0", "1"}
    named |= {name.removeprefix("aspects/") for name in heads.wanted()}
    assert {word for word in words if not re.fullmatch("[0-9a-f]{16}", word)} <= named


def test_a_post_is_found_by_its_letters_in_its_own_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = written("a", "Quelle honte", tone="N", topics="T01 T10", acts="complaint")
    rows |= written("b", "Merci la piscine", tone="P", aspects="sport:P", irony="1", political="1")
    monkeypatch.setattr(posts, "_labels", lambda: rows)
    data(tmp_path, "a", {"quelle HONTE !": "s", "Merci la piscine": "s", "Autre": "s"})
    data(tmp_path, "b", {"Merci, la piscine": "s"})
    found = {post.text: post for post in posts.posts(tmp_path)}
    assert set(found) == {"quelle HONTE !", "Merci, la piscine"}
    honte, merci = found["quelle HONTE !"], found["Merci, la piscine"]
    assert (honte.tone, honte.topics, honte.acts) == ("negative", ("T01", "T10"), ("complaint",))
    assert (merci.tone, merci.aspects) == ("positive", {"sport": "positive"})
    assert (merci.is_ironic, merci.is_political) == (True, True)
    assert [post.text for post in posts.posts(tmp_path)] == sorted(found, key=datasets.key)


def test_a_post_whose_source_states_no_licence_judges_and_never_teaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = written("unlab_tweets_fr", "un") | written("unlab_tweets_fr", "deux")
    monkeypatch.setattr(posts, "_labels", lambda: rows)
    data(tmp_path, "unlab_tweets_fr", {"un": "deft2017_team_tweets", "deux": "deft2017_test"})
    may_train = {post.text: post.may_train for post in posts.posts(tmp_path)}
    assert may_train == {"un": False, "deux": True}
