"""Some of the observables of a provider.

When two providers offer the same observable a configuration keeps one of them by listing what
each is to provide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from astroemu.errors import ConfigurationError, closest, listing
from astroemu.observable import Observable
from astroemu.provider import Evaluate, Provider


class Selection(Provider):
    """A provider, restricted to the observables that are named.

    Raises
    ------
    ConfigurationError
        If it does not provide one of them.
    """

    def __init__(self, provider: Provider, names: Sequence[str]) -> None:
        for name in names:
            if name not in provider.provides:
                raise ConfigurationError(
                    f"it does not provide {name!r}.{closest(name, provider.provides)} "
                    f"It provides {listing(provider.provides)}"
                )
        self.provider = provider
        self.parameters = provider.parameters
        self.requires = provider.requires
        self.host_only = provider.host_only
        self._provides = {name: provider.provides[name] for name in names}

    @property
    def provides(self) -> Mapping[str, Observable]:
        return self._provides

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return self.provider.bounds

    @property
    def sources(self) -> Mapping[str, str]:
        return self.provider.sources

    @property
    def citation(self) -> str:
        return self.provider.citation

    def evaluator(self, rows: Mapping[str, NDArray[np.intp]]) -> Evaluate:
        return self.provider.evaluator(rows)
