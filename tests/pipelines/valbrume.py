"""The `vigie.toml` of an invented town, Valbrume: what listens or is measured needs a whole one."""

from __future__ import annotations

from pathlib import Path

_BEFORE = """
[institution]
id = "valbrume"
name = "Ville de Valbrume"
kind = "commune"
legal_basis = "RGPD art. 6-1-e"

[[subjects]]
id = "ville"
label = "La Ville"
purpose = "Répondre aux habitants."
names = ["{name}"]
"""
_AFTER = """
[[recipients]]
name = "Toutes"
email = "toutes@valbrume.example"
role = "{role}"
gets = ["alerts", "digest", "failures"]

[mail]
security = "none"
sender = "vigie@valbrume.example"
port = 9

[net]
allow_private = ["127.0.0.1"]
"""


def toml(source: str, *, name: str = "Valbrume", role: str = "operator") -> str:
    """Settings with one `[[sources]]` block, one subject of that name, and mail to nowhere."""
    return f"{_BEFORE.format(name=name)}\n{source.strip()}\n{_AFTER.format(role=role)}"


def bluesky(*, http: str, ws: str) -> str:
    """A block that listens to a stream, and looks posts up at a server of its own."""
    return f"""
[[sources]]
name = "bluesky"
kind = "bluesky"
mode = "jetstream"
live = true
first_days = 0
appview = "{http}"
jetstream_urls = ["{ws}"]
"""


def write(
    home: Path,
    *,
    ws: str = "ws://127.0.0.1:9/subscribe",
    http: str = "http://127.0.0.1:9",
    name: str = "Valbrume",
) -> None:
    """The settings of a home that listens; by default to a server that is not there."""
    text = toml(bluesky(http=http, ws=ws), name=name)
    (home / "vigie.toml").write_text(text, encoding="utf-8")
