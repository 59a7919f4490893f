"""What was typed into `vigie sql`, so that the arrow keys find it again: `.sql_history` of a home.

A query may name somebody: only the account that owns the home keeps one, nobody else may read it,
and `retention` drops what is older than texts may be. A leaf: it knows the file's form alone, that
of prompt_toolkit: a line `# <local time>`, then the lines of one query, each behind a `+`.
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.aside import written_aside

if TYPE_CHECKING:
    from prompt_toolkit.history import History

FILE = ".sql_history"
_ENTRY = re.compile(r"^# ([\d-]+ [\d:.]+)$", re.MULTILINE)


def history(home: Path) -> History:
    """The queries typed before; in memory alone where the home is another account's, or cannot
    be written."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    path = home / FILE
    if not home.is_dir() or home.stat().st_uid != os.geteuid():
        return InMemoryHistory()
    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError:  # a disk mounted to be read: asking works, keeping does not
        return InMemoryHistory()
    return FileHistory(str(path))


def forget(home: Path, *, before: datetime) -> int:
    """Drop what was typed before a moment (aware); how many queries went.

    What has no time of its own goes too. Raises OSError where the file is another account's.
    """
    path = home / FILE
    if not path.exists():
        return 0
    loose, *parts = _ENTRY.split(path.read_text(encoding="utf-8", errors="replace"))
    entries = list(zip(parts[::2], parts[1::2], strict=True))
    kept = [each for each in entries if _is_since(before, each[0])]
    if len(kept) < len(entries) or loose.strip():
        with written_aside(path) as aside:
            aside.touch(mode=0o600)
            aside.write_text("".join(f"\n# {at}{lines}" for at, lines in kept), encoding="utf-8")
    return len(entries) - len(kept)


def _is_since(before: datetime, at: str) -> bool:
    """Whether a local time is not before a moment; one that is none, is."""
    try:
        return datetime.fromisoformat(at).astimezone() >= before
    except (ValueError, OverflowError):
        return False
