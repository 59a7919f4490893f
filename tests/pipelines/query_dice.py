"""Queries and posts drawn by chance, and the table in which SQL finds the posts.

Words are few, so that a query often answers; signs, cases, accents and scripts are many, so that
every rule of folding is met. Hypothesis and `tests/bench/bench_query_equal.py` draw from here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from pipelines import query, query_match, query_sql, subjects
from pipelines.errors import QueryError
from pipelines.query_match import Document
from pipelines.query_tree import Node
from pipelines.settings import Subject

WORDS = (
    "mairie", "mairies", "Mairie", "MAIRIE", "tram", "trams", "bus", "école", "écoles", "l'école",
    "L’École", "d'Azur", "Azur", "azur", "lignes", "Lignes", "d", "Nice", "nice", "NICE", "Tours",
    "tours", "tour", "travaux", "travail", "journal", "journaux", "aujourd'hui", "aujourd’hui",
    "aujourd hui", "grève", "greve", "Œuvre", "oeuvre", "St", "St.", "Saint", "Étienne", "etienne",
    "le", "la", "de", "du", "à", "the", "is", "M.", "C++", "R&D", "SNCF", "sncf", "2026", "A10",
    "日本", "ﬁn", "ĀB", "ẞ", "İ", "½", "x", "y", "#TramNice", "#tramnice", "#Nice06", "@ville",
    "@echo", "@…", "[tel]", "https://ex.fr/lignes-d-azur", "😀", "nai\u0308ve", "naïve", "N'Golo",
    "prud'hommes", "centre-ville", "Centre Ville", "ne", "mois", "moi", "ferme", "fermée",
    "FERMERA", "fermier", "chevaux", "cheval", "va", "ira", "rendez-vous", "dû", "closing",
)  # fmt: skip
MARKS = (" ", " ", " ", " ", " ", ", ", ". ", " ! ", "\n", "; ", " - ", "… ", "_", "'", "’")
ASKED = (
    "mairie", "mairies", "Mairie", "tram", "bus", "école", "l'école", "Azur", "lignes", "Nice",
    "Tours", "tours", "travaux", "journal", "aujourd'hui", "grève", "Œuvre", "SNCF", "2026", "A10",
    "centre-ville", "prud'hommes", "naïve", "mois", "日本", "R&D", "trava*", "éco*", "gr?ve",
    "t?am", "jour*", "#TramNice", "#tram*", "@ville", "N'Golo", "journ?l*", "xyz",
    "forms:fermer", "forms:aller", "forms:(cheval OR école)", "forms:rendez-vous",
    "forms:devoir", "forms:close",
)  # fmt: skip
PHRASES = (
    '"Lignes d\'Azur"', '"mairie de Nice"', '"la mairie"', '"St. Étienne"', '"M. le maire"',
    '"tram nice"', '"centre ville"', '"aujourd\'hui le tram"', '"école d\'Azur"', '"le trava*"',
    '"bus tram mairie"', '"journal de l\'école"', '"à Nice"', '"saint étienne"', '"trava* tram"',
)  # fmt: skip
RAWS = (
    'raw:"SNCF"', "raw:C++", 'raw:"Nice"', 'raw:"école"', 'raw:"R&D"', 'raw:😀', 'raw:"e la"',
    'raw:"l\'"', 'raw:"ﬁn"', 'raw:"St."', 'raw:"naïve"',
)  # fmt: skip
FIELDS = (
    "lang:fr", "lang:(fr OR en)", "source:mastodon", "source:press", "source:gazette",
    "type:comment", "type:(post OR review)", "site:ex.fr", "site:ex.fr/a/b", "site:autre.example",
    "engagement:>10", "engagement:<=3", "engagement:=0", "place:37", "place:commune:37261",
    "place:region:24", "place:372*", "place:75056", "author:echo", "author:@ville",
)  # fmt: skip
ALLOWED = query.allowed(("valmont", "@ville"), (("echo", ("@echo",)),))
URLS = (
    None, "https://ex.fr/", "https://www.ex.fr/a/b", "https://ex.fr/a/bc", "https://sous.ex.fr/a/b/c",
    "https://pasex.fr/a", "https://ex.fr/a/b?x=1", "https://autre.example:8080/", "http://ex.fr",
)  # fmt: skip
PLACES = ("commune:37261", "commune:37001", "departement:37", "region:24", "commune:75101", "x")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A post: the columns of table `mention` that queries read."""

    text: str
    title: str | None
    content_warning: str | None
    hashtags: tuple[str, ...]
    mentioned_handles: tuple[str, ...]
    url: str | None
    source: str
    source_name: str
    network: str
    content_type: str
    lang: str | None
    like_count: int | None
    reply_count: int | None
    share_count: int | None
    quote_count: int | None
    place_codes: tuple[str, ...] | None
    is_own: bool
    relay_id: str | None


def text(dice: random.Random, most: int = 14) -> str:
    """A text of at most so many words."""
    found = [dice.choice(WORDS) + dice.choice(MARKS) for _ in range(dice.randint(0, most))]
    return "".join(found).strip()


def post(dice: random.Random) -> Drawn:
    """A post drawn by chance."""
    counts = [dice.choice((None, None, 0, 2, 9, 2**63 - 1)) for _ in range(4)]
    places = tuple(dice.sample(PLACES, dice.randint(0, 2)))
    return Drawn(
        text=text(dice),
        title=text(dice, 5) or None if dice.random() < 0.4 else None,
        content_warning=text(dice, 3) or None if dice.random() < 0.2 else None,
        hashtags=tuple(dice.sample(("TramNice", "x", "Nice"), dice.randint(0, 1))),
        mentioned_handles=("ville",) if dice.random() < 0.1 else (),
        url=dice.choice(URLS),
        source=dice.choice(("mastodon", "feed")),
        source_name=dice.choice(("masto", "gazette")),
        network=dice.choice(("mastodon", "press")),
        content_type=dice.choice(("post", "comment", "review")),
        lang=dice.choice((None, "fr", "en")),
        like_count=counts[0],
        reply_count=counts[1],
        share_count=counts[2],
        quote_count=counts[3],
        place_codes=dice.choice((None, places, places)),
        is_own=dice.random() < 0.2,
        relay_id=dice.choice((None, None, "echo", "autre")),
    )


def _placed(dice: random.Random, depth: int) -> str:
    if depth <= 0 or dice.random() < 0.5:
        return dice.choice(ASKED) if dice.random() < 0.6 else dice.choice(PHRASES)
    if dice.random() < 0.5:
        return f"({_placed(dice, depth - 1)} OR {_placed(dice, depth - 1)})"
    near = f"{dice.choice(('NEAR', 'ONEAR'))}/{dice.choice((0, 1, 2, 3, 5, 20))}"
    return f"({_placed(dice, depth - 1)} {near} {_placed(dice, depth - 1)})"


def _asked(dice: random.Random, depth: int) -> str:
    draw = dice.random()
    if depth <= 0 or draw < 0.35:
        return _placed(dice, 2)
    if draw < 0.5:
        return dice.choice(FIELDS) if dice.random() < 0.6 else dice.choice(RAWS)
    if draw < 0.57:
        return f"title:({_placed(dice, 1)} {dice.choice(('AND', 'OR'))} {_placed(dice, 1)})"
    if draw < 0.63:
        return f"risky/{dice.choice((0, 2, 5, 40))}:({dice.choice(ASKED)} {dice.choice(ASKED)})"
    if draw < 0.75:
        joint = dice.choice((" AND ", " NOT ", " "))
        return f"({_asked(dice, depth - 1)}{joint}{dice.choice((*FIELDS, *RAWS))})"
    joint = dice.choice((" AND ", " OR ", " ", " NOT ", " SAUF ", " ET ", " OU "))
    parts = [_asked(dice, depth - 1) for _ in range(dice.randint(2, 3))]
    return f"({joint.join(parts)})"


def asked(dice: random.Random) -> query.Query:
    """A query drawn by chance that may be asked; those that are refused are drawn again."""
    while True:
        try:
            return query.parse(_asked(dice, 3), allowed=ALLOWED)
        except QueryError:
            continue


def terms(dice: random.Random) -> Node:
    """The tree of a subject of simple terms drawn by chance."""
    few = lambda listed, most: tuple(dice.sample(listed, dice.randint(0, most)))  # noqa: E731
    return subjects.tree(
        Subject(
            id="s",
            label="s",
            purpose="répondre aux habitants",
            names=few(("mairie de Nice", "Lignes d'Azur", "Saint-Étienne", "tram"), 2),
            ambiguous=few(("Nice", "Tours", "Azur", "la Tour"), 2),
            context=few(("mairie", "tram", "école", "centre-ville"), 3),
            exclude=few(("OGC Nice", "Nice tram", "bus", "tours de bus", "le tram de Nice"), 3),
            places=few(("commune:37261", "departement:06", "region:24"), 2),
            hashtags=few(("TramNice", "Nice06"), 1),
            handles=few(("@ville",), 1),
        )
    )


def document(drawn: Drawn) -> Document:
    """A post as the matcher of the stream reads it."""
    counts = (drawn.like_count, drawn.reply_count, drawn.share_count, drawn.quote_count)
    known = [count for count in counts if count is not None]
    return query_match.document(
        drawn.text,
        title=drawn.title,
        warning=drawn.content_warning,
        hashtags=drawn.hashtags,
        handles=drawn.mentioned_handles,
        url=drawn.url,
        source=drawn.source,
        source_name=drawn.source_name,
        network=drawn.network,
        content_type=drawn.content_type,
        lang=drawn.lang,
        engagement=sum(known) if known else None,
        place_codes=drawn.place_codes or (),
        is_own=drawn.is_own,
        relay_id=drawn.relay_id,
    )


_SCHEMA = pa.schema(
    [
        ("number", pa.int64()), ("text", pa.string()), ("title", pa.string()),
        ("content_warning", pa.string()), ("words", pa.string()), ("url", pa.string()),
        ("source", pa.string()), ("source_name", pa.string()), ("network", pa.string()),
        ("content_type", pa.string()), ("lang", pa.string()), ("like_count", pa.int64()),
        ("reply_count", pa.int64()), ("share_count", pa.int64()), ("quote_count", pa.int64()),
        ("place_codes", pa.list_(pa.string())), ("is_own", pa.bool_()), ("relay_id", pa.string()),
    ]
)  # fmt: skip


def table(posts: Sequence[Drawn], documents: Sequence[Document]) -> pa.Table:
    """The posts as rows of `mention`, with `number`, their place."""
    rows: list[dict[str, Any]] = [
        {name: getattr(post, name) for name in _SCHEMA.names if hasattr(post, name)}
        | {"number": number, "words": read.words.stored}
        for number, (post, read) in enumerate(zip(posts, documents, strict=True))
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def by_sql(connection: duckdb.DuckDBPyConnection, tree: Node, relation: str) -> set[int]:
    """The places of the posts that answer by SQL."""
    sql = query_sql.condition(tree, columns=_SCHEMA.names)
    rows = connection.execute(sql.select(relation, ["number"]), sql.parameters).fetchall()
    return {number for (number,) in rows}


def by_matcher(tree: Node, documents: Sequence[Document]) -> set[int]:
    """The places of the posts that answer by the matcher of the stream."""
    found = query_match.compiled([tree])
    return {number for number, read in enumerate(documents) if found.find(read)}
