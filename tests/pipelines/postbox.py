"""A real mail server on loopback that keeps what it gets."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiosmtpd.controller import Controller


@dataclass
class Postbox:
    """What arrived, in order. `answers` are given instead of 250, one a message, then 250."""

    messages: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802
        """Keep a message, or refuse it as the test has asked."""
        if self.answers:
            return self.answers.pop(0)
        self.messages.append(envelope.original_content)
        self.recipients += envelope.rcpt_tos
        return "250 2.0.0 taken"

    def mails(self) -> list[EmailMessage]:
        """The messages as a mail reader parses them."""
        parsed = (message_from_bytes(m, policy=policy.default) for m in self.messages)
        return [cast("EmailMessage", mail) for mail in parsed]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def listening(**options: Any) -> Iterator[Postbox]:
    """A mail server that runs until the block ends, on a free port."""
    box = Postbox(port=_free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


def self_signed(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for localhost that only its own file vouches for."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
