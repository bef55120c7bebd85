"""Export of runs to the formats of other packages.

The formats getdist, anesthetic, csv and fits store the weights of the samples. ArviZ has no weights: it gets equally
weighted draws, and a second group with the weighted samples. All formats store the LaTeX symbols; those that have a
place for units store them too. All formats but that of anesthetic store the provenance of the run and of the export,
as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.core.units import parse_unit
from astroemu.errors import ConfigurationError, listing
from astroemu.inference.run_folder import RunFolder
from astroemu.io.files import new_file, sha256, write_atomically, write_text
from astroemu.runtime.optional import import_optional
from astroemu.runtime.provenance import provenance, without_host
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import systematic_resampling

_COLUMNS = ("weight", "log_likelihood", "log_prior")
_FITS_KEYS = {"provenance": "PROVENAN", "log_evidence": "LNZ", "log_evidence_err": "LNZERR"}


class RunTable:
    """The samples of a run, with the symbols, units and ranges of the columns.

    Parameters
    ----------
    run : RunFolder
    derived : bool
        If true, every observable that is one number, such as ``tau_e``, becomes a column.

    Attributes
    ----------
    samples : Samples
    names : tuple of str
        Parameters, then derived numbers.
    values : (n, len(names)) array
        Each column in its ``unit``.
    latex, unit : dict of str to str
        By column.
    range : dict of str to tuple of float
        Support of the prior; parameters only.
    provenance : str
        JSON: the provenance of this export, with that of the run under ``run``.
    """

    def __init__(self, run: RunFolder, *, derived: bool = False) -> None:
        self.samples: Samples = run.samples()
        self.summary = run.summary()
        block = provenance(inputs={run.samples_file.name: sha256(run.samples_file)})
        block["run"] = without_host(self.summary.get("provenance", {}))
        self.provenance = json.dumps(block)
        model = run.configuration().model()
        parameters = [model.prior[name] for name in self.samples.names]
        self.names: tuple[str, ...] = self.samples.names
        self.values: FloatArray = self.samples.theta
        self.latex = {p.name: p.latex or _plain(p.name) for p in parameters}
        self.unit = {p.name: p.unit for p in parameters}
        self.range = {p.name: p.prior.support for p in parameters}
        numbers = {name: o for name, o in model.observables.items() if derived and not o.axes}
        if numbers:
            wanted = {name: Requirement(name, {}, o.unit) for name, o in numbers.items()}
            found = model.predict_for(wanted, self.samples.theta)
            self.values = np.concatenate([self.values, *(found[name] for name in numbers)], axis=1)
            self.names = (*self.names, *numbers)
            self.latex |= {name: o.latex or _plain(name) for name, o in numbers.items()}
            self.unit |= {name: o.unit for name, o in numbers.items()}

    def table(self) -> Any:
        """Return an :class:`astropy.table.QTable`: weight, log-likelihood, log-prior, then the columns."""
        from astropy.table import QTable
        from astropy.units import UnitBase

        table = QTable()
        for name, values in zip(_COLUMNS, (self.samples.weight, *self.log_columns()), strict=True):
            table[name] = values
        for j, name in enumerate(self.names):
            unit = parse_unit(self.unit[name])
            # A logarithm is stored without unit: tables and FITS have no logarithmic units.
            table[name] = self.values[:, j] * unit if isinstance(unit, UnitBase) and str(unit) else self.values[:, j]
            table[name].info.description = f"${self.latex[name]}$" + (
                f" [{self.unit[name]}]" if self.unit[name] else ""
            )
        evidence = {key: self.summary[key] for key in ("log_evidence", "log_evidence_err")}
        table.meta.update({"title": self.summary["title"], "sampler": self.samples.sampler, "ess": self.samples.ess})
        table.meta["provenance"] = self.provenance
        table.meta.update({key: value for key, value in evidence.items() if value is not None})
        return table

    def arviz(self, *, draws: int | None = None) -> Any:
        """Return an :class:`xarray.DataTree` in the layout of ArviZ's InferenceData.

        The walkers of an ensemble are the chains. They are not independent, so R-hat over them is too small. Weighted
        samples are resampled with equal weights; the group ``weighted`` holds the original ones.

        Parameters
        ----------
        draws : int, optional
            Number of resampled draws; by default the effective sample size.
        """
        xarray = import_optional("xarray", "arviz")
        samples = self.samples
        logs = dict(zip(_COLUMNS[1:], self.log_columns(), strict=True))
        equal = bool(np.ptp(samples.log_weight) < 1e-9)
        if equal:
            chains = int(samples.diagnostics.get("walkers", 1))
            chains = chains if len(samples) % chains == 0 else 1
            index = np.arange(len(samples)).reshape(-1, chains).T  # a flat chain is stored step by step
        else:
            n = max(int(draws or samples.ess), 1)
            index = systematic_resampling(samples.weight, n)[None]
        dims = ("chain", "draw")
        groups: dict[str, dict[str, Any]] = {
            "posterior": {name: (dims, self.values[index, j], self._attributes(name)) for j, name in self._columns()},
            "sample_stats": {"lp": (dims, (logs["log_likelihood"] + logs["log_prior"])[index])},
        }
        groups["sample_stats"] |= {name: (dims, values[index]) for name, values in logs.items()}
        coordinates = {"chain": np.arange(index.shape[0]), "draw": np.arange(index.shape[1])}
        tree = {key: xarray.Dataset(group, coords=coordinates) for key, group in groups.items()}
        if not equal:
            flat: dict[str, Any] = {
                name: ("sample", self.values[:, j], self._attributes(name)) for j, name in self._columns()
            }
            flat |= {name: ("sample", values) for name, values in logs.items()}
            tree["weighted"] = xarray.Dataset({**flat, "weight": ("sample", samples.weight)})
        tree["posterior"].attrs |= {"sampler": samples.sampler, "title": self.summary["title"]}
        return xarray.DataTree.from_dict({**tree, "/": xarray.Dataset(attrs={"provenance": self.provenance})})

    def getdist(self) -> Any:
        """Return :class:`getdist.MCSamples`."""
        getdist = import_optional("getdist", "getdist")
        known = {name: [_limit(edge) for edge in edges] for name, edges in self.range.items()}
        return getdist.MCSamples(
            samples=self.values,
            weights=self.samples.weight / self.samples.weight.max(),
            loglikes=-sum(self.log_columns()),
            names=list(self.names),
            labels=[self.latex[name] for name in self.names],
            ranges=known,
            sampler=self.kind,
        )

    def anesthetic(self) -> Any:
        """Return :class:`anesthetic.NestedSamples` if ``log_birth`` is known, else :class:`anesthetic.MCMCSamples`.

        For a nested run anesthetic computes its own weights from ``log_birth``.
        """
        anesthetic = import_optional("anesthetic", "anesthetic")
        columns = {"columns": list(self.names), "labels": [f"${self.latex[name]}$" for name in self.names]}
        samples = self.samples
        if samples.log_birth is not None:
            return anesthetic.NestedSamples(
                self.values, logL=samples.log_likelihood, logL_birth=samples.log_birth, **columns
            )
        return anesthetic.MCMCSamples(self.values, weights=samples.weight, logL=samples.log_likelihood, **columns)

    @property
    def kind(self) -> str:
        """The kind of sampler by the names of getdist: ``nested`` or ``mcmc``."""
        return "nested" if self.samples.log_evidence is not None else "mcmc"

    def log_columns(self) -> tuple[FloatArray, FloatArray]:
        """Return log-likelihood and log-prior of the samples, each ``(n,)``."""
        return self.samples.log_likelihood, self.samples.log_prior

    def _columns(self) -> list[tuple[int, str]]:
        return list(enumerate(self.names))

    def _attributes(self, name: str) -> dict[str, str]:
        return {"units": self.unit[name], "long_name": f"${self.latex[name]}$"}


def export(run: RunFolder, form: str, out: str | Path | None = None, *, derived: bool = False) -> list[Path]:
    """Write a run in the format of another package.

    Parameters
    ----------
    run : RunFolder
    form : {"arviz", "getdist", "anesthetic", "csv", "fits"}
    out : str or Path, optional
        File to write; for getdist the root of the names of four files. By default ``export_FORM`` with the suffix of
        the format, in the run folder.
    derived : bool
        See :class:`RunTable`.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ConfigurationError
        If ``form`` is unknown.
    PluginError
        If the package that the format needs is not installed.
    DataError
        If a file exists already.
    """
    if form not in _FORMS:
        raise ConfigurationError(f"there is no form {form!r}; the forms are {listing(_FORMS)}")
    suffix, write = _FORMS[form]
    path = Path(out) if out is not None else run.path / f"export_{form}{suffix}"
    return write(RunTable(run, derived=derived), path)


def _write(path: Path, write: Callable[[Path], object]) -> list[Path]:
    write_atomically(new_file(path), write)
    return [path]


def _write_arviz(exported: RunTable, path: Path) -> list[Path]:
    import_optional("h5netcdf", "arviz")
    tree = exported.arviz()
    return _write(path, lambda temporary: tree.to_netcdf(temporary, engine="h5netcdf"))


def _write_getdist(exported: RunTable, path: Path) -> list[Path]:
    """Write the four text files of a chain; this does not need getdist."""
    samples, root = exported.samples, str(path)
    derived = set(exported.names) - set(samples.names)
    rows = np.column_stack([samples.weight / samples.weight.max(), -sum(exported.log_columns()), exported.values])
    names = [f"{name}{'*' if name in derived else ''}\t{exported.latex[name]}" for name in exported.names]
    ranges = [f"{name} {_word(low)} {_word(high)}" for name, (low, high) in exported.range.items()]
    properties = f"sampler = {exported.kind}\nprovenance = {exported.provenance}\n"
    texts = {
        ".paramnames": "\n".join(names) + "\n",
        ".ranges": "\n".join(ranges) + "\n",
        ".properties.ini": properties,
    }
    files = [new_file(root + suffix) for suffix in (".txt", *texts)]
    write_atomically(files[0], lambda temporary: np.savetxt(temporary, rows, fmt="%.10e"))
    for file, text in zip(files[1:], texts.values(), strict=True):
        write_text(file, text)
    return files


def _write_anesthetic(exported: RunTable, path: Path) -> list[Path]:
    samples = exported.anesthetic()
    return _write(path, lambda temporary: samples.to_csv(temporary))


def _write_csv(exported: RunTable, path: Path) -> list[Path]:
    """Write ECSV with commas: a CSV file whose comments hold units and symbols."""
    table = exported.table()
    return _write(path, lambda temporary: table.write(temporary, format="ascii.ecsv", delimiter=","))


def _write_fits(exported: RunTable, path: Path) -> list[Path]:
    from astropy.io import fits

    table = exported.table()
    table.meta = {_FITS_KEYS.get(key, key): value for key, value in table.meta.items()}  # eight letters
    hdu = fits.table_to_hdu(table)
    for j, name in enumerate(table.colnames, 1):  # the symbols: FITS allows one comment per column
        hdu.header[f"TCOMM{j}"] = str(table[name].info.description or "")
    made = fits.HDUList([fits.PrimaryHDU(), hdu])
    return _write(path, lambda temporary: made.writeto(temporary, output_verify="exception"))


_FORMS: Mapping[str, tuple[str, Callable[[RunTable, Path], list[Path]]]] = {
    "arviz": (".nc", _write_arviz),
    "getdist": ("", _write_getdist),
    "anesthetic": (".csv", _write_anesthetic),
    "csv": (".ecsv", _write_csv),
    "fits": (".fits", _write_fits),
}


def _plain(name: str) -> str:
    """Return a name as LaTeX text."""
    return r"{\rm " + name.replace("_", r"\_") + "}"


def _limit(edge: float) -> float | None:
    return float(edge) if np.isfinite(edge) else None


def _word(edge: float) -> str:
    return f"{edge:.10g}" if np.isfinite(edge) else "N"
