"""Measure how fast whole posteriors are sampled, and beside that the way of 21CMMC with 21cmEMU.

    python benchmarks/posteriors.py
    python benchmarks/posteriors.py --configuration reionization --sampler emcee --sampler ultranest
    python benchmarks/posteriors.py --peer product --out FILE.json     # without the run of 21CMMC's likelihood
    python benchmarks/posteriors.py --quick                            # shortened: it shows only that all parts work

Every fit is that of ``astroemu fit``, record of the likelihoods included, one after the other in this process. Seconds
are those of the sampling. A sampler that is not installed is left out, with a message.

The peer is compared on the same posterior: the configuration ``like_21cmmc`` has the data, the priors and the
definitions of 21CMMC. With py21cmemu (extra ``21cmemu``) three things are measured in the same run:

* the time of 21CMMC's likelihood by 21cmEMU, at several batch sizes;
* with ``--peer run``, the time of a whole run of it, by the same sampler as astroemu's fit;
* the number of likelihoods that 21CMMC's own sampler (stretch moves) needs to the same length, on astroemu's
  likelihood. The time that 21CMMC would take is then a product, and is called so.

It is also measured that the posterior is the same: samples of astroemu's fit are weighted with the other likelihood.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from peer_21cmmc import MISSING, Peer21cmmc, installed

import astroemu
from astroemu.core.progress import Progress, ProgressCallback
from astroemu.errors import AstroemuError
from astroemu.report.columns import columns
from astroemu.runtime.plugins import SAMPLERS as INSTALLED
from astroemu.runtime.provenance import provenance
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import kish_ess

CONFIGURATIONS = ("reionization", "reionization_cmb", "like_21cmmc")
SAMPLERS = ("emcee", "ultranest", "multinest", "nautilus", "pmc")
SAME = "like_21cmmc"
#: 21CMMC's emcee is of version 2, which has stretch moves only.
STRETCH = ("samplers.emcee.move=stretch", "samplers.emcee.max_steps=200000")
#: Sizes of the peer's batches: a point, what half of 64 walkers request, and large ones.
BATCHES = (1, 32, 100, 500)
QUICK = (
    "samplers.emcee.max_steps=60",
    "samplers.emcee.check_every=20",
    "samplers.emcee.starting_draws=400",
    "samplers.ultranest.max_calls=2000",
    "samplers.multinest.live_points=40",
    "samplers.multinest.max_iterations=200",
    "samplers.nautilus.max_calls=3000",
    "samplers.pmc.starting_draws=400",
    "samplers.pmc.max_calls=3000",
)
#: Number of posterior samples at which the two likelihoods are compared.
DRAWS = 500
Row = dict[str, Any]
_MANY = "can be repeated; default:"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; write the figures if requested."""
    given = parsed(arguments)
    short = QUICK if given.quick else ()
    rows, left_out = fits(given.configuration or CONFIGURATIONS, given.sampler or SAMPLERS, short, given.longest)
    print("\n".join(table(rows, left_out)), flush=True)
    peer = None
    if given.peer != "none" and not installed():
        print(f"\n{MISSING}")
    elif given.peer != "none":
        peer = compared(rows, short, given.longest, run=given.peer == "run")
        print("\n" + "\n".join(comparison(peer)))
    if given.out is not None:
        content = {"fits": rows, "left_out": left_out, "peer": peer, "provenance": provenance()}
        given.out.write_text(json.dumps(content, indent=1) + "\n")
        print(f"Written: {given.out}")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--configuration", action="append", help=f"{_MANY} {' '.join(CONFIGURATIONS)}")
    parser.add_argument("--sampler", action="append", choices=INSTALLED.names, help=f"{_MANY} {' '.join(SAMPLERS)}")
    parser.add_argument("--peer", choices=("run", "product", "none"), default="run", help="of 21CMMC; default: run")
    parser.add_argument("--longest", type=float, default=3600.0, help="seconds after which a run is given up")
    parser.add_argument("--quick", action="store_true", help="shortened runs, which do not converge")
    parser.add_argument("--out", type=Path, help="JSON file")
    given = parser.parse_args(arguments)
    if given.out is not None and given.out.exists():
        parser.error(f"{given.out} exists; choose another name")
    return given


# --- fits -------------------------------------------------------------------------------------


class TooLongError(Exception):
    """A run has taken more seconds than were allowed."""


def until(seconds: float) -> ProgressCallback:
    """Return a display of progress that ends the run after so many seconds."""
    end = time.monotonic() + seconds

    def report(_: Progress) -> None:
        if time.monotonic() > end:
            raise TooLongError(f"given up after {seconds:.0f} s")

    return report


def fits(
    configurations: Sequence[str], samplers: Sequence[str], short: Sequence[str], longest: float
) -> tuple[list[Row], dict[str, str]]:
    """Return a row of figures for each fit, and why some were left out."""
    rows, left_out = [], {}
    for configuration in configurations:
        loaded = astroemu.load_configuration(configuration, short)  # an unknown name ends the script
        for sampler in samplers:
            print(f"fit {configuration} with {sampler}", file=sys.stderr, flush=True)
            try:
                rows.append(measured_fit(loaded, sampler, longest)[0])
            except (AstroemuError, TooLongError) as error:
                left_out[f"{configuration}, {sampler}"] = reason(error, loaded.path)
    return rows, left_out


def reason(error: Exception, path: Path) -> str:
    """Return the first line of an error, without the path of the configuration: figures are shown elsewhere."""
    return str(error).partition("\n")[0].replace(f"{path}, ", "").replace(f"{path}: ", "")


def measured_fit(loaded: Any, sampler: str, longest: float) -> tuple[Row, Samples, astroemu.Model]:
    """Return the figures of a fit, its samples and its model."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run, model = astroemu.fit(loaded, out=Path(folder) / "run", sampler=sampler, report=until(longest))
        summary, samples = run.summary(), run.samples()
    return figures(loaded.name, samples, summary["wall_seconds"]), samples, model


def figures(configuration: str, samples: Samples, seconds: float) -> Row:
    """Return the row of a run."""
    return {
        "configuration": configuration,
        "sampler": samples.sampler,
        "seconds": seconds,
        "likelihoods": samples.n_likelihood,
        "microseconds": 1e6 * seconds / samples.n_likelihood,
        "effective_samples": samples.ess,
        "effective_samples_per_second": samples.ess / seconds,
        "converged": samples.converged,
        "log_evidence": samples.log_evidence,
        "log_evidence_err": samples.log_evidence_err,
    }


def table(rows: Sequence[Row], left_out: dict[str, str]) -> list[str]:
    """Return the lines of the table of fits."""
    head = ("fit, sampler", "s", "likelihoods", "us each", "effective", "per s", "converged", "ln Z")
    cells = [
        (
            f"{row['configuration']}, {row['sampler']}",
            f"{row['seconds']:.1f}",
            f"{row['likelihoods']:,}",
            f"{row['microseconds']:.0f}",
            f"{row['effective_samples']:,.0f}",
            f"{row['effective_samples_per_second']:.1f}",
            "yes" if row["converged"] else "NO",
            "" if row["log_evidence"] is None else f"{row['log_evidence']:.2f} +- {row['log_evidence_err']:.2f}",
        )
        for row in rows
    ]
    lines = columns(head, cells, 110) if cells else []
    return [*lines, *(f"left out: {name}: {why}" for name, why in left_out.items())]


# --- the peer ---------------------------------------------------------------------------------


def compared(rows: Sequence[Row], short: Sequence[str], longest: float, *, run: bool, simulator: Any = None) -> Row:
    """Return the figures of 21CMMC's way on the same posterior as astroemu's fit.

    Parameters
    ----------
    rows : sequence of dict
        Fits that were measured already.
    short : sequence of str
        Changes of the configuration.
    longest : float
        Seconds after which a run is given up.
    run : bool
        Sample 21CMMC's likelihood, too.
    simulator : Simulator, optional
        Instead of 21cmEMU, for tests.
    """
    loaded = astroemu.load_configuration(SAME, short)
    ours, samples, model = measured_fit(loaded, "emcee", longest)
    peer = Peer21cmmc(model, simulator)
    times = {str(n): microseconds(peer, samples, n) for n in BATCHES}
    stretch = measured_fit(astroemu.load_configuration(SAME, [*STRETCH, *short]), "emcee", longest)[0]
    found: Row = {
        "ours": ours,
        "microseconds": times,
        "stretch": stretch,
        "product": 1e-6 * min(times.values()) * stretch["likelihoods"],
        "agreement": agreement(samples, peer),
        "run": None,
        "default": next((r for r in rows if (r["configuration"], r["sampler"]) == ("reionization", "emcee")), None),
    }
    if run:
        found |= measured_run(loaded, peer, samples, longest)
    return found


def microseconds(peer: Peer21cmmc, samples: Samples, batch: int, seconds: float = 3.0) -> float:
    """Return the time per likelihood in batches of points of the posterior; the best of a few, in the peer's favour."""
    theta = samples.equal_weight(batch, np.random.default_rng(1))
    peer.log_likelihood(theta)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        started = time.perf_counter()
        peer.log_likelihood(theta)
        times.append(time.perf_counter() - started)
    return 1e6 * min(times) / batch


def agreement(samples: Samples, peer: Peer21cmmc) -> Row:
    """Return how close two posteriors are, from samples of one that are weighted with the likelihood of the other.

    Returns
    -------
    dict
        ``scatter``: standard deviation of the difference in ln L. ``share``: effective share of the weighted samples.
        ``shift``: largest shift of a mean, in standard deviations.
    """
    theta = samples.equal_weight(DRAWS, np.random.default_rng(2))
    difference = peer.log_likelihood(theta) - np.asarray(peer.target.log_likelihood(theta))
    weight = np.exp(difference - difference.max())
    shift = weight @ theta / weight.sum() - theta.mean(axis=0)
    return {
        "draws": DRAWS,
        "scatter": float(np.std(difference)),
        "share": kish_ess(difference) / DRAWS,
        "shift": float(np.max(np.abs(shift / theta.std(axis=0)))),
    }


def measured_run(loaded: Any, peer: Peer21cmmc, ours: Samples, longest: float) -> Row:
    """Return the figures of a whole run on the peer's likelihood, by the same sampler."""
    started = time.perf_counter()
    try:
        samples = loaded.sampler("emcee").run(peer, seed=1, report=until(longest))
    except TooLongError as error:
        return {"run": None, "run_left_out": str(error)}
    row = figures(loaded.name, samples, time.perf_counter() - started)
    return {"run": row | {"shift": float(np.max(np.abs(samples.mean() - ours.mean()) / ours.std()))}}


def comparison(peer: Row) -> list[str]:
    """Return the lines of the comparison. They say what is measured, and what is a product."""
    ours, stretch, times, same = peer["ours"], peer["stretch"], peer["microseconds"], peer["agreement"]
    best = min(times, key=times.get)
    lines = [
        f"21CMMC's likelihood by 21cmEMU: {', '.join(f'{t:,.0f} us in batches of {n}' for n, t in times.items())}",
        f"the same posterior ({SAME}): {same['draws']} samples, weighted with the other likelihood, keep "
        f"{same['share']:.0%} of their number; means shift by {same['shift']:.2f} standard deviations at most",
        f"astroemu, emcee: {ours['seconds']:.1f} s, {ours['likelihoods']:,} likelihoods (measured{unfinished(ours)})",
    ]
    if peer["run"] is not None:
        run = peer["run"]
        lines.append(
            f"21cmEMU with the same emcee: {run['seconds']:,.0f} s, {run['likelihoods']:,} likelihoods "
            f"(measured{unfinished(run)}); means differ by {run['shift']:.2f} standard deviations at most"
        )
    elif "run_left_out" in peer:
        lines.append(f"21cmEMU with the same emcee: {peer['run_left_out']}")
    lines.append(
        f"21CMMC's own sampler: {stretch['likelihoods']:,} likelihoods of stretch moves (measured on astroemu's "
        f"likelihood{unfinished(stretch)}), times {times[best]:,.0f} us in batches of {best} (measured) = "
        f"{peer['product']:,.0f} s (a product)"
    )
    return [*lines, *headline(peer)]


def headline(peer: Row) -> list[str]:
    """Return the ratios: of two measured times, and of the product to a measured time."""
    ours, lines = peer["ours"]["seconds"], []
    if peer["run"] is not None:
        lines.append(f"the same posterior in {peer['run']['seconds'] / ours:.0f} times less time (both measured)")
    lines.append(f"than by 21CMMC's own sampler: in {peer['product'] / ours:.0f} times less time (of a product)")
    if peer["default"] is not None:
        ratio = peer["product"] / peer["default"]["seconds"]
        lines.append(f"the default fit, with errors that data share, takes {ratio:.0f} times less than that product")
    return lines


def unfinished(row: Row) -> str:
    return "" if row["converged"] else "; NOT converged"


if __name__ == "__main__":
    try:
        main()
    except AstroemuError as error:
        raise SystemExit(f"posteriors.py: {error}") from None
