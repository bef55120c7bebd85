"""``astroemu bench``: how fast a joint model is."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.fit import DEFAULT


def bench(
    configuration: str = typer.Argument(DEFAULT, help="TOML file, or the name of an installed configuration."),
    batch: list[int] = typer.Option([1, 10, 100, 1000, 10000], min=1, help="Batch size; repeat for several."),
    out: Path | None = typer.Option(None, help="Write the figures as JSON."),
) -> None:
    """Time the joint log-likelihood of a model by batch size."""
    from astroemu.benchmark import bench_model
    from astroemu.configuration import load_model
    from astroemu.files import new_file, strict_json, write_atomically

    path = None if out is None else new_file(out)
    rows = bench_model(load_model(configuration), batch)
    typer.echo(f"{'batch':>7}  {'microseconds a point':>21}  {'points a second':>16}")
    for row in rows:
        typer.echo(f"{row['batch']:7d}  {row['microseconds']:21.2f}  {1e6 / row['microseconds']:16,.0f}")
    if path is not None:
        write_atomically(path, lambda temporary: temporary.write_text(strict_json(rows)))
        typer.echo(f"Written: {path}")
