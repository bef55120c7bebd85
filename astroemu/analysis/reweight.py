"""Reweighting: the samples of a finished run with the likelihood of other data, without sampling again.

If a probe is added, left out or replaced, every sample of the run gets the new weight

    w' = w exp(ln L_new - ln L_old),        ln Z_new = ln Z_old + ln sum(w exp(ln L_new - ln L_old)),

with w normalised. Unchanged probes cancel and are not evaluated. The result is valid if the old samples cover the new
posterior. The effective sample size measures this; too small a value is an error. Parameters that the run does not have
are drawn from their priors, see :mod:`astroemu.analysis.extended_samples`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from astroemu.analysis.extended_samples import ExtendedSamples
from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, SamplingError, listing
from astroemu.inference.configuration import Configuration
from astroemu.inference.fingerprint import RunFingerprint, of_likelihood
from astroemu.inference.reuse import demand_current
from astroemu.inference.run_folder import RunFolder
from astroemu.inference.summary import summarise
from astroemu.io.files import sha256
from astroemu.model.model import Model
from astroemu.runtime.provenance import machine
from astroemu.sampling.samples import Samples

#: Default of the smallest effective sample size. A reweighted run with fewer never counts as converged.
MIN_ESS = 400.0
#: Default number of draws of new parameters for each sample.
DRAWS = 4
#: Keys of a configuration that change the likelihood of every probe.
_CONTEXT = ("joint_priors", "emulators", "simulators", "derived", "emulator_error", "truncate_prior")
#: Number of points in a batch.
_BATCH = 4096


@dataclass(frozen=True)
class ConfigurationDiff:
    """The differences between two configurations.

    Attributes
    ----------
    dropped, added, replaced : tuple of str
        Names of probes.
    everything : bool
        True if the likelihood of every probe changes, for example with another emulator.
    """

    dropped: tuple[str, ...]
    added: tuple[str, ...]
    replaced: tuple[str, ...]
    everything: bool

    @classmethod
    def between(cls, old: Configuration, new: Configuration) -> ConfigurationDiff:
        """Return the differences between two configurations.

        Raises
        ------
        ConfigurationError
            If no difference changes the likelihood.
        """
        before, after = old.document.probes, new.document.probes
        parameters = new.document.parameters
        everything = any(getattr(old.document, key) != getattr(new.document, key) for key in _CONTEXT) or any(
            old.document.parameters[name] != table
            for name, table in parameters.items()
            if name in old.document.parameters  # a new one belongs to what is added
        )
        change = cls(
            tuple(name for name in before if name not in after),
            tuple(name for name in after if name not in before),
            tuple(name for name in after if name in before and after[name] != before[name]),
            everything,
        )
        if not (change.everything or change.dropped or change.added or change.replaced):
            raise ConfigurationError("nothing changes: state the change with --set or --without")
        return change

    def of(self, configuration: Configuration) -> list[str]:
        """Return the probes of one of the two configurations whose likelihood differs from that of the other."""
        changed = {*self.dropped, *self.added, *self.replaced}
        return [name for name in configuration.document.probes if self.everything or name in changed]

    def __str__(self) -> str:
        parts = {"without": self.dropped, "with": self.added, "with another": self.replaced}
        said = [f"{word} {', '.join(names)}" for word, names in parts.items() if names]
        return "; ".join(said or ["with other settings of all probes"])


def reweight(
    run: RunFolder,
    configuration: Configuration,
    *,
    out: str | Path | None = None,
    min_ess: float = MIN_ESS,
    draws: int = DRAWS,
    accept_changed_code: bool = False,
    report: ProgressCallback = silent,
) -> tuple[RunFolder, Model]:
    """Write the run of another configuration, made by reweighting the samples of a finished run.

    Parameters
    ----------
    run : RunFolder
    configuration : Configuration
        That of the run, with probes added, left out or changed. Parameters of the run keep their priors. Parameters of
        probes that are left out are marginalised, and new ones are drawn from their priors.
    out : str or Path, optional
        By default the first free of ``RUN_reweighted``, ``RUN_reweighted-2``, ...
    min_ess : float
        Smallest effective sample size that is accepted.
    draws : int
        Draws of the new parameters for each sample of the run.
    accept_changed_code : bool
        Accept that the code of plugins or their versions have changed since the run; see
        :func:`astroemu.inference.reuse.demand_current`.
    report : callable
        Called with the progress.

    Returns
    -------
    RunFolder
        The folder of the reweighted run.
    Model
        The model of ``configuration``.

    Raises
    ------
    ConfigurationError
        If nothing changes, if the priors of parameters of the run change, or if there are fewer draws than one.
    RunFolderError
        If a catalog, a plugin or an option has changed since the run.
    DataError
        If the likelihood of the run cannot be reproduced.
    SamplingError
        If the effective sample size is too small. Nothing is written then.
    """
    started = time.perf_counter()
    old, samples, before = run.configuration(), run.samples(), run.summary()
    change = ConfigurationDiff.between(old, configuration)
    old_model, model = old.model(), configuration.model()
    if draws < 1:
        raise ConfigurationError(f"draws = {draws}: at least one draw of the new parameters is needed for each sample")
    new = _new_parameters(old_model, model, run)
    demand_current(run, old_model, accept_changed_code=accept_changed_code)
    points = ExtendedSamples.of(samples, model.prior, new, draws, before["seed"])
    ratio = _log_likelihood(configuration, change.of(configuration), points, report)
    ratio -= np.repeat(_log_likelihood(old, change.of(old), _as_they_are(samples), report), points.draws)
    made = _reweighted(points, ratio, model, f"{run.path} {change}", min_ess)
    summary = summarise(made, model, configuration, seed=before["seed"], wall_seconds=time.perf_counter() - started)
    digest = sha256(run.samples_file)
    summary["reweighted"] = {
        "from": str(run.path.resolve()),
        "samples_sha256": digest,
        "dropped": list(change.dropped),
        "added": list(change.added),
        "replaced": list(change.replaced),
        "everything": change.everything,
        "ess_before": samples.ess,
        "kish_ess": made.diagnostics["kish_ess"],
        "min_ess": min_ess,
        **({"drawn": new, "draws": draws} if new else {}),
        **({"earlier": before["reweighted"]} if "reweighted" in before else {}),
    }
    identity = RunFingerprint({**of_likelihood(configuration, model), "reweighted": digest}, machine())
    resolved = {"path": str(configuration.path.absolute()), "configuration": dict(configuration.raw)}
    source = run.path.resolve()
    with RunFolder.claimed(out, source.parent, f"{source.name}_reweighted") as folder:
        folder.start(configuration, resolved, identity)
        folder.finish(made, summary)
    return folder, model


def _as_they_are(samples: Samples) -> ExtendedSamples:
    return ExtendedSamples(samples, samples.names, samples.theta, 1)


def _reweighted(points: ExtendedSamples, ratio: FloatArray, model: Model, what: str, min_ess: float) -> Samples:
    """Samples with new weights, as the model sees them, or the reason why there are too few."""
    samples = points.samples
    keep = np.isfinite(ratio)
    if not keep.any():
        raise SamplingError(f"{what}: no sample has a finite likelihood. Start a new fit with astroemu fit")
    log_weight = points.log_weight[keep] + ratio[keep]
    change = float(np.logaddexp.reduce(log_weight))
    log_weight -= change
    kish, ess = points.effective(log_weight, keep)
    if ess < min_ess:
        raise SamplingError(
            f"{what}: {ess:.0f} of {samples.ess:.0f} effective samples are left, but at least {min_ess:g} are required "
            "(--min-ess). The new posterior lies where the run has few samples. Fit the new data with astroemu fit, or "
            "reweight a longer run"
        )
    theta = points.columns(model.names)[keep]
    moved = points.by_sample(log_weight, keep) - samples.weight
    variance = float(moved @ moved) / points.independent  # of the logarithm of the mean ratio
    evidence, error = samples.log_evidence, samples.log_evidence_err
    return Samples(
        names=model.names,
        theta=theta,
        log_likelihood=points.log_likelihood[keep] + ratio[keep],
        log_prior=model.log_prior(theta),
        log_weight=log_weight,
        sampler=samples.sampler,
        ess=ess,
        converged=samples.converged and ess >= MIN_ESS,
        reason=f"{what}: {ess:.0f} of {samples.ess:.0f} effective samples are left; the run: {samples.reason}",
        n_likelihood=len(samples),
        log_evidence=None if evidence is None else evidence + change,
        log_evidence_err=None if error is None else float(np.hypot(error, np.sqrt(variance))),
        diagnostics={
            "kish_ess": kish,
            "largest_weight": float(np.exp(log_weight.max())),
            "without_likelihood": int(np.sum(~keep)),
        },
    )


def _log_likelihood(
    configuration: Configuration, probes: list[str], points: ExtendedSamples, report: ProgressCallback
) -> FloatArray:
    """Return the log-likelihood ``(n,)`` of some probes at the points."""
    total = np.zeros(len(points))
    if not probes:
        return total
    model = configuration.only(probes).model()
    theta = points.columns(model.names)
    for start in range(0, len(theta), _BATCH):
        rows = slice(start, start + _BATCH)
        total[rows] = model.log_likelihood(theta[rows])
        report(Progress(start // _BATCH + 1, min(start + _BATCH, len(theta)), ", ".join(probes), start / len(theta)))
    return total


def _new_parameters(old: Model, new: Model, run: RunFolder) -> list[str]:
    """Return the parameters that the run does not have, after checking that those of the run keep their priors."""
    found = []
    for parameter in new.prior.free:
        name = parameter.name
        if name in old.prior.fixed:
            raise ConfigurationError(
                f"{run.path}: {name!r} is fixed at {old.prior.fixed[name]:g} in the run, so its samples have no values "
                f"of it. Hold it fixed with {_fixing(name, old.prior.fixed[name])}, or fit again with astroemu fit"
            )
        if name not in old.names:
            found.append(name)
        elif parameter.prior != old.prior[name].prior:
            raise ConfigurationError(
                f"{run.path}: the prior of {name!r} is {parameter.prior}, and {old.prior[name].prior} in the run. "
                "Reweighting cannot change priors; start a new fit with astroemu fit"
            )
    held = [name for name in old.names if name in new.prior.fixed]
    if held:
        raise ConfigurationError(
            f"{run.path}: {listing(held)} sampled in the run would be held fixed. Start a new fit with astroemu fit"
        )
    _demand_same_joint_priors(old, new, run)
    return found


def _demand_same_joint_priors(old: Model, new: Model, run: RunFolder) -> None:
    """Raise unless the joint priors of parameters of the run stay, and new ones are of new parameters only."""
    for here, there in ((new.prior.joint, old.prior.joint), (old.prior.joint, new.prior.joint)):
        for block in here:
            kept = {*block.names, *block.given} & {*old.names} & {*new.names}
            if kept and block not in there:
                raise ConfigurationError(
                    f"{run.path}: the joint prior of {listing({*block.names, *block.given})} is not that of the run, "
                    "but its parameters are. Reweighting cannot change priors; start a new fit with astroemu fit"
                )


def _fixing(name: str, value: float) -> str:
    """Return the option that holds a parameter at a value."""
    return f"--set 'parameters.{name}={{distribution = \"fixed\", value = {value:.6g}}}'"
