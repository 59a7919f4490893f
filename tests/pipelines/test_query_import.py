"""Queries of other tools: put where they mean the same, refused by name where they do not."""

from __future__ import annotations

import pytest

from pipelines import query
from pipelines.errors import QueryError, VigieError
from pipelines.query_import import imported

ALLOWED = query.allowed(("tours", "@villedetours"), ())


@pytest.mark.parametrize(
    ("text", "put"),
    [
        ("apple AND juice", "apple AND juice"),
        ("apple juice", "apple juice"),
        ("apple NOT juice", "apple NOT juice"),
        ('"apple juice"~5', "(apple NEAR/5 juice)"),
        ('"apple"~5', '"apple"'),
        ("((apple OR orange) NEAR/5 (phone OR car))", "((apple OR orange) NEAR/5 (phone OR car))"),
        ("(logitech NEAR/2f keyboard)", "(logitech ONEAR/2 keyboard)"),
        ("((apple OR orange) AND (phone OR car))~5", "((apple OR orange) NEAR/5 (phone OR car))"),
        ("complain* OR customi?e", "complain* OR customi?e"),
        ('title:"apple juice"', 'title:"apple juice"'),
        ("title:(apple OR juice)", "title:(apple OR juice)"),
        ("apple <<<a comment>>> AND juice", "apple AND juice"),
        ("{BT} AND phone", 'raw:"BT" AND phone'),
        ("raw:Google+ AND apple", "raw:Google+ AND apple"),
        ("language:en AND apple", "lang:en AND apple"),
        ("site:twitter.com AND apple", "site:twitter.com AND apple"),
        ("site:(a.fr OR b.fr) AND apple", "site:(a.fr OR b.fr) AND apple"),
        ('url:"msn.com/news" AND Simon', "site:msn.com/news AND Simon"),
        ("subreddit:nba AND apple", "site:reddit.com/r/nba AND apple"),
        ("engagementType:REPLY AND apple", "type:reply AND apple"),
        ("engagementType:RETWEET AND apple", "type:repost AND apple"),
        ("engagementType:(RETWEET OR QUOTE) AND a1", "type:(repost OR quote) AND a1"),
        (
            "subreddit:(nba OR nfl) AND apple",
            "site:(reddit.com/r/nba OR reddit.com/r/nfl) AND apple",
        ),
        (
            '(site:("a.fr" OR "b.fr") AND (apple OR REPLY))',
            "(site:(a.fr OR b.fr) AND (apple OR REPLY))",
        ),
        ("url:lemonde.fr/* AND apple", "site:lemonde.fr/* AND apple"),
        ('apple AND "😀"', 'apple AND raw:"😀"'),
        ('apple AND raw:"😀"', 'apple AND raw:"😀"'),
        ("#Monday OR @villedetours", "#Monday OR @villedetours"),
        ("author:villedetours", "author:villedetours"),
        ("apple AND 😀", 'apple AND raw:"😀"'),
    ],
)
def test_brandwatch_is_put_where_it_means_the_same(text: str, put: str) -> None:
    assert imported(text, tool="brandwatch", allowed=ALLOWED).text == put


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ('country:gbr AND "apple juice"', "Brandwatch's country:"),
        ('city:"deu.berlin.berlin" AND apple', "Brandwatch's city:"),
        ("latitude:[41 TO 44] AND apple", "Brandwatch's latitude:"),
        ("authorGender:F AND apple", "GDPR art. 9"),
        ("authorFollowers:[500 TO 100000] AND apple", "GDPR art. 9"),
        ("rating:[3 TO 5] AND apple", "Brandwatch's rating:"),
        ("links:msn.com AND apple", "Brandwatch's links:"),
        ("tags:photography AND apple", "Brandwatch's tags:"),
        ("engagementType:LIKE AND apple", "Brandwatch's engagementType:LIKE"),
        ("author:ladygaga", "GDPR art. 9"),
        ("apple~", "~ behind one word"),
        ("apple~2", "~ behind one word"),
        ('"a b c"~5', "~ over 3 words"),
        ("(apple OR juice)~5", "~ behind a group"),
        ("(apple AND juice AND tea)~5", "~ behind a group"),
        ("apple NEAR/150 juice", "Brandwatch's NEAR/150"),
        ("custom*ize", "* inside custom*ize"),
        ("*invalid", "* inside *invalid"),
        ("ap*", "2 letters of its own"),
        ("NOT bitter", "NOT leaves everything else"),
        ("apple AND juice OR pear", "OR is mixed with another operator"),
        ("foo:bar AND apple", "foo: is no field that is known"),
        ("+apple", "a plus sign"),
        ("-apple juice", "a minus sign"),
        ('"apple juice', "without its partner"),
    ],
)
def test_brandwatch_is_refused_by_the_name_of_the_operator(text: str, operator: str) -> None:
    with pytest.raises(VigieError) as error:
        imported(text, tool="brandwatch", allowed=ALLOWED)
    assert operator in str(error.value)


@pytest.mark.parametrize(
    ("text", "put"),
    [
        ("BMW AND NOT bike", "BMW AND NOT bike"),
        ("chocolate -swiss", "chocolate NOT swiss"),
        ('BMW AND NOT site:"http://www.wort.lu"', "BMW AND NOT site:http://www.wort.lu"),
        ('"obama merkel"~5', "(obama NEAR/4 merkel)"),  # jumps: one more than words between
        ("Luxemb* OR reali?ation", "Luxemb* OR reali?ation"),
        ('++"ABC" AND cat', 'raw:"ABC" AND cat'),
        ("cats NEAR/5 dogs", "cats NEAR/5 dogs"),
        ("cats ONEAR/5 dogs", "cats ONEAR/5 dogs"),
        ("lang:fr AND BMW", "lang:fr AND BMW"),
        ("domainurl:spiegel.de AND Auto", "site:spiegel.de AND Auto"),
        ("engagement:>10 AND BMW", "engagement:>10 AND BMW"),
        ("cat dog", "cat NEAR/9 dog"),
        ("SNCF", 'raw:"SNCF"'),
        ("@villedetours OR #tours", "@villedetours OR #tours"),
    ],
)
def test_talkwalker_is_put_where_it_means_the_same(text: str, put: str) -> None:
    assert imported(text, tool="Talkwalker", allowed=ALLOWED).text == put


@pytest.mark.parametrize(
    ("text", "operator"),
    [
        ("roam~1", "~ behind one word"),
        ('+"p&t" AND cat', "Talkwalker's + (raw data"),
        ("cats SENTENCE dogs", "Talkwalker's SENTENCE"),
        ("cats OSENTENCE dogs", "Talkwalker's OSENTENCE"),
        ("cat dog mouse", "3 words without an operator stand within 20 jumps"),
        ("sourcetype:NEWS AND BMW", "Talkwalker's sourcetype:"),
        ("sourcecountry:fr AND BMW", "Talkwalker's sourcecountry:"),
        ("content:BMW", "Talkwalker's content:"),
        ("hosturl:www.a.fr AND BMW", "Talkwalker's hosturl:"),
        ("{BMW}", "braces"),
        ("BMW <<<x>>>", "<<<"),
        ("cats NEAR/5f dogs", "Talkwalker's NEAR/5f"),
        ("@quidam OR BMW", "GDPR art. 9"),
    ],
)
def test_talkwalker_is_refused_by_the_name_of_the_operator(text: str, operator: str) -> None:
    with pytest.raises(VigieError) as error:
        imported(text, tool="talkwalker", allowed=ALLOWED)
    assert operator in str(error.value)


def test_the_place_is_that_of_the_operator_in_the_query_that_was_given() -> None:
    with pytest.raises(QueryError) as error:
        imported("apple AND\n  country:gbr", tool="brandwatch")
    assert (error.value.at, error.value.place) == (12, "line 2, character 3")


def test_what_vigie_finds_more_is_noted() -> None:
    found = imported("cats NEAR/5 dogs", tool="talkwalker")
    assert any("NEAR/5: taken for at most 5 words" in note for note in found.notes)
    assert any("plural of words" in note for note in found.notes)


def test_a_query_that_is_too_long_is_told_so_and_not_shown() -> None:
    with pytest.raises(VigieError, match="1000000 characters") as told:
        imported("a" * 1_000_000, tool="brandwatch")
    assert len(str(told.value)) < 200


def test_an_unknown_tool_is_told() -> None:
    with pytest.raises(VigieError, match="did you mean 'brandwatch'"):
        imported("a", tool="brandwach")


@pytest.mark.parametrize("text", ["(", ")", "~5", "()~5", '""~5', "title:", '"a b"~999', "{}", ":"])
def test_broken_queries_are_errors_and_never_tracebacks(text: str) -> None:
    for tool in ("brandwatch", "talkwalker"):
        with pytest.raises(VigieError):
            imported(text, tool=tool)
