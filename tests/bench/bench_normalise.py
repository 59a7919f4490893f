"""How fast posts become accepted mentions on one core, step by step:

    python -m tests.bench.bench_normalise [--rows 20000]

Texts are invented from the town's phrases, padded to about 240 characters with words of a large
vocabulary; a third are HTML, four fifths name a subject, a fifth hold a handle or a number.
Figures are of processor time, best of three, so that a busy machine disturbs them little.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from models import language
from pipelines import plaintext, privacy
from pipelines.accept import accept
from pipelines.mention import MENTION_SCHEMA, Mention, Post, to_table
from pipelines.normalise import normalise
from pipelines.places import finder
from pipelines.settings import Institution, Settings, SourceBlock, Subject
from pipelines.sources import Manifest
from pipelines.subjects import matcher
from tests.pipelines.test_subjects import LABELLED, TOWN_WORDS

SEEN_AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
PLACES = (
    "à Valbrume.", "La mairie de Valbrume ne répond plus.", "#Valbrume @VilleDeValbrume",
    "Le tram de Brume, @camille_d, appelle le 06 12 34 56 78 avant 18h30.", "Rien de neuf, hélas.",
)  # fmt: skip
PHRASES = (
    "Le tram est encore en panne ce matin,", "merci aux agents de la voirie,", "quelle honte,",
    "les poubelles débordent depuis lundi,", "la piscine rouvre enfin,", "where is the bus?",
)  # fmt: skip
SETTINGS = Settings(
    home=Path("/nowhere"),
    institution=Institution(
        id="ville", name="Ville de Valbrume", kind="commune", handles=("@VilleDeValbrume",),
        legal_basis="délibération",
    ),
    subjects=(
        Subject(
            id="ville", label="Ville", purpose="répondre aux habitants",
            names=("mairie de Valbrume",), ambiguous=("Valbrume", "Brume"), context=TOWN_WORDS,
            exclude=("FC Valbrume",), hashtags=("Valbrume",),
        ),
        Subject(
            id="tram", label="Tram", purpose="répondre aux voyageurs", names=("tram de Brume",)
        ),
    ),
)  # fmt: skip
MANIFEST = Manifest(
    name="mastodon", label="Mastodon", access="API", terms_url="", legal_basis="", fields_kept=(),
    cost="0", retention_days=365, deletion_duty="",
)  # fmt: skip


def posts(count: int) -> list[tuple[Post, str]]:
    """Invented posts, the same each time."""
    draw = random.Random(7)
    words = ["".join(draw.choices("aeioulnrstm", k=draw.randint(3, 9))) for _ in range(20_000)]
    return [(_post(n, draw, words), f"landing/x#{n}") for n in range(count)]


def _post(number: int, draw: random.Random, words: list[str]) -> Post:
    said = f"{draw.choice(PHRASES)} {' '.join(draw.choices(words, k=24))} {draw.choice(PLACES)}"
    is_html = number % 3 == 0
    return Post(
        native_id=f"https://exemple.social/users/u{number % 900}/statuses/{number}",
        text=f"<p>{said}<br><a href='https://exemple.fr/a'>suite</a></p>" if is_html else said,
        text_format="html" if is_html else "plain",
        network="mastodon",
        url=f"https://exemple.social/@u{number % 900}/{number}?utm_source=x",
        published_at=SEEN_AT - timedelta(minutes=number % 5_000),
        author_id=f"https://exemple.social/users/u{number % 900}",
        author_handle=f"u{number % 900}@exemple.social",
        lang_declared="fr",
        like_count=number % 7,
    )


def rate(name: str, count: int, work: Callable[[], object]) -> None:
    """Print how many rows a second `work` does, best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    print(f"{name:<34}{count / best:>12,.0f} rows/s {best / count * 1e6:>9.1f} µs a row")


def main() -> None:
    """Print the rate of each step and the quality of subject matching on the labelled list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    count = parser.parse_args().rows
    given = posts(count)
    made = matcher(SETTINGS.subjects, SETTINGS.institution)
    found_places = finder()
    texts = [plaintext.plain(post.text, post.text_format)[0] for post, _ in given]
    none: list[tuple[str, ...]] = [()] * count
    keep = privacy.allow_list(SETTINGS)

    def whole() -> list[Mention]:
        found = normalise(
            iter(given), settings=SETTINGS, manifest=MANIFEST, key=bytes(32), matcher=made,
            finder=found_places, block=SourceBlock(name="masto", kind="mastodon"), run_id="r",
            seen_at=SEEN_AT,
        )  # fmt: skip
        return [item for item in found if isinstance(item, Mention)]

    kept = whole()
    table = to_table(kept, MENTION_SCHEMA)
    accept(table.slice(0, 10))
    print(f"{count} posts of {sum(map(len, texts)) / count:.0f} characters, {len(kept)} on subject")
    rate(
        "plaintext.plain", count, lambda: [plaintext.plain(p.text, p.text_format) for p, _ in given]
    )
    rate("privacy.mask", count, lambda: [privacy.mask(text, keep=keep) for text in texts])
    rate("subjects.match", count, lambda: made.match(texts, none, none))
    rate("places.find", count, lambda: found_places.find(texts))
    rate("language.detect", count, lambda: language.detect(texts))
    rate("normalise, all of it", count, whole)
    rate("mention.to_table", len(kept), lambda: to_table(kept, MENTION_SCHEMA))
    rate("accept.accept", len(kept), lambda: accept(table))
    print(f"{len(LABELLED)} labelled sentences: see tests/pipelines/test_subjects.py")


if __name__ == "__main__":
    main()
