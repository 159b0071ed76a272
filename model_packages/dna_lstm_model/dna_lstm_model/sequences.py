"""The site that training sequences share, and sequences drawn around it. NumPy alone; used by training and measuring.

The near-misses are the point. The rows hold none that is one letter off, so a network that learns
from rows alone may call one either class. `find_site` finds the one word that all bound training
rows share and no other row holds; `draw_training` then puts it, and versions of it that are
letters off, into shuffled rows of class 0, and `mark_starts` says where the whole word starts.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from dna_lstm_model.features import LENGTH, LETTERS, Codes, Places

Labels = NDArray[np.uint8]
Marks = NDArray[np.bool_]

#: Shares of what `draw_training` draws, in its order; the rest holds a piece of the site, moved over an edge.
_SHARE_WHOLE, _SHARE_ONE_OFF, _SHARE_MORE_OFF, _SHARE_SHIFTED, _SHARE_TURNED = 0.4, 0.3, 0.1, 0.05, 0.05
#: How often a short unit repeated takes the place of a shuffled row: simulated rows hold no such background.
_SHARE_REPEATS = 0.1
_LONGEST_UNIT = 6


def find_site(sequences: Codes, labels: Labels) -> Codes:
    """Return the longest word that every sequence of class 1 holds and none of class 0 does.

    Raises:
        ValueError: There is no such word, or more than one of that length.
    """
    bound, other = (_join(sequences[labels == label]) for label in (1, 0))
    if not bound:
        raise ValueError("the data hold no sequence of class 1, so there is no site to find")
    for size in range(LENGTH, 0, -1):
        words = [{text[start : start + size] for start in range(LENGTH - size + 1)} for text in bound]
        shared = [word for word in set.intersection(*words) if not any(word in text for text in other)]
        if len(shared) == 1:
            return np.frombuffer(shared[0], dtype=np.uint8)
        if shared:
            raise ValueError(f"the sequences of class 1 share {len(shared)} words of {size} letters; expected one")
    raise ValueError("no word is in every sequence of class 1 and in none of class 0")


def _join(sequences: Codes) -> list[bytes]:
    return [row.tobytes() for row in sequences]


def spell(codes: Codes) -> str:
    """Return the letters of one row of codes."""
    return "".join(LETTERS[code] for code in codes)


def mark_starts(sequences: Codes, word: Codes) -> Marks:
    """Return whether the word starts at each place of each sequence."""
    windows = np.lib.stride_tricks.sliding_window_view(sequences, len(word), axis=1)
    return np.asarray((windows == word).all(axis=2))


def count_letters_off(sequences: Codes, word: Codes) -> Places:
    """Return in how many letters each sequence's nearest part differs from the word."""
    windows = np.lib.stride_tricks.sliding_window_view(sequences, len(word), axis=1)
    counts: Places = (windows != word).sum(axis=2).min(axis=1)
    return counts


def place_words(backgrounds: Codes, words: Codes, places: Places) -> Codes:
    """Return the backgrounds with a word each; what lies before or past the edges of a background is lost."""
    size = words.shape[1]
    padded = np.pad(backgrounds, ((0, 0), (size, size)))
    padded[np.arange(len(padded))[:, None], places[:, None] + size + np.arange(size)] = words
    return padded[:, size:-size]


def change_letters(words: Codes, count: int, rng: Generator) -> Codes:
    """Return the words with ``count`` letters each changed to others."""
    changed = words.copy()
    rows = np.arange(len(words))[:, None]
    columns = np.argsort(rng.random(words.shape), axis=1)[:, :count]
    changed[rows, columns] = (changed[rows, columns] + rng.integers(1, 4, columns.shape)) % 4
    return changed


def insert_or_delete(words: Codes, rng: Generator) -> Codes:
    """Return the words, as long as before, with one letter inserted or deleted somewhere inside."""
    size = words.shape[1]
    middles = rng.integers(1, size - 1, len(words))[:, None]
    is_deletion = rng.random((len(words), 1)) < 0.5
    columns = np.arange(size)
    sources = columns + np.where(columns >= middles, np.where(is_deletion, 1, -1), 0)
    moved = np.take_along_axis(words, np.clip(sources, 0, size - 1), axis=1)
    # An insertion frees its middle, a deletion the end.
    is_free = np.where(is_deletion, columns == size - 1, columns == middles)
    return np.where(is_free, rng.integers(0, 4, moved.shape), moved).astype(np.uint8)


def reverse_complement(words: Codes) -> Codes:
    """Return what the other strand reads; the codes of A and T, and of C and G, add up to 3."""
    return (3 - words[..., ::-1]).astype(np.uint8)


def draw_backgrounds(rows: Codes, count: int, rng: Generator) -> Codes:
    """Return rows drawn from ``rows`` with their letters shuffled, and some that repeat a short unit."""
    shuffled = rng.permuted(rows[rng.integers(0, len(rows), count)], axis=1)
    repeats = draw_repeats(count, rng)
    return np.where(rng.random((count, 1)) < _SHARE_REPEATS, repeats, shuffled)


def draw_repeats(count: int, rng: Generator) -> Codes:
    """Return sequences that repeat a unit of 1 to 6 random letters."""
    units = rng.integers(0, 4, (count, _LONGEST_UNIT))
    sizes = rng.integers(1, _LONGEST_UNIT + 1, (count, 1))
    return np.take_along_axis(units, np.arange(LENGTH) % sizes, axis=1).astype(np.uint8)


def draw_training(rows: Codes, site: Codes, count: int, rng: Generator) -> Codes:
    """Return drawn sequences, shuffled, some with the site and most with something like it.

    Args:
        rows: Training rows of class 0, whose shuffled letters are the backgrounds.
        site: What `find_site` found in the training rows.
        count: How many sequences.
        rng: Source of chance.
    """
    size = len(site)
    whole = np.tile(site, (count, 1))
    kinds = rng.choice(
        6, count, p=_fill_shares(_SHARE_WHOLE, _SHARE_ONE_OFF, _SHARE_MORE_OFF, _SHARE_SHIFTED, _SHARE_TURNED)
    )
    more_off = [change_letters(whole, letters, rng) for letters in (2, 3, 5)]
    turned = [reverse_complement(change_letters(whole, letters, rng)) for letters in (0, 1)] + [whole[:, ::-1]]
    words = np.choose(
        kinds[:, None],
        [
            whole,
            change_letters(whole, 1, rng),
            np.choose(rng.integers(0, 3, (count, 1)), more_off),
            insert_or_delete(whole, rng),
            np.choose(rng.integers(0, 3, (count, 1)), turned),
            whole,
        ],
    )
    inside = rng.integers(0, LENGTH - size + 1, count)
    beyond = np.where(rng.random(count) < 0.5, rng.integers(-size + 1, 0, count), LENGTH - rng.integers(1, size, count))
    sequences = draw_backgrounds(rows, count, rng)
    # A third carries a second near-miss, which the first word may overwrite.
    second = place_words(sequences, change_letters(whole, 1, rng), rng.integers(0, LENGTH - size + 1, count))
    sequences = np.where(rng.random((count, 1)) < 1 / 3, second, sequences)
    return place_words(sequences, words, np.where(kinds == 5, beyond, inside))


def _fill_shares(*shares: float) -> list[float]:
    return [*shares, 1 - sum(shares)]
