"""Measure a network on sequences drawn fresh, whose labels are known because the data are simulated.

The word that the simulation implants is used here, to label what is drawn, and nowhere in training.
"""

from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from dna_lstm_model.base import THRESHOLD, find_starts
from dna_lstm_model.features import LENGTH, STARTS, Codes, make_one_hot
from dna_lstm_model.sequences import (
    Labels,
    draw_repeats,
    find_word,
    insert_or_delete,
    place_words,
    reverse_complement,
)

#: Returns shape (rows, `STARTS`) for one-hot sequences, as `base.DnaLstmBase._run_network`.
Runner = Callable[[NDArray[np.float32]], NDArray[np.float32]]

#: The label of each sequence is exactly "contains this word" (README of the data).
SIMULATED_SITE = "CGACCGAACTCC"
_CHUNK_ROWS = 1024


def run_rows(run: Runner, sequences: Codes) -> NDArray[np.float32]:
    """Return the network's answers in chunks of bounded size."""
    chunks = range(0, len(sequences), _CHUNK_ROWS)
    return np.concatenate([run(make_one_hot(sequences[row : row + _CHUNK_ROWS])) for row in chunks])


def measure(run: Runner, sequences: Codes, labels: Labels, *, site: Codes) -> dict[str, Any]:
    """Return how many answers are right, and in how many of the sites found the place is."""
    probabilities = run_rows(run, sequences)
    starts = find_starts(probabilities)
    is_right = (starts >= 0) == (labels == 1)
    truth = np.clip(np.where(labels == 1, probabilities.max(axis=1), 1 - probabilities.max(axis=1)), 1e-7, None)
    numbers: dict[str, Any] = {
        "sequences": len(labels),
        "accuracy": round(float(is_right.mean()), 5),
        "wrong": int((~is_right).sum()),
        "log_loss": round(float(-np.log(truth).mean()), 5),
    }
    is_found = (labels == 1) & (starts >= 0)
    if is_found.any():
        is_there = starts[is_found] == find_word(sequences[is_found], site)
        numbers["motif_position_right"] = round(float(is_there.mean()), 5)
    return numbers


def measure_starts(run: Runner, sequences: Codes, labels: Labels, places: NDArray[np.int64]) -> dict[str, float]:
    """Return the least accuracy that any start has."""
    is_right = (find_starts(run_rows(run, sequences)) >= 0) == (labels == 1)
    return {"accuracy_of_worst_start": round(min(float(is_right[places == place].mean()) for place in set(places)), 5)}


def draw_cases(site: Codes, repeats: int, rng: Generator) -> Iterator[tuple[str, Codes, NDArray[np.int64] | None]]:
    """Yield the name of a case, its sequences, and where a word was put in each (None where none was).

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


def _put_everywhere(words: Codes, repeats: int, rng: Generator) -> tuple[Codes, NDArray[np.int64]]:
    places = np.tile(np.arange(LENGTH - words.shape[1] + 1), len(words) * repeats)
    chosen = np.repeat(words, len(places) // len(words), axis=0)
    return place_words(draw_letters(len(places), rng), chosen, places), places


def _put_over_edges(words: Codes, repeats: int, rng: Generator) -> tuple[Codes, NDArray[np.int64]]:
    size = words.shape[1]
    edges = [*range(-size + 1, 0), *range(LENGTH - size + 1, LENGTH)]
    places = np.tile(np.array(edges), repeats)
    return place_words(draw_letters(len(places), rng), np.repeat(words, len(places), axis=0), places), places


def measure_fresh(run: Runner, site: Codes, *, repeats: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield one evaluation a case of `draw_cases`."""
    for name, sequences, places in draw_cases(site, repeats, np.random.default_rng(seed)):
        labels = (find_word(sequences, site) >= 0).astype(np.uint8)
        numbers = measure(run, sequences, labels, site=site)
        if places is not None:
            numbers |= measure_starts(run, sequences, labels, places)
        yield {"split": f"drawn: {name}", **numbers}


def measure_attribution(run: Runner, site: Codes, *, repeats: int, seed: int) -> dict[str, Any]:
    """Return how often changing one letter inside, and outside, the site that the network points at changes its answer.

    Each of the 50 letters of each sequence takes its three other values in turn.
    """
    rng = np.random.default_rng(seed)
    sequences, _ = _put_everywhere(site[None], repeats, rng)
    starts = find_starts(run_rows(run, sequences))
    sequences, starts = sequences[starts >= 0], starts[starts >= 0]
    evaluation = {"split": "drawn: each letter of sequences with the site changed to each other letter"}
    if not len(sequences):  # an untrained network points at nothing
        return {**evaluation, "sequences": 0}
    rows, columns, steps = (axis.ravel() for axis in np.indices((len(sequences), LENGTH, 3)))
    changed = sequences[rows]
    changed[np.arange(len(changed)), columns] = (changed[np.arange(len(changed)), columns] + steps + 1) % 4
    is_lost = run_rows(run, changed).max(axis=1) < THRESHOLD
    is_inside = (columns >= starts[rows]) & (columns < starts[rows] + len(site))
    return {
        **evaluation,
        "sequences": len(changed),
        "answers_changed_inside_motif": round(float(is_lost[is_inside].mean()), 5),
        "answers_changed_outside_motif": round(float(is_lost[~is_inside].mean()), 5),
    }
