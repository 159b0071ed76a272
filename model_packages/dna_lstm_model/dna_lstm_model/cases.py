"""Sequences drawn to measure a network, whose labels are known because the data are simulated. NumPy alone.

The word that the simulation implants is used here, to label what is drawn, and nowhere in training.
`draw_cases` repeats the families that training draws (`sequences.draw_training`), and says how well
they were learnt. `draw_unseen` draws kinds that training never saw, and says what was learnt.
"""

from collections.abc import Callable, Iterator
from itertools import combinations, product

import numpy as np
from numpy.random import Generator

from dna_lstm_model.features import LENGTH, LETTERS, STARTS, Codes, Places
from dna_lstm_model.sequences import draw_repeats, insert_or_delete, place_words, reverse_complement

#: A name, sequences, and where a word was put in each (None where none was, or not one).
Case = tuple[str, Codes, Places | None]

#: The label of each sequence is exactly "contains this word" (README of the data).
SIMULATED_SITE = "CGACCGAACTCC"


def encode_site(letters: str) -> Codes:
    """Return the codes of a word."""
    return np.array([LETTERS.index(letter) for letter in letters], dtype=np.uint8)


def draw_cases(site: Codes, repeats: int, rng: Generator) -> Iterator[Case]:
    """Yield the cases of the families that training draws, too.

    Args:
        site: The word that the simulation implants.
        repeats: Backgrounds for each word at each start.
        rng: Source of chance.
    """
    whole = site[None]
    turned = {
        "reverse complement of the site, at every start": reverse_complement(whole),
        "site read backwards, at every start": whole[:, ::-1],
        "complement of the site, at every start": (3 - whole).astype(np.uint8),
    }
    one_off = change_everywhere(site, 1)
    yield "random letters", draw_letters(STARTS * 500 * repeats, rng), None
    yield "site at every start", *_put_everywhere(whole, 100 * repeats, rng)
    yield "one letter off (each variant), at every start", *_put_everywhere(one_off, 2 * repeats, rng)
    yield "two letters off (each variant), at every start", *_put_everywhere(change_everywhere(site, 2), 1, rng)
    for name, words in turned.items():
        yield name, *_put_everywhere(words, 25 * repeats, rng)
    variants = reverse_complement(one_off)
    yield (
        "reverse complement of one letter off (each variant), at every start",
        *_put_everywhere(variants, repeats, rng),
    )
    moved = insert_or_delete(np.repeat(whole, 100, axis=0), rng)
    yield "one letter inserted or deleted, at every start", *_put_everywhere(moved, repeats, rng)
    yield "site over an edge, 1 to 11 letters lost", *_put_over_edges(whole, 100 * repeats, rng)
    beside, places = _put_everywhere(one_off, repeats, rng)
    elsewhere = (places + rng.integers(len(site), LENGTH - len(site) + 1, len(places))) % STARTS
    yield (
        "one letter off, and the site elsewhere",
        place_words(beside, np.tile(site, (len(beside), 1)), elsewhere),
        None,
    )
    again, places = _put_everywhere(one_off, repeats, rng)
    others = one_off[rng.integers(0, len(one_off), len(again))]
    yield "one letter off, twice", place_words(again, others, rng.permutation(places)), None
    yield "short units repeated", draw_repeats(5000 * repeats, rng), None


def draw_unseen(site: Codes, count: int, rng: Generator) -> Iterator[Case]:
    """Yield kinds that training never draws, ``count`` sequences each; half of the last two kinds hold the site."""
    kinds: dict[str, Callable[[Generator], Codes]] = {
        "site split by a spacer of 2 to 10 letters": lambda rng: _split_site(site, rng),
        "2 to 6 letters deleted from inside the site": lambda rng: _delete_letters(site, rng),
        "site rotated by 1 to 11 letters": lambda rng: np.roll(site, rng.integers(1, len(site))),
    }
    for name, make_word in kinds.items():
        sequences = draw_letters(count, rng)
        for row in sequences:
            word = make_word(rng)
            start = rng.integers(0, LENGTH - len(word) + 1)
            row[start : start + len(word)] = word
        yield name, sequences, None
    backgrounds = {
        "skewed composition, with and without the site": _draw_skewed(count, rng),
        "soups of the site's fragments, with and without it": _draw_soups(site, count, rng),
    }
    for name, sequences in backgrounds.items():
        half = sequences[::2]
        sequences[::2] = place_words(half, np.tile(site, (len(half), 1)), rng.integers(0, STARTS, len(half)))
        yield name, sequences, None


def _split_site(site: Codes, rng: Generator) -> Codes:
    size = rng.integers(2, 11)
    return np.insert(site, np.full(size, rng.integers(1, len(site))), rng.integers(0, 4, size))


def _delete_letters(site: Codes, rng: Generator) -> Codes:
    lost = int(rng.integers(2, 7))
    start = int(rng.integers(1, len(site) - lost))
    return np.concatenate([site[:start], site[start + lost :]])


def _draw_skewed(count: int, rng: Generator) -> Codes:
    shares = rng.dirichlet(np.full(len(LETTERS), 0.7), count).cumsum(axis=1)
    letters: Places = (rng.random((count, LENGTH, 1)) > shares[:, None, :]).sum(axis=2)
    return np.minimum(letters, len(LETTERS) - 1).astype(np.uint8)


def _draw_soups(site: Codes, count: int, rng: Generator) -> Codes:
    """Return sequences that are nothing but pieces of 3 to 11 letters of the site, one after the other."""
    soups = np.empty((count, LENGTH), dtype=np.uint8)
    for row in soups:
        pieces: list[Codes] = []
        while sum(map(len, pieces)) < LENGTH:
            size = rng.integers(3, len(site))
            start = rng.integers(0, len(site) - size + 1)
            pieces.append(site[start : start + size])
        row[:] = np.concatenate(pieces)[:LENGTH]
    return soups


def draw_letters(count: int, rng: Generator) -> Codes:
    """Return sequences of letters drawn alike, as the simulation draws them."""
    return rng.integers(0, 4, (count, LENGTH), dtype=np.uint8)


def change_everywhere(site: Codes, count: int) -> Codes:
    """Return every word that differs from the site in exactly ``count`` letters."""
    words = []
    for columns in combinations(range(len(site)), count):
        for steps in product((1, 2, 3), repeat=count):
            word = site.copy()
            word[list(columns)] = (word[list(columns)] + steps) % 4
            words.append(word)
    return np.array(words)


def _put_everywhere(words: Codes, repeats: int, rng: Generator) -> tuple[Codes, Places]:
    places = np.tile(np.arange(LENGTH - words.shape[1] + 1), len(words) * repeats)
    chosen = np.repeat(words, len(places) // len(words), axis=0)
    return place_words(draw_letters(len(places), rng), chosen, places), places


def _put_over_edges(words: Codes, repeats: int, rng: Generator) -> tuple[Codes, Places]:
    size = words.shape[1]
    edges = [*range(-size + 1, 0), *range(LENGTH - size + 1, LENGTH)]
    places = np.tile(np.array(edges), repeats)
    return place_words(draw_letters(len(places), rng), np.repeat(words, len(places), axis=0), places), places
