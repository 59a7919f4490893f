"""What a person would read of a text, whatever form it came in, and one form of each address."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings, strategies as st

from pipelines.mention import TEXT_LIMIT
from pipelines.plaintext import URL_LIMIT, canonical_url, clean, host_of, line, plain


def html(text: str) -> str:
    return plain(text, "html")[0]


def test_paragraphs_and_breaks_become_lines() -> None:
    read = html("<p>Bonjour<br>à tous,</p><p>l’eau   est\ncoupée.</p><ul><li>rue A<li>rue B</ul>")

    assert read == "Bonjour\nà tous,\n\nl’eau est coupée.\n\nrue A\nrue B"


def test_scripts_styles_and_comments_are_not_read() -> None:
    read = html(
        "<head><title>x</title></head><style>p{}</style><p>Avant<script>alert('x')</script>"
        "<!-- caché --><noscript>n</noscript><svg><text>s</text></svg> après</p>"
        "<iframe src=//exemple.fr></iframe><textarea>t</textarea>"
    )

    assert read == "Avant après"


def test_entities_become_characters_once() -> None:
    assert (
        html("<p>L&#39;&eacute;cole &amp;lt;b&amp;gt; 5&nbsp;&euro;</p>") == "L'école &lt;b&gt; 5 €"
    )


def test_a_shortened_link_is_read_whole() -> None:
    mastodon = (
        '<p>Voir <a href="https://www.exemple.fr/un/long/chemin"><span class="invisible">https://'
        'www.</span><span class="ellipsis">exemple.fr/un/lo</span><span class="invisible">ng/chemin'
        "</span></a>.</p>"
    )
    others = '<p>Voir <a href="https://exemple.fr/un/long/chemin">exemple.fr/un/lo…</a></p>'

    assert html(mastodon) == "Voir https://www.exemple.fr/un/long/chemin."
    assert html(others) == "Voir https://exemple.fr/un/long/chemin"


def test_a_link_with_words_keeps_its_words() -> None:
    assert html('<p>Lire <a href="https://exemple.fr/a">la suite...</a></p>') == "Lire la suite..."


def test_a_shortened_link_never_brings_another_scheme_in() -> None:
    assert html('<a href="javascript:alert(1)">exemple.fr/a…</a>') == "exemple.fr/a…"


def test_mentions_and_hashtags_of_mastodon_are_one_word_each() -> None:
    read = html(
        '<p><span class="h-card"><a href="https://exemple.social/@mairie" class="u-url mention">'
        '@<span>mairie</span></a></span> <a class="hashtag">#<span>Valmorin</span></a></p>'
    )

    assert read == "@mairie #Valmorin"


def test_emoji_images_are_read_as_their_emoji() -> None:
    assert html('<p>Bravo <img class="emoji" alt="👏" src="x.png"></p>') == "Bravo 👏"


def test_cells_of_a_table_are_apart() -> None:
    assert html("<table><tr><td>lundi</td><td>fermé</td></tr></table>").split() == [
        "lundi",
        "fermé",
    ]


@pytest.mark.parametrize(
    ("broken", "read"),
    [
        ("<p>a<b>c<i>d</b>e</p>f", "acde\n\nf"),
        ("a < b et c > d &", "a < b et c > d &"),
        ("<p", ""),
        ("<div><span>seul", "seul"),
        ("", ""),
        ("<>", "<>"),
        ("</p></p>fin", "fin"),
        ("<frameset><frame src=x></frameset>", ""),
        ("<a href=>vide</a>", "vide"),
    ],
)
def test_broken_html_is_read_as_browsers_do(broken: str, read: str) -> None:
    assert " ".join(html(broken).split()) == " ".join(read.split())


@pytest.mark.parametrize(
    "bomb",
    [
        "<div>" * 200_000 + "fin",
        "<script>" * 100_000,
        "<!--" * 100_000,
        "<p" * 200_000,
        "<a " * 200_000,
        "<" * 500_000,
        "".join(f"<b i={n}><p>" for n in range(20_000)),
        "<table>" * 50_000,
        "&amp;" * 200_000,
    ],
    ids=lambda bomb: bomb[:9],
)
def test_a_nesting_bomb_costs_little(bomb: str) -> None:
    began = time.process_time()

    html(bomb)

    assert time.process_time() - began < 2.0


def test_beyond_the_limit_of_tags_the_text_is_still_read() -> None:
    many = "<p>mot</p>" * 5_000 + "<script>caché()</script><p>fin &eacute;</p>"

    read = html(many)

    assert read.split() == ["mot"] * 5_000 + ["fin", "é"]


@pytest.mark.parametrize("bomb", ["[" * 200_000, "![a](" * 50_000, "_a " * 100_000, "**" * 100_000])
def test_a_markdown_bomb_costs_little(bomb: str) -> None:
    began = time.process_time()

    plain(bomb, "markdown")

    assert time.process_time() - began < 2.0


def test_markdown_is_read_without_its_marks() -> None:
    source = (
        "## Travaux\n> cité\nVoir **le [plan](https://exemple.fr/p)** et `ici`, "
        "snake_case_reste, 2 * 3 * 4\n![photo](https://exemple.fr/i.png)\n---\n- un &amp; deux"
    )

    assert plain(source, "markdown")[0] == (
        "Travaux\ncité\nVoir le plan et ici, snake_case_reste, 2 * 3 * 4\nphoto\n\n- un & deux"
    )


def test_plain_text_that_looks_like_html_stays_as_written() -> None:
    assert plain("<script>alert(1)</script> a < b")[0] == "<script>alert(1)</script> a < b"


def test_a_text_beyond_the_limit_is_cut_and_says_so() -> None:
    read, is_cut = plain("mot " * 300_000)

    assert is_cut
    assert len(read) <= TEXT_LIMIT
    assert plain("court") == ("court", False)


@pytest.mark.parametrize(
    ("odd", "read"),
    [
        ("a\x00b\x07c", "abc"),
        ("un\r\ndeux\rtrois\u2028quatre", "un\ndeux\ntrois\nquatre"),
        ("abc\u202edcba\u202c \u2066x\u2069\u200f", "abcdcba x"),
        ("va\u200blmo\ufeffrin \u00adici", "valmorin ici"),
        ("val\u200dmo\u200crin", "valmorin"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("paire \ud83d\ude00, moitié \ud83d", "paire 😀, moitié \ufffd"),
        ("e\u0301cole", "école"),
        ("12\u202f000\u00a0€", "12 000 €"),
        ("drapeau\U000e0041\U000e0042", "drapeau"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("  \t bord \u3000 ", "bord"),
    ],
)
def test_what_is_not_seen_is_not_kept(odd: str, read: str) -> None:
    assert clean(odd) == read


def test_heaps_of_marks_are_cut_to_what_languages_use() -> None:
    read = clean("V" + "\u0315\u0321\u0346" * 30 + "almorin")

    assert read.replace("\u0315", "").replace("\u0321", "").replace("\u0346", "") == "Valmorin"
    assert len(read) <= len("Valmorin") + 3


def test_a_title_is_one_line() -> None:
    assert line("Un\r\nBcc: x@exemple.fr\n titre ", limit=20) == "Un Bcc: x@exemple.fr"


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(codec=None), max_size=200), st.sampled_from(["plain", "html", "markdown"])
)
def test_any_text_becomes_one_that_any_store_holds(text: str, form: str) -> None:
    read, _ = plain(text, form)  # type: ignore[arg-type]

    read.encode()
    assert "\x00" not in read
    assert unicodedata.is_normalized("NFC", read)
    assert clean(read) == read


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("HTTPS://Www.Exemple.FR:443/A b?z=1&a=2#haut", "https://www.exemple.fr/A%20b?a=2&z=1"),
        ("http://exemple.fr:80", "http://exemple.fr/"),
        ("http://exemple.fr:8080/", "http://exemple.fr:8080/"),
        ("https://exemple.fr./", "https://exemple.fr/"),
        ("https://café.exemple/é", "https://xn--caf-dma.exemple/%C3%A9"),
        ("https://exemple.fr/%7Ea/%c3%a9", "https://exemple.fr/~a/%C3%A9"),
        ("https://nom:secret@exemple.fr/", "https://exemple.fr/"),
        ("https://exemple.fr/?utm_source=x&fbclid=y&gclid=z&mc_eid=1&xtor=2&at_medium=3&id=4",
         "https://exemple.fr/?id=4"),
        ("https://exemple.fr/?qui=camille@exemple.fr&id=4", "https://exemple.fr/?id=4"),
        ("https://exemple.fr/?vide=&b", "https://exemple.fr/?b=&vide="),
        ("https://[2001:DB8::1]/x", "https://[2001:db8::1]/x"),
        ("  https://exemple.fr/a  ", "https://exemple.fr/a"),
        ("https://exemple.fr/a;b=1", "https://exemple.fr/a;b=1"),
    ],
)  # fmt: skip
def test_an_address_has_one_form(address: str, canonical: str) -> None:
    assert canonical_url(address) == canonical
    assert canonical_url(canonical) == canonical


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,x",
        "//exemple.fr/a", "/a", "", None, "mailto:a@exemple.fr", "ftp://exemple.fr/", "https://",
        "http://[::1", "https://exemple.fr:99999/", "https://exemple fr/", "https://..fr/",
        "https://" + "a" * 300 + ".fr/", "https://exemple.fr/" + "a" * URL_LIMIT,
        "https://exemple.fr\\@autre.fr/", "https://ex\u200emple<b>.fr/",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_none(address: str | None) -> None:
    assert canonical_url(address) is None


def test_line_ends_cannot_leave_an_address() -> None:
    found = canonical_url("https://exemple.fr/\r\nSet-Cookie: a=1")

    assert found == "https://exemple.fr/Set-Cookie:%20a=1"


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.characters(codec=None), max_size=80).map(lambda rest: "https://exemple.fr/" + rest)
)
def test_a_canonical_address_is_its_own(address: str) -> None:
    found = canonical_url(address)

    assert found is None or (found.isascii() and canonical_url(found) == found)


def test_the_host_comes_without_www() -> None:
    assert host_of("https://www.exemple.fr/a") == "exemple.fr"
