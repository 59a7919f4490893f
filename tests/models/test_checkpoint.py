import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import acts, checkpoint, heads, linear, network, sentiment, topics
from models.checkpoint import Description, Training
from models.errors import WeightsError

LABELS = ("a", "b")
DESCRIPTION = Description(
    model_id="test",
    version="1",
    task="sentiment",
    labels=LABELS,
    languages=("fr",),
    features_version=1,
    seed=3,
    training=(Training(name="set", rows=2, licence="MIT"),),
    thresholds={"abstain_under": 0.4},
)
TENSORS = {"b": np.arange(6, dtype=np.int8).reshape(3, 2), "a": np.zeros(2, np.float32)}


def test_weights_come_back_with_their_description(tmp_path: Path) -> None:
    digest = checkpoint.write(tmp_path, "w", DESCRIPTION, TENSORS)
    read = checkpoint.read(tmp_path, "w", task="sentiment", labels=LABELS)
    assert read.description == DESCRIPTION
    assert read.sha256 == digest
    assert np.array_equal(read.tensors["b"], TENSORS["b"])


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    turned = dict(reversed(TENSORS.items()))
    first = checkpoint.write(tmp_path / "1", "w", DESCRIPTION, TENSORS)
    assert first == checkpoint.write(tmp_path / "2", "w", DESCRIPTION, turned)
    other = replace(DESCRIPTION, seed=4)
    assert first != checkpoint.write(tmp_path / "3", "w", other, TENSORS)


@pytest.mark.parametrize("place", [0, 30, 200, -1])
def test_one_altered_byte_is_refused(tmp_path: Path, place: int) -> None:
    checkpoint.write(tmp_path, "w", DESCRIPTION, TENSORS)
    path = tmp_path / "w.safetensors"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="SHA256SUMS states"):
        checkpoint.read(tmp_path, "w", task="sentiment", labels=LABELS)


def test_other_labels_or_another_task_are_refused(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, "w", DESCRIPTION, TENSORS)
    for task, labels in (("sentiment", ("b", "a")), ("topics", LABELS)):
        with pytest.raises(WeightsError, match="train again"):
            checkpoint.read(tmp_path, "w", task=task, labels=labels)


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="restore the folder"):
        checkpoint.read(tmp_path, "w", task="sentiment", labels=LABELS)


def test_weights_without_a_stated_hash_are_refused(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, "w", DESCRIPTION, TENSORS)
    (tmp_path / checkpoint.SUMS).unlink()
    with pytest.raises(WeightsError, match="states none"):
        checkpoint.read(tmp_path, "w", task="sentiment", labels=LABELS)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    import hashlib

    data = b"\x80\x04pickle"
    (tmp_path / "w.safetensors").write_bytes(data)
    line = f"{hashlib.sha256(data).hexdigest()}  w.safetensors\n"
    (tmp_path / checkpoint.SUMS).write_text(line)
    with pytest.raises(WeightsError, match="not a file of weights"):
        checkpoint.read(tmp_path, "w", task="sentiment", labels=LABELS)


def test_packed_weights_are_nearly_those_that_were_packed() -> None:
    random = np.random.default_rng(0)
    head = linear.Head(random.normal(size=(64, 3)).astype(np.float32), np.ones(3, np.float32))
    again = linear.unpacked(linear.packed(head, name="x"), name="x")
    assert np.abs(again.weights - head.weights).max() < 0.03
    assert np.array_equal(again.bias, head.bias)
    kept = linear.unpacked(linear.packed(head, name="x", keep=10), name="x")
    assert np.count_nonzero(kept.weights.any(axis=1)) == 10


def test_weights_of_other_features_are_refused() -> None:
    read = checkpoint.read(
        checkpoint.WEIGHTS, sentiment.TASK, task=sentiment.TASK, labels=sentiment.LABELS
    )
    older = replace(read.description, features_version=0)
    with pytest.raises(WeightsError, match="features version 0"):
        sentiment.Embedded(checkpoint.Checkpoint(older, read.tensors, read.sha256))
    with pytest.raises(WeightsError, match="features version 0"):
        acts.Embedded(checkpoint.Checkpoint(older, read.tensors, read.sha256))


@pytest.fixture
def another_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Weights as they ship beside a network that was trained again; the hash of that one."""
    for path in checkpoint.WEIGHTS.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    read = network.read_weights()
    sha256 = checkpoint.write(
        tmp_path, network.TASK, replace(read.description, seed=7), read.tensors
    )
    monkeypatch.setattr(checkpoint, "WEIGHTS", tmp_path)
    heads.read_weights.cache_clear()
    yield sha256
    heads.read_weights.cache_clear()


@pytest.mark.parametrize(
    ("load", "model_id"),
    [(sentiment.load, "vigie-sentiment"), (acts.load, "vigie-acts"), (topics.load, "vigie-heads")],
)
def test_weights_of_another_network_are_refused(
    load: Callable[[], object], model_id: str, another_network: str
) -> None:
    stated = network.read_weights().sha256
    with pytest.raises(WeightsError, match="vigie models train") as refused:
        load()
    for part in (model_id, stated[:12], another_network[:12]):
        assert part in str(refused.value)


def test_weights_that_name_no_network_are_refused() -> None:
    read = checkpoint.read(checkpoint.WEIGHTS, sentiment.TASK, task=sentiment.TASK)
    with pytest.raises(WeightsError, match="stand on network none"):
        sentiment.Embedded(replace(read, description=replace(read.description, stands_on={})))


def test_what_ships_stands_on_the_network_that_ships() -> None:
    sha256 = network.read_weights().sha256
    for name in (sentiment.TASK, acts.TASK, heads.TASK):
        stated = checkpoint.read(checkpoint.WEIGHTS, name, task=name).description
        assert stated.stands_on == {network.TASK: sha256}


def test_binding_to_the_network_reads_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "read_weights", lambda: pytest.fail("18 MB for a hash"))
    sentiment.load()
    heads.read_weights.cache_clear()
    topics.load()


def test_a_run_that_is_killed_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vectors.safetensors"
    checkpoint.write_whole(path, b"before")

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.write_whole(path, b"half")
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_digest_follows_from_values_and_not_from_their_order() -> None:
    one = {"a": {"x", "y"}, "b": (1.5, re.compile("z", re.IGNORECASE)), "c": TENSORS["a"]}
    assert checkpoint.digest(one) == checkpoint.digest(dict(reversed(one.items())))
    others = [{**one, "a": {"x"}}, {**one, "b": (1.5, re.compile("z"))}, {**one, "c": TENSORS["b"]}]
    assert len({checkpoint.digest(each) for each in [one, *others]}) == 4
    assert checkpoint.digest("\ud83d") != checkpoint.digest("\ud83e")
    assert checkpoint.digest(DESCRIPTION) != checkpoint.digest(replace(DESCRIPTION, seed=4))


def test_constants_are_what_a_module_names_in_capitals() -> None:
    found = checkpoint.constants(checkpoint)
    assert found["SUMS"] == checkpoint.SUMS
    assert found["_KEY"] == checkpoint._KEY
    assert not {"Path", "digest", "__name__"} & found.keys()


def test_what_ships_names_the_licence_of_all_it_learnt_from() -> None:
    forbidden = ("NC", "GPL", "not stated", "unstated")
    for name in (network.TASK, sentiment.TASK, acts.TASK, heads.TASK):
        stated = checkpoint.read(checkpoint.WEIGHTS, name, task=name).description
        assert stated.training
        for each in stated.training:
            assert each.licence
            assert not any(word in each.licence for word in forbidden)


def test_what_ships_is_small() -> None:
    sizes = [path.stat().st_size for path in checkpoint.WEIGHTS.glob("*.safetensors")]
    assert sum(sizes) < 40_000_000
