"""Checks of samplers.

The problems are Gaussians in a box, with and without a wall of minus infinity through the peak. Their evidence, means
and widths are known. The tolerance is five standard errors of the run.
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
    """Return the report on a sampler.

    Parameters
    ----------
    make : callable
        Returns a new instance, for example the class itself. Its options should make the runs short.
    name : str
        Its entry-point name.
    in_processes : bool
        If true, also kill and resume a run, and run with two MPI processes. These checks use the installed plugin
        ``name`` with its default options.
    """
    report = Report(f"sampler {name!r}")
    runs: dict[bool, Samples] = {}
    if not report.run("declarations", lambda: _declarations(make, name)):
        return report
    used: list[Sampler] = []
    report.run("known evidence, mean and width", lambda: _known(make(), False, runs))
    report.run("half space of -inf", lambda: _known(_kept(make, used), True, runs))
    report.run("same seed, same samples; no state", lambda: _repeatable(make, used, runs))
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
    ensure(not name or sampler.name == name, f"its attribute `name` is {sampler.name!r}")
    for option in list(inspect.signature(type(sampler).__init__).parameters.values())[1:]:
        free = option.kind in (option.VAR_KEYWORD, option.VAR_POSITIONAL)
        ensure(free or option.annotation is not option.empty, f"the option {option.name!r} has no annotation")
        ensure(free or option.default is not option.empty, f"the option {option.name!r} has no default")
    ensure(isinstance(sampler.traits, SamplerTraits), "its traits are not an astroemu.sampling.sampler.SamplerTraits")
    return str(sampler.traits)


def _run(sampler: Sampler, target: Target, seed: int = 1) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        return sampler.run(target, seed=seed, folder=Path(folder))


def _kept(make: Make, used: list[Sampler]) -> Sampler:
    """Return a new sampler that is also stored in a list, for a second run with it."""
    used.append(make())
    return used[-1]


def _known(sampler: Sampler, wall: bool, runs: dict[bool, Samples]) -> str:
    """Run a sampler on the Gaussian, store the samples, and compare them with the known results."""
    problem = Gaussian(wall=wall)
    samples = runs[wall] = _run(sampler, problem)
    complete = samples.log_evidence is not None and samples.log_birth is not None
    ensure(complete or not sampler.traits.nested, "its traits state nested, but it gives no evidence or no log_birth")
    return agrees(samples, problem)


def _repeatable(make: Make, used: list[Sampler], runs: dict[bool, Samples]) -> str:
    """Compare runs of a new sampler and of one that has run on the other problem before."""
    if not used:
        _run(_kept(make, used), Gaussian(wall=True))
    again = _run(used[0], Gaussian())
    reference = runs.get(False) or _run(make(), Gaussian())
    ensure(again.names == reference.names, "the columns changed")
    same = again.theta.shape == reference.theta.shape and np.array_equal(again.theta, reference.theta)
    ensure(same, "after another run the same seed gives other samples")
    return f"{len(again)} samples"


def _nan(make: Make) -> str:
    model = with_nan()
    samples = _run(make(), model)
    ensure(bool(np.all(samples["x"] >= MEAN[0])), "a point at which the probe gave NaN is among the samples")
    ensure(bool(np.all(np.isfinite(samples.log_likelihood))), "a sample has no finite likelihood")
    return f"{model.counts.not_finite} of {model.counts.evaluated} points refused"


def _exception(make: Make) -> str:
    heard = io.StringIO()  # some packages print the traceback of exceptions that they pass on
    try:
        with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
            _run(make(), that_fails(after_calls := 5))
    except ProbeError as error:
        ensure("ZeroDivisionError" in str(error), f"the message does not state the cause: {error}")
        return f"ends the run, after {after_calls} calls"
    except Exception as error:
        ensure(False, f"it became {type(error).__name__}: {error}")
    ensure(False, "the exception was ignored and the run continued")
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
    return "equal after reading"
