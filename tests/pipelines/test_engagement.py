"""Own posts beside the usual ones and those of others; questions and how soon they are answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines import digest, house
from pipelines.brief import Digest
from pipelines.errors import SettingsError
from pipelines.settings import Engagement, Settings
from tests.pipelines import valmont
from tests.pipelines.test_settings import GOOD

NOON = valmont.AS_OF - timedelta(hours=19)  # of the day, in Valmont
COURIER = """
[[relays]]
id = "courrier"
label = "Le Courrier"
kind = "media"
sites = ["courrier.example"]
"""
COMPARING = valmont.SETTINGS.model_copy(update={"engagement": Engagement(compare=("pref",))})


def _post(
    number: int,
    at: datetime,
    *,
    counts: tuple[int | None, int | None, int | None, int | None] = (1, 2, 3, None),
    media: tuple[str, ...] = (),
    urls: tuple[str, ...] = (),
    parent: str | None = None,
    handles: tuple[str, ...] = (),
    is_own: bool = True,
    relay: str | None = None,
    topics: tuple[str, ...] = (),
    text: str = "Une publication",
) -> valmont.Row:
    made = valmont.row(
        f"{text} {number}",
        *(at,),
        number=number,
        counts=counts,
        is_own=is_own,
        relay_id=relay,
        topics=topics,
        content_type="reply" if parent else "post",
    )
    more = {
        "media_types": media,
        "urls": urls,
        "parent_native_id": parent,
        "mentioned_handles": handles,
    }
    return replace(made, mention=replace(made.mention, **more))


def _made(rows: Sequence[valmont.Row], *, settings: Settings = valmont.SETTINGS) -> Digest:
    with valmont.empty(settings) as connection:
        valmont.store(connection, rows)
        _ask(connection)
        return digest.build(
            connection, settings=settings, day=valmont.DAY, as_of=valmont.AS_OF, faq=()
        )


def _ask(connection: duckdb.DuckDBPyConnection) -> None:
    """What ends in a question mark and a number is a question, as the model of acts would say."""
    connection.execute(
        "update score set acts = if(contains(m.text, '?'), ['question'], [])"
        " from mention as m where m.mention_id = score.mention_id"
    )


def test_posts_are_told_by_format_hour_and_topic_beside_the_usual() -> None:
    morning, evening = NOON - timedelta(hours=4), NOON + timedelta(hours=7)
    rows = [
        *(_post(n, morning, counts=(5, 5, 10, None), media=("video",)) for n in range(3)),
        *(_post(10 + n, evening, counts=(1, 1, 2, None)) for n in range(5)),
        *(_post(20 + n, evening, counts=(9, 9, 9, None), media=("image",)) for n in range(2)),
    ]
    found = _made(rows).engagement
    told = {(line.dimension, line.value): line.own for line in found.lines}
    assert found.usual is not None
    assert (found.usual.post_count, found.usual.reactions) == (10, 12.0)
    assert told["format", "video"].reactions == 20
    assert (told["format", "text"].reactions, told["format", "text"].post_count) == (4, 5)
    assert ("format", "image") not in told  # two posts say nothing
    assert told["hour", "morning"].reactions == 20
    assert told["hour", "evening"].post_count == 7


def test_a_rate_needs_views_and_leaves_out_posts_without() -> None:
    rows = [_post(1, NOON, counts=(1, 1, 2, 100)), _post(2, NOON, counts=(50, 50, 50, None))]
    found = _made(rows).engagement
    assert found.usual is not None
    assert found.usual.rate == pytest.approx(0.04)


def test_replies_of_ours_are_no_publications() -> None:
    rows = [_post(1, NOON), _post(2, NOON, parent="mastodon-900")]
    usual = _made(rows).engagement.usual
    assert usual is not None
    assert usual.post_count == 1


def test_own_posts_are_compared_with_chosen_institutions_only() -> None:
    rows = [
        *(_post(n, NOON) for n in range(4)),
        *(
            _post(10 + n, NOON, is_own=False, relay="pref", counts=(0, 0, 30, None))
            for n in range(3)
        ),
        *(
            _post(20 + n, NOON, is_own=False, relay="echo", counts=(0, 0, 900, None))
            for n in range(3)
        ),
    ]
    alone, beside = _made(rows).engagement, _made(rows, settings=COMPARING).engagement
    assert (alone.compared, alone.compared_to) == (None, ())
    assert beside.compared is not None
    assert (beside.compared.post_count, beside.compared.reactions) == (3, 30)
    html = digest.render(_made(rows, settings=COMPARING), locale="fr").html
    assert "Préfecture du Vallon" in html


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (f'{COURIER}[engagement]\ncompare = ["courrier"]\n', 'only relays of kind = "institution"'),
        ('[engagement]\ncompare = ["personne"]\n', "no [[relays]] block has this id"),
        ('[engagement]\ncompere = ["x"]\n', "did you mean 'compare'?"),
    ],
)
def test_nobody_but_institutions_is_compared_with(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "vigie.toml").write_text(f"{GOOD}\n{table}", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        house.read(tmp_path, environ={})
    assert any(said in fault.remedy for fault in caught.value.faults)


def test_questions_under_our_posts_are_timed_until_our_first_reply() -> None:
    asked = {"is_own": False, "text": "À quelle heure ?"}
    rows = [
        _post(1, NOON - timedelta(days=2)),
        _post(2, NOON, parent="mastodon-1", **asked),  # type: ignore[arg-type]
        _post(3, NOON + timedelta(hours=2), parent="mastodon-2"),
        _post(4, NOON + timedelta(hours=3), parent="mastodon-2"),
        _post(5, NOON, handles=("valmont",), **asked),  # type: ignore[arg-type]
        _post(6, NOON, **asked),  # type: ignore[arg-type] # to nobody
        _post(7, NOON - timedelta(days=8), parent="mastodon-1", **asked),  # type: ignore[arg-type]
    ]
    found = _made(rows).engagement.answers
    assert (found.question_count, found.answered_count, found.in_time_count) == (2, 1, 1)
    assert found.minutes == 120
    assert [each.text for each in found.waiting] == ["À quelle heure ? 5"]
    letter = digest.render(_made(rows), locale="fr")
    assert "Délai médian de réponse : 2 h" in re.sub(r"\s", " ", letter.text)
    assert "À quelle heure ? 5" in letter.html


def test_an_answer_heard_after_the_digest_is_not_known_to_it() -> None:
    rows = [
        _post(1, NOON - timedelta(days=2)),
        _post(2, NOON, parent="mastodon-1", is_own=False, text="Quand ?"),
        _post(3, valmont.AS_OF + timedelta(hours=2), parent="mastodon-2"),
    ]
    assert _made(rows).engagement.answers.answered_count == 0


def test_what_was_erased_or_wants_no_listening_is_no_question() -> None:
    quiet = _post(2, NOON, parent="mastodon-1", is_own=False, text="Quand ?")
    gone = _post(3, NOON, parent="mastodon-1", is_own=False, text="Où ?")
    rows = [
        _post(1, NOON - timedelta(days=2)),
        replace(quiet, mention=replace(quiet.mention, optout=True)),
        replace(gone, mention=replace(gone.mention, deleted_at=NOON)),
    ]
    assert _made(rows).engagement.answers.question_count == 0
