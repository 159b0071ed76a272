"""Train the DNA network and export it: ``python -m dna_lstm_model.train --data train.csv``.

The CSV file has the columns ``dna_sequence`` and ``dna_class``. A fifth of the rows is kept out of
training and measured. Training has two stages: the rows alone, then the rows and sequences drawn
around the one word that the bound training rows share (`sequences.find_site`). Both are measured, and
so is a baseline, a convolution as wide as the site. All of it is done for several seeds: the first
one's network is shipped, the others say how much chance there is in its figures. Needs the extra
``dna-lstm-model[train]``.
"""

import argparse
import csv
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.random import Generator

from dna_lstm_model import DnaLstmModel
from dna_lstm_model.cases import SIMULATED_SITE, encode_site
from dna_lstm_model.evaluation import Result, Runner, measure_attribution, measure_drawn, measure_rows
from dna_lstm_model.features import LENGTH, SITE_LENGTH, Codes, find_sequence_violations, make_one_hot, number_words
from dna_lstm_model.native import WEIGHTS_NAME
from dna_lstm_model.network import (
    add_sigmoid,
    build_convolution,
    build_lstm,
    compile_by_row,
    compile_by_start,
    export_graph,
    fit,
    save_weights,
)
from dna_lstm_model.sequences import Labels, count_letters_off, draw_training, find_site, mark_starts, spell
from dna_lstm_model.windows import cut_rows
from model_service.onnx import open_session
from model_service.training import Training, run
from model_service.training.parity import compare

HELD_OUT_SHARE = 0.2
HELD_OUT = f"{HELD_OUT_SHARE:.0%} of the rows, kept out of training"
SHIPPED, BASELINE = "LSTM", f"convolution of {SITE_LENGTH}"
ROWS_ALONE = "{}, rows alone"
#: Draws that measure are of another seed than draws that train.
_MEASURE_SEED = 1_000_003
_MADE_WITH = ("tensorflow", "keras", "onnx", "numpy")

Results = dict[str, list[Result]]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How long each stage takes, and how much is measured.

    Attributes:
        epochs: Passes over the training rows in the first stage.
        rounds: Epochs of the second stage, each over sequences drawn anew.
        drawn: Sequences drawn for a round; the training rows join them.
        repeats: Backgrounds for each word at each start when measuring.
        seeds: How many times all of it is done.
        measured_site: The word that labels what is drawn to measure; training does not read it.
    """

    epochs: int = 12
    rounds: int = 120
    drawn: int = 8192
    repeats: int = 2
    seeds: int = 3
    measured_site: str = SIMULATED_SITE
    rows_batch: int = 32
    drawn_batch: int = 128
    learning_rate: float = 3e-3


class Rows(NamedTuple):
    """Labelled sequences: codes of shape (rows, 50), and 0 or 1 for each."""

    sequences: Codes
    labels: Labels

    def take(self, places: Any) -> "Rows":
        """Return some of the rows."""
        return Rows(self.sequences[places], self.labels[places])


def read_rows(path: Path) -> Rows:
    """Read the labelled sequences.

    Raises:
        ValueError: A sequence is none that a caller could send, or not as long as the others.
    """
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    for line, row in enumerate(table, start=2):
        for violation in find_sequence_violations(row["dna_sequence"], "/dna_sequence"):
            raise ValueError(f"line {line} of {path.name}: {violation.message}")
    labels = np.array([{"0": 0, "1": 1}[row["dna_class"]] for row in table], dtype=np.uint8)
    codes = cut_rows(row["dna_sequence"] for row in table)
    if len(codes) != len(labels):
        raise ValueError(f"{path.name} holds a sequence of more than {LENGTH} letters: cut it, and label the parts")
    return Rows(codes, labels)


def split_rows(rows: Rows, rng: Generator) -> tuple[Rows, Rows]:
    """Return the rows to train on and those kept out, with like shares of both classes."""
    is_held_out = np.zeros(len(rows.labels), dtype=bool)
    for label in (0, 1):
        places = rng.permutation(np.flatnonzero(rows.labels == label))
        is_held_out[places[: round(len(places) * HELD_OUT_SHARE)]] = True
    return rows.take(~is_held_out), rows.take(is_held_out)


def fit_rows(network: Any, rows: Rows, plan: TrainingPlan, rng: Generator) -> None:
    """Run the first stage: the rows, shuffled, their classes, and nothing else."""
    fitted = compile_by_row(network, plan.learning_rate)
    for _ in range(plan.epochs):
        shuffled = rows.take(rng.permutation(len(rows.labels)))
        loss = fit(fitted, shuffled.sequences, shuffled.labels[:, None] == 1, batch_rows=plan.rows_batch)
    print(f"rows alone, {plan.epochs} epochs: loss {loss:.5f}", flush=True)


def find_site_of(rows: Rows) -> Codes:
    """Return the word that all rows of class 1 share and no other holds, and print what the rows say of it.

    Raises:
        ValueError: There is no one such word of `SITE_LENGTH` letters.
    """
    site = find_site(rows.sequences, rows.labels)
    if len(site) != SITE_LENGTH:
        raise ValueError(f"the site in the data is {len(site)} letters long; the network is built for {SITE_LENGTH}")
    nearest = count_letters_off(rows.sequences[rows.labels == 0], site).min()
    print(f"all {rows.labels.sum()} training rows of class 1, and no other, hold {spell(site)}", flush=True)
    print(f"the nearest of class 0 is {nearest} letters off", flush=True)
    return site


def fit_drawn(network: Any, rows: Rows, plan: TrainingPlan, rng: Generator) -> None:
    """Run the second stage: rows and drawn sequences, and where the word that the rows share starts in each."""
    site = find_site_of(rows)
    steps = plan.rounds * -(-(plan.drawn + len(rows.labels)) // plan.drawn_batch)
    fitted = compile_by_start(network, keras.optimizers.schedules.CosineDecay(plan.learning_rate, steps))
    for number in range(1, plan.rounds + 1):
        drawn = draw_training(rows.sequences[rows.labels == 0], site, plan.drawn, rng)
        both = rng.permutation(np.concatenate([rows.sequences, drawn]))
        loss = fit(fitted, both, mark_starts(both, site), batch_rows=plan.drawn_batch)
        if number % 20 == 0 or number == plan.rounds:
            print(f"rows and drawn sequences, round {number} of {plan.rounds}: loss {loss:.7f}", flush=True)


def measure(run: Runner, held_out: Rows, plan: TrainingPlan, *, seed: int) -> Iterator[Result]:
    """Yield the results of one network."""
    site, draws = encode_site(plan.measured_site), {"repeats": plan.repeats, "seed": seed + _MEASURE_SEED}
    yield from measure_rows(run, held_out.sequences, held_out.labels, HELD_OUT)
    yield from measure_drawn(run, site, **draws)
    yield from measure_attribution(run, site, **draws)


def train_seed(rows: Rows, plan: TrainingPlan, out: Path, *, seed: int) -> Results:
    """Train and measure the network and the baseline, write the network's artifacts, and return all results."""
    keras.utils.set_random_seed(seed)
    results: Results = {}
    for name, build in ((SHIPPED, build_lstm), (BASELINE, build_convolution)):
        rng = np.random.default_rng(seed)
        training, held_out = split_rows(rows, rng)
        network = build()
        fit_rows(network, training, plan, rng)
        measured = partial(measure, held_out=held_out, plan=plan, seed=seed)
        results[ROWS_ALONE.format(name)] = list(measured(_make_runner(network)))
        fit_drawn(network, training, plan, rng)
        if name == SHIPPED:
            save_weights(network, out / WEIGHTS_NAME)
            export_graph(network, out / DnaLstmModel.graph)
            words, said = number_words(held_out.sequences), _make_runner(network)(held_out.sequences)
            compare(out / DnaLstmModel.graph, {"words": words}, said, DnaLstmModel.outputs[0], tolerance=1e-4)
            # What is measured is the file that is served.
            results[name] = list(measured(_open_runner(out / DnaLstmModel.graph)))
        else:
            results[name] = list(measured(_make_runner(network)))
    return results


def _make_runner(network: Any) -> Runner:
    run = tf.function(add_sigmoid(network))
    return lambda codes: np.asarray(run(make_one_hot(codes)))


def _open_runner(path: Path) -> Runner:
    session = open_session(path)
    return lambda codes: np.asarray(session.run(["probabilities"], {"words": number_words(codes)})[0])


def train(training: Training) -> None:
    """Train the DNA network on the rows and on sequences drawn around what they share; export and measure it."""
    options = vars(training.options)
    plan = TrainingPlan(**{field.name: options[field.name] for field in fields(TrainingPlan) if field.name in options})
    tf.config.experimental.enable_op_determinism()
    rows = read_rows(training.options.data)
    training.describe_data([{"dna_sequence": spell(codes)} for codes in rows.sequences])
    by_seed = [train_seed(rows, plan, training.out, seed=training.seed)]
    for seed in range(training.seed + 1, training.seed + plan.seeds):
        with tempfile.TemporaryDirectory() as folder:  # measured, and not shipped
            by_seed.append(train_seed(rows, plan, Path(folder), seed=seed))
    for name in (SHIPPED, ROWS_ALONE.format(SHIPPED), BASELINE, ROWS_ALONE.format(BASELINE)):
        for same in zip(*(results[name] for results in by_seed), strict=True):
            values = [result.value for result in same]
            spread = statistics.pstdev(values) if len(values) > 1 else None
            training.report(name, same[0].split, **{same[0].metric: (values[0], spread)})


def _add_options(parser: argparse.ArgumentParser) -> None:
    defaults = TrainingPlan()
    parser.add_argument("--epochs", type=int, default=defaults.epochs, help="epochs over the rows alone")
    parser.add_argument("--rounds", type=int, default=defaults.rounds, help="epochs over rows and drawn sequences")
    parser.add_argument("--drawn", type=int, default=defaults.drawn, help="sequences drawn for a round")
    parser.add_argument("--repeats", type=int, default=defaults.repeats, help="backgrounds per case when measuring")
    parser.add_argument("--seeds", type=int, default=defaults.seeds, help="how many times it is done, for the spread")
    parser.add_argument("--measured-site", default=SIMULATED_SITE, help="word that labels what is drawn to measure")


def main(arguments: list[str] | None = None) -> None:
    """Train, measure and write the artifacts."""
    run(
        train,
        DnaLstmModel,
        task="classification",
        made_with=_MADE_WITH,
        add_options=_add_options,
        arguments=arguments,
    )


if __name__ == "__main__":
    main()
