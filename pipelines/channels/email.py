"""Mail: a Letter as a standard message, and its hand-over to the institution's mail server.

The same letter, recipient and date always make the same bytes, so a repeat after a crash is a
copy that mail servers and readers know by its Message-ID.
"""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any

from pipelines.errors import DeliveryError, ServerDown
from pipelines.letter import Letter
from pipelines.settings import Mail, Settings

NO_SENDER = "vigie@localhost"  # a letter is written even where [mail] names no sender yet
TIMEOUT_SECONDS = 30.0
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_SUBJECT_LIMIT = 200
_ADDRESS = re.compile(
    r"(?P<name>[^<>]*<)?(?P<local>[^\s@<>,;:\"()]+)@(?P<domain>[^\s@<>,;:\"()]+)(?(name)>)"
)


class _Wire(EmailPolicy):
    """The policy SMTP, with headers folded by `email.header`.

    The folding of EmailPolicy loses a space between two encoded words (seen with Python 3.11:
    "mentions : fini" came out as "mentions: fini").
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """One header as it goes over the wire."""
        if name in ("From", "To"):
            written = ", ".join(_spelt(address) for address in value.addresses)
        elif name == "Subject":
            written = _encoded(str(value), name)
        else:
            return super().fold_binary(name, value)
        return f"{name}: {written}\r\n".encode("ascii")


def _spelt(address: Address) -> str:
    if not address.display_name:
        return address.addr_spec
    if address.display_name.isascii():
        return str(address)
    return f"{_encoded(address.display_name, 'From')} <{address.addr_spec}>"


def _encoded(text: str, name: str) -> str:
    charset = "us-ascii" if text.isascii() else "utf-8"
    return Header(text, charset, header_name=name).encode(linesep="\r\n")


_WIRE = _Wire(linesep="\r\n")


def build(
    letter: Letter,
    *,
    sender: str,
    recipient: str,
    message_id: str,
    thread_id: str | None = None,
    date: datetime,
) -> bytes:
    """The message as it goes over the wire: text and HTML alternatives, pictures inline.

    `message_id` and `thread_id` stand in angle brackets. A line break in a header value becomes
    a space, so that no text of a stranger can add a header.
    """
    message = EmailMessage(policy=_WIRE)
    for name, value in _headers(letter, sender, recipient, message_id, thread_id, date):
        message[name] = _one_line(value) if isinstance(value, str) else value
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(_with_picture_ids(letter), subtype="html", cte="quoted-printable")
    _add_pictures(message, letter)
    _set_boundaries(message, message_id)
    return message.as_bytes()


def _headers(
    letter: Letter,
    sender: str,
    recipient: str,
    message_id: str,
    thread_id: str | None,
    date: datetime,
) -> Iterator[tuple[str, str | Address]]:
    yield "From", _address(sender)
    yield "To", _address(recipient)
    yield "Subject", _one_line(letter.subject)[:_SUBJECT_LIMIT]
    yield "Date", format_datetime(date)
    yield "Message-ID", message_id
    if thread_id and thread_id != message_id:
        yield "In-Reply-To", thread_id
        yield "References", thread_id
    yield "List-Id", f"Vigie <vigie.{domain(sender)}>"
    yield "Auto-Submitted", "auto-generated"
    yield "X-Auto-Response-Suppress", "All"


def _one_line(text: str) -> str:
    return _CONTROLS.sub(" ", text).strip()


def _address(text: str) -> Address:
    """A mail address, with or without a name; its domain in ASCII (IDNA).

    A local part beyond ASCII would need SMTPUTF8, which few institutions' servers speak.
    """
    found = _ADDRESS.fullmatch(_one_line(text))
    try:
        if found is None:
            raise UnicodeError
        local = found["local"].encode("ascii").decode()
        domain = found["domain"].encode("idna").decode()
    except UnicodeError:
        raise DeliveryError(
            f"{_one_line(text)!r} cannot be written to: correct the address in vigie.toml"
        ) from None
    return Address((found["name"] or "").strip(' "<'), local, domain)


def domain(sender: str) -> str:
    """The domain of a mail address, in ASCII; DeliveryError when it is none."""
    return _address(sender).domain


def _picture_id(key: str) -> str:
    return f"{key}@vigie"


def _with_picture_ids(letter: Letter) -> str:
    html = letter.html
    for key in letter.images:
        html = html.replace(f'"cid:{key}"', f'"cid:{_picture_id(key)}"')
    return html


def _add_pictures(message: EmailMessage, letter: Letter) -> None:
    *_, page = message.iter_parts()
    for key, png in letter.images.items():
        page.add_related(
            png,
            "image",
            "png",
            cid=f"<{_picture_id(key)}>",
            disposition="inline",
            filename=f"{key}.png",
        )


def _set_boundaries(message: EmailMessage, message_id: str) -> None:
    """Boundaries that follow from the Message-ID: random ones would make each build another."""
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            name = f"{message_id} {number}".encode()
            part.set_boundary(f"=_{hashlib.sha256(name).hexdigest()[:32]}")


def hand_over(
    message: bytes,
    *,
    recipient: str,
    settings: Settings,
    secrets: Mapping[str, str],
    taken: Callable[[], None],
) -> None:
    """Send a message through the mail server of the settings."""
    password = secrets.get(settings.mail.password_env)
    send(message, mail=settings.mail, password=password, recipient=recipient, taken=taken)


def send(
    message: bytes,
    *,
    mail: Mail,
    password: str | None,
    recipient: str,
    taken: Callable[[], None] = lambda: None,
) -> None:
    """Hand a message to the mail server; `taken` is called the moment the server has it.

    The server's certificate is checked. Raises DeliveryError, without any secret in its words,
    and never once the server has the message: what goes wrong in saying goodbye is no failure.
    """
    sender, to = _address(mail.sender or NO_SENDER).addr_spec, _address(recipient).addr_spec
    is_taken = False
    try:
        with _session(mail) as server:
            if mail.username:
                server.login(mail.username, password or "")
            server.sendmail(sender, [to], message)
            is_taken = True
            taken()
    except (smtplib.SMTPException, OSError) as error:
        if not is_taken:
            # A refusal of this letter is an SMTPException too, which Python makes an OSError.
            is_down = not isinstance(error, smtplib.SMTPException)
            kind = ServerDown if is_down else DeliveryError
            raise kind(_why(error, mail)) from error


@contextmanager
def _session(mail: Mail) -> Iterator[smtplib.SMTP]:
    if mail.security == "tls":
        with smtplib.SMTP_SSL(
            mail.host, mail.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
        ) as server:
            yield server
        return
    with smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_SECONDS) as server:
        if mail.security == "starttls":
            server.starttls(context=ssl.create_default_context())
        yield server


def _why(error: Exception, mail: Mail) -> str:
    """What went wrong, in words that hold no password: the server's own answer is left out."""
    place = f"{mail.host}:{mail.port}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"{place} refused the login of {mail.username}: check {mail.password_env}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return f"{place} offers no STARTTLS or no login: correct security or username in [mail]"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"{place} refused the recipient: check the address in vigie.toml"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{place} answered {error.smtp_code}: see the log of the mail server"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{place} shows a certificate that is not trusted: {error.verify_message}"
    return f"{place} could not be reached ({type(error).__name__}): check [mail] in vigie.toml"
