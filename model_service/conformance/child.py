"""The process in which a model is checked: it judges one rule after the other, as it is told. Run by `examination`.

The first line of standard input says what is checked, each further one names a rule; each is answered with a line on
the descriptor that the command line names. The model may write to standard output, and may crash, hang or exit.

    python -m model_service.conformance.child DESCRIPTOR     rules, until the input ends
    python -m model_service.conformance.child DESCRIPTOR answers     the outputs of payloads, once
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from model_service.conformance.catalogue import find_rule
from model_service.conformance.options import Options
from model_service.conformance.rule import describe_error
from model_service.conformance.subject import Subject


def main(arguments: list[str]) -> None:
    """Answer until the input ends."""
    with os.fdopen(int(arguments[0]), "w", encoding="utf-8") as answers:
        requests = (json.loads(line) for line in sys.stdin)
        for answer in (_answer_once if arguments[1:] == ["answers"] else _judge)(requests):
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _judge(requests: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    first = next(requests)
    subject = Subject(first["class_path"], Options.from_dict(first["options"]))
    yield {}  # it is there: from now on the time of rules counts
    for request in requests:
        subject.generated = request["generated"]
        verdict = find_rule(request["rule"]).judge(subject)
        told = {"state": verdict.state, "evidence": verdict.evidence, "duration_s": verdict.duration_s}
        yield told | {"generated": subject.generated}


def _answer_once(requests: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    first = next(requests)
    subject = Subject(first["class_path"])
    try:
        outputs = [subject.predict(payload) for payload in first["payloads"]]
        yield {"outputs": outputs, "file": sys.modules[subject.model_class.__module__].__file__}
    except Exception as error:
        yield {"problem": describe_error(error)}


if __name__ == "__main__":
    main(sys.argv[1:])
