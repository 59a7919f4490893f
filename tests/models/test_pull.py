"""`vigie models pull` and a hub on loopback: shown, asked, checked, compared, proposed."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from models import pull as pulling, sentiment
from models.errors import WeightsError
from models.hub import trial
from pipelines.errors import VigieError
from pipelines.models_cli import models_app
from tests.models import tiny
from tests.models.hub_server import Hub, of_folder, serving
from tests.models.test_hub import tone

REPO = "org/petit"


@contextmanager
def reached(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub as huggingface_hub's own, with the network allowed to it."""
    with serving(hub):
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        yield hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one checkpoint in ONNX: honte is negative, bravo positive, mairie neutral."""
    with reached(of_folder(tone(tmp_path / "there"), repo=REPO), monkeypatch) as found:
        yield found


def pull(*words: str, answer: str = "") -> str:
    """What `vigie models pull` prints, on one line; VigieError as the command line would catch."""
    ended = CliRunner().invoke(models_app, ["pull", *words], input=answer)
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return " ".join(ended.output.split())


def test_licence_and_size_are_shown_and_nothing_is_fetched_on_no(hub: Hub, tmp_path: Path) -> None:
    said = pull(REPO, "--home", str(tmp_path / "home"), answer="n\n")
    assert f"{REPO}@{hub.commit}" in said
    assert "licence mit" in said
    assert re.search(r"download \d+\.\d+ MB, 4 files", said)
    assert said.endswith("Nothing was fetched.")
    assert hub.fetched() == set()
    assert not (tmp_path / "home").exists()


def test_an_onnx_checkpoint_is_fetched_checked_and_used(hub: Hub, tmp_path: Path) -> None:
    home = tmp_path / "home"
    said = pull(REPO, "--home", str(home), "--yes")
    folder = home / "models" / f"org--petit-{hub.commit[:12]}"
    assert hub.fetched() == {"config.json", "tokenizer.json", "README.md", "model.onnx"}
    line = re.search(r'sentiment = ("[^"]+")', said)
    assert line
    assert json.loads(line[1]) == str(folder)
    assert f"# {REPO}@{hub.commit} (mit)" in said
    model = sentiment.load(str(folder))
    assert model.model_id == f"{REPO}@{hub.commit}"
    assert model.score(["bravo"], ["fr"]).labels == ["positive"]
    assert not list((home / "models").glob(".*"))


def test_a_second_pull_gives_the_same_folder(hub: Hub, tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = home / "models" / f"org--petit-{hub.commit[:12]}"
    pull(REPO, "--home", str(home), "--yes")
    first = (folder / "SHA256SUMS").read_text()
    pull(f"{REPO}@{hub.commit}", "--home", str(home), "--yes")
    assert (folder / "SHA256SUMS").read_text() == first


@pytest.mark.parametrize("name", ["model.onnx", "config.json"])
def test_a_file_that_is_not_what_the_hub_said_is_refused(
    hub: Hub, tmp_path: Path, name: str
) -> None:
    hub.altered = name
    with pytest.raises(VigieError, match=rf"{name} of .* has the digest|digest|could not be"):
        pull(REPO, "--home", str(tmp_path / "home"), "--yes")
    assert not list((tmp_path / "home" / "models").glob("[!.]*"))


def gold(folder: Path, rows: list[tuple[str, str]]) -> Path:
    path = folder / "gold.csv"
    lines = "".join(f'"{text}",{label},fr\n' for text, label in rows)
    path.write_text(f"text,label,lang\n{lines}", encoding="utf-8")
    return path


def test_it_is_compared_on_the_institutions_texts_and_the_better_is_proposed(
    hub: Hub, tmp_path: Path
) -> None:
    # To the checkpoint, which counts words, two bravos are less than three hontes.
    rows = [("mairie mairie", "neutral"), ("bravo bravo honte honte honte", "negative")] * 20
    rows += [("honte bravo bravo", "positive"), ("bravo honte honte", "negative")] * 20
    path = gold(tmp_path, rows)
    said = pull(REPO, "--home", str(tmp_path / "home"), "--yes", "--gold", str(path))
    assert "The checkpoint is better. To use it, write into vigie.toml: [models]" in said
    assert "gold.csv, 80 texts" in said
    assert "100.0–100.0" in said


def test_the_embedded_model_is_kept_when_the_other_is_not_better(hub: Hub, tmp_path: Path) -> None:
    rows = [("Bravo, quel travail magnifique, merci !", "positive"), ("Honteux", "negative")] * 20
    path = gold(tmp_path, rows)
    said = pull(REPO, "--home", str(tmp_path / "home"), "--yes", "--gold", str(path))
    assert "Keep the embedded model: the other is not better on gold.csv" in said


def test_labels_that_are_not_ours_are_told_before_anything_is_asked(
    hub: Hub, tmp_path: Path
) -> None:
    path = gold(tmp_path, [("bravo", "positive"), ("honte", "angry")])
    with pytest.raises(
        VigieError, match=r"row 2 of gold.csv has the label 'angry', 1 rows in all: write negative"
    ):
        pull(REPO, "--home", str(tmp_path / "home"), "--yes", "--gold", str(path))
    assert hub.asked == []


def test_texts_with_columns_of_other_names_are_named_or_told(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "gold.csv"
    path.write_text("corps,avis\nbravo,positif\nhonte,négatif\n", encoding="utf-8")
    wanted = (REPO, "--home", str(tmp_path / "home"), "--yes", "--gold", str(path))
    with pytest.raises(VigieError, match="or name it with --text"):
        pull(*wanted)
    with pytest.raises(VigieError, match="name it with --label"):
        pull(*wanted, "--text", "corps")
    assert hub.asked == []
    assert "gold.csv, 2 texts" in pull(*wanted, "--text", "corps", "--label", "avis")


def test_topics_that_are_none_are_told_and_a_text_may_be_of_none(hub: Hub, tmp_path: Path) -> None:
    path = gold(tmp_path, [("bravo", "T01"), ("honte", ""), ("x", "voirie")])
    with pytest.raises(VigieError, match=r"row 3 .* has the label 'voirie'.*ids of topics"):
        pull(REPO, "--task", "topics", "--home", str(tmp_path), "--yes", "--gold", str(path))
    assert hub.asked == []


def test_a_licence_that_may_not_allow_the_use_needs_a_word(hub: Hub, tmp_path: Path) -> None:
    hub.card["license"] = "cc-by-nc-4.0"
    home = str(tmp_path / "home")
    with pytest.raises(VigieError, match=r"--accept-licence 'cc-by-nc-4\.0'"):
        pull(REPO, "--home", home, "--yes")
    said = pull(REPO, "--home", home, "--yes", "--accept-licence", "cc-by-nc-4.0")
    assert "(cc-by-nc-4.0)" in said


def test_a_recommended_licence_that_changed_is_refused(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = dataclasses.replace(pulling.recommended()[0], id=REPO, revision=None, licence="mit")
    monkeypatch.setattr(pulling, "recommended", lambda: (entry,))
    hub.card["license"] = "apache-2.0"
    with pytest.raises(VigieError, match=r"now has the licence apache-2\.0"):
        pull(REPO, "--home", str(tmp_path / "home"), "--yes")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("org/other", "the hub has no checkpoint 'org/other'"),
        (f"{REPO}@{'0' * 40}", "has no commit 0000"),
        ("petit", "is no id of a checkpoint"),
        (f"{REPO}@main", "is no id of a checkpoint"),
    ],
)
def test_a_wrong_name_is_told(hub: Hub, tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(VigieError, match=told):
        pull(name, "--home", str(tmp_path / "home"), "--yes")


@pytest.mark.parametrize(
    ("missing", "told"),
    [("tokenizer.json", "has no tokenizer.json"), ("model.onnx", "only forms that may run code")],
)
def test_what_is_missing_is_told_before_anything_is_fetched(
    hub: Hub, tmp_path: Path, missing: str, told: str
) -> None:
    del hub.files[missing]
    with pytest.raises(VigieError, match=told):
        pull(REPO, "--home", str(tmp_path / "home"), "--yes")
    assert hub.fetched() == set()


def test_code_of_its_own_is_refused_when_its_config_is_read(hub: Hub, tmp_path: Path) -> None:
    config = json.loads(hub.files["config.json"]) | {"auto_map": {"AutoModel": "evil.Model"}}
    hub.files["config.json"] = json.dumps(config).encode()
    with pytest.raises(VigieError, match="code of its own"):
        pull(REPO, "--home", str(tmp_path / "home"), "--yes")


def test_safetensors_without_torch_are_refused_before_they_are_fetched(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.files["model.safetensors"] = hub.files.pop("model.onnx")
    monkeypatch.setattr(pulling, "can_export", lambda: False)
    with pytest.raises(VigieError, match=r"pip install -e '\.\[checkpoint\]'"):
        pull(REPO, "--home", str(tmp_path / "home"), "--yes")
    assert hub.fetched() == set()


def test_without_a_network_nothing_is_fetched_and_the_remedy_is_said(tmp_path: Path) -> None:
    with pytest.raises(VigieError, match="HF_HUB_OFFLINE is set"):
        pull(REPO, "--home", str(tmp_path / "home"), "--yes")


def test_a_hub_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(VigieError, match="could not be reached"):
        pull(REPO, "--home", str(tmp_path / "home"), "--yes")


@tiny.NEEDS_TORCH
def test_safetensors_are_fetched_exported_and_quantised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny.classifier(tmp_path / "there", "Camembert")
    with reached(of_folder(folder, repo=REPO), monkeypatch) as hub:
        assert pulling.can_export()
        said = pull(REPO, "--home", str(tmp_path / "home"), "--yes")
    assert "pytorch_model.bin" not in hub.fetched()
    assert re.search(r"exported: \d\.\de-\d+ from torch", said)
    out = tmp_path / "home" / "models" / f"org--petit-{hub.commit[:12]}"
    assert (out / "model.int8.onnx").is_file()
    assert not (out / "model.safetensors").exists()
    assert sentiment.load(str(out)).model_id == f"{REPO}@{hub.commit}"


def test_the_recommended_set_is_free_to_use_pinned_or_found_and_reads_french() -> None:
    for each in pulling.recommended():
        assert each.licence in pulling.FREE
        assert "fr" in each.languages
        assert each.revision is None or re.fullmatch("[0-9a-f]{40}", each.revision)
        assert each.task in ("sentiment", "topics")
        assert each.why.endswith(".")


def test_the_list_names_the_recommended_and_the_installed_without_a_network(
    hub: Hub, tmp_path: Path
) -> None:
    pull(REPO, "--home", str(tmp_path), "--yes")
    hub.asked.clear()
    said = CliRunner().invoke(models_app, ["list", "--home", str(tmp_path)]).output
    assert "installed:" in said
    assert "apache-2.0" in said
    assert hub.asked == []


def test_an_interval_of_a_gain_holds_zero_for_a_model_against_itself() -> None:
    model = sentiment.load()
    texts = ["Quelle honte", "Merci beaucoup", "La mairie ouvre à 9 h"] * 5
    marks = trial.marks(["negative", "positive", "neutral"] * 5, task="sentiment")
    labelled = trial.Labelled(name="x", texts=texts, langs=["fr"] * 15, marks=marks)
    found = trial.compare(model, model, labelled)
    assert found.gain == (0.0, 0.0)
    assert not found.is_better
    assert found.now.low <= found.now.f1 <= found.now.high


def test_the_measures_are_those_of_their_definition() -> None:
    truth = trial.marks(["T01;T03", "T03", ""], task="topics")
    said = trial.marks(["T01", "T03 T05", ""], task="topics")
    once = np.ones((1, 3), np.int64)
    assert trial.f1(truth, said, once, is_macro=False)[0] == pytest.approx(2 * 2 / (3 + 3))
    truth = trial.marks(["negative", "negative", "positive"], task="sentiment")
    said = trial.marks(["negative", "positive", "positive"], task="sentiment")
    assert trial.f1(truth, said, once, is_macro=True)[0] == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_an_offer_can_be_asked_for_without_the_command_line(hub: Hub) -> None:
    found = pulling.offer(REPO)
    assert (found.revision, found.licence, found.languages) == (hub.commit, "mit", ("fr",))
    with pytest.raises(WeightsError, match="is no id"):
        pulling.offer("x")
