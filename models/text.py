r"""What a model sees of a text: links, handles, emoji, case, elongation, spelling, by language.

The rules run over a whole batch joined by a separator that counts as white space, so that a
regular expression costs one call and not one a text. Meaning is kept where it carries tone:
an emoji stays and gains the name of its feeling, an emoticon becomes that name, `#StopGreve`
is read as `stop greve`, `nuuuul` as `nuul`.

What a person is must not move a score: names of parties and of their leaders, religions, origins,
places, first names become one mark a kind, feminine and regional forms one form a pair
(`models/impartial/*.toml`), so that a model cannot learn to dislike one of them.

Cost: about 35 microseconds a text of 100 characters.
Known gap: a name that is not listed is read as it stands.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

READ_LIMIT = 3_000  # characters a model reads; tone and topic of a post stand well before
SEPARATOR = "\x1e"  # white space to `re`, and never part of a prepared text

LINK, HANDLE, MAIL, PARTY = "‹lien›", "‹nom›", "‹adresse›", "‹parti›"

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

# Social spelling of French, written out. Only what is short, frequent and plain.
_SPELLING_FR = {
    "bcp": "beaucoup", "bjr": "bonjour", "bsr": "bonsoir", "slt": "salut", "stp": "s'il te plaît",
    "svp": "s'il vous plaît", "pk": "pourquoi", "pq": "pourquoi", "pkoi": "pourquoi",
    "pcq": "parce que", "pck": "parce que", "psk": "parce que", "qd": "quand", "qqn": "quelqu'un",
    "qqch": "quelque chose", "tjs": "toujours", "tjrs": "toujours", "tt": "tout", "ts": "tous",
    "ds": "dans", "ms": "mais", "dc": "donc", "vs": "vous", "ns": "nous", "bc": "beaucoup",
    "mm": "même", "meme": "même", "jms": "jamais", "jamé": "jamais", "mtn": "maintenant",
    "auj": "aujourd'hui", "ajd": "aujourd'hui", "rdv": "rendez-vous", "pb": "problème",
    "pbs": "problèmes", "pblm": "problème", "gvt": "gouvernement", "gouv": "gouvernement",
    "c": "c'est", "ct": "c'était", "cetait": "c'était", "cest": "c'est", "jai": "j'ai",
    "g": "j'ai", "jsuis": "je suis", "chui": "je suis", "chuis": "je suis", "jpp": "j'en peux plus",
    "jsp": "je sais pas", "jcrois": "je crois", "ya": "y a", "yavait": "y avait", "pa": "pas",
    "pr": "pour", "ke": "que", "ki": "qui", "koi": "quoi", "kan": "quand", "osef": "on s'en fout",
    "nn": "non", "oé": "oui", "ouai": "oui", "ouais": "oui", "dsl": "désolé", "mrc": "merci",
    "mci": "merci", "dac": "d'accord", "tkt": "t'inquiète", "ptn": "putain", "ptin": "putain",
    "ouf": "fou", "chelou": "louche", "relou": "lourd", "vnr": "énervé", "vénère": "énervé",
    "teubé": "bête", "keuf": "policier", "keufs": "policiers", "mytho": "menteur",
    "mythos": "menteurs", "askip": "à ce qu'il paraît", "wsh": "wesh",
    "trankil": "tranquille", "vrmt": "vraiment", "gro": "gros", "cho": "chaud",
    "nimp": "n'importe quoi", "nawak": "n'importe quoi", "msg": "message", "asap": "vite",
    "maj": "mise à jour", "tlm": "tout le monde",
    "jss": "je suis", "jpeux": "je peux", "jveux": "je veux", "ptet": "peut-être",
    "keske": "qu'est-ce que", "kes": "qu'est-ce", "pkw": "pourquoi", "qlq": "quelque",
    "qq": "quelques", "bcps": "beaucoup", "tro": "trop", "tjr": "toujours", "apre": "après",
    "mdr": "‹rire›", "ptdr": "‹rire›", "lol": "‹rire›", "xptdr": "‹rire›", "mdrr": "‹rire›",
}  # fmt: skip
_SPELLING_EN = {
    "u": "you", "ur": "your", "r": "are", "thx": "thanks", "thanx": "thanks", "pls": "please",
    "plz": "please", "ppl": "people", "gov": "government", "govt": "government", "dont": "don't",
    "cant": "can't", "wont": "won't", "isnt": "isn't", "didnt": "didn't", "doesnt": "doesn't",
    "im": "i'm", "lol": "‹rire›", "lmao": "‹rire›", "rofl": "‹rire›", "bc": "because",
    "luv": "love", "gr8": "great", "tmrw": "tomorrow", "2day": "today",
}  # fmt: skip
_SPELLING = {"fr": _SPELLING_FR, "en": _SPELLING_EN}

# Names of several words, both sides of each axis; single words stand in `models/impartial`.
_PARTIES = """
    la france insoumise|france insoumise|nouveau front populaire|parti communiste|fabien roussel
    |parti socialiste|olivier faure|europe [ée]cologie(?: les verts)?|les [ée]cologistes
    |sandrine rousseau|la r[ée]publique en marche|en marche|gabriel attal|[ée]douard philippe
    |[ée]lisabeth borne|les r[ée]publicains|ségolène royal|rassemblement national|front national
    |marine le pen|jean-marie le pen|le pen|debout la france|dupont[- ]aignan
    |extr[êe]me[- ]gauche|extr[êe]me[- ]droite|ultra[- ]?gauche|ultra[- ]?droite
    |islamo-?gauchistes?|la gauche|la droite|de gauche|de droite
    |les verts|(?<=maire )écologiste|(?<=élu )écologiste|(?<=élus )écologistes
    |(?<=liste )écologiste|(?<=candidat )écologiste|(?<=parti )écologiste|parti radical
    |labour party|conservative party|democratic party|republican party|the greens|green party
    |the liberal democrats|liberal democrats?|lib dems?|reform uk
    """


def _any_word(alternatives: str) -> re.Pattern[str]:
    joined = re.sub(r"\s*\n\s*", "", alternatives.strip())
    return re.compile(rf"(?<!\w)(?:{joined})(?!\w)")


_PARTY = _any_word(_PARTIES)
_INCLUSIVE = re.compile(r"(?<=\w)[·•](?:e|ne|le|te|trice|euse|ère|ice|rice)[·•]?(s?)(\b)")
_WORD = re.compile(r"[^\W\d_]{2,}")


@cache
def impartial_words() -> dict[str, str]:
    """Each word that is read as another: a mark of its kind, or one form of a pair."""
    found: dict[str, str] = {}
    for file in sorted((files("models") / "impartial").iterdir(), key=lambda each: each.name):
        read = tomllib.loads(file.read_text(encoding="utf-8"))
        words = read["words"]
        found |= words if isinstance(words, dict) else dict.fromkeys(words, read["mark"])
    return found


def _spelt_out(words: dict[str, str]) -> Callable[[str], str]:
    pattern = re.compile(rf"(?<![\w'‹-])(?:{'|'.join(map(re.escape, words))})(?![\w'›-])")
    return lambda text: pattern.sub(lambda found: words[found[0]], text)


_SPELL = {lang: _spelt_out(words) for lang, words in _SPELLING.items()}


def prepare(texts: Sequence[str], *, lang: str | None) -> list[str]:
    """Each text as the models of `lang` read it: lower case, marks such as ‹lien› and ‹colère›.

    Same length and order as `texts`. Nothing is learnt here and nothing depends on the batch.
    """
    cut = (text[:READ_LIMIT].replace(SEPARATOR, " ") for text in texts)
    joined = SEPARATOR.join(cut)
    for rule in (_masked, _split_hashtags, _felt, str.lower, _plain, _impartial):
        joined = rule(joined)
    if lang in _SPELL:
        joined = _SPELL[lang](joined)
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
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _APOSTROPHE.sub("'", text))
    text = _LINK.sub(f" {LINK} ", text)
    text = _addresses_masked(_MAIL_MARK.sub(f" {MAIL} ", text))
    return _HANDLE.sub(f" {HANDLE} ", _RETWEET.sub("", text))


def _addresses_masked(text: str) -> str:
    """Text without e-mail addresses, looked for only where an @ stands inside a word."""
    kept, done = [], 0
    for sign in _MAIL_SIGN.finditer(text):
        if sign.start() < done:
            continue
        first = max(done, sign.start() - _ROOM)
        found = _MAIL.search(text, first, sign.end() + _ROOM)
        if found:
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
    text = _INCLUSIVE.sub(r"\1\2", text)
    words = impartial_words()
    return _WORD.sub(lambda found: words.get(found[0], found[0]), _PARTY.sub(PARTY, text))
