"""The program that makes the gazetteer again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.places import pack


def _commune(insee: str, name: str, kind: str = "COM", **changes: Any) -> dict[str, Any]:
    values = {
        "insee": insee, "name": name, "type": kind, "departement": insee[:2], "region": "24",
        "region_name": "Centre-Val de Loire", "population": 1_000, "parent_insee": None,
    }  # fmt: skip
    return values | changes


COMMUNES = [
    _commune("37261", "Tours"),
    _commune("37009", "Artannes"),
    _commune("37010", "Borne", departement=None, kind="COMD", parent_insee="37009"),
    _commune("69123", "Lyon", population=None, region="84", region_name=None),
    _commune("37011", "Ailleurs", "COMD", region=None, parent_insee="37009"),
    _commune("69381", "Lyon 1er Arrondissement", "ARM", parent_insee="69123", region_name="Ra"),
    _commune("69382", "Lyon 2e Arrondissement", "ARM", parent_insee="69123", region="84"),
]
TEXTS = [
    "Il fait deux tours, puis trois tours, et Tours est loin. Des tours encore.",
    "Le ministre Élisabeth Borne parle. Jean Borne aussi, et Anne Borne. À Artannes, rien.",
    "Joué-lès-Tours ne compte pas.",
]


@pytest.fixture
def packed(tmp_path: Path) -> dict[str, dict[str, Any]]:
    lands = [{"departement": d, "region": r, "name": f"D{d}"} for d, r in (("37", "24"),
             ("69", "84"), ("976", "06"))]  # fmt: skip
    for name, rows in (("communes", COMMUNES), ("departements", lands)):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    pq.write_table(pa.table({"text": TEXTS}), tmp_path / "texts")
    table = pack.pack(tmp_path / "communes", tmp_path / "departements", [tmp_path / "texts"])
    codes = table["code"].to_pylist()
    return {row["name"]: row | {"codes": codes} for row in table.to_pylist()}


def test_every_place_lies_within_another(packed: dict[str, dict[str, Any]]) -> None:
    assert packed["Tours"]["code"] == "commune:37261"
    assert packed["Tours"]["within"] == "departement:37"
    assert packed["Lyon 2e Arrondissement"]["within"] == "commune:69123"
    assert packed["D37"]["within"] == "region:24"


def test_a_region_without_a_name_has_that_of_its_department(
    packed: dict[str, dict[str, Any]],
) -> None:
    assert {"departement:976", "region:06"} <= set(packed["D976"]["codes"])
    assert "region:None" not in packed["D976"]["codes"]


def test_a_city_adds_up_its_arrondissements(packed: dict[str, dict[str, Any]]) -> None:
    assert packed["Lyon"]["population"] == 2_000


def test_a_merged_commune_is_a_former_name_of_the_one_that_holds_it(
    packed: dict[str, dict[str, Any]],
) -> None:
    row = packed["Borne"]
    assert (row["code"], row["within"], row["is_former"]) == (
        "commune:37009", "departement:37", True,
    )  # fmt: skip


def test_use_tells_words_and_surnames_from_names(packed: dict[str, dict[str, Any]]) -> None:
    assert packed["Tours"]["use"] == "word"
    assert packed["Borne"]["use"] == "person"
    assert packed["Artannes"]["use"] == ""
