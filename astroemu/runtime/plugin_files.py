"""Plugins in a file that a configuration names, such as ``plugin = "my_probe.py:MyProbe"``.

The file is executed. This happens for a file that a user's own configuration names. A run folder may come from another
hand: its files are executed only with the consent of the caller, or if this process has already executed the same
content.

The file is one module. It cannot import files beside it, because no folder is added to Python's path.
"""

from __future__ import annotations

import hashlib
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from astroemu.errors import ConfigurationError, PluginError, Terminated, closest, listing
from astroemu.io.paths import resolve
from astroemu.io.untrusted import read_text
from astroemu.runtime.plugin_identity import FILE_DIGEST, FILE_NAME
from astroemu.runtime.plugins import PluginGroup

#: Largest file of code, in bytes.
LARGEST_CODE = 4 << 20
_REFERENCE = re.compile(r"(?P<file>.+\.py)(?::(?P<name>\w*))?", re.DOTALL)


def split_reference(reference: str) -> tuple[str, str] | None:
    """Return file and class of ``"FILE.py:CLASS"``; None for a name of something installed."""
    match = _REFERENCE.fullmatch(reference)
    return None if match is None else (match["file"], match["name"] or "")


def plugin_class(group: PluginGroup, reference: str, base: Path, *, may_execute: bool) -> Any:
    """Return a plugin by its installed name, or by its file and class.

    Parameters
    ----------
    group : PluginGroup
        A group of classes.
    reference : str
        A name, or ``"FILE.py:CLASS"``.
    base : Path
        Folder from which a relative path counts.
    may_execute : bool
        Whether files may be executed. A file whose content this process has already executed may always be used.

    Raises
    ------
    PluginError
        If there is no such plugin, file or class, or if the file fails when it is executed.
    ConfigurationError
        If the file may not be executed.
    """
    parts = split_reference(reference)
    if parts is None:
        return group.load(reference)
    file, name = parts
    module = _executed(Path(resolve(file, base)), may_execute)
    found = getattr(module, name, None) if name else None
    expected = group.required()
    if isinstance(found, type) and issubclass(found, expected):
        return found
    own = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]
    fitting = [cls.__name__ for cls in own if issubclass(cls, expected)]
    where = f"plugin = {reference!r}"
    if not name:
        example = fitting[0] if fitting else "CLASS"
        raise PluginError(f'{where} states no class; write "{file}:{example}". The file has {listing(fitting)}')
    if found is None:
        raise PluginError(f"{where}: {file} has no {name!r}.{closest(name, fitting)} It has {listing(fitting)}")
    raise PluginError(
        f"{where}: {name!r} is {found!r:.80}, not a subclass of {group.kind}. {file} has {listing(fitting)}"
    )


def _executed(path: Path, may_execute: bool) -> ModuleType:
    """Return the module of a file. What is executed is what was hashed."""
    if not path.is_file():
        raise PluginError(f"there is no file {path}. A relative path counts from the folder of the configuration")
    source = read_text(path, LARGEST_CODE)
    digest = hashlib.sha256(source.encode()).hexdigest()
    key = f"astroemu_plugin_file_{re.sub(r'[^0-9a-zA-Z_]', '_', path.stem)}_{digest[:16]}"
    if key in sys.modules:
        return sys.modules[key]
    if not may_execute:
        raise ConfigurationError(
            f"the run was made with the code in {path} (SHA-256 {digest[:12]}...), which would be executed now. The "
            "code of a run folder is not executed unasked. Read the file; if you trust it, add --run-plugin-files, or "
            "run_plugin_files=True to RunFolder.open"
        )
    module = ModuleType(key)
    module.__file__ = str(path.absolute())
    setattr(module, FILE_NAME, path.name)
    setattr(module, FILE_DIGEST, digest)
    sys.modules[key] = module  # dataclasses and pickles look their module up
    try:
        code = compile(source, str(path), "exec", dont_inherit=True)
        exec(code, vars(module))  # noqa: S102 - a user's own file, see above
    except (KeyboardInterrupt, Terminated):
        del sys.modules[key]
        raise
    except BaseException as error:  # includes SystemExit
        del sys.modules[key]
        raise PluginError(f"{path} cannot be used: {_told(error, path)}") from error
    return module


def _told(error: BaseException, path: Path) -> str:
    """Return an exception with the line of the file at which it was raised, and advice for a failed import."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    told = f"{type(error).__name__}: {error}"
    if lines and not isinstance(error, SyntaxError):
        told += f" (line {lines[-1]})"
    if isinstance(error, ImportError):
        told += ". The file stands alone: it can import what is installed, but no file beside it"
    return told
