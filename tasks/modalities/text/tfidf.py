"""What is a text about, when no pretrained model can be had?

Two views, learnt from the user's own texts without labels (seconds for 2,000 of them):

    words        words and pairs of words, TF-IDF, truncated SVD to 300
    characters   3 and 4 characters in a row within words, TF-IDF, truncated SVD to 150: spelling, word stems, and
                 languages without spaces

Source: Deerwester et al., "Indexing by latent semantic analysis" (1990); the widths are those measured in the first
trials. On 3,000 questions to a bank, 25 intents, 10 % wrong labels, pairs of words raise the average precision of a
logistic regression's ranking from .935 to .941; 5 characters in a row add .002 and cost a quarter more.

Texts are compared in NFKC and without case. Of a text longer than LONGEST only its beginning is looked at.
"""

# N texts, V terms, D values of a view

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils.extmath import randomized_svd

FloatArray = NDArray[np.float32]
State = Mapping[str, NDArray[Any]]

WIDTHS = {"words": 300, "characters": 150}  # values a view, at most
TERMS = 20_000  # a view, at most: the most frequent ones
LONGEST = 20_000  # characters of a text that are looked at
LONGEST_WORD = 40  # characters of a word; a longer one is its beginning
MANY = 100  # texts; from so many on, a term must be in two of them
EMPTY = 1e-6  # a direction with less than this share of the first one's singular value is rounding

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Tfidf:
    """The offline embedder; see image/embed.py for what an embedder is. `threads` plays no part."""

    seed: int = 0
    name: str = "tfidf"
    learns: bool = True

    def fit(self, texts: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Learn terms, their weights and directions from at least one text.

        A view is three arrays: <view>_terms (UTF-8, one a line), _idf (V,), _components (D, V).
        """
        plain = [normalised(text) for text in texts]
        state: dict[str, NDArray[Any]] = {}
        for view, width in WIDTHS.items():
            terms, counts_NV = _counted(view, plain)
            seen_V = np.asarray((counts_NV > 0).sum(axis=0)).ravel()
            # Smooth idf, as scikit-learn has it: as if one more text held every term once.
            idf_V = (np.log((1 + len(plain)) / (1 + seen_V)) + 1).astype(np.float32)
            weighted_NV = _weighted(counts_NV, idf_V)
            state[f"{view}_terms"] = np.frombuffer("\n".join(terms).encode(), np.uint8)
            state[f"{view}_idf"] = idf_V
            state[f"{view}_components"] = _directions(weighted_NV, width, self.seed)
        return state

    def views(self, state: State) -> dict[str, int]:
        return {view: len(state[f"{view}_components"]) for view in WIDTHS}

    def transform(self, texts: Sequence[str], state: State) -> dict[str, FloatArray]:
        plain = [normalised(text) for text in texts]
        found: dict[str, FloatArray] = {}
        for view in WIDTHS:
            terms = bytes(state[f"{view}_terms"]).decode().split("\n") if len(state[f"{view}_terms"]) else []
            components_DV = state[f"{view}_components"]
            x_ND = np.zeros((len(plain), len(components_DV)), np.float32)
            if terms and plain:
                counts_NV = _vectorizer(view, vocabulary=terms).transform(plain)
                x_ND = np.asarray(_weighted(counts_NV, state[f"{view}_idf"]) @ components_DV.T, np.float32)
            found[view] = x_ND
        return found

    def fingerprint(self, state: State) -> str:
        """sha256 over everything that was learnt."""
        digest = hashlib.sha256(b"tfidf-1")
        for key in sorted(state):
            digest.update(f"{key} {state[key].dtype} {state[key].shape}".encode() + state[key].tobytes())
        return digest.hexdigest()

    def on_cpu(self) -> Tfidf:
        return self


def normalised(text: str) -> str:
    """What of a text is compared."""
    return unicodedata.normalize("NFKC", text[:LONGEST]).casefold()


def words(text: str) -> list[str]:
    """Every word, and every word with the next one."""
    single = [word[:LONGEST_WORD] for word in _WORD.findall(text)]
    return single + [f"{one} {other}" for one, other in pairwise(single)]


def _vectorizer(view: str, **options: Any) -> Any:
    if view == "words":
        return CountVectorizer(analyzer=words, dtype=np.float32, **options)
    return CountVectorizer(analyzer="char_wb", ngram_range=(3, 4), lowercase=False, dtype=np.float32, **options)


def _counted(view: str, plain: Sequence[str]) -> tuple[list[str], Any]:
    """The terms of a view in their order, and how often each text has each, sparse (N, V)."""
    for least in (2, 1) if len(plain) >= MANY else (1,):
        try:
            vectorizer = _vectorizer(view, min_df=least, max_features=TERMS)
            counts_NV = vectorizer.fit_transform(plain)
        except ValueError:  # no term at all, or none that two texts share
            continue
        return list(vectorizer.get_feature_names_out()), counts_NV
    return [], csr_matrix((len(plain), 0), dtype=np.float32)


def _weighted(counts_NV: Any, idf_V: FloatArray) -> Any:
    """Sparse (N, V): 1 + log of the counts, times idf, each row of length 1 (or zero)."""
    weighted_NV = counts_NV.copy()
    weighted_NV.data = (1 + np.log(weighted_NV.data)) * idf_V[weighted_NV.indices]
    length_N = np.sqrt(np.asarray(weighted_NV.multiply(weighted_NV).sum(axis=1)).ravel())
    rows = np.repeat(np.arange(weighted_NV.shape[0]), np.diff(weighted_NV.indptr))
    weighted_NV.data = weighted_NV.data / length_N[rows]
    return weighted_NV


def _directions(weighted_NV: Any, width: int, seed: int) -> FloatArray:
    """The principal directions without centring, (D, V), at most `width`; one of zeros where there are no terms."""
    texts, terms = weighted_NV.shape
    if not terms:
        return np.zeros((1, 0), np.float32)
    # TruncatedSVD is this and a share of variance, which a single text does not have.
    _, singular_D, directions_DV = randomized_svd(weighted_NV, min(width, texts, terms), n_iter=5, random_state=seed)
    return np.asarray(directions_DV[singular_D > EMPTY * singular_D[0]], np.float32)
