"""Writing HDF5 files that are complete or not there."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from astroemu.io.files import write_bytes

if TYPE_CHECKING:
    import h5py


def write_hdf5(path: str | Path, write: Callable[[h5py.File], object]) -> None:
    """Write an HDF5 file atomically, see :func:`~astroemu.io.files.write_atomically`.

    h5py writes the last bytes of a file when it is closed, and ignores errors there: on a full disk, parts of the file
    would be zero, without a word. The file is therefore made in memory and written by Python.

    Parameters
    ----------
    path : str or Path
    write : callable
        ``write(file)`` writes the content into an open ``h5py.File``.

    Raises
    ------
    DataError
        If the file cannot be written. The old file, if any, is then unchanged.

    Notes
    -----
    The memory in use is the size of the file, beside the arrays themselves. The same content gives the same bytes: h5py
    would store the time if it kept the order of the datasets (``track_order``).
    """
    import h5py  # imported here: listing the installed plugins must not load it

    with io.BytesIO() as image:
        with h5py.File(image, "w") as file:
            write(file)
            file.flush()  # an error when the file is closed would be ignored
        with image.getbuffer() as content:
            write_bytes(path, content)
