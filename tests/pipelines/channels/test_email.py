"""A letter as a mail: what a mail program reads, and what a stranger's text cannot do to it."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import Any, cast

import pytest
from aiosmtpd.smtp import AuthResult

from pipelines.channels import email
from pipelines.errors import DeliveryError
from pipelines.letter import Letter
from pipelines.settings import Mail
from tests.pipelines.postbox import listening, self_signed

DATE = datetime(2026, 11, 20, 10, 25, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def _knows(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    is_right = data.login == b"vigie" and data.password == b"hunter2"
    return AuthResult(success=is_right, handled=False)


def built(**changes: Any) -> bytes:
    letter = Letter(
        subject=changes.pop("subject", "[Vigie] CRITIQUE · Eau · 134 mentions"),
        text=changes.pop("text", "Bonjour é\n.\nfin\n"),
        html=changes.pop("html", '<p>Bonjour é</p><img src="cid:curve">'),
        images=changes.pop("images", {"curve": PNG}),
    )
    values: dict[str, Any] = {
        "sender": "Vigie <vigie@valmorin.example>",
        "recipient": "astreinte@valmorin.example",
        "message_id": "<m1@valmorin.example>",
        "date": DATE,
    }
    return email.build(letter, **(values | changes))


def read(message: bytes) -> EmailMessage:
    return cast("EmailMessage", message_from_bytes(message, policy=policy.default))


def test_a_mail_holds_text_html_and_the_picture_that_the_html_names() -> None:
    mail = read(built())
    assert mail.get_content_type() == "multipart/alternative"
    plain, page = mail.iter_parts()
    assert plain.get_content_type() == "text/plain"
    assert page.get_content_type() == "multipart/related"
    html, picture = page.iter_parts()
    assert picture.get_content() == PNG
    assert f'"cid:{picture["Content-ID"].strip("<>")}"' in html.get_content()
    assert picture.get_content_disposition() == "inline"


def test_a_letter_without_pictures_is_two_alternatives() -> None:
    parts = list(read(built(images={}, html="<p>é</p>")).iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]


def test_the_headers_say_who_when_and_that_no_person_wrote() -> None:
    mail = read(built())
    assert mail["Subject"] == "[Vigie] CRITIQUE · Eau · 134 mentions"
    assert mail["Date"].datetime == DATE
    assert mail["Message-ID"] == "<m1@valmorin.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "Vigie <vigie.valmorin.example>"
    assert mail["In-Reply-To"] is None
    assert mail["Bcc"] is None


def test_a_follow_up_names_the_thread_and_the_first_mail_does_not() -> None:
    mail = read(built(thread_id="<root@valmorin.example>"))
    assert mail["In-Reply-To"] == mail["References"] == "<root@valmorin.example>"
    first = read(built(thread_id="<m1@valmorin.example>"))
    assert first["References"] is None


@pytest.mark.parametrize("breaking", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\0"])
def test_no_line_break_in_a_header_adds_a_header(breaking: str) -> None:
    message = built(subject=f"Eau{breaking}Bcc: autre@mal.example", sender="Vigie <v@a.example>")
    mail = read(message)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Eau Bcc: autre@mal.example"
    assert b"\r\nBcc:" not in message


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\r\nBcc: c@d.example",
        "a@b.example,c@d.example",
        "a b@c.example",
        "",
        "@",
        "é@b.fr",
    ],
)
def test_an_address_that_is_none_is_refused_with_its_remedy(address: str) -> None:
    with pytest.raises(DeliveryError, match=r"correct the address in vigie\.toml"):
        built(recipient=address)


def test_a_domain_with_accents_is_written_in_ascii() -> None:
    assert read(built(recipient="a@bücher.example"))["To"] == "a@xn--bcher-kva.example"


def test_the_same_letter_makes_the_same_bytes_and_another_id_other_boundaries() -> None:
    assert built() == built()
    one, other = built(), built(message_id="<m2@valmorin.example>")
    assert read(one).get_boundary() != read(other).get_boundary()


def test_no_line_is_longer_than_mail_allows_and_none_ends_a_message_early() -> None:
    message = built(text="é" * 5000 + "\n.\n", html="<p>" + "x" * 50_000 + "</p>")
    assert max(len(line) for line in message.split(b"\r\n")) <= 998
    assert b"\n" not in message.replace(b"\r\n", b"")
    plain = read(message).get_body(("plain",))
    assert plain is not None
    assert plain.get_content().splitlines()[-2:] == ["é" * 5000, "."]


def test_a_subject_of_any_length_in_any_script_survives() -> None:
    subject = "Vigie · العربية · 🚰 · " + "eau " * 100
    assert read(built(subject=subject))["Subject"] == subject[:200].strip()


def test_no_space_is_lost_between_the_encoded_words_of_a_header() -> None:
    subject = "[Vigie] TERMINÉ · Eau · Afflux de mentions : terminé après 1 h 05 · Valmorin"
    name = "Vigie de la Communauté d'agglomération : Côté Rivière et Forêt réunies"
    message = built(subject=subject, sender=f"{name} <vigie@valmorin.example>")
    assert read(message)["Subject"] == subject
    headers = message_from_bytes(message)  # the other parser of Python, as a second opinion
    assert str(make_header(decode_header(headers["Subject"]))) == subject
    assert str(make_header(decode_header(headers["From"]))) == f"{name} <vigie@valmorin.example>"


def test_a_mail_reaches_a_server_and_taken_is_called_when_it_has_it() -> None:
    calls: list[int] = []
    with listening() as box:
        mail = Mail(port=box.port, security="none", sender="Vigie <vigie@valmorin.example>")
        email.send(
            built(),
            mail=mail,
            password=None,
            recipient="astreinte@valmorin.example",
            taken=lambda: calls.append(len(box.messages)),
        )
    assert calls == [1]
    assert box.mails()[0]["Subject"].startswith("[Vigie] CRITIQUE")


def test_a_server_that_refuses_is_told_with_its_code_and_without_its_words() -> None:
    with listening() as box:
        box.answers.append("554 5.7.1 secret words of a server")
        mail = Mail(port=box.port, security="none", sender="vigie@valmorin.example")
        with pytest.raises(DeliveryError, match="answered 554") as caught:
            email.send(built(), mail=mail, password="hunter2", recipient="a@b.example")
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_told_by_its_place() -> None:
    mail = Mail(port=1, security="none", sender="vigie@valmorin.example")
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1:1 could not be reached"):
        email.send(built(), mail=mail, password=None, recipient="a@b.example")


def test_starttls_is_not_left_out_because_a_server_does_not_offer_it() -> None:
    with listening() as box:
        mail = Mail(port=box.port, security="starttls", sender="vigie@valmorin.example")
        with pytest.raises(DeliveryError):
            email.send(built(), mail=mail, password=None, recipient="a@b.example")
    assert box.messages == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    security: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    context, _ = self_signed(tmp_path_factory.mktemp("certificate"))
    options = {"tls_context": context} if security == "starttls" else {"ssl_context": context}
    with listening(**options) as box:
        mail = Mail(host="localhost", port=box.port, security=security, sender="v@a.example")
        with pytest.raises(DeliveryError, match="certificate that is not trusted"):
            email.send(built(), mail=mail, password=None, recipient="a@b.example")
    assert box.messages == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_login_goes_over_an_encrypted_line_to_a_trusted_server(
    security: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, path = self_signed(tmp_path_factory.mktemp("certificate"))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    options: dict[str, Any] = {"authenticator": _knows}
    options |= {"tls_context": context} if security == "starttls" else {"ssl_context": context}
    options |= {"auth_require_tls": security == "starttls"}
    with listening(**options) as box:
        mail = Mail(
            host="localhost", port=box.port, security=security, username="vigie", sender="v@a.fr"
        )
        email.send(built(), mail=mail, password="hunter2", recipient="a@b.example")
        with pytest.raises(DeliveryError, match="VIGIE_SMTP_PASSWORD") as caught:
            email.send(built(), mail=mail, password="hunter3", recipient="a@b.example")
    assert len(box.messages) == 1
    assert "hunter3" not in str(caught.value)
