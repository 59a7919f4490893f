"""`vigie init` leaves a home that reads back without a fault, and overwrites nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines import init, privacy, settings, sources
from pipelines.errors import VigieError

NAMES = [
    ("Ville de Monbourg", "commune", "monbourg"),
    ("Ville d'Évreuil-sur-Orge", "commune", "evreuil_sur_orge"),
    ("Département du Haut-Val", "departement", "haut_val"),
    ('Région "Nord\\Sud" $name', "region", "region_nord_sud_name"),
    ("2 Rives", "autre", "i_2_rives"),
    ("Préfecture de la Sorne", "prefecture", "sorne"),
]


def read(home: Path, environ: dict[str, str] | None = None) -> settings.Settings:
    kinds = sources.options_by_kind()
    return settings.read(home, environ=environ or {}, source_options=kinds)


@pytest.mark.parametrize(("name", "kind", "identifier"), NAMES)
def test_what_init_writes_reads_back_without_a_fault(
    tmp_path: Path, name: str, kind: str, identifier: str
) -> None:
    path = init.write(tmp_path / "home", answers={"name": name, "kind": kind})
    found = read(path.parent)
    assert (found.institution.name, found.institution.id) == (name, identifier)
    assert [s.kind for s in found.sources] == ["file"]
    assert name in found.subjects[0].names


def test_a_town_is_watched_by_names_of_its_own_and_its_bare_name_near_context(
    tmp_path: Path,
) -> None:
    init.write(tmp_path, answers={"name": "Ville d'Aubray"})
    (subject,) = read(tmp_path).subjects
    assert subject.names == (
        "Ville d'Aubray", "mairie d'Aubray", "maire d'Aubray", "conseil municipal d'Aubray",
    )  # fmt: skip
    assert subject.ambiguous == ("Aubray",)
    assert "mairie" in subject.context


@pytest.mark.parametrize(
    ("name", "kind", "territory"),
    [
        ("Ville de Tours", "commune", ("commune:37261",)),
        ("Ville du Havre", "commune", ("commune:76351",)),
        ("Mairie de Saint-Denis", "commune", ()),  # four communes bear the name
        ("Département de la Vienne", "departement", ("departement:86",)),
        ("Préfecture d'Indre-et-Loire", "prefecture", ("departement:37",)),
        ("Région Normandie", "region", ("region:28",)),
        ("Région de Monbourg", "region", ()),
        ("Ville de Monbourg", "commune", ()),
        ("Agence de Tours", "autre", ()),
    ],
)
def test_the_territory_is_the_one_place_of_that_name(
    tmp_path: Path, name: str, kind: str, territory: tuple[str, ...]
) -> None:
    init.write(tmp_path, answers={"name": name, "kind": kind})
    assert read(tmp_path).institution.territory == territory


def test_a_town_counts_where_it_is_named_as_a_place_and_not_its_namesakes(tmp_path: Path) -> None:
    init.write(tmp_path, answers={"name": "Ville de Tours"})
    (subject,) = read(tmp_path).subjects
    assert subject.places == ("commune:37261",)
    assert {"rue de Tours", "Tours FC", "Joué-lès-Tours", "tours de scrutin"} < {*subject.exclude}
    assert "Tours" not in subject.exclude


def test_the_communes_of_a_department_are_no_namesakes_of_it(tmp_path: Path) -> None:
    init.write(tmp_path, answers={"name": "Préfecture du Gard", "kind": "prefecture"})
    (subject,) = read(tmp_path).subjects
    assert subject.ambiguous == ("Gard", "Gardois", "Gardoise", "Gardoises")
    assert "préfète du Gard" in subject.names
    assert "Saint-Jean-du-Gard" not in subject.exclude


def test_a_name_that_hundreds_of_communes_hold_excludes_none_of_them(tmp_path: Path) -> None:
    init.write(tmp_path, answers={"name": "Ville de Saint-Martin"})
    (subject,) = read(tmp_path).subjects
    assert "rue de Saint-Martin" in subject.exclude
    assert len(subject.exclude) < 40


def test_the_home_is_its_owners_alone_and_has_a_key(tmp_path: Path) -> None:
    home = tmp_path / "home"
    init.write(home, answers={"name": "Ville de Monbourg"})
    assert len(privacy.read_key(home, {})) == 32
    assert home.stat().st_mode & 0o077 == 0
    assert (home / "inbox").is_dir()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    init.write(tmp_path, answers={"name": "Ville de Monbourg"})
    key = privacy.read_key(tmp_path, {})
    with pytest.raises(VigieError, match="exists: change it with an editor"):
        init.write(tmp_path, answers={"name": "Ville de Aubray"})
    (tmp_path / "vigie.toml").unlink()
    init.write(tmp_path, answers={"name": "Ville de Monbourg"})
    assert privacy.read_key(tmp_path, {}) == key


@pytest.mark.parametrize("answers", [{}, {"name": "  "}, {"name": "X", "kind": "village"}])
def test_a_wrong_answer_is_told_and_nothing_is_written(
    tmp_path: Path, answers: dict[str, str]
) -> None:
    with pytest.raises(VigieError, match=r"name|kind"):
        init.write(tmp_path / "home", answers=answers)
    assert not (tmp_path / "home").exists()


def test_every_example_of_the_template_is_right_once_uncommented(tmp_path: Path) -> None:
    path = init.write(tmp_path, answers={"name": "Ville de Monbourg"})
    example = re.compile(r"^# (?=\[|\w+ = )", re.MULTILINE)
    path.write_text(example.sub("", path.read_text(encoding="utf-8")), encoding="utf-8")
    secrets = (
        "VIGIE_ASTREINTE",
        "VIGIE_BLUESKY_PASSWORD",
        "VIGIE_SMTP_PASSWORD",
        "VIGIE_BOITE",
        "VIGIE_CRM",
        "VIGIE_OIDC_SECRET",
        "VIGIE_TCHAP",
        "VIGIE_TICKETS",
        "VIGIE_TICKETS_SECRET",
        "VIGIE_YOUTUBE_KEY",
    )
    found = read(tmp_path, dict.fromkeys(secrets, "x"))
    assert {s.kind for s in found.sources} == set(sources.names())
    assert found.board.oidc is not None
    assert found.rota[0].email == "astreinte@monbourg.example"
