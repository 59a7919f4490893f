"""Which of seven languages a text is written in, or none when it cannot be told.

Byte n-grams (py3langid) choose among the languages we know and some we do not, so that a Dutch
post is not forced into German. Under 80 characters n-grams know too little, and telling words
and a prior for French add to them, since we listen around French institutions.

Cost: half a second to load, then 12,000 (whole tweets) to 35,000 (four words) texts a second on
one core.
Accuracy by language, and on texts cut to four words: the table in `models/cards/language.md`.
Known gaps: Creoles and regional languages come out as None or, rarely, French; a text in two
languages is given the longer one; Arabic dialects are `ar` in Arabic script, None in Latin.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from models.hashing import Hashes, word_hash
from models.text import SEPARATOR
from models.tokens import batches

LANGUAGES = ("fr", "en", "de", "es", "it", "pt", "ar")
THRESHOLD = 0.65  # measured on tweets of seven languages; the card gives the errors it leaves
READ_LIMIT = 400  # characters that are read; more changes no answer and costs time
SHORT_LIMIT = 80  # characters under which telling words count
_PRIOR_FR = 1.5  # natural logarithm; a short text near a French institution is often French
_WORD_WEIGHT = 3.0  # natural logarithm, each telling word of a short text

# Others that turn up around French institutions, told apart so as not to be taken for ours.
_OTHERS = (
    "nl", "ca", "eu", "oc", "br", "ro", "pl", "tr", "ru", "uk", "sv", "hu", "id", "vi", "el",
    "fa", "he", "hi", "zh", "ja", "ko",
)  # fmt: skip

_TELLING = {
    "fr": """
        merci bonjour bonsoir salut bravo honte honteux honteuse nul nulle scandale scandaleux
        inadmissible inacceptable lamentable pitoyable ridicule super génial magnifique mdr ptdr
        lol jsp svp stp wesh bcp pk le la pq pcq tjs tkt dsl cest jai quoi pourquoi comment quand où
        est sont était être avoir les des une aux du et ou mais donc dans pour avec sans sur par
        pas plus très trop tout tous rien jamais toujours encore déjà aussi ici là ça je tu il
        elle nous vous ils elles mon ton son notre votre leur cette ces mairie maire préfecture
        ville rue métro grève eau école hôpital route feu incendie inondation
        oui non voilà enfin vraiment beaucoup bien mal courage félicitations
        """,
    "en": """
        the is are was this that thanks thank you please what when why how where and or but not
        never always with without my your his her our their it its they we he she great awful
        good bad love hate shame so very too
        """,
    "de": "der die das ist nicht und danke bitte sehr gut schlecht ich du wir ihr auch kein",
    "es": """
        el la los las yo tú una gracias muy no está qué por para pero con sin mal bien hola
        vergüenza
        """,
    "it": "il la le gli che grazie molto non è sono perché con senza male bene ciao vergogna",
    "pt": """
        eu você vc tá pra o os as uma obrigado obrigada muito não é são por para mas com sem mal
        bem vergonha
        """,
}
# Words that no neighbouring language shares: two of them, and none of the other list, settle it.
_PLAIN = {
    "fr": """
        est sont était étaient être été avons avez ont avoir avait fait faire dans pour avec sans
        mais donc nous vous elle elles je j' c' qu' d' l' n' s' m' ils cette ces celui ceux leur
        leurs notre votre aux une du où qui quoi quand très trop aussi toujours jamais encore même
        alors après avant depuis pendant chez vers entre sous contre selon peut peuvent faut veut
        doit devrait serait seront sera suis es sommes êtes voilà voici ça rien beaucoup moins
        plus bien mieux tous toutes tout toute quel quelle quels quelles pourquoi parce déjà
        aujourd' hui merci bonjour ville mairie rue jour jours ans année années français
        personnes gens monde pays gouvernement état travail argent enfants école
        """,
    "en": """
        the is are was were be been being have has had this that these those with without you your
        my we our they their them his her its it's i'm don't doesn't didn't can't won't isn't what
        when where who why how which would could should will just about from there here then than
        because while after before into over again more most very too much many some any only
        and for not but all get got going make made want need know think people today tomorrow
        tonight thanks please day time year good great
        """,
    # French too, but not French alone: they count beside a word of the first list.
    "fr_shared": """
        le la les de des un et en se sa son par que si non on ne pas il me te lui ou plan an
        france politique climat transition énergie projet social programme
        """,
    # Other languages: one word is enough to leave the text to n-grams.
    "others": """
        el los las una y con por para más no es una del al lo gli della dello che non sono di
        per con anche più não uma os em ao à são com mais um o amb els i nos het een van der die
        das und nicht ist den dem ein eine zu mit auf für ein og er det som på den
        """,
}
_SHARE = 0.15  # of the words of a text, from which plain words settle its language
_APOSTROPHE = re.compile(r"[’ʼ`´]")
_SKIPPED = re.compile(r"https?[^\s\x1e]*|www\.[^\s\x1e]+|@[^\s\x1e]+|[#_\d]+")
_WORD = re.compile(r"[^\W\d_]+")
_FEELING = re.compile("[\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff]")
_EMOTICON = re.compile(r"(?<!\w)(?:[:;=]-?'?[()\[\]DdPp/\\|*oO]+|[xX]D+|<3+|\^_*\^|T_T|-_+-)(?!\w)")


@cache
def _identifier() -> LanguageIdentifier:
    whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    whole.set_languages(LANGUAGES + _OTHERS)
    # One of these languages alone: the other, for 97, is 60 MB.
    return LanguageIdentifier(
        whole.nb_ptc,
        whole.nb_pc,
        whole.nb_classes,
        whole.tk_nextmove,
        whole.tk_output,
        norm_probs=True,
        tk_row=whole.tk_row,
    )


@cache
def _telling() -> dict[str, tuple[str, ...]]:
    """Each telling word and the languages that it speaks for."""
    found: dict[str, tuple[str, ...]] = {}
    for lang, words in _TELLING.items():
        for word in words.split():
            found[word] = (*found.get(word, ()), lang)
    return found


def detect(texts: Sequence[str]) -> list[str | None]:
    """The language of each text as ISO 639-1 (one of `LANGUAGES`), None when undetermined.

    None too for a text in another language, without letters, or too short to tell; but emoji and
    emoticons alone, which say the same in every language, are read as French. Plain words settle
    most French and English texts; n-grams are asked of the others.
    """
    return [lang or _detect(text) for lang, text in zip(_settled(texts), texts, strict=True)]


def _settled(texts: Sequence[str]) -> list[str | None]:
    """French or English where words that no neighbour shares speak for one alone."""
    if not texts:
        return []
    cut = (text[:READ_LIMIT].replace(SEPARATOR, " ").lower() for text in texts)
    joined = _APOSTROPHE.sub("'", _SKIPPED.sub(" ", SEPARATOR.join(cut)))
    found: list[str | None] = []
    for piece in batches(joined.split(SEPARATOR)):
        french, english, shared, others = (
            np.bincount(
                piece.row[np.isin(piece.hashes, _plain_hashes(kind))], minlength=piece.count
            )
            for kind in _PLAIN
        )
        sizes = np.bincount(piece.row[piece.is_read], minlength=piece.count)
        most = np.maximum(french, (french > 0) * (french + shared - 1))
        is_french = (most >= np.maximum(2, sizes * _SHARE)) & (french >= 4 * english)
        is_french &= french >= 2 * others
        is_english = (english >= np.maximum(3, sizes * _SHARE)) & (english >= 4 * french)
        names: tuple[str | None, ...] = (None, "fr", "en")
        found += [names[place] for place in is_french + 2 * (is_english & ~is_french)]
    return found


@cache
def _plain_hashes(lang: str) -> Hashes:
    words = f"{_PLAIN[lang]} {_frequent().get(lang, '')}".split()
    return np.array(sorted({word_hash(word) for word in words}), np.uint64)


@cache
def _frequent() -> dict[str, str]:
    """Frequent words of French and English that no neighbour was seen to share."""
    return tomllib.loads((files("models") / "language.toml").read_text(encoding="utf-8"))


def _detect(text: str) -> str | None:
    cut = text[:READ_LIMIT]
    read = _SKIPPED.sub(" ", cut).strip()
    if not any(map(str.isalpha, _SKIPPED.sub(" ", _EMOTICON.sub(" ", cut)))):
        return "fr" if _FEELING.search(read) or _EMOTICON.search(cut) else None
    if len(read) < SHORT_LIMIT:
        lang, chance = _detect_short(read.lower())
    else:
        lang, chance = _identifier().classify(read)
    return lang if chance >= THRESHOLD and lang in LANGUAGES else None


def _detect_short(text: str) -> tuple[str, float]:
    """The likeliest language of a short text and its probability, telling words counted."""
    odds = {lang: math.log(max(chance, 1e-9)) for lang, chance in _identifier().rank(text)}
    odds["fr"] += _PRIOR_FR
    for word in _WORD.findall(text):
        for lang in _telling().get(word, ()):
            odds[lang] += _WORD_WEIGHT
    best = max(odds, key=odds.__getitem__)
    total = sum(math.exp(value - odds[best]) for value in odds.values())
    return best, 1.0 / total
