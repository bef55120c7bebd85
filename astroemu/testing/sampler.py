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
from astroemu.sampler import Sampler, Target, Traits
from astroemu.samples import Samples
from astroemu.testing import processes
from astroemu.testing.problems import MEAN, WIDTH, Gaussian, that_fails, with_nan
from astroemu.testing.report import Report, Skipped, ensure

Make = Callable[[], Sampler]
_ERRORS = 5.0


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
    ensure(isinstance(sampler.traits, Traits), "its traits are no astroemu.sampler.Traits")
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


def agrees(samples: Samples, problem: Gaussian) -> str:
    """Compare samples with what is known of a Gaussian; returns the numbers."""
    ensure(samples.names == problem.names, f"the columns are {samples.names}, not {problem.names}")
    ensure(samples.converged, f"not converged: {samples.reason}")
    ensure(abs(float(samples.weight.sum()) - 1.0) < 1e-9, "the weights do not sum to one")
    ensure(samples.n_likelihood > 0, "it counted no likelihood evaluation")
    expected = problem.log_likelihood(samples.theta)
    ensure(np.allclose(samples.log_likelihood, expected, atol=1e-6), "log_likelihood is not that of theta")
    ensure(bool(np.all(np.isfinite(samples.log_likelihood))), "a sample has no finite likelihood")
    mean, width = (MEAN.copy(), WIDTH.copy())
    if problem.wall:  # a half-normal
        mean[0] += WIDTH[0] * np.sqrt(2 / np.pi)
        width[0] *= np.sqrt(1 - 2 / np.pi)
    error = width / np.sqrt(samples.ess)
    pull = np.abs(samples.mean() - mean) / error
    ensure(bool(np.all(pull < _ERRORS)), f"means {samples.mean()} instead of {mean} (+- {error})")
    spread = np.abs(samples.std() - width) / error
    ensure(bool(np.all(spread < _ERRORS)), f"widths {samples.std()} instead of {width} (+- {error})")
    if samples.log_birth is not None:
        born = bool(np.all(samples.log_birth < samples.log_likelihood))
        ensure(born, "a point lies below the likelihood above which it was drawn (log_birth)")
    detail = f"means within {pull.max():.1f} errors, {samples.ess:.0f} effective samples"
    if samples.log_evidence is None:
        return f"{detail}; no evidence"
    ensure(bool(samples.log_evidence_err) and float(samples.log_evidence_err or 0.0) > 0, "ln Z has no error")
    off = abs(samples.log_evidence - problem.log_evidence) / float(samples.log_evidence_err or 1.0)
    ensure(
        off < _ERRORS, f"ln Z = {samples.log_evidence:.3f} +- {samples.log_evidence_err}, not {problem.log_evidence}"
    )
    return f"{detail}; ln Z within {off:.1f} errors"


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
