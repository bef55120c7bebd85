"""The global heaps of an HDF5 file, checked as bytes before the HDF5 library reads them.

Texts lie in global heaps. A reference to a text is its length (4 bytes), the address of the heap (8) and the index of
the object in it (4). See "Disk Format: Level 1E - Global Heap" of the HDF5 file format specification. The library
trusts some of these numbers: it never ends at an object without a size, and allocates any length before it looks at
the object.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from astroemu.errors import DataError

_HEAP = b"GCOL\x01"
#: Bytes before the first object of a heap: signature and version, reserved, size of the heap.
_HEAD = 16
#: Header of an object: index, (reference count, reserved), size.
_OBJECT = struct.Struct("<H6xQ")
_SMALLEST_HEAP = 4096
#: More bytes than this are not searched for references.
_SEARCHED = 64 << 20
#: Up to this many heaps are searched for one after the other.
_FEW = 8


@dataclass(frozen=True)
class Heap:
    """One global heap.

    Attributes
    ----------
    start : int
        Its place in the file.
    sizes : dict of int to int
        Sizes of its objects, by their index.
    headers : frozenset of int
        Places of the headers of its objects.
    """

    start: int
    sizes: dict[int, int]
    headers: frozenset[int]


def read_heaps(path: Path) -> list[Heap]:
    """Return the global heaps of an HDF5 file.

    Raises
    ------
    DataError
        If a heap holds an object without a size, or if there are more heaps than the file has place for.
    """
    size = path.stat().st_size
    if size == 0:
        return []
    heaps: list[Heap] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_HEAP)
        while start >= 0:
            heaps.append(_heap(content, start, path))
            if len(heaps) > size // _SMALLEST_HEAP + 1:
                raise DataError(f"{path} is damaged: it has more heaps than it has place for")
            start = content.find(_HEAP, start + 1)
    return heaps


def _heap(content: mmap.mmap, start: int, path: Path) -> Heap:
    """Step through the objects of a heap by their stated sizes, as the library does."""
    sizes: dict[int, int] = {}
    headers: set[int] = set()
    at = start + _HEAD
    end = min(start + int.from_bytes(content[at - 8 : at], "little"), len(content))
    while at + _OBJECT.size <= end:
        headers.add(at)
        index, size = _OBJECT.unpack(content[at : at + _OBJECT.size])
        if index == 0 and size < _OBJECT.size:
            raise DataError(f"{path} is damaged: its heap at byte {start} holds an object without a size")
        if index:
            sizes[index] = min(size, len(content))
        at += size if index == 0 else _OBJECT.size + (size + 7) // 8 * 8
    return Heap(start, sizes, frozenset(headers))


def stated_bytes(path: Path, heaps: list[Heap], numbers: Iterable[tuple[int, int]], allowed: int) -> int | None:
    """Return the sum of the sizes of all texts, each as often as something refers to it.

    Compressed references are not seen.

    Parameters
    ----------
    path : Path
    heaps : list of Heap
    numbers : iterable of (int, int)
        Start and end of parts of the file that hold numbers, in which no reference lies.
    allowed : int
        Largest length of a text that a reference may state, in bytes.

    Returns
    -------
    int or None
        None if the file is too large to be searched.

    Raises
    ------
    DataError
        If a reference states a longer text.
    """
    if not heaps:
        return 0
    size = path.stat().st_size
    parts = list(_between(numbers, size))
    if sum(end - start for start, end in parts) > _SEARCHED:
        return None
    total = 0
    with path.open("rb") as file:
        # Addresses count from the end of the user block, which is the place of the file's signature.
        base = 0 if file.read(8) == b"\x89HDF\r\n\x1a\n" else _user_block(path)
        at = {heap.start - base: heap for heap in heaps}
        for start, end in parts:
            file.seek(max(start - 4, 0))
            content = file.read(end + 12 - file.tell())
            offset = max(start - 4, 0)
            for place, heap in _addresses(content, at):
                length = int.from_bytes(content[max(place - 4, 0) : place], "little")
                index = int.from_bytes(content[place + 8 : place + 12], "little")
                if heap.sizes.get(index) == length:
                    total += length
                elif length > allowed and 0 < index < 1 << 16 and not _in_header(place + offset, heaps):
                    raise DataError(
                        f"{path} states a text of {length:.3g} bytes, which is not there. It is damaged, or was made "
                        "to exhaust the memory"
                    )
    return total


def _between(taken: Iterable[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of all parts of a file that are not taken."""
    at = 0
    for start, end in sorted(taken):
        if start > at:
            yield at, start
        at = max(at, end)
    if at < size:
        yield at, size


def _user_block(path: Path) -> int:
    """Return the size of the user block: 512 bytes, or a power of two times that."""
    start = 512
    with path.open("rb") as file:
        while start < path.stat().st_size:
            file.seek(start)
            if file.read(8) == b"\x89HDF\r\n\x1a\n":
                return start
            start *= 2
    return 0


def _addresses(content: bytes, at: dict[int, Heap]) -> Iterator[tuple[int, Heap]]:
    """Yield the places of the addresses of heaps, and the heap of each."""
    if len(at) <= _FEW:
        for address, heap in at.items():
            pattern = address.to_bytes(8, "little", signed=True)
            place = content.find(pattern)
            while place >= 0:
                yield place, heap
                place = content.find(pattern, place + 1)
        return
    import numpy as np  # imported here: listing the installed plugins must not load it

    known = np.array(list(at), dtype="<i8")
    for shift in range(min(8, len(content))):
        words = np.frombuffer(content, "<i8", count=(len(content) - shift) // 8, offset=shift)
        near = np.flatnonzero((words >= known.min()) & (words <= known.max()))
        for place in near[np.isin(words[near], known)].tolist():
            yield place * 8 + shift, at[int(words[place])]


def _in_header(place: int, heaps: list[Heap]) -> bool:
    """Return True if bytes that look like an address are a part of the header of an object in a heap."""
    return any(at in heap.headers for heap in heaps for at in range(place - 8, place + 9))
