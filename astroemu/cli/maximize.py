"""``astroemu maximize``: find the best fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from astroemu.cli.options import CONFIGURATION, ENGINE, SET, STARTS, STARTS_SEED, WITHOUT, load
from astroemu.cli.terminal import tell

if TYPE_CHECKING:
    from astroemu.inference.best_fit import BestFit
    from astroemu.model.model import Model


def maximize(
    configuration: str = CONFIGURATION,
    starts: int = STARTS,
    likelihood: bool = typer.Option(
        False, "--likelihood", help="Maximise the likelihood instead of the posterior density."
    ),
    seed: int = STARTS_SEED,
    engine: str | None = ENGINE,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
    out: Path | None = typer.Option(None, help="JSON file to write. Default: no file."),
) -> None:
    """Find the best fit from several starting points, with gradients.

    The command prints the parameters, the log-likelihood of each probe, and the value at which each start ended.
    """
    from astroemu.inference.inputs import provenance_of
    from astroemu.io.files import new_file

    path = None if out is None else new_file(out)
    loaded = load(configuration, set_, without, engine)
    model = loaded.model()
    best = find_and_print(model, starts, seed, prior=not likelihood)
    write_result(path, {**best_fit_json(best), "provenance": provenance_of(model, loaded)})


def find_and_print(model: Model, starts: int, seed: int, *, prior: bool) -> BestFit:
    """Find the best fit, print it and the report of the compiled model, and return it."""
    from astroemu.inference.best_fit import find_best_fit

    best = find_best_fit(model, starts=starts, prior=prior, seed=seed)
    for line in model.compile_report():
        typer.echo(line)
    what = "log-posterior" if prior else "log-likelihood"
    typer.echo(f"\n{what} {best.value:.4f} after {best.evaluations} gradient evaluations; the starts ended at")
    typer.echo("  " + " ".join(f"{value:.3f}" for value in best.starts))
    for name, value in zip(best.names, best.theta, strict=True):
        edge = "  at an edge of the prior" if name in best.at_edge else ""
        flat = "  any value near by is as good" if name in best.flat else ""
        typer.echo(f"{name:20s} {value:12.6g}{edge}{flat}")
    if best.flat:
        typer.echo("The data do not determine " + ", ".join(best.flat) + ": this is one of many equal best fits.")
    for key, value in best.by_probe.items():
        typer.echo(f"ln L {key:20s} {value:10.4f}")
    return best


def best_fit_json(best: BestFit) -> dict[str, Any]:
    """Return a best fit as a mapping that can be written as JSON."""
    return {
        "parameters": dict(zip(best.names, best.theta.tolist(), strict=True)),
        "value": best.value,
        "log_likelihood": best.log_likelihood,
        "by_probe": best.by_probe,
        "starts": best.starts.tolist(),
        "at_edge": list(best.at_edge),
        "flat": list(best.flat),
    }


def write_result(path: Path | None, content: dict[str, Any]) -> None:
    """Write a result as JSON if a file is given."""
    from astroemu.io.files import write_json

    if path is not None:
        write_json(path, content)
        tell(f"Written: {path}")
