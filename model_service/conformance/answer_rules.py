"""Rules about one row at a time: what goes in comes out as the schemas promise, and means one thing only."""

import itertools
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from model_service.conformance.rule import Broken, NotJudged, describe_error, rule, shorten
from model_service.conformance.subject import Subject
from model_service.records import Output, Payload, Violation
from model_service.schema.difference import find_difference
from model_service.schema.json_values import find_unrepresentable
from model_service.schema.validation import make_pointer, word_violations
from model_service.schema.values import write_json
from model_service.strict_json import decode_json, encode_json

_FAMILY = "answers"
_MOST_SHOWN = 120
#: Seed of the payloads of `generated`, which `Subject.rows` draws as well.
_SEED = 0


@rule(
    "answers",
    _FAMILY,
    "answers its examples, and output_schema accepts the answers",
    remedy="Mend predict or the schema: an answer that breaks output_schema reaches nobody; callers get status 500.",
    needs=("builds", "examples"),
)
def answers(subject: Subject) -> str:
    """Every example and given payload is predicted; the outputs are plain JSON and keep to ``output_schema``."""
    rows = subject.examples
    for payload in rows:
        check_answer(subject, payload)
    return f"{len(rows)} payloads"


@rule(
    "expected",
    _FAMILY,
    "answers its examples as expected",
    remedy="Mend the model, or the examples of output_schema: the first one is the answer to the first example of "
    "input_schema, and so on.",
    needs=("answers",),
)
def expected(subject: Subject) -> str:
    """Where ``output_schema`` has examples, they are the answers to those of ``input_schema``, in their order."""
    rows, outputs = (getattr(subject.model_class, f"{name}put_schema").get("examples", ()) for name in ("in", "out"))
    if not outputs:
        raise NotJudged("output_schema has no examples")
    if len(outputs) > len(rows):
        raise Broken(f"output_schema has {len(outputs)} examples, and input_schema {len(rows)}")
    for i, (payload, output) in enumerate(zip(rows, outputs, strict=False)):
        if found := find_difference(output, subject.predict(payload), tolerance=subject.options.tolerance):
            raise Broken(f"example {i} is answered otherwise (expected and given): {found}")
    return f"{len(outputs)} answers"


@rule(
    "untouched",
    _FAMILY,
    "leaves its payloads as they were",
    remedy="Compute on a copy: what is tried again after a failure, or logged beside the answer, must be what came.",
    needs=("answers",),
    uses_rows=True,
)
def untouched(subject: Subject) -> str:
    """`predict` and `predict_batch` change neither a payload nor the list of them."""
    model, rows = subject.build(), subject.rows
    for payload in subject.rows_within_budget(0.5):
        given = deepcopy(payload)
        model.predict(given)
        if repr(given) != repr(payload):  # by what they look like: 1 and 1.0 and True are not the same
            raise Broken(f"predict changed {show(payload)}")
    batch = deepcopy(rows)
    model.predict_batch(batch)
    if len(batch) != len(rows):
        raise Broken(
            f"predict_batch changed the list that it was given: {len(rows)} payloads before, {len(batch)} after"
        )
    if repr(batch) != repr(rows):
        changed = next(row for row, given in zip(rows, batch, strict=True) if repr(row) != repr(given))
        raise Broken(f"predict_batch changed its payloads or their order; the first was {show(changed)}")
    return f"{len(rows)} payloads"


@rule(
    "generated",
    _FAMILY,
    "answers whatever the schema accepts",
    remedy="Mend predict for such a payload, or refuse it: with a bound in input_schema, or in find_violations.",
    needs=("answers",),
)
def generated(subject: Subject) -> str:
    """Payloads drawn from the schema, up to its bounds, never raise, and each answer keeps to ``output_schema``."""
    asked = refused = 0
    for payload in subject.within_budget(subject.draw(subject.options.cases, seed=_SEED)):
        asked += 1
        if _find_own(subject, payload):
            refused += 1
        else:
            check_answer(subject, payload)
    if not asked:
        raise NotJudged("no payload could be drawn that the schema accepts")
    if asked == refused:
        raise NotJudged(f"find_violations refused all of {asked} payloads that were drawn; give payloads of your own")
    subject.generated = asked
    return f"{asked} payloads, of which find_violations refused {refused}"


@rule(
    "repeatable",
    _FAMILY,
    "the same row has the same answer, asked again",
    remedy="Take out what changes from call to call: chance without a seed, dropout (call eval()), the time, and what "
    "predict leaves behind.",
    needs=("answers",),
    uses_rows=True,
)
def repeatable(subject: Subject) -> str:
    """Rows are asked twice, forward and then backward."""
    rows = list(subject.rows_within_budget(0.1))
    first = [subject.predict(row) for row in rows]
    second = [subject.predict(row) for row in reversed(rows)][::-1]
    for row, one, other in zip(rows, first, second, strict=True):
        if found := _compare(subject, one, other):
            raise Broken(f"{show(row)} is answered differently when it is asked again: {found}")
    return f"{len(rows)} rows, twice"


@rule(
    "nulls",
    _FAMILY,
    "null and absent mean the same",
    remedy="Read optional fields with payload.get(name), which is None in both cases; forms and files send null.",
    needs=("repeatable",),
    uses_rows=True,
)
def nulls(subject: Subject) -> str:
    """A field that may be null and may be absent is answered alike both ways."""
    names, judged = list(subject.model_class.input_schema.get("properties", {})), 0
    for payload, name in subject.within_budget(itertools.product(subject.rows, names)):
        null = {**payload, name: None}
        absent = {key: value for key, value in payload.items() if key != name}
        if not (subject.is_fit(null) and subject.is_fit(absent)):
            continue
        judged += 1
        if found := _compare(subject, subject.predict(null), subject.predict(absent)):
            raise Broken(f"'{name}' null is answered differently from absent: {found}")
    if not judged:
        raise NotJudged("no field may be null and absent")
    return f"{judged} pairs"


@rule(
    "integers",
    _FAMILY,
    "5 and 5.0 mean the same",
    remedy="Convert with int(...) or float(...), and compare numbers as numbers: JSON Schema calls both integers.",
    needs=("repeatable",),
    uses_rows=True,
)
def integers(subject: Subject) -> str:
    """An integer that comes as a float is answered as the integer is."""
    judged = 0
    for payload in subject.rows_within_budget():
        other = _write_floats(payload)
        if repr(other) == repr(payload) or not subject.is_fit(other):
            continue
        judged += 1
        # An answer that repeats its input may do so: there, too, 5 and 5.0 mean the same.
        one, another = (_write_floats(subject.predict(each)) for each in (payload, other))
        if found := _compare(subject, one, another):
            raise Broken(f"{show(payload)} is answered differently with its integers as floats: {found}")
    if not judged:
        raise NotJudged("no payload has an integer")
    return f"{judged} payloads"


@rule(
    "round_trip",
    _FAMILY,
    "survives JSON exactly",
    remedy="Return plain dict, list, str, int, float, bool and None, and integers of at most 64 bits.",
    needs=("repeatable",),
    uses_rows=True,
)
def round_trip(subject: Subject) -> str:
    """An output that is written as JSON and read again is the same; a payload that was, is answered the same."""
    done = 0
    for payload in subject.rows_within_budget():
        output = subject.predict(payload)
        again = decode_json(encode_json(output))
        if again != output or _list_kinds(again) != _list_kinds(output):
            raise Broken(f"the output of {show(payload)} is another one after JSON: {_find_change(output, again)}")
        if found := _compare(subject, output, subject.predict(decode_json(encode_json(payload)))):
            raise Broken(f"{show(payload)} is answered differently after JSON: {found}")
        done += 1
    return f"{done} payloads and outputs"


RULES = (answers, expected, untouched, generated, repeatable, nulls, integers, round_trip)


def check_answer(subject: Subject, payload: Payload) -> Output:
    """Return the answer to a payload that the rules accept.

    Raises:
        Broken: It raised, or is not what ``output_schema`` promises.
    """
    try:
        output = subject.predict(payload)
    except Exception as error:
        raise Broken(f"{show(payload)} raised {describe_error(error)}") from error
    unfit = [f"'{make_pointer(path) or '/'}' {message}" for path, _, message in find_unrepresentable(output)]
    if unfit:
        raise Broken(f"the output of {show(payload)} is not plain JSON: {'; '.join(unfit)}")
    if found := subject.promises.find_violations(output):
        raise Broken(f"output_schema refuses {word_violations(f'the output of {show(payload)}', found)}")
    return output


def show(payload: Any) -> str:
    """Return a payload for a line of evidence."""
    return shorten(write_json(payload), _MOST_SHOWN)


def _find_own(subject: Subject, payload: Payload) -> list[Violation]:
    try:
        found = subject.model_class.find_violations(deepcopy(payload))
    except Exception as error:
        raise Broken(f"find_violations raised {describe_error(error)} for {show(payload)}") from error
    if not isinstance(found, list) or not all(isinstance(each, Violation) for each in found):
        raise Broken(f"find_violations returned no list of Violation for {show(payload)}")
    return found


def _compare(subject: Subject, one: Output, other: Output) -> str:
    return find_difference(one, other, tolerance=subject.options.tolerance)


def _write_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _write_floats(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_write_floats(each) for each in value]
    is_small = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
    return float(value) if is_small else value


def _list_kinds(document: Any) -> list[type]:
    return [float if isinstance(value, float) else type(value) for value in _list_values(document)]


def _list_values(document: Any) -> Iterator[Any]:
    yield document
    if isinstance(document, dict):
        yield from document
    for value in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from _list_values(value)


def _find_change(output: Any, again: Any) -> str:
    pairs = zip(_list_values(output), _list_values(again), strict=False)
    changed = ((a, b) for a, b in pairs if a != b or (type(a) is not type(b) and not isinstance(a, float)))
    before, after = next(changed, (output, again))
    return f"{before!r} ({type(before).__name__}) and {after!r} ({type(after).__name__})"
