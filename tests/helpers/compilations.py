"""What JAX compiles."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def compiled() -> Iterator[list[str]]:
    """The names of what JAX compiles."""
    names: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            words = record.getMessage().split()
            if words[0] == "Compiling":
                names.append(words[1])

    logger, handler = logging.getLogger("jax"), Handler()
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        with jax.log_compiles():
            yield names
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
