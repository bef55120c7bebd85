"""A plugin to start from: a whole distribution, written into a new folder.

The templates are ordinary files under ``templates/``: ``common`` goes into every distribution, the
folder of its kind beside it. ``@name@`` and its like are filled in, in the text and in the names of
the files; ``.txt`` at the end of a name falls off.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from astroemu.errors import ConfigurationError, RunFolderError, listing
from astroemu.runtime.plugins import EMULATORS, PROBES, SAMPLERS, SIMULATORS, PluginGroup

_TEMPLATES = Path(__file__).parent / "templates"
#: What can be started, and the group that it joins.
KINDS: dict[str, PluginGroup] = {"probe": PROBES, "emulator": EMULATORS, "simulator": SIMULATORS, "sampler": SAMPLERS}
_CATALOG = '\n[project.entry-points."astroemu.catalogs"]\n{name} = "{package}:CATALOG"\n'


def write_plugin(kind: str, name: str, folder: str | Path | None = None) -> list[Path]:
    """Write the distribution of a new plugin.

    Parameters
    ----------
    kind : {"probe", "emulator", "simulator", "sampler"}
    name : str
        Its entry-point name: small letters, digits and underscores.
    folder : str or Path, optional
        By default ``astroemu-NAME`` in the current folder.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ConfigurationError
        If there is no such kind, or the name is no identifier or taken.
    RunFolderError
        If the folder already holds anything.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"there is no kind {kind!r} to start from; the kinds are {listing(KINDS)}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigurationError(f"{name!r} is no name for a plugin; use small letters, digits and underscores")
    if name in KINDS[kind].entries:
        raise ConfigurationError(
            f"a {kind} called {name!r} is installed already; two of one name can neither be used. Choose another"
        )
    target = Path(folder) if folder is not None else Path(f"astroemu-{name.replace('_', '-')}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RunFolderError(f"{target} already holds files; nothing was changed. Choose another folder with --out")
    words = _words(kind, name)
    written = []
    for root in (_TEMPLATES / "common", _TEMPLATES / kind):
        for template in sorted(path for path in root.rglob("*") if path.is_file()):
            path = target / _filled(str(template.relative_to(root)).removesuffix(".txt"), words)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_filled(template.read_text(encoding="utf-8"), words), encoding="utf-8")
            written.append(path)
    return written


def _words(kind: str, name: str) -> dict[str, str]:
    package = f"astroemu_{name}"
    return {
        "kind": kind,
        "name": name,
        "group": KINDS[kind].name,
        "class": "".join(part.capitalize() for part in name.split("_")),
        "package": package,
        "distribution": package.replace("_", "-"),
        "catalog_entry": _CATALOG.format(name=name, package=package) if kind == "probe" else "",
    }


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
