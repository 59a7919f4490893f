"""Measures the models and writes the figures into their cards: `python -m models.evaluate`.

Tone is measured on texts that the judging head had not seen: five folds on the sets that teach,
and the shipped weights on a set that never does. Topics are measured on invented sentences kept
apart and on questions to the government by their official heading. Intervals are percentiles of
1,000 bootstrap samples of the texts. Takes about as long as training sentiment.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models import datasets, language, sentiment, topics, train
from models.calibrate import calibration_error, softmax
from models.taxonomy import LANGUAGES, taxonomy

log = logging.getLogger(__name__)

CARDS = Path(__file__).parent / "cards"
_SAMPLES = 1_000
_BEGIN, _END = "<!-- figures: written by models.evaluate -->", "<!-- end of figures -->"
_READ_CHARS = 400  # of a written question: its first sentences, nearer to a post

# The headings of written questions that correspond to one topic, or nearly.
QUESTIONS = {
    "T01": ("economie_fiscalite",),
    "T03": ("social_travail",),
    "T06": ("sante",),
    "T07": ("education_formation",),
    "T08": ("logement_urbanisme",),
    "T09": ("transports",),
    "T10": ("environnement_energie", "agriculture_alimentation"),
    "T11": ("securite_justice",),
    "T13": ("immigration_discriminations",),
    "T18": ("international_defense",),
    "T19": ("culture_sport_medias",),
}

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a card: a line that says what it shows, headings, rows."""

    caption: str
    heads: Row
    rows: tuple[Row, ...]

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.heads, tuple("---" for _ in self.heads), *self.rows]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{self.caption}\n\n{body}\n"


def macro_f1(truth: NDArray[Any], said: NDArray[Any]) -> float:
    """Mean F1 of the classes that occur in `truth`, in 0..1."""
    scores = []
    for place in np.unique(truth):
        right = np.sum((truth == place) & (said == place))
        either = np.sum(truth == place) + np.sum(said == place)
        scores.append(2.0 * right / either)
    return float(np.mean(scores))


def interval(
    measure: Callable[[NDArray[Any], NDArray[Any]], float],
    truth: NDArray[Any],
    said: NDArray[Any],
    *,
    seed: int = train.SEED,
) -> tuple[float, float]:
    """The 2.5th and 97.5th percentiles of a measure over bootstrap samples."""
    random = np.random.default_rng(seed)
    draws = (random.integers(0, len(truth), len(truth)) for _ in range(_SAMPLES))
    values = [measure(truth[draw], said[draw]) for draw in draws]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def tone_row(name: str, lang: str, truth: NDArray[Any], chances: NDArray[Any]) -> Row:
    """One line of the tone table."""
    said, sure = chances.argmax(axis=1), chances.max(axis=1)
    low, high = interval(macro_f1, truth, said)
    is_kept = sure >= sentiment.ABSTAIN_UNDER
    kept = macro_f1(truth[is_kept], said[is_kept])
    return (
        name,
        lang,
        str(len(truth)),
        f"{100 * macro_f1(truth, said):.1f}",
        f"{100 * low:.1f} to {100 * high:.1f}",
        f"{100 * kept:.1f}",
        f"{100 * (1 - is_kept.mean()):.1f} %",
        f"{100 * calibration_error(sure, said == truth):.1f}",
    )


def tone_table(folder: Path) -> Table:
    """Macro-F1 by set and language, with interval, abstention and calibration error."""
    rows: list[Row] = []
    for lang in train.LANGUAGES:
        rows += _crossed(train.train_tone(folder, lang=lang), lang)
    rows += _never_taught(folder)
    heads = (
        "Set", "Language", "Texts", "Macro-F1", "95 % interval", "Macro-F1 when it answers",
        "Abstains", "Calibration error",
    )  # fmt: skip
    return Table(
        "Tone, five folds unless said otherwise. All in points of 100.", heads, tuple(rows)
    )


def _crossed(trained: train.Tone, lang: str) -> Iterator[Row]:
    chances = softmax(trained.held_logits / trained.temperature)
    origins = np.array(trained.data.origins)
    for name in dict.fromkeys(trained.data.origins):
        is_own = origins == name
        yield tone_row(name, lang, trained.data.classes[is_own], chances[is_own])


def _never_taught(folder: Path) -> Iterator[Row]:
    model = sentiment.load()
    for source in datasets.SENTIMENT:
        if not source.may_train:
            data = datasets.sentiment(folder, lang="fr", sources=[source])
            chances = model.score(data.texts, ["fr"] * len(data.texts)).probabilities
            known = ~np.isnan(chances).any(axis=1)
            name = f"{source.file} (never taught)"
            yield tone_row(name, "fr", data.classes[known], chances[known])


def topic_table(*, lang: str) -> Table:
    """Precision, recall and F1 by topic on the sentences kept apart, at the topics' thresholds."""
    sentences = train.judged(lang=lang, use="held_out")
    found = topics.load().score(sentences.texts, [lang] * len(sentences.texts))
    said = np.array([[topic in own for topic in topics.LABELS] for own in found.topics])
    rows, counts = [], np.zeros(3, int)
    for place, topic in enumerate(taxonomy()):
        judges = sentences.judges[:, place]
        own = _counted(sentences.is_of[judges, place], said[judges, place])
        counts += own
        rows.append((f"{topic.id} {topic.label_fr}", *_rates(own)))
    return Table(
        f"Topics, sentences kept apart ({lang}), {len(sentences.texts)} in all.",
        ("Topic", "Of it", "Named", "Precision", "Recall", "F1"),
        (*rows, ("all", *_rates(counts))),
    )


def question_table(folder: Path) -> Table:
    """How well topics find written questions by their one official heading."""
    table = pq.read_table(folder / "topic_qe_fr.parquet", columns=["text", "label"])
    texts = [text[:_READ_CHARS] for text in table.column("text").to_pylist()]
    headings = np.array(table.column("label").to_pylist())
    found = topics.load().score(texts, ["fr"] * len(texts))
    rows, counts = [], np.zeros(3, int)
    for topic, own in QUESTIONS.items():
        said = np.array([topic in each for each in found.topics])
        is_of = np.isin(headings, own)
        counts += _counted(is_of, said)
        chance = found.probabilities[:, topics.LABELS.index(topic)]
        ranked = f"{100 * ranking(is_of, chance):.1f}"
        rows.append((topic, ", ".join(own), *_rates(_counted(is_of, said)), ranked))
    return Table(
        "Topics on written questions to the government (first 400 characters), one heading each: "
        "a question that is of two topics counts as an error for the second.",
        ("Topic", "Heading", "Of it", "Named", "Precision", "Recall", "F1", "Ranking (AUC)"),
        (*rows, ("all", "", *_rates(counts), "")),
    )


def ranking(is_of: NDArray[np.bool_], chances: NDArray[Any]) -> float:
    """The chance that a text of the topic is ranked over one that is not (AUC)."""
    places = np.argsort(np.argsort(chances, kind="stable"), kind="stable") + 1
    yes = int(is_of.sum())
    return float((places[is_of].sum() - yes * (yes + 1) / 2) / (yes * (len(is_of) - yes)))


def _counted(is_of: NDArray[np.bool_], said: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many are of the topic, are named, and are both."""
    return np.array([is_of.sum(), said.sum(), (is_of & said).sum()], np.int64)


def _rates(counts: NDArray[np.int64]) -> Row:
    of_it, named, both = (int(count) for count in counts)
    precision, recall = both / max(named, 1), both / max(of_it, 1)
    f1 = 2 * both / max(of_it + named, 1)
    return (str(of_it), str(named), *(f"{100 * value:.1f}" for value in (precision, recall, f1)))


def language_table(folder: Path) -> Table:
    """How often the language of tweets is right, undetermined or wrong, whole and cut short."""
    table = pq.read_table(folder / "sent_umsab.parquet", columns=["text", "lang"])
    texts, langs = table.column("text").to_pylist(), np.array(table.column("lang").to_pylist())
    rows: list[Row] = []
    for words in (None, 8, 4):
        said = np.array([lang or "" for lang in language.detect([_cut(t, words) for t in texts])])
        for lang in language.LANGUAGES:
            own = said[langs == lang]
            shares = (own == lang, own == "", (own != lang) & (own != ""))
            size = "whole" if words is None else f"{words} words"
            rows.append(
                (size, lang, str(len(own)), *(f"{100 * share.mean():.1f}" for share in shares))
            )
    heads = ("Read", "Language", "Texts", "Right", "Undetermined", "Wrong")
    return Table("Tweets of UMSAB; some of its German tweets are in English.", heads, tuple(rows))


def _cut(text: str, words: int | None) -> str:
    said = [word for word in text.split() if not word.startswith(("@", "http"))]
    return text if words is None else " ".join(said[:words])


def training_table(task: str) -> Table:
    """What a file of weights says that it learnt from."""
    module: Any = {sentiment.TASK: sentiment, topics.TASK: topics}[task]
    model = module.load()
    stated = model.description
    rows = tuple((t.name, str(t.rows), t.licence, str(t.weight)) for t in stated.training)
    facts = json.dumps(stated.calibration, sort_keys=True) if task == sentiment.TASK else ""
    caption = (
        f"`{model.model_id}`, seed {stated.seed}, SHA-256 `{model.weights_sha256}`. {facts}"
    ).strip()
    return Table(caption, ("Set", "Texts", "Licence", "Weight"), rows)


def write_card(name: str, tables: Iterable[Table]) -> None:
    """Put tables between the marks of `cards/<name>.md`; what stands around them is kept."""
    path = CARDS / f"{name}.md"
    text = path.read_text(encoding="utf-8") if path.exists() else f"# {name}\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    body = "\n".join(table.markdown() for table in tables)
    path.write_text(f"{before}{_BEGIN}\n\n{body}\n{_END}{after}", encoding="utf-8")
    log.info("models.card_written name=%s\n%s", name, body)


def _cards(folder: Path) -> dict[str, Callable[[], list[Table]]]:
    return {
        "language": lambda: [language_table(folder)],
        "topics": lambda: [
            training_table(topics.TASK),
            *(topic_table(lang=lang) for lang in LANGUAGES),
            question_table(folder),
        ],
        "sentiment": lambda: [training_table(sentiment.TASK), tone_table(folder)],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for and write the cards."""
    parser = argparse.ArgumentParser(prog="python -m models.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled texts")
    parser.add_argument("--only", choices=["language", "sentiment", "topics"])
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name, tables in _cards(asked.data).items():
        if asked.only in (None, name):
            write_card(name, tables())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
