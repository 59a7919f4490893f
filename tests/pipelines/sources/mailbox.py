"""A small IMAP server on loopback: one account, folders, and faults on demand.

Speaks what the source asks and no more (RFC 3501): LOGIN, AUTHENTICATE XOAUTH2, EXAMINE,
UID SEARCH, UID FETCH, LOGOUT.
"""

from __future__ import annotations

import base64
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class Kept:
    """One mail in a folder."""

    uid: int
    raw: bytes
    arrived_at: datetime


@dataclass(slots=True)
class Mailbox:
    """What the server holds, what it was told, and what goes wrong.

    `fault` is one of: silent (never greets), refused (no login), cut (breaks off inside a mail),
    bye (closes at the first FETCH), huge (announces a mail of a terabyte), garbage.
    """

    mails: list[Kept] = field(default_factory=list)
    validity: int = 77
    folder: str = "INBOX"
    fault: str = ""
    told: list[str] = field(default_factory=list)
    port: int = 0

    def put(self, raw: bytes, arrived_at: datetime) -> None:
        self.mails.append(Kept(len(self.mails) + 1, raw, arrived_at))


class _Server(socketserver.ThreadingTCPServer):
    """The server; `over` ends the sessions that say nothing."""

    daemon_threads = True

    def __init__(self, box: Mailbox) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.box = box
        self.over = threading.Event()


class _Session(socketserver.StreamRequestHandler):
    """One client, from greeting to farewell."""

    server: _Server
    disable_nagle_algorithm = True

    @property
    def box(self) -> Mailbox:
        return self.server.box

    def handle(self) -> None:
        if self.box.fault == "silent":
            self.server.over.wait()
            return
        self._say("* OK bonjour" if self.box.fault != "garbage" else "<html>503</html>")
        while line := self.rfile.readline():
            said = line.decode("utf-8", "replace").strip()
            self.box.told.append(said)
            tag, _, rest = said.partition(" ")
            if not self._done(tag, rest):
                return

    def _done(self, tag: str, rest: str) -> bool:
        word, _, more = rest.partition(" ")
        if word == "LOGOUT":
            self._say("* BYE", f"{tag} OK done")
            return False
        if word == "LOGIN" or word == "AUTHENTICATE":
            return self._login(tag, word)
        if word == "EXAMINE":
            return self._examine(tag, more)
        if word == "UID":
            return self._uid(tag, more)
        self._say("* CAPABILITY IMAP4rev1 AUTH=XOAUTH2", f"{tag} OK done")
        return True

    def _login(self, tag: str, word: str) -> bool:
        if word == "AUTHENTICATE":
            self._say("+ ")
            token = base64.b64decode(self.rfile.readline()).decode()
            self.box.told.append(token)
        self._say(
            f"{tag} NO [AUTHENTICATIONFAILED] non"
            if self.box.fault == "refused"
            else f"{tag} OK done"
        )
        return True

    def _examine(self, tag: str, name: str) -> bool:
        if name.strip('"') != self.box.folder:
            self._say(f"{tag} NO no such mailbox")
            return True
        self._say(f"* {len(self.box.mails)} EXISTS", f"* OK [UIDVALIDITY {self.box.validity}] ok")
        self._say(f"{tag} OK [READ-ONLY] done")
        return True

    def _uid(self, tag: str, more: str) -> bool:
        word, _, rest = more.partition(" ")
        if word == "SEARCH":
            self._say(f"* SEARCH {' '.join(map(str, self._found(rest)))}", f"{tag} OK done")
            return True
        if self.box.fault == "bye":
            self._say("* BYE on ferme")
            return False
        ids, _, what = rest.partition(" ")
        for mail in self.box.mails:
            if str(mail.uid) in ids.split(",") and not self._fetch(mail, what):
                return False
        self._say(f"{tag} OK done")
        return True

    def _found(self, rest: str) -> list[int]:
        if rest.startswith("UID "):
            first = int(rest[4:].partition(":")[0])
            last = [mail.uid for mail in self.box.mails[-1:]]  # as the RFC has it: "*" always fits
            return sorted({*(m.uid for m in self.box.mails if m.uid >= first), *last})
        day, month, year = rest.partition(" ")[2].strip('"').split("-")
        since = datetime(int(year), MONTHS.index(month) + 1, int(day), tzinfo=UTC)
        return [mail.uid for mail in self.box.mails if mail.arrived_at >= since]

    def _fetch(self, mail: Kept, what: str) -> bool:
        if "HEADER.FIELDS" in what:
            head = mail.raw.partition(b"\r\n\r\n")[0]
            kept = [
                line
                for line in re.split(rb"\r\n(?![ \t])", head)
                if re.match(rb"(?:from|authentication-results):", line, re.I)
            ]
            literal = b"\r\n".join([*kept, b"", b""])
            day = f"{mail.arrived_at:%d}-{MONTHS[mail.arrived_at.month - 1]}-"
            arrived = day + f"{mail.arrived_at:%Y %H:%M:%S} +0000"
            said = f'RFC822.SIZE {len(mail.raw)} INTERNALDATE "{arrived}" BODY[HEADER]'
            return self._literal(mail, said, literal)
        return self._literal(mail, "BODY[]", mail.raw)

    def _literal(self, mail: Kept, said: str, literal: bytes) -> bool:
        size = 1 << 40 if self.box.fault == "huge" else len(literal)
        self._say(f"* {mail.uid} FETCH (UID {mail.uid} {said} {{{size}}}")
        if self.box.fault == "cut" and said == "BODY[]":
            self.wfile.write(literal[: len(literal) // 2])
            return False
        self.wfile.write(literal)
        self._say(")")
        return True

    def _say(self, *lines: str) -> None:
        for line in lines:
            self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def open_mailbox(box: Mailbox) -> Iterator[Mailbox]:
    """The mailbox, served until the block ends."""
    server = _Server(box)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    box.port = server.server_address[1]
    try:
        yield box
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def mail(
    page: str,
    *,
    sender: str = "Google Alerts <googlealerts-noreply@google.com>",
    plain: str = "",
    date: str = "Fri, 20 Nov 2026 09:12:04 +0100",
    **headers: str,
) -> bytes:
    """A mail as alert services send it, in HTML or in plain text."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = "veille@valmont.example"
    message["Subject"] = "Alerte : Valmont"
    message["Date"] = date
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(plain or "Votre lecteur ne montre pas le HTML.")
    if page:
        message.add_alternative(page, subtype="html")
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
