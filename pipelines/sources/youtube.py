"""YouTube: videos that name what is watched, and the comments under them and under known channels.

A search finds new videos of each name (a call of the 100 a day, so each name has its turn, spread
over the day); those whose title or description names a subject are watched for `watch_days`, and
so are the videos of `channels`. Comments are read newest first, since no request can ask for those
after a moment; the last `rescan_days` are gone through again on each visit, because a reply to an
old thread moves nothing. Of a thread the answer holds five replies: the others are asked for.

A young video is visited every quarter of an hour, an old one every six hours. Whoever has not
spoken of the institution is not written down: a comment under a watched video has. What was kept
is looked up again: gone is a deletion, and a row does not outlive 30 days (`rows_expire`).

Costs no money: a search a query in its turn, a unit a page of anything else, of 10,000 a day.
Known gaps: search is YouTube's ranking, not a record of everything, and finds a video hours late;
only the key's own spending is known, not that of other programs with the same key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pipelines.errors import SourceError
from pipelines.mention import Deletion
from pipelines.notes import why
from pipelines.sources import (
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    _rounds as rounds,
    _values as values,
    _youtube_api as api,
    _youtube_items as things,
)
from pipelines.sources._rounds import Queries, Round
from pipelines.sources._sieve import Sieve, sieve

MANIFEST = Manifest(
    name="youtube",
    label="YouTube",
    access="YouTube Data API v3 with an API key of the institution's own Google Cloud project",
    terms_url="https://developers.google.com/youtube/terms/developer-policies",
    legal_basis="GDPR art. 6(1)(e), mission of public interest",
    fields_kept=(
        "id and address of the video or comment",
        "title, description, text",
        "time of writing and editing",
        "channel of the author (pseudonym)",
        "counts of views, likes, comments, replies",
    ),
    cost="free within 100 searches and 10,000 units a day",
    retention_days=30,
    deletion_duty="looked up again while kept, and emptied when gone; nothing, not even a row "
    "without text, is kept for more than 30 days (Developer Policies III.E.4)",
    limits=api.LIMITS,
    rows_expire=True,
)

_PAGE = 100  # comments, the most that a page gives
_SEARCH_PAGE = 50
_IDS = 50  # the most that one look-up takes
_LATE = timedelta(hours=6)  # a video may take as long to be found
_SOONEST, _LATEST = timedelta(minutes=15), timedelta(hours=6)  # between two visits of a video
_VISITS_AN_AGE = 12
_WATCHED = 300  # videos
_FEW = 5  # items that may all be gone at once
_COMMENT = (
    "id,snippet(videoId,parentId,textOriginal,textDisplay,authorDisplayName,authorChannelId,"
    "likeCount,publishedAt,updatedAt,moderationStatus)"
)
# What is asked for of each item: no portraits, no display names of channels, no thumbnails.
_THREADS = (
    "nextPageToken,items(id,snippet(videoId,totalReplyCount,isPublic,topLevelComment"
    f"({_COMMENT})),replies(comments({_COMMENT})))"
)
_COMMENTS = f"nextPageToken,items({_COMMENT})"
_VIDEOS = (
    "items(id,snippet(publishedAt,channelId,title,description,defaultLanguage,"
    "defaultAudioLanguage),statistics(viewCount,likeCount,commentCount))"
)


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `youtube`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    host: Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+/?$")] = (
        "https://youtube.googleapis.com"
    )
    queries: Queries = ()
    channels: tuple[Annotated[str, Field(pattern=r"^UC[\w-]{22}$")], ...] = ()
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "FR"
    lang: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = "fr"
    search: bool = True
    searches_per_day: Annotated[int, Field(ge=1, le=100_000)] = 90
    units_per_day: Annotated[int, Field(ge=10, le=10_000_000)] = 9_000
    max_pages: Annotated[int, Field(ge=1, le=500)] = 20
    watch_days: Annotated[int, Field(ge=1, le=30)] = 14
    rescan_days: Annotated[int, Field(ge=1, le=30)] = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class _Video:
    """A video that is watched: what it is about, its age, whether its comments are turned off."""

    about: str
    published_at: datetime
    is_closed: bool = False


@dataclass(slots=True, kw_only=True)
class _Run:
    """What one collection knows besides its round: the API, the videos, what to look up."""

    request: Request
    round: Round
    api: api.Api
    may_name: Sieve
    videos: dict[str, _Video]
    found: dict[str, None] = field(default_factory=dict)  # videos not looked up yet

    @property
    def options(self) -> Options:
        """The options of the block."""
        options: Options = self.request.options
        return options

    def kept(self) -> Cursor:
        """What the cursor holds besides the round's: the quota and the watched videos."""
        videos = {
            name: [one.about, one.published_at.isoformat(), one.is_closed]
            for name, one in self.videos.items()
        }
        return {"quota": self.api.quota.as_json(), "videos": videos}


def collect(request: Request) -> Iterator[Collected]:
    """New videos and comments, what changed and what is gone; touches the network.

    SourceError when nothing could be read, RateLimited until midnight in California when the
    day's units are spent and nothing was read. A spent bucket of searches stops only searches.
    """
    run = _begun(request)
    finders = {**_searches(run), **_channels(run)}
    run.round.forget_all_but([*finders, *map(_visit, run.videos)])
    yield from rounds.asked(run.round, _due(run, finders), lambda name: finders[name](name))
    if run.round.retry_at is None:
        visits = {_visit(name): name for name in run.videos if not run.videos[name].is_closed}
        yield from rounds.asked(
            run.round, _due(run, visits), lambda name: _visited(run, name, visits[name])
        )
    if run.round.retry_at is None:
        yield from _looked_up_again(run)
    closed_count = sum(video.is_closed for video in run.videos.values())
    if closed_count:
        run.round.notes.append(f"comments are turned off under {closed_count} videos")
    yield run.round.checkpoint()


def _begun(request: Request) -> _Run:
    options: Options = request.options
    host = options.host.rstrip("/")
    round_ = rounds.begun(request, kind=MANIFEST.name, of=host)
    cursor = request.cursor if (request.cursor or {}).get("of") == host else None
    limits = {api.SEARCHES: options.searches_per_day, api.UNITS: options.units_per_day}
    told = (cursor or {}).get("quota")
    run = _Run(
        request=request,
        round=round_,
        api=api.Api(
            client=request.client,
            host=host,
            key=_key(request),
            key_env=options.key_env,
            quota=api.quota(told, limits=limits, now=request.client.now()),
        ),
        may_name=sieve(request.terms),
        videos=_videos(cursor or {}, since=request.until - timedelta(days=options.watch_days)),
    )
    round_.more = run.kept
    return run


def _key(request: Request) -> str:
    name = request.options.key_env
    key = request.secrets.get(name, "").strip()
    if not key:
        raise SourceError(
            f"{request.name} names the variable {name}, which is not set: make an API key in the "
            "Google Cloud console (YouTube Data API v3 enabled) and put it in it"
        )
    return key


def _videos(cursor: Cursor, *, since: datetime) -> dict[str, _Video]:
    """The watched videos that a cursor tells, without those that have grown old."""
    found = {}
    for name, value in values.mapping(cursor.get("videos")).items():
        about, at, is_closed = value if isinstance(value, list) and len(value) == 3 else [None] * 3
        published_at = values.time(at)
        if things.is_video_id(name) and published_at is not None and published_at >= since:
            found[name] = _Video(
                about=str(about), published_at=published_at, is_closed=is_closed is True
            )
    return found


def _visit(video: str) -> str:
    """The name of the question what is said under a video."""
    return f"video {video}"


def _due(run: _Run, questions: Iterable[str]) -> list[str]:
    """The questions whose turn it is: never asked, or long enough ago."""
    now = run.request.until
    return [
        name
        for name in questions
        if (at := run.round.reached.get(name)) is None or now - at >= _pause(run, name)
    ]


def _pause(run: _Run, question: str) -> timedelta:
    """How long a question rests: searches share the day, a video rests longer as it ages."""
    options = run.options
    if question.startswith("search "):
        count = len(_search_queries(run))
        return max(_SOONEST, timedelta(days=1) * count / options.searches_per_day)
    video = run.videos.get(question.removeprefix("video "))
    if video is None:
        return _SOONEST
    age = run.request.until - video.published_at
    return min(max(age / _VISITS_AN_AGE, _SOONEST), _LATEST)


# Videos


Find = Callable[[str], Iterator[Payload]]


def _search_queries(run: _Run) -> tuple[str, ...]:
    if not run.options.search:
        return ()
    return run.options.queries or rounds.phrases(run.request.terms)


def _searches(run: _Run) -> dict[str, Find]:
    """What there is to search for; SourceError when there is neither that nor a channel."""
    queries = _search_queries(run)
    if not queries and not run.options.channels:
        raise SourceError(
            f"{run.request.name} has nothing to read: give a subject names, or the source queries "
            "or channels"
        )
    return {f"search {query}": lambda name: _searched(run, name) for query in queries}


def _channels(run: _Run) -> dict[str, Find]:
    return {f"channel {name}": lambda asked: _channel(run, asked) for name in run.options.channels}


def _searched(run: _Run, question: str) -> Iterator[Payload]:
    """New videos that a search finds, one page: where there are more, that is told as a gap."""
    since = run.round.since(question, overlap=_LATE)
    params = {
        "part": "snippet",
        "type": "video",
        "order": "date",
        "maxResults": str(_SEARCH_PAGE),
        "q": question.removeprefix("search "),
        "publishedAfter": _stamp(since),
        "publishedBefore": _stamp(run.request.until),
        "regionCode": run.options.region,
        "relevanceLanguage": run.options.lang,
    }
    try:
        page = run.api.ask("search", params)
    except api.Spent as error:
        if error.bucket != api.SEARCHES:
            raise
        run.round.tell_cut(None, why(error))
        return
    items = values.items(page.get("items"))
    _note_found(run, items)
    if page.get("nextPageToken") and len(items) >= _SEARCH_PAGE:
        oldest = min(filter(None, map(things.published_at, items)), default=since)
        run.round.tell_cut((since, oldest), f"{question}: more videos than a page holds")
    yield from _looked_up(run)
    run.round.reached[question] = run.request.until


def _channel(run: _Run, question: str) -> Iterator[Payload]:
    """New videos of a channel, and new comments under any of its videos."""
    channel = question.removeprefix("channel ")
    uploads = {"part": "snippet", "maxResults": str(_SEARCH_PAGE)}
    try:
        page = run.api.ask("playlistItems", uploads | {"playlistId": f"UU{channel[2:]}"})
        _note_found(run, values.items(page.get("items")))
    except api.NotThere:
        run.round.notes.append(f"{question} shows no list of its videos")
    yield from _looked_up(run)
    where = {"allThreadsRelatedToChannelId": channel}
    try:
        yield from _threads(run, question, where, floor=_floor(run, question))
    except api.CommentsClosed:
        run.round.notes.append(f"comments are turned off for all of {question}")
    run.round.reached[question] = run.request.until


def _note_found(run: _Run, items: Sequence[Any]) -> None:
    """Remember the videos of a list that were not met before."""
    for item in items:
        name = things.video_id(item)
        if name and name not in run.videos and not run.round.knows(f"found {name}"):
            run.found[name] = None


def _looked_up(run: _Run) -> Iterator[Payload]:
    """The videos found, with description and counts; those on a subject are watched from now on."""
    while run.found:
        names = list(run.found)[:_IDS]
        found = _listed(run, "videos", names, {"part": "snippet,statistics", "fields": _VIDEOS})
        for name in names:
            del run.found[name]
            run.round.note(f"found {name}")
        for item in found:
            if _is_watched(item, run):
                _watch(item, run)
                yield Payload(kind="video", data=item)


def _listed(
    run: _Run, method: str, names: Sequence[str], params: Mapping[str, str]
) -> list[dict[str, Any]]:
    page = run.api.ask(method, {**params, "id": ",".join(names)})
    return [item for item in values.items(page.get("items")) if isinstance(item, dict)]


def _is_watched(item: Mapping[str, Any], run: _Run) -> bool:
    """Whether a video names a subject, or is of one of our channels."""
    snippet = values.mapping(item.get("snippet"))
    if snippet.get("channelId") in run.options.channels:
        return True
    said = (values.string(snippet.get(name)) or "" for name in ("title", "description"))
    return run.may_name(tuple(said), ())


def _watch(item: Mapping[str, Any], run: _Run) -> None:
    """Visit a video from now on, as long as it is young; the oldest gives way to the 301st."""
    name, at = things.video_id(item), things.published_at(item)
    age = timedelta(days=run.options.watch_days)
    if name is None or at is None or at < run.request.until - age:
        return
    title = values.string(values.mapping(item.get("snippet")).get("title")) or ""
    run.videos[name] = _Video(about=title[:300], published_at=at)
    if len(run.videos) > _WATCHED:
        oldest = min(run.videos, key=lambda each: run.videos[each].published_at)
        del run.videos[oldest]
        run.round.notes.append(f"more than {_WATCHED} videos to watch: the oldest is left alone")


# Comments


def _visited(run: _Run, question: str, video: str) -> Iterator[Payload]:
    """New comments under one video; one whose comments are closed is not visited again."""
    try:
        yield from _threads(run, question, {"videoId": video}, floor=_floor(run, question))
    except api.CommentsClosed:
        run.videos[video] = replace(run.videos[video], is_closed=True)
    except api.NotThere:
        del run.videos[video]  # whether it is gone, the look-up of what was kept will say
    run.round.reached[question] = run.request.until


def _floor(run: _Run, question: str) -> datetime:
    """Back to when threads are read: the last days again, for replies that move nothing."""
    again = run.request.until - timedelta(days=run.options.rescan_days)
    return min(run.round.since(question), again)


def _threads(
    run: _Run, question: str, where: Mapping[str, str], *, floor: datetime
) -> Iterator[Payload]:
    """Threads from the newest back to `floor`, and the replies that their answer leaves out."""
    params = {
        "part": "snippet,replies",
        "order": "time",
        "textFormat": "plainText",
        "maxResults": str(_PAGE),
        "fields": _THREADS,
        **where,
    }
    reached = run.request.until
    for _ in range(run.options.max_pages):
        page = run.api.ask("commentThreads", params)
        threads = values.items(page.get("items"))
        for thread in threads:
            yield from _thread(run, thread)
        token = values.string(page.get("nextPageToken"))
        reached = min([reached, *filter(None, map(_begun_at, threads))])
        if token is None or reached < floor or token == params.get("pageToken"):
            return
        params["pageToken"] = token
    gap = (max(floor, run.round.since(question)), reached)
    run.round.tell_cut(gap, f"{question}: more comments than max_pages allows")


def _begun_at(thread: Any) -> datetime | None:
    return things.published_at(_top(thread))


def _top(thread: Any) -> Any:
    return values.mapping(values.mapping(thread).get("snippet")).get("topLevelComment")


def _thread(run: _Run, thread: Any) -> Iterator[Payload]:
    """What is new of one thread: the comment it begins with, and every reply."""
    snippet = values.mapping(values.mapping(thread).get("snippet"))
    if snippet.get("isPublic") is False:
        return
    video = values.string(snippet.get("videoId"))
    reply_count = values.count(snippet.get("totalReplyCount"))
    yield from _said(run, _top(thread), video, reply_count=reply_count)
    given = values.items(values.mapping(values.mapping(thread).get("replies")).get("comments"))
    for reply in given:
        yield from _said(run, reply, video)
    name = values.string(values.mapping(thread).get("id"))
    state = f"{name} {reply_count}"
    if name and (reply_count or 0) > len(given) and not run.round.knows(state):
        yield from _replies(run, name, video)
        run.round.note(state)


def _replies(run: _Run, thread: str, video: str | None) -> Iterator[Payload]:
    """All replies of a thread; one that is gone meanwhile has none."""
    params = {"part": "snippet", "parentId": thread, "textFormat": "plainText"}
    params |= {"maxResults": str(_PAGE), "fields": _COMMENTS}
    for _ in range(run.options.max_pages):
        try:
            page = run.api.ask("comments", params)
        except api.NotThere:
            return
        for reply in values.items(page.get("items")):
            yield from _said(run, reply, video)
        token = values.string(page.get("nextPageToken"))
        if token is None or token == params.get("pageToken"):
            return
        params["pageToken"] = token


def _said(
    run: _Run, item: Any, video: str | None, *, reply_count: int | None = None
) -> Iterator[Payload]:
    """A comment, once in each of its versions."""
    told = values.mapping(item)
    snippet = values.mapping(told.get("snippet"))
    version = snippet.get("updatedAt") or snippet.get("publishedAt")
    if not run.round.is_new(f"{told.get('id')} {version}"):
        return
    watched = run.videos.get(video or "")
    yield Payload(
        kind="comment",
        data={
            "comment": item,
            "video_id": video,
            "reply_count": reply_count,
            "about": watched.about if watched else None,
        },
    )


# What was kept, looked up again


def _looked_up_again(run: _Run) -> Iterator[Payload]:
    """Videos and comments kept earlier: as they are now, or gone. A failure is told, no more."""
    ids = run.request.recheck_ids
    videos = [name for name in ids if things.is_video_id(name)]
    others = [name for name in ids if not things.is_video_id(name)]
    parts = {"part": "snippet,statistics", "fields": _VIDEOS}
    comments = {"part": "snippet", "textFormat": "plainText", "fields": _COMMENTS}
    try:
        found = [*_again(run, "videos", videos, parts), *_again(run, "comments", others, comments)]
    except SourceError as error:
        run.round.notes.append(f"deletions could not be checked: {error}")
        return
    missing = sorted(set(ids).difference(payload_id for payload_id, _ in found))
    yield from (payload for _, payload in found)
    if len(missing) == len(ids) > _FEW:
        run.round.notes.append(
            f"YouTube knows none of {len(ids)} posts looked up: none is taken for deleted"
        )
        return
    for name in missing:
        data = {"id": name, "checked_at": run.request.until.isoformat()}
        yield Payload(kind="gone", data=data)


def _again(
    run: _Run, method: str, names: Sequence[str], params: Mapping[str, str]
) -> Iterator[tuple[str, Payload]]:
    for start in range(0, len(names), _IDS):
        for item in _listed(run, method, names[start : start + _IDS], params):
            data = item if method == "videos" else {"comment": item, "about": _about(run, item)}
            yield str(item.get("id")), Payload(kind=method.removesuffix("s"), data=data)


def _about(run: _Run, comment: Mapping[str, Any]) -> str | None:
    """The title of the video under which a comment stands, as long as that is watched."""
    video = run.videos.get(str(values.mapping(comment.get("snippet")).get("videoId")))
    return video.about if video else None


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:  # noqa: ARG001
    """The video, the comment, the deletion or the rejection of one payload. Pure."""
    if payload.kind == "video":
        yield things.video(payload.data)
    elif payload.kind == "comment":
        yield things.comment(payload.data)
    else:
        yield _deletion(payload.data)


def _deletion(data: Any) -> Parsed:
    told = values.mapping(data)
    native_id, at = values.string(told.get("id")), values.time(told.get("checked_at"))
    if native_id is None or at is None:
        return things.rejection(native_id, "no_id", "a deletion has no id or no time")
    return Deletion(source=MANIFEST.name, native_id=native_id, deleted_at=at, reason="gone")
