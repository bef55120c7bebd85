"""Exceptions, grouped by who can fix the problem, and warnings.

The reader of an :class:`AstroemuError` can fix its cause. The message states what was wrong, where (file, key, value)
and what to do. The command line prints it as one paragraph and exits with code 2. Any other exception is a bug in
astroemu or in a plugin.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class AstroemuError(Exception):
    """Base class of all errors that a user can fix."""


class ConfigurationError(AstroemuError):
    """A configuration that cannot be run as written."""


class ResolutionError(ConfigurationError):
    """Parameters, providers and probes that do not fit together.

    Attributes
    ----------
    beyond : Requirement or None
        What a probe needs beyond the grid of its provider, if this is the cause.
    """

    beyond: Any = None


class PluginError(AstroemuError):
    """A plugin that is missing, installed twice, broken or of the wrong type."""


class DataError(AstroemuError):
    """A catalog, training set or emulator file that cannot be used."""


class RunFolderError(AstroemuError):
    """A run folder that is in use, incomplete or missing."""


class SamplingError(AstroemuError):
    """A sampler that cannot start or continue with this model."""


class WorkerError(AstroemuError):
    """A worker process that was killed, usually because the memory was full."""


class ProbeError(Exception):
    """A programming error inside a plugin. The message names the plugin and the point at which it failed.

    Not an :class:`AstroemuError`: the author of the plugin must fix it. It ends the run. It never becomes a
    log-likelihood of minus infinity.
    """


class Terminated(SystemExit):
    """A signal asked the process to end. This is no bug of the plugin that was running at that time."""


@contextmanager
def located(where: str) -> Iterator[None]:
    """Context manager that adds a place to the message of an :class:`AstroemuError` raised inside.

    Parameters
    ----------
    where : str
        File, table or key. Nothing is added if the message already contains it.
    """
    try:
        yield
    except AstroemuError as error:
        if where in str(error):
            raise
        placed = type(error)(f"{where}: {error}")
        placed.__dict__.update(error.__dict__)
        raise placed from None


def closest(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the known word closest to a misspelt one, or ``""`` if none is close."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {match[0]!r}?" if match else ""


def listing(names: Iterable[str]) -> str:
    """Return names sorted and quoted for a message, or ``none``."""
    return ", ".join(repr(name) for name in sorted(names)) or "none"


class DoubleCountingWarning(UserWarning):
    """Two probes use the same measurements."""


class FarFromTrainingWarning(UserWarning):
    """Most of a posterior lies in a region where an emulator had few training points."""


class RunWarning(UserWarning):
    """A run whose code has changed, that was left unconverged, or whose folder does not hold all of its inputs."""


class DivergenceWarning(UserWarning):
    """A restarted sampler requested other points than in the interrupted run."""


class ReportWarning(UserWarning):
    """A table or a picture that could not be written. The run and the rest of its report are complete."""
