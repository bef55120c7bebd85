"""What every sampler must do.

The problems are Gaussians in a box, with and without a wall of minus infinity through the peak:
evidence, means and widths are known. Tolerances are five standard errors of the run itself.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from astroemu.errors import ProbeError
from astroemu.sampling.sampler import Sampler, SamplerTraits
from astroemu.sampling.samples import Samples
from astroemu.sampling.target import Target
from astroemu.testing import processes
from astroemu.testing.findings import Report, Skipped, ensure
from astroemu.testing.problems import MEAN, Gaussian, agrees, that_fails, with_nan

Make = Callable[[], Sampler]


def check_sampler(make: Make, name: str = "", *, in_processes: bool = False) -> Report:
    """Examine a sampler.

    Parameters
    ----------
    make : callable
        Returns a new instance, such as the class itself. Options that make it quick are welcome.
    name : str
        Its entry-point name.
    in_processes : bool
        Also kill it and start it again, and run it as two processes of an MPI job. These use the
        installed plugin ``name`` with its default options.
    """
    report = Report(f"sampler {name!r}")
    runs: dict[bool, Samples] = {}
    if not report.run("declarations", lambda: _declarations(make, name)):
        return report
    for wall, check in ((False, "known evidence, mean and width"), (True, "half space of -inf")):
        report.run(check, lambda wall=wall: _known(make, wall, runs))  # type: ignore[misc]
    report.run("same seed, same samples; no state", lambda: _repeatable(make, runs))
    report.run("NaN of a probe", lambda: _nan(make))
    report.run("exception of a probe", lambda: _exception(make))
    report.run("samples file", lambda: _file(runs))
    if in_processes:
        report.run("killed and started again", lambda: processes.killed(name))
        report.run("two MPI processes", lambda: processes.two_ranks(name))
    return report


def _declarations(make: Make, name: str) -> str:
    sampler = make()
    ensure(bool(type(sampler).__doc__), "the class has no docstring")
    ensure(bool(sampler.name), "it has no name")
    ensure(not name or sampler.name == name, f"it calls itself {sampler.name!r}")
    for option in list(inspect.signature(type(sampler).__init__).parameters.values())[1:]:
        free = option.kind in (option.VAR_KEYWORD, option.VAR_POSITIONAL)
        ensure(free or option.annotation is not option.empty, f"the option {option.name!r} has no annotation")
        ensure(free or option.default is not option.empty, f"the option {option.name!r} has no default")
    ensure(isinstance(sampler.traits, SamplerTraits), "its traits are no astroemu.sampling.sampler.SamplerTraits")
    return str(sampler.traits)


def _run(sampler: Sampler, target: Target, seed: int = 1) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        return sampler.run(target, seed=seed, folder=Path(folder))


def _known(make: Make, wall: bool, runs: dict[bool, Samples]) -> str:
    problem = Gaussian(wall=wall)
    sampler = make()
    samples = runs[wall] = _run(sampler, problem)
    complete = samples.log_evidence is not None and samples.log_birth is not None
    ensure(complete or not sampler.traits.nested, "its traits say nested, but it gives no evidence or no log_birth")
    return agrees(samples, problem)


def _repeatable(make: Make, runs: dict[bool, Samples]) -> str:
    sampler = make()
    first = _run(sampler, Gaussian(wall=True), seed=1)
    again = _run(sampler, Gaussian(), seed=1)
    reference = runs.get(False) or _run(make(), Gaussian(), seed=1)
    ensure(first.names == again.names, "the columns changed")
    same = again.theta.shape == reference.theta.shape and np.array_equal(again.theta, reference.theta)
    ensure(same, "after another run the same seed gives other samples")
    return f"{len(again)} samples"


def _nan(make: Make) -> str:
    model = with_nan()
    samples = _run(make(), model)
    ensure(bool(np.all(samples["x"] >= MEAN[0])), "a point where the probe gave NaN is among the samples")
    ensure(bool(np.all(np.isfinite(samples.log_likelihood))), "a sample has no finite likelihood")
    return f"{model.counts.not_finite} of {model.counts.evaluated} points refused"


def _exception(make: Make) -> str:
    heard = io.StringIO()  # some packages print the traceback of what they pass on
    try:
        with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
            _run(make(), that_fails(after_calls := 5))
    except ProbeError as error:
        ensure("ZeroDivisionError" in str(error), f"the message lost its cause: {error}")
        return f"ends the run, after {after_calls} calls"
    except Exception as error:
        ensure(False, f"it became {type(error).__name__}: {error}")
    ensure(False, "it was swallowed: the run went on")
    raise AssertionError("unreachable")


def _file(runs: dict[bool, Samples]) -> str:
    if not runs:
        raise Skipped("no run to save")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.h5"
        samples = next(iter(runs.values()))
        samples.save(path)
        again = Samples.load(path)
    ensure(np.array_equal(samples.theta, again.theta), "theta differs after reading")
    return "read again the same"
