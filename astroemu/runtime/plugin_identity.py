"""The identity of plugins: distribution, version, and a hash of the source code.

A plugin that was changed is another plugin, also if its version is the same. With an editable installation its code
changes between two commands without any trace in the metadata.

The code of a class is hashed by package: that of every class it inherits from, and every package that its modules use
and that no distribution has installed, such as a module beside the plugin. Files that are not code are not hashed. A
plugin that reads data lists them in ``catalogs`` or ``sources``, or takes their path as an option.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, packages_distributions
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from astroemu.runtime.plugins import GROUPS

#: Ends of the names of files that are code. Compiled libraries count: they change when their sources do.
_CODE = (".py", ".pyx", ".pxd", ".c", ".cc", ".cpp", ".cu", ".h", ".f", ".f90", ".so", ".pyd", ".dylib")
#: Packages of astroemu itself that work on finished samples only. Their code changes no likelihood and no sample.
_AFTERWARDS = frozenset({"analysis", "cli", "report", "testing", "validation"})
_OWN = __name__.partition(".")[0]
#: Attribute of a module that was made from a file by :mod:`astroemu.runtime.plugin_files`: the name of the file.
FILE_NAME = "__plugin_file__"
#: Attribute of such a module: the SHA-256 of the code that was executed.
FILE_DIGEST = "__plugin_sha256__"
_DISTRIBUTION = "astroemu-inference"


@dataclass(frozen=True)
class PluginIdentity:
    """The identity of some plugins.

    Attributes
    ----------
    plugins : dict of str to str
        Name and version of the distribution, by class (``package.module:Class``). ``"no distribution"`` for a class
        that is not installed.
    source : dict of str to str
        SHA-256 of the code, by package or module. ``"no file"`` for a module without a file, such as a notebook.
    """

    plugins: dict[str, str]
    source: dict[str, str]


def identity_of(objects: Iterable[Any]) -> PluginIdentity:
    """Return the identity of the classes of some objects, or of classes.

    Parameters
    ----------
    objects : iterable
        Plugins, such as probes, providers, simulators and samplers, or their classes.
    """
    classes = sorted({item if isinstance(item, type) else type(item) for item in objects}, key=dotted)
    entries = [entry for group in GROUPS for same in group.entries.values() for entry in same if entry.dist]
    owners: dict[str, set[str]] = {}
    for entry in entries:
        owners.setdefault(entry.dist.name, {_OWN}).add(entry.module.partition(".")[0])  # type: ignore[union-attr]
    packages = sorted({package for cls in classes for package in _packages(cls, set(owners))})
    loaded = owners.get(_DISTRIBUTION, {_OWN})
    source = {_shown(p): _source_at_start(p) if p in loaded else _source(p) for p in packages}
    return PluginIdentity({dotted(cls): _distribution(cls, entries) for cls in classes}, source)


def dotted(cls: type) -> str:
    """Return the name of a class, as in an entry point; for a file that a configuration names, ``FILE.py:CLASS``."""
    return f"{_shown(cls.__module__)}:{cls.__qualname__}"


def _shown(module: str) -> str:
    """Return the name of a module; that of the file for one that a configuration names, wherever it is."""
    return str(getattr(sys.modules.get(module), FILE_NAME, module))


def _distribution(cls: type, entries: list[EntryPoint]) -> str:
    """Return name and version of the distribution whose entry points name the class, or its package.

    Entry points know their distribution also if the installation is editable.
    """
    exact = [entry for entry in entries if entry.value == dotted(cls)]
    near = [entry for entry in entries if _package(entry.module) == _package(cls.__module__)]
    for entry in exact + near:
        return f"{entry.dist.name} {entry.dist.version}"  # type: ignore[union-attr]
    return "no distribution"


def _packages(cls: type, owners: set[str]) -> set[str]:
    """Return the packages whose code determines what a class does; ``owners`` are distributions with plugins."""
    waiting = [_OWN, cls.__module__, *(b.__module__ for b in cls.__mro__ if not _is_library(b.__module__, owners))]
    found: set[str] = set()
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        package = _package(name)
        found.add(package)
        if package == _OWN:
            continue
        loaded = [other for other in list(sys.modules) if f"{other}.".startswith(f"{package}.")]
        waiting += [other for other in {*loaded, *_used(sys.modules.get(name))} if not _is_library(other, owners)]
    return found


def _used(module: ModuleType | None) -> Iterator[str]:
    """Yield the names of the modules that a module has imported, or from which it has imported classes or functions."""
    for value in list(vars(module).values()) if module is not None else []:
        if isinstance(value, ModuleType):
            yield value.__name__
        elif isinstance(value, type | FunctionType) and isinstance(value.__module__, str):
            yield value.__module__


@lru_cache(maxsize=1)
def _installed() -> dict[str, set[str]]:
    """Return the distributions by top-level package, without those whose installation is editable."""
    return {package: set(names) for package, names in packages_distributions().items()}


def _is_library(module: str, owners: set[str]) -> bool:
    """Return True for the standard library, and for a package of a distribution that installs no plugins."""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names or root in sys.builtin_module_names:
        return root != "__main__"
    installed = _installed().get(root, set())
    return bool(installed) and not installed & owners


def _package(module: str) -> str:
    """Return the outermost package of a module that has a file. Namespace packages have none."""
    parts = module.split(".")
    for count in range(1, len(parts)):
        name = ".".join(parts[:count])
        if getattr(sys.modules.get(name), "__file__", None):
            return name
    return module


@lru_cache
def _source_at_start(package: str) -> str:
    """Return the SHA-256 of a package of astroemu's own distribution, whose code a process loads once."""
    return _source(package)


def _source(package: str) -> str:
    """Return the SHA-256 of all code of a package or module."""
    executed = getattr(sys.modules.get(package), FILE_DIGEST, None)
    if executed is not None:
        return str(executed)
    file = getattr(sys.modules.get(package), "__file__", None) or _found(package)
    if not file or not Path(file).is_file():
        return "no file"
    path = Path(file)
    digest = hashlib.sha256()
    for code in _code(path.parent, package) if path.stem == "__init__" else [path]:
        name = code.relative_to(path.parent).as_posix()
        digest.update(f"{name}\0{hashlib.sha256(_content(code)).hexdigest()}\n".encode())
    return digest.hexdigest()


def _found(package: str) -> str | None:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError, AttributeError):
        return None
    return spec.origin if spec is not None and spec.has_location else None


def _code(folder: Path, package: str) -> list[Path]:
    """Return the files of code below a folder, in a stable order. Hidden folders and caches are left out."""
    found = []
    for place, folders, files in os.walk(folder):
        left_out = _AFTERWARDS if package == _OWN and Path(place) == folder else frozenset()
        folders[:] = [f for f in folders if not f.startswith((".", "__pycache__")) and f not in left_out]
        found += [Path(place, name) for name in files if name.endswith(_CODE) and not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _content(path: Path) -> bytes:
    """Return the bytes of a file of code; the ends of its lines may depend on how it was checked out."""
    try:
        content = path.read_bytes()
    except OSError:  # a link to nothing, as some editors leave, or a file that may not be read
        return b""
    return content if path.suffix in (".so", ".pyd", ".dylib") else content.replace(b"\r\n", b"\n")
