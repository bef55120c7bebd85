"""Finding and reading trained emulators.

A trained emulator is one HDF5 file whose attribute ``emulator`` names the kind that reads it.
"""

from __future__ import annotations

from pathlib import Path

import h5py

from astroemu.emulator import Emulator
from astroemu.errors import DataError, PluginError
from astroemu.registry import EMULATORS, TRAINED, locate


def load_emulator(name_or_path: str | Path) -> Emulator:
    """Return a trained emulator, by the name of an installed one or by path.

    Raises
    ------
    PluginError
        If there is neither such a file nor such a name, or no plugin reads its kind.
    DataError
        If the file is damaged or no emulator.
    """
    path = locate(TRAINED, name_or_path)
    try:
        with h5py.File(path, "r") as file:
            kind = str(file.attrs["emulator"])
    except (OSError, KeyError) as error:
        raise DataError(f"{path} is no emulator file ({error})") from None
    try:
        cls = EMULATORS.load(kind)
    except PluginError as error:
        raise PluginError(f"{path}: {error}") from None
    emulator = cls.load(path)
    assert isinstance(emulator, Emulator)
    return emulator
