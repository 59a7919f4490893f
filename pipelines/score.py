"""Accepted mentions in, the same rows with tone, topics and lineage out; and any file of texts.

Models are read once, texts pass through in pieces, and each piece is read once for both models.
Scores hold no author: topics and people never meet in a file. Costs about 100 microseconds a
text on one core with the embedded models; memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models import lineage, sentiment, topics
from models.errors import TaxonomyError, WeightsError as Unusable
from models.language import detect
from models.lineage import Scorer
from models.reading import Batch
from models.sentiment import SentimentModel, Tones
from models.topics import Found, TopicsModel
from pipelines import textfile
from pipelines.aside import written_aside
from pipelines.errors import WeightsError
from pipelines.settings import Models

SCORE_SCHEMA = pa.schema(
    [
        pa.field("mention_id", pa.string(), nullable=False),
        pa.field("scorer_id", pa.string(), nullable=False),
        pa.field("text_hash", pa.string(), nullable=False),
        pa.field("lang", pa.string()),
        pa.field("p_negative", pa.float32()),
        pa.field("p_neutral", pa.float32()),
        pa.field("p_positive", pa.float32()),
        pa.field("sentiment", pa.string(), nullable=False),
        pa.field("sentiment_score", pa.float32()),
        pa.field("topics", pa.list_(pa.string()), nullable=False),
        pa.field("topic_p", pa.list_(pa.float32()), nullable=False),
        pa.field("scored_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
_READ = ("mention_id", "text_hash", "lang", "title", "text")
_ADDED = (
    *("p_negative", "p_neutral", "p_positive", "sentiment", "sentiment_score", "topics"),
    *(f"topic_p_{topic}" for topic in topics.LABELS),
    "model_id",
)

Progress = Callable[[int, int | None], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """How many rows were scored, and by what."""

    row_count: int
    scorer: Scorer


@dataclass(frozen=True, slots=True)
class _Pair:
    """The two models of a run and their lineage."""

    tone: SentimentModel
    subject: TopicsModel
    scorer: Scorer

    def read(self, texts: Sequence[str], langs: Sequence[str | None]) -> tuple[Tones, Found]:
        batch = Batch(texts, langs)
        return self.tone.score_batch(batch), self.subject.score_batch(batch)


def _pair(*, tone: str, subject: str) -> _Pair:
    try:
        loaded = sentiment.load(tone), topics.load(subject)
    except (Unusable, TaxonomyError) as error:
        raise WeightsError(str(error)) from error
    return _Pair(*loaded, lineage.scorer(*loaded))


def score(mentions: Path, out: Path, *, models: Models, scored_at: datetime) -> Scored:
    """Write the score of every mention of a Parquet file; how many, and who scored.

    The title of a press article is read with its text. A second call replaces the file.
    WeightsError when a model cannot be used.
    """
    pair = _pair(tone=models.sentiment, subject=models.topics)
    count = 0
    with written_aside(out) as aside, pq.ParquetWriter(aside, SCORE_SCHEMA) as writer:
        for piece in pq.ParquetFile(mentions).iter_batches(
            batch_size=textfile.ROWS, columns=list(_READ)
        ):
            writer.write_batch(_scores(piece.to_pydict(), pair, scored_at))
            count += piece.num_rows
    return Scored(row_count=count, scorer=pair.scorer)


def _scores(read: dict[str, list[Any]], pair: _Pair, scored_at: datetime) -> pa.RecordBatch:
    texts = [_whole(*both) for both in zip(read["title"], read["text"], strict=True)]
    tone, found = pair.read(texts, read["lang"])
    count = len(texts)
    columns = {
        "mention_id": read["mention_id"],
        "scorer_id": [pair.scorer.scorer_id] * count,
        "text_hash": read["text_hash"],
        "lang": read["lang"],
        **_tone_columns(tone),
        "topics": found.topics,
        "topic_p": _chances(found),
        "scored_at": [scored_at] * count,
    }
    arrays = [pa.array(columns[field.name], field.type) for field in SCORE_SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=SCORE_SCHEMA)


def _whole(title: str | None, text: str) -> str:
    return text if not title or text.startswith(title) else f"{title}. {text}"


def _tone_columns(tone: Tones) -> dict[str, Any]:
    chances = {
        f"p_{label}": _nullable(tone.probabilities[:, place])
        for place, label in enumerate(sentiment.LABELS)
    }
    return {**chances, "sentiment": tone.labels, "sentiment_score": _nullable(tone.scores)}


def _nullable(values: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(values, pa.float32(), from_pandas=True)


def _chances(found: Found) -> list[list[float]]:
    """Probabilities by row; an empty list where no model reads the text."""
    unknown = np.isnan(found.probabilities[:, 0])
    return [
        [] if is_unknown else row
        for is_unknown, row in zip(unknown, found.probabilities.tolist(), strict=True)
    ]


def score_file(
    source: Path,
    out: Path,
    *,
    model: str = "embedded",
    spreadsheet_safe: bool = False,
    progress: Progress | None = None,
) -> int:
    """Score a file with a column `text`; how many rows. The endings say CSV, JSONL or Parquet.

    Rows keep their order and columns; `lang` is respected where given and found where not.
    Added: p_negative, p_neutral, p_positive and sentiment_score (null where no model reads the
    text), sentiment, topics (JSON text in CSV), topic_p_T01 …, model_id. Texts are written as
    they were read: a spreadsheet may take one that begins with `=` for a formula, unless
    `spreadsheet_safe` puts a ' before it (CSV only). A model other than the embedded one judges
    tone; topics stay with the embedded one. `progress` gets the
    rows done and the rows in all (None when the form does not say). VigieError names what is
    wrong with the file; then nothing is written.
    """
    texts = textfile.opened(source, added=_ADDED)
    write = textfile.writer(out, spreadsheet_safe=spreadsheet_safe)
    pair = _pair(tone=model, subject="embedded")
    done = 0
    with written_aside(out) as aside, write(aside) as writer:
        for piece in texts.pieces:
            writer.write(_widened(piece, pair))
            done += piece.num_rows
            if progress:
                progress(done, texts.row_count)
    return done


def _widened(piece: pa.Table, pair: _Pair) -> pa.Table:
    """A piece with the columns that scoring adds."""
    texts = [text or "" for text in piece["text"].to_pylist()]
    given = piece["lang"].to_pylist() if "lang" in piece.column_names else [None] * len(texts)
    langs = _langs(texts, given)
    tone, found = pair.read(texts, langs)
    columns: dict[str, Any] = {
        "lang": pa.array(langs, pa.string()),
        **_tone_columns(tone),
        "topics": pa.array(found.topics, pa.list_(pa.string())),
    }
    for place, topic in enumerate(topics.LABELS):
        columns[f"topic_p_{topic}"] = _nullable(found.probabilities[:, place])
    columns["model_id"] = [f"{pair.tone.model_id}+{pair.subject.model_id}"] * len(texts)
    kept = piece.drop_columns(["lang"]) if "lang" in piece.column_names else piece
    for name, values in columns.items():
        kept = kept.append_column(name, values if isinstance(values, pa.Array) else [values])
    return kept


def _langs(texts: Sequence[str], given: Sequence[str | None]) -> list[str | None]:
    """The language of each row as given ("fr-FR" is "fr"), found where none is."""
    blank = [place for place, lang in enumerate(given) if not lang]
    langs = [str(lang).lower().replace("_", "-").split("-")[0] if lang else None for lang in given]
    for place, lang in zip(blank, detect([texts[i] for i in blank]), strict=True):
        langs[place] = lang
    return langs
