"""``astroemu bench``: measure the speed of a joint likelihood."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.options import CONFIGURATION
from astroemu.cli.terminal import tell

_BATCHES = [1, 10, 100, 1000, 10000, 100000]


def bench(
    configuration: str = CONFIGURATION,
    batch: list[int] = typer.Option(_BATCHES, min=1, help="Number of points in a batch. Can be repeated."),
    engine: list[str] = typer.Option(
        ["numpy", "keras"], help="Engine to measure: auto, numpy or keras. Can be repeated."
    ),
    out: Path | None = typer.Option(
        None, help="JSON file for the timings. A figure is drawn next to it as PNG. Default: no files."
    ),
) -> None:
    """Measure the speed of a joint likelihood.

    The time per point is measured for each engine and each batch size.
    """
    from astroemu.inference.configuration import load_configuration
    from astroemu.inference.inputs import inputs
    from astroemu.io.files import new_file, write_json
    from astroemu.model.benchmark import bench_model
    from astroemu.model.engines import engine_name
    from astroemu.report.benchmark import benchmark_table, draw_speed
    from astroemu.runtime.provenance import provenance

    path = None if out is None else new_file(out)
    picture = None if path is None else new_file(path.with_suffix(".png"))
    loaded = load_configuration(configuration)
    model = loaded.model()
    peak, rows = bench_model(model, batch, [engine_name(name) for name in engine])
    typer.echo("\n".join(benchmark_table(peak, rows)))
    if path is not None and picture is not None:
        content = {
            "sgemm": peak.single,
            "dgemm": peak.double,
            "timings": [row.to_json() for row in rows],
            "provenance": provenance(inputs=inputs(model, loaded)),
        }
        write_json(path, content)
        draw_speed(rows, picture)
        tell(f"Written: {path}\nWritten: {picture}")
