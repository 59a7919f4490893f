"""Reads an experience of Services Publics+: a citizen's words, and what the services answered.

Pure. The open data have had three spellings of their columns since 2021 (technical names, French
labels of the CSV, older labels with accents and underscores), so a column is known by its letters
alone: "Intitulé structure 1", `intitule_structure_1` and `intitulé_structure_1` are one. A dataset
that lacks a column which experiences cannot be without is refused, and told what it lacks.

The time is that of writing (`ecrit_le`): moderators publish in batches, and a batch is no burst.
Known gaps: only the first answer is dated (`date_de_premiere_reponse`), so where several services
answered, the others are marked as of unknown precision; a day is taken to be one in Paris.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.mention import Post, Precision, Rejection, TextFormat
from pipelines.sources import _feed_dates
from pipelines.sources._values import identifier

SOURCE = "services_publics_plus"
ANSWERS = (1, 2, 3)  # an experience concerns up to three services
_SITE = "https://www.plus.transformation.gouv.fr/experiences"
_PARIS = ZoneInfo("Europe/Paris")
_FEELINGS = {"positif": 1.0, "neutre": 0.0, "negatif": -1.0}
_MARKUP = re.compile(r"</?(?:p|br|div|ul|ol|li|strong|em|b|i|u|a|span)\b[^<>]*>", re.IGNORECASE)
_SLUG_LENGTH = 80
_SHORTEST_NAME = 3
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)[T ]00:00(?::00(?:\.0+)?)?(?:Z|\+00:00)?")

# Our name of each column, and the names that the data have given it; only their letters count.
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id_experience", "identifiant_experience"),
    "title": ("titre", "titre_de_l_experience"),
    "text": ("description", "description_de_l_experience"),
    "written": ("ecrit_le", "date_d_ecriture"),
    "published": ("date_de_publication", "publie_le"),
    "answered": ("date_de_premiere_reponse", "date_premiere_reponse"),
    "feeling": ("ressenti_usager", "ressenti_de_l_usager"),
    "author": ("pseudonyme_usager", "pseudonyme_de_l_usager"),
    "department": ("intitule_departement_usager", "departement_usager"),
    **{f"structure_{n}": (f"intitule_structure_{n}",) for n in ANSWERS},
    **{f"answer_{n}": (f"reponse_structure_{n}", f"reponse_de_la_structure_{n}") for n in ANSWERS},
}
# Without these the dataset is another one, or has changed: better no reading than a wrong one.
NEEDED = ("id", "text", "published", "feeling", "structure_1", "answer_1")


def letters(name: str) -> str:
    """A name as columns and services are compared: its letters and digits, without accents."""
    spread = unicodedata.normalize("NFKD", name.replace("œ", "oe").replace("Œ", "oe"))
    return "".join(c for c in spread.casefold() if c.isalnum() and c.isascii())


def columns(names: Iterable[str]) -> dict[str, str]:
    """Which of `names` is which of our columns; those not there are left out."""
    known = {letters(name): name for name in names}
    found: dict[str, str] = {}
    for ours, aliases in _ALIASES.items():
        name = next((known[alias] for alias in map(letters, aliases) if alias in known), None)
        if name is not None:
            found[ours] = name
    return found


def missing(found: Mapping[str, str]) -> tuple[str, ...]:
    """What a dataset with these columns lacks to be one of experiences, as the data name it."""
    return tuple(_ALIASES[ours][0] for ours in NEEDED if ours not in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """One row: texts as they stand in it, times as aware UTC, answers by place of the service."""

    id: str
    title: str | None
    text: str
    written: tuple[datetime | None, Precision]
    published: tuple[datetime | None, Precision]
    answered: tuple[datetime | None, Precision]
    rating: float | None
    author: str | None
    department: str | None
    structures: Mapping[int, str]
    answers: Mapping[int, str]

    @property
    def texts(self) -> tuple[str, ...]:
        """All that could name a subject."""
        said = (self.title, self.text, self.department, *self.structures.values())
        return tuple(text for text in (*said, *self.answers.values()) if text)

    @property
    def url(self) -> str:
        """Where the experience can be read; the site leads to it by its number."""
        plain = unicodedata.normalize("NFKD", self.title or "").encode("ascii", "ignore").decode()
        slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:_SLUG_LENGTH].strip("-")
        return f"{_SITE}/{self.id}_{slug}" if slug else f"{_SITE}/{self.id}"


def read(row: Any) -> Experience | Rejection:
    """The experience that a row tells, or why it tells none."""
    if not isinstance(row, dict):
        return rejection(None, "not_a_row", "the payload is not an object")
    found = columns(str(name) for name in row)
    told = {ours: row[name] for ours, name in found.items()}
    number = identifier(told.get("id"))
    if number is None or not re.fullmatch(r"[\w-]{1,64}", number):
        return rejection(None, "no_id", "the row has no number of an experience")
    if "text" not in found:
        return rejection(number, "unknown_schema", "the row has no description")
    return _experience(number, told)


def rejection(native_id: str | None, reason: str, detail: str) -> Rejection:
    """A refusal of this source."""
    return Rejection(source=SOURCE, native_id=native_id, reason=reason, detail=detail)


def _experience(number: str, told: Mapping[str, Any]) -> Experience:
    feeling = _line(told.get("feeling"))
    return Experience(
        id=number,
        title=_line(told.get("title")),
        text=_text(told.get("text")) or "",
        written=_time(told.get("written")),
        published=_time(told.get("published")),
        answered=_time(told.get("answered")),
        rating=_FEELINGS.get(letters(feeling)) if feeling else None,
        author=_line(told.get("author")),
        department=_line(told.get("department")),
        structures=_numbered(told, "structure", _line),
        answers=_numbered(told, "answer", _text),
    )


def _numbered(told: Mapping[str, Any], kind: str, reading: Any) -> dict[int, str]:
    found = {n: reading(told.get(f"{kind}_{n}")) for n in ANSWERS}
    return {n: text for n, text in found.items() if text}


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _line(value: Any) -> str | None:
    """A title or a name on one line, its entities read."""
    text = " ".join(html.unescape(value[:2_000]).split()) if isinstance(value, str) else ""
    return text or None


def _time(value: Any) -> tuple[datetime | None, Precision]:
    """When, and how exactly: midnight in Paris or in UTC stands for the day."""
    at, precision = _feed_dates.read(value if isinstance(value, str) else None, zone=_PARIS)
    if at is not None and (day := _DAY.fullmatch(value.strip())):
        return _feed_dates.read(day[1], zone=_PARIS)
    return at, precision


def posts(found: Experience, *, own: Iterable[str]) -> Iterator[Post]:
    """The citizen's words, then each answer as a reply by the service that gave it.

    `own` are letters of names: an answer of a service whose name holds one is the institution's.
    """
    at, precision = found.written if found.written[0] else found.published
    text, text_format = _formatted(found.text)
    yield Post(
        native_id=found.id,
        text=text,
        text_format=text_format,
        title=found.title,
        published_at=at,
        published_precision=precision if at else "unknown",
        network=SOURCE,
        content_type="review",
        collected_via="export",
        url=found.url,
        lang_declared="fr",
        author_id=found.author,
        author_handle=found.author,
        thread_id=found.id,
        community=next(iter(found.structures.values()), None),
        reply_count=len(found.answers),
        rating_value=found.rating,
        rating_min=None if found.rating is None else -1.0,
        rating_max=None if found.rating is None else 1.0,
        geo_place=found.department,
        licence="etalab-2.0",
        context=" · ".join(found.structures.values()) or None,
    )
    for number in found.answers:
        yield _answer(found, number, tuple(own))


def _answer(found: Experience, number: int, own: tuple[str, ...]) -> Post:
    """An answer is on a subject where the experience is: it stands under all of its words."""
    at, precision = found.answered
    is_only = len(found.answers) == 1
    if at is None:
        at = found.published[0] or found.written[0]
    text, text_format = _formatted(_unnamed(found.answers[number], found.author))
    structure = found.structures.get(number)
    name = letters(structure) if structure else ""
    return Post(
        native_id=answer_id(found.id, number),
        text=text,
        text_format=text_format,
        published_at=at,
        published_precision=precision if is_only and found.answered[0] else "unknown",
        network=SOURCE,
        content_type="reply",
        collected_via="export",
        url=found.url,
        lang_declared="fr",
        author_id=structure,
        author_kind="institution",
        thread_id=found.id,
        parent_native_id=found.id,
        community=structure,
        licence="etalab-2.0",
        context="\n".join(found.texts),
        is_own=any(word in name for word in own),
    )


def _unnamed(answer: str, author: str | None) -> str:
    """An answer without the pseudonym of the citizen whom it greets."""
    if author is None or len(author) < _SHORTEST_NAME:
        return answer
    return re.sub(rf"(?<!\w){re.escape(author)}(?!\w)", "…", answer, flags=re.IGNORECASE)


def answer_id(number: str, of_service: int) -> str:
    """The native id of the answer that the service of this place gave to an experience."""
    return f"{number}:reponse:{of_service}"


def _formatted(text: str) -> tuple[str, TextFormat]:
    """The text and its form: HTML where a tag stands in it, else plain with entities read."""
    if _MARKUP.search(text):
        return text, "html"
    return html.unescape(text).replace("\r\n", "\n").replace("\r", "\n"), "plain"
