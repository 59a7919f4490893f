"""Wrong queries and what is said of them; `docs/query-errors.md` shows the same list.

python -m tests.pipelines.test_query_errors     # prints the page as it should be
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import query, query_told
from pipelines.errors import QueryError

PAGE = Path(__file__).parents[2] / "docs" / "query-errors.md"
ALLOWED = query.allowed(("tours", "@villedetours"), (("nr", ("@lanr",)),))

WRONG = (
    "",
    "mairie AND",
    "OR mairie",
    "mairie AND OR tram",
    "mairie OU tram ET bus",
    "(mairie OR tram",
    "mairie OR tram)",
    "mairie OR ()",
    '"conseil municipal',
    "mairie et tram",
    "mairie near/5 tram",
    "mairie NEAR tram",
    "mairie NEAR/500 tram",
    "mairie NEAR/5f tram",
    "mairie NEAR/5 tram NEAR/5 bus",
    "mairie OR tram NEAR/5 bus",
    "mairie NEAR/5 tram OR bus",
    "mairie NOT tram NEAR/5 bus",
    "(mairie AND tram) NEAR/5 bus",
    "((((aa NEAR/1 bb) NEAR/1 cc) NEAR/1 dd) NEAR/1 ee) NEAR/1 ff",
    "mairie, tram",
    "mairie -tram",
    "mairie && tram",
    "mairie|tram",
    "mairie^2 tram",
    "'conseil municipal'",
    "mairie\u200b tram",
    '"mairie tram"~5',
    "{SNCF} mairie",
    "NOT mairie",
    "mairie OR NOT tram",
    "lang:fr type:post",
    "le",
    "les*",
    "mairie OR pou?",
    'raw:"le"',
    "é",
    "tr*",
    "trav*ux",
    "*mairie",
    "t??m",
    "site:lemonde mairie",
    "site:lemonde.fr/*politique mairie",
    "site:mastodon.social/@quidam mairie",
    "lang:français mairie",
    "lang:eng mairie",
    "lang:zz mairie",
    "type:commentaire mairie",
    "lang: AND mairie",
    "lang:(fr en) mairie",
    "engagement:100 mairie",
    "place:Tours mairie",
    "place:commune:99123 mairie",
    "titre:mairie",
    "title:(mairie AND lang:fr)",
    "title:lang:fr",
    "risky:(Nice)",
    "risky:(Nice AND Sens) mairie",
    "😀",
    "C++",
    'raw:"é"',
    "#",
    "author:@jeandupont",
    "mairie AND @jeandupont",
    "mairie\nAND (tram\nOR bus",
    "forms:fermmer tram",
    "forms:xzqq tram",
    "forms:ferm* tram",
    "forms:être",
    '"forms:fermer école"',
    "forms:(fermer supprimer)",
)

DOUBTFUL = (
    "Valmont AND place:commune:37999",
    "Valmont AND lang:fr",
    "Valmont AND engagement:>5",
    "Sens OR mairie",
    "mairie",
    '"de la" OR tram',
    "pourquoi? AND tram",
    "trava* AND Valmont",
    "Valmont OR risky:(Nice)",
    "site:lemonde.fr",
    "forms:devoir AND tram",
    "forms:ferme AND tram",
    "forms:école",
)


def told(text: str) -> QueryError:
    """What is said of a query that is wrong."""
    with pytest.raises(QueryError) as error:
        query.parse(text, allowed=ALLOWED)
    return error.value


def page() -> str:
    """The page of wrong queries, from what is really said of them."""
    lines = [
        "# What is said of wrong queries",
        "",
        "Made by `python -m tests.pipelines.test_query_errors`; a test holds it equal to what is",
        "said. The line under each message is the query, with a mark under the place. Below is",
        "what French pages and `--locale fr` say. How to write queries: `docs/queries.md`.",
        "",
    ]
    for number, text in enumerate(WRONG, start=1):
        error = told(text)
        lines += [f"{number}.", "", "```text", str(error), "```", ""]
        lines += ["```text", error.why.told("fr"), "```", ""]
    return "\n".join([*lines, *_doubts()])


def _doubts() -> Iterator[str]:
    """What `vigie query explain` says of queries that are right, and may not be what was meant."""
    yield from (
        "# What may surprise in a right query",
        "",
        "`vigie query explain` and `vigie query test` say so; the query is used all the same.",
        "",
    )
    for text in DOUBTFUL:
        found = query_told.warnings(query.parse(text).tree)
        shown = [each.told(locale) for locale in ("en", "fr") for each in found]
        yield from (f"`{text}`", "", "```text", *shown, "```", "")


def test_every_doubt_is_told_in_french_too() -> None:
    for text in DOUBTFUL:
        found = query_told.warnings(query.parse(text).tree)
        assert found
        assert all(each.told("fr") != each for each in found)


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_query_is_told_with_its_place_and_a_remedy(text: str) -> None:
    error = told(text)
    assert error.what
    assert error.remedy
    assert 0 <= error.at <= len(text)
    assert "character" in error.place
    assert "Token" not in str(error)


def test_every_wrong_query_is_told_in_french_too() -> None:
    english = [text for text in WRONG if told(text).why.told("fr") == told(text).why]
    assert not english


def test_a_wrong_query_is_told_in_french_with_the_same_place() -> None:
    shown = told("mairie\nAND (tram\nOR bus").told("fr").splitlines()
    assert shown[0].startswith(
        "cette parenthèse n’est jamais fermée (ligne 2, caractère 5)\u00a0: "
    )
    assert shown[1:] == ["    AND (tram", "        ^"]


def test_there_are_more_than_thirty_and_no_two_say_the_same_of_the_same_place() -> None:
    assert len({str(told(text)) for text in WRONG}) == len(WRONG) >= 30


@pytest.mark.parametrize(
    ("text", "at", "what"),
    [
        ("mairie AND", 7, "nothing stands after AND"),
        ("(mairie OR tram", 0, "this parenthesis is never closed"),
        ("mairie ET (tram OU", 16, "nothing stands after OU"),
        ("mairie NEAR/5f tram", 7, "NEAR/5f gives no number of words from 0 to 100"),
        ("mairie OR tr*", 10, "tr* has 2 letters of its own: it would match far too much"),
    ],
)
def test_the_place_is_that_of_the_fault(text: str, at: int, what: str) -> None:
    error = told(text)
    assert (error.at, error.what) == (at, what)


def test_a_query_over_several_lines_names_the_line() -> None:
    error = told("mairie\nAND (tram\nOR bus")
    assert error.place == "line 2, character 5"
    assert "\n    AND (tram\n        ^" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "author:@jeandupont", "@jeandupont", 'author:"Jean Dupont"', '"@jeandupont"',
        '"merci @jeandupont"', 'raw:"@jeandupont"', "raw:jean@exemple.fr", "jean@exemple.fr",
        "site:mastodon.social/@jeandupont", "site:https://x.com/jeandupont/status/1",
        "site:m.facebook.com/jean.dupont", "site:bsky.app/profile/jean.bsky.social",
        "site:reddit.com/user/jeandupont", "site:forum.exemple.fr/u/jeandupont",
        "site:linkedin.com/in/jeandupont", "site:youtube.com/%40jeandupont", "site:t.me/s/jean",
        "site:exemple.social/users/jean", "site:facebook.com/profile.php?id=1",
    ],
)  # fmt: skip
def test_one_person_is_never_watched_and_the_law_is_named(text: str) -> None:
    error = told(f"mairie AND {text}")
    assert "GDPR art. 9" in str(error)
    assert "[[relays]]" in error.remedy


@pytest.mark.parametrize(
    "text",
    [
        "site:x.com/lanr", "site:mastodon.social/@lanr", "site:reddit.com/r/tours", "site:x.com",
        "site:facebook.com/groups/tours", "site:instagram.com/p/abc", 'raw:"rdv @ 10 h"',
        'raw:"@LaNR"', '"merci @LaNR"', "site:exemple.fr/politique",
    ],
)  # fmt: skip
def test_addresses_and_accounts_of_no_person_may_be_asked_for(text: str) -> None:
    assert query.parse(f"mairie AND {text}", allowed=ALLOWED)


def test_a_long_or_deep_query_is_refused_and_not_tried() -> None:
    assert "200001 characters" in told("m" * 200_001).what
    assert "30 parentheses" in told("(" * 5_000 + "mairie" + ")" * 5_000).what


@pytest.mark.parametrize("sign", ["«", "“", '"a" "'])
def test_many_quotes_without_a_partner_take_no_time(sign: str) -> None:
    began = time.process_time()
    assert told(sign * (200_000 // len(sign)))
    assert time.process_time() - began < 3


def test_the_page_of_errors_is_what_is_said() -> None:
    shown = PAGE.read_text(encoding="utf-8")
    assert shown == page(), (
        "run `python -m tests.pipelines.test_query_errors > docs/query-errors.md`"
    )


def test_the_mark_stands_right_on_a_terminal_of_80_columns() -> None:
    text = f"({' OR '.join(f'mot{n}' for n in range(30))}) AND tram et bus"
    with pytest.raises(QueryError) as found:
        query.parse(text)
    shown, mark = str(found.value).splitlines()[-2:]
    assert max(len(shown), len(mark)) < 80
    assert shown[mark.index("^") :].startswith("et bus")


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
