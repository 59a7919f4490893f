"""erasure: a post, or all of a person, leaves every store and never comes back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import erasure, load, privacy, publish, warehouse
from pipelines.errors import VigieError
from pipelines.mention import Mention, mention_id
from pipelines.settings import Settings, SourceBlock
from pipelines.sources import Payload, _webhook_inbox, mastodon, webhook
from tests.pipelines import staged
from tests.pipelines.staged import RUN, SEEN, mention, one, score, stage

KEY = bytes(range(32))
HOST = "social.example"


def _status(number: int, name: str) -> dict[str, Any]:
    """A Mastodon status as its server tells it, with what the parser needs."""
    return {
        "id": str(number),
        "uri": f"https://{HOST}/users/{name}/statuses/{number}",
        "url": f"https://{HOST}/@{name}/{number}",
        "created_at": "2026-11-20T10:00:00.000Z",
        "visibility": "public",
        "content": f"<p>Le tram ({number})</p>",
        "account": {"acct": name, "uri": f"https://{HOST}/users/{name}", "username": name},
    }


def _post(number: int, name: str, **changes: Any) -> Mention:
    """The mention that comes of that status."""
    status = _status(number, name)
    at = SEEN - timedelta(minutes=number)
    return mention(
        number,
        native_id=status["uri"],
        url=status["url"],
        published_at=at,
        author_key=privacy.author_key(
            KEY, network="mastodon", account_id=status["account"]["uri"], at=at
        ),
        **changes,
    )


def _settings(home: Path) -> Settings:
    options = mastodon.Options(instance=HOST, tags=("tram",))
    return staged.settings(
        home, sources=(SourceBlock(name="masto", kind="mastodon", options=options),)
    )


def _land(home: Path, statuses: Iterable[dict[str, Any]], *, source: str = "masto") -> Path:
    path = home / "landing" / source / "2026-11-20" / f"{RUN}.jsonl.zst"
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.output_stream(str(path), compression="zstd") as out:
        for status in statuses:
            payload = Payload(kind="tag", data=status, instance=HOST, fetched_at=SEEN)
            out.write(msgspec.json.encode(payload) + b"\n")
    return path


def _landed(path: Path) -> str:
    with pa.input_stream(str(path), compression="zstd") as stream:
        return str(stream.read().decode())


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Jeanne wrote posts 1 and 2, Paul post 3; stored, landed, staged, published, quoted."""
    home = tmp_path_factory.mktemp("full")
    _fill(home)
    return home


@pytest.fixture
def home(full: Path, tmp_path: Path) -> Path:
    """A copy, from which a test may erase."""
    shutil.copytree(full, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _fill(home: Path) -> None:
    posts = [_post(1, "jeanne"), _post(2, "jeanne"), _post(3, "paul")]
    settings = _settings(home)
    staged.prepared(settings)
    with warehouse.opened(home) as connection:
        files = stage(home / "staging" / RUN, posts, scores=map(score, posts))
        load.load(connection, files, loaded_at=SEEN)
        connection.execute(
            "insert into outbox values ('k', null, 'digest', 'daily', 'email', 'a@b.example', 'm',"
            " 'quoted'::blob, $at, 0, $at, $at, null, null)",
            {"at": SEEN + timedelta(minutes=1)},
        )
        connection.execute(
            "insert into quarantine values ('mastodon', 'masto', $id, 'r', 'd', null, 'r', $at)",
            {"id": posts[0].native_id, "at": SEEN},
        )
    _land(home, [_status(1, "jeanne"), _status(2, "jeanne"), _status(3, "paul")])
    pages = home / "digests"
    pages.mkdir()
    (pages / "2026-11-20.fr.html").write_text(f'<p data-ids="{posts[0].mention_id}">')
    (pages / "2026-11-19.fr.html").write_text('<p data-ids="0">')
    publish.publish(home, made_at=SEEN)


def _stored(home: Path) -> list[str]:
    with warehouse.opened(home, read_only=True) as connection:
        rows = connection.execute("select native_id from mention order by 1").fetchall()
        assert one(connection, "select count(*) from score") == len(rows)
        assert one(connection, "select coalesce(sum(mention_count), 0) from daily") == 2 * len(rows)
    return [str(native_id).rsplit("/", 1)[1] for (native_id,) in rows]


def _load_again(home: Path, posts: Iterable[Mention]) -> load.Loaded:
    with warehouse.opened(home) as connection:
        files = stage(home / "staging" / "again", posts, run_id="again")
        return load.load(connection, files, loaded_at=SEEN)


@pytest.mark.parametrize(
    "permalink",
    [f"https://{HOST}/@jeanne/1", f"http://www.{HOST}/@jeanne/1/#reply", f" {HOST}/@jeanne/1 "],
)
def test_a_post_goes_by_its_permalink_however_it_is_written(home: Path, permalink: str) -> None:
    gone = erasure.erase(_settings(home), as_of=SEEN, permalink=permalink)
    assert _stored(home) == ["2", "3"]
    assert gone["mentions"] == 1


def test_an_erased_post_leaves_every_store_and_does_not_come_back(home: Path) -> None:
    post = _post(1, "jeanne")
    gone = erasure.erase(_settings(home), as_of=SEEN, source="mastodon", native_id=post.native_id)
    assert gone == {
        "mentions": 1,
        "blocked": 1,
        "pseudonyms": 0,
        "waiting_mails": 0,
        "payloads": 1,
        "staged_rows": 2,
        "digest_pages": 1,
    }
    landed = _landed(next(home.glob("landing/*/*/*.zst")))
    assert "/@jeanne/1" not in landed
    assert "/@jeanne/2" in landed
    for name in ("mentions", "scores"):
        keys = pq.read_table(home / "staging" / RUN / f"{name}.parquet")["mention_id"]
        assert post.mention_id not in keys.to_pylist()
        assert len(keys) == 2
    assert [p.name for p in (home / "digests").iterdir()] == ["2026-11-19.fr.html"]
    with warehouse.opened_file(home / publish.ANALYST, read_only=True) as connection:
        assert one(connection, "select count(*) from mention_public") == 2
    with warehouse.opened(home, read_only=True) as connection:
        assert one(connection, "select count(*) from quarantine") == 0
        assert one(connection, "select octet_length(message) from outbox") == 0
        kind, detail = connection.execute("select kind, detail from receipt").fetchall()[0]
    assert kind == "erasure"
    assert json.loads(detail) == gone | {"reason": "erasure_request"}
    loaded = _load_again(home, [replace(post, text="Encore")])
    assert (loaded.blocked, loaded.inserted) == (1, 0)
    assert _stored(home) == ["2", "3"]


def test_a_second_erasure_finds_nothing_more(home: Path) -> None:
    for count in (1, 0):
        link = f"https://{HOST}/@jeanne/1"
        gone = erasure.erase(_settings(home), as_of=SEEN + timedelta(hours=count), permalink=link)
        assert gone["mentions"] == count
    assert _stored(home) == ["2", "3"]


def test_all_of_a_person_goes_by_handle_and_new_posts_are_refused(home: Path) -> None:
    gone = erasure.erase(
        _settings(home), as_of=SEEN, network="mastodon", handle=f"@Jeanne@{HOST}", key=KEY
    )
    assert _stored(home) == ["3"]
    assert (gone["mentions"], gone["payloads"]) == (2, 2)
    years = [_post(n, "jeanne", last_seen_at=SEEN) for n in (8, 9)]
    later = replace(
        years[1],
        author_key=privacy.author_key(
            KEY,
            network="mastodon",
            account_id=f"https://{HOST}/users/jeanne",
            at=SEEN + timedelta(days=1000),
        ),
    )
    loaded = _load_again(home, [years[0], later, _post(10, "paul")])
    assert (loaded.blocked, loaded.inserted) == (2, 1)


def test_a_person_is_found_by_pseudonym_when_no_address_is_kept(home: Path) -> None:
    with warehouse.opened(home) as connection:
        connection.execute("update mention set url = null")
    for path in home.glob("landing/*/*/*"):
        path.unlink()
    account = f"https://{HOST}/users/jeanne"
    erasure.erase(_settings(home), as_of=SEEN, network="mastodon", handle=account, key=KEY)
    assert _stored(home) == ["3"]


def test_another_person_of_the_same_name_keeps_their_posts(home: Path) -> None:
    erasure.erase(
        _settings(home), as_of=SEEN, network="mastodon", handle="jeanne@other.example", key=KEY
    )
    assert _stored(home) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("handle", "url", "network", "is_gone"),
    [
        ("Jeanne_D", "https://x.com/jeanne_d/status/1", "x", True),
        ("jeanne", "https://x.com/jeanne_d/status/1", "x", False),
        ("jeanne", "https://www.tiktok.com/@jeanne/video/1", "tiktok", True),
        ("did:plc:abc", "https://bsky.app/profile/did:plc:abc/post/1", "bluesky", True),
    ],
)
def test_an_account_is_known_by_where_its_posts_live(
    tmp_path: Path, handle: str, url: str, network: str, is_gone: bool
) -> None:
    with staged.stored(tmp_path, [mention(1, url=url, network=network)]):
        pass
    gone = erasure.erase(_settings(tmp_path), as_of=SEEN, network=network, handle=handle, key=KEY)
    assert gone["mentions"] == is_gone


def test_a_post_that_was_only_landed_is_blocked_too(home: Path) -> None:
    _land(home, [_status(7, "jeanne")])
    gone = erasure.erase(_settings(home), as_of=SEEN, permalink=f"https://{HOST}/@jeanne/7")
    assert (gone["mentions"], gone["blocked"], gone["payloads"]) == (0, 1, 1)
    assert not list(home.glob("landing/*/*/*.zst"))
    with warehouse.opened(home, read_only=True) as connection:
        uri = _status(7, "jeanne")["uri"]
        assert one(connection, "select mention_id from tombstone") == mention_id("mastodon", uri)


def test_a_post_that_waits_to_land_is_taken_out_and_blocked(tmp_path: Path) -> None:
    options = webhook.Options(secret_env="VIGIE_CRM")
    block = SourceBlock(name="crm", kind="webhook", options=options)
    settings = staged.settings(tmp_path, sources=(block,))
    warehouse.prepare(settings)
    place = tmp_path / "received" / "crm"
    posts = [{"id": str(n), "text": "Le tram", "url": f"https://a.example/{n}"} for n in (1, 2)]
    put = partial(_webhook_inbox.put, place, content_type="application/json", received_at=SEEN)
    for name, body in (("m1", json.dumps(posts)), ("m2", "{"), ("m3", json.dumps(posts[1]))):
        put(message_id=name, body=body.encode())
    as_of = SEEN + timedelta(hours=1)
    for blocked in (1, 0):
        gone = erasure.erase(settings, as_of=as_of, permalink="https://a.example/2")
        assert gone["blocked"] == blocked
        as_of += timedelta(hours=1)
    left = list(_webhook_inbox.waiting(place, until=as_of))
    assert [json.loads(message.body) for message in left] == [posts[:1]]
    assert put(message_id="m1", body=json.dumps(posts).encode()) == "known"
    with warehouse.opened(tmp_path, read_only=True) as connection:
        assert one(connection, "select count(*) from tombstone") == 1


def test_payloads_that_nobody_can_read_any_more_go_with_the_rest(home: Path) -> None:
    forgotten = _land(home, [_status(1, "jeanne")], source="former_source")
    broken = home / "landing" / "masto" / "2026-11-19" / "b.jsonl.zst"
    broken.parent.mkdir()
    with pa.output_stream(str(broken), compression="zstd") as out:
        out.write(b"not json\n")
    gone = erasure.erase(_settings(home), as_of=SEEN, permalink=f"https://{HOST}/@jeanne/1")
    assert gone["payloads"] == 3
    assert not forgotten.exists()
    assert not broken.exists()


def test_the_receipt_names_nobody(home: Path) -> None:
    erasure.erase(_settings(home), as_of=SEEN, network="mastodon", handle=f"jeanne@{HOST}", key=KEY)
    with warehouse.opened(home, read_only=True) as connection:
        text = str(connection.execute("from receipt").fetchall())
    assert "jeanne" not in text.lower()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "not clear what to erase"),
        ({"permalink": "  "}, "no permalink"),
        ({"permalink": "%"}, "no permalink"),
        ({"permalink": "https://a.example", "source": "x", "native_id": "1"}, "not clear"),
        ({"handle": "jeanne"}, "not clear"),
        ({"handle": "jeanne", "network": "mastodon", "key": KEY}, "name@server"),
        ({"handle": " @ ", "network": "x", "key": KEY}, "name one account"),
        ({"handle": "jeanne", "network": "x"}, "needs the key"),
    ],
)
def test_an_unclear_request_is_refused(home: Path, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(VigieError, match=says):
        erasure.erase(_settings(home), as_of=SEEN, **asked)
    assert _stored(home) == ["1", "2", "3"]


def test_what_a_post_was_before_an_edit_and_its_counts_go_with_it(home: Path) -> None:
    posts = [_post(1, "jeanne"), _post(3, "paul")]
    later = {"last_seen_at": SEEN + timedelta(minutes=1), "text": "autrement dit"}
    edited = [replace(post, **later, text_hash="e" * 32) for post in posts]
    files = stage(home / "staging" / "edit", edited, replaced=posts, asked=posts, run_id="edit")
    with warehouse.opened(home) as connection:
        load.load(connection, files, loaded_at=SEEN)
    tables = ("mention_version", "mention_metric", "recheck")

    def held(name: str) -> dict[str, int]:
        query = "select count(*) from {} where mention_id = ?"
        key = _post(1 if name == "jeanne" else 3, name).mention_id
        with warehouse.opened(home, read_only=True) as connection:
            return {table: one(connection, query.format(table), key) for table in tables}

    assert held("jeanne") == held("paul") == dict.fromkeys(tables, 1)
    erasure.erase(_settings(home), as_of=SEEN, permalink=f"https://{HOST}/@jeanne/1")
    assert held("jeanne") == dict.fromkeys(tables, 0)
    assert held("paul") == dict.fromkeys(tables, 1)
    key = _post(1, "jeanne").mention_id
    for path in home.glob("staging/*/*.parquet"):
        assert key not in str(pq.read_table(path).to_pydict()), path


def test_a_mail_that_waits_and_quotes_an_erased_post_is_never_sent(home: Path) -> None:
    post, other = _post(1, "jeanne"), _post(3, "paul")
    with warehouse.opened(home) as connection:
        for key, url in (("a", post.url), ("b", other.url), ("c", f"{post.url}2")):
            mail = EmailMessage()
            mail.set_content("Alerte")
            mail.add_alternative(f'<a href="{url}">lire</a>', subtype="html", cte="base64")
            connection.execute(
                "insert into outbox values (?, null, 'alert', 'daily', 'email', 'a@b.example', 'm',"
                " ?, ?, 0, ?, null, null, null)",
                [key, mail.as_bytes(), SEEN, SEEN],
            )
    gone = erasure.erase(_settings(home), as_of=SEEN, source="mastodon", native_id=post.native_id)
    with warehouse.opened(home, read_only=True) as connection:
        left = connection.execute("select outbox_key from outbox where sent_at is null").fetchall()
    assert (gone["waiting_mails"], sorted(left)) == (1, [("b",), ("c",)])


@pytest.mark.parametrize(
    "permalink",
    ["https://t.me/VilleDeValmont/12", "https://t.me/s/VilleDeValmont/12", "t.me/villedevalmont/12",
     "https://t.me/VilleDeValmont/12?single", "https://www.t.me/s/villeDeValmont/12/"],
)  # fmt: skip
def test_a_telegram_message_has_one_permalink(permalink: str) -> None:
    assert erasure.bare(permalink) == "t.me/villedevalmont/12"


def test_a_hostile_permalink_erases_nothing(home: Path) -> None:
    for permalink in ("' or/true --", "https://a.example/%'; drop table mention; --", "%/%"):
        erasure.erase(_settings(home), as_of=SEEN, permalink=permalink)
    assert _stored(home) == ["1", "2", "3"]


@pytest.mark.parametrize("at", ["_clean_pages", "_erase_rows", "_rewrite", "_write_receipt"])
@pytest.mark.parametrize("is_landed", [True, False])
def test_an_erasure_killed_anywhere_is_finished_by_the_next(
    home: Path, at: str, is_landed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = f"https://{HOST}/@jeanne/1"
    if not is_landed:  # older than payloads are kept
        next(home.glob("landing/*/*/*.zst")).unlink()

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    if is_landed or at != "_rewrite":  # nothing to write again without payloads
        with monkeypatch.context() as patch:
            patch.setattr(erasure, at, killed)
            with pytest.raises(KeyboardInterrupt):
                erasure.erase(_settings(home), as_of=SEEN, permalink=link)
    erasure.erase(_settings(home), as_of=SEEN, permalink=link)
    assert _stored(home) == ["2", "3"]
    assert [page.name for page in home.glob("digests/*")] == ["2026-11-19.fr.html"]
    staged = pq.read_table(home / "staging" / RUN / "mentions.parquet")
    assert [name[-1] for name in staged["native_id"].to_pylist()] == ["2", "3"]
    for path in home.glob("landing/*/*/*.zst"):
        assert "/@jeanne/1" not in _landed(path)
