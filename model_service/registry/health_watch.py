"""`HealthWatch`: asks each model its own example now and then, so that ``ready`` is known to be true.

A model that has answered a caller lately has shown that it works, and is left alone. The example goes past the queue:
a full one neither refuses it nor holds fewer rows of callers for it. One that is not answered in time is waited for in
its thread, and the model is not asked again before that has ended.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from model_service.backends.self_test import run_self_test
from model_service.errors import ModelNotReady, PredictionTimeout, SelfTestFailed
from model_service.records import Problem
from model_service.registry.entry import ServedModel

logger = logging.getLogger(__name__)

_LOOK_S = 0.25


class HealthWatch:
    """Watches the models of one process.

    Args:
        list_served: Returns what answers now.
        interval_s: Seconds after which an answer shows no more that a model works.
    """

    def __init__(self, list_served: Callable[[], list[ServedModel]], interval_s: float) -> None:
        self._list_served = list_served
        self._interval_s = interval_s
        self._ending = threading.Event()
        self._asked: dict[ServedModel, tuple[float, threading.Thread]] = {}
        self._now = 0.0

    def start(self) -> None:
        """Watch from now on."""
        threading.Thread(target=self._keep_looking, name="health", daemon=True).start()

    def close(self) -> None:
        """Ask no more."""
        self._ending.set()

    def look(self, now: float) -> None:
        """Ask the models whose turn it is.

        Args:
            now: Seconds that only grow.
        """
        served = self._list_served()
        self._asked = {each: asked for each, asked in self._asked.items() if each in served}
        for each in served:
            asked, thread = self._asked.get(each, (None, None))
            vitals = each.backend.vitals
            if thread is not None and thread.is_alive():
                if asked is not None and now - asked > each.timeout_s:
                    _note_overdue(each)
            elif vitals.is_sound(self._interval_s):
                vitals.problem = None
            elif (asked is None or now - asked >= self._interval_s) and each.info.examples:
                thread = threading.Thread(target=_ask, args=[each], name="self-test", daemon=True)
                self._asked[each] = now, thread
                thread.start()

    def _keep_looking(self) -> None:
        while not self._ending.wait(_LOOK_S):
            self._now += _LOOK_S
            self.look(self._now)


def _ask(served: ServedModel) -> None:
    vitals = served.backend.vitals
    if served.backend.find_problem() is not None:
        return  # it is stopped, and says so itself
    try:
        run_self_test(
            replace(served.info, examples=served.info.examples[:1]), served.backend.unqueued, served.output_validator
        )
    except SelfTestFailed as error:
        if isinstance(error.__cause__, ModelNotReady):
            return  # likewise, or it has been stopped meanwhile
        vitals.note_failure(error.code)
        _set_problem(served, error.describe())
    else:
        vitals.note_success()
        if vitals.problem is not None:
            logger.info("the model answers its own example again", extra={"model": served.info.qualified_name})
        vitals.problem = None


def _note_overdue(served: ServedModel) -> None:
    if served.backend.vitals.problem is None:
        served.backend.vitals.note_failure(PredictionTimeout.code)
    _set_problem(
        served,
        Problem(
            PredictionTimeout.code,
            f"'{served.info.qualified_name}' does not answer its own example",
            f"there was no answer within {served.timeout_s:g} s",
            "look what holds the model up; it is asked again when that has ended",
        ),
    )


def _set_problem(served: ServedModel, problem: Problem) -> None:
    """Have a problem shown; it is logged once."""
    if served.backend.vitals.problem is None:
        text = f"the model does not answer its own example: {problem.cause}"
        logger.error("%s", text, extra={"model": served.info.qualified_name, "code": problem.code})
    served.backend.vitals.problem = problem
