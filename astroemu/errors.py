"""What can go wrong, by who can mend it.

Every :class:`AstroemuError` is something that the reader of its message can mend: it says what
was wrong, where (file, key, value) and what to do. The command line prints it as one paragraph
and exits with code 2. Anything else that is raised is a defect of a program, ours or a plugin's.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class AstroemuError(Exception):
    """Base of every error that a user can mend."""


class ConfigurationError(AstroemuError):
    """A configuration that cannot be run as written."""


class ResolutionError(ConfigurationError):
    """Parameters, providers and probes that do not fit together."""


class PluginError(AstroemuError):
    """A plugin that is missing, doubled, broken or of the wrong type."""


class DataError(AstroemuError):
    """A catalog, training set or emulator file that cannot be used."""


class RunFolderError(AstroemuError):
    """A run folder that is in use, incomplete or not there."""


class SamplingError(AstroemuError):
    """A sampler that cannot start or go on with this model."""


class ProbeError(Exception):
    """A programming error inside a plugin, with its name and the point that met it.

    Not an :class:`AstroemuError`: the author of the plugin must mend it. It ends the run; it
    never becomes a log-likelihood of minus infinity.
    """


class Terminated(SystemExit):
    """The process was asked to end, by a signal: no defect of the plugin that was at work then."""


@contextmanager
def located(where: str) -> Iterator[None]:
    """Put a place before the message of an error raised inside, unless it names the place already."""
    try:
        yield
    except AstroemuError as error:
        if where in str(error):
            raise
        raise type(error)(f"{where}: {error}") from None


def closest(word: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the best match of a misspelt word, or ``""``."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean {match[0]!r}?" if match else ""


def listing(names: Iterable[str]) -> str:
    """Return names sorted and quoted for a message, or ``none``."""
    return ", ".join(repr(name) for name in sorted(names)) or "none"


class DoubleCountingWarning(UserWarning):
    """Two probes use the same measurements."""


class FarFromTrainingWarning(UserWarning):
    """Most of a posterior lies where an emulator had few training points."""


class DivergenceWarning(UserWarning):
    """A sampler that was started again asked for other points than before."""
