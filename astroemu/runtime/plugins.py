"""Plugins, found through entry points.

All plugins, including the built-in ones, are found through the public entry-point groups below. Listing reads
metadata and imports nothing. A plugin is imported when its name is used. A broken plugin therefore does not affect
the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from astroemu.errors import PluginError, Terminated, closest, listing
from astroemu.io.paths import looks_like_path


@dataclass(frozen=True)
class PluginGroup:
    """One entry-point group.

    Attributes
    ----------
    name : str
        Such as ``astroemu.probes``.
    noun : str
        Word for a member in messages.
    kind : str
        Dotted name of the required class. It is a string, so that nothing is imported before it is needed.
    is_class : bool
        True if a member is a subclass of ``kind``, False if it is an instance.
    """

    name: str
    noun: str
    kind: str
    is_class: bool = True

    @property
    def plural(self) -> str:
        """The noun in the plural, as the heading of a list of members."""
        if self.noun.startswith("kind of "):
            return f"kinds of {self.noun.removeprefix('kind of ')}s"
        return f"{self.noun.removesuffix('y')}ies" if self.noun.endswith("y") else f"{self.noun}s"

    @cached_property
    def entries(self) -> dict[str, list[EntryPoint]]:
        """Entry points by plugin name. More than one if two distributions use the same name."""
        found: dict[str, list[EntryPoint]] = {}
        for entry in sorted(entry_points(group=self.name), key=lambda e: e.name):
            same = found.setdefault(entry.name, [])
            if entry.value not in [other.value for other in same]:
                same.append(entry)
        return found

    @property
    def names(self) -> list[str]:
        """Names of the installed plugins, sorted. Nothing is imported."""
        return list(self.entries)

    def required(self) -> type:
        """Return the class that members must have, or be subclasses of."""
        return _resolve(self.kind)

    def load(self, name: str) -> Any:
        """Return a plugin, after importing it.

        Raises
        ------
        PluginError
            If it is missing, installed by two distributions, fails to import, or is of the wrong type.
        """
        found = self.entries.get(name, [])
        if not found:
            raise PluginError(
                f"no {self.noun} is called {name!r}.{closest(name, self.names)} Installed: {listing(self.names)}. "
                f"Plugins of other packages must be installed first: pip install PACKAGE."
            )
        if len(found) > 1:
            owners = " and ".join(f"{_owner(entry)} ({entry.value})" for entry in found)
            raise PluginError(f"the {self.noun} {name!r} is installed by {owners}; uninstall one of them")
        return self._checked(found[0])

    def _checked(self, entry: EntryPoint) -> Any:
        where = f"the {self.noun} {entry.name!r} of {_owner(entry)} ({entry.value})"
        try:
            plugin = entry.load()
        except (KeyboardInterrupt, Terminated):
            raise
        except BaseException as error:
            # Includes SystemExit: the import of some wrappers of compiled libraries ends the interpreter.
            raise PluginError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
        expected = self.required()
        good = (
            isinstance(plugin, type) and issubclass(plugin, expected) if self.is_class else isinstance(plugin, expected)
        )
        if not good:
            relation = "a subclass" if self.is_class else "an instance"
            raise PluginError(f"{where} is {plugin!r}, not {relation} of {self.kind}")
        return plugin


def _owner(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _resolve(dotted: str) -> type:
    module, _, name = dotted.rpartition(".")
    return getattr(__import__(module, fromlist=[name]), name)


PROBES = PluginGroup("astroemu.probes", "probe", "astroemu.Probe")
EMULATORS = PluginGroup("astroemu.emulators", "kind of emulator", "astroemu.Emulator")
SAMPLERS = PluginGroup("astroemu.samplers", "sampler", "astroemu.Sampler")
SIMULATORS = PluginGroup("astroemu.simulators", "simulator", "astroemu.Simulator")
DERIVED = PluginGroup("astroemu.derived", "derived quantity", "astroemu.Provider")
CATALOGS = PluginGroup("astroemu.catalogs", "catalog", "astroemu.Catalog", is_class=False)
#: Trained emulator files and installed configurations. Each entry point is a path.
TRAINED = PluginGroup("astroemu.trained", "trained emulator", "pathlib.Path", is_class=False)
CONFIGURATIONS = PluginGroup("astroemu.configurations", "configuration", "pathlib.Path", is_class=False)
#: Paths of BibTeX files. Their entries state their arXiv number as ``eprint``.
REFERENCES = PluginGroup("astroemu.references", "bibliography", "pathlib.Path", is_class=False)
GROUPS: tuple[PluginGroup, ...] = (
    PROBES,
    TRAINED,
    EMULATORS,
    SAMPLERS,
    SIMULATORS,
    DERIVED,
    CATALOGS,
    CONFIGURATIONS,
    REFERENCES,
)


def locate(group: PluginGroup, name_or_path: str | Path) -> Path:
    """Return the path of a trained emulator, configuration or bibliography.

    Parameters
    ----------
    group : PluginGroup
        A group whose members are paths.
    name_or_path : str or Path
        An installed name, which takes precedence over a file of that name without a suffix, or a path.

    Raises
    ------
    PluginError
        If it is neither an existing file nor an installed name.
    """
    path = Path(name_or_path)
    if not looks_like_path(str(name_or_path)) and str(name_or_path) in group.entries:
        return Path(group.load(str(name_or_path)))
    if path.is_file():
        return path
    raise PluginError(
        f"there is no file {str(name_or_path)!r}, and no {group.noun} is installed under that name."
        f"{closest(str(name_or_path), group.names)} Installed: {listing(group.names)}."
    )
