"""Train the DNA network and export it: ``python -m dna_lstm_model.train --data train.csv``.

The CSV file has the columns ``dna_sequence`` and ``dna_class``. A fifth of the rows is kept out of
training and measured. Training has two stages: the rows alone, then the rows and sequences drawn
around the one word that the bound training rows share (`sequences.find_site`). Both are measured,
so that the metrics tell what the second one adds. Needs the extra ``dna-lstm-model[train]``.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.random import Generator

from dna_lstm_model import DnaLstmModel
from dna_lstm_model.evaluation import SIMULATED_SITE, Runner, measure, measure_attribution, measure_fresh
from dna_lstm_model.features import LETTERS, SITE_LENGTH, Codes, encode_sequences, find_sequence_violations
from dna_lstm_model.model import GRAPH_NAME
from dna_lstm_model.native import WEIGHTS_NAME
from dna_lstm_model.network import build_networks, compile_network, export_graph, fit, save_weights
from dna_lstm_model.sequences import Labels, count_letters_off, draw_training, find_site, spell
from model_service.artifacts import METRICS_NAME, write_manifest
from model_service.onnx import open_session

HELD_OUT_SHARE = 0.2
#: Draws that measure are of another seed than draws that train.
_MEASURE_SEED = 1_000_003
_SHIPPED, _ROWS_ALONE = "shipped", "trained on the rows alone"


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How long each stage takes, and how much is measured.

    Attributes:
        epochs: Passes over the training rows in the first stage.
        rounds: Epochs of the second stage, each over sequences drawn anew.
        drawn: Sequences drawn for a round; the training rows join them.
        repeats: Backgrounds for each word at each start when measuring.
        measured_site: The word that labels what is drawn to measure; training does not read it.
    """

    epochs: int = 12
    rounds: int = 40
    drawn: int = 8192
    repeats: int = 2
    measured_site: str = SIMULATED_SITE
    rows_batch: int = 32
    drawn_batch: int = 128
    learning_rate: float = 3e-3


@dataclass(frozen=True, slots=True)
class Rows:
    """Labelled sequences: codes of shape (rows, 50), and 0 or 1 for each."""

    sequences: Codes
    labels: Labels

    def take(self, places: Any) -> "Rows":
        """Return some of the rows."""
        return Rows(self.sequences[places], self.labels[places])


def read_rows(path: Path) -> Rows:
    """Return the rows of a CSV file.

    Raises:
        ValueError: Names the line whose sequence a caller could not send either.
    """
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    for line, row in enumerate(table, start=2):
        for violation in find_sequence_violations(row["dna_sequence"], "/dna_sequence"):
            raise ValueError(f"line {line} of {path.name}: {violation.message}")
    labels = np.array([{"0": 0, "1": 1}[row["dna_class"]] for row in table], dtype=np.uint8)
    return Rows(encode_sequences([row["dna_sequence"] for row in table]), labels)


def split_rows(rows: Rows, rng: Generator) -> tuple[Rows, Rows]:
    """Return the rows to train on and those kept out, with like shares of both classes."""
    is_held_out = np.zeros(len(rows.labels), dtype=bool)
    for label in (0, 1):
        places = rng.permutation(np.flatnonzero(rows.labels == label))
        is_held_out[places[: round(len(places) * HELD_OUT_SHARE)]] = True
    return rows.take(~is_held_out), rows.take(is_held_out)


def fit_rows(fitted: Any, rows: Rows, plan: TrainingPlan, rng: Generator) -> None:
    """Run the first stage: the rows, shuffled, and nothing else."""
    compile_network(fitted, plan.learning_rate)
    for epoch in range(1, plan.epochs + 1):
        shuffled = rows.take(rng.permutation(len(rows.labels)))
        loss = fit(fitted, shuffled.sequences, shuffled.labels, batch_rows=plan.rows_batch)
        print(f"rows alone, epoch {epoch:2} of {plan.epochs}: loss {loss:.5f}", flush=True)


def fit_drawn(fitted: Any, rows: Rows, plan: TrainingPlan, rng: Generator) -> Codes:
    """Run the second stage, and return the site that it found in the rows.

    Raises:
        ValueError: The rows share no one word of `SITE_LENGTH` letters.
    """
    site = find_site(rows.sequences, rows.labels)
    if len(site) != SITE_LENGTH:
        raise ValueError(f"the site in the data is {len(site)} letters long; the network is built for {SITE_LENGTH}")
    unbound = rows.sequences[rows.labels == 0]
    print(f"all {rows.labels.sum()} training rows of class 1, and no other, hold {spell(site)}", flush=True)
    print(f"the nearest of class 0 is {count_letters_off(unbound, site).min()} letters off", flush=True)
    steps = plan.rounds * -(-(plan.drawn + len(rows.labels)) // plan.drawn_batch)
    compile_network(fitted, keras.optimizers.schedules.CosineDecay(plan.learning_rate, steps))
    for number in range(1, plan.rounds + 1):
        drawn = Rows(*draw_training(unbound, site, plan.drawn, rng))
        both = Rows(np.concatenate([rows.sequences, drawn.sequences]), np.concatenate([rows.labels, drawn.labels]))
        both = both.take(rng.permutation(len(both.labels)))
        loss = fit(fitted, both.sequences, both.labels, batch_rows=plan.drawn_batch)
        print(f"rows and drawn sequences, round {number:2} of {plan.rounds}: loss {loss:.5f}", flush=True)
    return site


def evaluate(run: Runner, held_out: Rows, plan: TrainingPlan, *, name: str, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the evaluations of one network, printing each as it comes."""
    site = encode_site(plan.measured_site)
    draws = {"repeats": plan.repeats, "seed": seed + _MEASURE_SEED}
    kept = {"split": f"{HELD_OUT_SHARE:.0%} of the rows, kept out of training"}
    yield _tell(name, kept | measure(run, held_out.sequences, held_out.labels, site=site))
    for evaluation in measure_fresh(run, site, **draws):
        yield _tell(name, evaluation)
    yield _tell(name, measure_attribution(run, site, **draws))


def encode_site(letters: str) -> Codes:
    """Return the codes of a word."""
    return np.array([LETTERS.index(letter) for letter in letters], dtype=np.uint8)


def _tell(name: str, evaluation: dict[str, Any]) -> dict[str, Any]:
    print(f"{name}: {json.dumps(evaluation)}", flush=True)
    return {"network": name, **evaluation}


def train(rows: Rows, plan: TrainingPlan, out: Path, *, seed: int) -> tuple[list[dict[str, Any]], str]:
    """Train, write both artifacts to a folder, and return the evaluations and the site that was found."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(seed)
    training, held_out = split_rows(rows, rng)
    network, fitted = build_networks()
    fit_rows(fitted, training, plan, rng)
    export_graph(network, out / GRAPH_NAME)
    alone = list(evaluate(_open_runner(out / GRAPH_NAME), held_out, plan, name=_ROWS_ALONE, seed=seed))
    site = fit_drawn(fitted, training, plan, rng)
    save_weights(network, out / WEIGHTS_NAME)
    export_graph(network, out / GRAPH_NAME)
    # What is measured is the file that is served.
    shipped = list(evaluate(_open_runner(out / GRAPH_NAME), held_out, plan, name=_SHIPPED, seed=seed))
    return [*shipped, *alone], spell(site)


def _open_runner(path: Path) -> Runner:
    session = open_session(path)
    return lambda sequences: np.asarray(session.run(["probabilities"], {"sequences": sequences})[0])


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, export and write the manifest."""
    defaults = TrainingPlan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="CSV file with labelled sequences")
    parser.add_argument("--out", type=Path, default=DnaLstmModel.artifact_path(""), help="folder for the artifacts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=defaults.epochs, help="epochs over the rows alone")
    parser.add_argument("--rounds", type=int, default=defaults.rounds, help="epochs over rows and drawn sequences")
    parser.add_argument("--drawn", type=int, default=defaults.drawn, help="sequences drawn for a round")
    parser.add_argument("--repeats", type=int, default=defaults.repeats, help="backgrounds a case when measuring")
    parser.add_argument("--measured-site", default=SIMULATED_SITE, help="word that labels what is drawn to measure")
    options = parser.parse_args(arguments)
    rows = read_rows(options.data)
    print(f"{len(rows.labels)} sequences, {rows.labels.mean():.1%} of class 1", flush=True)
    plan = TrainingPlan(options.epochs, options.rounds, options.drawn, options.repeats, options.measured_site)
    options.out.mkdir(parents=True, exist_ok=True)
    evaluations, site = train(rows, plan, options.out, seed=options.seed)
    metrics = {
        "task": "classification",
        "data": options.data.name,
        "rows": len(rows.labels),
        "site_found_in_training_rows": site,
        "evaluations": evaluations,
    }
    (options.out / METRICS_NAME).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    write_manifest(options.out, made_with=("tensorflow", "keras", "tf2onnx", "onnx", "numpy"))


if __name__ == "__main__":
    main()
