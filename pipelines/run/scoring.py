"""Mentions of a run to scores."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from models.lineage import Scorer
from pipelines.house import House as House, house as house
from pipelines.run.names import staging, until_of, write_json

log = logging.getLogger(__name__)


def score(house: House, run: str) -> int:
    """Score the accepted mentions of a run; how many. CPU only, no network."""
    return score_at(house, run, at=until_of(run))


def score_at(house: House, run: str, *, at: datetime) -> int:
    from pipelines import score as scoring

    folder = staging(house.home, run)
    mentions, scores = folder / "mentions.parquet", folder / "scores.parquet"
    models = house.settings.models.at(house.home)
    scored = scoring.score(mentions, scores, models=models, scored_at=at)
    write_json(folder / "scorer.json", asdict(scored.scorer))
    log.info("mentions.scored run=%s count=%d", run, scored.row_count)
    return scored.row_count


def scorer(folder: Path) -> Scorer:
    return Scorer(**json.loads((folder / "scorer.json").read_text()))
