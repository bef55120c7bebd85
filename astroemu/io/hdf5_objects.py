"""Limits on the objects of an HDF5 file: links, loops, types, filters, and the memory that reading them takes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from astroemu.errors import DataError
from astroemu.io.hdf5_heaps import Heap, stated_bytes

#: Largest depth of nested groups, and largest number of objects, in a file.
DEEPEST = 32
MOST_OBJECTS = 100_000
#: Filters of arrays that are read, by their number in HDF5: all that h5py writes without losing digits.
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
#: Largest ratio of gzip.
_LARGEST_GZIP = 1032


def check_hdf5(file: Any, heaps: list[Heap], allowed: int) -> None:
    """Raise an error for an open HDF5 file that refers to other files, contains loops or declares too much.

    Parameters
    ----------
    file : h5py.File
    heaps : list of Heap
    allowed : int
        Largest number of bytes that all arrays and texts may take together.

    Raises
    ------
    DataError
        For soft and external links, for external and virtual storage, for filters that are not in :data:`FILTERS`, and
        for arrays that hold neither numbers nor text. Also for a group that is reached twice, and for sizes beyond the
        limits.
    """
    import h5py

    path = Path(file.filename)
    objects = list(_objects(file.id, path))
    datasets = [_Storage(item, path) for item in objects if isinstance(item, h5py.h5d.DatasetID)]
    texts = stated_bytes(path, heaps, (part for each in datasets for part in each.numbers()), allowed)
    longest = max((size for heap in heaps for size in heap.sizes.values()), default=0)
    declared = (texts or 0) + sum(each.bytes for each in datasets)
    _check_total(declared, allowed, path)
    for item in objects:
        _check_attributes(item, path, allowed, longest if texts is None else 0)
    for each in datasets:
        if each.is_text:
            declared += each.filled_bytes()
            for length in each.text_bytes(allowed, longest) if texts is None else ():
                declared += length
                _check_total(declared, allowed, path)
            _check_total(declared, allowed, path)
        each.check_gzip(allowed)


def _check_total(declared: int, allowed: int, path: Path) -> None:
    if declared > allowed:
        raise DataError(
            f"{path} declares {declared:.3g} bytes of arrays and texts; a file of its size may declare {allowed:.3g}. "
            "It is damaged, or was made to exhaust the memory"
        )


def _objects(root: Any, path: Path) -> Iterator[Any]:
    """Yield the identifiers of all groups and datasets."""
    import h5py

    waiting, seen, count = [(h5py.h5g.open(root, b"/"), 0)], set(), 0
    while waiting:
        group, depth = waiting.pop()
        address = h5py.h5o.get_info(group).addr
        if address in seen or depth > DEEPEST:
            raise DataError(f"{path}: the groups of {_name(group)!r} loop or are nested too deeply")
        seen.add(address)
        yield group
        for name in group:
            count += 1
            if count > MOST_OBJECTS:
                raise DataError(f"{path} holds more than {MOST_OBJECTS} objects")
            if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
                raise DataError(f"{path}: {_shown(name)} is a soft or external link; links are not followed")
            item = h5py.h5o.open(group, name)
            if isinstance(item, h5py.h5g.GroupID):
                waiting.append((item, depth + 1))
            elif isinstance(item, h5py.h5d.DatasetID):
                yield item
            else:
                raise DataError(f"{path}: {_shown(name)} is neither a group nor an array")


def _name(item: Any) -> str:
    import h5py

    return (h5py.h5i.get_name(item) or b"").decode(errors="replace")


def _shown(name: bytes) -> str:
    return repr(name.decode(errors="replace"))


def _check_attributes(item: Any, path: Path, allowed: int, longest: int) -> None:
    import h5py

    for index in range(h5py.h5a.get_num_attrs(item)):
        attribute = h5py.h5a.open(item, index=index)
        kind = attribute.get_type()
        # A text damaged into another variable-length type crashes the library when it is read. Variable-length
        # references are allowed: the dimension scales of netCDF files use them.
        if kind.get_class() == h5py.h5t.VLEN and kind.get_super().get_class() != h5py.h5t.REFERENCE:
            raise DataError(
                f"{path}: the attribute {_shown(attribute.name)} of {_name(item)} holds neither numbers nor text"
            )
        number = prod(attribute.shape or ())
        size = number * kind.get_size()
        if longest and number > 1 and kind.get_class() == h5py.h5t.STRING and kind.is_variable_str():
            size += number * longest  # many texts may be one and the same
        if size > allowed:
            raise DataError(
                f"{path}: the attribute {_shown(attribute.name)} of {_name(item)} declares up to {size:.3g} bytes; a "
                f"file of its size may hold {allowed:.3g}. It is damaged, or was made to exhaust the memory"
            )


class _Storage:
    """How a dataset is stored.

    Parameters
    ----------
    item : h5py.h5d.DatasetID
    path : Path

    Attributes
    ----------
    bytes : int
        Size of the array and of one of its chunks, which are read as a whole, without its texts.
    is_text : bool
        True for texts of any length.
    """

    def __init__(self, item: Any, path: Path) -> None:
        from h5py import h5d, h5t

        self._item, self._path = item, path
        self._plist = item.get_create_plist()
        kind = item.get_type()
        self._size, self._shape = int(kind.get_size()), item.shape or ()
        self.is_text = kind.get_class() == h5t.STRING and kind.is_variable_str()
        layout = self._plist.get_layout()
        if layout == h5d.VIRTUAL or self._plist.get_external_count():
            raise DataError(f"{self._where} is stored in another file; other files are not read")
        numbers = kind.get_class() in (h5t.INTEGER, h5t.FLOAT, h5t.STRING, h5t.ENUM)
        if not numbers and kind.dtype.kind != "c":
            raise DataError(f"{self._where} holds neither numbers nor text")
        self._chunk = self._plist.get_chunk() if layout == h5d.CHUNKED else (0,)
        self._filters = [self._plist.get_filter(i)[0] for i in range(self._plist.get_nfilters())]
        self._check_filters()
        self.bytes = self._size * (prod(self._shape) + prod(self._chunk))

    @property
    def _where(self) -> str:
        return f"{self._path}: the array {_name(self._item)!r}"

    def _check_filters(self) -> None:
        for number in self._filters:
            if number not in FILTERS:
                raise DataError(
                    f"{self._where} uses the filter {number} of HDF5; only {', '.join(FILTERS.values())} are read. "
                    "Write it again, for example by `h5repack -f GZIP=4`"
                )
        if len(set(self._filters)) < len(self._filters):
            raise DataError(f"{self._where} uses one filter twice; write it again")
        if self._filters and self.is_text:
            raise DataError(f"{self._where} holds compressed texts of any length; write them without compression")

    def numbers(self) -> Iterator[tuple[int, int]]:
        """Yield start and end of the part of the file that holds the numbers, if they are in one part."""
        start = None if self.is_text else self._item.get_offset()
        if start is not None:
            yield start, start + self._item.get_storage_size()

    def filled_bytes(self) -> int:
        """Return the size of the texts that stand for cells that were never written."""
        import h5py

        number = prod(self._shape)
        return number * len(h5py.Dataset(self._item).fillvalue or b"") if number > 1 else 0

    def text_bytes(self, allowed: int, longest: int) -> Iterator[int]:
        """Yield the lengths of the texts, read in parts, since they may all be one and the same text."""
        import h5py

        dataset = h5py.Dataset(self._item)
        if dataset.shape is None or dataset.size == 0:
            return
        if dataset.shape == ():
            yield len(dataset[()])
            return
        width = max(1, prod(dataset.shape[1:]))
        if width * longest > allowed:
            yield width * longest  # a single row is too much, even if its texts are all different
        rows = max(1, allowed // max(longest, 1) // width)
        for start in range(0, len(dataset), rows):
            yield sum(len(text) for text in dataset[start : start + rows].ravel())

    def check_gzip(self, allowed: int) -> None:
        """Raise an error if a chunk may hold more than it declares; the library would unpack all of it."""
        if 1 not in self._filters or self._item.get_storage_size() * _LARGEST_GZIP <= allowed:
            return
        import zlib

        large: list[Any] = []
        self._item.chunk_iter(
            lambda chunk: large.append(chunk.chunk_offset) if chunk.size * _LARGEST_GZIP > allowed else None
        )
        size = self._size * prod(self._chunk)
        for offset in large:
            skipped, packed = self._item.read_direct_chunk(offset)
            # 4 bytes may follow the content: its checksum.
            if not skipped and len(zlib.decompressobj().decompress(packed, size + 5)) > size + 4:
                raise DataError(f"{self._where}: a chunk holds more than it declares")
