"""Errors to exit codes: by who must act, so that a script knows whether another try makes sense."""

from model_service import errors

#: click itself ends with 2 for a wrong command line.
EXIT_CODES: dict[type[errors.ServiceError], int] = {
    errors.OperatorError: 3,
    errors.PackageError: 4,
    errors.CallerError: 5,
    errors.ModelError: 6,
    errors.CapacityError: 7,
}
#: What `score` ends with when it is done and rows have failed: their errors stand in the output.
ROWS_FAILED = 8
#: What `drift` ends with when a threshold is passed, and `audit` when something is found.
DRIFTED = FOUND = 9


def find_exit_code(error: errors.ServiceError) -> int:
    """Return the exit code of an error's group."""
    return next((code for group, code in EXIT_CODES.items() if isinstance(error, group)), 1)


def format_error(error: errors.ServiceError) -> str:
    """Return what a person in a terminal reads: the message, every violation, cause and remedy."""
    lines = [f"Error: {error.message}"]
    lines += [f"  {violation.place}: {violation.message}" for violation in error.violations]
    if isinstance(error, errors.PackageError):
        lines += [f"  cause: {error.cause}", f"  remedy: {error.remedy}"]
    return "\n".join(lines)
