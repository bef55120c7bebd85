"""Measure the peak memory of fits, batches and records, and the time per point against batches and probes.

    python benchmarks/memory.py
    python benchmarks/memory.py --only batch --only record --out FILE.json
    python benchmarks/memory.py --quick                       # small sizes: it shows only that all parts work

Each row is measured in a process of its own, which is started afresh. The memory is the peak of the resident set of
that process, in MB (10^6 bytes). "More" is the difference to a process that only imports what the others use. Times are
medians, in microseconds per point.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The process that starts the others imports nothing large: on Linux, a new process begins with its parent's peak.
if TYPE_CHECKING:
    import numpy as np

    from astroemu.core.typing import FloatArray

Row = dict[str, Any]
GROUPS = ("batch", "probes", "fit", "record", "chain")
DEFAULT, JOINT = "reionization", "reionization_cmb"
#: Probes of the default fit, in the order in which they are added.
PROBES = ("optical_depth", "neutral_fraction", "power_spectrum_21cm", "uv_luminosity_function")


def rows(only: Sequence[str], quick: bool) -> list[tuple[str, str, list[str]]]:
    """Return the group, the title and the arguments of each row."""
    sizes = (100, 1000) if quick else (1000, 10_000, 100_000, 1_000_000)
    joint = (100,) if quick else (1000, 10_000, 100_000)
    recorded, steps = (10_000, (100, 200)) if quick else (10_000_000, (12_500, 25_000, 50_000))
    found = [
        *(("batch", f"{DEFAULT}, one batch", ["batch", DEFAULT, str(n)]) for n in sizes),
        *(("batch", f"{JOINT}, one batch", ["batch", JOINT, str(n)]) for n in joint),
        *(("probes", f"{DEFAULT}, {n} probe(s)", ["probes", str(n), str(sizes[0])]) for n in (1, 2, 3, 4)),
        ("fit", "astroemu fit, with pictures", ["fit", str(int(quick))]),
        ("record", "likelihoods.record, written", ["record", str(recorded), "0"]),
        ("record", "likelihoods.record, written and read again", ["record", str(recorded), "1"]),
        *(("chain", f"emcee, {n:,} steps of 64 walkers", ["chain", str(n)]) for n in steps),
    ]
    return [row for row in found if row[0] in only]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print; write the figures if requested."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=GROUPS, help="can be repeated; default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--out", type=Path, help="JSON file")
    given = parser.parse_args(arguments)
    if given.out is not None and given.out.exists():
        parser.error(f"{given.out} exists; choose another name")
    imports = of_a_process(["imports"])
    measured: list[Row] = []
    for group, title, words in rows(given.only or GROUPS, given.quick):
        row = {"group": group, "title": title, **of_a_process(words)}
        row["more"] = row["peak"] - imports["peak"]
        measured.append(row)
    print("\n".join(table(imports, measured)))
    if given.out is not None:
        from astroemu.runtime.provenance import provenance

        content = {"unit": "MB", "imports": imports["peak"], "rows": measured, "provenance": provenance()}
        given.out.write_text(json.dumps(content, indent=1) + "\n")
        print(f"Written: {given.out}")


def of_a_process(words: Sequence[str]) -> Row:
    """Return the figures of one row, measured in a new process."""
    command = [sys.executable, __file__, "--row", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"memory.py: the row {' '.join(words)!r} failed, see above")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def table(imports: Row, measured: Sequence[Row]) -> list[str]:
    """Return the lines of the table."""
    from astroemu.report.columns import columns

    head = ("peak memory in MB (10^6 bytes)", "peak", "more", "points", "us per point", "file")
    cells = [
        (
            row["title"],
            f"{row['peak']:.0f}",
            f"{row['more']:.0f}",
            f"{row['points']:,}",
            f"{row['microseconds']:.1f}",
            f"{row['file']:.1f}" if "file" in row else "",
        )
        for row in measured
    ]
    return columns(head, [("imports only", f"{imports['peak']:.0f}", "", "", "", ""), *cells], 110)


# --- in the process of a row ------------------------------------------------------------------


def measure(words: Sequence[str]) -> Row:
    """Return the figures of one row, measured in this process."""
    name, *rest = words
    function = _ROWS[name]
    import emcee  # noqa: F401
    import numpy  # noqa: F401, ICN001
    import scipy.stats  # noqa: F401

    import astroemu.inference.fitting  # noqa: F401

    return {**function(*rest), "peak": peak()}


def peak() -> float:
    """Return the largest resident set of this process so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def batch(configuration: str, points: str) -> Row:
    """Evaluate batches of a model at draws from its prior."""
    return _batches(_model(configuration), int(points))


def probes(number: str, points: str) -> Row:
    """The same with some of the probes of the default fit."""
    model = _model(DEFAULT)
    return _batches(model.with_probes({key: model.probes[key] for key in PROBES[: int(number)]}), int(points))


def _batches(model: Any, points: int) -> Row:
    import numpy as np

    theta, times = model.prior.sample(points, np.random.default_rng(1)), []
    model.log_likelihood(theta[:1000])  # the first call loads libraries
    for _ in range(max(1, min(20, 20_000 // points))):
        started = time.perf_counter()
        model.log_likelihood(theta)
        times.append(time.perf_counter() - started)
    return {"points": points, "microseconds": 1e6 * float(np.median(times)) / points}


def _model(configuration: str) -> Any:
    import warnings

    import astroemu

    warnings.simplefilter("ignore")
    return astroemu.load_model(configuration, ['engine="numpy"'])


def fit(quick: str) -> Row:
    """Run the command ``astroemu fit``."""
    from contextlib import redirect_stderr, redirect_stdout

    from astroemu.cli import main as command

    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        short = ["--set", "samplers.emcee.max_steps=100", "--set", "samplers.emcee.starting_draws=400"]
        sys.argv = ["astroemu", "fit", "--out", str(run), *(short if quick == "1" else [])]
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            try:
                command()
            except SystemExit as end:
                if end.code:
                    raise
        summary = json.loads((run / "summary.json").read_text())
    points = summary["n_likelihood"]
    return {"points": points, "microseconds": 1e6 * summary["wall_seconds"] / points}


class Cheap:
    """A normal distribution in nine dimensions, which costs next to nothing: what is measured is around it."""

    names = tuple("abcdefghi")

    def prior_transform(self, u: FloatArray) -> FloatArray:
        return 10.0 * u - 5.0

    def log_prior(self, theta: FloatArray) -> FloatArray:
        return 0.0 * theta[:, 0]

    def log_likelihood(self, theta: FloatArray) -> FloatArray:
        found: np.ndarray = -0.5 * (theta**2).sum(axis=1)
        return found


def record(points: str, again: str) -> Row:
    """Record likelihoods in batches of half of emcee's walkers; then read them, as a resumed run does."""
    import numpy as np

    from astroemu.sampling.replay import LikelihoodReplay

    theta, batches = np.random.default_rng(1).standard_normal((32, 9)), -(-int(points) // 32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "likelihoods.record"
        for reading in range(1 + int(again)):
            started = time.perf_counter()
            with LikelihoodReplay(Cheap(), path) as target:
                for i in range(batches):
                    target.log_likelihood(theta + i)
            assert target.recalled == 32 * batches * reading
            seconds = time.perf_counter() - started
        size = path.stat().st_size
    return {"points": 32 * batches, "microseconds": 1e6 * seconds / (32 * batches), "file": size / 1e6}


def chain(steps: str) -> Row:
    """Run emcee for so many steps, whether it has converged or not. Long runs are those of slow moves."""
    from astroemu_plugins.samplers.emcee import Emcee

    sampler = Emcee(max_steps=int(steps), effective_samples=1e9, starting_draws=2000, move="de")
    started = time.perf_counter()
    samples = sampler.run(Cheap(), seed=1)
    seconds = time.perf_counter() - started
    return {"points": samples.n_likelihood, "microseconds": 1e6 * seconds / samples.n_likelihood}


_ROWS: dict[str, Any] = {
    "imports": dict,
    "batch": batch,
    "probes": probes,
    "fit": fit,
    "record": record,
    "chain": chain,
}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        print(json.dumps(measure(sys.argv[2:])))
    else:
        main()
