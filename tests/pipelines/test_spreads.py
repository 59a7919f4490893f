"""What is passed on: near-copies by people, a claim apart from its denial, calls with a date."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from pipelines import spreads
from tests.pipelines.watched import AS_OF, Said, crowd, empty, say

CLAIM = "Selon un agent, l'eau des Tilleuls est contaminée depuis mardi et la mairie le cache"
DENIAL = "Selon un agent, l'eau des Tilleuls n'est pas contaminée depuis mardi et la mairie le dit"
CLAIM_EN = "They are hiding that the water of the old town is poisoned since Monday, please share"
DENIAL_EN = CLAIM_EN.replace("is poisoned", "isn't poisoned")
CALL = "Rassemblement samedi 14 mars à 14 h devant la mairie contre la fermeture de la piscine"


def found(said: Iterable[Said], *, minutes: int = 60) -> list[dict[str, Any]]:
    connection = empty()
    say(connection, said)
    rows: list[dict[str, Any]] = spreads.signals(connection, as_of=AS_OF).to_pylist()
    return [row for row in rows if row["window_minutes"] == minutes]


def test_near_copies_of_a_claim_are_counted_by_people() -> None:
    said = [*crowd(5, text=CLAIM), *crowd(3, text=f"RT {CLAIM} !!!", network="bluesky")]
    [row] = found(said)
    assert (row["mention_count"], row["text_count"], row["author_count"]) == (8, 2, 5)
    assert (row["is_claim"], row["is_call"], row["is_denial"]) == (True, False, False)
    assert row["window_count"] == 8


@pytest.mark.parametrize(("claim", "denial"), [(CLAIM, DENIAL), (CLAIM_EN, DENIAL_EN)])
def test_a_claim_and_its_denial_are_never_one(claim: str, denial: str) -> None:
    said = [*crowd(7, text=claim, acts=("claim",)), *crowd(6, text=denial, network="bluesky")]
    assert sorted(row["mention_count"] for row in found(said)) == [6, 7]


def test_a_denial_is_no_claim_however_it_is_scored() -> None:
    [row] = found(crowd(7, text=f"FAUX : {CLAIM}", acts=("claim",)))
    assert (row["is_claim"], row["is_denial"]) == (False, True)


def test_what_few_words_say_is_said_by_many_and_passed_on_by_none() -> None:
    assert found(crowd(30, text="Partagez, eau contaminée !", acts=("claim",))) == []


@pytest.mark.parametrize(
    ("text", "is_dated"),
    [
        (CALL, True),
        ("Rassemblement demain devant la mairie contre la fermeture de la piscine", True),
        ("Everybody to the town hall on Friday, rally against the closure of the pool", True),
        ("Rassemblement devant la mairie contre la fermeture de la piscine de quartier", False),
    ],
)
def test_a_call_is_seen_with_its_date(text: str, *, is_dated: bool) -> None:
    [row] = found(crowd(5, text=text))
    assert (row["is_call"], row["is_dated"]) == (True, is_dated)


def test_the_longer_window_holds_what_the_hour_no_longer_does() -> None:
    said = crowd(5, text=CLAIM, until=AS_OF - timedelta(hours=3))
    assert found(said) == []
    assert [row["mention_count"] for row in found(said, minutes=360)] == [5]


def test_neither_the_institution_nor_the_future_passes_anything_on() -> None:
    said = [
        *crowd(5, text=CLAIM, is_own=True),
        *(Said(at=AS_OF, text=CLAIM, author=f"{n:064x}") for n in range(5)),
    ]
    assert found(said) == []


def test_texts_beyond_the_limit_are_left_out_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spreads, "MOST_TEXTS", 1)
    other = "Selon une source, le maire aurait vendu en secret le parc des Cordiers à un promoteur"
    [row] = found([*crowd(5, text=CLAIM), *crowd(9, text=other, network="bluesky")])
    assert row["mention_count"] == 9
    assert "spread.cut texts=1" in caplog.text


@pytest.mark.slow
def test_a_flood_of_slightly_different_claims_costs_no_more_than_their_number() -> None:
    dice = random.Random(5)
    ends = [" ".join(f"mot{dice.randrange(9)}" for _ in range(3)) for _ in range(4_000)]
    said = [
        Said(at=AS_OF - timedelta(minutes=30), text=f"{CLAIM} {end}", author=f"{n:064x}")
        for n, end in enumerate(ends)
    ]
    connection = empty()
    say(connection, said)
    connection.execute("update score set acts = ['claim']")
    started = time.process_time()
    spreads.signals(connection, as_of=AS_OF)
    assert time.process_time() - started < 10
