"""Mock data: catalogs drawn from the likelihoods of a configuration, at known true parameters.

    FOLDER/NAME.toml    the configuration with these catalogs: `astroemu fit FOLDER/NAME.toml`
    FOLDER/PROBE.*      one catalog per probe, in the format of the real one, marked as mock, with its truth
    FOLDER/truth.json   the true parameters, and how the data were made

A likelihood is used as a probability density of its data. For some likelihoods the integral over the data depends on
the parameters. An example is a limit with an unknown systematic, whose improper prior leaves no normalised density.
Then true parameters are drawn from the prior times that integral. Parameters and data are draws from the joint
density to which the posterior belongs, and fits to them are calibrated (Talts et al. 2018, arXiv:1804.06788).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.probe import Probe
from astroemu.core.typing import FloatArray
from astroemu.errors import AstroemuError, ConfigurationError, ProbeError, SamplingError, closest, listing
from astroemu.inference.configuration import Configuration
from astroemu.io.ecsv import read_ecsv
from astroemu.io.files import new_file, strict_json, write_atomically, write_bytes, write_json, write_text
from astroemu.io.paths import looks_like_path
from astroemu.io.toml import dump_toml
from astroemu.model.model import Model
from astroemu.runtime.plugin_files import split_reference
from astroemu.runtime.provenance import provenance
from astroemu.sampling.statistics import kish_ess

#: Prior draws among which truths are chosen: first number, largest number, and smallest effective number.
_FIRST_POOL, _LARGEST_POOL, _LEAST_POOL = 10_000, 1_280_000, 1_000
_CHUNK = 1_000
#: A log-normalisation this far below the largest one counts as unlikely.
_UNLIKELY = 10.0
#: Title of every mock catalog.
_MARK = "Mock data, drawn from a likelihood at a known truth. No measurement"


def mock_probes(truth: Model, theta: FloatArray, rng: np.random.Generator | None) -> dict[str, Probe]:
    """Return the probes of a model with data drawn at one point.

    Parameters
    ----------
    truth : Model
        Predicts the data.
    theta : (d,) array
        The true parameters.
    rng : Generator or None
        None for data without noise.

    Raises
    ------
    ConfigurationError
        If the point is outside a provider's range, or a probe cannot draw its data.
    ProbeError
        If the simulation of a probe fails.
    """
    drawn: dict[str, Probe] = {}
    for key, (predictions, nuisance) in truth.probe_inputs(theta[None]).items():
        try:
            drawn[key] = truth.probes[key].simulate(predictions, nuisance, rng)
        except NotImplementedError as reason:
            raise ConfigurationError(f"the probe {key!r} has no mock data: {reason}") from None
        except (AstroemuError, ProbeError):
            raise
        except Exception as error:
            raise ProbeError(f"{key!r}: simulate raised {type(error).__name__}: {error}") from error
    return drawn


def log_normalisations(model: Model, theta: FloatArray) -> dict[str, FloatArray]:
    """Return the log-normalisation ``(n,)`` at points ``(n, d)``, for every probe that defines one.

    See :meth:`astroemu.core.probe.Probe.log_normalisation`.
    """
    varying = [k for k, p in model.probes.items() if type(p).log_normalisation is not Probe.log_normalisation]
    found = {key: np.zeros(len(theta)) for key in varying}
    for start in range(0, len(theta) if varying else 0, _CHUNK):
        part = slice(start, start + _CHUNK)
        handed = model.probe_inputs(theta[part])
        for key in varying:
            found[key][part] = model.probes[key].log_normalisation(*handed[key])
    return found


def usual_normalisations(model: Model, seed: int) -> dict[str, float]:
    """Return the largest log-normalisation of each probe among 1000 prior draws."""
    found = log_normalisations(model, _drawn(model, _CHUNK, np.random.default_rng([seed, 2])))
    return {key: float(np.max(values, initial=-np.inf)) for key, values in found.items()}


def unlikely_probes(truth: Model, theta: FloatArray, usual: Mapping[str, float]) -> list[str]:
    """Return the probes whose mock data are a rare fluctuation at a truth ``(d,)``.

    A limit is drawn below the published one. For a truth far above the published limit, such data need a rare
    fluctuation. A fit then correctly excludes the truth.
    """
    found = log_normalisations(truth, theta[None])
    return [key for key, values in found.items() if not values[0] > usual[key] - _UNLIKELY]


def _drawn(model: Model, n: int, rng: np.random.Generator) -> FloatArray:
    """Return those of ``n`` prior draws that lie in the range of every provider, ``(m, d)``."""
    parts = [model.prior.sample(min(_CHUNK, n - start), rng) for start in range(0, n, _CHUNK)]
    return np.concatenate([part[model.in_range(part)] for part in parts])


class TruthSampler:
    """Draws of true parameters from the prior times the normalisation of the likelihoods.

    The normalisation is that of the emulator's prediction. Truths are independent weighted draws from a pool of prior
    draws.

    Parameters
    ----------
    model : Model
    seed : int

    Raises
    ------
    SamplingError
        If too few prior draws have a weight.
    """

    def __init__(self, model: Model, seed: int) -> None:
        self.model = model
        rng = np.random.default_rng([seed, 0])
        self.theta, self.log_weight = np.zeros((0, len(model.names))), np.zeros(0)
        drawn, wanted = 0, _FIRST_POOL
        while not len(self.theta) or self.effective < _LEAST_POOL:
            if wanted > _LARGEST_POOL:
                raise SamplingError(
                    f"only {self.effective:.0f} of {len(self.theta)} prior draws are compatible with data like these; "
                    f"{_LEAST_POOL} are needed to draw true parameters. Narrow the prior"
                )
            theta = _drawn(model, wanted - drawn, rng)
            drawn = wanted
            weight = sum(log_normalisations(model, theta).values(), np.zeros(len(theta)))
            self.theta = np.concatenate([self.theta, theta])
            self.log_weight = np.concatenate([self.log_weight, np.where(np.isfinite(weight), weight, -np.inf)])
            wanted *= 4

    @property
    def effective(self) -> float:
        """Effective number of draws in the pool."""
        return kish_ess(self.log_weight) if np.any(np.isfinite(self.log_weight)) else 0.0

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """Return one point ``(d,)``."""
        return np.array(self.theta[int(np.argmax(self.log_weight + rng.gumbel(size=len(self.log_weight))))])


def complete_point(model: Model, values: Mapping[str, float], rest: FloatArray | None = None) -> FloatArray:
    """Return values by name as one point ``(d,)``; missing values come from ``rest``.

    Raises
    ------
    ConfigurationError
        If a name is not sampled, a value is missing without ``rest``, or the prior density is zero at the point.
    """
    names = model.names
    for name in values:
        if name not in names:
            raise ConfigurationError(
                f"{name!r} is not a sampled parameter of {model.name!r}.{closest(name, names)} It has {listing(names)}"
            )
    missing = [name for name in names if name not in values]
    if missing and rest is None:
        raise ConfigurationError(
            f"no value is given for {listing(missing)}: add --at {missing[0]}=VALUE, or --draw to draw missing values"
        )
    theta = np.array([values.get(name, np.nan if rest is None else rest[j]) for j, name in enumerate(names)])
    if not np.isfinite(model.log_prior(theta[None])[0]):
        worst = next((p for p, v in zip(model.prior.free, theta, strict=True) if not _within(v, p.prior.support)), None)
        detail = (
            ""
            if worst is None
            else f": {worst.name} = {theta[names.index(worst.name)]:g} is not in {worst.prior.support}"
        )
        raise ConfigurationError(f"the prior is zero at this point{detail}")
    return theta


def _within(value: float, support: tuple[float, float]) -> bool:
    return support[0] <= value <= support[1]


def write_mock(
    configuration: Configuration, probes: Mapping[str, Probe], folder: Path, note: Mapping[str, Any]
) -> Path:
    """Write the catalogs, the configuration that fits them, and the true parameters.

    Parameters
    ----------
    configuration : Configuration
    probes : mapping of str to Probe
        From :func:`mock_probes`.
    folder : Path
        New or empty.
    note : mapping
        Content of ``truth.json``.

    Returns
    -------
    Path
        Path of the configuration.

    Raises
    ------
    ConfigurationError
        If a probe cannot write its data, or its name cannot be a file name.
    DataError
        If one of the files exists already.
    """
    for key in probes:
        if not re.fullmatch(r"\w[\w.+-]*", key):
            raise ConfigurationError(f"the probe {key!r} cannot name a file; use letters, digits, '_', '-', '.', '+'")
    path = new_file(folder / f"{configuration.name}.toml")
    raw = _absolute(configuration.raw, configuration.path.parent.resolve())
    for key, probe in probes.items():
        try:
            options = probe.save(folder, key)
            raw["probes"][key] = {**raw["probes"][key], **options}
        except NotImplementedError as reason:
            raise ConfigurationError(f"the probe {key!r} has no catalog: {reason}") from None
        for name in options.values():
            if isinstance(name, str) and (folder / name).is_file():
                _mark(folder / name, note)
    title = configuration.document.title or configuration.name
    text = dump_toml({**raw, "title": f"Mock data: {title}"})
    content = {**note, "provenance": provenance(inputs={configuration.path.name: configuration.sha256})}
    write_json(new_file(folder / "truth.json"), content)
    write_text(path, text)
    return path


def _mark(path: Path, note: Mapping[str, Any]) -> None:
    """Write into a mock catalog that it is one, and its truth. The names of the references stay: they choose rows."""
    truth = json.dumps(json.loads(strict_json(note)))
    if path.suffix == ".ecsv":
        from astropy.io import ascii as ecsv

        table = read_ecsv(path)
        table.meta = {"title": _MARK, "truth": truth}
        if "verified" in table.colnames:
            table["verified"] = ["mock data"] * len(table)
        write_atomically(path, lambda temporary: ecsv.write(table, temporary, format="ecsv"))
    elif path.suffix == ".h5":
        import h5py

        with io.BytesIO(path.read_bytes()) as image:
            with h5py.File(image, "r+") as file:
                file.attrs["title"], file.attrs["truth"] = _MARK, truth
                file.flush()
            write_bytes(path, image.getvalue())


def _absolute(value: Any, base: Path) -> Any:
    """Return the same content, with relative paths of existing files made absolute."""
    if isinstance(value, Mapping):
        return {key: _absolute(item, base) for key, item in value.items()}
    if isinstance(value, list):
        return [_absolute(item, base) for item in value]
    if isinstance(value, str) and looks_like_path(value):
        file, *name = split_reference(value) or (value,)
        return ":".join((str(base / file), *name)) if (base / file).exists() else value
    return value
