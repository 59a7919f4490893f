"""Training from invented data; where it fits a network it needs torch (`make test-training`)."""

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import (
    acts,
    checkpoint,
    datasets,
    drift,
    evaluate,
    examples,
    features,
    heads,
    lexicons,
    network,
    pretrain,
    sentiment,
    terms,
    train,
    train_abuse,
    train_heads,
    train_linear,
    train_tone,
    train_trunk,
)
from models.checkpoint import Description
from models.errors import WeightsError
from models.examples import Example
from models.train import Setting
from models.trunk import Trunk
from models.vectors import Vectors
from tests.models.test_gold import small_trunk

TEXTS = {
    "negative": ["quelle honte", "service lamentable", "très mal reçu", "toujours en retard"],
    "neutral": ["réunion mardi", "horaires du guichet", "liste des pièces", "ordre du jour"],
    "positive": ["merci beaucoup", "accueil super", "très bien reçu", "service rapide"],
}
NEEDS_EXTRAS = pytest.mark.skipif(
    not (find_spec("torch") and find_spec("floret")),
    reason="needs the extra vigie[train]: `make test-training`",
)


def labelled(folder: Path) -> Path:
    """A folder with every file that training reads, each of a few invented texts."""
    rows = [
        {"text": f"{text} numéro {i} de {name}", "label": label, "lang": lang, "source": "s"}
        for name in ("a", "b")
        for label, texts in TEXTS.items()
        for text in texts
        for i in range(4)
        for lang in ("fr", "en", "de", "es", "it", "pt", "ar")
    ]
    files = {source.file for source in (*datasets.PLAIN, *datasets.SENTIMENT)}
    files |= {"abuse_ftr_fr", "abuse_toxifrench_fr", "abuse_mlma", "abuse_davidson_en"}
    for file in sorted(files):
        sources = {"sent_allocine_fr": "allocine_films", "unlab_tweets_fr": "deft2017_test"}
        own = [
            {**row, "source": sources.get(file, "s"), "text": f"{row['text']} {file[-3:]}"}
            for row in rows
        ]
        if file.startswith("abuse"):
            own = [{**r, "label": "abusive" if r["label"] == "negative" else "not"} for r in own]
        _write(folder / f"{file}.parquet", own)
    for file, labels in (
        ("irony_tweeteval_en", ("irony", "non_irony")),
        ("emo_tweeteval_en", ("joy", "anger")),
    ):
        own = [
            {"text": f"so {label} {i}", "label": label, "lang": "en", "source": "s"}
            for label in labels
            for i in range(20)
        ]
        _write(folder / f"{file}.parquet", own)
    return folder


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """One short epoch and small vectors."""
    monkeypatch.setitem(pretrain.SETTINGS, "minCount", 1)
    monkeypatch.setitem(pretrain.SETTINGS, "epoch", 1)
    monkeypatch.setitem(pretrain.SETTINGS, "bucket", 1_000)
    monkeypatch.setattr(train_trunk, "EPOCHS", 1)
    monkeypatch.setattr(train_trunk, "_CROWD", 60)
    monkeypatch.setattr(examples, "_DRILLS", 2)
    monkeypatch.setattr(examples, "_TONE_DRILLS", 2)
    monkeypatch.setattr("models.posts.posts", lambda _folder: [])


@NEEDS_EXTRAS
@pytest.mark.slow
def test_two_trainings_write_the_same_bytes(tmp_path: Path, small: None) -> None:
    data = labelled(tmp_path / "data")
    hashes = []
    for name in ("one", "two"):
        setting = Setting(data, tmp_path / name, tmp_path / f"work-{name}", seed=3)
        hashes.append(train.train(setting, only=("network",)))
    assert hashes[0] == hashes[1]
    stated = checkpoint.read(tmp_path / "one", "network", task="network").description
    assert stated.seed == 3
    assert all(each.licence for each in stated.training)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled(tmp_path_factory.mktemp("data"))


@pytest.fixture
def fitted(small: None, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Training without torch: of each network that is fitted, how many examples it learnt from."""
    done: list[int] = []

    def fit(_: object, vectors: Vectors, chosen: np.ndarray, *, seed: int) -> Trunk:
        own = small_trunk(seed + len(chosen))
        done.append(len(chosen))
        width = len(train_trunk.outputs())
        random = np.random.default_rng(len(chosen))
        layers = replace(
            own.layers,
            heads=random.normal(size=(own.layers.heads.shape[0], width)).astype(np.float32),
            heads_bias=np.zeros(width, np.float32),
        )
        return Trunk(vectors, layers, train_trunk.outputs())

    def learnt(_: Path, *, seed: int) -> Vectors:
        done.append(0)
        return small_trunk(seed).vectors

    monkeypatch.setattr(train_trunk, "fit", fit)
    monkeypatch.setattr(pretrain, "vectors", learnt)
    monkeypatch.setattr(train_trunk, "lesson", lambda *_: None)
    return done


def setting_in(folder: Path, tmp_path: Path, **own: Any) -> Setting:
    return Setting(folder, tmp_path / "out", tmp_path / "work", **own)


def test_a_training_that_was_stopped_goes_on_from_its_work(
    folder: Path, tmp_path: Path, fitted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = setting_in(folder, tmp_path)
    whole = train_trunk.fit

    def stopped(*given: Any, **named: Any) -> Trunk:
        if len(fitted) == 3:
            raise KeyboardInterrupt
        return whole(*given, **named)

    monkeypatch.setattr(train_trunk, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        train.train(setting, only=("network",))
    assert len(fitted) == 3  # vectors, two folds
    monkeypatch.setattr(train_trunk, "fit", whole)
    first = train.train(setting, only=("network",))
    assert len(fitted) == 7
    assert train.train(setting, only=("network",)) == first
    assert len(fitted) == 7
    again = setting_in(folder, tmp_path / "again")
    assert train.train(again, only=("network",)) == first


def one_text_less(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "abuse_ftr_fr.parquet"
    _write(path, pq.read_table(path).to_pylist()[1:])


def another_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "irony_tweeteval_en.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[0]["label"] = "non_irony"
    _write(path, rows)


def more_epochs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_trunk, "EPOCHS", 2)


def a_task_of_another_weight(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = (replace(train_trunk.TASKS[0], weight=9.0), *train_trunk.TASKS[1:])
    monkeypatch.setattr(train_trunk, "TASKS", tasks)


def another_line_of_open_text(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "unlab" / "general_theatre.parquet"
    _write(path, pq.read_table(path).to_pylist()[1:])


def vectors_of_more_passes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pretrain.SETTINGS, "epoch", 2)


def another_reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "VERSION", features.VERSION + 1)
    lexicons.reading.cache_clear()


Change = Callable[[Path, pytest.MonkeyPatch], None]
OF_LESSON: list[Change] = [another_answer, more_epochs, a_task_of_another_weight]
OF_BOTH: list[Change] = [
    one_text_less, another_line_of_open_text, vectors_of_more_passes, another_reading,
]  # fmt: skip


@pytest.mark.parametrize("change", [*OF_LESSON, *OF_BOTH])
def test_another_training_finds_nothing_to_go_on_from(
    change: Change, tmp_path: Path, fitted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = labelled(tmp_path / "data")
    setting = setting_in(folder, tmp_path)
    train.train(setting, only=("network",))
    change(folder, monkeypatch)
    del fitted[:]
    train.train(setting, only=("network",))
    lexicons.reading.cache_clear()
    assert len(fitted) == 6 + (change in OF_BOTH)  # vectors are 0, six networks follow


def test_another_seed_finds_nothing_to_go_on_from(
    folder: Path, tmp_path: Path, fitted: list[int]
) -> None:
    for seed in (1, 2):
        train.train(setting_in(folder, tmp_path, seed=seed), only=("network",))
    assert len(fitted) == 14


def test_later_steps_take_what_the_written_network_stands_on(
    folder: Path, tmp_path: Path, fitted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = setting_in(folder, tmp_path)
    done = train.train(setting, only=("network",))
    under = train.ground(setting)
    assert under.stands_on == {"network": done["network"]}
    assert len(under.folds) == datasets.FOLDS
    assert under.whole.outputs == train_trunk.outputs()
    monkeypatch.setattr(examples, "_DRILLS", 1)  # as an edit of a topic does, before `--only heads`
    assert train.ground(setting).stands_on == under.stands_on
    for path in setting.work.glob("network-3-*"):
        path.unlink()
    with pytest.raises(FileNotFoundError):
        train.ground(setting)


def test_a_network_that_does_not_say_what_it_stands_on_is_refused(
    folder: Path, tmp_path: Path, fitted: list[int]
) -> None:
    setting = setting_in(folder, tmp_path)
    train.train(setting, only=("network",))
    read = checkpoint.read(setting.out, network.TASK, task=network.TASK)
    older = replace(read.description, stands_on={})
    checkpoint.write(setting.out, network.TASK, older, read.tensors)
    with pytest.raises(WeightsError, match="vigie models train --only network"):
        train.ground(setting)


def few_examples(folder: Path) -> list[Example]:
    """A tenth of all examples, and more in place of drills and of posts read for Vigie."""
    drawn = examples.examples(folder, seed=3)[::10]
    read = [
        Example(f"{text} {i}", "fr", {"tone_post": examples.one(sentiment.LABELS, label)}, "posts")
        for label, texts in TEXTS.items()
        for text in texts
        for i in range(4)
    ]
    return [*drawn, *(replace(own, answers=own.answers | abuse(own.text)) for own in read)]


def abuse(text: str) -> examples.Answers:
    """Answers of the two invented registers of abuse, both of them in every fold."""
    answer = (float(len(text) % 2),)
    return {"abuse_post": answer, "abuse_drill": answer}


@pytest.mark.slow
def test_tone_and_abuse_name_the_network_that_they_were_trained_upon(
    folder: Path, tmp_path: Path, fitted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_tone, "OTHERS", ("de",))
    monkeypatch.setattr(train_tone, "_SHARES", (0.5,))
    monkeypatch.setattr(train_abuse, "_SHARES", (0.5,))
    for module in (datasets, train_linear):
        monkeypatch.setattr(module, "FOLDS", 2)
    monkeypatch.setitem(examples._LICENCES, "posts", "invented")
    few = few_examples(folder)
    monkeypatch.setattr(examples, "examples", lambda *_, **__: few)
    setting = setting_in(folder, tmp_path)
    done = train.train(setting, only=("network", "tone", "abuse"))
    for name in (sentiment.TASK, acts.TASK):
        stated = checkpoint.read(setting.out, name, task=name).description
        assert stated.stands_on == {"network": done["network"]}
    assert {path.name for path in setting.work.glob("*.npz")} >= {
        "tone-fr-service.npz", "tone-de-de.npz", "abuse-fr-post.npz", "abuse-en-en.npz",
    }  # fmt: skip
    assert not list(setting.work.glob(".*"))


def test_heads_name_the_network_that_they_were_trained_upon(heads_fitted: Setting) -> None:
    written = heads_fitted.out
    stated = checkpoint.read(written, heads.TASK, task=heads.TASK).description
    assert stated.stands_on == {"network": checkpoint.stated(written, network.TASK)}
    assert all(each.licence for each in stated.training)


@pytest.fixture
def heads_fitted(
    folder: Path, tmp_path: Path, fitted: list[int], monkeypatch: pytest.MonkeyPatch
) -> Setting:
    """A setting whose heads were all fitted once, to no data; another bias comes of the next."""
    none = np.zeros(2 * len(lexicons.labels()))
    monkeypatch.setattr(train_heads, "_fit", lambda *_: (none, -4.0))
    monkeypatch.setattr(train_heads, "_share", lambda *_: 0.1)
    monkeypatch.setattr(train_heads, "_keep", lambda *_: None)
    monkeypatch.setattr(train_heads, "pack_terms", lambda _: "")
    setting = setting_in(folder, tmp_path)
    train.train(setting, only=("network", "heads"))
    monkeypatch.setattr(train_heads, "_fit", lambda *_: (none, -3.0))
    return setting


def test_heads_that_are_named_are_fitted_and_the_others_keep_their_bytes(
    heads_fitted: Setting,
) -> None:
    def stored() -> dict[str, bytes]:
        read = checkpoint.read(heads_fitted.out, heads.TASK, task=heads.TASK)
        return {key: own.tobytes() for key, own in read.tensors.items()}

    before = stored()
    train.train(replace(heads_fitted, heads=("T13", "acts/claim")), only=("heads",))
    after = stored()
    moved = {key for key in before if before[key] != after[key]}
    assert before.keys() == after.keys()
    assert moved == {"fr.T13.bias", "fr.acts/claim.bias"}


def test_heads_are_not_fitted_beside_those_of_another_network(heads_fitted: Setting) -> None:
    train.train(replace(heads_fitted, seed=7), only=("network",))
    with pytest.raises(WeightsError, match="stands on another network"):
        train.train(replace(heads_fitted, seed=7, heads=("T13",)), only=("heads",))


def test_what_unseen_posts_got_of_a_head_that_is_left_is_kept(tmp_path: Path) -> None:
    names = heads.wanted()
    chances = np.tile(np.arange(len(names)) / 100, (2, 1))
    chances[1] += 0.001
    path = tmp_path / "heads-fr.npz"
    train.keep(path, names=np.array(names[::-1]), chances=chances[:, ::-1], texts=["a", "b"])
    found = train_heads._left(path, ["b", "new", "a"])
    assert np.array_equal(found[[0, 2]], chances[[1, 0]])
    assert np.isnan(found[1]).all()


def test_terms_are_packed_by_one_step_that_reads_no_data(tmp_path: Path) -> None:
    setting = setting_in(tmp_path / "none", tmp_path)
    done = train.train(setting, only=("terms",))
    stored = checkpoint.read(setting.out, terms.TASK, task=terms.TASK)
    assert stored.sha256 == done["terms"]
    assert stored.description.terms_sha256 == lexicons.digest()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Setting:
    """Steps that write nearly nothing into what stands for the weights that ship."""

    def written(name: str, stands_on: dict[str, str]) -> str:
        own = Description(
            model_id=name, version="0", task=name, labels=(), languages=(), seed=0, training=(),
            features_version=features.VERSION, thresholds={}, stands_on=stands_on,
        )  # fmt: skip
        return checkpoint.write(tmp_path, name, own, {})

    def on_network(name: str) -> str:
        return written(name, {"network": str(checkpoint.stated(tmp_path, network.TASK))})

    random = np.random.default_rng(0)
    monkeypatch.setattr(
        train, "train_network", lambda _: written("network", {"lesson": str(random.random())})
    )
    monkeypatch.setattr(train_tone, "train", lambda _: on_network("sentiment"))
    monkeypatch.setattr(train_abuse, "train", lambda _: on_network("abuse"))
    monkeypatch.setattr(train_heads, "train", lambda _: on_network("heads"))
    monkeypatch.setattr(checkpoint, "WEIGHTS", tmp_path)
    monkeypatch.setattr(examples, "examples", lambda *_, **__: [])
    stands = {name: (lambda name=name: checkpoint.stated(tmp_path, name)) for name in STANDING}
    monkeypatch.setattr(
        drift, "reference", lambda *_: {f"{name}_sha256": own() for name, own in stands.items()}
    )
    return Setting(tmp_path, tmp_path, tmp_path / "work")


STANDING = (network.TASK, sentiment.TASK)


def stale(setting: Setting) -> bool:
    """Whether the reference that is stored was measured with other weights than there are."""
    path = setting.out / "reference.json"
    read = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return any(
        read.get(f"{name}_sha256") != checkpoint.stated(setting.out, name) for name in STANDING
    )


def test_the_reference_of_drift_is_written_with_the_weights_it_is_measured_with(
    steps: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    train.train(steps)
    assert not stale(steps)
    train.train(steps, only=("network",))
    assert stale(steps)  # no tone stands on this network: the models refuse to load, as drift does
    assert "tone_stands_on_another_network" in caplog.text
    train.train(steps, only=("tone",))
    assert not stale(steps)
    before = (steps.out / "reference.json").stat().st_mtime_ns
    train.train(steps, only=("abuse", "heads"))  # the reference reads neither
    assert (steps.out / "reference.json").stat().st_mtime_ns == before


def test_a_network_that_is_trained_to_the_same_bytes_keeps_its_reference(
    steps: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    train.train(steps)
    (steps.out / "reference.json").unlink()
    monkeypatch.setattr(
        train, "train_network", lambda _: str(checkpoint.stated(steps.out, network.TASK))
    )
    train.train(steps, only=("network",))
    assert not stale(steps)


def test_weights_of_another_folder_leave_the_reference_of_those_that_ship(
    steps: Setting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(checkpoint, "WEIGHTS", tmp_path / "shipped")
    train.train(steps)
    assert not list(tmp_path.rglob("reference.json"))


def test_macro_f1_and_recall_are_means_over_the_classes_that_occur() -> None:
    truth, said = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert evaluate.macro_f1(truth, said) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert evaluate.macro_recall(truth, said) == pytest.approx(0.75)
    low, high = evaluate.interval(evaluate.macro_f1, truth, said)
    assert 0.0 <= low <= high <= 1.0


def test_a_judgement_counts_what_is_answered() -> None:
    truth = np.array([0, 1, 2, 0])
    chances = np.array([[0.9, 0.05, 0.05], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8], [0.35, 0.4, 0.25]])
    found = evaluate.judgement(truth, chances, threshold=0.5)
    assert found.abstained_share == pytest.approx(0.5)
    assert found.f1_answered == pytest.approx(100.0)
    assert found.count == 4


def test_ranking_is_one_when_every_text_of_the_topic_stands_first() -> None:
    is_of = np.array([True, False, True, False])
    assert evaluate.ranking(is_of, np.array([0.9, 0.1, 0.8, 0.2])) == 1.0
    assert evaluate.ranking(is_of, np.array([0.1, 0.9, 0.2, 0.8])) == 0.0


def test_a_card_keeps_what_stands_around_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "CARDS", tmp_path)
    table = evaluate.Table("Caption.", ("A", "B"), (("1", "2"),))
    (tmp_path / "x.md").write_text(f"# X\n\n{evaluate._BEGIN}\nold\n{evaluate._END}\n\nAfter.\n")
    evaluate.write_card("x", [table])
    text = (tmp_path / "x.md").read_text()
    assert "old" not in text
    assert "| 1 | 2 |" in text
    assert text.startswith("# X")
    assert text.endswith("After.\n")


def test_the_cards_name_the_weights_that_ship() -> None:
    for card, sha256 in (
        ("sentiment", sentiment.load().weights_sha256),
        ("topics", heads.read_weights().sha256),
        ("acts", acts.load().weights_sha256),
    ):
        assert sha256 in (evaluate.CARDS / f"{card}.md").read_text(encoding="utf-8")
