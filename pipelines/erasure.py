"""Erases a post, or everything of a person, from every store, and blocks its return.

By permalink or key one post goes. By handle all posts of an account go, and the account's
pseudonyms of the past ten and the next three years are noted, so that new posts are refused too:
that is how an objection (GDPR art. 21) is kept. The receipt tells how much went, never whose.

Stores: landing, what waits to land, staging, warehouse (mentions with their former texts and
counts, scores, labels, refusals, mails sent or waiting), the analysts' file, digest pages. Cost:
every payload on disk is parsed once. A payload that holds an erased post goes whole, and so does
one that cannot be read.
Known gap: mails that have left cannot be called back.
"""

from __future__ import annotations

import email
import html
import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import counts, privacy, publish, sources, warehouse
from pipelines.aside import written_aside
from pipelines.errors import VigieError
from pipelines.mention import Post, mention_id
from pipelines.plaintext import canonical_url
from pipelines.said import say
from pipelines.settings import Settings, SourceBlock
from pipelines.sources import Payload

log = logging.getLogger(__name__)

PAST_DAYS = 3_653  # a post is known by the pseudonym of the day on which it was published
COMING_DAYS = 1_096  # as long as figures are kept

_ERASED = pa.schema(
    [
        ("mention_id", pa.string()),
        ("source", pa.string()),
        ("native_id", pa.string()),
        ("published_at", pa.timestamp("us", tz="UTC")),
        ("first_seen_at", pa.timestamp("us", tz="UTC")),
    ]
)


# Where the posts of an account live; what an account is called there stands for {}.
_PERMALINKS = {
    "bluesky": ("bsky.app/profile/{}/",),
    "facebook": ("facebook.com/{}/",),
    "instagram": ("instagram.com/{}/",),
    "mastodon": ("{host}/@{name}/", "{host}/users/{name}/"),
    "tiktok": ("tiktok.com/@{}/",),
    "x": ("x.com/{}/", "twitter.com/{}/"),
    "youtube": ("youtube.com/@{}/",),
}
# One message has many addresses there: in any case, as a preview, with how it is to be shown.
_TELEGRAM = re.compile(r"^t\.me/(?:s/)?(\w+/[0-9]+)(?:\?.*)?$")
_QUOTED = 40  # letters of a text by which a mail that quotes it is known
_BY_HOST = ("forum", "mastodon", "web")  # where two people may bear one name


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose posts are to go: one of a permalink, a post's key, or an account of a network."""

    link: str | None = None
    key: tuple[str, str] | None = None
    network: str | None = None
    account: str | None = None

    @property
    def handle(self) -> str | None:
        """The account as handles are compared."""
        return privacy.fold_handle(self.account) if self.account else None

    @property
    def links(self) -> list[str]:
        """How the permalinks of the account begin, as `bare` writes them, in lower case."""
        if self.handle is None:
            return []
        name, _, host = self.handle.partition("@")
        forms = _PERMALINKS.get(self.network or "", ())
        return [form.format(self.handle, name=name, host=host) for form in forms]

    @property
    def accounts(self) -> set[str]:
        """What the account may be called where its pseudonym is made."""
        if self.handle is None or self.account is None:
            return set()
        known = {self.account, self.handle}
        name, _, host = self.handle.partition("@")
        if self.network == "mastodon" and host:
            known |= {f"https://{host}/users/{name}", f"https://{host}/@{name}"}
        if self.network == "lemmy" and host:
            known |= {f"https://{host}/u/{name}"}
        return known

    def means(self, source: str, post: Post) -> bool:
        """Whether a parsed post is one of those."""
        if self.link is not None:
            return post.url is not None and bare(post.url) == self.link
        if self.key is not None:
            return self.key == (source, post.native_id)
        if post.network != self.network:
            return False
        names = {privacy.fold_handle(n) for n in (post.author_handle, post.author_id) if n}
        return self.handle in names or not self.accounts.isdisjoint({post.author_id})


def bare(url: str) -> str:
    """A permalink without what two spellings of it may differ in: scheme, `www.`, last slash."""
    rest = (canonical_url(url) or url.strip()).partition("#")[0].split("://", 1)[-1]
    rest = rest.removeprefix("www.").rstrip("/")
    return _TELEGRAM.sub(lambda found: f"t.me/{found[1].lower()}", rest)


def erase(
    settings: Settings,
    *,
    as_of: datetime,
    permalink: str | None = None,
    source: str | None = None,
    native_id: str | None = None,
    handle: str | None = None,
    network: str | None = None,
    key: bytes | None = None,
    reason: str = "erasure_request",
) -> dict[str, int]:
    """Erase a post (by `permalink`, or `source` and `native_id`) or an account's posts.

    An account is a `handle` or account id on a `network`; `key` is that of the pseudonyms. What
    comes back counts what went, and is in the receipt. VigieError when it is not clear what to
    erase. A second call finds nothing more.
    """
    wanted = _wanted(permalink, source, native_id, handle, network)
    if wanted.handle and key is None:
        raise VigieError(
            say("erasing a person's posts needs the key of pseudonyms: set it and retry")
        )
    home = settings.home
    landed = _read_landing(settings, wanted, _waiting(settings, wanted, take=False))
    authors = _pseudonyms(wanted, landed, key, as_of) if key and wanted.handle else []
    # What only the key of a post leads to goes before the row that tells the key, and payloads go
    # last: killed at any instant, a second call still finds what is left to do.
    with warehouse.opened(home, read_only=True) as connection:
        erased = _erased(connection, wanted, landed, authors)
    cleaned = _clean_files(home, erased)
    with warehouse.opened(home) as connection, warehouse.transaction(connection):
        erased = _erased(connection, wanted, landed, authors)
        gone = _erase_rows(connection, erased, authors, as_of=as_of, reason=reason)
    since = _clean_files(home, erased)  # what a run has written meanwhile
    gone |= {name: count + since[name] for name, count in cleaned.items()}
    _waiting(settings, wanted, take=True)
    for path in landed.paths:
        _rewrite(path, settings, wanted)
    gone |= {"payloads": landed.payload_count}
    if (home / publish.ANALYST).exists():
        publish.publish(home, made_at=as_of)
    _write_receipt(home, gone | {"reason": reason}, as_of)
    log.info("mentions.erased %s", " ".join(f"{name}={n}" for name, n in gone.items()))
    return gone


def _link(permalink: str) -> str:
    link = bare(permalink)
    if "/" not in link:
        raise VigieError(
            say("{link!r} is no permalink: copy the whole address of the post", link=permalink)
        )
    return link


def _write_receipt(home: Path, detail: dict[str, Any], as_of: datetime) -> None:
    made_at = as_of.astimezone(UTC)
    receipt = {"kind": "erasure", "made_at": made_at, "detail": json.dumps(detail)}
    receipt |= {"receipt_id": f"erasure-{made_at:%Y%m%dT%H%M%S%fZ}"}
    with warehouse.opened(home) as connection:
        warehouse.run(connection, "writes/merge_receipt", receipt)


def _wanted(
    permalink: str | None,
    source: str | None,
    native_id: str | None,
    handle: str | None,
    network: str | None,
) -> Wanted:
    by_key = source is not None and native_id is not None
    by_handle = handle is not None and network is not None
    if [permalink is not None, by_key, by_handle].count(True) != 1:
        raise VigieError(
            say("it is not clear what to erase: give --permalink, or --handle with its --network")
        )
    if permalink is not None:
        return Wanted(link=_link(permalink))
    if source is not None and native_id is not None:
        return Wanted(key=(source, native_id))
    account = (handle or "").strip().removeprefix("@")
    if not account or (network in _BY_HOST and "@" not in account and "://" not in account):
        raise VigieError(
            say(
                "{handle!r} does not name one account of {network}: give it with its server, "
                "as in name@server",
                handle=handle,
                network=network,
            )
        )
    return Wanted(network=network, account=account)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Landed:
    """What payloads hold of the wanted posts: where, their keys, the accounts that wrote them."""

    paths: tuple[Path, ...]
    posts: frozenset[tuple[str, str]]
    accounts: frozenset[str]
    payload_count: int


def _waiting(settings: Settings, wanted: Wanted, *, take: bool) -> list[tuple[str, Post]]:
    """The wanted posts in what sources keep until it lands, with their source; or taken out."""
    found: list[tuple[str, Post]] = []
    for block in settings.sources:
        find = getattr(sources.load(block.kind), "waiting", None)
        if find:
            means = partial(wanted.means, block.kind)
            posts = find(settings.home, block.name, block.options, means, take=take)
            found += [(block.kind, post) for post in posts]
    return found


def _read_landing(
    settings: Settings, wanted: Wanted, waiting: Sequence[tuple[str, Post]]
) -> _Landed:
    """Look through every landed payload, of which nothing is changed, beside what waited."""
    paths: list[Path] = []
    found = list(waiting)
    payload_count = len(waiting)
    for path in sorted((settings.home / "landing").glob("*/*/*.jsonl.zst")):
        block = _block(settings, path)
        held = [posts for line in _lines(path) if (posts := _held(line, block, wanted)) is not None]
        if held:
            paths.append(path)
            payload_count += len(held)
        found += [(block.kind, post) for posts in held for post in posts if block]
    names = {n for _, post in found for n in (post.author_id, post.author_handle) if n}
    return _Landed(
        paths=tuple(paths),
        posts=frozenset((kind, post.native_id) for kind, post in found),
        accounts=frozenset(names),
        payload_count=payload_count,
    )


def _block(settings: Settings, path: Path) -> SourceBlock | None:
    name = path.parent.parent.name
    return next((block for block in settings.sources if block.name == name), None)


def _lines(path: Path) -> Iterator[bytes]:
    with pa.input_stream(str(path), compression="zstd") as stream:
        rest = b""
        while block := stream.read(1 << 20):
            *lines, rest = (rest + block).split(b"\n")
            yield from lines


def _held(line: bytes, block: SourceBlock | None, wanted: Wanted) -> list[Post] | None:
    """The wanted posts of a payload that has to go; none when the payload may stay.

    What cannot be read, or is of a source no longer set up, goes too: nothing unread may stay.
    """
    if block is None:
        return []
    try:
        payload = msgspec.json.decode(line, type=Payload)
        parsed = list(sources.load(block.kind).parse(payload, block.options))
    except Exception as error:  # any parser may fail in its own way
        log.warning("payload.unreadable source=%s error=%s", block.name, type(error).__name__)
        return []
    posts = (item for item in parsed if isinstance(item, Post))
    return [post for post in posts if wanted.means(block.kind, post)] or None


def _rewrite(path: Path, settings: Settings, wanted: Wanted) -> None:
    """Write a landed file again without the payloads that have to go."""
    block = _block(settings, path)
    kept_count = 0
    with written_aside(path) as aside, pa.output_stream(str(aside), compression="zstd") as out:
        for line in _lines(path):
            if _held(line, block, wanted) is None:
                out.write(line + b"\n")
                kept_count += 1
    if not kept_count:
        path.unlink()


def _pseudonyms(wanted: Wanted, landed: _Landed, key: bytes, as_of: datetime) -> list[str]:
    """Every pseudonym of the account, ten years back and three ahead."""
    network = wanted.network or ""
    step = privacy.ROTATION_DAYS
    days = range(-PAST_DAYS, COMING_DAYS + step, step)
    moments = [as_of + timedelta(days=day) for day in days]
    return sorted(
        privacy.author_key(key, network=network, account_id=account, at=at)
        for account in landed.accounts | wanted.accounts
        for at in moments
    )


def _erased(
    connection: warehouse.Connection, wanted: Wanted, landed: _Landed, authors: list[str]
) -> pa.Table:
    """The posts that go, stored or only met in a payload, as the table `erased_key` wants them."""
    posts = {*landed.posts, *([wanted.key] if wanted.key else [])}
    keys = {mention_id(source, native_id): (source, native_id) for source, native_id in posts}
    known = warehouse.run(
        connection,
        "writes/erase_known",
        {
            "keys": list(keys),
            "authors": authors,
            "link": wanted.link,
            "links": wanted.links,
        },
    ).to_arrow_table()
    stored = set(known["mention_id"].to_pylist())
    only_met = [
        {"mention_id": name, "source": source, "native_id": native_id}
        for name, (source, native_id) in keys.items()
        if name not in stored
    ]
    met = pa.Table.from_pylist(only_met, schema=_ERASED)
    return pa.concat_tables([known.cast(_ERASED), met])


def _erase_rows(
    connection: warehouse.Connection,
    erased: pa.Table,
    authors: list[str],
    *,
    as_of: datetime,
    reason: str,
) -> dict[str, int]:
    counts.begin(connection)
    connection.register("erased_key", erased)
    mails = _drop_mails(connection)
    warehouse.run(connection, "writes/erase_mention", {"reason": reason, "as_of": as_of})
    connection.unregister("erased_key")
    warehouse.run(connection, "writes/merge_objection", {"authors": authors, "as_of": as_of})
    counts.refresh(connection)
    stored = erased.num_rows - erased["published_at"].null_count
    told = {"mentions": stored, "blocked": erased.num_rows, "pseudonyms": len(authors)}
    return told | {"waiting_mails": mails}


def _drop_mails(connection: warehouse.Connection) -> int:
    """Mails that wait to be sent and quote an erased post go, or they would carry it out yet."""
    rows = warehouse.run(connection, "queries/erased_quote").fetchall()
    quotes = "|".join(quote for row in rows for quote in _quotes(*row))
    waiting = warehouse.run(connection, "queries/waiting_mail").fetchall()
    keys = [key for key, mail in waiting if quotes and re.search(quotes, _read_mail(mail))]
    warehouse.run(connection, "writes/drop_mail", {"keys": keys})
    return len(keys)


def _quotes(url: str | None, text: str | None) -> Iterator[str]:
    """Expressions of what a mail that quotes a post holds: its address, how its text begins."""
    if url:
        yield rf"{re.escape(url)}(?![\w/])"
    begun = _on_one_line(text or "")[:_QUOTED]
    if len(begun) == _QUOTED:  # a shorter one may be anybody's
        yield re.escape(begun)


def _read_mail(mail: bytes) -> str:
    """Every word of a mail on one line; tags stay, since addresses stand in them."""
    parts = email.message_from_bytes(mail).walk()
    bodies = [part.get_payload(decode=True) for part in parts if not part.is_multipart()]
    texts = (body.decode("utf-8", "replace") for body in bodies if isinstance(body, bytes))
    return _on_one_line(html.unescape("\n".join(texts)))


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _clean_files(home: Path, erased: pa.Table) -> dict[str, int]:
    """Staged rows and digest pages of the erased posts go; how many of each."""
    return {
        "staged_rows": _clean_staging(home, erased),
        "digest_pages": _clean_pages(home, erased),
    }


def _clean_staging(home: Path, erased: pa.Table) -> int:
    """Rewrite staged mentions, scores and posts to look up without the erased ones; how many."""
    keys = erased["mention_id"].combine_chunks()
    names = ("mentions", "replaced", "scores", "held", "asked")
    paths = [path for name in names for path in home.glob(f"staging/*/{name}.parquet")]
    return sum(_drop_rows(path, keys) for path in paths)


def _drop_rows(path: Path, keys: pa.Array) -> int:
    column = pq.read_table(path, columns=["mention_id"])["mention_id"]
    gone = int(pc.sum(pc.is_in(column, value_set=keys)).as_py() or 0)
    if not gone:
        return 0
    with (
        written_aside(path) as aside,
        pq.ParquetFile(path) as file,
        pq.ParquetWriter(aside, file.schema_arrow, compression="zstd") as out,
    ):
        for batch in file.iter_batches():
            kept = pc.invert(pc.is_in(batch["mention_id"], value_set=keys))
            out.write_batch(batch.filter(kept))
    return gone


def _clean_pages(home: Path, erased: pa.Table) -> int:
    """Delete the digest pages that quote an erased post; `vigie digest` makes them again."""
    keys = [key.encode() for key in erased["mention_id"].to_pylist()]
    quoting = [
        page
        for page in (home / "digests").glob("*.html")
        if any(key in page.read_bytes() for key in keys)
    ]
    for page in quoting:
        page.unlink()
    return len(quoting)
