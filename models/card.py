"""Writes the figures of the shipped models into their cards: `vigie models card --data DIR`.

Figures of sets that teach come from models of five folds that had not seen the text (training
leaves them in its folder of work); sets that never teach are judged by the shipped weights. The
prose around the figures in `models/cards/*.md` is kept.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models import (
    acts,
    datasets,
    evaluate,
    explain,
    heads,
    neutrality,
    posts,
    sentiment,
    suite,
    topics,
)
from models.checkpoint import Description
from models.evaluate import (
    BINARY_HEADS,
    TONE_HEADS,
    Table,
    binary_row,
    confusion,
    judgement,
    risk_coverage,
    tone_row,
)
from models.reading import Batch
from models.suite import Suite
from models.taxonomy import LANGUAGES, taxonomy

_NEVER_TONE = {
    "sent_airline_en": ("en", "non-commercial"),
    "sent_allocine_fr": ("fr", "series, no licence"),
}
_NEVER_ABUSE = {"abuse_cyberado_fr": "fr", "abuse_olid_en": "en", "abuse_hateval_en": "en"}
_MOST = 3_000  # texts of a set that never teaches
_WORST = 8

Floats = NDArray[Any]


def write(data: Path, work: Path) -> list[str]:
    """Write every card; their names."""
    own = suite.load()
    made: dict[str, Callable[[], list[Table]]] = {
        "sentiment": lambda: list(_sentiment(data, work, own)),
        "acts": lambda: list(_acts(data, work, own)),
        "topics": lambda: list(_topics(data, work, own)),
        "neutrality": lambda: list(_neutrality(own)),
        "language": lambda: [evaluate.language_table(data)],
    }
    for name, tables in made.items():
        evaluate.write_card(name, tables())
    return list(made)


def training_table(description: Description, sha256: str) -> Table:
    """What a file of weights says that it learnt from."""
    rows = tuple((t.name, str(t.rows), t.licence, str(t.weight)) for t in description.training)
    chosen = {
        lang: {key: value for key, value in own.items() if not key.startswith("soft_")}
        for lang, own in description.calibration.items()
    }
    facts = json.dumps(chosen, sort_keys=True) if chosen else ""
    name = f"`{description.model_id}-{description.version}`, seed {description.seed}"
    caption = f"{name}, SHA-256 `{sha256}`. {facts}".strip()
    return Table(caption, ("Set", "Texts", "Licence", "Weight"), rows)


def _sentiment(data: Path, work: Path, own: Suite) -> Iterator[Table]:
    model = sentiment.load()
    assert isinstance(model, sentiment.Embedded)  # noqa: S101
    yield training_table(model.description, model.weights_sha256)
    kept = {path.stem: np.load(path) for path in sorted(work.glob("tone-*.npz"))}
    rows = [row for name, each in kept.items() for row in _held_rows(name, each, model)]
    rows += [
        row
        for file, (lang, why) in _NEVER_TONE.items()
        for row in _never(data, file, lang, why, own)
    ]
    yield Table("Tone, five folds unless said otherwise; points of 100.", TONE_HEADS, tuple(rows))
    for name, title in (("tone-fr-service", "public services"), ("tone-fr-tweet", "French tweets")):
        if name in kept:
            truth, chances = kept[name]["classes"], kept[name]["chances"]
            yield confusion(truth, chances.argmax(axis=1), caption=f"Confusion, {title}.")
            yield risk_coverage(truth, chances, caption=f"Risk and coverage, {title}.")
            yield _worst(kept[name], title)
    yield director_table(own)


def _held_rows(name: str, each: Any, model: sentiment.Embedded) -> Iterator[evaluate.Row]:
    lang = name.split("-")[1]
    for origin in dict.fromkeys(each["origins"].tolist()):
        is_own = each["origins"] == origin
        if is_own.sum() >= 100 and "(invented)" not in origin:
            found = judgement(
                each["classes"][is_own],
                each["chances"][is_own],
                threshold=model.thresholds[f"abstain_under.{lang}"],
            )
            yield tone_row(origin, lang, found)


def _never(data: Path, file: str, lang: str, why: str, own: Suite) -> Iterator[evaluate.Row]:
    rows = pq.read_table(data / f"{file}.parquet").to_pylist()
    if file == "sent_allocine_fr":
        rows = [row for row in rows if row["source"] == "allocine_series"]
    rows = [row for row in rows if row["label"] in sentiment.LABELS][:_MOST]
    found = own.tone.score([row["text"] for row in rows], [lang] * len(rows)).probabilities
    truth = np.array([sentiment.LABELS.index(row["label"]) for row in rows])
    known = ~np.isnan(found).any(axis=1)
    limit = own.tone.thresholds[f"abstain_under.{lang}"]
    name = f"{file} (never taught: {why})"
    yield tone_row(name, lang, judgement(truth[known], found[known], threshold=limit))


def _worst(each: Any, title: str) -> Table:
    """The texts whose right label was thought least likely, without their words.

    Texts of people stay out of the repository: their key finds them in the folder of data.
    """
    truth, chances = each["classes"], each["chances"]
    right = chances[np.arange(len(truth)), truth]
    rows = tuple(
        (
            datasets.key(str(each["texts"][i])),
            sentiment.LABELS[truth[i]],
            sentiment.LABELS[int(chances[i].argmax())],
            f"{chances[i].max():.2f}",
        )
        for i in np.argsort(right)[:_WORST]
    )
    heads_ = ("Text (key)", "People said", "The model said", "with a probability of")
    return Table(f"Worst errors, {title}.", heads_, rows)


def director_table(own: Suite) -> Table:
    """Sixty sentences with what the models say and the words that moved the tone."""
    cases = _probe("director")["sentence"]
    texts, langs = [case["text"] for case in cases], [case["lang"] for case in cases]
    said = own.score(texts, langs)
    rows = []
    for place, case in enumerate(cases):
        chances = said.tone.probabilities[place]
        right = said.tone.labels[place] == case["tone"]
        rows.append(
            (
                _plain(case["text"]),
                case["why"],
                case["tone"],
                said.tone.labels[place] + ("" if right else " ✗"),
                " ".join(f"{100 * chance:.0f}" for chance in np.nan_to_num(chances)),
                ", ".join((*said.found.topics[place], *said.done.acts[place])),
                _moving(own, case["text"], case["lang"], chances),
            )
        )
    right_count = sum(
        label == case["tone"] for label, case in zip(said.tone.labels, cases, strict=True)
    )
    return Table(
        f"Sixty sentences for a director, invented; right tone: {right_count} of {len(cases)}. "
        "The language was given. "
        "Probabilities of negative, neutral, positive in points of 100; ✗ marks an error; the last "
        "column is what each word adds to the likeliest tone.",
        ("Sentence", "Why", "Tone", "Said", "N Z P", "Topics, acts", "Words that moved it"),
        tuple(rows),
    )


def _moving(own: Suite, text: str, lang: str, chances: Floats) -> str:
    if np.isnan(chances).any():
        return ""
    place = int(chances.argmax())

    def score(texts: Sequence[str]) -> NDArray[np.float32]:
        return own.tone.score(texts, [lang] * len(texts)).probabilities[:, place]

    top = explain.strongest(explain.effects(text, score), count=3)
    return ", ".join(f"{_plain(each.word)} {100 * each.effect:+.0f}" for each in top)


def _plain(text: str) -> str:
    """A text on one line of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def _probe(name: str) -> dict[str, Any]:
    return tomllib.loads((files("models") / "probes" / f"{name}.toml").read_text(encoding="utf-8"))


def _acts(data: Path, work: Path, own: Suite) -> Iterator[Table]:
    yield training_table(own.doing.description, own.doing.weights_sha256)
    rows = []
    for path in sorted(work.glob("abuse-*.npz")):
        each = np.load(path)
        rows.append(binary_row(path.stem, each["classes"], each["chances"], 0.5))
    for file, lang in _NEVER_ABUSE.items():
        table = pq.read_table(data / f"{file}.parquet").to_pylist()[:_MOST]
        found = own.doing.score([r["text"] for r in table], [lang] * len(table)).probabilities
        truth = np.array([int(r["label"] == "abusive") for r in table])
        rows.append(binary_row(f"{file} (never taught)", truth, np.nan_to_num(found[:, -1]), 0.5))
    yield Table("Abuse, five folds unless said otherwise.", BINARY_HEADS, tuple(rows))
    yield _behaviour(own)
    held = np.load(work / "heads-fr.npz")
    post = held["is_post"]
    names = ("political", "irony", *(f"acts/{act}" for act in acts.ACTS))
    limits = {f"acts/{act}": limit for act, limit in own.doing.thresholds.items()}
    places = heads.columns_of(names)
    lines = tuple(
        binary_row(
            name,
            held["truth"][post, i].astype(int),
            held["chances"][post, i],
            limits.get(name, 0.5),
        )
        for name, i in zip(names, places, strict=True)
    )
    yield Table("Acts, political, irony: posts read for Vigie, five folds.", BINARY_HEADS, lines)
    services = [name for name in heads.wanted() if name.startswith("aspects/")]
    lines = tuple(
        binary_row(name, held["truth"][post, i].astype(int), held["chances"][post, i], 0.5)
        for name, i in zip(services, heads.columns_of(services), strict=True)
        if held["truth"][post, i].sum() >= 5
    )
    yield Table("Services: the same posts, five folds.", BINARY_HEADS, lines)


def _behaviour(own: Suite) -> Table:
    """Abuse and what only looks so, by kind of case (invented, never taught)."""
    cases = [case for case in _probe("behaviour")["case"] if "abuse" in case]
    texts = [case["text"] for case in cases]
    found = own.doing.score(texts, [case["lang"] for case in cases]).acts
    kinds: dict[str, list[bool]] = {}
    for case, said in zip(cases, found, strict=True):
        kinds.setdefault(case["kind"], []).append(("abuse" in said) == case["abuse"])
    rows = tuple((kind, str(len(own)), str(sum(own))) for kind, own in sorted(kinds.items()))
    return Table("Cases of abuse and its look-alikes (invented).", ("Kind", "Cases", "Right"), rows)


def _topics(data: Path, work: Path, own: Suite) -> Iterator[Table]:
    weights = heads.read_weights()
    yield training_table(weights.description, weights.sha256)
    held = np.load(work / "heads-fr.npz")
    post = held["is_post"]
    yield topic_posts(
        held["truth"][post, : len(topics.LABELS)],
        held["chances"][post, : len(topics.LABELS)],
        caption="Topics on posts read for Vigie, five folds.",
    )
    unseen = [each for each in posts.posts(data) if not each.may_train]
    found = own.subject.score([each.text for each in unseen], ["fr"] * len(unseen)).probabilities
    truth = np.array([[topic in each.topics for topic in topics.LABELS] for each in unseen])
    yield topic_posts(
        truth.astype(float),
        np.nan_to_num(found),
        caption="The same on trending tweets of 2017 that never teach (no licence stated): "
        "away from home.",
    )
    yield _political(unseen)
    yield from (evaluate.topic_table(lang=lang) for lang in LANGUAGES)
    yield evaluate.question_table(data)
    yield from reception_tables(own)


def reception_tables(own: Suite) -> Iterator[Table]:
    """Immigration and its look-alikes (`models/probes/reception.toml`) by kind; each error."""
    cases = _probe("reception")["sentence"]
    place = topics.LABELS.index("T13")
    found = own.subject.score([case["text"] for case in cases], ["fr"] * len(cases))
    kinds: dict[tuple[str, bool], list[bool]] = {}
    errors: list[evaluate.Row] = []
    for case, said, chances in zip(cases, found.topics, found.probabilities, strict=True):
        is_of, is_named = "T13" in case["topics"], "T13" in said
        kinds.setdefault((case["why"], is_of), []).append(is_named)
        if is_of != is_named:
            row = (_plain(case["text"]), "yes" if is_of else "no", f"{chances[place]:.2f}")
            errors.append(row)
    yield Table(
        "T13 and its look-alikes (invented, never taught): who is evacuated, sheltered, received.",
        ("Kind", "Of T13", "Sentences", "Named T13"),
        tuple(
            (why, "yes" if is_of else "no", str(len(named)), str(sum(named)))
            for (why, is_of), named in kinds.items()
        ),
    )
    yield Table("Errors among these.", ("Sentence", "Of T13", "Probability"), tuple(errors))


def topic_posts(truth: Floats, chances: Floats, *, caption: str) -> Table:
    """Precision, recall, F1 and ranking by topic, and the mean F1 of topics with five posts."""
    limits = topics.thresholds()
    rows: list[evaluate.Row] = []
    means: list[float] = []
    for place, topic in enumerate(taxonomy()):
        is_of = truth[:, place] == 1
        said = chances[:, place] >= limits[topic.id]
        counts = evaluate.counted(is_of, said)
        ranked = evaluate.ranking(is_of, chances[:, place]) if is_of.any() else float("nan")
        rows.append(
            (f"{topic.id} {topic.label_fr}", *evaluate.rates(counts), f"{100 * ranked:.1f}")
        )
        if is_of.sum() >= 5:
            means.append(2 * counts[2] / max(1, counts[0] + counts[1]))
    rows.append(("mean of topics with 5 posts", "", "", "", "", f"{100 * np.mean(means):.1f}", ""))
    heads_ = ("Topic", "Of it", "Named", "Precision", "Recall", "F1", "Ranking (AUC)")
    return Table(caption, heads_, tuple(rows))


def _political(unseen: Sequence[posts.Post]) -> Table:
    batch = Batch([each.text for each in unseen], ["fr"] * len(unseen))
    chances = batch.chances[:, heads.columns_of(["political"])[0]]
    truth = np.array([int(each.is_political) for each in unseen])
    row = binary_row("political", truth, np.nan_to_num(chances), 0.5)
    return Table("Political or not, on the tweets that never teach.", BINARY_HEADS, (row,))


def _neutrality(own: Suite) -> Iterator[Table]:
    def score(texts: Sequence[str], langs: Sequence[str | None]) -> dict[str, Floats]:
        said = own.score(texts, langs)
        return {
            "p_negative": said.tone.probabilities[:, 0],
            "p_positive": said.tone.probabilities[:, 2],
            "p_political": said.p_political,
            "act_p_abuse": said.done.probabilities[:, -1],
        }

    found = neutrality.shifts(score)
    for line in (neutrality.table(found),):
        yield Table(line, ("Tolerance of p_negative",), ((str(neutrality.tolerance()),),))
