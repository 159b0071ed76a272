"""Explanations that need no knowledge of the model: for authors to return from `MLModel.explain`. NumPy only.

    def explain(self, payload, output, ask):
        return explain_fields(payload, output, ask, explained="/price", background=self._background)

`explain_fields` shares the difference between this answer and usual ones among the fields: Shapley values, estimated
over orders in which the fields are learnt (Strumbelj and Kononenko, 2014). They add up exactly. `explain_sequence`
hides a window at a time and says by how much the answer falls (occlusion: Zeiler and Fergus, 2014).

Both ask the model for other payloads, within a budget of rows and seconds. The rows are drawn by a seed: the same
payload has the same explanation, unless the seconds ran out, and then it says that it is not complete.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from model_service.model import Ask, MLModel
from model_service.records import Explanation, Output, Payload

#: Most rows of one question; the first is of one row, for nobody knows how long a row takes.
_MOST_ROWS = 64
#: A question should take no larger share of the seconds.
_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Budget:
    """What an explanation may cost.

    Attributes:
        rows: Most payloads that the model is asked for.
        seconds: After so many it is told what is known by then.
    """

    rows: int = 256
    seconds: float = 2.0


USUAL_BUDGET = Budget()


class AskDirectly:
    """Asks a model for the outputs of payloads, with no service around it: in tests and notebooks.

    Args:
        model: Predicts.
        seconds: That it may take.
    """

    def __init__(self, model: MLModel, seconds: float = 60.0) -> None:
        self._model = model
        self._deadline = time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """Seconds until nobody waits any more."""
        return self._deadline - time.monotonic()

    def __call__(self, payloads: list[Payload]) -> list[Output | None]:
        """Return the outputs, in order; ``None`` for a payload that the model's own rules refuse."""
        sound = [payload for payload in payloads if not self._model.find_violations(payload)]
        outputs = iter(self._model.predict_batch(sound) if sound else ())
        return [None if self._model.find_violations(payload) else next(outputs) for payload in payloads]


def explain_directly(model: MLModel, payload: Payload) -> Explanation:
    """Return what a model says of its answer to one payload, with no service around it."""
    return model.explain(payload, model.predict(payload), AskDirectly(model))


def explain_fields(
    payload: Payload,
    output: Output,
    ask: Ask,
    *,
    explained: str,
    background: Sequence[Payload],
    budget: Budget = USUAL_BUDGET,
    seed: int = 0,
) -> Explanation:
    """Return what each field adds to a number of the output, compared with a background.

    A field of the background that the payload lacks, or that is null there, plays no part.

    Args:
        payload: Of the answer.
        output: The answer.
        ask: As `MLModel.explain` gets it.
        explained: JSON Pointer to a number in the output.
        background: Usual payloads, such as a sample of the training, or `draw_background`. Only their fields are used.
        budget: Of rows: each pair of orders takes twice as many as there are fields.
        seed: Of the orders.

    Returns:
        The contributions with the mean of the background (``base``) add up to the number that is explained.
    """
    value = _read_number(output, explained)
    fields = [name for name in background[0] if payload.get(name) is not None] if background else []
    if not fields:
        raise ValueError("explain_fields needs a background that shares a field with the payload")
    walks = _draw_walks(len(fields), len(background), budget.rows // len(fields), np.random.default_rng(seed))
    rows = (
        payload | {name: background[row][name] for name in (fields[place] for place in order[known:])}
        for row, order in walks
        for known in range(len(fields))
    )
    answers = _Answers(ask, budget)
    base, contributions = _share_out(walks, _chunk(answers.read(rows, explained), len(fields)), value)
    return {
        "method": "shapley",
        "explained": {"pointer": explained, "value": value},
        "base": base,
        "contributions": [
            {"name": name, "pointer": f"/{_escape(name)}", "value": payload[name], "contribution": contribution}
            for name, contribution in zip(fields, contributions, strict=True)
        ],
        "is_complete": not answers.is_cut and base is not None,
    }


def explain_sequence(
    payload: Payload,
    output: Output,
    ask: Ask,
    *,
    field: str,
    explained: str,
    window: int,
    fill: str,
    budget: Budget = USUAL_BUDGET,
    seed: int = 0,
) -> Explanation:
    """Return by how much a number of the output falls when the letters around each position are hidden.

    Args:
        payload: Of the answer; the field holds letters alone.
        output: The answer.
        ask: As `MLModel.explain` gets it.
        field: Name of the field that holds the sequence.
        explained: JSON Pointer to a number in the output.
        window: How many letters are hidden at a time; more where the budget does not reach along the sequence.
        fill: What they are replaced by: one letter that says nothing, such as N, or several to draw from.
        budget: Of rows, each of which hides one window.
        seed: Of the letters.

    Returns:
        A number per letter: the mean over the windows that hid it; ``None`` where the seconds ran out before.
    """
    letters, value = payload[field], _read_number(output, explained)
    rng = np.random.default_rng(seed)
    size, starts = _place_windows(len(letters), window, budget.rows, rng)
    rows = (payload | {field: _hide(letters, start, start + size, fill, rng)} for start in starts)
    falls, hidden = np.zeros(len(letters)), np.zeros(len(letters))
    answers = _Answers(ask, budget)
    for start, found in zip(starts, answers.read(rows, explained), strict=False):
        if found is not None:
            falls[start : start + size] += value - found
            hidden[start : start + size] += 1
    means = _round(falls / np.maximum(hidden, 1), hidden > 0)
    track = {"pointer": f"/{_escape(field)}", "start": 1, "letters": letters, "contributions": means}
    return {
        "method": "occlusion",
        "explained": {"pointer": explained, "value": value},
        "base": None,
        "sequences": [track],
        "is_complete": not answers.is_cut and None not in means,
    }


def draw_background(reference: Path | Mapping[str, Any], rows: int = 32, seed: int = 0) -> list[Payload]:
    """Return payloads like those of the training, field by field: which values belong together is not known.

    Args:
        reference: What `model_service.training.reference.describe_rows` wrote, or its file. Fields of free text, and
            those that a training row always lacked, are left out.
        rows: How many.
        seed: Of the order of the values.
    """
    document = json.loads(reference.read_text(encoding="utf-8")) if isinstance(reference, Path) else reference
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {}
    for name, field in document["fields"].items():
        values = _spread_values(field, rows)
        if values:
            columns[name] = [values[place] for place in rng.permutation(rows)]
    return [{name: values[row] for name, values in columns.items()} for row in range(rows)]


class _Answers:
    """The numbers that a model answers, asked for in questions that grow as rows prove to be quick."""

    def __init__(self, ask: Ask, budget: Budget) -> None:
        self.is_cut = False
        self._ask = ask
        self._seconds = min(budget.seconds, ask.seconds_left * 0.8)
        self._ends = time.monotonic() + self._seconds

    def read(self, rows: Iterator[Payload], pointer: str) -> Iterator[float | None]:
        """Yield a number of each output, or ``None``, until there are no more rows or no more seconds."""
        size, pending = 1, next(rows, None)
        while pending is not None:
            if time.monotonic() >= self._ends:
                self.is_cut = True
                return
            question = [pending, *islice(rows, size - 1)]
            began = time.monotonic()
            for output in self._ask(question):
                yield None if output is None else _read_number(output, pointer)
            row_s = (time.monotonic() - began) / len(question)
            size = max(1, min(2 * size, _MOST_ROWS, int(self._seconds * _SHARE / max(row_s, 1e-6))))
            pending = next(rows, None)


def _draw_walks(fields: int, rows: int, count: int, rng: Generator) -> list[tuple[int, list[int]]]:
    """Return (row of the background, order of the fields) by turns: each order is followed by its reverse."""
    walks: list[tuple[int, list[int]]] = []
    places = rng.permutation(rows)
    for number in range(max(count // 2, 1)):
        order = rng.permutation(fields).tolist()
        row = int(places[number % rows])
        walks += [(row, order), (row, order[::-1])]
    return walks


def _share_out(
    walks: list[tuple[int, list[int]]], found: Iterator[list[Any]], value: float
) -> tuple[float | None, list[float]]:
    """Return the mean of where walks begin, and the mean that each field adds on the way to the value."""
    added, bases = np.zeros(len(walks[0][1])), []
    for (_, order), numbers in zip(walks, found, strict=False):
        if None not in numbers:  # else the model's rules refuse a row on the way
            bases.append(numbers[0])
            added[order] += [after - before for before, after in pairwise([*numbers, value])]
    return (float(np.mean(bases)) if bases else None), (added / max(len(bases), 1)).tolist()


def _chunk(numbers: Iterator[float | None], size: int) -> Iterator[list[Any]]:
    chunk: list[float | None] = []
    for number in numbers:
        chunk.append(number)
        if len(chunk) == size:
            yield chunk
            chunk = []


def _place_windows(length: int, window: int, count: int, rng: Generator) -> tuple[int, list[int]]:
    """Return how long windows are, and where they start: they cover a sequence, and are as many as allowed at most."""
    size = min(max(window, -(-length // max(count, 1))), length)
    step = max(1, -(-(length - size) // max(count - 1, 1)))
    # In no order, so that a cut leaves no end dark.
    return size, rng.permutation([*range(0, length - size, step), length - size]).tolist()


def _hide(letters: str, start: int, end: int, fill: str, rng: Generator) -> str:
    hidden = fill * (end - start) if len(fill) == 1 else "".join(rng.choice(list(fill), end - start))
    return letters[:start] + hidden + letters[end:]


def _round(numbers: NDArray[np.float64], is_known: NDArray[np.bool_]) -> list[float | None]:
    return [round(number, 6) if known else None for number, known in zip(numbers.tolist(), is_known, strict=True)]


def _read_number(output: Output, pointer: str) -> float:
    """Return a number of an output."""
    node: Any = output
    for name in pointer.split("/")[1:]:
        name = name.replace("~1", "/").replace("~0", "~")
        node = node[int(name)] if isinstance(node, list) else node[name]
    return float(node)


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _spread_values(field: Mapping[str, Any], count: int) -> list[Any]:
    """Return values of a field as frequent as in the training; none where they are not known."""
    shares = (np.arange(count) + 0.5) / count
    if field["kind"] == "number" and field["quantiles"]:
        quantiles = {float(share): value for share, value in field["quantiles"].items()}
        spread = np.interp(shares, list(quantiles), list(quantiles.values())).tolist()
        is_whole = all(value == int(value) for value in quantiles.values())
        return [round(value) for value in spread] if is_whole else spread
    if field["kind"] == "category" and field["shares"]:
        names = list(field["shares"])
        ends = np.cumsum([field["shares"][name] for name in names])
        picked = [names[place] for place in np.searchsorted(ends / ends[-1], shares)]
        return [name == "true" for name in picked] if {*names} <= {"true", "false"} else picked
    return []
