"""The beginning of a home: a commented `vigie.toml`, the key of pseudonyms, the folders.

Nothing is ever overwritten. The template is `templates/vigie.toml`, in French as its readers
are; what it leaves to complete, `vigie doctor` names.
"""

from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from string import Template

from pipelines import faq, privacy
from pipelines.errors import VigieError
from pipelines.places import gazetteer
from pipelines.places.names import inhabitants, read
from pipelines.places.spelling import folded_words
from pipelines.said import say
from pipelines.vigie_toml import FILE

FOLDERS = ("inbox", "keys")
TO_COMPLETE = "à compléter"  # in what the template cannot know; `vigie doctor` looks for it
_PLACEHOLDER = "example"  # a domain that nobody owns (RFC 2606)
_OF = re.compile(
    r"(?:ville|mairie|commune|métropole|région|département|préfecture|conseil \w+)\s+"
    r"(?P<of>de la|de l['’]|du|des|de|d['’])\s*(?P<place>.+)",
    re.IGNORECASE,
)
_REGION = re.compile(r"région\s+(?P<place>.+)", re.IGNORECASE)  # "Région Bretagne"
_PURPOSES = {
    "commune": "Répondre aux habitants, corriger les services municipaux, prévenir des dangers.",
    "departement": "Répondre aux usagers et corriger les services du département.",
    "region": "Répondre aux usagers et corriger les services de la région.",
    "prefecture": "Informer la population et prévenir les troubles et les dangers.",
    "autre": "Répondre aux usagers et corriger les services rendus.",
}
# Words near which the bare name is the institution: its own, then its services.
_CONTEXT = {
    "commune": (
        "mairie", "maire", "commune", "ville", "habitants", "municipal", "municipale", "municipaux",
        "municipales", "métropole", "quartier", "rues", "trottoirs", "propreté", "éclairage",
        "encombrants", "poubelles", "travaux", "cantine", "crèche", "piscine", "médiathèque",
    ),
    "departement": (
        "département", "départemental", "départementale", "départementales", "collège", "RSA",
        "MDPH", "PMI", "APA", "Ehpad", "SDIS", "pompiers",
    ),
    "region": (
        "région", "régional", "régionale", "régionaux", "lycée", "TER", "apprentis", "cars",
    ),
    "prefecture": (
        "préfecture", "préfet", "préfète", "préfectoral", "préfectoraux", "sous-préfecture",
        "titre de séjour", "permis de conduire", "vigilance", "arrêté",
    ),
    "autre": ("agence", "service", "guichet", "usagers", "agents"),
}  # fmt: skip
# What names the institution by itself; {} is the place with its preposition.
_NAMES = {
    "commune": ("mairie {}", "maire {}", "conseil municipal {}"),
    "departement": ("conseil départemental {}",),
    "region": ("conseil régional {}",),
    "prefecture": ("préfet {}", "préfète {}"),
}
# What bears the place's name without being it: {} is the place, {of} the same with its preposition.
_STREETS = ("rue {of}", "avenue {of}", "boulevard {of}")
_CLUBS = ("RC {}", "OGC {}", "FC {}", "AS {}", "US {}", "{} FC")
_NAMESAKES = {
    "commune": (*_STREETS, *_CLUBS),
    "departement": (*_STREETS, "pont {of}", "tour {of}"),
    "region": (*_STREETS, "tour {of}"),
    "prefecture": (*_STREETS, "pont {of}", "département {of}", "conseil départemental {of}"),
    "autre": (),
}
# Sport alone: an institution's own stadium and clubs are spoken of in other words.
_SPORT = (
    "Ligue 1", "Ligue 2", "Top 14", "Pro D2", "mercato", "buteur", "mi-temps", "s'incline",
)  # fmt: skip
_LIKE_MOST = 30  # longer names of other communes; of "Saint-Martin" there are hundreds


def write(home: Path, *, answers: Mapping[str, str]) -> Path:
    """The `vigie.toml` of a new institution, written with its key and folders.

    `answers` has `name`, and may have `kind`, `legal_basis`, `time_zone`, `domain` (of the mail
    addresses). Raises VigieError when there is a vigie.toml already, or an answer is wrong. The
    key of pseudonyms is made once; one that is there stays.
    """
    path = home / FILE
    if path.exists():
        raise VigieError(
            say("{path} exists: change it with an editor, or choose another --home", path=path)
        )
    text = render(answers)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in FOLDERS:
        (home / name).mkdir(exist_ok=True, mode=0o700)
    if not (home / "keys" / "pseudonym.key").exists():
        privacy.new_key(home)
    if not (home / faq.FILE).exists():
        (home / faq.FILE).write_text(_template(faq.FILE), encoding="utf-8")
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    return path


def _template(name: str) -> str:
    return (files("pipelines") / "templates" / name).read_text(encoding="utf-8")


def render(answers: Mapping[str, str]) -> str:
    """The text of `vigie.toml` for these answers; VigieError when one of them is wrong."""
    name = " ".join(answers.get("name", "").split())
    kind = answers.get("kind", "commune")
    if not name:
        raise VigieError(say('the institution has no name: give one, --name "Ville de Monbourg"'))
    if kind not in _PURPOSES:
        known = ", ".join(_PURPOSES)
        raise VigieError(
            say("{kind!r} is no kind of institution: choose one of {known}", kind=kind, known=known)
        )
    match = _OF.fullmatch(name)
    place = _bare(name, kind)
    of = _joined(match)
    territory = _territory(place, match["of"] if match else "", kind)
    is_place = place != name
    identifier = slug(place)
    domain = answers.get("domain") or f"{identifier.replace('_', '-')}.{_PLACEHOLDER}"
    basis = f"Mission d'intérêt public (RGPD, art. 6-1-e), {TO_COMPLETE} : délibération n° …"
    values: dict[str, str | list[str]] = {
        "id": identifier,
        "name": name,
        "kind": kind,
        "territory": territory,
        "legal_basis": answers.get("legal_basis") or basis,
        "time_zone": answers.get("time_zone", "Europe/Paris"),
        "purpose": _PURPOSES[kind],
        "names": _names(name, kind, of),
        "ambiguous": _ambiguous(place, territory) if is_place else [],
        "context": list(_CONTEXT[kind]),
        "exclude": _excluded(place, of, kind, territory) if is_place else [],
        "hashtags": [identifier.replace("_", "")],
        "director": f"direction@{domain}",
        "moderator": f"astreinte@{domain}",
        "operator": f"exploitation@{domain}",
        "sender": f"vigie@{domain}",
    }
    return Template(_template(FILE)).substitute(
        {key: _toml(value) for key, value in values.items()}
    )


def _bare(name: str, kind: str) -> str:
    """The place in an institution's name, or the whole name where it holds none."""
    if of := _OF.fullmatch(name):
        return str(of["place"])
    region = _REGION.fullmatch(name) if kind == "region" else None
    is_known = region and gazetteer.named(region["place"], "region")
    return str(region["place"]) if region and is_known else name


_LEVELS: dict[str, gazetteer.Level] = {
    "commune": "commune",
    "departement": "departement",
    "prefecture": "departement",
    "region": "region",
}


def _names(name: str, kind: str, of: str) -> list[str]:
    """The names that say the institution alone."""
    made = [pattern.format(of) for pattern in _NAMES.get(kind, ())] if of else []
    return list(dict.fromkeys([name, *made]))


def _ambiguous(place: str, territory: list[str]) -> list[str]:
    """The bare place, and its inhabitants where they are called after it alone."""
    people = [form for code in territory for form in inhabitants(code)]
    return [place, *people]


def _excluded(place: str, of: str, kind: str, territory: list[str]) -> list[str]:
    """What bears the place's name and is another thing: streets, clubs, communes; and sport."""
    namesakes = [pattern.format(place, of=of or f"de {place}") for pattern in _NAMESAKES[kind]]
    communes = sorted(filter(partial(_is_longer, place), _elsewhere(territory)))
    phrases = filter(partial(_is_longer, place), itertools.chain(*read("others").values()))
    like = communes if len(communes) <= _LIKE_MOST else []
    return [*namesakes, *like, *phrases, *(_SPORT if kind == "commune" else ())]


def _elsewhere(territory: list[str]) -> set[str]:
    """The names of the communes that lie without a territory."""
    return {
        found.name
        for code, found in gazetteer.places().items()
        if found.level == "commune" and not any(gazetteer.lies_within(code, t) for t in territory)
    }


def _is_longer(place: str, name: str) -> bool:
    """Whether a name holds a place's name and more: "Joué-lès-Tours" holds "Tours"."""
    held, whole = (f" {' '.join(folded_words(each))} " for each in (place, name))
    return held in whole and held != whole


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


def _joined(of: re.Match[str] | None) -> str:
    """The place with its preposition: "de Monbourg", "d'Angers"; nothing where none is told."""
    if of is None:
        return ""
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
