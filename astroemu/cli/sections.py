"""Help text of a group of commands, with sections and complete sentences."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

#: Longest first sentence of a command, in characters.
_LONGEST = 200


class CommandGroup(TyperGroup):
    """A group whose help lists its commands by section, each with the complete first sentence of its help.

    Without rich, typer lists all commands in one section and cuts their sentences. rich is not used, because its import
    would make the help slow. The section of a command is its ``rich_help_panel``.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands), default=0)
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.commands[name]
            section = getattr(command, "rich_help_panel", None) or "Commands"
            # Names of equal length keep the sentences of all sections in one column.
            row = (f"{name:<{width}}", command.get_short_help_str(_LONGEST).removesuffix("."))
            sections.setdefault(section, []).append(row)
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows)
