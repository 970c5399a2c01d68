"""What do the characters of two texts say of whether they belong together, without any model?

Statistics in linear time, one column each, larger = odder (`length` once its usual value is taken away, by `oddness`):

    length        log of the ratio of lengths, Y over X
    classes       how far the shares of letters, capitals, digits, marks, white space and scripts differ from each other
    numbers       numbers that stand on one side only, of all numbers of both
    punctuation   marks that one side has more of, by the square root of the length
    shared        1 - cosine of the trigrams of both texts: names, numbers and loan words survive a translation
    compression   normalised compression distance by zlib (Cilibrasi and Vitanyi 2005)
    copied        1 where both texts are the same: not translated at all

Of a text longer than LONGEST only its beginning is looked at; its length counts whole.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

ScoreArray = NDArray[np.float64]

LONGEST = 4_000  # characters looked at
NAMES = ("length", "classes", "numbers", "punctuation", "shared", "compression", "copied")

_NUMBER = re.compile(r"\d{1,40}")  # a longer run of digits is several
_SPACE = re.compile(r"\s+")


def statistics(xs: Sequence[str], ys: Sequence[str]) -> dict[str, ScoreArray]:
    """Statistic -> its value for each of N pairs, (N,) float64, finite; `length` is signed, Y over X."""
    if not xs:
        return {name: np.zeros(0) for name in NAMES}
    ratio_N = np.log([(len(y) + 1) / (len(x) + 1) for x, y in zip(xs, ys, strict=True)])
    some = [(plain(x), plain(y)) for x, y in zip(xs, ys, strict=True)]
    told = np.array(
        [
            (_classes(x, y), _numbers(x, y), _punctuation(x, y), compression(x, y), float(_same(x) == _same(y)))
            for x, y in some
        ]
    )
    grams = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 3), n_features=2**18, alternate_sign=False)
    x_grams, y_grams = (grams.transform([pair[side] for pair in some]) for side in (0, 1))
    shared_N = 1 - np.asarray(x_grams.multiply(y_grams).sum(axis=1), dtype=np.float64).ravel()
    return {
        "length": ratio_N,
        "classes": told[:, 0],
        "numbers": told[:, 1],
        "punctuation": told[:, 2],
        "shared": shared_N,
        "compression": told[:, 3],
        "copied": told[:, 4],
    }


def oddness(found: Mapping[str, ScoreArray], usual: Mapping[str, float]) -> dict[str, ScoreArray]:
    """Statistics as oddness, larger = odder: the length's distance from its `usual` value; the others as they are."""
    return {name: np.abs(value_N - usual[name]) if name == "length" else value_N for name, value_N in found.items()}


def medians(found: Mapping[str, ScoreArray]) -> dict[str, float]:
    """The usual value of each statistic; 0 without pairs."""
    return {name: float(np.median(value_N)) if len(value_N) else 0.0 for name, value_N in found.items()}


def plain(text: str) -> str:
    """What of a text is compared: its beginning, in NFKC."""
    return unicodedata.normalize("NFKC", text[:LONGEST])


def numbers(text: str) -> Counter[str]:
    """The numbers in a text, in any script, without leading zeros: "in 1984, ٤٢" -> 1984, 42."""
    return Counter(str(int(found)) for found in _NUMBER.findall(text))


def compression(x: str, y: str) -> float:
    """(C(xy) - min(C(x), C(y))) / max(C(x), C(y)) with C the length that zlib makes of it; about 0 to 1.1."""
    one, other = x.encode(), y.encode()
    alone = [len(zlib.compress(data, 6)) for data in (one, other)]
    return (len(zlib.compress(one + b"\n" + other, 6)) - min(alone)) / max(alone)


def _same(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()


def _classes(x: str, y: str) -> float:
    """Total variation between the shares of the kinds of character, [0, 1]."""
    one, other = (_shares(text) for text in (x, y))
    return sum(abs(one.get(kind, 0.0) - other.get(kind, 0.0)) for kind in one.keys() | other.keys()) / 2


def _shares(text: str) -> dict[str, float]:
    """Kind -> share of the characters: Lu, Ll, Lo .. N, P, Z. Which script a letter is of shows in Lu, Ll and Lo."""
    counts: Counter[str] = Counter()
    for character, count in Counter(text).items():
        kind = unicodedata.category(character)
        counts[kind if kind[0] == "L" else kind[0]] += count
    return {kind: count / max(1, len(text)) for kind, count in counts.items()}


def _numbers(x: str, y: str) -> float:
    one, other = numbers(x), numbers(y)
    union = (one | other).total()
    return ((one - other).total() + (other - one).total()) / union if union else 0.0


def _punctuation(x: str, y: str) -> float:
    one, other = (Counter(c for c in text if unicodedata.category(c)[0] == "P") for text in (x, y))
    return ((one - other).total() + (other - one).total()) / float(np.sqrt(len(x) + 1))
