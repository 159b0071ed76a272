"""Rules about the same row asked elsewhere: in a batch, in any company, from threads, in another process."""

import importlib
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any, TypeVar

from model_service.conformance.answer_rules import show
from model_service.conformance.process import Process, ProcessLost
from model_service.conformance.rule import Broken, NotJudged, rule
from model_service.conformance.subject import Subject
from model_service.loading import describe_model
from model_service.model import MLModel
from model_service.records import Output, Payload
from model_service.schema.difference import find_difference
from model_service.schema.tensor_columns import find_disagreement

_FAMILY = "company"
_ORDERS = 6
_THREADS = 8
#: Seconds after which another thread may go on: so rarely switched threads, as by default, hide what they share.
_SWITCH_S = 1e-5
_ROUNDS = 5
#: Payloads that the model may refuse, of which its rules are asked from several threads.
_RACED_ROWS = 20
#: Loaded only for a model that predicts columns.
_TABLES = "model_service.schema.table_validation"
_Result = TypeVar("_Result")


@rule(
    "batch",
    _FAMILY,
    "a row is answered alike alone, in any order and in any company",
    remedy="Let nothing of a row reach another: mask padding, normalise by what training saw and not by the batch, "
    "attend along a row only, and return outputs in the order of the payloads.",
    needs=("repeatable",),
    uses_rows=True,
)
def batch(subject: Subject) -> str:
    """Rows are predicted alone, then in batches of all, of some and of two, each row twice, in several orders."""
    alone = _answer_alone(subject)
    rows = subject.rows[: len(alone)]
    places, batches = [*range(len(rows)), *range(len(rows))], 0
    chance = subject.shuffle(seed=1)
    for _, size in subject.within_budget(itertools.product(range(_ORDERS), (len(places), 7, 2)), share=0.6):
        for start in range(0, len(places), size):
            part = places[start : start + size]
            together = [rows[place] for place in part]
            outputs = subject.predict_batch(together)
            if len(outputs) != len(part):
                raise Broken(f"a batch of {len(part)} payloads has {len(outputs)} outputs")
            _compare(subject, together, [alone[place] for place in part], outputs, "in a batch")
            batches += 1
        chance.shuffle(places)
    return f"{len(rows)} rows in {batches} batches, within {subject.options.tolerance:g}"


@rule(
    "columns",
    _FAMILY,
    "predict_columns answers as predict_batch does",
    remedy="Mend predict_columns, or leave it out: rows are predicted where columns disagree.",
    needs=("batch",),
    uses_rows=True,
)
def columns(subject: Subject) -> str:
    """`predict_columns`, where there is one, can be asked at all, and answers as the rows are."""
    model, model_class = subject.build(), subject.model_class
    if model_class.predict_columns is MLModel.predict_columns:
        raise NotJudged("there is no predict_columns")
    if model_class.find_violations.__func__ is not MLModel.find_violations.__func__:  # type: ignore[attr-defined]
        raise Broken("predict_columns is never asked: find_violations needs rows")
    tables = importlib.import_module(_TABLES).TableSchemas(describe_model(model_class))  # it needs NumPy
    if not tables.are_able:
        raise Broken("predict_columns is never asked: the schemas say more than columns are held against")
    rows = subject.rows
    answer = subject.predict_batch(rows)
    found = find_disagreement(tables, lambda table: table.answer(model.predict_columns(table.columns)), rows, answer)
    if found:
        raise Broken(found)
    return f"{len(rows)} rows"


@rule(
    "threads",
    _FAMILY,
    "the same answer from every thread",
    remedy="Keep nothing in the model or in globals while predict runs, and open what belongs to one thread (SQLite) "
    "where it is used; or do not say thread_safe = True.",
    needs=("repeatable",),
    uses_rows=True,
)
def threads(subject: Subject) -> str:
    """Rows are asked from other threads, one at a time; `find_violations`, and a model that says ``thread_safe``,
    from several at once.
    """
    began = time.perf_counter()
    alone = _answer_alone(subject)
    row_s = (time.perf_counter() - began) / len(alone)
    rows = subject.rows[: len(alone)]
    size = max(1, len(rows) // _THREADS)
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        with ThreadPoolExecutor(1) as pool:
            outputs = [*pool.map(subject.predict, part)]
        _compare(subject, part, alone[start : start + size], outputs, "in another thread")
    _race_rules(subject)
    if not subject.model_class.thread_safe:
        return f"{len(rows)} rows, one thread at a time"
    # As many rows as all threads get through in time, were they to wait for each other.
    count = max(2, min(len(rows), int(subject.options.seconds / (row_s * _THREADS))))
    for places, outputs in _run_at_once(subject, min(len(rows), count), lambda place: subject.predict(rows[place])):
        part = [rows[place] for place in places]
        how = "while other threads predict, and the class says thread_safe"
        _compare(subject, part, [alone[place] for place in places], outputs, how)
    return f"{len(rows)} rows, one thread at a time; {count} rows, {_THREADS} threads at once"


@rule(
    "process",
    _FAMILY,
    "the same answer in a fresh process",
    remedy="Let nothing depend on the order of a set, on hash() or id(), or on what was predicted before.",
    needs=("repeatable",),
    uses_rows=True,
)
def process(subject: Subject) -> str:
    """A second process with another seed of hashes answers the same rows the same."""
    alone = _answer_alone(subject)
    rows = subject.rows[: len(alone)]
    outputs = ask_fresh_process(subject, rows)["outputs"]
    # What comes from there has been JSON; whether that changes anything is judged by a rule of its own.
    _compare(subject, rows, json.loads(json.dumps(alone)), outputs, "in a fresh process")
    return f"{len(rows)} rows"


RULES = (batch, columns, threads, process)


def ask_fresh_process(subject: Subject, rows: Sequence[Payload], **where: Any) -> dict[str, Any]:
    """Return what another process answers: outputs, and the file of the module.

    Args:
        where: What `Process` takes.

    Raises:
        Broken: It could not.
    """
    fresh = Process(["answers"], hash_seed=1, **where)
    try:
        request = {"class_path": subject.class_path, "payloads": rows}
        answer: dict[str, Any] = fresh.ask(request, deadline_s=subject.options.deadline_s)
    except ProcessLost as error:
        raise Broken(str(error)) from None
    finally:
        fresh.close()
    if "problem" in answer:
        raise Broken(f"a fresh process cannot answer: {answer['problem']}")
    return answer


def _answer_alone(subject: Subject) -> list[Output]:
    """Return the answers to as many rows as there is time for, each asked alone."""
    return [subject.predict(row) for row in subject.rows_within_budget(0.2)]


def _compare(
    subject: Subject, rows: Sequence[Payload], expected: Sequence[Output], found: Sequence[Output], how: str
) -> None:
    for row, one, other in zip(rows, expected, found, strict=True):
        if difference := find_difference(one, other, tolerance=subject.options.tolerance):
            raise Broken(f"{show(row)} is answered differently {how}: {difference}")


def _race_rules(subject: Subject) -> None:
    """Ask `find_violations` from several threads at once: about what it refuses, too."""
    rows = [*subject.rows, *subject.draw(_RACED_ROWS if subject.generated else 0, seed=5)]
    find = subject.model_class.find_violations
    alone = [find(deepcopy(row)) for row in rows]
    for places, found in _run_at_once(subject, len(rows), lambda place: find(deepcopy(rows[place]))):
        if found != [alone[place] for place in places]:
            raise Broken("find_violations answers differently while other threads call it")


def _run_at_once(
    subject: Subject, count: int, call: Callable[[int], _Result]
) -> Iterator[tuple[list[int], list[_Result]]]:
    """Yield what each of several threads gets that begin together, each with the places in an order of its own."""
    chance, switch_s = subject.shuffle(seed=6), sys.getswitchinterval()
    start = threading.Barrier(_THREADS)

    def run(places: list[int]) -> list[_Result]:
        start.wait()
        return [call(place) for place in places]

    sys.setswitchinterval(_SWITCH_S)
    try:
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in subject.within_budget(range(_ROUNDS), share=0.2):
                orders = [chance.sample(range(count), count) for _ in range(_THREADS)]
                futures = [pool.submit(run, order) for order in orders]
                yield from [(order, future.result()) for order, future in zip(orders, futures, strict=True)]
    finally:
        sys.setswitchinterval(switch_s)
