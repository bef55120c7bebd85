"""Reading of trained emulators, by name or by path.

A trained emulator is one HDF5 file. Its attribute ``emulator`` names the kind of emulator that reads it.
"""

from __future__ import annotations

from pathlib import Path

import h5py

from astroemu.core.requirement import Requirement
from astroemu.emulation.emulator import Emulator
from astroemu.errors import AstroemuError, DataError, PluginError
from astroemu.io.untrusted import open_hdf5
from astroemu.runtime.plugins import EMULATORS, TRAINED, locate


def load_emulator(name_or_path: str | Path) -> Emulator:
    """Return a trained emulator.

    Parameters
    ----------
    name_or_path : str or Path
        Name of an installed emulator, or path of its file.

    Raises
    ------
    PluginError
        If no file and no installed emulator has this name, or no plugin reads its kind.
    DataError
        If the file is damaged or not an emulator.
    """
    path = locate(TRAINED, name_or_path)
    with open_hdf5(path, "an emulator file") as file:
        kind = file.attrs["emulator"]
        if not isinstance(kind, str):
            raise DataError(f"{path}: its attribute 'emulator' must be the name of a kind, not {kind!r}")
    return _class(kind, str(path)).load(path)


def emulators_reaching(requirement: Requirement) -> list[str]:
    """Return the names of the installed emulators whose grids hold all points of a requirement."""
    found = []
    for name in TRAINED.names:
        try:
            provides = load_emulator(name).provides
            requirement.matrix(provides[requirement.observable])
        except (AstroemuError, KeyError):  # another kind of emulator, or one that cannot be read here
            continue
        found.append(name)
    return found


def read_emulator(group: h5py.Group) -> Emulator:
    """Return the emulator, of any kind, that was written into a group of an open file.

    Raises
    ------
    DataError
        If the group holds no emulator, or a damaged one.
    PluginError
        If no plugin reads its kind.
    """
    where = f"{group.file.filename}, {group.name}"
    if "emulator" not in group.attrs:
        raise DataError(f"{where} holds no emulator")
    return _class(str(group.attrs["emulator"]), where).read_from(group)


def _class(kind: str, where: str) -> type[Emulator]:
    try:
        found: type[Emulator] = EMULATORS.load(kind)
    except PluginError as error:
        raise PluginError(f"{where}: {error}") from None
    return found
