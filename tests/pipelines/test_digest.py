"""The digest: what a director reads, from a warehouse to a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pytest

from models import prevalence
from models.errors import WeightsError
from models.prevalence import Confusion
from pipelines import digest, outlook, warehouse
from pipelines.brief import Digest
from tests.pipelines import valmont


@pytest.fixture(scope="module")
def quiet() -> Iterator[Digest]:
    with valmont.warehouse_of("quiet") as connection:
        yield _built(connection)


@pytest.fixture(scope="module")
def crisis() -> Iterator[Digest]:
    with valmont.warehouse_of("crisis") as connection:
        yield _built(connection)


def _built(connection: duckdb.DuckDBPyConnection) -> Digest:
    return digest.build(connection, settings=valmont.SETTINGS, day=valmont.DAY, as_of=valmont.AS_OF)


def test_a_calm_day_is_green_and_says_so_in_one_line(quiet: Digest) -> None:
    assert quiet.risk.level == "vert"
    assert "Journée calme" in digest.render(quiet, locale="fr").text


def test_an_open_critical_incident_makes_the_day_red(crisis: Digest) -> None:
    assert (crisis.risk.level, crisis.risk.reason) == ("rouge", "critical_open")
    letter = digest.render(crisis, locale="fr")
    assert letter.subject == "Vigie · Ville de Valmont · ROUGE · incident critique ouvert"
    assert "En hausse" in letter.text


def test_a_crisis_is_one_story_with_its_copies_counted_once(crisis: Digest) -> None:
    story = crisis.stories[0]
    assert story.headline.startswith("Un agent le confirme : l’eau du robinet est contaminée")
    assert story.largest.copy_count >= 255
    assert set(story.largest.origins) == {"x", "mastodon", "bluesky"}
    assert [action.kind for action in story.actions] == ["crisis", "claim", "gathering"]
    text = " ".join(digest.render(crisis, locale="fr").text.split())
    assert f"{story.mention_count} messages" in text
    assert f"Le plus repris, en {story.largest.text_count} textes voisins" in text
    assert f"{story.largest.copy_count} fois, sur 3 sources." in text


def test_a_headline_is_cut_out_of_one_of_the_storys_own_messages(crisis: Digest) -> None:
    for story in crisis.stories:
        words = story.headline.rstrip("…")
        assert any(words in said.message.text for said in story.examples)


def test_a_claim_shows_its_copies_its_denials_and_the_answer_on_file(crisis: Digest) -> None:
    (claim, *_) = crisis.claims
    assert claim.said.copy_count >= 255
    assert claim.contrary_count > 0
    assert claim.answer is not None
    assert claim.answer.text.startswith("Eau du robinet aux Tilleuls : les analyses")
    assert not any("Rumeur" in other.said.message.text for other in crisis.claims)


def test_a_denial_never_counts_as_a_copy_of_the_claim() -> None:
    start = datetime(2026, 11, 19, 9, tzinfo=UTC)
    denial = valmont.CLAIM.replace("est contaminée", "n’est pas contaminée")
    rows = [
        valmont.row(text, start + timedelta(minutes=n), number=n)
        for n, text in enumerate([valmont.CLAIM] * 6 + [denial] * 2)
    ]
    made = _of(rows)
    assert [claim.said.copy_count for claim in made.claims] == [5]
    assert made.claims[0].contrary_count == 2


def test_figures_over_fewer_than_ten_authors_are_not_published() -> None:
    start = datetime(2026, 11, 19, 9, tzinfo=UTC)
    rows = [
        valmont.row(
            f"Message numéro {n} sur la ville et ses rues",
            start,
            number=n,
            tone="negative",
            topics=("T14",),
            author=f"a{n % 9}",
        )
        for n in range(40)
    ]
    made = _of(rows)
    (line,) = made.topics
    assert (line.is_suppressed, line.mention_count, line.negative) == (True, 0, None)
    assert made.tone.negative is None
    letter = digest.render(made, locale="fr")
    assert "chiffres non publiés (moins de 10 auteurs) : Laïcité et cultes" in _flat(letter.text)
    assert "non publié : moins de 10 auteurs" in _flat(letter.text)
    assert "topics" not in letter.images


@pytest.mark.parametrize(("authors", "told"), [(9, "Quelques textes"), (10, "40 textes")])
def test_the_reason_tells_no_figure_that_the_page_withholds(authors: int, told: str) -> None:
    start = datetime(2026, 11, 19, 9, tzinfo=UTC)
    rows = [
        valmont.row(
            f"Inondation rue {n}, les caves sont pleines",
            start,
            number=n,
            topics=("T20",),
            author=f"a{n % authors}",
        )
        for n in range(40)
    ]
    letter = digest.render(_of(rows), locale="fr")
    assert f"{told} parlent d’un danger" in _flat(letter.text)
    assert ("40 textes parlent" in _flat(letter.text + letter.html)) == (authors >= 10)


def test_ten_authors_are_enough() -> None:
    start = datetime(2026, 11, 19, 9, tzinfo=UTC)
    rows = [
        valmont.row(f"Message numéro {n}", start, number=n, topics=("T14",), author=f"a{n}")
        for n in range(10)
    ]
    assert not _of(rows).topics[0].is_suppressed


ESTIMATED = {"fr": "estimée d’après les probabilités", "en": "estimated from the model’s"}
_LIKELY = """
    update score set
        p_negative = case sentiment
            when 'negative' then 0.8 when 'undetermined' then 0.4 else 0.1 end,
        p_neutral = case sentiment
            when 'neutral' then 0.7 when 'undetermined' then 0.35 else 0.1 end,
        p_positive = case sentiment
            when 'positive' then 0.8 when 'neutral' then 0.2 when 'undetermined' then 0.25
            else 0.1 end
"""


def _with_chances(connection: duckdb.DuckDBPyConnection, *, weights: str = "w") -> None:
    """Every score with probabilities, by a tone model of these weights."""
    connection.execute(_LIKELY)
    connection.execute(
        "insert into scorer values ('s1', 'm', ?, 't', 't', '1', '{}', ?)", [weights, valmont.AS_OF]
    )


def _hundred(*, copies: int = 0) -> list[valmont.Row]:
    """Thirty negative texts, fifty neutral, twenty undetermined; then copies of a negative one."""
    start = datetime(2026, 11, 19, 9, tzinfo=UTC)
    tones = ["negative"] * 30 + ["neutral"] * 50 + ["undetermined"] * 20
    rows = [
        valmont.row(f"Message numéro {n}", start, number=n, tone=tone, author=f"a{n}")
        for n, tone in enumerate(tones)
    ]
    return rows + [
        valmont.row("Message numéro 0", start, number=500 + n, tone="negative", author=f"b{n}")
        for n in range(copies)
    ]


def _estimated(rows: list[valmont.Row]) -> Digest:
    with valmont.empty() as connection:
        valmont.store(connection, rows)
        _with_chances(connection)
        return _built(connection)


def test_the_share_of_negatives_is_estimated_and_the_page_says_so() -> None:
    made = _estimated(_hundred())
    share = made.tone.negative
    assert share is not None
    assert made.tone.is_estimated
    assert share.share == pytest.approx((30 * 0.8 + 50 * 0.1 + 20 * 0.4) / 100)
    assert (share.total, made.tone.negative_count, made.tone.undetermined_count) == (100, 30, 20)
    for locale, phrase in ESTIMATED.items():
        letter = digest.render(made, locale=locale)
        assert phrase in _flat(letter.text)
        assert phrase in _flat(letter.html)


def test_copies_are_no_evidence_in_an_estimate() -> None:
    assert _estimated(_hundred(copies=80)).tone == _estimated(_hundred()).tone


def test_texts_scored_before_probabilities_were_kept_are_counted_as_ever() -> None:
    made = _of(_hundred())
    assert made.tone.negative == pytest.approx(outlook.wilson(30, 80))
    assert not made.tone.is_estimated
    assert "estimée" not in digest.render(made, locale="fr").text


def test_a_day_without_a_text_has_no_share() -> None:
    made = _estimated([])
    assert (made.tone.negative, made.tone.usual_negative, made.tone.is_estimated) == (
        *(None, None),
        False,
    )


def test_known_errors_of_the_shipped_model_are_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    means = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    known = prevalence.confusion({"soft_confusion": means.tolist()})

    def _of_weights(weights: str | None, lang: str | None) -> Confusion:
        return known if (weights, lang) == ("w", "fr") else prevalence.IDENTITY

    monkeypatch.setattr(prevalence, "shipped", lambda: _of_weights)
    plain = np.array([0.37, 0.45, 0.18])  # what is said of `_hundred` on the average
    made = _estimated(_hundred()).tone.negative
    assert made is not None
    assert made.share == pytest.approx(np.linalg.solve(means.T, plain)[0])
    assert made.low < made.share < made.high


def test_what_another_model_read_is_no_part_of_the_usual_share() -> None:
    with valmont.warehouse_of("quiet") as connection:
        _with_chances(connection)
        usual = _built(connection).tone.usual_negative
        connection.execute(
            "insert into scorer values ('s0', 'm', 'old', 't', 't', '1', '{}', ?)", [valmont.AS_OF]
        )
        since = valmont.AS_OF - timedelta(days=12)
        connection.execute(
            "update score set scorer_id = 's0', p_negative = 1, p_positive = 0"
            " where published_at < ?",
            [since],
        )
        part = _built(connection).tone.usual_negative
        connection.execute(
            "update score set scorer_id = 's0', p_negative = 1, p_positive = 0"
            " where published_at < ?",
            [valmont.AS_OF - timedelta(days=4)],
        )
        nothing = _built(connection).tone.usual_negative
    assert usual is not None
    assert part == pytest.approx(usual, abs=0.1)
    assert nothing is None


def test_weights_that_cannot_be_read_leave_the_mean_probability(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def _unreadable() -> None:
        raise WeightsError("altered")

    monkeypatch.setattr(prevalence, "shipped", _unreadable)
    made = _estimated(_hundred()).tone.negative
    assert made is not None
    assert made.share == pytest.approx(0.37)
    assert "digest.tone_uncorrected" in caplog.text


def test_what_the_estimate_needs_does_not_grow_with_the_day() -> None:
    with valmont.warehouse_of("crisis") as connection:
        _with_chances(connection)
        rows = warehouse.run(
            connection,
            "queries/digest_tone",
            {"since": valmont.AS_OF - timedelta(days=30), "until": valmont.AS_OF},
        ).fetchall()
    assert all(len(row[-1]) == 1 for row in rows)


def test_only_relays_of_the_allow_list_are_named() -> None:
    start = datetime(2026, 11, 19, 9, tzinfo=UTC)
    rows = [
        valmont.row("Un article", start, number=1, relay_id="echo"),
        valmont.row("Une personne", start, number=2, relay_id="someone_who_left_the_list"),
        valmont.row("Une autre", start, number=3, relay_id=None),
    ]
    assert [relay.relay_id for relay in _of(rows).relays] == ["echo"]


def test_what_the_institution_posts_is_no_part_of_volume_or_tone() -> None:
    start = datetime(2026, 11, 19, 9, tzinfo=UTC)
    rows = [valmont.row("Agenda", start, number=n, is_own=True, tone="negative") for n in range(5)]
    made = _of(rows)
    assert (made.volume.count, made.tone.text_count, made.own.post_count) == (0, 0, 5)


def test_an_empty_warehouse_gives_a_yellow_digest_that_says_nothing_was_read() -> None:
    made = _of([])
    assert (made.risk.level, made.risk.reason) == ("jaune", "unread")
    for locale in ("fr", "en"):
        letter = digest.render(made, locale=locale)
        assert letter.images == {}
    french, english = (" ".join(digest.render(made, locale=x).text.split()) for x in ("fr", "en"))
    assert "n’a pas été lue de ces quatre semaines" in french
    assert "has not been read in the last four weeks" in english


def test_the_digest_says_which_source_was_late_cut_short_and_what_was_not_seen(
    crisis: Digest,
) -> None:
    text = _flat(digest.render(crisis, locale="fr").text)
    assert "mastodon n’est plus lue depuis le 19 nov. à 21:00 (10 h), faute de réponse" in text
    found = re.search(r"environ (\d+) messages sur ce temps-là, plutôt (\d+) au rythme", text)
    assert found
    assert int(found[2]) > 3 * int(found[1])  # in a crisis the usual is far too little
    assert "bluesky n’a pas été lue de 19:45 à 20:00, car elle n’a pas donné ces messages" in text
    assert "bluesky n’a pas tout montré de 20:00 à 20:45 : le nombre" in text
    assert "Lecture incomplète : 2 sur 4 sources lues normalement." in text
    assert re.search(
        r"minimum : il y manque sans doute environ \d+ messages, soit \d+ % du total", text
    )
    assert "La moitié des messages sont entendus moins de 5 min après" in text


def test_a_silent_source_is_told_from_a_source_that_is_late() -> None:
    with valmont.warehouse_of("quiet") as connection:
        connection.execute("delete from mention where source_name = 'bluesky'")
        connection.execute(
            "update intake set newest_published_at = null where source_name = 'bluesky'"
        )
        states = {source.name: source.cover.state for source in _built(connection).sources}
    assert states == {"bluesky": "silent", "export_x": "ok", "mastodon": "ok", "presse": "ok"}


def test_a_day_is_local_across_the_end_of_summer_time() -> None:
    rows = [
        valmont.row("avant minuit la veille", datetime(2026, 10, 24, 21, 59, tzinfo=UTC), number=1),
        valmont.row("minuit pile", datetime(2026, 10, 24, 22, 0, tzinfo=UTC), number=2),
        valmont.row("dernière minute", datetime(2026, 10, 25, 22, 59, tzinfo=UTC), number=3),
        valmont.row("le lendemain", datetime(2026, 10, 25, 23, 0, tzinfo=UTC), number=4),
    ]
    as_of = datetime(2026, 10, 26, 6, tzinfo=UTC)
    made = _of(rows, day=date(2026, 10, 25), as_of=as_of)
    assert made.volume.count == 2
    assert len(made.volume.hours) == 25


def test_a_day_still_going_on_is_compared_with_the_same_part_of_other_days() -> None:
    with valmont.warehouse_of("quiet") as connection:
        noon = datetime(2026, 11, 19, 11, tzinfo=UTC)
        part = digest.build(connection, settings=valmont.SETTINGS, day=valmont.DAY, as_of=noon)
        whole = _built(connection)
    assert part.is_partial
    assert part.volume.expected is not None
    assert whole.volume.expected is not None
    assert part.volume.expected.middle < whole.volume.expected.middle * 0.6
    assert part.volume.next_day is not None
    assert part.volume.next_day.middle == pytest.approx(whole.volume.next_day.middle, rel=0.1)  # type: ignore[union-attr]
    assert "comptée jusqu’à 12:00" in digest.render(part, locale="fr").text


def test_a_day_that_has_not_begun_is_refused() -> None:
    with valmont.empty() as connection, pytest.raises(ValueError, match="has not begun"):
        digest.build(
            connection, settings=valmont.SETTINGS, day=date(2026, 11, 21), as_of=valmont.AS_OF
        )


def test_later_rows_do_not_change_a_past_digest() -> None:
    with valmont.warehouse_of("quiet") as connection:
        before = _built(connection)
        late = datetime(2026, 11, 20, 5, tzinfo=UTC)
        rows = [valmont.row(f"plus tard {n}", late, number=90_000_000 + n) for n in range(300)]
        valmont.store(connection, rows)
        after = _built(connection)
    assert replace(after, sources=()) == replace(before, sources=())


def test_the_level_is_remembered_and_compared_the_day_after() -> None:
    with valmont.warehouse_of("crisis") as connection:
        first = _built(connection)
        digest.remember(connection, first, made_at=valmont.AS_OF)
        digest.remember(connection, first, made_at=valmont.AS_OF)
        rows = connection.execute(
            "select risk_level, reason, body from digest where day_on = ?", [valmont.DAY]
        ).fetchall()
        following = digest.build(
            connection,
            settings=valmont.SETTINGS,
            day=valmont.DAY + timedelta(days=1),
            as_of=valmont.AS_OF + timedelta(days=1),
        )
    assert [row[0] for row in rows] == ["rouge"]
    assert "contaminée" not in rows[0][1] + rows[0][2]
    assert following.previous_level == "rouge"


def _of(
    rows: list[valmont.Row], *, day: date = valmont.DAY, as_of: datetime = valmont.AS_OF
) -> Digest:
    with valmont.empty() as connection:
        valmont.store(connection, rows)
        return digest.build(connection, settings=valmont.SETTINGS, day=day, as_of=as_of)


def _flat(text: str) -> str:
    return " ".join(text.split())


def test_a_source_at_fault_is_coverage_and_no_risk() -> None:
    with valmont.warehouse_of("quiet") as connection:
        opened = valmont.AS_OF - timedelta(hours=10)
        for state, rule in (("firing", "silent_source"), ("pending", "volume_surge")):
            connection.execute(
                "insert into incident values (?, ?, ?, '1', null, 'bluesky', 'critical', ?, ?, ?,"
                " null, 9, 1, '{}')",
                [rule, rule, rule, state, opened, opened],
            )
        made = _built(connection)
    assert made.risk.level == "vert"
    assert [line.rule_id for line in made.alerts.incidents] == ["silent_source"]
    assert "Source silencieuse · bluesky" in _flat(digest.render(made, locale="fr").text)


def test_a_day_whose_texts_have_expired_says_so() -> None:
    with valmont.warehouse_of("quiet") as connection:
        connection.execute("update mention set text = '', title = null, text_expired_at = now()")
        made = _built(connection)
    assert made.volume.count > 0
    assert "Les textes de ce jour ont expiré" in digest.render(made, locale="fr").text
