from dataclasses import dataclass, field, fields

import pytest

from models import lexicons, sentiment, topics
from models.lineage import Scorer, code_version, scorer


@dataclass(frozen=True)
class Model:
    model_id: str = "m-1"
    weights_sha256: str = "ab" * 32
    thresholds: dict[str, float] = field(default_factory=lambda: {"abstain_under": 0.4})


def test_the_same_models_have_the_same_scorer() -> None:
    assert scorer(Model(), Model(), Model()) == scorer(Model(), Model(), Model())


def test_whatever_differs_makes_another_scorer() -> None:
    others = [Model(model_id="m-2"), Model(weights_sha256="cd" * 32), Model(thresholds={"x": 0.5})]
    made = [scorer(one, Model(), Model()) for one in [Model(), *others]]
    made += [scorer(Model(), one, Model()) for one in others]
    made += [scorer(Model(), Model(), one) for one in others]
    assert len({each.scorer_id for each in made}) == len(made)


def test_a_scorer_names_the_code() -> None:
    assert scorer(Model(), Model(), Model()).code_version == code_version()
    assert "first_used_at" not in {each.name for each in fields(Scorer)}


def test_terms_read_otherwise_make_another_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    tone, subject = sentiment.load(), topics.load()
    before = scorer(tone, subject, Model())
    monkeypatch.setattr(lexicons, "digest", lambda: "ef" * 32)
    assert scorer(tone, subject, Model()).scorer_id != before.scorer_id
