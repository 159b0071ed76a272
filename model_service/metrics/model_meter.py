"""`ModelMeter`: where one model's road notes its numbers. It only holds lists: `Meters` counts what is in them."""

from collections.abc import Callable


class ModelMeter:
    """The lists of one model; any thread may append to them.

    Args:
        find_notes: Returns the list of a stage: ``validate``, ``queue``, ``predict``; ``batch`` for rows of batches.
        find_answers: Returns the list of a route.

    Attributes:
        validations: Seconds that the input schema took, of each request.
        waits: Seconds in the queue, of each request.
        runs: Seconds that its batches ran, of each request.
        batches: Rows that the model was given together.
        answers: Seconds of POST requests that were answered 200, by the template of their route.
    """

    __slots__ = ("answers", "batches", "runs", "validations", "waits")

    def __init__(self, find_notes: Callable[[str], list[float]], find_answers: Callable[[str], list[float]]) -> None:
        self.validations = find_notes("validate")
        self.waits = find_notes("queue")
        self.runs = find_notes("predict")
        self.batches = find_notes("batch")
        self.answers = _Answers(find_answers)


class _Answers(dict[str, list[float]]):
    """Lists by route, each made when it is first asked for."""

    def __init__(self, find: Callable[[str], list[float]]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, route: str) -> list[float]:
        notes = self[route] = self._find(route)
        return notes
