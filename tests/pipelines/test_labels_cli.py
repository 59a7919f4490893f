"""`vigie labels …` and `vigie models evaluate --gold` as an operator types them."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from models import lineage
from models.acts import ACTS, Done
from models.sentiment import Tones
from models.suite import Scores, Suite
from models.topics import LABELS, Found
from pipelines import gold_commands, labels, labels_cli, warehouse
from pipelines.errors import VigieError
from pipelines.labels import Answer
from pipelines.models_commands import models_app
from tests.hostile.values import SCRIPTS
from tests.pipelines.board.town import TOML
from tests.pipelines.watched import Said, say

NOW = datetime.now(UTC)
BAD = Answer(tone="negative", topics=("T09",), acts=("complaint",))


TOLD = """
[[recipients]]
name = "Astreinte"
email = "astreinte@valmorin.example"
role = "moderator"
gets = ["alerts", "digest", "failures"]

[mail]
sender = "vigie@valmorin.example"
"""


class Judge:
    """A model of each kind: whoever says « panne » is negative, about transport, and complains."""

    model_id, weights_sha256, thresholds = "judge-1", "0" * 64, dict[str, float]()

    def score(self, texts: Any, langs: Any) -> Any:
        raise NotImplementedError

    def score_batch(self, batch: Any) -> Any:
        raise NotImplementedError


class Said3(Suite):
    """A suite that answers at once."""

    def score(self, texts: Any, langs: Any) -> Scores:  # noqa: ARG002 - as a suite's
        is_bad = np.array(["panne" in text for text in texts], bool)
        tones = np.where(is_bad[:, None], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]).astype(np.float32)
        nothing = np.zeros(len(texts), np.float32)
        return Scores(
            tone=Tones(tones, ["negative" if b else "neutral" for b in is_bad], nothing),
            found=Found(
                np.zeros((len(texts), len(LABELS)), np.float32),
                [("T09",) if b else () for b in is_bad],
            ),
            done=Done(
                np.zeros((len(texts), len(ACTS)), np.float32),
                [("complaint",) if b else () for b in is_bad],
                [None] * len(texts),
            ),
            p_irony=nothing,
            p_political=nothing,
            services=[()] * len(texts),
            subtopics=[[] for _ in texts],
        )


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Suite:
    made = Said3(Judge(), Judge(), Judge())  # type: ignore[arg-type]
    monkeypatch.setattr(gold_commands.score, "load_suite", lambda **_: made)
    for module in (gold_commands, labels_cli):
        monkeypatch.setattr(module.out, "width", 200)
    return made


@pytest.fixture
def home(tmp_path: Path, suite: Suite) -> Path:
    """A home with 160 messages, half of which say that something is broken down."""
    (tmp_path / "vigie.toml").write_text(TOML + TOLD, encoding="utf-8")
    warehouse.prepare(labels_cli.house.house(tmp_path, environ={}).settings)
    with warehouse.opened(tmp_path) as connection:
        say(
            connection,
            [
                Said(
                    at=NOW - timedelta(minutes=n + 1),
                    text=f"L'ascenseur {n} est en panne" if n % 2 else f"La place {n} est ouverte",
                    topics=("T09",),
                )
                for n in range(160)
            ],
        )
    return tmp_path


def told(app: Any, *words: object) -> str:
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def refused(app: Any, *words: object) -> str:
    with pytest.raises(VigieError) as raised:
        CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    return str(raised.value)


def labelled(home: Path, *, wrong: int = 0, who: str = "Ada") -> None:
    """Every message that somebody is asked judged, the first `wrong` against the models."""
    with warehouse.opened(home) as connection:
        while row := labels.following(connection, who):
            text = labels.task(connection, row["task_id"], who)["text"]
            said = BAD if ("panne" in text) != (wrong > 0) else Answer(tone="neutral")
            labels.save(connection, row["task_id"], said, labeller=who, at=NOW)
            wrong -= 1


def test_a_draw_says_what_was_drawn_and_the_next_that_there_is_nothing_new(home: Path) -> None:
    said = told(labels_cli.labels_app, "draw", "--count", 100, "--home", home)
    assert "50 messages au sort, 50 où les modèles hésitent, 0 signalés, parmi 160 messages" in said
    again = told(labels_cli.labels_app, "draw", "--count", 100, "--seed", 1, "--home", home)
    assert "existe déjà" in again
    assert "draw again once a run" in refused(labels_cli.labels_app, "draw", "--home", home)


def test_agreement_is_told_in_the_institutions_language(home: Path) -> None:
    told(labels_cli.labels_app, "draw", "--count", 100, "--home", home)
    assert "0 réponses sur 120" in told(labels_cli.labels_app, "agreement", "--home", home)
    labelled(home)
    labelled(home, who="Bo", wrong=3)
    said = told(labels_cli.labels_app, "agreement", "--home", home)
    assert "Ton 20 85 %" in said
    assert "3 désaccords à trancher" in said


def test_the_gold_set_is_a_file_for_its_owner_alone(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    assert "no gold answer" in refused(labels_cli.labels_app, "export", path, "--home", home)
    told(labels_cli.labels_app, "draw", "--count", 20, "--home", home)
    labelled(home)
    assert "20 messages dans" in told(labels_cli.labels_app, "export", path, "--home", home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {row["label"] for row in rows} == {"negative", "neutral"}
    assert sum(row["estimate_weight"] for row in rows) == pytest.approx(160, abs=0.01)
    assert all("panne" in row["text"] for row in rows if row["topics"] == ["T09"])
    assert "ends in .jsonl" in refused(
        labels_cli.labels_app, "export", tmp_path / "g.xlsx", "--home", home
    )


def test_models_are_judged_on_the_gold_set_of_the_institution(home: Path) -> None:
    told(labels_cli.labels_app, "draw", "--count", 120, "--home", home)
    labelled(home, wrong=20)
    said = told(models_app, "evaluate", "--gold", "--home", home)
    assert "Gold set of Valmorin, judge-1+judge-1+judge-1" in said
    assert "120 messages judged, 60 drawn by chance and 60 chosen" in said
    assert "estimates for all messages of others" in said
    assert "Chosen because models doubt them" in said
    assert "tone accuracy 60 60" in said
    assert "topics F1 60" in said
    assert "acts recall 60" in said


def test_too_few_labels_are_told_with_the_next_step(home: Path) -> None:
    said = refused(models_app, "evaluate", "--home", home, "--gold")
    assert "no gold answer yet" in said
    assert "vigie labels draw" in said
    told(labels_cli.labels_app, "draw", "--count", 20, "--home", home)
    labelled(home)
    said = told(models_app, "evaluate", "--home", home, "--gold")
    assert "Too few gold answers drawn by chance for a figure: 10 of tone" in said
    assert "50 are needed. Next: draw messages with `vigie labels draw`" in said
    assert "estimates" not in said


def test_an_expired_text_is_judged_by_the_score_of_the_same_models(
    home: Path, suite: Suite
) -> None:
    told(labels_cli.labels_app, "draw", "--count", 120, "--home", home)
    labelled(home)
    here = lineage.scorer(suite.tone, suite.subject, suite.doing).scorer_id
    with warehouse.opened(home) as connection:
        connection.execute("update mention set text = '', text_expired_at = now()")
    said = judged(home)
    assert "0 messages judged" in said
    assert "120 left out" in said
    with warehouse.opened(home) as connection:
        connection.execute(
            "update score set scorer_id = $here, p_neutral = 0.05, p_positive = 0.05",
            {"here": here},
        )
    assert "120 messages judged" in judged(home)


def judged(home: Path) -> str:
    return told(models_app, "evaluate", "--home", home, "--gold")


def test_no_text_of_a_person_is_printed(home: Path) -> None:
    with warehouse.opened(home) as connection:
        say(connection, [Said(at=NOW, text=text) for text in SCRIPTS])
    told(labels_cli.labels_app, "draw", "--count", 200, "--home", home)
    labelled(home)
    said = told(models_app, "evaluate", "--gold", "--home", home)
    said += told(labels_cli.labels_app, "agreement", "--home", home)
    assert "script" not in said
    assert "ascenseur" not in said
