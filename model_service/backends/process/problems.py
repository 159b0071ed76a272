"""Why a model process is not there, in words for the person who can mend it."""

from model_service.records import Problem


def describe_change(name: str) -> Problem:
    """Return why a process is not replaced by one of another package."""
    return Problem(
        "model_changed",
        f"the package of '{name}' has changed since the service was started",
        "its process had ended, and another one would load other code, artifacts or descriptions than before",
        "reload the service to serve what is installed, or install what it was started with and reload it",
    )


def describe_lack(name: str, python: str, module: str) -> Problem:
    """Return what is to be installed for another interpreter."""
    return Problem(
        "model_load_failed",
        f"the process of '{name}' cannot be started",
        f"{python} has no module '{module}'",
        "install model-service with its extra 'serve', and the model's package, for that interpreter: "
        f"{python} -m pip install 'PATH_OF_THE_WHEEL_OF_MODEL_SERVICE[serve]' PATH_OF_THE_PACKAGE",
    )


def describe_no_interpreter(name: str, error: OSError) -> Problem:
    """Return why no process could be spawned at all."""
    return Problem(
        "model_load_failed",
        f"the process of '{name}' cannot be started",
        f"{error.filename}: {error.strerror}",
        "set 'python' of the model to the interpreter of an environment, such as envs/old/bin/python",
    )


def describe_failure(name: str, reason: str) -> Problem:
    """Return why a model that never came to predict is given up."""
    # What the process wrote may hold anything, a payload too: it stands in the log, and nowhere else.
    return Problem(
        "model_load_failed",
        f"the process of '{name}' could not be started",
        f"{reason}; the log has what it wrote",
        "mend the model, or raise start_timeout_s or max_memory_bytes; then start the service again",
    )


def describe_crashes(name: str, reason: str, pause: str) -> Problem:
    """Return why a model is stopped for a while."""
    return Problem(
        "model_crashed",
        f"'{name}' is stopped after crashes",
        f"the last time {reason}; the log has what it wrote",
        f"it is started again {pause} after its last crash; mend the model, or the rows that end it",
    )
