"""The places and what they lie within."""

from __future__ import annotations

import pytest

from pipelines.errors import PlaceUnknown
from pipelines.places import gazetteer


def test_every_name_is_of_a_place_that_lies_within_a_region() -> None:
    for code in set(gazetteer.rows()["code"].to_pylist()):
        ups = gazetteer.rolled_up(code)
        levels = [gazetteer.LEVELS.index(gazetteer.place(up).level) for up in ups]
        assert ups[-1].startswith("region:")
        assert levels == sorted(set(levels))


def test_france_is_whole() -> None:
    count: dict[str, int] = {}
    for place in gazetteer.places().values():
        count[place.level] = count.get(place.level, 0) + 1
    assert count == {"arrondissement": 45, "commune": 34_935, "departement": 101, "region": 18}


@pytest.mark.parametrize(
    ("code", "wider"),
    [
        ("commune:37261", ("departement:37", "region:24")),
        ("arrondissement:69387", ("commune:69123", "departement:69", "region:84")),
        ("commune:2A004", ("departement:2A", "region:94")),
        ("commune:97411", ("departement:974", "region:04")),
        ("region:24", ()),
    ],
)
def test_a_code_rolls_up(code: str, wider: tuple[str, ...]) -> None:
    assert gazetteer.rolled_up(code) == (code, *wider)
    assert all(gazetteer.lies_within(code, up) for up in (code, *wider))


def test_only_the_finest_codes_are_kept() -> None:
    codes = frozenset({"commune:37261", "departement:37", "region:24", "departement:86"})
    assert gazetteer.finest(codes) == ("commune:37261", "departement:86")


def test_a_city_has_the_inhabitants_of_its_arrondissements() -> None:
    parts = [p for p in gazetteer.places().values() if p.within == "commune:69123"]
    assert len(parts) == 9
    assert gazetteer.place("commune:69123").population == sum(p.population for p in parts)


def test_a_merged_commune_keeps_its_name() -> None:
    rows = gazetteer.rows().to_pylist()
    assert {r["code"] for r in rows if r["name"] == "Cherbourg-Octeville"} == {"commune:50129"}
    assert gazetteer.place("commune:50129").name == "Cherbourg-en-Cotentin"


def test_a_name_is_found_whatever_its_accents_and_hyphens() -> None:
    assert gazetteer.named("saint etienne", "commune") == ("commune:42218",)
    assert len(gazetteer.named("Saint-Denis", "commune")) > 2
    assert gazetteer.named("Indre et Loire", "departement") == ("departement:37",)


@pytest.mark.parametrize("code", ["commune:99999", "37261", "", "pays:FR"])
def test_a_code_that_is_none_is_refused_with_what_to_write(code: str) -> None:
    with pytest.raises(PlaceUnknown, match="such as commune:37261"):
        gazetteer.place(code)
