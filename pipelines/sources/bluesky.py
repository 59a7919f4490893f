"""Bluesky: posts found by search, read from the stream of all posts (Jetstream), or both.

`search` asks `app.bsky.feed.searchPosts` for each watched name, hashtag and handle, newest first,
back to the start of the window. `jetstream` reads every public post and keeps those that may name
what is watched. `both` reads the stream and searches only for what the stream could not give: the
time before the first run, and gaps. Whatever the mode, posts kept earlier are looked up again
(`app.bsky.feed.getPosts`) so that one deleted at its source is deleted here, and posts found in
the stream are looked up once for what the stream does not say: handle, counts, and whether the
author asks not to be shown to readers without an account. A block that says `live = true` is
listened to: the stream of all posts, whatever the mode.

Costs no money. Search needs an account with an app password; stream and look-up need nothing.
Lexicons of bluesky-social/atproto, read 2026-08-20.

Known gaps: search is the host's index, not a record of everything, and a host may refuse to page
without a session (told as `capped` with its gap). A post dated back by its author comes by the
stream only. A deletion in the stream is acted on at once when the post is among the last 2,000
kept (20,000 of a week where the block is listened to); an older one is found when its turn to be
looked up comes.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence

from pipelines.errors import SourceError
from pipelines.limits import Daily, Limit, Rolling
from pipelines.mention import CollectedVia
from pipelines.sources import (
    Collected,
    Held,
    Manifest,
    Parsed,
    Payload,
    Request,
    _bluesky_posts as posts,
    _xrpc as xrpc,
)
from pipelines.sources._bluesky_listen import listened
from pipelines.sources._bluesky_options import Options as Options
from pipelines.sources._bluesky_run import begun, checkpoint, looked_up
from pipelines.sources._bluesky_search import searched
from pipelines.sources._bluesky_stream import streamed

log = logging.getLogger(__name__)

# The authors of posts that all went at once: as many strangers to a server are more than chance.
_MANY_AUTHORS = 5

MANIFEST = Manifest(
    name="bluesky",
    label="Bluesky",
    access="search API with an app password; Jetstream and look-up of posts without a key",
    terms_url="https://bsky.social/about/support/tos",
    legal_basis=(
        "Public-interest mission, GDPR art. 6(1)(e); posts that their authors made public, read "
        "through the interfaces that the network offers for it"
    ),
    fields_kept=(
        "text",
        "address of the post",
        "time",
        "declared languages",
        "hashtags",
        "links",
        "thread and quoted post",
        "counts of likes, replies, reposts, quotes and bookmarks",
        "author as a rotating pseudonym",
    ),
    cost="free",
    retention_days=30,
    deletion_duty=(
        "posts deleted at their source, or whose account is closed or suspended, are emptied: at "
        "once when the stream says so, else when they are looked up again; posts of authors who "
        "ask not to be shown to readers without an account are only counted"
    ),
    version="1",
    # 30 sign-ins in 5 minutes were seen at a host (429 on the 31st); 300 a day is Bluesky's word.
    limits=(
        Limit(
            name="sign-ins",
            most=30,
            per=Rolling(300),
            costs=((r"createSession$", 1),),
            of="account",
            remedy="see why the session in keys/ is not kept: it serves for weeks",
        ),
        Limit(
            name="sign-ins a day",
            most=300,
            per=Daily(),
            costs=((r"createSession$", 1),),
            of="account",
            remedy="see why the session in keys/ is not kept: it serves for weeks",
        ),
    ),
)


def collect(request: Request) -> Iterator[Collected]:
    """The posts of the window, deletions, and last a `Checkpoint`; touches the network.

    Raises SourceError when nothing could be read, RateLimited when the host asks for a long wait.
    A second call over the same window finds the same posts again, as far as the host still has
    them.
    """
    run = begun(request)
    if request.options.mode == "search":
        run.missing.append((request.since, request.until))
    else:
        yield from streamed(run)
    if run.missing:
        yield from searched(run)
    log.info(
        "bluesky.collected source=%s kept=%d other_language=%d",
        request.name,
        len(run.seen),
        run.other_language,
    )
    yield checkpoint(run)


def listen(request: Request) -> Generator[Collected, None, None]:
    """Every post that may name what is watched as the stream tells it, edits and deletions too.

    Touches the network; without end. SourceError when no stream can be read.
    """
    yield from listened(request)


def recheck(request: Request, held: Sequence[Held]) -> Iterator[Payload]:
    """Posts kept earlier as they are now: again with fresh counts, or gone.

    Touches the network. SourceError when the look-up fails, or when its server knows none of many
    posts nor their authors: none is then taken for deleted.
    """
    found: dict[str, bool] = {}
    kind = "post" if request.options.mode == "search" else "streamed_post"
    for view in looked_up(request, [post.native_id for post in held], found):
        yield Payload(kind=kind, data=view)
    missing = [uri for uri, is_there in found.items() if not is_there]
    if len(missing) == len(found) and not _is_network_known(request, missing):
        raise SourceError(
            f"{request.options.appview} knows none of {len(missing)} posts nor their authors: none "
            "is taken for deleted; check appview"
        )
    for uri in missing:
        yield Payload(kind="gone", data={"uri": uri}, fetched_at=request.until)


def _is_network_known(request: Request, uris: Sequence[str]) -> bool:
    """Whether a server that knows none of these posts is of their network all the same.

    Posts of a few authors may all be gone. Of many, a server that knows no author either has lost
    its data or serves another network, and must not empty ours.
    """
    authors = sorted({author for uri in uris if (author := posts.author_of(uri))})
    if len(authors) < _MANY_AUTHORS:
        return True
    ask = xrpc.without_session(request.client, request.options.appview)
    try:
        return bool(ask("app.bsky.actor.getProfiles", {"actors": authors[:25]}).get("profiles"))
    except SourceError:
        return False


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:  # noqa: ARG001
    """What a payload says: a `Post`, a `Deletion`, or a `Rejection` with its reason. Pure."""
    data, seen_at = payload.data, payload.fetched_at
    via: Mapping[str, CollectedVia] = {"post": "search", "streamed_post": "stream"}
    held = data if isinstance(data, dict) else {}
    if payload.kind in via:
        yield from posts.from_view(data, via=via[payload.kind])
    elif payload.kind == "event":
        yield from posts.from_event(data)
    elif payload.kind == "account":
        uris = held.get("uris")
        uris = uris if isinstance(uris, list) else []
        yield from posts.account_deletions(held.get("event"), uris, seen_at=seen_at)
    elif payload.kind == "gone":
        yield posts.gone(held.get("uri"), seen_at=seen_at)
    else:
        yield posts.unknown(payload.kind)
