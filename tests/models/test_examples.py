import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models import datasets, examples, posts
from models.checkpoint import Training
from models.examples import TASKS, Example
from models.taxonomy import Use, taxonomy
from tests.models.test_posts import data, written
from tests.models.test_train import labelled

NEVER = "deft2017_team_tweets"
TAUGHT, JUDGED = "Un billet qui enseigne", "Un billet qui juge"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file that training reads, and two posts of which one states no licence."""
    made = labelled(tmp_path_factory.mktemp("data"))
    data(made, "posts", {TAUGHT: "s", JUDGED: NEVER})
    return made


@pytest.fixture(scope="module")
def taught(folder: Path) -> list[Example]:
    rows = written("posts", TAUGHT, tone="N", acts="complaint abuse", political="1")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(posts, "_labels", lambda: rows | written("posts", JUDGED))
        return examples.examples(folder, seed=3)


def test_answers_have_the_shape_of_their_task(taught: list[Example]) -> None:
    sizes = {task.name: len(task.labels) for task in TASKS}
    for each in taught:
        assert each.answers
        assert {name: len(own) for name, own in each.answers.items()} == {
            name: sizes[name] for name in each.answers
        }


def test_answers_are_chances_and_one_label_is_right_where_one_must_be(
    taught: list[Example],
) -> None:
    kinds = {task.name: task.kind for task in TASKS}
    for each in taught:
        for name, own in each.answers.items():
            assert all(value in (0.0, 1.0, None) for value in own)
            assert kinds[name] == "many" or sorted(own)[-2:] == [0.0, 1.0], (name, own)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_each_label_of_each_task_is_taught_both_ways(
    task: examples.Task, taught: list[Example]
) -> None:
    told = [each.answers[task.name] for each in taught if task.name in each.answers]
    if task.name in ("emotion_en", "ticks"):  # the invented data have two of four, and none
        return
    for place, label in enumerate(task.labels):
        assert {own[place] for own in told} >= {0.0, 1.0}, label


def test_examples_are_of_the_languages_of_the_network_and_weigh_something(
    taught: list[Example],
) -> None:
    assert {each.lang for each in taught} == {"fr", "en"}
    assert all(0.0 < each.weight <= 2.0 for each in taught)
    english = {name for each in taught if each.lang == "en" for name in each.answers}
    assert not {name for name in english if name.startswith("tone_") and name != "tone_en"}


def test_what_states_no_licence_is_no_example(taught: list[Example]) -> None:
    texts = {datasets.key(each.text) for each in taught}
    assert datasets.key(TAUGHT) in texts
    assert datasets.key(JUDGED) not in texts


def test_a_post_teaches_every_task_that_it_was_read_for(taught: list[Example]) -> None:
    own = next(each for each in taught if each.text == TAUGHT)
    assert own.answers["tone_post"] == (1.0, 0.0, 0.0)
    assert own.answers["abuse_post"] == own.answers["political"] == (1.0,)
    assert own.answers["irony"] == (0.0,)
    assert own.answers["acts"] == (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    assert {"register", "abuse_register"} <= own.answers.keys()


def test_every_origin_states_a_licence_and_no_other_name_has_one(taught: list[Example]) -> None:
    for each in examples.training(taught):
        assert each.licence
        assert not any(word in each.licence for word in ("NC", "GPL", "not stated"))
    with pytest.raises(KeyError):
        examples.licence("sent_airline_en")


def test_training_counts_the_examples_of_each_origin(taught: list[Example]) -> None:
    counts = Counter(each.origin for each in taught)
    found = {each.name: each.rows for each in examples.training(taught)}
    assert found == dict(counts)
    assert all(isinstance(each, Training) for each in examples.training(taught))


def test_copies_are_in_one_fold_whatever_their_set(taught: list[Example]) -> None:
    folds: dict[str, set[int]] = {}
    for each in taught:
        folds.setdefault(datasets.key(each.text), set()).add(examples.fold(each))
    assert {len(own) for own in folds.values()} == {1}
    assert {fold for own in folds.values() for fold in own} == set(range(datasets.FOLDS))


def test_a_text_says_one_thing_of_a_task_within_a_set(taught: list[Example]) -> None:
    """Twice the same text is borne; twice the same text with other answers teaches nothing."""
    said: dict[tuple[str, str, str, str], set[tuple[float | None, ...]]] = {}
    for each in (each for each in taught if "(invented)" in each.origin):
        for name, own in each.answers.items():
            if name not in ("acts", "register", "abuse_register"):
                said.setdefault((each.text, each.lang, each.origin, name), set()).add(own)
    assert not [key for key, own in said.items() if len(own) > 1]


def test_the_same_seed_gives_the_same_examples(folder: Path, taught: list[Example]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(posts, "posts", lambda _: [])
        one, again, other = (examples.examples(folder, seed=seed) for seed in (3, 3, 4))
    assert one == again
    assert one != other
    assert len(one) == len(taught) - 1


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_sentences_of_topics_that_judge_never_teach(lang: str, taught: list[Example]) -> None:
    uses: dict[Use, set[str]] = {"dev": set(), "held_out": set()}
    for topic in taxonomy():
        for use, own in uses.items():
            own |= {*topic.yes(lang=lang, use=use), *topic.no(lang=lang, use=use)}
    texts = {each.text for each in taught if each.origin == "sentences (invented)"}
    assert uses["dev"] <= texts
    assert not (uses["held_out"] - uses["dev"]) & texts


def test_what_is_ticked_beside_a_letter_is_taught(tmp_path: Path) -> None:
    ticks = {"aspects": {"Relation": "positive", "Réactivité": "negative", "Autre": "positive"}}
    rows = [
        {"text": "Merci", "label": "positive", "aux": json.dumps(ticks)},
        {"text": "Rien", "label": "neutral", "aux": ""},
    ]
    path = tmp_path / "sent_servicepublic_fr.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert examples.ticks(tmp_path) == {
        "Merci": (None, None, 1.0, 0.0, None),
        "Rien": (None,) * 5,
    }
