r"""What a model sees of a text: links, handles, emoji, case, elongation, spelling, by language.

The rules run over a whole batch joined by a separator that counts as white space, so that a
regular expression costs one call and not one a text. Meaning is kept where it carries tone:
an emoji stays and gains the name of its feeling, an emoticon becomes that name, `#StopGreve`
is read as `stop greve`, `nuuuul` as `nuul`.

What a person is must not move a score: names of parties and of their leaders, religions, origins,
places, first names become one mark a kind, feminine and regional forms one form a pair
(`models/impartial/*.toml`), so that a model cannot learn to dislike one of them.

Cost: about 15 microseconds a text of 100 characters.
Known gap: a name that is not listed is read as it stands.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from models.exchange import Table, exchanged, table

READ_LIMIT = 3_000  # characters a model reads; tone and topic of a post stand well before
_SPELT = ("fr", "en")  # languages with a file in `models/spelling`
SEPARATOR = "\x1e"  # white space to `re`, and never part of a prepared text

LINK, HANDLE, MAIL = "‹lien›", "‹nom›", "‹adresse›"
PARTY, FIRST_NAME = "‹parti›", "‹prénom›"

_FEELINGS = {
    "‹joie›": "😀😃😄😁😊🙂😉😎🤗🥳🎉🎊🌞☀✨😺😇🤩👌",
    "‹rire›": "😂🤣😆😅😹",
    "‹amour›": "❤♥💙💚💛🧡💜🖤🤍💕💖💗💓💞😍🥰😘💋😻🫶",
    "‹accord›": "👍👏🙌💪🤝🙏🫡✅🏆🥇⭐🌟💯🔝",
    "‹colère›": "😡😠🤬👿😤💢🖕👺",
    "‹dégoût›": "🤮🤢🤡💩🙄😒😑👎🚮🤦🤥😬",
    "‹tristesse›": "😢😭😞😔☹🙁😥😓😩😫💔🥺😿😪😣😖",
    "‹peur›": "😱😨😰😧🚨⚠🆘🔥😳",
    "‹doute›": "🤔🤨🧐😐😕🤷❓",
}
_FEELING_OF = {emoji: name for name, emojis in _FEELINGS.items() for emoji in emojis}
_EMOTICONS = (
    (re.compile(r"[:;=xX^](?<!\w.)(?:-?'?[)D\]]+|(?<=\^)\^|(?<=[:;=])-?\*)(?!\w)"), " ‹joie› "),
    (re.compile(r"[:;=T](?<!\w.)(?:-?'?[(\[]+|(?<=:)'-?\(|(?<=T)_T)(?!\w)"), " ‹tristesse› "),
    (re.compile(r"[>:-](?<!\w.)(?:(?<=>):-?\(|(?<=-)_-+|(?<=:)-?[/\\](?!/))(?!\w)"), " ‹dégoût› "),
    (re.compile(r"<3+"), " ‹amour› "),
)

# A pattern that begins with plain letters or one set of signs is searched for fast, so that what
# must not stand before is asked after the first sign.
_LINK = re.compile(r"https?(?::\S+|\b)|www\.\S+")
_MAIL = re.compile(r"(?<![\w.@+-])[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}")
_MAIL_MARK = re.compile(r"\[e?-?mail\]")
_MAIL_SIGN = re.compile(r"(?<=[\w.+-])@(?=[\w-])")  # an @ inside a word: most texts have none
_ROOM = 130  # characters around an @ in which an address lies
_HANDLE = re.compile(r"@(?:…|\w(?:[\w.@-]{0,80}\w)?)")
_HASHTAG = re.compile(r"#(\w{1,100})")
_JOINT = re.compile(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Ý])|(?<=[A-ZÀ-Ý])(?=[A-ZÀ-Ý][a-zà-ÿ])|_")
_EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff]")
_SELECTORS = re.compile("[\ufe0e\ufe0f\u200d\u200b\u00ad\U0001f3fb-\U0001f3ff]")
_APOSTROPHE = re.compile(r"[’ʼ`´]")
_RETWEET = re.compile(r"RT (?<!\w...)(?=@)")

# Names of persons, told by their capitals: after a title, or after a first name that is listed.
_TITLED = re.compile(
    r"([MDCf](?<!\w.)(?:M?\.|me|mes|lle|rs?\.?|s\.?|onsieur|adame|ademoiselle|octeur|ouncillor|llr"
    r"|amille))[ \xa0]+(?!L(?:e|a|es)\b)"
    r"([A-ZÀ-Ý][\w'-]+(?:[ -](?:d[eaiu]s?|van|von|ben|bin|el|al|l[ea]) ?)?"
    r"(?:[ -]?[A-ZÀ-Ý][\w'-]+){0,3})"
)
_PAIR = re.compile(r"([A-ZÀ-Ý](?<!\w.)[\w-]+) ([A-ZÀ-Ý][\w'-]{2,})")
# A capital after a title or a name may begin a sentence ("Bonjour Madame Je voudrais").
_NO_NAMES = """
    je j' il elle on nous vous ils elles ce c' cela ça ceci la le les l' un une des du de mon ma
    mes notre votre vos nos qui que quand lorsque si suite bonjour bonsoir merci pour par dans en
    et ou mais donc depuis après avant malgré voici voilà aucun aucune pas ne n' est sont suis il y
    à au tout toute tous toutes comme comment pourquoi où pourtant recevez hyper sur i we you they
    he she it the this that my our your what when why how please thank thanks for and but
    """
# Parties named by a common word: by its capital, and not "la Renaissance" of history.
_CAPITAL_PARTY = re.compile(
    r"R(?<![\w-].)(?<![Ll]a .)(?:enaissance|econquête)(?!\w)|H(?<![\w-].)orizons(?!\w)"
)

_INCLUSIVE = re.compile(r"[·•](?<=\w.)(?:e|ne|le|te|trice|euse|ère|ice|rice)[·•]?(s?)(\b)")


@cache
def impartial_words() -> dict[str, str]:
    """Each name that is read as another: a mark of its kind, or one form of a pair."""
    found: dict[str, str] = {}
    for file in sorted((files("models") / "impartial").iterdir(), key=lambda each: each.name):
        read = tomllib.loads(file.read_text(encoding="utf-8"))
        words = read["words"]
        found |= words if isinstance(words, dict) else dict.fromkeys(words, read["mark"])
    return found


@cache
def _impartial_table() -> Table:
    return table(impartial_words())


@cache
def _spelling_table(lang: str) -> Table:
    """Social spelling, written out; what an apostrophe, hyphen, mark or digit touches is left."""
    read = (files("models") / "spelling" / f"{lang}.toml").read_text(encoding="utf-8")
    return table(tomllib.loads(read)["words"], untouched="'‹›-_0123456789")


def prepare(texts: Sequence[str], *, lang: str | None) -> list[str]:
    """Each text as the models of `lang` read it: lower case, marks such as ‹lien› and ‹colère›.

    Same length and order as `texts`. Nothing is learnt here and nothing depends on the batch.
    """
    cut = (text[:READ_LIMIT].replace(SEPARATOR, " ") for text in texts)
    joined = SEPARATOR.join(cut)
    for rule in (_masked, _split_hashtags, _felt, str.lower, _plain, _impartial):
        joined = rule(joined)
    if lang in _SPELT:
        joined = exchanged(joined, _spelling_table(lang))
    return joined.split(SEPARATOR) if texts else []


@cache
def _plain_letters() -> NDArray[np.uint32]:
    plain = (unicodedata.normalize("NFD", chr(code))[0] for code in range(0x250))
    return np.array([ord(char) for char in plain], np.uint32)


def unaccented(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Code points with Latin letters bare of accents: é and e become equal, lengths stay."""
    is_latin = codes < len(_plain_letters())
    return np.where(is_latin, _plain_letters()[np.where(is_latin, codes, 0)], codes)


def _masked(text: str) -> str:
    text = _APOSTROPHE.sub("'", text)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = _LINK.sub(f" {LINK} ", text)
    text = _addresses_masked(_MAIL_MARK.sub(f" {MAIL} ", text))
    return _unnamed(_HANDLE.sub(f" {HANDLE} ", _RETWEET.sub("", text)))


def _unnamed(text: str) -> str:
    """Text with the names of persons as one mark; those of parties' leaders are left to theirs."""
    text = _TITLED.sub(_untitled, _CAPITAL_PARTY.sub(PARTY, text))
    return _PAIR.sub(_unpaired, text)


def _untitled(found: re.Match[str]) -> str:
    last = re.split(r"[ -]", found[2].lower())[-1]
    if _is_plain(found[2]) or impartial_words().get(last) == PARTY:
        return found[0]
    return f"{found[1]} {FIRST_NAME}"


def _unpaired(found: re.Match[str]) -> str:
    words, last = impartial_words(), found[2].lower()
    is_named = words.get(found[1].lower()) == FIRST_NAME and not _is_plain(found[2])
    is_party = PARTY in (words.get(last), words.get(f"{found[1].lower()} {last}"))
    return FIRST_NAME if is_named and not is_party else found[0]


def _is_plain(name: str) -> bool:
    return re.split(r"(?<=')|[ -]", name.lower())[0] in _no_names()


@cache
def _no_names() -> frozenset[str]:
    return frozenset(_NO_NAMES.split())


def _addresses_masked(text: str) -> str:
    """Text without e-mail addresses, looked for only where an @ stands inside a word."""
    kept, done = [], 0
    for sign in _MAIL_SIGN.finditer(text):
        if sign.start() < done:
            continue
        first = max(done, sign.start() - _ROOM)
        found = _MAIL.search(text, first, sign.end() + _ROOM)
        if found and found.start() < sign.start():  # not the next one, cut at the window's end
            kept += [text[done : found.start()], f" {MAIL} "]
            done = found.end()
    return "".join([*kept, text[done:]])


def _split_hashtags(text: str) -> str:
    return _HASHTAG.sub(lambda found: f" {_JOINT.sub(' ', found[1])} ", text)


def _felt(text: str) -> str:
    for pattern, feeling in _EMOTICONS:
        text = pattern.sub(feeling, text)
    if text.isascii():
        return text
    return _EMOJI.sub(_named, _SELECTORS.sub("", text))


def _named(found: re.Match[str]) -> str:
    return f" {found[0]} {_FEELING_OF.get(found[0], '')} "


@cache
def _repeated_signs() -> NDArray[np.bool_]:
    """Which code points are cut to two where they stand three times and more in a row."""
    codes = range(0x3000)
    found = np.zeros(0x110000, np.bool_)
    found[: len(codes)] = [chr(code).isalpha() or chr(code) in "!?._" for code in codes]
    return found


def _plain(text: str) -> str:
    """Text with elongations cut to two: `nuuuul` is `nuul`."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    is_third = np.zeros(len(codes), np.bool_)
    is_same = codes[1:] == codes[:-1]
    is_third[2:] = is_same[1:] & is_same[:-1] & _repeated_signs()[codes[2:]]
    if not is_third.any():
        return text
    return codes[~is_third].tobytes().decode("utf-32-le", "surrogatepass")


def _impartial(text: str) -> str:
    """Text with what a person is hidden, and inclusive writing (`agent·es`) as the plain form."""
    return exchanged(_INCLUSIVE.sub(r"\1\2", text), _impartial_table())
