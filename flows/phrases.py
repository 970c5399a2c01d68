"""Which translations does the demo of pairs deliver, and which of them are wrong?

English sentences and their French, both made here from one lexicon and two word orders: the French adjective follows
its noun and agrees with it, time stands first or last, and most words have two translations. Made sentences, so that
nobody's data is needed and the truth is known; real words, so that a person sees what is wrong. The chain sees no
lexicon.

    {"text": "The tired baker paints 3 red boats at the harbour on Monday.",
     "label": "Lundi, le boulanger fatigué peint 3 bateaux rouges au port.", "id": "p0007"}

Wrong are, half and half: texts that were shuffled, and texts exchanged between sentences that share most words.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DROPS = {"january-lingua": 2000, "february-mots": 1000, "march-lingua": 30}
NOISE = {"january-lingua": 0.05, "february-mots": 0.05, "march-lingua": 0.0}
KINDS = ("shuffled", "near")
NOISY = tuple(name for name in DROPS if NOISE[name])
SEED = 0  # of the wrong texts that the chain gets
FAULTS = 3  # rows of the second drop without a translation

# English; then each French word for it, with its gender
PEOPLE = (
    *("baker boulanger:m pâtissier:m", "teacher professeur:m institutrice:f", "gardener jardinier:m paysagiste:m"),
    *("painter peintre:m artiste:f", "sailor marin:m matelot:m", "farmer fermier:m paysanne:f", "aunt tante:f tata:f"),
    *("doctor médecin:m docteur:m", "driver chauffeur:m conductrice:f", "singer chanteuse:f chanteur:m"),
    *("nurse infirmière:f soignant:m", "girl fille:f gamine:f", "woman femme:f dame:f", "queen reine:f souveraine:f"),
    *("neighbour voisine:f voisin:m", "dancer danseuse:f ballerine:f"),
)
THINGS = (
    *(
        "boat bateau:m barque:f",
        "wheel roue:f",
        "book livre:m bouquin:m",
        "hat chapeau:m couvre-chef:m",
        "knife couteau:m",
    ),
    *(
        "basket panier:m corbeille:f",
        "bicycle vélo:m bicyclette:f",
        "plate plat:m assiette:f",
        "lamp lampe:f lanterne:f",
    ),
    *(
        "letter lettre:f courrier:m",
        "chair chaise:f siège:m",
        "bottle bouteille:f flacon:m",
        "card carte:f",
        "apple pomme:f",
    ),
    *("shirt chemise:f maillot:m", "clock horloge:f pendule:f", "key clef:f", "box boîte:f carton:m"),
)
# English; then the French masculine and feminine of each word for it
OF_PEOPLE = (
    *("tired fatigué:fatiguée épuisé:épuisée", "patient patient:patiente tranquille:tranquille", "rich riche:riche"),
    *("strange étrange:étrange bizarre:bizarre", "famous célèbre:célèbre connu:connue", "proud fier:fière"),
    *("quiet calme:calme discret:discrète", "curious curieux:curieuse indiscret:indiscrète", "polite poli:polie"),
    *("honest honnête:honnête sincère:sincère", "hurried pressé:pressée", "happy heureux:heureuse joyeux:joyeuse"),
)
OF_THINGS = (
    *("red rouge:rouge vermeil:vermeille", "green vert:verte", "black noir:noire", "white blanc:blanche clair:claire"),
    *("yellow jaune:jaune doré:dorée", "heavy lourd:lourde pesant:pesante", "broken cassé:cassée brisé:brisée"),
    *("expensive coûteux:coûteuse cher:chère", "empty vide:vide", "wet mouillé:mouillée trempé:trempée"),
    *("dirty sale:sale crasseux:crasseuse", "solid solide:solide robuste:robuste"),
)
VERBS = (
    *("buys achète acquiert", "paints peint", "carries porte transporte", "sells vend cède", "hides cache dissimule"),
    *("loses perd égare", "repairs répare", "forgets oublie laisse", "draws dessine esquisse", "cleans nettoie lave"),
    *("finds trouve découvre", "steals vole dérobe", "watches regarde observe"),
)
PLACES = (
    *("in the garden/dans le jardin", "at the harbour/au port", "near the church/près de l'église"),
    *("on the bridge/sur le pont", "behind the house/derrière la maison", "at the market/au marché"),
    *("under the table/sous la table", "in the kitchen/dans la cuisine", "by the river/au bord de la rivière"),
    *("in the village/au village", "at school/à l'école", "in the forest/dans la forêt"),
)
TIMES = (
    *("on Monday/lundi", "on Friday/vendredi", "on Sunday/dimanche", "in winter/en hiver", "in summer/en été"),
    *("today/aujourd'hui", "every evening/chaque soir", "before breakfast/avant le petit déjeuner"),
    *("at night/la nuit", "after lunch/après le déjeuner", "at 7 o'clock/à 7 heures", "at 11 o'clock/à 11 heures"),
)
PARTS = (PEOPLE, OF_PEOPLE, VERBS, THINGS, OF_THINGS, PLACES, TIMES)
FREE = 0.15  # how often the French leaves out an adjective, a place or a time: translators do
NONE_OF = 0.25  # how often an adjective or a place is left out

# shapes: N pairs, P parts of a sentence, R rows of a drop


@dataclass(frozen=True, slots=True)
class Phrases:
    """Pairs in delivery order, and which drop each belongs to."""

    english: Sequence[str]
    french: Sequence[str]
    chosen_NP: NDArray[np.int64]  # the entry of the lexicon of each part; -1: left out
    drops: Mapping[str, NDArray[np.int64]]  # drop name -> places

    def names(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """The item ids of rows: p0007."""
        return [f"p{row:04d}" for row in rows]


def phrases(seed: int = 0) -> Phrases:
    """All pairs, dealt out to the drops; no English sentence comes twice."""
    rng = np.random.default_rng(seed)
    count = sum(DROPS.values())
    seen: dict[str, tuple[str, tuple[int, ...]]] = {}
    while len(seen) < count:
        chosen = tuple(int(rng.integers(len(part))) for part in PARTS)
        absent = [part for part in (1, 4, 5) if rng.random() < NONE_OF]
        chosen = tuple(-1 if part in absent else one for part, one in enumerate(chosen))
        number = int(rng.integers(2, 90)) if rng.random() < 0.3 else 1
        english, french = sentence(chosen, number, rng)
        seen.setdefault(english, (french, chosen))
    drops, start = {}, 0
    for name, size in DROPS.items():
        drops[name] = np.arange(start, start + size)
        start += size
    return Phrases(
        list(seen), [french for french, _ in seen.values()], np.array([chosen for _, chosen in seen.values()]), drops
    )


def sentence(chosen: Sequence[int], number: int, rng: np.random.Generator) -> tuple[str, str]:
    """The English of one choice from the lexicon and one French for it; `number` things."""
    who, how, does, what, which, where, when = (
        part[one] if one >= 0 else "" for part, one in zip(PARTS, chosen, strict=True)
    )

    def word(entry: str) -> tuple[str, str]:
        """The English of an entry, and one of its French words."""
        english, *french = entry.split()
        return english, french[int(rng.integers(len(french)))]

    person, (personne, gender) = (word(who)[0], word(who)[1].split(":"))
    thing, (chose, kind) = (word(what)[0], word(what)[1].split(":"))
    verb, verbe = word(does)
    place, lieu = where.split("/") if where else ("", "")
    time, moment = when.split("/")
    subject = ["the", how.split()[0] if how else "", person]
    counted = ["a" if number == 1 else str(number), which.split()[0] if which else "", plural(thing, number)]
    if number == 1 and next(one for one in counted[1:] if one)[0] in "aeiou":
        counted[0] = "an"
    how, which, lieu, moment = (part if rng.random() >= FREE else "" for part in (how, which, lieu, moment))
    sujet = ["le" if gender == "m" else "la", personne, agreeing(word(how)[1], gender, 1) if how else ""]
    if personne[0] in "aeiou":
        sujet[:2] = [f"l'{personne}", ""]
    article = ("un" if kind == "m" else "une") if number == 1 else str(number)
    objet = [article, pluriel(chose, number), agreeing(word(which)[1], kind, number) if which else ""]
    english = " ".join(one for one in (*subject, verb, *counted, place, time) if one)
    french = " ".join(one for one in (*sujet, verbe, *objet, lieu) if one)
    if moment:
        french = f"{moment}, {french}" if rng.random() < 0.5 else f"{french} {moment}"
    return f"{english[0].upper()}{english[1:]}.", f"{french[0].upper()}{french[1:]}."


def agreeing(adjective: str, gender: str, number: int) -> str:
    """The French of an adjective as its noun wants it: "vert:verte", "f", 2 -> vertes."""
    one = adjective.split(":")[0 if gender == "m" else 1]
    return one if number == 1 or one.endswith(("s", "x")) else f"{one}s"


def plural(noun: str, number: int) -> str:
    """The English noun for `number` of them."""
    if number == 1:
        return noun
    return "knives" if noun == "knife" else f"{noun}es" if noun.endswith("x") else f"{noun}s"


def pluriel(noun: str, number: int) -> str:
    """The French noun for `number` of them."""
    if number == 1:
        return noun
    return f"{noun}x" if noun.endswith("eau") else f"{noun}s"


def plant(truth: Phrases, drop: str, *, noise: float, seed: int) -> dict[int, tuple[int, str]]:
    """Row -> (row whose French it gets, kind) for a share `noise` of the drop's rows; no French comes twice."""
    rng = np.random.default_rng([seed, zlib.crc32(drop.encode())])
    rows = rng.permutation(truth.drops[drop]).tolist()
    each = round(noise * len(rows) / 2)
    shuffled, rest = rows[:each], rows[each:]
    given = {row: (shuffled[place - 1], KINDS[0]) for place, row in enumerate(shuffled)} if each > 1 else {}
    alike_RR = (truth.chosen_NP[rest][:, None] == truth.chosen_NP[rest][None]).sum(axis=2, dtype=np.int8)
    alike_RR[np.tril_indices(len(rest))] = -1
    free = set(range(len(rest)))
    for flat in np.argsort(-alike_RR, axis=None, kind="stable").tolist():  # those with most words in common first
        one, other = divmod(flat, len(rest))
        if len(rest) - len(free) >= each:
            break
        if one in free and other in free and truth.french[rest[one]] != truth.french[rest[other]]:
            given |= {rest[one]: (rest[other], KINDS[1]), rest[other]: (rest[one], KINDS[1])}
            free -= {one, other}
    return {row: (other, kind) for row, (other, kind) in given.items() if truth.french[row] != truth.french[other]}


def write_drop(
    truth: Phrases, drop: str, folder: Path, *, noise: float, seed: int, faults: bool = False
) -> dict[int, tuple[int, str]]:
    """Write the drop's labels.jsonl and _SUCCESS into `folder`; returns what `plant` planted.

    With `faults` the last FAULTS rows that are not wrong have no translation.
    """
    planted = plant(truth, drop, noise=noise, seed=seed)
    rows = [int(row) for row in truth.drops[drop]]
    without = {row for row in rows if row not in planted and faults}
    without = set(sorted(without)[-FAULTS:])
    lines = [
        {
            "text": truth.english[row],
            "label": "" if row in without else truth.french[planted[row][0] if row in planted else row],
            "id": name,
        }
        for row, name in zip(rows, truth.names(rows), strict=True)
    ]
    folder.mkdir(parents=True)
    content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    (folder / "labels.jsonl").write_bytes(content)
    (folder / "_SUCCESS").write_text(f"{hashlib.sha256(content).hexdigest()}  labels.jsonl\n", encoding="utf-8")
    return planted
