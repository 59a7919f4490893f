"""Tokens of links: one meaning, one reader, one time; any change of one letter breaks them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from pipelines import links
from pipelines.errors import VigieError
from pipelines.letter import Letter
from pipelines.links import LinkError
from pipelines.settings import Settings, Web
from tests.pipelines.watched import AS_OF, settings

KEY = bytes(range(32))
INCIDENT = "0123456789abcdef"
EXPIRES = datetime(2026, 11, 22, tzinfo=UTC)


def token(key: bytes = KEY, recipient: str = "a@v.example") -> str:
    return links.token(
        key, action="silence", incident_id=INCIDENT, recipient=recipient, expires_at=EXPIRES
    )


def offered(town: Settings, *incidents: str) -> links.Offer:
    return links.offer(
        town, incidents or (INCIDENT,), as_of=AS_OF, letter_key=lambda who: who.encode().hex() * 3
    )


def test_every_incident_of_a_letter_has_links_of_its_own_and_one_takes_all(tmp_path: Path) -> None:
    town = settings(tmp_path, web=Web(url="https://vigie.valmorin.example"))
    second = "f" * 16
    assert offered(town).all_link is None
    offer = offered(town, INCIDENT, second)
    assert offer.personal is not None
    every = [offer.links[INCIDENT]["silence"], offer.links[second]["silence"], offer.all_link]
    letter = Letter(subject="s", text="\n".join(map(str, every)), html="", brief="")
    lines = offer.personal(letter, "a@v.example").text.splitlines()
    key = links.key(tmp_path)
    claims = [links.read(key, line.rpartition("/")[2], now=AS_OF) for line in lines]
    assert [(claim.action, claim.incident_id) for claim in claims] == [
        ("silence", INCIDENT),
        ("silence", second),
        ("acknowledge_all", (b"a@v.example".hex() * 3)[:16]),
    ]


def test_a_token_says_what_it_was_made_for() -> None:
    claim = links.read(KEY, token(), now=AS_OF)
    assert (claim.action, claim.incident_id, claim.expires_at) == ("silence", INCIDENT, EXPIRES)
    assert claim.who == links.who(KEY, INCIDENT, "a@v.example")
    assert len(token()) == 52


def test_a_token_names_nobody_and_tells_readers_and_incidents_apart() -> None:
    assert b"v.example" not in links._raw(token())
    assert links.who(KEY, INCIDENT, "a@v.example") != links.who(KEY, INCIDENT, "b@v.example")
    assert links.who(KEY, INCIDENT, "a@v.example") != links.who(KEY, "f" * 16, "a@v.example")


def test_a_token_expires_at_its_time() -> None:
    links.read(KEY, token(), now=EXPIRES - timedelta(seconds=1))
    with pytest.raises(LinkError) as caught:
        links.read(KEY, token(), now=EXPIRES)
    assert caught.value.reason == "expired"


@given(place=st.integers(0, 51), letter=st.sampled_from("ABCabc012-_=. é"))
def test_any_other_letter_breaks_a_token(place: int, letter: str) -> None:
    made = token()
    changed = made[:place] + letter + made[place + 1 :]
    if changed == made:
        return
    with pytest.raises(LinkError) as caught:
        links.read(KEY, changed, now=AS_OF)
    assert caught.value.reason == "broken"


@pytest.mark.parametrize(
    "written", ["", "x", token()[:-1], token() + "A", token(bytes(32)), "é" * 52]
)
def test_what_is_not_ours_is_broken(written: str) -> None:
    with pytest.raises(LinkError, match="broken"):
        links.read(KEY, written, now=AS_OF)


def test_the_key_is_drawn_once_private_and_refused_when_others_may_read_it(tmp_path: Path) -> None:
    first = links.key(tmp_path)
    assert links.key(tmp_path) == first
    path = tmp_path / "keys" / "links.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(VigieError, match="chmod 600"):
        links.key(tmp_path)


def test_a_letter_becomes_one_readers_and_no_text_of_a_stranger_becomes_a_link(
    tmp_path: Path,
) -> None:
    town = settings(tmp_path, web=Web(url="https://vigie.valmorin.example"))
    offer = offered(town)
    other = offered(town.model_copy(update={"home": tmp_path / "ailleurs"}))
    assert offer.personal is not None
    text = f"{offer.links[INCIDENT]['acknowledge']}\n{other.links[INCIDENT]['acknowledge']}\n"
    letter = Letter(subject="s", text=text, html=text, brief=text)
    ours, stranger, *_ = offer.personal(letter, "a@v.example").text.splitlines()
    assert stranger == other.links[INCIDENT]["acknowledge"]
    claim = links.read(links.key(tmp_path), ours.rpartition("/")[2], now=AS_OF)
    assert claim.who == links.who(links.key(tmp_path), INCIDENT, "a@v.example")
    again = offer.personal(letter, "b@v.example")
    assert again != offer.personal(letter, "a@v.example")
    assert replace(again, text="", html="", brief="").subject == "s"


def test_without_an_address_there_are_no_links_and_no_key(tmp_path: Path) -> None:
    assert offered(settings(tmp_path)).links == {}
    assert not (tmp_path / "keys").exists()
