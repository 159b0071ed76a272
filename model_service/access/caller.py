"""Whose call a thread, or a task of the loop, is at: doors bind it, the road asks which models it may ask.

Where keys are off, and in whatever is no request (the command line, self-tests, jobs), nobody is bound, and nothing is
refused.
"""

from contextvars import ContextVar

from model_service.access.key import PREDICT, Key
from model_service.errors import Forbidden

_caller: ContextVar[Key | None] = ContextVar("caller", default=None)


def bind_caller(key: Key | None) -> None:
    """Say whose request this thread, or this task, answers from here on."""
    _caller.set(key)


def get_caller() -> Key | None:
    """Return whose request this is."""
    return _caller.get()


def name_caller() -> str | None:
    """Return the name of the key of this request."""
    key = _caller.get()
    return None if key is None else key.name


def check_model(qualified_name: str) -> None:
    """Let a request go on to a model.

    Raises:
        Forbidden: Its key does not allow that.
    """
    key = _caller.get()
    if key is not None and not key.may_ask(qualified_name):
        scope = f"{PREDICT}:{qualified_name}"
        raise Forbidden(f"the key '{key.name}' does not have the scope '{scope}'", scope=scope)
