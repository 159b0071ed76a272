"""What a command shows of the log: tracebacks, and what the process of a model wrote before it failed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click


class _Handler(logging.Handler):
    """Writes errors to standard error; of a problem, which the command prints itself, the traceback alone."""

    def emit(self, record: logging.LogRecord) -> None:
        if not getattr(record, "code", None):
            click.echo(self.format(record), err=True)
        elif record.exc_info:
            name = getattr(record, "model", record.name)
            click.echo(f"{name}: {logging.Formatter().formatException(record.exc_info)}", err=True)


@contextmanager
def show_tracebacks() -> Iterator[None]:
    """Write the errors that the platform logs to standard error, for the length of a block."""
    logger = logging.getLogger("model_service")
    handler = _Handler()
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
