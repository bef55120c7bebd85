"""``astroemu list``: list the installed plugins."""

from __future__ import annotations

import typer


def listing() -> None:
    """List the installed plugins by kind.

    Each name is printed with the package that provides it. No plugin is imported.
    """
    from astroemu.runtime.plugins import GROUPS

    for group in GROUPS:
        typer.echo(group.plural)
        if not group.entries:
            typer.echo("  none")
        for name, entries in group.entries.items():
            owner = " and ".join(f"{e.dist.name} {e.dist.version}" if e.dist else "?" for e in entries)
            doubled = "   (doubled: uninstall one)" if len(entries) > 1 else ""
            typer.echo(f"  {name:<30} {owner}{doubled}")
