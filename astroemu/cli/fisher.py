"""``astroemu fisher``: compute the Fisher matrix at the best fit."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.maximize import best_fit_json, find_and_print, write_result
from astroemu.cli.options import CONFIGURATION, ENGINE, SET, STARTS, STARTS_SEED, WITHOUT, load
from astroemu.cli.terminal import tell


def fisher(
    configuration: str = CONFIGURATION,
    starts: int = STARTS,
    seed: int = STARTS_SEED,
    no_prior: bool = typer.Option(
        False, "--no-prior", help="Use the likelihood only: without the prior in the best fit and in the matrix."
    ),
    engine: str | None = ENGINE,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
    out: Path | None = typer.Option(
        None, help="JSON file for the matrices. The ellipses are drawn next to it as PNG. Default: no files."
    ),
) -> None:
    """Compute the Fisher matrix at the best fit, and its ellipses.

    The command prints the best fit and two standard deviations of each parameter: the marginal one, and the conditional
    one, for which all other parameters are known.
    """
    from astroemu.inference.fisher import fisher_matrix as compute
    from astroemu.inference.inputs import provenance_of
    from astroemu.io.files import new_file
    from astroemu.report.fisher import draw_ellipses

    path = None if out is None else new_file(out)
    picture = None if path is None else new_file(path.with_suffix(".png"))
    loaded = load(configuration, set_, without, engine)
    model = loaded.model()
    best = find_and_print(model, starts, seed, prior=not no_prior)
    forecast = compute(model, best.theta, prior=not no_prior)
    typer.echo(f"\n{'parameter':20s} {'best fit':>12s} {'marginal std':>15s} {'conditional std':>15s}")
    for name, *numbers in zip(forecast.names, forecast.theta, forecast.std, forecast.conditional, strict=True):
        typer.echo(f"{name:20s} " + " ".join(f"{x:{w}.5g}" for x, w in zip(numbers, (12, 15, 15), strict=True)))
    matrices = {key: getattr(forecast, key).tolist() for key in ("data", "prior", "covariance")}
    block = provenance_of(model, loaded)
    write_result(path, {"maximum": best_fit_json(best), **matrices, "std": forecast.std.tolist(), "provenance": block})
    if picture is not None:
        draw_ellipses(forecast, model.prior, picture)
        tell(f"Written: {picture}")
