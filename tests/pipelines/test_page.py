"""The page: safe whatever people write, readable by eye and by voice, true to its queries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from pipelines import digest, page, stories, wording
from pipelines.brief import Digest
from pipelines.letter import Letter
from pipelines.outlook import Interval
from tests.pipelines import valmont

START = datetime(2026, 11, 19, 9, tzinfo=UTC)
VOID = {"meta", "br", "img", "hr", "input", "link"}


class Outline(HTMLParser):
    """The elements of a page, its texts, and whether every element that opens closes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _outline(html: str) -> Outline:
    found = Outline()
    found.feed(html)
    found.close()
    return found


@pytest.fixture(scope="module")
def town() -> Iterator[duckdb.DuckDBPyConnection]:
    with valmont.warehouse_of("crisis") as connection:
        yield connection


@pytest.fixture(scope="module")
def crisis(town: duckdb.DuckDBPyConnection) -> Digest:
    return digest.build(town, settings=valmont.SETTINGS, day=valmont.DAY, as_of=valmont.AS_OF)


@pytest.fixture(scope="module", params=["fr", "en"])
def letter(request: pytest.FixtureRequest, crisis: Digest) -> Letter:
    return digest.render(crisis, locale=request.param)


def test_every_element_closes_and_nothing_runs_or_calls_out(letter: Letter) -> None:
    found = _outline(letter.html)
    assert found.faults == []
    assert found.open == []
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "iframe", "object", "embed", "form", "link", "svg", "video"}
    for tag, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "img":
            assert str(attributes["src"]).startswith("cid:")
    assert "url(" not in letter.html
    assert "@import" not in letter.html


def test_the_mail_is_small_enough_not_to_be_cut(letter: Letter) -> None:
    assert len(letter.html.encode()) < 100_000


def test_the_page_names_its_language_and_every_picture_has_words(
    crisis: Digest, letter: Letter
) -> None:
    found = _outline(letter.html)
    assert dict(found.tags)["html"]["lang"] in {"fr", "en"}
    pictures = [attributes for tag, attributes in found.tags if tag == "img"]
    assert {str(a["src"]).removeprefix("cid:") for a in pictures} == set(letter.images)
    assert set(letter.images) == {"volume", "tone", "hours"}
    assert all(len(str(a["alt"])) > 20 for a in pictures)


def test_headings_go_down_one_step_at_a_time(letter: Letter) -> None:
    levels = [int(tag[1]) for tag, _ in _outline(letter.html).tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_sections_are_the_same_every_day(crisis: Digest) -> None:
    with valmont.empty() as connection:
        bare = digest.build(
            connection, settings=valmont.SETTINGS, day=valmont.DAY, as_of=valmont.AS_OF
        )
    ids = [
        [a.get("id") for tag, a in _outline(digest.render(d, locale="fr").html).tags if tag == "h2"]
        for d in (bare, crisis)
    ]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 12


def test_every_query_named_on_the_page_is_a_file_and_is_listed(letter: Letter) -> None:
    found = _outline(letter.html)
    named = {
        name
        for _, attributes in found.tags
        for name in str(attributes.get("data-query") or "").split()
    }
    known = {f.name.removesuffix(".sql") for f in (files("sql") / "queries").iterdir()}
    assert named <= known
    assert len(named) >= 10
    marks = {str(a["href"])[1:] for tag, a in found.tags if tag == "a" and a.get("class") == "ref"}
    listed = {a["id"] for tag, a in found.tags if tag == "span" and a.get("id")}
    assert marks <= listed
    assert named - {"digest_previous"} <= listed


def test_what_is_quoted_rests_on_messages_of_the_warehouse(
    town: duckdb.DuckDBPyConnection, letter: Letter
) -> None:
    known = {row[0] for row in town.execute("select mention_id from mention").fetchall()}
    quotes = [a for tag, a in _outline(letter.html).tags if tag in {"blockquote", "h3"}]
    assert len(quotes) > 5
    for attributes in quotes:
        ids = set(str(attributes["data-ids"]).split())
        assert ids
        assert ids <= known


@pytest.mark.parametrize("level", ["vert", "jaune", "orange", "rouge"])
def test_the_level_reads_against_its_colour(level: str) -> None:
    template = (files("pipelines") / "templates" / "digest.html.j2").read_text(encoding="utf-8")
    match = re.search(rf"'{level}': \('(#\w+)', '(#\w+)'\)", template)
    assert match is not None
    assert _contrast(*match.groups()) >= 4.5


def _contrast(one: str, other: str) -> float:
    """The contrast of two colours, WCAG 2.2, 1..21."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


HOSTILE = (
    "<script>alert('x')</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)><a href="javascript:alert(1)">',
    "</title></style><style>body{display:none}</style>",
    "{{ 7*7 }} {% include '/etc/passwd' %} {d.risk} {0.__class__}",
    "texte \u202egnirts\u202c retourné \u2066caché\u2069",
    "nul\x00 cloche\x07 \x1b[31mrouge\x1b[0m \ud7ff \ufffe",
    "ligne\r\nBcc: quelqu’un@example.org\r\n\r\n",
    'src="cid:volume" <img src="cid:volume">',
    "A" * 30_000,
    "é" * 2_000 + " " + "👩‍🚒" * 500,
)
BAD_LINKS = (
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    'https://a.example/" onmouseover="alert(1)',
    "https://a.example/\nX: y",
    "//evil.example/x",
    "https://good.example@evil.example/",
    "https://[bad",
    "file:///etc/passwd",
    "https://a.example/\u202egpj.exe",
    "",
)


def _hostile() -> Digest:
    rows = [
        valmont.row(
            f"{text} eau robinet contaminée on nous cache tout ici {n}",
            START + timedelta(minutes=n),
            number=n * 10 + copy,
            tone="negative",
            topics=("T20", "<b>T99</b>"),
            author=f"a{n}{copy}",
            url=BAD_LINKS[(n + copy) % len(BAD_LINKS)],
            title=text,
            network="press" if copy % 2 else "mastodon",
            relay_id="echo" if copy == 5 else None,
            is_own=copy == 6,
        )
        for n, text in enumerate(HOSTILE)
        for copy in range(9 if text[:2] in ("<s", "{{") else 7)  # these two are surely shown
    ]
    who = valmont.SETTINGS.institution.model_copy(
        update={"name": "Ville <b>de</b>\r\nBcc: x@example.org", "legal_basis": "<i>loi</i>"}
    )
    settings = valmont.SETTINGS.model_copy(update={"institution": who})
    with valmont.empty(settings) as connection:
        valmont.store(connection, rows)
        return digest.build(connection, settings=settings, day=valmont.DAY, as_of=valmont.AS_OF)


@pytest.fixture(scope="module")
def hostile() -> Letter:
    return digest.render(_hostile(), locale="fr")


def test_hostile_texts_are_words_and_nothing_else(hostile: Letter) -> None:
    found = _outline(hostile.html)
    assert found.faults == []
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "svg", "i"}
    assert len([tag for tag, _ in found.tags if tag == "style"]) == 1
    assert all(not n.startswith("on") for _, attributes in found.tags for n in attributes)
    assert any("<script>alert('x')</script>" in text for text in found.texts)
    assert any("{{ 7*7 }}" in text for text in found.texts)
    assert "49" not in "".join(text for text in found.texts if "include" in text)


def test_hostile_addresses_are_never_links(hostile: Letter) -> None:
    links = [str(a["href"]) for tag, a in _outline(hostile.html).tags if tag == "a"]
    assert all(link.startswith("#") for link in links)


def test_marks_that_turn_reading_round_and_control_characters_are_gone(hostile: Letter) -> None:
    for text in (hostile.html, hostile.text, hostile.subject):
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f]", text)


def test_no_line_of_the_subject_can_become_a_header(hostile: Letter) -> None:
    assert "\n" not in hostile.subject
    assert "\r" not in hostile.subject


def test_a_text_cannot_pass_itself_off_as_a_section_of_the_plain_part(hostile: Letter) -> None:
    lines = hostile.text.splitlines()
    assert not [line for line in lines if line.startswith("Bcc:")]
    assert all(len(line) < 2_000 for line in lines)


def test_a_picture_is_put_only_where_the_template_asks_for_one(
    tmp_path: Path, hostile: Letter
) -> None:
    made = _hostile()
    html = digest.save(tmp_path, made, hostile, locale="fr").read_text(encoding="utf-8")
    assert html.count('<svg class="chart"') == 2 * len(hostile.images)  # of two sizes


@pytest.mark.parametrize("url", BAD_LINKS)
def test_a_bad_address_has_no_link(url: str) -> None:
    assert wording.safe_link(url) is None


def test_a_plain_address_keeps_its_link() -> None:
    url = "https://mastodon.example/@valmont/11?a=b&c=d#e"
    assert wording.safe_link(url) == url


def test_the_page_is_one_file_that_needs_no_other(tmp_path: Path, crisis: Digest) -> None:
    letter = digest.render(crisis, locale="fr")
    path = digest.save(tmp_path, crisis, letter, locale="fr")
    assert path == tmp_path / "digests" / "2026-11-19.fr.html"
    html = path.read_text(encoding="utf-8")
    assert "cid:" not in html
    found = _outline(html)
    assert found.faults == []
    assert not {"img", "script", "link"} & {tag for tag, _ in found.tags}
    drawings = [a for tag, a in found.tags if tag == "svg"]
    assert len(drawings) == 2 * 3  # of two sizes
    assert all(len(str(a["aria-label"])) > 20 for a in drawings)
    assert len(html.encode()) < 300_000
    assert [p.name for p in path.parent.iterdir()] == ["2026-11-19.fr.html"]


def test_a_chart_of_the_page_has_its_figures_as_a_table_with_its_query(crisis: Digest) -> None:
    letter = digest.render(crisis, locale="fr")
    html = page.with_charts(letter.html, crisis, locale="fr")
    tables = [a for tag, a in _outline(html).tags if a.get("class") == "figures"]
    named = [a["data-query"] for a in tables]
    assert named == ["digest_volume", "digest_tone", "digest_hours"]
    last = crisis.volume.days[-1]
    assert f'<th scope="row">jeu. 19 nov.</th><td>{last.count} messages (attendu' in html


def test_saving_again_replaces_the_page(tmp_path: Path, crisis: Digest) -> None:
    letter = digest.render(crisis, locale="fr")
    first = digest.save(tmp_path, crisis, letter, locale="fr")
    assert digest.save(tmp_path, crisis, letter, locale="fr") == first
    assert len(list(first.parent.iterdir())) == 1


def test_an_unknown_locale_is_named() -> None:
    with pytest.raises(ValueError, match="'de'"):
        wording.words("de", valmont.PARIS)


def test_a_day_that_is_not_calm_names_its_first_story_above_all(crisis: Digest) -> None:
    spoken = wording.words("fr", valmont.PARIS)
    story = crisis.stories[0]
    assert page.plain(story.headline) in page.lead(crisis, spoken)
    assert spoken.count("messages", story.mention_count) in page.lead(crisis, spoken)
    calm = replace(crisis, risk=replace(crisis.risk, level="vert"))
    assert page.lead(calm, spoken) == ""
    assert page.lead(replace(crisis, stories=()), spoken) == ""


@pytest.mark.parametrize(
    ("negative_count", "waiting", "is_told"), [(30, 0, True), (85, 0, False), (85, 100, False)]
)
def test_two_ways_of_counting_tone_that_disagree_are_both_told(
    crisis: Digest, negative_count: int, waiting: int, is_told: bool
) -> None:
    """Texts that wait for a score, half of them here, say nothing of how the others were judged."""
    tone = replace(
        crisis.tone,
        negative=Interval(count=92, total=100, share=0.92, low=0.84, high=1.0),
        negative_count=negative_count,
        neutral_count=90 - negative_count,
        positive_count=0,
        undetermined_count=10,
        unscored_count=waiting,
        text_count=100 + waiting,
        is_estimated=True,
    )
    spoken = wording.words("en", valmont.PARIS)
    told = page.doubt(replace(crisis, tone=tone), spoken)
    assert told == ("Judged one by one, 30% of the texts are: such a gap says that the model"
                    " reads these texts badly." if is_told else "")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("@… Le pont de la gare est fermé depuis ce matin.", ""),
        ("@… Le pont de la gare est fermé depuis ce matin. Qui a une solution pour demain ?",
         "… Qui a une solution pour demain ?"),
        ("Le pont de la gare est fermé depuis ce matin. #Vendome", ""),
        ("Le pont de la gare est fermé depuis ce matin. Voilà.", ""),
    ],
)  # fmt: skip
def test_an_answer_is_not_quoted_again_below_its_own_headline(
    crisis: Digest, text: str, rest: str
) -> None:
    shown = crisis.stories[0].examples[0]
    own = replace(shown, message=replace(shown.message, text=text, title=None))
    headline = stories.headline(own.message)
    assert headline == "Le pont de la gare est fermé depuis ce matin."
    story = replace(
        crisis.stories[0], headline=headline, headline_id=own.message.mention_id, examples=(own,)
    )
    assert page.examples(story) == ([(own, rest)] if rest else [])


@pytest.mark.parametrize(
    ("texts", "near", "told"),
    [
        (1, 1, "161 messages : un même texte repris 160 fois, sur 5 sources."),
        (1, 12, "161 messages : 12 textes voisins, sur 5 sources."),
        (9, 1, "161 messages, 9 textes différents. Le plus repris : 160 fois, sur 5 sources."),
        (9, 12, "161 messages. Le plus repris, en 12 textes voisins : 160 fois, sur 5 sources."),
    ],
)  # fmt: skip
def test_a_story_tells_all_its_messages_and_how_often_a_text_was_repeated(
    crisis: Digest, texts: int, near: int, told: str
) -> None:
    origins = {f"site{n}.example": 1 for n in range(5)}
    largest = replace(crisis.stories[0].largest, copy_count=160, text_count=near, origins=origins)
    story = replace(crisis.stories[0], mention_count=161, text_count=texts, largest=largest)
    said = page.what(story, wording.words("fr", valmont.PARIS))
    assert said.replace("\u00a0", " ").replace("\u202f", " ") == told


def test_one_crisis_cell_is_proposed_however_many_stories_call_for_it(crisis: Digest) -> None:
    again = replace(crisis.stories[0], headline="Fuite de gaz place Vendôme")
    letter = digest.render(replace(crisis, stories=(crisis.stories[0], again)), locale="fr")
    text = letter.text.replace("\u00a0", " ").replace("\u202f", " ")
    assert text.count("points à H+1, H+2 et J+1") == 1
    assert text.count("Cellule de crise : la même que pour l’histoire 1.") == 1


def test_what_is_left_out_of_a_list_is_counted(crisis: Digest) -> None:
    many = replace(crisis.alerts, incidents=crisis.alerts.incidents[:1] * 9)
    letter = digest.render(replace(crisis, alerts=many), locale="en")
    assert "and 3 more" in letter.text
    assert "and 3 more" in letter.html


def test_what_holds_for_all_claims_and_requests_is_said_once(crisis: Digest) -> None:
    claims = tuple(replace(claim, answer=None) for claim in crisis.claims[:1] * 3)
    asked = tuple(replace(each, answer=None) for each in crisis.asked[:1] * 3)
    letter = digest.render(replace(crisis, claims=claims, asked=asked), locale="en")
    for body in (letter.html, " ".join(letter.text.split())):
        assert body.count("No answer of the institution to these claims") == 1
        assert body.count("None of these questions has an answer on file") == 1
        assert "No answer on file" not in body


def test_own_posts_are_told_as_a_mean_beside_what_is_usual(crisis: Digest) -> None:
    own = replace(crisis.own, mean_reply=9.0, mean_share=None, mean_like=21.2)
    spoken = wording.words("fr", valmont.PARIS)
    assert page.own_parts(own, "each", spoken) == "9 commentaires et 21 mentions J’aime"
