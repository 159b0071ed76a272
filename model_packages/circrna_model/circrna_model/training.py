"""Fit networks on rows of a dataset, and predict with them. Knows no folds, no files and no export.

Networks are independent of each other, so several are trained side by side, each on one thread: on
few cores that is much faster than two threads a network, and its numbers do not depend on how many run.
"""

import math
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from circrna_model.dataset import Dataset, Rows
from circrna_model.features import (
    KMER,
    PAD_TOKEN,
    PATCH,
    UNKNOWN_TOKEN,
    WINDOW_PATCHES,
    plan_chunks,
    stack_windows,
)
from circrna_model.network import CircRnaNetwork, NetworkSize

#: How far the lengths of a batch are mixed, so that batches differ between epochs.
_LENGTH_NOISE = 0.1
#: Shortest part of a sequence that the attention is shown while training.
_MIN_PART = 0.8
#: Share of the letters that are hidden from the attention while training; many more would hide which frames are open.
_HIDDEN_LETTERS = 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """How networks are trained.

    Attributes:
        epochs: Passes over the rows.
        networks: Networks of the shipped ensemble, each from its own seed.
        batch_nt: Nucleotides of a batch, padding included.
        learning_rate: Peak of AdamW's rate, after a warm-up; then a cosine to zero.
        average_decay: Decay of the running average of the weights, which is what is kept.
        smoothing: Share of each label given to the other class.
    """

    size: NetworkSize
    epochs: int = 6
    networks: int = 3
    batch_nt: int = 16_384
    learning_rate: float = 2e-3
    warm_up: float = 0.08
    weight_decay: float = 0.05
    average_decay: float = 0.99
    smoothing: float = 0.02
    max_gradient: float = 1.0

    def with_epochs(self, epochs: int | None) -> "Plan":
        """Return the plan with another number of epochs, or itself for ``None``."""
        return self if epochs is None else replace(self, epochs=epochs)


#: `tiny` is for tests: it runs in a second and predicts badly.
PLANS = {
    "full": Plan(NetworkSize()),
    "tiny": Plan(
        NetworkSize(embedding=4, channels=8, width=8, layers=1, heads=2, feedforward=8, summary_width=8), networks=2
    ),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One network to train: on which rows of which dataset, and from which seed.

    Attributes:
        report: Called with a line of progress after every epoch; must be picklable.
    """

    title: str
    dataset: Dataset
    rows: Rows
    plan: Plan
    seed: int
    report: Callable[[str], None]


def fit_networks(jobs: list[Job], *, workers: int) -> list[CircRnaNetwork]:
    """Return a trained network for each job, in order; with more than one worker in processes of their own."""
    if workers == 1:
        return [fit_network(job) for job in jobs]
    context = multiprocessing.get_context("spawn")  # a forked copy of PyTorch's threads would hang
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        weights = list(pool.map(_fit_weights, jobs))
    networks = []
    for job, arrays in zip(jobs, weights, strict=True):
        network = CircRnaNetwork(job.plan.size)
        network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
        networks.append(network.eval())
    return networks


def fit_network(job: Job) -> CircRnaNetwork:
    """Return one trained network; the same job gives the same network."""
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    rng = np.random.default_rng(job.seed)
    plan, dataset = job.plan, job.dataset
    network = CircRnaNetwork(plan.size)
    network.summary.fit_scale(torch.from_numpy(dataset.summaries[job.rows]))
    averaged = deepcopy(network)
    steps = plan.epochs * len(_plan_batches(job, np.random.default_rng(job.seed)))
    optimizer = _build_optimizer(network, plan)
    started, step = time.monotonic(), 0
    for epoch in range(1, plan.epochs + 1):
        network.train()
        losses = []
        for batch in _plan_batches(job, rng):
            step += 1
            _set_rate(optimizer, plan, min(step / steps, 1.0))  # an epoch's number of batches varies a little
            losses.append(_take_step(network, optimizer, _load_batch(dataset, batch, rng), plan))
            _average(averaged, network, plan.average_decay)
        seconds = time.monotonic() - started
        job.report(f"{job.title}: epoch {epoch} of {plan.epochs}, loss {np.mean(losses):.4f}, {seconds:.0f} s")
    return averaged.eval()


def _fit_weights(job: Job) -> dict[str, NDArray[np.float32]]:
    return {name: tensor.numpy() for name, tensor in fit_network(job).state_dict().items()}


def predict_rows(network: CircRnaNetwork, dataset: Dataset, rows: Rows) -> NDArray[np.float64]:
    """Return the probability of a circular RNA for each of ``rows``, in their order."""
    probabilities = np.zeros(len(rows))
    with torch.inference_mode():
        for chunk in plan_chunks([dataset.shapes[row] for row in rows]):
            chosen = rows[chunk]
            tokens = stack_windows([dataset.tokens[row] for row in chosen], [dataset.shapes[row] for row in chosen])
            logits = network(torch.from_numpy(tokens), torch.from_numpy(dataset.summaries[chosen]))
            probabilities[chunk] = torch.sigmoid(logits).numpy()
    return probabilities


@dataclass(frozen=True, slots=True)
class _Batch:
    tokens: torch.Tensor
    summaries: torch.Tensor
    targets: torch.Tensor


def _build_optimizer(network: CircRnaNetwork, plan: Plan) -> torch.optim.AdamW:
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.learning_rate)


def _set_rate(optimizer: torch.optim.Optimizer, plan: Plan, progress: float) -> None:
    factor = min(1.0, progress / plan.warm_up) * (0.5 + 0.5 * math.cos(math.pi * progress))
    for group in optimizer.param_groups:
        group["lr"] = plan.learning_rate * factor


def _plan_batches(job: Job, rng: np.random.Generator) -> list[Rows]:
    """Return shuffled batches of rows of nearly like length."""
    shuffled = rng.permutation(job.rows)
    noise = rng.uniform(1 - _LENGTH_NOISE, 1 + _LENGTH_NOISE, size=len(shuffled))
    patches = [min(len(job.dataset.tokens[row]) // PATCH, WINDOW_PATCHES) for row in shuffled]
    shapes = [(1, int(size * factor)) for size, factor in zip(patches, noise, strict=True)]
    chunks = list(plan_chunks(shapes, max_nt=job.plan.batch_nt))
    return [shuffled[chunks[number]] for number in rng.permutation(len(chunks))]


def _load_batch(dataset: Dataset, rows: Rows, rng: np.random.Generator) -> _Batch:
    tokens = [_cut_middle(_disturb(dataset.tokens[row], rng), rng) for row in rows]
    stacked = stack_windows(tokens, [(1, len(row) // PATCH) for row in tokens])
    return _Batch(
        tokens=torch.from_numpy(stacked),
        summaries=torch.from_numpy(dataset.summaries[rows]),
        targets=torch.from_numpy(dataset.classes[rows]).float(),
    )


def _disturb(tokens: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return another view of the same transcript, so that no network can learn the rows by heart.

    Its patches begin elsewhere, a part at either end may be missing, and some letters are hidden.
    The summary still tells of the whole.
    """
    letters = len(tokens) - int((tokens[-PATCH:] == PAD_TOKEN).sum())
    kept = max(int(letters * rng.uniform(_MIN_PART, 1.0)), PATCH)
    start = int(rng.integers(0, letters - kept + 1))
    part = tokens[start : start + kept]
    is_hidden = rng.random(kept + KMER - 1) < _HIDDEN_LETTERS
    is_lost = np.any([is_hidden[offset : offset + kept] for offset in range(KMER)], axis=0)
    view = np.full(-(-kept // PATCH) * PATCH, PAD_TOKEN, dtype=np.uint8)
    view[:kept] = np.where(is_lost & (part != PAD_TOKEN), UNKNOWN_TOKEN, part)
    return view


def _cut_middle(tokens: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Shorten a long sequence to one window: whole patches are left out at a random place, both ends stay."""
    surplus = len(tokens) // PATCH - WINDOW_PATCHES
    if surplus <= 0:
        return tokens
    start = int(rng.integers(WINDOW_PATCHES // 4, WINDOW_PATCHES * 3 // 4 + 1))
    return np.concatenate([tokens[: start * PATCH], tokens[(start + surplus) * PATCH :]])


def _take_step(network: CircRnaNetwork, optimizer: torch.optim.Optimizer, batch: _Batch, plan: Plan) -> float:
    # Products in bfloat16 take a third less time on CPUs that know it; weights and what is served stay float32.
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(batch.tokens, batch.summaries).float()
    targets = batch.targets * (1 - 2 * plan.smoothing) + plan.smoothing
    loss = functional.binary_cross_entropy_with_logits(logits, targets)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
    torch.nn.utils.clip_grad_norm_(network.parameters(), plan.max_gradient)
    optimizer.step()
    return loss.item()


def _average(averaged: CircRnaNetwork, network: CircRnaNetwork, decay: float) -> None:
    with torch.no_grad():
        for kept, current in zip(averaged.parameters(), network.parameters(), strict=True):
            kept.lerp_(current, 1 - decay)
