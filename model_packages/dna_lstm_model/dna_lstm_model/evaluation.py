"""Measure a network: how often its class is right, its places are, and whether it decides by the whole site."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dna_lstm_model.cases import draw_cases, draw_letters, draw_unseen
from dna_lstm_model.features import LENGTH, STARTS, THRESHOLD, Codes
from dna_lstm_model.sequences import Labels, mark_starts, place_words

#: Returns shape (rows, `STARTS`) for codes, as the network answers.
Runner = Callable[[Codes], NDArray[np.float32]]

ATTRIBUTION = "each letter of sequences with the site changed to each other letter"
#: Sequences of each kind that training never saw.
UNSEEN_COUNT = 6000
_CHUNK_ROWS = 1024


class Result(NamedTuple):
    """One number that was measured."""

    split: str
    metric: str
    value: float


def run_rows(run: Runner, sequences: Codes) -> NDArray[np.float32]:
    """Return the network's answers in chunks of bounded size."""
    chunks = range(0, len(sequences), _CHUNK_ROWS)
    return np.concatenate([run(sequences[row : row + _CHUNK_ROWS]) for row in chunks])


def measure_rows(run: Runner, sequences: Codes, labels: Labels, split: str) -> Iterator[Result]:
    """Yield how many rows there are, and the share that gets the right class."""
    is_right = (run_rows(run, sequences) >= THRESHOLD).any(axis=1) == (labels == 1)
    yield Result(split, "sequences", len(labels))
    yield Result(split, "accuracy", float(is_right.mean()))


def measure_drawn(run: Runner, site: Codes, *, repeats: int, seed: int) -> Iterator[Result]:
    """Yield the results of each case of `draw_cases`, then of each kind of `draw_unseen`.

    Beside the class (``accuracy``): the share of sequences in which every site is found where it is and nowhere else
    (``places``), and the least accuracy of any place that a word was put at (``worst_start``).
    """
    rng = np.random.default_rng(seed)
    count = UNSEEN_COUNT * repeats // 2
    for name, sequences, put_at in (*draw_cases(site, repeats, rng), *draw_unseen(site, count, rng)):
        split = f"drawn: {name}"
        marks, found = mark_starts(sequences, site), run_rows(run, sequences) >= THRESHOLD
        is_right = found.any(axis=1) == marks.any(axis=1)
        yield Result(split, "sequences", len(sequences))
        yield Result(split, "accuracy", float(is_right.mean()))
        yield Result(split, "places", float((found == marks).all(axis=1).mean()))
        if put_at is not None:
            yield Result(split, "worst_start", min(float(is_right[put_at == place].mean()) for place in set(put_at)))


def measure_attribution(run: Runner, site: Codes, *, repeats: int, seed: int) -> Iterator[Result]:
    """Yield how often changing one letter inside, and outside, the site that the network points at changes its answer.

    Each of the 50 letters of each sequence takes its three other values in turn.
    """
    rng = np.random.default_rng(seed)
    places = np.tile(np.arange(STARTS), repeats)
    sequences = place_words(draw_letters(len(places), rng), np.tile(site, (len(places), 1)), places)
    found = run_rows(run, sequences) >= THRESHOLD
    sequences, starts = sequences[found.any(axis=1)], found.argmax(axis=1)[found.any(axis=1)]
    rows, columns, steps = (axis.ravel() for axis in np.indices((len(sequences), LENGTH, 3)))
    split = f"drawn: {ATTRIBUTION}"
    yield Result(split, "sequences", len(rows))
    if not len(rows):  # an untrained network points at nothing
        return
    changed = sequences[rows]
    changed[np.arange(len(changed)), columns] = (changed[np.arange(len(changed)), columns] + steps + 1) % 4
    is_lost = run_rows(run, changed).max(axis=1) < THRESHOLD
    is_inside = (columns >= starts[rows]) & (columns < starts[rows] + len(site))
    yield Result(split, "answers_changed_inside_site", float(is_lost[is_inside].mean()))
    yield Result(split, "answers_changed_outside_site", float(is_lost[~is_inside].mean()))
