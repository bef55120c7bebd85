"""Tension between data sets within one model (Handley & Lemos 2019, arXiv:1902.04029 and 1903.06682).

Each data set is fitted alone, and all are fitted together, by nested sampling with the same priors. Each run gives the
evidence Z, the Kullback-Leibler divergence D from prior to posterior, and the dimensionality d = 2 var(ln L). Then

    ln R = ln Z_AB - ln Z_A - ln Z_B          positive: the data sets agree; wider priors increase it
    I    = D_A + D_B - D_AB                   the part of ln R that depends on the priors
    ln S = ln R - I                           suspiciousness: the part that does not depend on the priors
    d    = d_A + d_B - d_AB                   number of parameters that the data sets constrain in common
    p    = P(chi^2_d > d - 2 ln S)            probability of a tension at least this large, for Gaussian posteriors

The package anesthetic computes them. The errors come from many draws of the prior volumes of the nested samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.progress import ProgressCallback, silent
from astroemu.errors import AstroemuError, ConfigurationError, SamplingError, closest, listing
from astroemu.inference.configuration import Configuration
from astroemu.inference.fitting import fit
from astroemu.inference.run_folder import RunFolder
from astroemu.io.files import write_json
from astroemu.runtime.mpi import processes
from astroemu.runtime.optional import import_optional, is_installed
from astroemu.runtime.plugins import SAMPLERS
from astroemu.sampling.samples import Samples

#: Number of draws of the prior volumes for every mean and error.
DRAWS = 1000
#: Our names of anesthetic's columns: those of one run, and those that compare data sets.
_OF_A_RUN = {"logZ": "log_evidence", "D_KL": "d_kl", "logL_P": "mean_log_likelihood", "d_G": "dimensionality"}
_BETWEEN = {"logR": "log_r", "I": "information", "logS": "log_s", "d_G": "dimensionality", "p": "p", "sigma": "sigma"}
ProbeGroup = tuple[str, ...]


@dataclass(frozen=True)
class TensionStudy:
    """The fits of a tension study: each group of probes alone, then all groups together.

    Attributes
    ----------
    configuration : Configuration
    groups : tuple of tuples of str
        Names of probes.
    sampler : str
        Name of a nested sampler.
    """

    configuration: Configuration
    groups: tuple[ProbeGroup, ...]
    sampler: str

    @classmethod
    def of(cls, configuration: Configuration, groups: Sequence[str], sampler: str | None = None) -> TensionStudy:
        """Return the study of groups such as ``"a+b"``; a single group is compared with all other probes.

        Raises
        ------
        ConfigurationError
            If a probe is unknown or in two groups, if there is no second group, or if the sampler is not nested.
        """
        known = list(configuration.document.probes)
        read = [tuple(name.strip() for name in group.split("+")) for group in groups]
        for name in (name for group in read for name in group):
            if name not in known:
                raise ConfigurationError(
                    f"{configuration.path} has no probe {name!r}.{closest(name, known)} It has {listing(known)}"
                )
        taken = [name for group in read for name in group]
        if len(read) == 1:
            read.append(tuple(name for name in known if name not in taken))
        doubled = {name for name in taken if taken.count(name) > 1}
        if doubled or not all(read):
            wrong = f"{listing(doubled)} given twice" if doubled else "no probe is left for the other group"
            raise ConfigurationError(
                f"{wrong}: at least two groups of probes are needed, and no probe may be in two groups"
            )
        ordered = tuple(tuple(name for name in known if name in group) for group in read)
        return cls(configuration, ordered, _nested_sampler(configuration, sampler))

    @property
    def together(self) -> ProbeGroup:
        """All probes of the groups, in the order of the configuration."""
        return tuple(name for name in self.configuration.document.probes if any(name in g for g in self.groups))

    @property
    def left_out(self) -> ProbeGroup:
        """Probes of the configuration that are in no group."""
        return tuple(name for name in self.configuration.document.probes if name not in self.together)


def tension(
    plan: TensionStudy,
    out: str | Path,
    *,
    seed: int | None = None,
    accept_changed_code: bool = False,
    report: Callable[[str], AbstractContextManager[ProgressCallback]] = lambda _: nullcontext(silent),
) -> dict[str, Any] | None:
    """Make the missing runs of a study and return the tension between its data sets.

    Every run has a folder below ``out``, named after its probes. An interrupted run is resumed. A finished run of the
    same fingerprint is used again, so several studies of one configuration share runs.

    Under ``mpiexec`` all processes must call it.

    Parameters
    ----------
    plan : TensionStudy
    out : str or Path
        Folder of the runs and of the result.
    seed : int, optional
        By default that of the configuration.
    accept_changed_code : bool
        Accept that the code of plugins or their versions have changed since a run was made or begun; see
        :func:`astroemu.inference.fitting.fit`.
    report : callable
        Called with the name of a run. It returns a context manager whose value is called with the progress of that run.

    Returns
    -------
    dict, or None on all ranks but rank 0
        ``between``, ``left_out``, ``statistics``, ``runs``, ``draws``, ``undefined`` and ``written``.

    Raises
    ------
    PluginError
        If anesthetic is not installed.
    RunFolderError
        If a folder holds another run.
    SamplingError
        If a run has no ``log_birth``.
    """
    import_optional("anesthetic", "anesthetic")
    folders = {}
    for group in (*plan.groups, plan.together):
        label = "+".join(group)
        with report(label) as progress:
            folders[label], _ = fit(
                plan.configuration.only(group),
                out=Path(out) / label,
                sampler=plan.sampler,
                seed=seed,
                resume=True,
                accept_changed_code=accept_changed_code,
                report=progress,
            )
    if not processes().is_root:
        return None
    result = tension_statistics(plan, folders, seed=plan.configuration.document.seed if seed is None else seed)
    path = Path(out) / f"{'--'.join('+'.join(group) for group in plan.groups)}.json"
    write_json(path, result)
    return {**result, "written": str(path)}


def tension_statistics(
    plan: TensionStudy, folders: dict[str, RunFolder], *, seed: int, draws: int = DRAWS
) -> dict[str, Any]:
    """Return the tension statistics of finished runs.

    Parameters
    ----------
    plan : TensionStudy
    folders : dict of str to RunFolder
        By label: each group of the study, then all groups together.
    seed : int
        Seed of the draws of the prior volumes.
    draws : int

    Returns
    -------
    dict
        As for :func:`tension`, without ``written``.
    """
    from anesthetic.tension import tension_stats

    before = np.random.get_state()  # anesthetic draws from NumPy's global generator; it is restored below
    np.random.seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
    try:
        drawn = {label: _drawn(folder.samples(), folder.path, draws) for label, folder in folders.items()}
    finally:
        np.random.set_state(before)
    *separate, joint = drawn.values()
    with np.errstate(invalid="ignore"):
        found = tension_stats(joint, *separate)
    summaries = {label: folder.summary() for label, folder in folders.items()}
    return {
        "title": plan.configuration.document.title,
        "between": [list(group) for group in plan.groups],
        "left_out": list(plan.left_out),
        "statistics": _moments(found, _BETWEEN),
        "undefined": float(np.mean(~np.isfinite(found["p"].to_numpy()))),
        "runs": {
            label: {
                "folder": str(folders[label].path),
                "converged": summaries[label]["converged"],
                "converged_reason": summaries[label]["converged_reason"],
                "n_likelihood": summaries[label]["n_likelihood"],
                **_moments(table, _OF_A_RUN),
            }
            for label, table in drawn.items()
        },
        "sampler": plan.sampler,
        "seed": seed,
        "draws": draws,
    }


def _nested_sampler(configuration: Configuration, name: str | None) -> str:
    """Return the requested sampler; else that of the configuration; else the first nested one with a table there.

    If the configuration names none, it is the one that is installed with all that it needs.
    """
    if name is not None:
        if not configuration.sampler(name).traits.nested:
            raise ConfigurationError(
                f"the sampler {name!r} is not nested, but tension needs nested samples. Nested samplers: "
                f"{listing(_all_nested())}"
            )
        return name
    for candidate in (configuration.document.sampler, *configuration.document.samplers):
        if configuration.sampler(candidate).traits.nested:
            return candidate
    usable = [candidate for candidate in _all_nested() if _is_complete(candidate)]
    if len(usable) == 1:
        return usable[0]
    which = f"installed: {listing(usable)}" if usable else f"none of {listing(_all_nested())} is installed completely"
    raise ConfigurationError(
        f"{configuration.path} names no nested sampler, which tension needs. Choose one with --sampler; {which}"
    )


def _all_nested() -> list[str]:
    found = []
    for name in SAMPLERS.names:
        try:
            if SAMPLERS.load(name).traits.nested:
                found.append(name)
        except AstroemuError:  # a plugin that fails to load cannot be chosen
            continue
    return found


def _is_complete(name: str) -> bool:
    """Return True if the packages and the library of a sampler are installed. Nothing is imported but its class."""
    cls = SAMPLERS.load(name)
    component = cls.component()
    return all(is_installed(package) for package in cls.packages) and (component is None or bool(component.found))


def _drawn(samples: Samples, path: Path, draws: int) -> Any:
    """Return anesthetic's ``logZ``, ``D_KL``, ``logL_P`` and ``d_G`` of a run, for each draw of its prior volumes."""
    import anesthetic

    if samples.log_birth is None:
        raise SamplingError(
            f"{path} does not hold log_birth, the likelihood above which each sample was drawn: it was made by an "
            "older version, or by a sampler that gives none. Remove the folder, and the run is made again"
        )
    columns = list(samples.names)
    table = anesthetic.NestedSamples(
        samples.theta, columns=columns, logL=samples.log_likelihood, logL_birth=samples.log_birth
    ).stats(draws)
    table["logZ"] += samples.log_volume  # anesthetic assumes that the run starts from a prior volume of one
    table["D_KL"] -= samples.log_volume
    return table


def _moments(table: Any, names: dict[str, str]) -> dict[str, dict[str, float | None]]:
    """Return mean and standard deviation of the finite draws of each column; None if no draw is finite."""
    found = {}
    for column, name in names.items():
        values = table[column].to_numpy()
        values = values[np.isfinite(values)]
        found[name] = {
            "mean": float(values.mean()) if len(values) else None,
            "std": float(values.std()) if len(values) else None,
        }
    return found
