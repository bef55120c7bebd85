"""``astroemu install``: build the library of a sampler into the Python environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def install(
    name: Annotated[str, typer.Argument(help="Name of the sampler: multinest.")],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence, for scripts that cannot be asked.")
    ] = False,
    source: Annotated[Path | None, typer.Option("--from", help="Archive of the source, instead of a download.")] = None,
) -> None:
    """Build the library that a sampler needs, and put it into this Python environment.

    The source is downloaded by pip, and its checksum is compared. Its licence is shown, and must be accepted.
    """
    from astroemu.cli.terminal import tell
    from astroemu.errors import ConfigurationError, listing
    from astroemu.io.lock import temporary_folder
    from astroemu.runtime.plugins import SAMPLERS

    sampler = SAMPLERS.load(name)
    installer = sampler.installer()
    if installer is None:
        able = [other for other in SAMPLERS.entries if SAMPLERS.load(other).installer() is not None]
        raise ConfigurationError(
            f"the sampler {name!r} has no library that astroemu builds. Those that have one: {listing(able)}"
        )
    library = installer.library()
    if library.usable:
        tell(f"installed already: {library.found}, {library.about}")
        return
    if not accept_licence and not sys.stdin.isatty():
        raise ConfigurationError(
            f"{installer.terms} There is no terminal at which you could accept this: add --accept-licence if you do"
        )
    installer.demand_tools()
    with temporary_folder() as folder:
        tell(installer.fetch(folder, source))
        _demand_consent(installer.terms, accept_licence)
        tell("The library is built, which takes about a minute.")
        path = installer.build(folder)
    tell(f"installed: {path}")
    used = sampler.component()
    if used is not None and used.found != str(path):
        tell(f"But another library comes first: {used.found}, {used.about}")


def _demand_consent(terms: str, accepted: bool) -> None:
    """Ask whether the user accepts the terms, unless that was said before.

    Raises
    ------
    ConfigurationError
        If the answer is not yes.
    """
    from astroemu.cli.terminal import tell
    from astroemu.errors import ConfigurationError

    tell(terms)
    if accepted:
        tell("Accepted by --accept-licence.")
        return
    try:
        answer = input("Do you accept this licence? [yes/no] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise ConfigurationError("the licence was not accepted; nothing was installed")
