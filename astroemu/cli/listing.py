"""``astroemu list``: list the installed plugins, or describe one."""

from __future__ import annotations

import typer


def _names(incomplete: str) -> list[str]:
    """Return the names for the completion of the shell. No plugin is imported."""
    from astroemu.runtime.plugins import GROUPS

    return sorted({name for group in GROUPS for name in group.entries if name.startswith(incomplete)})


def listing(
    name: str | None = typer.Argument(
        None, help="Name of a plugin, to describe it with its options.", autocompletion=_names
    ),
) -> None:
    """List the installed plugins by kind, or describe one with its options.

    Without a name, each plugin is printed with the package that provides it, and none is imported. With a name, the
    options are printed with their types, allowed values and defaults.
    """
    from astroemu.cli.terminal import answer, width
    from astroemu.runtime.plugins import GROUPS

    if name is not None:
        from astroemu.report.plugin_text import plugin_text

        answer(plugin_text(name, min(width(), 100)))
        return
    for group in GROUPS:
        typer.echo(group.plural)
        if not group.entries:
            typer.echo("  none")
        for entry, entries in group.entries.items():
            owner = " and ".join(f"{e.dist.name} {e.dist.version}" if e.dist else "?" for e in entries)
            doubled = "   (doubled: uninstall one)" if len(entries) > 1 else ""
            typer.echo(f"  {entry:<30} {owner}{doubled}")
