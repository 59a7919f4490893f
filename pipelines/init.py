"""The beginning of a home: a commented `vigie.toml`, the key of pseudonyms, the folders.

Nothing is ever overwritten. The template is `templates/vigie.toml`, in French as its readers
are; what it leaves to complete, `vigie doctor` names.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from pipelines import privacy
from pipelines.errors import VigieError
from pipelines.places import gazetteer
from pipelines.vigie_toml import FILE

FOLDERS = ("inbox", "keys")
TO_COMPLETE = "à compléter"  # in what the template cannot know; `vigie doctor` looks for it
_PLACEHOLDER = "example"  # a domain that nobody owns (RFC 2606)
_OF = re.compile(
    r"(?:ville|mairie|commune|métropole|région|département|préfecture|conseil \w+)\s+"
    r"(?P<of>de la|de l['’]|du|des|de|d['’])\s*(?P<place>.+)",
    re.IGNORECASE,
)
_PURPOSES = {
    "commune": "Répondre aux habitants, corriger les services municipaux, prévenir des dangers.",
    "departement": "Répondre aux usagers et corriger les services du département.",
    "region": "Répondre aux usagers et corriger les services de la région.",
    "prefecture": "Informer la population et prévenir les troubles et les dangers.",
    "autre": "Répondre aux usagers et corriger les services rendus.",
}


def write(home: Path, *, answers: Mapping[str, str]) -> Path:
    """The `vigie.toml` of a new institution, written with its key and folders.

    `answers` has `name`, and may have `kind`, `legal_basis`, `time_zone`, `domain` (of the mail
    addresses). Raises VigieError when there is a vigie.toml already, or an answer is wrong. The
    key of pseudonyms is made once; one that is there stays.
    """
    path = home / FILE
    if path.exists():
        raise VigieError(f"{path} exists: change it with an editor, or choose another --home")
    text = render(answers)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in FOLDERS:
        (home / name).mkdir(exist_ok=True, mode=0o700)
    if not (home / "keys" / "pseudonym.key").exists():
        privacy.new_key(home)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    return path


def render(answers: Mapping[str, str]) -> str:
    """The text of `vigie.toml` for these answers; VigieError when one of them is wrong."""
    name = " ".join(answers.get("name", "").split())
    kind = answers.get("kind", "commune")
    if not name:
        raise VigieError('the institution has no name: give one, --name "Ville de Monbourg"')
    if kind not in _PURPOSES:
        raise VigieError(
            f"{kind!r} is no kind of institution: choose one of {', '.join(_PURPOSES)}"
        )
    of = _OF.fullmatch(name)
    place = of["place"] if of else name
    identifier = slug(place)
    domain = answers.get("domain") or f"{identifier.replace('_', '-')}.{_PLACEHOLDER}"
    names = [name, f"mairie {_joined(of)}"] if of and kind == "commune" else [name]
    basis = f"Mission d'intérêt public (RGPD, art. 6-1-e), {TO_COMPLETE} : délibération n° …"
    values: dict[str, str | list[str]] = {
        "id": identifier,
        "name": name,
        "kind": kind,
        "territory": _territory(place, of["of"] if of else "", kind),
        "legal_basis": answers.get("legal_basis") or basis,
        "time_zone": answers.get("time_zone", "Europe/Paris"),
        "purpose": _PURPOSES[kind],
        "names": names,
        "ambiguous": [place] if of else [],
        "hashtags": [identifier.replace("_", "")],
        "director": f"direction@{domain}",
        "moderator": f"astreinte@{domain}",
        "operator": f"exploitation@{domain}",
        "sender": f"vigie@{domain}",
    }
    template = (files("pipelines") / "templates" / FILE).read_text(encoding="utf-8")
    return Template(template).substitute({key: _toml(value) for key, value in values.items()})


_LEVELS: dict[str, gazetteer.Level] = {
    "commune": "commune",
    "departement": "departement",
    "prefecture": "departement",
    "region": "region",
}
_ARTICLES = {"du": "le ", "des": "les ", "de la": "la "}


def _territory(place: str, of: str, kind: str) -> list[str]:
    """The code of the one place of France that bears the institution's name, if there is one.

    "Ville du Havre" is the commune "Le Havre", "Département de la Vienne" just "Vienne".
    """
    if kind not in _LEVELS:
        return []
    names = (place, _ARTICLES.get(of.lower(), "") + place)
    found = {code for name in names for code in gazetteer.named(name, _LEVELS[kind])}
    return sorted(found) if len(found) == 1 else []


def _joined(of: re.Match[str]) -> str:
    """The place with its preposition: "de Monbourg", "d'Angers"."""
    word: str = of["of"]
    return f"{word}{'' if word[-1] in '’' + chr(39) else ' '}{of['place']}"


def slug(name: str) -> str:
    """A name as an identifier: "Saint-Éloi" gives "saint_eloi"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:40].rstrip("_")
    return words if words[:1].isalpha() else f"i_{words}"[:40].rstrip("_")


def _toml(value: str | list[str]) -> str:
    """A text or a list of texts as TOML: what JSON writes, TOML reads, but for one control."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "")
