"""Posts become Mentions: plain, masked, minimised, on a subject; or a Rejection that says why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pipelines import normalise as stage
from pipelines.mention import (
    MENTION_SCHEMA,
    Deletion,
    Mention,
    Post,
    Rejection,
    mention_id,
    text_hash,
    to_table,
)
from pipelines.normalise import normalise
from pipelines.places import finder
from pipelines.privacy import author_key
from pipelines.settings import (
    Canary,
    Institution,
    Relay,
    Retention,
    Settings,
    SourceBlock,
    Subject,
)
from pipelines.sources import Manifest, Parsed
from pipelines.subjects import matcher

SEEN_AT = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
KEY = bytes(range(32))
MANIFEST = Manifest(
    name="mastodon",
    label="Mastodon",
    access="API",
    terms_url="https://exemple.social/terms",
    legal_basis="mission d'intérêt public",
    fields_kept=("text",),
    cost="0",
    retention_days=365,
    deletion_duty="re-check",
    version="3",
)
SUBJECTS = (
    Subject(
        id="valmorin",
        label="Valmorin",
        purpose="répondre aux habitants",
        names=("Valmorin",),
        hashtags=("#Valmorin",),
    ),
    Subject(
        id="tram",
        label="Tram",
        purpose="répondre aux voyageurs",
        names=("tram de Valmorin",),
        handles=("tramvalmorin@exemple.social",),
    ),
)


def settings(**changes: Any) -> Settings:
    values: dict[str, Any] = {
        "home": Path("/nowhere"),
        "institution": Institution(
            id="valmorin",
            name="Ville de Valmorin",
            kind="commune",
            handles=("@VilleDeValmorin", "mairie@exemple.social"),
            legal_basis="délibération",
        ),
        "subjects": SUBJECTS,
        "relays": (
            Relay(
                id="echo",
                label="L'Écho",
                kind="media",
                handles=("@EchoValmorin",),
                sites=("echo.exemple", "https://www.journal.exemple/valmorin/"),
            ),
            Relay(id="elue", label="Une élue", kind="official", handles=("@elue_valmorin",)),
        ),
    }
    return Settings(**(values | changes))


def run(
    items: Iterable[Parsed],
    *,
    block: dict[str, Any] | None = None,
    is_held: bool = False,
    **changes: Any,
) -> list[stage.Outcome]:
    chosen = settings(**changes)
    return list(
        normalise(
            ((item, f"landing/masto/x#{n}") for n, item in enumerate(items)),
            settings=chosen,
            block=SourceBlock(**({"name": "masto", "kind": "mastodon"} | (block or {}))),
            manifest=MANIFEST,
            key=KEY,
            matcher=matcher(chosen.subjects, chosen.institution, chosen.relays),
            finder=finder(chosen.institution.territory),
            run_id="20261120T101500Z",
            seen_at=SEEN_AT,
            is_held=is_held,
        )
    )


def post(text: str = "Valmorin est sous l'eau", **changes: Any) -> Post:
    return Post(**({"native_id": "1", "text": text, "network": "mastodon"} | changes))


def mention(
    text: str = "Valmorin est sous l'eau", *, block: dict[str, Any] | None = None, **changes: Any
) -> Mention:
    (found,) = run([post(text, **changes)], block=block)
    assert isinstance(found, Mention), found
    return found


def refusal(item: Parsed) -> Rejection:
    (found,) = run([item])
    assert isinstance(found, Rejection), found
    return found


def test_a_mention_carries_its_key_its_lineage_and_its_hash() -> None:
    found = mention()

    assert found.mention_id == mention_id("mastodon", "1")
    assert (found.source, found.source_name, found.connector_version) == ("mastodon", "masto", "3")
    assert found.text_hash == text_hash(found.text)
    assert (found.run_id, found.raw_ref) == ("20261120T101500Z", "landing/masto/x#0")
    assert found.first_seen_at == found.last_seen_at == SEEN_AT
    assert found.subject_ids == ("valmorin",)


def test_every_field_fits_the_arrow_schema() -> None:
    table = to_table([mention(), mention(hashtags=("a",), geo_country="fr")], MENTION_SCHEMA)

    assert table.num_rows == 2


def test_html_becomes_text_and_the_title_one_line() -> None:
    found = mention(
        "<p>L&#39;eau à <b>Valmorin</b></p><script>alert(1)</script>",
        text_format="html",
        title="Un <i>titre</i>\r\n&amp; plus",
        content_warning="eau\nsale",
    )

    assert (found.text, found.title, found.content_warning) == (
        "L'eau à Valmorin",
        "Un titre & plus",
        "eau sale",
    )


def test_a_subject_may_be_named_by_the_title_alone() -> None:
    assert mention("Rien à signaler", title="Valmorin sous l'eau").subject_ids == ("valmorin",)


def test_all_that_names_people_is_masked_but_the_allow_list() -> None:
    found = mention(
        "@camille_d à Valmorin, @EchoValmorin, camille@exemple.fr, 06 12 34 56 78",
        title="@camille_d et @VilleDeValmorin",
        content_warning="@camille_d",
        mentioned_handles=("camille_d", "EchoValmorin"),
        community="forum de @camille_d",
    )

    assert found.text == "@… à Valmorin, @EchoValmorin, [e-mail], [tel]"
    assert found.title == "@… et @VilleDeValmorin"
    assert found.content_warning == "@…"
    assert found.community == "forum de @…"
    assert found.mentioned_handles == ("echovalmorin", "villedevalmorin")


def test_a_pseudonym_stands_for_the_author_and_nothing_else_of_them_is_kept() -> None:
    at = SEEN_AT - timedelta(hours=1)
    found = mention(
        "Valmorin, signé camille_d",
        author_id="u1",
        author_handle="camille_d@exemple.social",
        published_at=at,
    )

    assert found.author_key == author_key(KEY, network="mastodon", account_id="u1", at=at)
    assert found.author_kind == "person"
    kept = {k: v for k, v in dataclasses.asdict(found).items() if k != "author_key"}
    assert "camille" not in repr(kept)
    assert "u1" not in repr(kept)


def test_without_account_there_is_no_pseudonym() -> None:
    assert mention().author_key is None
    assert mention(author_id="u1", author_kind="deleted").author_key is None


def test_a_handle_alone_still_gives_a_pseudonym() -> None:
    assert mention(author_handle="Camille") == mention(author_handle="@camille")
    assert mention(author_handle="camille").author_key


@pytest.mark.parametrize(
    "author",
    [
        {"author_handle": "VilleDeValmorin"},
        {"author_handle": "mairie", "source_instance": "Exemple.social"},
        {"author_handle": "mairie@exemple.social", "author_id": "42"},
        {"author_id": "@villedevalmorin"},
    ],
)
def test_the_institutions_own_posts_are_its_own(author: dict[str, str]) -> None:
    found = mention(**author)

    assert found.is_own
    assert (found.author_kind, found.author_key) == ("institution", None)


def test_own_posts_that_name_nothing_belong_to_the_institutions_subject() -> None:
    found = mention("Bonne journée à tous", author_handle="VilleDeValmorin")

    assert found.subject_ids == ("valmorin",)


def test_a_post_that_the_institution_planted_is_its_own_and_keeps_its_word() -> None:
    canary = Canary(id="c", word="VeilleValmorin7F3K", daily_at=time(9), sources=("m",))
    texts = ("Valmorin, bonjour ! #veillevalmorin7f3k", "Valmorin, bonjour !")
    planted, other = run([post(t, native_id=t) for t in texts], canaries=(canary,))

    assert isinstance(planted, Mention)
    assert isinstance(other, Mention)
    assert (planted.is_own, planted.author_key, other.is_own) == (True, None, False)
    assert str(canary.word) in planted.text.casefold()


def test_a_namesake_on_another_server_is_not_the_institution() -> None:
    found = mention(author_handle="mairie@ailleurs.exemple", author_id="9")

    assert not found.is_own
    assert found.author_key


@pytest.mark.parametrize(
    ("changes", "relay", "kind"),
    [
        ({"author_handle": "echovalmorin", "author_id": "7"}, "echo", "media"),
        ({"author_handle": "Elue_Valmorin", "author_id": "8"}, "elue", "official"),
        ({"url": "https://www.echo.exemple/a", "content_type": "article"}, "echo", "media"),
        ({"url": "https://video.echo.exemple/a", "content_type": "video"}, "echo", "media"),
        ({"url": "https://journal.exemple/valmorin/x", "content_type": "article"}, "echo", "media"),
        ({"url": "https://journal.exemple/autre", "content_type": "article"}, None, None),
        ({"url": "https://faux-echo.exemple/a", "content_type": "article"}, None, None),
        ({"url": "https://echo.exemple.autre/a", "content_type": "article"}, None, None),
        ({"url": "https://echo.exemple/a", "content_type": "comment"}, None, None),
    ],
)
def test_relays_are_known_by_handle_or_by_the_site_of_what_they_publish(
    changes: dict[str, Any], relay: str | None, kind: str | None
) -> None:
    found = mention(**changes)

    assert (found.relay_id, found.author_kind) == (relay, kind)
    assert found.author_key is None


def test_a_text_that_names_nothing_watched_is_refused_and_says_so() -> None:
    found = refusal(post("Il pleut à Genève"))

    assert (found.reason, found.native_id) == (stage.OFF_SUBJECT, "1")
    assert "Genève" not in found.detail


def test_what_a_post_stands_under_says_its_subject_and_is_not_kept() -> None:
    (found,) = run([post("Encore une honte", context="Le tram de Valmorin en panne")])
    assert isinstance(found, Mention)
    assert found.subject_ids == ("valmorin", "tram")
    assert (found.text, found.title) == ("Encore une honte", None)
    assert "panne" not in repr(found)


def test_a_medium_that_a_portal_passes_on_is_known_by_its_site() -> None:
    told = {"content_type": "article", "url": "https://portail.exemple/x", "author_kind": "media"}
    known, other = run(
        [
            post(**told, author_id="www.echo.exemple"),
            post(**told, native_id="2", author_id="autre.exemple"),
        ]
    )
    assert isinstance(known, Mention)
    assert isinstance(other, Mention)
    assert (known.relay_id, known.author_key) == ("echo", None)
    assert other.relay_id is None


def test_a_source_that_knows_the_institution_to_speak_is_believed() -> None:
    (found,) = run([post("Bonjour, votre dossier est traité.", is_own=True, author_id="Mairie")])
    assert isinstance(found, Mention)
    assert (found.is_own, found.author_kind, found.author_key) == (True, "institution", None)
    assert found.subject_ids == ("valmorin",)


def test_an_edit_that_names_nothing_any_more_is_news_of_what_may_be_held() -> None:
    edited = post("Il pleut à Genève, 06 12 34 56 78", edited_at=SEEN_AT)
    (found,) = run([edited])
    assert isinstance(found, Mention)
    assert found.subject_ids == ()
    assert "06 12" not in found.text
    (kept,) = run([post(edited_at=SEEN_AT)])
    assert isinstance(kept, Mention)
    assert kept.subject_ids == ("valmorin",)


def test_what_is_held_already_is_kept_whatever_it_names_now() -> None:
    read = run([post("Il pleut à Genève"), post(native_id="2"), post("")], is_held=True)
    assert [getattr(item, "subject_ids", None) for item in read] == [(), ("valmorin",), None]


def test_a_post_may_be_looked_up_by_another_id_than_its_own() -> None:
    assert mention(lookup_id="exemple.social:7").lookup_id == "exemple.social:7"
    assert mention(lookup_id="a\x00b" * 900).lookup_id == ("ab" * 900)[:1000]


def test_a_block_of_one_subject_gives_it_to_every_row_and_the_matcher_adds() -> None:
    block = {"subject": "tram"}

    assert mention("Il pleut", block=block).subject_ids == ("tram",)
    assert mention("Valmorin", block=block).subject_ids == ("tram", "valmorin")
    assert mention("tram de Valmorin", block=block).subject_ids == ("valmorin", "tram")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (post(native_id=""), stage.NO_ID),
        (post(native_id="\x00"), stage.NO_ID),
        (post(native_id="a" * (stage.ID_LIMIT + 1)), stage.NO_ID),
        (post(""), stage.EMPTY),
        (post("\u200b \n"), stage.EMPTY),
        (post("<script>Valmorin</script>", text_format="html"), stage.EMPTY),
        (post(visibility="private"), stage.NOT_PUBLIC),
        (post(visibility="direct"), stage.NOT_PUBLIC),
        (Deletion(source="mastodon", native_id="", deleted_at=SEEN_AT), stage.NO_ID),
    ],
)
def test_what_cannot_be_a_mention_is_refused_with_its_reason(item: Parsed, reason: str) -> None:
    found = refusal(item)

    assert (found.reason, found.source, found.raw_ref) == (reason, "mastodon", "landing/masto/x#0")


def test_unlisted_posts_and_bare_links_are_kept() -> None:
    assert mention(visibility="unlisted").visibility == "unlisted"
    assert mention("https://exemple.fr/valmorin").text == "https://exemple.fr/valmorin"


def test_deletions_and_rejections_pass_through_in_their_place() -> None:
    gone = Deletion(source="mastodon", native_id="2", deleted_at=SEEN_AT)
    refused = Rejection(source="mastodon", native_id=None, reason="no_json", detail="x")

    found = run([post(), gone, post("Genève"), refused, post(native_id="5")])

    assert [type(item) for item in found] == [Mention, Deletion, Rejection, Rejection, Mention]
    assert found[1] == gone
    assert found[3] == dataclasses.replace(refused, raw_ref="landing/masto/x#3")


def test_an_author_who_opted_out_is_counted_and_not_read() -> None:
    found = mention(
        "Valmorin @EchoValmorin #eau",
        optout=True,
        title="Valmorin",
        url="https://exemple.social/@camille/1",
        author_id="u1",
        hashtags=("eau",),
        urls=("https://exemple.fr",),
        community="x",
        geo_place="Valmorin",
    )

    assert (found.text, found.title, found.url, found.author_key) == ("", None, None, None)
    assert (found.hashtags, found.urls, found.mentioned_handles) == ((), (), ())
    assert (found.community, found.geo_place) == (None, None)
    assert found.text_hash == text_hash("")
    assert found.optout
    assert found.subject_ids == ("valmorin",)


@pytest.mark.parametrize(
    ("told", "kept", "precision", "is_clamped"),
    [
        (None, SEEN_AT, "unknown", False),
        (SEEN_AT - timedelta(days=1), SEEN_AT - timedelta(days=1), "second", False),
        (SEEN_AT + timedelta(minutes=10), SEEN_AT + timedelta(minutes=10), "second", False),
        (SEEN_AT + timedelta(minutes=11), SEEN_AT, "unknown", True),
        (datetime(1970, 1, 1, tzinfo=UTC), SEEN_AT, "unknown", True),
        (datetime(2099, 1, 1, tzinfo=UTC), SEEN_AT, "unknown", True),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), SEEN_AT, "unknown", True),
        (datetime.max.replace(tzinfo=timezone(-timedelta(hours=12))), SEEN_AT, "unknown", True),
        (
            datetime(2026, 11, 20, 10, tzinfo=timezone(timedelta(hours=1))),
            datetime(2026, 11, 20, 9, tzinfo=UTC),
            "second",
            False,
        ),
        (
            datetime(2026, 11, 20, 9),  # noqa: DTZ001 - what a careless parser hands over
            datetime(2026, 11, 20, 9, tzinfo=UTC),
            "second",
            False,
        ),
    ],
)
def test_a_date_that_cannot_be_is_set_to_when_it_was_seen(
    told: datetime | None, kept: datetime, precision: str, is_clamped: bool
) -> None:
    found = mention(published_at=told)

    assert (found.published_at, found.published_precision) == (kept, precision)
    assert found.published_clamped is is_clamped


def test_an_edit_is_never_later_than_when_it_was_seen() -> None:
    assert mention(edited_at=SEEN_AT + timedelta(days=1)).edited_at == SEEN_AT
    assert mention(edited_at=datetime(1970, 1, 1, tzinfo=UTC)).edited_at is None


def test_text_is_kept_for_the_shorter_of_two_retentions_from_the_local_day() -> None:
    (found,) = run([post()], retention=Retention(text_days=60))
    late = dataclasses.replace(MANIFEST, retention_days=2)

    assert isinstance(found, Mention)
    assert found.retention_until == date(2027, 1, 19)
    chosen = settings()
    (short,) = normalise(
        [(post(), "x")],
        settings=chosen,
        block=SourceBlock(name="masto", kind="mastodon"),
        manifest=late,
        key=KEY,
        matcher=matcher(chosen.subjects, chosen.institution, chosen.relays),
        finder=finder(),
        run_id="r",
        seen_at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC),  # the 21st in Paris
    )
    assert isinstance(short, Mention)
    assert short.retention_until == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("declared", "text", "kept", "lang"),
    [
        ("fr-FR", "Valmorin", "fr", "fr"),
        ("und", "Valmorin : la mairie ne répond plus au téléphone", None, "fr"),
        ("en", "Valmorin : la mairie ne répond plus au téléphone depuis lundi", "en", "fr"),
        ("BR", "Valmorin 👍", "br", "br"),
        ("", "Valmorin 👍", None, None),
        ("français", "Valmorin 👍", None, None),
        ("zh_Hant", "Valmorin 👍", "zh", "zh"),
    ],
)
def test_a_language_is_detected_and_else_as_declared(
    declared: str, text: str, kept: str | None, lang: str | None
) -> None:
    found = mention(text, lang_declared=declared)

    assert found.lang_declared == kept
    if "👍" in text:
        assert found.lang in (lang, "fr")
    else:
        assert found.lang == lang


def test_counts_that_cannot_be_are_unknown() -> None:
    found = mention(
        like_count=-1,
        view_count=2**63,
        reply_count=0,
        share_count=3,
        platform_score=float("nan"),
        rating_value=float("inf"),
        rating_max=5.0,
    )

    assert (found.like_count, found.view_count) == (None, None)
    assert (found.reply_count, found.share_count) == (0, 3)
    assert (found.platform_score, found.rating_value, found.rating_max) == (None, None, 5.0)
    assert found.metrics_at == SEEN_AT
    assert mention().metrics_at is None


def test_hashtags_are_small_letters_from_the_source_or_else_from_the_text() -> None:
    assert mention(hashtags=("#Valmorin", "ＥＡＵ", "eau")).hashtags == ("valmorin", "eau")
    assert mention("Valmorin #Eau #2026 a#b https://x.fr/#c").hashtags == ("eau",)


def test_addresses_that_name_a_person_are_not_kept_beside_the_text() -> None:
    given = (
        "https://x.com/camille_d/status/1",
        "https://exemple.social/@camille/2",
        "https://x.com/VilleDeValmorin/status/3",
        "https://exemple.fr/camille",
    )

    assert mention(urls=given).urls == given[2:]


def test_addresses_are_canonical_from_the_source_or_else_from_the_text() -> None:
    given = ("HTTPS://Exemple.fr/a?utm_source=x#y", "javascript:alert(1)", "https://exemple.fr/a")

    assert mention(urls=given).urls == ("https://exemple.fr/a",)
    assert mention("Valmorin (https://exemple.fr/b).").urls == ("https://exemple.fr/b",)
    assert mention(url="javascript:alert(1)").url is None


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("Valmorin", "Valmorin"),
        ("Saint-Étienne (Loire)", "Saint-Étienne (Loire)"),
        ("FR-75", "FR-75"),
        ("FR-2A", "FR-2A"),
        ("48.8566, 2.3522", None),
        ("12 rue des Lilas", None),
        ("rue des Lilas", None),
        ("Valmorin, 12 avenue Foch", None),
        ("", None),
    ],
)
def test_only_coarse_places_are_kept(place: str, kept: str | None) -> None:
    assert mention(geo_place=place).geo_place == kept


def test_countries_and_media_are_of_their_vocabulary() -> None:
    found = mention(geo_country="fr", media_types=("image", "hologram", "image"))

    assert (found.geo_country, found.media_types) == ("FR", ("image",))
    assert mention(geo_country="France").geo_country is None


HOSTILE = {
    "script": "<script>alert('Valmorin')</script>",
    "sql": "Valmorin'); drop table mention;--",
    "formula": "=cmd|'/c calc'!A1 Valmorin",
    "line ends": "Valmorin\r\nBcc: victime@exemple.fr\r\n\r\ncorps",
    "right to left": "Valmorin \u202eniromlav\u202c",
    "long": "Valmorin " * 120_000,
    "nul": "Val\x00morin",
    "surrogate": "Valmorin \ud83d",
    "zalgo": "V" + "\u0315\u0321\u0346" * 50 + "almorin Valmorin",
    "look-alike": "Valmorin @VіlleDeValmorin",
    "tags": "Valmorin\U000e0069\U000e0067",
    "jinja": "Valmorin {{ 7*7 }} {% raw %}",
    "only marks": "Valmorin " + "\u0301" * 1_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_kept_as_harmless_text(name: str) -> None:
    found = mention(HOSTILE[name])

    to_table([found], MENTION_SCHEMA)
    found.text.encode()
    assert "Valmorin" in found.text
    assert not set(found.text) & set("\x00\r\u202e\u202c\U000e0069")
    assert "victime" not in found.text
    assert "VіlleDeValmorin" not in found.text


def test_hostile_identifiers_fit_every_store() -> None:
    odd = "a\x00b\ud800\r\n" + "c" * 5_000
    found = mention(
        native_id="a\x00b\ud800\r\nc", thread_id=odd, source_instance=odd, community=odd,
        licence=odd, title=odd, author_id=odd, author_handle=odd, hashtags=(odd,),
        url=odd, urls=(odd,),
        lang_declared=odd, geo_country=odd, geo_place=odd, mentioned_handles=(odd,),
    )  # fmt: skip

    to_table([found], MENTION_SCHEMA)
    assert found.native_id == "abc"
    assert len(found.thread_id or "") == stage.ID_LIMIT


def test_posts_are_read_lazily_by_chunks() -> None:
    drawn = 0

    def items() -> Iterator[tuple[Parsed, str]]:
        nonlocal drawn
        for n in range(10 * stage.CHUNK):
            drawn += 1
            yield post(native_id=str(n)), "x"

    chosen = settings()
    found = normalise(
        items(),
        settings=chosen,
        block=SourceBlock(name="masto", kind="mastodon"),
        manifest=MANIFEST,
        key=KEY,
        matcher=matcher(chosen.subjects, chosen.institution, chosen.relays),
        finder=finder(),
        run_id="r",
        seen_at=SEEN_AT,
    )
    next(found)

    assert drawn == stage.CHUNK


def test_a_mention_holds_the_places_that_its_text_names() -> None:
    assert mention("Valmorin et Tours (37) sous l'eau").place_codes == ("commune:37261",)
    assert mention("Valmorin est sous l'eau").place_codes == ()
    assert mention("Valmorin sous l'eau", title="La gare de Blois").place_codes == (
        "commune:41018",
    )


def test_hashtags_given_apart_name_places_too() -> None:
    assert mention("Valmorin est sous l'eau", hashtags=("Blois",)).place_codes == ("commune:41018",)


def test_here_is_the_institutions_own_place_where_the_post_is_about_it() -> None:
    tours = Institution(
        id="valmorin", name="Ville de Valmorin", kind="commune", territory=("commune:37261",),
        legal_basis="délibération",
    )  # fmt: skip
    said = [post("@VilleDeValmorin la ville ne répond pas", native_id="1"),
            post("Le lac : la ville ne répond pas", native_id="2")]  # fmt: skip
    subjects = (
        Subject(id="valmorin", label="Ville", purpose="répondre aux habitants",
                handles=("@VilleDeValmorin",)),
        Subject(id="lac", label="Lac", purpose="répondre aux habitants", names=("lac",)),
    )  # fmt: skip
    found = run(said, institution=tours, subjects=subjects)
    assert [m.place_codes for m in found if isinstance(m, Mention)] == [("commune:37261",), ()]


def test_here_does_not_prove_the_subject_that_it_would_follow_from() -> None:
    sens = Institution(
        id="sens", name="Ville de Sens", kind="commune", territory=("commune:89387",),
        legal_basis="délibération",
    )  # fmt: skip
    subject = Subject(
        id="sens", label="Ville", purpose="répondre aux habitants", ambiguous=("Sens",),
        context=("mairie",), places=("commune:89387",),
    )  # fmt: skip
    texts = ("quel sens pour la ville ?", "À Sens, la ville est sale", "La mairie de Sens, ici")
    said = [post(text, native_id=str(n)) for n, text in enumerate(texts)]
    found = run(said, institution=sens, subjects=(subject,))
    assert [isinstance(outcome, Mention) for outcome in found] == [False, True, True]


def test_queries_are_asked_of_the_places_that_are_stored() -> None:
    tours = Institution(
        id="tours", name="Ville de Tours", kind="commune", territory=("commune:37261",),
        legal_basis="délibération",
    )  # fmt: skip
    base = {"label": "x", "purpose": "répondre aux habitants"}
    subjects = (
        Subject(id="tours", **base, query="lac place:departement:37"),
        Subject(id="eau", **base, query="lac place:commune:37261"),
    )
    (found,) = run([post("Le lac d'Indre-et-Loire : la ville ne répond pas")],
                   institution=tours, subjects=subjects)  # fmt: skip
    assert isinstance(found, Mention)
    assert found.place_codes == ("commune:37261",)
    assert found.subject_ids == ("tours", "eau")


def test_who_asks_not_to_be_listed_is_placed_nowhere() -> None:
    assert mention("Valmorin et Blois sous l'eau", optout=True).place_codes == ()


def test_no_coordinate_of_a_post_is_ever_a_place() -> None:
    assert mention("Valmorin", geo_place="Blois", geo_country="fr").place_codes == ()


def test_the_same_posts_become_the_same_mentions_again() -> None:
    items = [post(native_id=str(n), author_id=str(n % 7)) for n in range(50)]

    assert run(items) == run(items)


# --- what queries read, and what they said


def watching(**changes: Any) -> Subject:
    values = {"id": "tram", "label": "Tram", "purpose": "répondre aux voyageurs"}
    return Subject(**(values | changes))


def asked(text: str, query: str, **changes: Any) -> stage.Outcome:
    (found,) = run([post(text, **changes)], subjects=(watching(query=query),))
    return found


def test_a_mention_holds_the_words_that_queries_read_and_the_versions_that_said_yes() -> None:
    found = mention("Valmorin, @quidam : le 06 12 34 56 78 #Eau", hashtags=("Eau",))

    assert found.words is not None
    assert found.words.startswith(" |  valmorin  _  le  _  #eau  eau  . \n")
    assert found.query_versions is not None
    assert [version.partition("@")[0] for version in found.query_versions] == ["valmorin"]


def test_who_asks_not_to_be_listed_leaves_no_words() -> None:
    assert mention(optout=True).words is None


def test_a_subject_that_the_block_gives_is_marked_as_given() -> None:
    assert mention("rien", block={"subject": "tram"}).query_versions == ("tram@given",)
    found = mention("Valmorin", block={"subject": "tram"})
    assert found.query_versions is not None
    assert found.query_versions[1] == "tram@given"


def test_the_own_posts_of_the_institution_are_marked_as_own() -> None:
    found = mention("rien", author_handle="@VilleDeValmorin")
    assert found.query_versions == ("valmorin@own",)


@pytest.mark.parametrize(
    ("query", "changes", "is_kept"),
    [
        ("panne lang:fr", {}, True),
        ("panne lang:en", {}, False),
        ("panne NOT lang:fr", {}, False),
        ("panne place:37", {"text": "Le tram de Tours est en panne"}, True),
        ("panne place:75056", {"text": "Panne dans le 12e arrondissement de Paris"}, True),
        ("panne place:37", {"text": "Le tram de Nantes est en panne"}, False),
        ("panne place:region:52", {"hashtags": ("Nantes",), "text": "Panne"}, True),
        ("site:exemple.social", {"url": "https://exemple.social/@a/1"}, True),
        ("site:exemple.org", {"url": "https://exemple.social/@a/1"}, False),
        ("panne type:comment", {"content_type": "comment"}, True),
        ("panne source:masto", {}, True),
        ("panne engagement:>2", {"like_count": 2, "share_count": 1}, True),
        ("panne engagement:>2", {"like_count": 2, "view_count": 90}, False),
        ("author:echo", {"author_handle": "@EchoValmorin"}, True),
        ("author:echo", {"author_handle": "@quidam"}, False),
        ("author:@VilleDeValmorin", {"author_handle": "@VilleDeValmorin"}, True),
        ("#Grève", {"hashtags": ("greve",)}, True),
        ("@EchoValmorin", {"mentioned_handles": ("@echovalmorin",)}, True),
        ("title:tram", {"title": "<b>Le tram</b>", "text_format": "html"}, True),
    ],
)
def test_a_query_is_asked_of_all_that_will_be_kept(
    query: str, changes: dict[str, Any], is_kept: bool
) -> None:
    text = "Le métro est encore en panne ce matin, merci aux agents qui nous aident"
    found = asked(changes.pop("text", text), query, **changes)
    assert isinstance(found, Mention) is is_kept


def test_masks_and_the_accounts_of_people_are_no_words() -> None:
    text = "écrivez à lea@exemple.fr ou au 06 12 34 56 78, merci @quidam"
    for query in ("mail OR tel OR quidam OR plaque", 'raw:"lea"', "exemple"):
        assert isinstance(asked(text, query), Rejection)
