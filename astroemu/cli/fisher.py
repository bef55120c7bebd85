"""``astroemu fisher``: a forecast around the best fit."""

from __future__ import annotations

from pathlib import Path

import typer

from astroemu.cli.maximize import best_fit_json, find_and_print, write_result
from astroemu.cli.options import CONFIGURATION, ENGINE, SET, STARTS, STARTS_SEED, WITHOUT, load


def fisher(
    configuration: str = CONFIGURATION,
    starts: int = STARTS,
    seed: int = STARTS_SEED,
    no_prior: bool = typer.Option(False, "--no-prior", help="Leave the prior's information out."),
    engine: str | None = ENGINE,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
    out: Path | None = typer.Option(None, help="Write the matrices as JSON, and the ellipses beside it as PNG."),
) -> None:
    """Forecast: the Fisher matrix at the best fit, standard deviations, ellipses."""
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
    typer.echo(f"\n{'parameter':20s} {'at':>12s} {'marginal std':>13s} {'others known':>13s}")
    for name, *numbers in zip(forecast.names, forecast.theta, forecast.std, forecast.conditional, strict=True):
        typer.echo(f"{name:20s} " + " ".join(f"{x:{w}.5g}" for x, w in zip(numbers, (12, 13, 13), strict=True)))
    matrices = {key: getattr(forecast, key).tolist() for key in ("data", "prior", "covariance")}
    block = provenance_of(model, loaded)
    write_result(path, {"maximum": best_fit_json(best), **matrices, "std": forecast.std.tolist(), "provenance": block})
    if picture is not None:
        draw_ellipses(forecast, model.prior, picture)
        typer.echo(f"Written: {picture}")
