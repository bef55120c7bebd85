"""Templates of plugins: complete Python packages, written into a new folder.

The templates are the files below ``templates/``. Every package gets those of ``common`` and those of its own kind.
Words such as ``@name@`` are replaced in the text and in the file names. The ending ``.txt`` is removed.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from astroemu.errors import ConfigurationError, RunFolderError, listing
from astroemu.io.files import make_folder, write_text
from astroemu.runtime.plugins import EMULATORS, PROBES, SAMPLERS, SIMULATORS, PluginGroup

_TEMPLATES = Path(__file__).parent / "templates"
#: Plugin group of each kind that has a template.
KINDS: dict[str, PluginGroup] = {"probe": PROBES, "emulator": EMULATORS, "simulator": SIMULATORS, "sampler": SAMPLERS}
#: What the generated code of each kind does, and what to replace in it.
_START = {
    "probe": "The code works as it is, on invented data. Put your data into `@package@/data/`, then change the "
    "likelihood and `simulate` together: `astroemu check` compares them.",
    "emulator": "It is a plain least-squares fit of a quadratic. Put your method into `train` and `evaluator`.",
    "simulator": "It is a hyperbolic tangent. Put your computation into `simulate`, and raise `version` with every "
    "change of its results.",
    "sampler": "It is plain importance sampling: put your algorithm into `run`. State in `citation` the paper of the "
    "algorithm with its arXiv number. List in `packages` the distributions whose versions change the samples. Describe "
    "in `traits` what the sampler needs. A nested sampler also returns `log_birth`.",
}
_CATALOG = '\n[project.entry-points."astroemu.catalogs"]\n{name} = "{package}:CATALOG"\n'


def write_plugin(kind: str, name: str, folder: str | Path | None = None) -> list[Path]:
    """Write the package of a new plugin.

    Parameters
    ----------
    kind : {"probe", "emulator", "simulator", "sampler"}
    name : str
        Entry-point name: lower-case letters, digits and underscores.
    folder : str or Path, optional
        Folder to write; by default ``astroemu-NAME`` in the current folder.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ConfigurationError
        If the kind has no template, or the name is not valid or already taken.
    RunFolderError
        If the folder is not empty.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"there is no template of the kind {kind!r}; the kinds are {listing(KINDS)}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigurationError(
            f"{name!r} is no name for a plugin; use lower-case letters, digits and underscores, and a letter first"
        )
    if name in KINDS[kind].entries:
        raise ConfigurationError(
            f"a {kind} called {name!r} is installed already, and two plugins of one name cannot be used; "
            "choose another name"
        )
    target = Path(folder) if folder is not None else Path(f"astroemu-{name.replace('_', '-')}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RunFolderError(f"{target} is not an empty folder; nothing was changed. Choose another folder with --out")
    words = _words(kind, name)
    written = []
    for root in (_TEMPLATES / "common", _TEMPLATES / kind):
        for template in sorted(path for path in root.rglob("*") if path.is_file()):
            path = target / _filled(str(template.relative_to(root)).removesuffix(".txt"), words)
            make_folder(path.parent)
            write_text(path, _filled(template.read_text(encoding="utf-8"), words))
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
        "start": _filled(_START[kind], {"package": package}),
        "catalog_entry": _CATALOG.format(name=name, package=package) if kind == "probe" else "",
    }


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
