"""Accepted mentions in, the same rows with tone, topics and lineage out; and any file of texts.

Models are read once, texts pass through in pieces, and each piece is read once for all models.
Scores hold no author: topics and people never meet in a file. Costs about 90 microseconds a
text on one core with the embedded models; a long file is shared among processes, one a core.
Memory does not grow with the file.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from models import acts, lineage, sentiment, suite, topics
from models.errors import TaxonomyError, WeightsError as Unusable
from models.language import detect
from models.lineage import Scorer
from models.sentiment import Tones
from models.suite import Suite
from pipelines import textfile
from pipelines.aside import written_aside
from pipelines.errors import WeightsError

if TYPE_CHECKING:
    from pipelines.settings import Models  # costs a fifth of a second

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
        pa.field("subtopics", pa.list_(pa.string()), nullable=False),
        pa.field("acts", pa.list_(pa.string()), nullable=False),
        pa.field("act_p", pa.list_(pa.float32()), nullable=False),
        pa.field("risk", pa.string()),
        pa.field("p_irony", pa.float32()),
        pa.field("p_political", pa.float32()),
        pa.field("aspects", pa.list_(pa.string()), nullable=False),
        pa.field("scored_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
_READ = ("mention_id", "text_hash", "lang", "title", "text")
_ADDED = (
    *("p_negative", "p_neutral", "p_positive", "sentiment", "sentiment_score"),
    *("p_irony", "p_political", "topics"),
    *(f"topic_p_{topic}" for topic in topics.LABELS),
    "acts",
    *(f"act_p_{act}" for act in acts.ACTS),
    *("risk", "aspects", "model_id"),
)

_LISTS = ("topics", "acts", "aspects")

Progress = Callable[[int, int | None], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """How many rows were scored, and by what."""

    row_count: int
    scorer: Scorer


def _suite(*, tone: str, subject: str = "embedded") -> Suite:
    try:
        return suite.load(tone=tone, subject=subject)
    except (Unusable, TaxonomyError) as error:
        raise WeightsError(str(error)) from error


def score(mentions: Path, out: Path, *, models: Models, scored_at: datetime) -> Scored:
    """Write the score of every mention of a Parquet file; how many, and who scored.

    The title of a press article is read with its text. A second call replaces the file.
    WeightsError when a model cannot be used.
    """
    own = _suite(tone=models.sentiment, subject=models.topics)
    scorer = lineage.scorer(own.tone, own.subject, own.doing)
    count = 0
    with written_aside(out) as aside, pq.ParquetWriter(aside, SCORE_SCHEMA) as writer:
        for piece in pq.ParquetFile(mentions).iter_batches(
            batch_size=textfile.ROWS, columns=list(_READ)
        ):
            writer.write_batch(_scores(piece.to_pydict(), own, scorer.scorer_id, scored_at))
            count += piece.num_rows
    return Scored(row_count=count, scorer=scorer)


def _scores(
    read: dict[str, list[Any]], own: Suite, scorer_id: str, scored_at: datetime
) -> pa.RecordBatch:
    texts = [_whole(*both) for both in zip(read["title"], read["text"], strict=True)]
    said = own.score(texts, read["lang"])
    count = len(texts)
    columns = {
        "mention_id": read["mention_id"],
        "scorer_id": [scorer_id] * count,
        "text_hash": read["text_hash"],
        "lang": read["lang"],
        **_tone_columns(said.tone),
        "topics": said.found.topics,
        "topic_p": _chances(said.found.probabilities),
        "subtopics": said.subtopics,
        "acts": said.done.acts,
        "act_p": _chances(said.done.probabilities),
        "risk": said.done.risks,
        "p_irony": _nullable(said.p_irony),
        "p_political": _nullable(said.p_political),
        "aspects": said.services,
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


def _chances(chances: np.ndarray[Any, Any]) -> list[list[float]]:
    """Probabilities by row; an empty list where no model reads the text."""
    unknown = np.isnan(chances[:, 0])
    return [
        [] if is_unknown else row for is_unknown, row in zip(unknown, chances.tolist(), strict=True)
    ]


def score_file(
    source: Path,
    out: Path,
    *,
    model: str = "embedded",
    spreadsheet_safe: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Score a file with a column `text`; how many rows. The endings say CSV, JSONL or Parquet.

    Rows keep their order and columns; `lang` is respected where given and found where not. What
    is added stands in `docs/models.md`: numbers are null where no model reads the text, lists
    (topics, acts, aspects) are JSON text in CSV. Texts are written as
    they were read: a spreadsheet may take one that begins with `=` for a formula, unless
    `spreadsheet_safe` puts a ' before it (CSV only). A model other than the embedded one judges
    tone; the rest stays with the embedded ones. A file of several pieces is shared among
    `workers` processes, one a core unless said. `progress` gets the rows done and the rows in all
    (None when the form does not say). VigieError names what is wrong with the file; then nothing
    is written.
    """
    texts = textfile.opened(source, added=_ADDED)
    write = textfile.writer(out, spreadsheet_safe=spreadsheet_safe)
    own = _suite(tone=model)
    done = 0
    with written_aside(out) as aside, write(aside) as writer:
        for piece in _widened(texts.pieces, own, model=model, workers=workers):
            writer.write(piece)
            done += piece.num_rows
            if progress:
                progress(done, texts.row_count)
    return done


def _widened(
    pieces: Iterator[pa.Table], own: Suite, *, model: str, workers: int | None
) -> Iterator[pa.Table]:
    """Each piece with the columns that scoring adds, in order; processes start with the second."""
    count = workers or len(os.sched_getaffinity(0))
    first = next(pieces)
    second = next(pieces, None)
    every = chain([first], [] if second is None else [second], pieces)
    if second is None or count < 2 or model != "embedded":  # a checkpoint uses every core itself
        yield from (_with_scores(each, own) for each in every)
    else:
        yield from _shared(every, count, model)


def _shared(pieces: Iterator[pa.Table], count: int, model: str) -> Iterator[pa.Table]:
    """As `_widened`, by processes; at most one piece more than processes waits in memory."""
    waiting: deque[Future[pa.Table]] = deque()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _begin, (model,)) as pool:
        for piece in pieces:
            waiting.append(pool.submit(_in_process, piece))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_OWN: list[Suite] = []  # of a worker process, read once when it starts


def _begin(model: str) -> None:
    """Read the models in a worker, which keeps to one core."""
    threadpool_limits(1)
    _OWN.append(_suite(tone=model))


def _in_process(piece: pa.Table) -> pa.Table:
    return _with_scores(piece, _OWN[0])


def _with_scores(piece: pa.Table, own: Suite) -> pa.Table:
    """A piece with the columns that scoring adds."""
    texts = [text or "" for text in piece["text"].to_pylist()]
    given = piece["lang"].to_pylist() if "lang" in piece.column_names else [None] * len(texts)
    langs = _langs(texts, given)
    said = own.score(texts, langs)
    columns: dict[str, Any] = {
        "lang": pa.array(langs, pa.string()),
        **_tone_columns(said.tone),
        "p_irony": _nullable(said.p_irony),
        "p_political": _nullable(said.p_political),
        "topics": said.found.topics,
    }
    for place, topic in enumerate(topics.LABELS):
        columns[f"topic_p_{topic}"] = _nullable(said.found.probabilities[:, place])
    columns["acts"] = said.done.acts
    for place, act in enumerate(acts.ACTS):
        columns[f"act_p_{act}"] = _nullable(said.done.probabilities[:, place])
    columns |= {
        "risk": said.done.risks,
        "aspects": said.services,
        "model_id": [own.model_id] * len(texts),
    }
    kept = piece.drop_columns(["lang"]) if "lang" in piece.column_names else piece
    for name, values in columns.items():
        kept = kept.append_column(name, pa.chunked_array([_array(name, values)]))
    return kept


def _array(name: str, values: Any) -> pa.Array:
    if isinstance(values, pa.Array):
        return values
    return pa.array(values, pa.list_(pa.string()) if name in _LISTS else pa.string())


def _langs(texts: Sequence[str], given: Sequence[str | None]) -> list[str | None]:
    """The language of each row as given ("fr-FR" is "fr"), found where none is."""
    blank = [place for place, lang in enumerate(given) if not lang]
    langs = [str(lang).lower().replace("_", "-").split("-")[0] if lang else None for lang in given]
    for place, lang in zip(blank, detect([texts[i] for i in blank]), strict=True):
        langs[place] = lang
    return langs
