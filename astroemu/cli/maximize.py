"""``astroemu maximize`` and ``astroemu fisher``: the best fit, and the forecast around it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from astroemu.cli.fit import DEFAULT, with_engine

if TYPE_CHECKING:
    from astroemu.configuration import Configuration
    from astroemu.maximum import Maximum
    from astroemu.model import Model

_CONFIGURATION = typer.Argument(DEFAULT, help="TOML file, or the name of an installed configuration.")
_SET = typer.Option([], "--set", metavar="KEY=VALUE", help="Override a key.")
_WITHOUT = typer.Option([], metavar="PROBE", help="Leave a probe out; repeat for several.")
_ENGINE = typer.Option(None, help="auto, numpy or keras, instead of the configuration's.")
_STARTS = typer.Option(8, min=1, help="Starts: the best of 1000 prior draws.")
_SEED = typer.Option(1, min=0, help="Seed of those draws.")


def maximize(
    configuration: str = _CONFIGURATION,
    starts: int = _STARTS,
    likelihood: bool = typer.Option(False, "--likelihood", help="Maximise the likelihood, not the posterior."),
    seed: int = _SEED,
    engine: str | None = _ENGINE,
    set_: list[str] = _SET,
    without: list[str] = _WITHOUT,
    out: Path | None = typer.Option(None, help="Write the best fit as JSON."),
) -> None:
    """Find the best fit, from several starts, with gradients."""
    from astroemu.files import new_file
    from astroemu.provenance import provenance_of

    path = None if out is None else new_file(out)
    loaded = _loaded(configuration, set_, without, engine)
    model = loaded.model()
    best = _best(model, starts, seed, prior=not likelihood)
    _write(path, {**_maximum_json(best), "provenance": provenance_of(model, loaded)})


def fisher(
    configuration: str = _CONFIGURATION,
    starts: int = _STARTS,
    seed: int = _SEED,
    no_prior: bool = typer.Option(False, "--no-prior", help="Leave the prior's information out."),
    engine: str | None = _ENGINE,
    set_: list[str] = _SET,
    without: list[str] = _WITHOUT,
    out: Path | None = typer.Option(None, help="Write the matrices as JSON, and the ellipses beside it as PNG."),
) -> None:
    """Forecast: the Fisher matrix at the best fit, standard deviations, ellipses."""
    from astroemu.files import new_file
    from astroemu.fisher import fisher as compute
    from astroemu.provenance import provenance_of
    from astroemu.report.ellipses import draw_ellipses

    path = None if out is None else new_file(out)
    picture = None if path is None else new_file(path.with_suffix(".png"))
    loaded = _loaded(configuration, set_, without, engine)
    model = loaded.model()
    best = _best(model, starts, seed, prior=not no_prior)
    forecast = compute(model, best.theta, prior=not no_prior)
    typer.echo(f"\n{'parameter':20s} {'at':>12s} {'marginal std':>13s} {'others known':>13s}")
    for name, *numbers in zip(forecast.names, forecast.theta, forecast.std, forecast.conditional, strict=True):
        typer.echo(f"{name:20s} " + " ".join(f"{x:{w}.5g}" for x, w in zip(numbers, (12, 13, 13), strict=True)))
    matrices = {key: getattr(forecast, key).tolist() for key in ("data", "prior", "covariance")}
    block = provenance_of(model, loaded)
    _write(path, {"maximum": _maximum_json(best), **matrices, "std": forecast.std.tolist(), "provenance": block})
    if picture is not None:
        draw_ellipses(forecast, model.prior, picture)
        typer.echo(f"Written: {picture}")


def _loaded(configuration: str, overrides: list[str], without: list[str], engine: str | None) -> Configuration:
    from astroemu.configuration import load_configuration

    return load_configuration(configuration, [*overrides, *with_engine(engine)]).without(without)


def _best(model: Model, starts: int, seed: int, *, prior: bool) -> Maximum:
    from astroemu.maximum import maximise

    best = maximise(model, starts=starts, prior=prior, seed=seed)
    for line in model.compile_report():
        typer.echo(line)
    what = "log-posterior" if prior else "log-likelihood"
    typer.echo(f"\n{what} {best.value:.4f} after {best.evaluations} gradients; the starts ended at")
    typer.echo("  " + " ".join(f"{value:.3f}" for value in best.starts))
    for name, value in zip(best.names, best.theta, strict=True):
        typer.echo(f"{name:20s} {value:12.6g}" + ("  at an edge of the prior" if name in best.at_edge else ""))
    for key, value in best.by_probe.items():
        typer.echo(f"ln L {key:20s} {value:10.4f}")
    return best


def _maximum_json(best: Maximum) -> dict[str, Any]:
    return {
        "parameters": dict(zip(best.names, best.theta.tolist(), strict=True)),
        "value": best.value,
        "log_likelihood": best.log_likelihood,
        "by_probe": best.by_probe,
        "starts": best.starts.tolist(),
        "at_edge": list(best.at_edge),
    }


def _write(path: Path | None, content: dict[str, Any]) -> None:
    from astroemu.files import strict_json, write_atomically

    if path is not None:
        write_atomically(path, lambda temporary: temporary.write_text(strict_json(content)))
        typer.echo(f"Written: {path}")
