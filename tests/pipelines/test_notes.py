"""What a reading notes: joined, told in the language in which it is kept."""

from __future__ import annotations

from pipelines import notes
from pipelines.errors import AddressRefused, SourceError
from pipelines.notes import noted
from pipelines.said import say, some

EMPTY, LEFT = (
    say("{file}: empty", file="a.csv"),
    some(", {n} row left out", ", {n} rows left out", n=2),
)


def test_notes_are_joined_once_each_and_told_in_any_language() -> None:
    found = noted([EMPTY, None, "raw {x}", EMPTY, ""])
    assert found == "a.csv: empty; raw {x}"
    assert notes.told(found, "fr") == "a.csv\u00a0: vide\u202f; raw {x}"
    lines = noted([EMPTY, EMPTY, LEFT], a_line_each=True)
    assert notes.told(lines, "fr") == "a.csv\u00a0: vide\n, 2 laissées de côté"


def test_one_note_stays_itself_and_none_is_none() -> None:
    assert noted([EMPTY]) is EMPTY
    assert noted([None, ""]) is None
    assert notes.told(None, "fr") is None
    assert notes.told("as it was", "fr") == "as it was"


def test_why_an_error_came_is_told_where_it_can_be() -> None:
    assert notes.told(notes.why(SourceError(EMPTY)), "fr") == "a.csv\u00a0: vide"
    assert notes.why(SourceError("as it was")) == "as it was"
    refused = AddressRefused(say("an address cannot be read ({why})", why="x"), say("correct it"))
    assert notes.told(notes.why(refused), "fr") == (
        "une adresse est illisible (x)\u00a0: corrigez-la"
    )
