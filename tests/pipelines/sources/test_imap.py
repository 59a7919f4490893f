"""The imap source, against a small IMAP server on loopback, and strangers' mails."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from pipelines import http
from pipelines.errors import AddressRefused, SourceError
from pipelines.mention import Post, Rejection
from pipelines.sources import Checkpoint, Payload, Request, Terms, _imap_box as boxes, imap
from pipelines.sources._mail_items import is_signed, read, sender_of, target
from tests.pipelines.sources.generated import ODD
from tests.pipelines.sources.hearing import (
    SECRETS,
    SINCE,
    UNTIL,
    Heard,
    landed,
    minutes,
    read_generated,
)
from tests.pipelines.sources.mailbox import Mailbox, mail, open_mailbox

PAYLOADS = Path(__file__).parents[2] / "payloads" / "imap"
ALERT = (PAYLOADS / "google_alert.html").read_text(encoding="utf-8")
LETTER = (PAYLOADS / "newsletter.html").read_text(encoding="utf-8")
GOOGLE = "google.com"


def options(**chosen: Any) -> imap.Options:
    told = {
        "host": "127.0.0.1",
        "port": 1,
        "security": "none",
        "user": "veille",
        "password_env": "VIGIE_TEST_KEY",
        "senders": (GOOGLE,),
        "timeout_seconds": 20.0,
    }
    return imap.Options(**{**told, **chosen})


def hear(
    box: Mailbox,
    home: Path,
    cursor: dict[str, Any] | None = None,
    *,
    since: datetime = SINCE,
    until: datetime = UNTIL,
    secrets: dict[str, str] | None = None,
    **chosen: Any,
) -> Heard:
    """One run over a served mailbox."""
    of = options(port=box.port, **chosen)
    with http.Client(allow_private=("127.0.0.1",)) as asking:
        request = Request(
            name="alertes",
            options=of,
            terms=Terms(),
            cursor=cursor,
            since=since,
            until=until,
            client=asking,
            home=home,
            secrets=SECRETS if secrets is None else secrets,
        )
        items = list(imap.collect(request))
    assert isinstance(items[-1], Checkpoint)
    payloads = landed(items, home)
    parsed = [p for payload in payloads for p in imap.parse(payload, of)]
    return Heard(payloads=payloads, checkpoint=items[-1], parsed=parsed, slept=0)


def link(number: int) -> str:
    return (
        f'<p><a href="https://journal.example/{number}">Valmont, nouvelle numéro {number}</a></p>'
    )


def filled(count: int) -> Mailbox:
    box = Mailbox()
    for number in range(1, count + 1):
        box.put(mail(link(number)), minutes(number))
    return box


def numbers(heard: Heard) -> list[int]:
    return sorted(int((post.url or "").rpartition("/")[2]) for post in heard.posts)


def parse(raw: bytes, **chosen: Any) -> list[Post | Rejection]:
    data = {"raw": base64.b64encode(raw).decode(), "arrived_at": "2026-11-20T08:13:00+00:00"}
    found = list(imap.parse(Payload(kind="mail", data=data), options(**chosen)))
    assert all(isinstance(item, Post | Rejection) for item in found)
    return found  # type: ignore[return-value]


# What a mail tells of


def test_a_google_alert_gives_its_items_with_the_links_they_lead_to() -> None:
    pool, canteen = parse(mail(ALERT))
    assert isinstance(pool, Post)
    assert pool.title == "Valmont : la piscine fermée jusqu'à lundi"
    assert pool.text == "La chaudière de la piscine de Valmont est en panne ..."
    assert pool.url == "https://www.petitmarais.example/valmont/piscine-fermee-1042"
    assert pool.published_at == datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)
    assert (pool.published_precision, pool.text_truncated) == ("day", True)
    assert (pool.author_id, pool.author_kind) == ("petitmarais.example", "media")
    assert (pool.network, pool.content_type) == ("press", "article")
    assert isinstance(canteen, Post)
    assert canteen.url == "https://gazette.example/cantine"


def test_the_same_article_in_two_mails_is_one_mention() -> None:
    first, second = parse(mail(ALERT)), parse(mail(ALERT, date="Sat, 21 Nov 2026 07:00:00 +0100"))
    assert [p.native_id for p in first] == [p.native_id for p in second]


def test_a_newsletter_gives_its_titles_and_neither_buttons_nor_links_for_one_reader() -> None:
    market, works = parse(mail(LETTER, sender="La Gazette <lettre@gazette.example>"))
    assert isinstance(market, Post)
    assert market.title == "Marché de Noël de Valmont : le programme complet"
    assert market.text.startswith("Deux semaines d’animations")
    assert (market.url or "").startswith("https://www.gazette.example/valmont/marche-de-noel")
    assert isinstance(works, Post)
    assert works.title == "Travaux rue du Pont : Valmont change les sens de circulation"
    assert (works.url, works.author_id) == (None, None)
    assert works.native_id.startswith("title:")


def test_a_mail_without_html_gives_its_addresses_with_the_line_before() -> None:
    (found,) = parse(mail("", plain="Bonjour\nValmont : le tram arrive\nhttps://j.example/tram.\n"))
    assert isinstance(found, Post)
    assert (found.title, found.url) == ("Valmont : le tram arrive", "https://j.example/tram")


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        ("https://www.google.com/url?q=https://a.example/x&sa=t", "https://a.example/x"),
        ("https://t.example/r?u=https%3A%2F%2Fb.example%2Fy%3Futm_source%3Dz", "https://b.example/y"),
        ("https://x.example/r?url=https://y.example/r?url=https://z.example/", "https://z.example/"),
        ("https://c.example/article?id=42", "https://c.example/article?id=42"),
        ("https://d.example/r?url=javascript:alert(1)", "https://d.example/r?url=javascript%3Aalert%281%29"),
        (f"https://e.example/c/{'Zm9vYmFy' * 8}", None),
        ("https://[", None),
    ],
)  # fmt: skip
def test_links_are_taken_back_to_where_they_lead(address: str, leads_to: str | None) -> None:
    assert target(address) == leads_to


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252", "us-ascii", "klingon"])
@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
def test_accents_survive_encodings_and_lies_about_them(charset: str, encoding: str) -> None:
    page = '<a href="https://j.example/a">L’école de Valmont : 3 € la cantine</a>'
    real = "cp1252" if charset in ("iso-8859-1", "windows-1252") else "utf-8"
    body = page.encode(real)
    if encoding == "base64":
        body = base64.encodebytes(body)
    elif encoding == "quoted-printable":
        body = b"".join(b"=%02X" % c if c > 126 or c == 61 else bytes([c]) for c in body)
    raw = (
        f"From: a@{GOOGLE}\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset={charset}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode() + body
    assert read(raw).items[0].title == "L’école de Valmont : 3 € la cantine"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "no_items"),
        (b"bonjour", "no_items"),
        (mail("<p>Rien à lire ici, pas un lien</p>"), "no_items"),
        (b"Content-Type: image/png\r\n\r\n\x89PNG", "no_text"),
        (b"Content-Type: text/html" + b"; a=b" * 150_000 + b"\r\n\r\nx", "swollen"),
        (b"Content-Type: text/html" + b";\r\n a=b" * 150_000 + b"\r\n\r\nx", "swollen"),
        (
            b"".join(
                b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
                for n in range(1_200)
            ),
            "unreadable_mail",
        ),
    ],
)
def test_what_tells_of_nothing_is_rejected_with_a_reason(raw: bytes, reason: str) -> None:
    (found,) = parse(raw)
    assert isinstance(found, Rejection)
    assert found.reason == reason


def test_what_is_no_payload_of_ours_is_rejected() -> None:
    for data in (None, {}, {"raw": 3}, {"raw": "é"}):
        (found,) = imap.parse(Payload(kind="mail", data=data), options())
        assert isinstance(found, Rejection)


def test_three_hundred_generated_mails_give_posts_and_reasons_and_no_crash(
    tmp_path: Path,
) -> None:
    dice = random.Random(20261120)
    payloads = []
    for turn in range(300):
        raw = mail(dice.choice((ALERT, LETTER, link(turn), "")), plain=f"Valmont, ligne {turn}")
        for _ in range(turn // 30):
            at = dice.randrange(len(raw))
            odd = str(dice.choice(ODD)).encode("utf-8", "replace")[:200]
            raw = raw[:at] + odd + raw[at + dice.randrange(60) :]
        payloads.append(Payload(kind="mail", data={"raw": base64.b64encode(raw).decode()}))
    parsed = read_generated(imap, options(), payloads, tmp_path)
    assert sum(isinstance(item, Post) for item in parsed) > 200


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_fail(body: bytes) -> None:
    assert parse(body)
    assert parse(b"Content-Type: text/html\r\n\r\n" + body)


# Signatures


@pytest.mark.parametrize(
    ("said", "sound"),
    [
        ("mx.valmont.example; dkim=pass header.i=@google.com header.s=x; spf=pass", True),
        ("mx.valmont.example 1; spf=pass; dkim=pass (2048-bit key) header.d=google.com", True),
        ("mx.valmont.example; dkim=fail header.d=google.com", False),
        ("mx.valmont.example; dkim=pass header.d=evil.example", False),
        ("mx.evil.example; dkim=pass header.d=google.com", False),
        ("mx.valmont.example; x=y dkim=pass header.d=google.com", False),
        ('mx.valmont.example; spf=pass smtp.mailfrom="; dkim=pass header.d=google.com"@e.x', False),
        ("mx.valmont.example; spf=pass (of (a); dkim=pass header.d=google.com)", False),
        ('mx.valmont.example; dkim=fail reason="; dkim=pass header.d=google.com', False),
        ("", False),
    ],
)
def test_a_signature_counts_by_the_word_of_the_server_named(said: str, sound: bool) -> None:
    headers = f"Authentication-Results: {said}\r\nFrom: a@google.com\r\n\r\n".encode()
    assert is_signed(headers, domain="google.com", by="mx.valmont.example") is sound


@pytest.mark.parametrize(
    ("said", "sender"),
    [
        ("=?utf-8?Q?La_D=C3=A9p=C3=AAche=2C_alertes?= <a@depeche.example>", "a@depeche.example"),
        ("=?utf-8?q?alertes=40google=2Ecom?= <x@evil.example>", "x@evil.example"),
        ("=?utf-8?q?=3Calertes=40google=2Ecom=3E?= <x@evil.example>", "x@evil.example"),
        ('"alertes@google.com, Google" <X@Evil.example>', "x@evil.example"),
        ("La Gazette\r\n <a@gazette.example>", "a@gazette.example"),
        ("", ""),
    ],
)
def test_a_sender_is_an_address_whatever_the_name_before_it_says(said: str, sender: str) -> None:
    assert sender_of(f"From: {said}\r\n\r\n".encode()) == sender


def test_unsigned_mails_are_left_alone_where_signatures_are_asked_for(tmp_path: Path) -> None:
    box = Mailbox()
    signed = "mx.valmont.example; dkim=pass header.d=google.com"
    box.put(mail(link(1), Authentication_Results=signed), minutes(1))
    box.put(mail(link(2)), minutes(2))
    with open_mailbox(box):
        heard = hear(box, tmp_path, authserv_id="mx.valmont.example")
    assert numbers(heard) == [1]
    assert "bore no sound signature" in heard.note


# The mailbox


def test_every_mail_comes_once_across_runs(tmp_path: Path) -> None:
    box = filled(120)
    with open_mailbox(box):
        first = hear(box, tmp_path)
        second = hear(box, tmp_path, first.cursor, since=UNTIL, until=UNTIL + timedelta(hours=2))
        third = hear(box, tmp_path, second.cursor, since=UNTIL, until=UNTIL + timedelta(hours=3))
    assert numbers(first) == list(range(1, 60))
    assert numbers(second) == list(range(60, 121))
    assert third.ids == []
    assert any("EXAMINE" in line for line in box.told)
    assert not any(word in " ".join(box.told) for word in ("STORE", "EXPUNGE", "BODY[]"))


def test_mails_of_anybody_else_are_never_opened(tmp_path: Path) -> None:
    box = Mailbox()
    box.put(mail(link(1)), minutes(1))
    box.put(mail(link(2), sender="Une habitante <odile@voisine.example>"), minutes(2))
    box.put(mail(link(3), sender='"alertes@google.com" <x@evil.example>'), minutes(3))
    box.put(mail(link(4), sender="x@notgoogle.com"), minutes(4))
    box.put(mail(link(5), sender="x@alerts.google.com"), minutes(5))
    with open_mailbox(box):
        heard = hear(box, tmp_path)
    assert numbers(heard) == [1, 5]
    assert "3 mails of other senders were left alone" in heard.note
    opened = [line for line in box.told if "BODY.PEEK[]" in line]
    assert [line.split()[3] for line in opened] == ["1", "5"]


def test_a_mailbox_numbered_anew_is_read_again_by_date_and_merged(tmp_path: Path) -> None:
    box = filled(10)
    with open_mailbox(box):
        first = hear(box, tmp_path)
        box.validity = 78
        second = hear(box, tmp_path, first.cursor)
    assert "numbered its mails anew" in second.note
    assert second.ids == first.ids
    assert second.cursor["validity"] == 78


def test_a_run_reads_so_many_mails_and_the_next_goes_on(tmp_path: Path) -> None:
    box = filled(30)
    seen: list[int] = []
    cursor = None
    with open_mailbox(box):
        for _ in range(4):
            heard = hear(box, tmp_path, cursor, max_mails=10)
            cursor, seen = heard.cursor, seen + numbers(heard)
    assert seen == list(range(1, 31))
    assert not heard.checkpoint.capped


def test_a_clock_that_is_wrong_by_days_holds_up_nobody(tmp_path: Path) -> None:
    box = filled(2)
    box.put(mail(link(3)), datetime(2031, 1, 1, tzinfo=UTC))
    box.put(mail(link(4)), minutes(4))
    with open_mailbox(box):
        assert numbers(hear(box, tmp_path)) == [1, 2, 3, 4]


def test_a_large_mail_is_not_read(tmp_path: Path) -> None:
    box = filled(1)
    box.put(mail(link(2) + "x" * 50_000), minutes(2))
    with open_mailbox(box):
        heard = hear(box, tmp_path, max_bytes=20_000)
    assert numbers(heard) == [1]
    assert "1 mails were larger than max_bytes" in heard.note


def test_folders_may_have_any_name(tmp_path: Path) -> None:
    box = filled(1)
    box.folder = "Alertes &AOA- l'&AOk-t&AOk- &-co"
    with open_mailbox(box):
        assert numbers(hear(box, tmp_path, folder="Alertes à l'été &co")) == [1]
        with pytest.raises(SourceError, match="no folder 'Ailleurs'"):
            hear(box, tmp_path, folder="Ailleurs")
        with pytest.raises(SourceError, match="no folder"):
            hear(box, tmp_path, folder='x"\r\nA1 DELETE INBOX')
    assert not any(line.startswith("A1 DELETE") for line in box.told)


def test_a_token_is_sent_as_xoauth2_wants_it(tmp_path: Path) -> None:
    box = filled(1)
    with open_mailbox(box):
        hear(box, tmp_path, auth="xoauth2")
    assert "user=veille\x01auth=Bearer cle-inventee\x01\x01" in box.told


def test_what_the_doctor_says_of_a_mailbox(tmp_path: Path) -> None:
    box = filled(3)
    with open_mailbox(box), http.Client(allow_private=("127.0.0.1",)) as asking:
        request = Request(
            name="alertes", options=options(port=box.port), terms=Terms(), cursor=None,
            since=SINCE, until=UNTIL, client=asking, home=tmp_path, secrets=SECRETS,
        )  # fmt: skip
        assert imap.check(request) == "lets us in; INBOX holds 3 mails"


# Trouble


@pytest.mark.parametrize("fault", ["silent", "garbage", "bye"])
def test_a_server_in_trouble_is_told_and_read_whole_by_the_next_run(
    fault: str, tmp_path: Path
) -> None:
    box = filled(5)
    box.fault = fault
    with open_mailbox(box):
        with pytest.raises(SourceError, match="the next run tries again"):
            hear(box, tmp_path, timeout_seconds=0.3)
        box.fault = ""
        assert numbers(hear(box, tmp_path)) == [1, 2, 3, 4, 5]


def test_a_connection_that_breaks_inside_a_mail_loses_and_doubles_nothing(tmp_path: Path) -> None:
    box = filled(5)
    with open_mailbox(box):
        first = hear(box, tmp_path, until=minutes(3))
        box.fault = "cut"
        with pytest.raises(SourceError):
            hear(box, tmp_path, first.cursor, since=minutes(3))
        box.fault = ""
        second = hear(box, tmp_path, first.cursor, since=minutes(3))
    assert numbers(first) + numbers(second) == [1, 2, 3, 4, 5]


def test_a_server_that_announces_a_terabyte_is_refused(tmp_path: Path) -> None:
    box = filled(1)
    box.fault = "huge"
    with open_mailbox(box), pytest.raises(SourceError, match="broke off"):
        hear(box, tmp_path)


def test_a_password_or_token_that_is_over_says_what_to_check(tmp_path: Path) -> None:
    box = filled(1)
    box.fault = "refused"
    with open_mailbox(box):
        for auth in ("password", "xoauth2"):
            with pytest.raises(SourceError, match="the variable VIGIE_TEST_KEY") as raised:
                hear(box, tmp_path, auth=auth)
            assert "cle-inventee" not in str(raised.value)
        with pytest.raises(SourceError, match="VIGIE_TEST_KEY, which is not set"):
            hear(box, tmp_path, secrets={})


def test_a_private_address_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    account = imap._account(
        Request(
            name="x", options=options(), terms=Terms(), cursor=None, since=SINCE, until=UNTIL,
            client=http.Client(), home=tmp_path, secrets=SECRETS,
        )
    )  # fmt: skip
    with http.Client() as asking, pytest.raises(AddressRefused), boxes.opened(account, "x", asking):
        pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "imap.example"},  # in clear
        {"host": "imap.example/x", "security": "tls"},
        {"senders": ()},
        {"senders": ("*",)},
        {"senders": ("com",)},
        {"password_env": "motdepasse"},
        {"folder": ""},
        {"max_mails": 0},
        {"unknown": 1},
    ],
)
def test_options_that_cannot_be_meant_are_faults(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        options(**wrong)
