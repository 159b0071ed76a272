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
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch.nn import functional

from circrna_model.dataset import Dataset, Rows
from circrna_model.features import (
    KMER,
    PATCH,
    UNKNOWN,
    UNKNOWN_TOKEN,
    WINDOW_PATCHES,
    Codes,
    Tokens,
    join_ends,
    lay_patches,
    number_kmers,
    plan_chunks,
    stack_chunks,
    stack_windows,
)
from circrna_model.frames import IS_STOP, measure_frames, read_along, read_open_codons
from circrna_model.network import CircRnaNetwork, Ensemble, NetworkSize
from circrna_model.summary import count_codons

#: How far the lengths of a batch are mixed, so that batches differ between epochs.
_LENGTH_NOISE = 0.1
#: Letters on either side of the join that are never changed.
JOIN_SIGNAL = 6


@dataclass(frozen=True, slots=True)
class Plan:
    """How networks are trained.

    Attributes:
        epochs: Passes over the rows.
        networks: Networks of the shipped ensemble, each from its own seed.
        batch_nt: Nucleotides of a batch, padding included.
        learning_rate: Peak of AdamW's rate, after a warm-up; then a cosine to zero.
        average_decay: Decay of the running average of the weights, which is what is kept.
        smoothing: Share of each target given to the other class.
        taught: Share of the targets that is not the label but what boosted trees say, without having seen the row.
        rotated: Share of the circles that begin elsewhere.
        hidden_joins: Share of the rows whose ends are hidden.
        mutated: Share of the letters that are replaced, but for stop codons.
        cut: Share of the rows of which a part is missing; ``min_part`` is what is left at least.
        hidden_letters: Share of the letters that are hidden.
        frame_weight: Weight of the question which frames are open; ``codon_weight`` of which codons are in there.
    """

    size: NetworkSize
    epochs: int = 5
    networks: int = 2
    batch_nt: int = 16_384
    learning_rate: float = 2e-3
    warm_up: float = 0.08
    weight_decay: float = 0.05
    average_decay: float = 0.99
    smoothing: float = 0.01
    taught: float = 0.5
    max_gradient: float = 1.0
    rotated: float = 0.25
    hidden_joins: float = 0.1
    mutated: float = 0.08
    cut: float = 0.25
    min_part: float = 0.8
    hidden_letters: float = 0.005
    frame_weight: float = 0.5
    codon_weight: float = 0.1

    def with_epochs(self, epochs: int | None) -> "Plan":
        """Return the plan with another number of epochs, or itself for ``None``."""
        return self if epochs is None else replace(self, epochs=epochs)


#: `tiny` is for tests: it runs in a second and predicts badly.
PLANS = {
    "full": Plan(NetworkSize()),
    "tiny": Plan(NetworkSize(embedding=4, channels=8, width=8, layers=1, heads=2, feedforward=8), taught=0.0),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One network to train: on which rows of which dataset, and from which seed.

    Attributes:
        targets: What the network shall say of every row of the dataset; only those of `rows` are read.
        report: Called with a line of progress after every epoch; must be picklable.
    """

    title: str
    dataset: Dataset
    rows: Rows
    targets: NDArray[np.float32]
    plan: Plan
    seed: int
    report: Callable[[str], None]


def fit_networks(jobs: list[Job], *, workers: int, keep: Path | None = None) -> list[CircRnaNetwork]:
    """Return a trained network for each job, in order; with more than one worker in processes of their own.

    Args:
        jobs: What to train.
        workers: Networks that are trained at a time.
        keep: Folder for networks by the title of their job; one that is there is not trained again, so that
            a training that was interrupted goes on.
    """
    fit = partial(_fit_weights, keep=keep)
    if workers == 1:
        weights = [fit(job) for job in jobs]
    else:
        context = multiprocessing.get_context("spawn")  # a forked copy of PyTorch's threads would hang
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            weights = list(pool.map(fit, jobs))
    networks = []
    for job, content in zip(jobs, weights, strict=True):
        network = CircRnaNetwork(job.plan.size)
        network.load_state_dict(load(content))
        networks.append(network.eval())
    return networks


def fit_network(job: Job) -> CircRnaNetwork:
    """Return one trained network; the same job gives the same network."""
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    rng = np.random.default_rng(job.seed)
    plan = job.plan
    network = CircRnaNetwork(plan.size)
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
            losses.append(_take_step(network, optimizer, _load_batch(job, batch, rng), plan))
            _average(averaged, network, plan.average_decay)
        seconds = time.monotonic() - started
        job.report(
            f"{job.title}: epoch {epoch} of {plan.epochs}, loss {np.mean(losses, axis=0).round(4)}, {seconds:.0f} s"
        )
    return averaged.eval()


def find_kept(keep: Path | None, title: str) -> Path | None:
    """Return the file of a network that was trained before; ``None`` when there is none."""
    path = _locate(keep, title) if keep else None
    return path if path and path.exists() else None


def _locate(keep: Path, title: str) -> Path:
    return keep / f"{title}.safetensors"


def _fit_weights(job: Job, *, keep: Path | None) -> bytes:
    if kept := find_kept(keep, job.title):
        return kept.read_bytes()
    content = save(fit_network(job).state_dict())
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        partly = keep / f"{job.title}.part"
        partly.write_bytes(content)
        partly.replace(_locate(keep, job.title))
    return content


def predict_rows(network: Callable[[torch.Tensor], torch.Tensor], dataset: Dataset, rows: Rows) -> NDArray[np.float64]:
    """Return the probability of a circular RNA for each of ``rows``, in their order."""
    answer = Ensemble([network]) if isinstance(network, CircRnaNetwork) else network
    probabilities = np.zeros(len(rows))
    with torch.inference_mode():
        tokens = [lay_patches(join_ends(dataset.codes[row]), number_kmers(dataset.codes[row])) for row in rows]
        for chunk, stacked in stack_chunks(tokens):
            probabilities[chunk] = answer(torch.from_numpy(stacked)).numpy()
    return probabilities


@dataclass(frozen=True, slots=True)
class _Batch:
    tokens: torch.Tensor
    targets: torch.Tensor
    frames: torch.Tensor
    codons: torch.Tensor


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
    patches = [min(len(job.dataset.codes[row]) // PATCH, WINDOW_PATCHES) for row in shuffled]
    shapes = [(1, int(size * factor)) for size, factor in zip(patches, noise, strict=True)]
    chunks = list(plan_chunks(shapes, max_nt=job.plan.batch_nt))
    return [shuffled[chunks[number]] for number in rng.permutation(len(chunks))]


def _load_batch(job: Job, rows: Rows, rng: np.random.Generator) -> _Batch:
    dataset, plan = job.dataset, job.plan
    views = [view_row(dataset.codes[row], plan, rng, is_circle=bool(dataset.classes[row])) for row in rows]
    kmers = [number_kmers(codes) for _, codes in views]
    tokens = [lay_patches(join, row) for (join, _), row in zip(views, kmers, strict=True)]
    stacked = stack_windows(tokens, [(1, len(row) // PATCH - 1) for row in tokens])
    return _Batch(
        tokens=torch.from_numpy(stacked),
        targets=torch.from_numpy(job.targets[rows]),
        frames=torch.from_numpy(np.stack([measure_frames(row) for row in kmers])),
        codons=torch.from_numpy(np.stack([count_codons(read_open_codons(read_along(row))) for row in kmers])).float(),
    )


def view_row(codes: Codes, plan: Plan, rng: np.random.Generator, *, is_circle: bool) -> tuple[Tokens, Codes]:
    """Return another view of the same transcript, so that no network can learn the rows by heart.

    A circle may begin elsewhere, patches begin elsewhere, a part at either end may be missing,
    some letters are hidden, and sometimes the join is.

    Returns:
        Tokens of the patch over the join, and the letters of the rest, at most one window.
    """
    if is_circle and rng.random() < plan.rotated:
        codes = np.roll(codes, -int(rng.integers(len(codes))))
    codes = mutate(codes, plan.mutated, rng)
    join = join_ends(codes)
    if rng.random() < plan.hidden_joins:
        join = np.full_like(join, UNKNOWN_TOKEN)
    least = plan.min_part if rng.random() < plan.cut else 1 - PATCH / len(codes)
    kept = int(len(codes) * rng.uniform(least, 1.0))
    start = int(rng.integers(0, len(codes) - kept + 1))
    part = codes[start : start + kept]
    surplus = -(-(len(part) - WINDOW_PATCHES * PATCH) // KMER) * KMER
    if surplus > 0:
        # Both ends stay; what is left out keeps the frame.
        begin = int(rng.integers(len(part) - surplus + 1))
        part = np.concatenate([part[:begin], part[begin + surplus :]])
    is_hidden = rng.random(len(part)) < plan.hidden_letters
    return join, np.where(is_hidden, np.uint8(UNKNOWN), part)


def mutate(codes: Codes, share: float, rng: np.random.Generator) -> Codes:
    """Replace some letters, but none next to the join and none that would make or break a stop codon."""
    is_changed = rng.random(len(codes)) < share
    is_changed[:JOIN_SIGNAL] = is_changed[-JOIN_SIGNAL:] = False
    changed = np.where(is_changed & (codes != UNKNOWN), (codes + rng.integers(1, 4, len(codes))) % 4, codes)
    changed = changed.astype(np.uint8)
    is_broken = IS_STOP[number_kmers(codes)] != IS_STOP[number_kmers(changed)]
    is_kept = is_broken | np.roll(is_broken, 1) | np.roll(is_broken, 2)
    return np.where(is_kept, codes, changed)


def _take_step(
    network: CircRnaNetwork, optimizer: torch.optim.Optimizer, batch: _Batch, plan: Plan
) -> tuple[float, float, float]:
    logits, frames, codons = network.read_with_targets(batch.tokens)
    targets = batch.targets * (1 - 2 * plan.smoothing) + plan.smoothing
    label = functional.binary_cross_entropy_with_logits(logits, targets)
    asked = functional.smooth_l1_loss(frames, batch.frames)
    words = functional.mse_loss(codons, batch.codons * len(batch.codons[0]))
    loss = label + plan.frame_weight * asked + plan.codon_weight * words
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
    torch.nn.utils.clip_grad_norm_(network.parameters(), plan.max_gradient)
    optimizer.step()
    return label.item(), asked.item(), words.item()


def _average(averaged: CircRnaNetwork, network: CircRnaNetwork, decay: float) -> None:
    with torch.no_grad():
        for kept, current in zip(averaged.parameters(), network.parameters(), strict=True):
            kept.lerp_(current, 1 - decay)
