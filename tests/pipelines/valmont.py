"""An invented town in an in-memory warehouse: four quiet weeks, then a day quiet or in crisis.

About 110 mentions a day over five networks, half as many at the weekend, with texts put together
from invented sentences. Everything follows from `seed`. The crisis: from 16:00 a rumour about tap
water spreads in near-copies, is denied, is asked about, and a gathering is called.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from pipelines import gaps, warehouse
from pipelines.mention import MENTION_SCHEMA, Mention, mention_id, text_hash, to_table
from pipelines.settings import Institution, Relay, Settings, SourceBlock, Subject

PARIS = ZoneInfo("Europe/Paris")
DAY = date(2026, 11, 19)  # a Thursday
AS_OF = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)  # seven o'clock in Paris
Mood = Literal["quiet", "crisis"]

SETTINGS = Settings(
    home=Path("/nowhere"),
    institution=Institution(
        id="valmont",
        name="Ville de Valmont",
        kind="commune",
        aliases=("Valmont", "mairie de Valmont"),
        handles=("valmont",),
        place="Valmont",
        legal_basis="mission d’intérêt public (RGPD, art. 6.1.e), délibération 2026-041",
    ),
    subjects=(
        Subject(id="ville", label="La ville", purpose="Répondre aux habitants", names=("Valmont",)),
        Subject(id="eau", label="Eau potable", purpose="Sécurité sanitaire", names=("eau",)),
    ),
    sources=(
        SourceBlock(name="mastodon", kind="mastodon"),
        SourceBlock(name="bluesky", kind="bluesky"),
        SourceBlock(name="presse", kind="feed", every_minutes=15, silent_after_minutes=1440),
        SourceBlock(name="export_x", kind="file", every_minutes=1440, silent_after_minutes=2880),
    ),
    relays=(
        Relay(id="echo", label="L’Écho de Valmont", kind="media", sites=("echo.example",)),
        Relay(id="pref", label="Préfecture du Vallon", kind="institution"),
        Relay(id="adjointe", label="Adjointe à l’eau", kind="official"),
    ),
)

_PLACES = (
    "place des Halles", "quartier des Tilleuls", "rue Pasteur", "gare routière", "parc du Moulin",
    "piscine des Ormes", "école Jean-Macé", "boulevard Carnot", "médiathèque", "stade Coubertin",
)  # fmt: skip
_BUSES = (2, 4, 7, 9, 12)


@dataclass(frozen=True, slots=True)
class Kind:
    """Sentences of one matter: how often, which topics, how often negative, neutral, positive."""

    weight: int
    topics: tuple[str, ...]
    tones: tuple[float, float, float, float]
    sentences: tuple[str, ...]


_KINDS = (
    Kind(22, ("T09",), (0.4, 0.35, 0.05, 0.2), (
        "Le bus {bus} de Valmont encore en retard ce matin {place}, vingt minutes d’attente",
        "Bus {bus} supprimé sans prévenir, merci Valmont… {tail}",
        "Nouvelle piste cyclable {place} : on respire enfin à Valmont",
        "Impossible de se garer {place} depuis les travaux. {tail}",
    )),
    Kind(16, ("T10",), (0.35, 0.4, 0.1, 0.15), (
        "Les poubelles débordent {place} à Valmont depuis trois jours",
        "La collecte des encombrants a changé de jour à Valmont {place}, pensez-y",
        "Compost gratuit {place} samedi, bonne idée Valmont",
    )),
    Kind(14, (), (0.05, 0.35, 0.45, 0.15), (
        "Très beau marché ce matin {place} à Valmont {tail}",
        "Bravo à l’équipe de la médiathèque de Valmont pour l’atelier {tail}",
        "Coucher de soleil sur Valmont depuis {place} {tail}",
        "Le club de Valmont gagne encore, quelle soirée au stade",
    )),
    Kind(12, ("T07",), (0.3, 0.4, 0.15, 0.15), (
        "Cantine de Valmont : le menu végétarien est plutôt réussi {tail}",
        "Pas de remplaçant à l’école {place} à Valmont, encore une journée perdue",
        "Inscriptions au périscolaire de Valmont ouvertes {place}",
    )),
    Kind(10, (), (0.05, 0.75, 0.05, 0.15), (
        "Bonjour Valmont, à quelle heure ouvre la piscine des Ormes pendant les vacances ?",
        "Où faut-il déposer le dossier de carte d’identité à Valmont ?",
        "Quelqu’un sait quand rouvre la déchèterie de Valmont ? {tail}",
        "La piscine des Ormes est-elle ouverte le dimanche à Valmont ?",
    )),
    Kind(9, ("T11",), (0.5, 0.25, 0.1, 0.15), (
        "Rodéos tous les soirs {place} à Valmont, quand est-ce que ça s’arrête",
        "Patrouille de la police municipale {place}, ça rassure. Valmont",
    )),
    Kind(7, ("T01",), (0.5, 0.3, 0.05, 0.15), (
        "Taxe foncière à Valmont : encore une hausse cette année {tail}",
        "Le budget de Valmont expliqué en deux pages, c’est clair pour une fois",
    )),
    Kind(6, ("T08",), (0.4, 0.4, 0.05, 0.15), (
        "Permis de construire {place} à Valmont : l’enquête publique commence",
        "Trois ans que j’attends un logement social à Valmont {tail}",
    )),
    Kind(2, ("T14",), (0.3, 0.5, 0.0, 0.2), (
        "La crèche de Noël de la mairie de Valmont revient {tail}",
    )),
)  # fmt: skip
_TAILS = (
    "🙂", "#Valmont", "vous aussi ?", "😡", "franchement", "", "", "on verra bien", "merci à tous",
    "enfin bref", "ma voisine confirme", "photo ce midi", "je le note", "depuis la rentrée",
    "comme l’an dernier", "avec les enfants", "à vélo", "sous la pluie", "avant le travail",
    "quel temps", "hâte d’y être", "rien de neuf", "au marché", "en famille", "ça dépend des jours",
)  # fmt: skip
_OPENINGS = (
    "", "", "Bon, ", "Alors, ", "Petit mot du jour : ", "Vu ce midi : ", "Constat : ", "Dites, ",
    "Pour info, ", "Encore une fois, ", "Voilà, ", "Je confirme, ", "Vu hier : ",
    "Au passage, ",
)  # fmt: skip

CLAIM = (
    "Un agent le confirme : l’eau du robinet est contaminée aux Tilleuls depuis lundi et la "
    "mairie de Valmont nous le cache. Partagez avant que ce soit supprimé"
)
_CLAIM_TAILS = ("", " 😡", " !!!", " #Valmont", " https://exemple.example/p", " RT", " svp", " 🚱")
_CRISIS = (
    Kind(30, ("T20", "T10"), (0.75, 0.1, 0.0, 0.15), (
        "L’eau du robinet a un goût bizarre {place} à Valmont, je n’en donne plus aux enfants",
        "Toujours aucune information de Valmont sur l’eau du robinet {place}, c’est honteux",
        "Eau coupée {place}, eau contaminée aux Tilleuls, on nous prend pour qui Valmont",
        "Rayon d’eau en bouteille vide au supermarché de Valmont, les gens ont peur du robinet",
        "Ma fille est malade depuis mardi, on habite {place} à Valmont, l’eau du robinet {tail}",
    )),
    Kind(12, ("T20",), (0.2, 0.6, 0.0, 0.2), (
        "Est-ce que l’eau du robinet est potable {place} à Valmont ?",
        "Peut-on boire l’eau du robinet aux Tilleuls ce soir, Valmont ?",
        "L’eau de Valmont est-elle potable pour un bébé ? {place}",
    )),
    Kind(6, ("T20",), (0.3, 0.5, 0.05, 0.15), (
        "Non, l’eau du robinet n’est pas contaminée aux Tilleuls : lisez les analyses. Valmont",
        "Rumeur sur l’eau de Valmont : aucune analyse ne le dit, calmez-vous",
    )),
    Kind(5, ("T20", "T17"), (0.6, 0.25, 0.0, 0.15), (
        "Rassemblement vendredi 18 h devant la mairie de Valmont pour l’eau des Tilleuls",
        "Eau du robinet : tous devant la mairie de Valmont vendredi {tail}",
    )),
)  # fmt: skip

_NETWORKS = (
    ("mastodon", "mastodon", 30), ("bluesky", "bluesky", 34), ("export_x", "x", 30),
    ("presse", "press", 6),
)  # fmt: skip
_HOURS = (1, 1, 1, 1, 1, 2, 4, 7, 9, 8, 7, 7, 9, 8, 6, 6, 7, 9, 11, 12, 10, 8, 5, 3)
_TONES = ("negative", "neutral", "positive", "undetermined")


def warehouse_of(
    mood: Mood, *, seed: int = 7, settings: Settings = SETTINGS
) -> duckdb.DuckDBPyConnection:
    """A warehouse in memory that holds the town up to the morning after `DAY`."""
    connection = empty(settings)
    rng = random.Random(seed)
    rows = [row for ago in range(28, 0, -1) for row in _ordinary(rng, DAY - timedelta(ago), 110)]
    rows += _ordinary(rng, DAY, 112)
    rows += _own(rng)
    if mood == "crisis":
        rows += _crisis(rng)
    store(connection, rows)
    _intake(connection, mood)
    if mood == "crisis":
        _incident(connection)
    _remember(connection, DAY - timedelta(1), "vert")
    return connection


def empty(settings: Settings = SETTINGS) -> duckdb.DuckDBPyConnection:
    """A warehouse in memory with every table and view, and nothing in it."""
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'")
    warehouse.migrate(connection)
    warehouse._copy_settings(connection, settings)
    warehouse.create_views(connection)
    return connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A mention and what a model would have said of it."""

    mention: Mention
    tone: str | None
    topics: tuple[str, ...] = ()


def row(
    text: str,
    at: datetime,
    *,
    number: int,
    tone: str | None = "neutral",
    topics: Sequence[str] = (),
    source_name: str = "mastodon",
    network: str = "mastodon",
    author: str | None = None,
    url: str | None = "default",
    title: str | None = None,
    relay_id: str | None = None,
    is_own: bool = False,
    counts: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None),
    subject_ids: tuple[str, ...] = ("ville",),
    content_type: str = "post",
    rating: float | None = None,
) -> Row:
    """One mention as it would stand in the warehouse; `counts`: replies, shares, likes, views."""
    native = f"{source_name}-{number}"
    values: dict[str, object] = dict.fromkeys((f.name for f in MENTION_SCHEMA), None)
    for name in ("hashtags", "mentioned_handles", "urls", "media_types"):
        values[name] = ()
    values |= {
        "mention_id": mention_id(network, native),
        "source": network,
        "source_name": source_name,
        "network": network,
        "native_id": native,
        "content_type": content_type,
        "collected_via": "search",
        "subject_ids": subject_ids,
        "url": f"https://{network}.example/p/{number}" if url == "default" else url,
        "title": title,
        "text": text,
        "text_truncated": False,
        "text_hash": text_hash(text),
        "lang": "fr",
        "published_at": at,
        "published_precision": "second",
        "published_clamped": False,
        "first_seen_at": at + timedelta(minutes=4),
        "last_seen_at": at + timedelta(minutes=4),
        "author_key": author or f"author-{number % 97}",
        "relay_id": relay_id,
        "is_own": is_own,
        "reply_count": counts[0],
        "share_count": counts[1],
        "like_count": counts[2],
        "view_count": counts[3],
        "rating_value": rating,
        "rating_min": 1.0 if rating else None,
        "rating_max": 5.0 if rating else None,
        "visibility": "public",
        "optout": False,
        "retention_until": (at + timedelta(days=183)).date(),
        "connector_version": "1",
        "schema_version": 1,
        "run_id": "20261120T060000Z",
    }
    return Row(mention=Mention(**values), tone=tone, topics=tuple(topics))  # type: ignore[arg-type]


_NUMBERS = iter(range(1, 10_000_000))


def _ordinary(rng: random.Random, day: date, level: int) -> Iterator[Row]:
    share = 0.5 if day.isoweekday() > 5 else 1.0
    for _ in range(round(rng.gauss(level * share, level * share * 0.09))):
        kind = rng.choices(_KINDS, [k.weight for k in _KINDS])[0]
        yield _made(rng, kind, _moment(rng, day, _HOURS))


def _made(rng: random.Random, kind: Kind, at: datetime) -> Row:
    number = next(_NUMBERS)
    name, network, _ = rng.choices(_NETWORKS, [n[2] for n in _NETWORKS])[0]
    text = rng.choice(kind.sentences).format(
        place=rng.choice(_PLACES), bus=rng.choice(_BUSES), tail=rng.choice(_TAILS)
    )
    is_press = network == "press"
    if not is_press:
        text = f"{rng.choice(_OPENINGS)}{text} {rng.choice(_TAILS)}".strip()
    return row(
        text,
        at,
        number=number,
        tone=rng.choices(_TONES, kind.tones)[0],
        topics=kind.topics,
        source_name=name,
        network=network,
        author=f"{network}-{rng.randrange(900)}",
        title=text.split(",")[0] if is_press else None,
        url=f"https://www.echo.example/{number}" if is_press else "default",
        relay_id="echo" if is_press and rng.random() < 0.5 else None,
    )


def _moment(rng: random.Random, day: date, hours: Sequence[int]) -> datetime:
    hour = rng.choices(range(24), hours)[0]
    local = datetime.combine(day, time(hour, rng.randrange(60), rng.randrange(60)), tzinfo=PARIS)
    return local.astimezone(UTC)


def _crisis(rng: random.Random) -> Iterator[Row]:
    hours = [0] * 16 + [2, 6, 14, 20, 18, 12, 7, 4]
    for place in range(260):
        at = _moment(rng, DAY, hours)
        name, network, _ = rng.choices(_NETWORKS[:3], (4, 2, 9))[0]
        text = CLAIM + rng.choice(_CLAIM_TAILS)
        yield row(
            text,
            at,
            number=next(_NUMBERS),
            tone="negative" if place % 9 else "undetermined",
            topics=("T20", "T10"),
            source_name=name,
            network=network,
            author=f"{network}-{rng.randrange(400)}",
            subject_ids=("ville", "eau"),
        )
    for _ in range(190):
        kind = rng.choices(_CRISIS, [k.weight for k in _CRISIS])[0]
        yield _made(rng, kind, _moment(rng, DAY, hours))
    yield row(
        "La préfecture rappelle que l’eau distribuée à Valmont est conforme.",
        datetime(2026, 11, 19, 19, 10, tzinfo=UTC),
        number=next(_NUMBERS),
        source_name="presse",
        network="press",
        title="Eau de Valmont : la préfecture dément toute contamination",
        url="https://pref.example/communique",
        relay_id="pref",
        topics=("T20",),
    )
    yield row(
        "Eau du robinet aux Tilleuls : les analyses de lundi sont conformes, l’eau est potable. "
        "Aucune contamination n’est constatée à Valmont.",
        datetime(2026, 11, 19, 18, 30, tzinfo=UTC),
        number=next(_NUMBERS),
        is_own=True,
        counts=(148, 210, 96, 18_400),
        tone=None,
    )


def _own(rng: random.Random) -> Iterator[Row]:
    for ago in range(0, 28, 2):
        yield row(
            f"Agenda de la semaine à Valmont, numéro {ago} : marché, médiathèque, conseil.",
            datetime.combine(DAY - timedelta(ago), time(9, 30), tzinfo=PARIS).astimezone(UTC),
            number=next(_NUMBERS),
            is_own=True,
            tone=None,
            counts=(rng.randrange(2, 14), rng.randrange(3, 12), rng.randrange(15, 60), 2_400),
        )


def store(connection: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
    """Write mentions, their scores, and the counts of authors by day."""
    mentions = to_table([r.mention for r in rows], MENTION_SCHEMA)
    connection.register("given", mentions)
    connection.execute("insert into mention select * from given")
    connection.execute(
        "insert into heard select mention_id, source_name, published_at, first_seen_at,"
        " published_precision = 'second', not is_own and not optout from given"
    )
    connection.unregister("given")
    scored = [r for r in rows if r.tone is not None]
    if scored:
        given = pa.table(
            {
                "mention_id": [r.mention.mention_id for r in scored],
                "scorer_id": ["s1"] * len(scored),
                "text_hash": [r.mention.text_hash for r in scored],
                "sentiment": [r.tone for r in scored],
                "topics": pa.array([r.topics for r in scored], pa.list_(pa.string())),
                "topic_p": pa.array(
                    [[0.9] * len(r.topics) for r in scored], pa.list_(pa.float32())
                ),
                "scored_at": [r.mention.first_seen_at for r in scored],
                "published_at": [r.mention.published_at for r in scored],
            }
        )
        connection.register("given", given)
        connection.execute("insert into score by name select * from given")
        connection.unregister("given")
    count_authors(connection)


def count_authors(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill `daily` as the load does, from what the warehouse holds."""
    connection.execute("delete from daily")
    connection.execute(
        """
        insert into daily
        with subjects as (
            select v.day_on, unnest(v.subject_ids) as subject_id, v.network,
                list_concat(['all'], coalesce(v.topics, [])) as scopes, v.sentiment, m.author_key
            from mention_scored as v join mention as m using (mention_id) where not v.is_own
        ),
        spread as (select * exclude (scopes), unnest(scopes) as scope from subjects)
        select day_on, subject_id, network, scope, count(*), count(sentiment),
            count(*) filter (sentiment = 'negative'), count(*) filter (sentiment = 'neutral'),
            count(*) filter (sentiment = 'positive'), count(*) filter (sentiment = 'undetermined'),
            count(distinct author_key)
        from spread group by all
        """
    )


def _intake(connection: duckdb.DuckDBPyConnection, mood: Mood) -> None:
    """Readings once a day, then every quarter of an hour, with the gaps and hours that follow.

    On the crisis day Mastodon stops at 21:00 local time and Bluesky cuts an hour.
    """
    start = datetime(2026, 11, 18, 23, 0, tzinfo=UTC)
    for block in SETTINGS.sources:
        for ago in range(30, 0, -1):
            read(connection, block.name, start - timedelta(ago), start - timedelta(ago - 1))
    stop = datetime(2026, 11, 19, 20, 0, tzinfo=UTC) if mood == "crisis" else AS_OF
    rows = []
    for block in SETTINGS.sources:
        at = datetime(2026, 11, 18, 23, 0, tzinfo=UTC)
        step = timedelta(minutes=max(15, min(block.every_minutes, 360)))
        while at <= AS_OF:
            is_down = block.name == "mastodon" and at > stop
            is_capped = mood == "crisis" and block.name == "bluesky" and at.hour == 19
            rows.append(
                [f"{at:%Y%m%dT%H%M%SZ}", block.name, block.kind, at - step, at,
                 "failed" if is_down else "ok", 9, 9, 0 if is_down else 3, 0, 2, 1, 0, is_capped,
                 at - step if is_capped and at.minute == 0 else None,
                 at if is_capped and at.minute == 0 else None, None, None if is_down else at, at]
            )  # fmt: skip
            at += step
    marks = ", ".join("?" * 19)
    connection.executemany(f"insert into intake values ({marks})", rows)  # noqa: S608 - marks
    readings = [_reading(row) for row in rows if row[5] != "ok" or row[14] is not None]
    gaps.begin(connection)
    gaps.record(connection, readings, loaded_at=AS_OF)


def _reading(row: Sequence[Any]) -> gaps.Reading:
    return gaps.Reading(
        run_id=row[0],
        source_name=row[1],
        since_at=row[3],
        until_at=row[4],
        status=row[5],
        finished_at=row[18],
        gaps=((row[14], row[15]),) if row[14] else (),
    )


def read(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    since: datetime,
    until: datetime,
    status: str = "ok",
) -> None:
    """One reading of a source block, and the start of its history if it is the first."""
    connection.execute(
        "insert into intake values (?, ?, 'x', ?, ?, ?, 9, 9, 3, 0, 2, 1, 0, false, null, null,"
        " null, ?, ?)",
        [f"{until:%Y%m%dT%H%M%SZ}", name, since, until, status, until, until],
    )
    start = {"source_name": name, "since_at": since, "until_at": until}
    warehouse.run(connection, "writes/merge_source_start", start)


def _incident(connection: duckdb.DuckDBPyConnection) -> None:
    opened = datetime(2026, 11, 19, 16, 35, tzinfo=UTC)
    connection.execute(
        "insert into incident values ('i1', 'f1', 'topic_surge', '1', 'eau', 'T20', 'critical',"
        " 'firing', ?, ?, null, 96, 7.4, '[]')",
        [opened, AS_OF],
    )
    connection.execute(
        "insert into incident values ('i2', 'f2', 'volume_surge', '1', 'ville', 'all', 'warning',"
        " 'resolved', ?, ?, ?, 61, 4.1, '[]')",
        [opened, opened + timedelta(hours=5), opened + timedelta(hours=7)],
    )
    connection.execute(
        "insert into incident_event values ('i1', ?, 'firing', 'acked', 'by mail', 'moderator')",
        [opened + timedelta(minutes=12)],
    )
    for number in range(3):
        connection.execute(
            "insert into outbox values (?, 'i1', 'firing', 'opened', 'email', 'a@example.org', ?,"
            " 'x', ?, 1, ?, ?, null, null)",
            [f"k{number}", f"m{number}", opened, opened, opened + timedelta(seconds=40)],
        )


def _remember(connection: duckdb.DuckDBPyConnection, day: date, level: str) -> None:
    connection.execute("insert into digest values (?, 'fr', ?, '', '{}', ?)", [day, level, AS_OF])
