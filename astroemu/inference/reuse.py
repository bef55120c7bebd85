"""The use of finished runs by later commands: is the run still the one that the configuration, data and code give?

A number of a finished run may be combined with new ones only if both come from the same likelihood. Two checks answer
this: the fingerprint of the run, and its log-likelihoods at its best samples, which are computed again.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from astroemu.errors import DataError, RunFolderError, RunWarning
from astroemu.inference.fingerprint import FORMAT, RunFingerprint, differences, of_likelihood, only_code
from astroemu.inference.run_folder import RunFolder
from astroemu.model.model import Model
from astroemu.sampling.replay import ABSOLUTE, RELATIVE
from astroemu.sampling.samples import Samples

#: Number of best samples at which the likelihood is computed again.
CHECKED = 16


def demand_current(run: RunFolder, model: Model | None = None, *, accept_changed_code: bool = False) -> None:
    """Raise unless the likelihood of a finished run is that of its configuration, data and code now.

    Parameters
    ----------
    run : RunFolder
        A finished run.
    model : Model, optional
        The model of its configuration, if it is there already.
    accept_changed_code : bool
        Accept that the code of plugins and their versions have changed; there is a warning that lists the changes.
        The likelihoods are compared in any case.

    Raises
    ------
    RunFolderError
        If something differs. The message names every field that differs, with both values.
    DataError
        If the likelihoods differ.
    """
    model = run.configuration().model() if model is None else model
    lines = changes(run, model)
    if lines and not (accept_changed_code and only_code(lines)):
        hint = (
            "\nOnly code has changed. If no number can depend on it (a comment, a label), add --accept-changed-code"
            if only_code(lines)
            else ""
        )
        raise RunFolderError(
            f"{run.path} was made with something else than what is there now, so its numbers cannot be used with new "
            "ones; nothing was written. Restore what differs, or fit again:\n" + "\n".join(lines.values()) + hint
        )
    if lines:
        warnings.warn(f"{run.path}: changed code was accepted:\n" + "\n".join(lines.values()), RunWarning, stacklevel=2)
    demand_same_likelihood(run, model, run.samples())


def changes(run: RunFolder, model: Model) -> dict[str, str]:
    """Return a line for each field that determines the likelihood of a run and differs now, by the name of the field.

    It is empty for a run of an earlier version, whose fingerprint has not these fields.
    """
    if not run.identity_file.is_file():
        return {}
    before = RunFingerprint.load(run.identity_file)
    if before.format != FORMAT:
        return {}
    now = of_likelihood(run.configuration(), model)
    return differences(_known(before.must_match, now), now)


def _known(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a fingerprint that describe the likelihood. Code that only the sampler needs is left out."""
    found = {key: before[key] for key in now if key in before}
    for key in ("plugins", "source"):
        found[key] = {name: value for name, value in before.get(key, {}).items() if name in now[key]}
    return found


def model_of(run: RunFolder) -> Model:
    """Return the model of a finished run, for what is drawn or computed beside its samples.

    There is a warning, which names what differs, if something that determines the likelihood has changed since the run.

    Raises
    ------
    RunFolderError
        If the parameters of the model are not those of the samples.
    """
    model = run.configuration().model()
    demand_same_names(run, model, run.samples())
    lines = changes(run, model)
    if lines:
        warnings.warn(
            f"{run.path}: what is computed now (curves, derived numbers) does not come from what the run was made "
            "with. Its samples and its summary are as they were. Changed since:\n" + "\n".join(lines.values()),
            RunWarning,
            stacklevel=2,
        )
    return model


def demand_same_names(run: RunFolder, model: Model, samples: Samples) -> None:
    """Raise unless the columns of samples are the parameters of a model, in this order.

    Raises
    ------
    RunFolderError
        If they are not.
    """
    if model.names != samples.names:
        raise RunFolderError(
            f"{run.path}: its samples are of the parameters {', '.join(samples.names)}, but its configuration samples "
            f"{', '.join(model.names)}. One of its files was exchanged or edited; restore it"
        )


def demand_same_likelihood(run: RunFolder, model: Model, samples: Samples) -> None:
    """Raise unless a model gives the stored log-likelihoods at the best samples of its run.

    Raises
    ------
    DataError
        If it does not.
    RunFolderError
        If they are of other parameters.
    """
    demand_same_names(run, model, samples)
    best = np.argsort(samples.log_weight)[-CHECKED:]
    before = model.counts.copy()
    there, here = samples.log_likelihood[best], model.log_likelihood(samples.theta[best])
    vars(model.counts).update(vars(before))
    if not np.allclose(here, there, rtol=RELATIVE, atol=ABSOLUTE):
        with np.errstate(invalid="ignore"):
            j = int(np.argmax(np.nan_to_num(np.abs(here - there), nan=0.0)))
        raise DataError(
            f"{run.path}: ln L of a sample was {there[j]:.4f} and is {here[j]:.4f} now. The likelihood has changed "
            "since the run, through other versions of programs or another file; start a new fit with astroemu fit"
        )
