"""Passwords of local accounts: argon2id (RFC 9106, second recommended setting), by argon2-cffi.

A check takes as long for a name that nobody has as for one that somebody has. Two at a time: each
holds 64 MiB.
"""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from pipelines.errors import VigieError

LEAST, MOST = 12, 200  # characters (CNIL, recommendation of 2022 on passwords: 12 with throttling)
_TURN = threading.BoundedSemaphore(2)
_HASHER = PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)


def made(password: str) -> str:
    """The hash of a new password; VigieError for one that is too short or too plain."""
    if not LEAST <= len(password) <= MOST:
        raise VigieError(f"a password has {LEAST} to {MOST} characters: a sentence is easy to keep")
    if len(set(password)) < 5:
        raise VigieError("the password repeats a few signs: write a sentence of your own")
    return _HASHER.hash(password)


def is_right(password: str, stored: str | None) -> bool:
    """Whether a password is the stored one; never for None, which takes just as long."""
    with _TURN:
        try:
            found = _HASHER.verify(stored or _nobodys(), password[:MOST])
        except (VerifyMismatchError, InvalidHashError):
            return False
    return found and stored is not None


@cache
def _nobodys() -> str:
    """A hash that stands in for one that is not there."""
    return _HASHER.hash("a password that nobody has")
