"""Export of samples and runs to the formats of other packages.

The formats getdist, anesthetic, csv and fits store the weights of the samples. ArviZ has no weights: it gets equally
weighted draws, and a second group with the weighted samples. The draws of a nested run are shuffled, since its samples
are sorted by likelihood. All formats store the LaTeX symbols; those that have a place for units store them too. A unit
that astropy cannot read back, such as ``cMpc`` or ``Mpc/h``, is a label in the description of its column. All formats
but that of anesthetic store the provenance of the run and of the export, as JSON.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.analysis.fits_table import fits_bytes
from astroemu.core.prior import Prior
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.core.units import is_label, parse_unit
from astroemu.errors import ConfigurationError, listing
from astroemu.inference.reuse import model_of
from astroemu.inference.run_folder import RunFolder
from astroemu.io.files import new_file, sha256, write_bytes, write_text
from astroemu.runtime.optional import import_optional
from astroemu.runtime.provenance import provenance, without_host
from astroemu.sampling.samples import Samples
from astroemu.sampling.statistics import systematic_resampling

_COLUMNS = ("weight", "log_likelihood", "log_prior")


class SampleTable:
    """Samples, with the symbols, units and ranges of the columns.

    Parameters
    ----------
    samples : Samples
    prior : Prior, optional
        Symbols, units and ranges of the parameters; by default :attr:`astroemu.Samples.prior`. A parameter that it
        lacks has its name as a symbol, no unit, and no range.

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
    summary : dict
        Title and evidence.
    provenance : str
        JSON: the provenance of this export.
    """

    def __init__(self, samples: Samples, prior: Prior | None = None) -> None:
        self.samples = samples
        self.summary: dict[str, Any] = {
            "title": "",
            "log_evidence": samples.log_evidence,
            "log_evidence_err": samples.log_evidence_err,
        }
        self.provenance = json.dumps(provenance())
        self.names: tuple[str, ...] = samples.names
        self.values: FloatArray = samples.theta
        known = prior or samples.prior
        parameters = {name: known[name] for name in samples.names if known is not None and name in known}
        self.latex = {
            name: _symbol(parameters[name].latex if name in parameters else "", name) for name in samples.names
        }
        self.unit = {name: parameters[name].unit if name in parameters else "" for name in samples.names}
        self.range = {name: p.prior.support for name, p in parameters.items()}

    def table(self) -> Any:
        """Return an :class:`astropy.table.QTable`: weight, log-likelihood, log-prior, then the columns."""
        from astropy.table import QTable

        table = QTable()
        for name, values in zip(_COLUMNS, (self.samples.weight, *self.log_columns()), strict=True):
            table[name] = values
        for j, name in enumerate(self.names):
            table[name] = self.values[:, j]
            if _is_readable(self.unit[name]):
                table[name] = self.values[:, j] * parse_unit(self.unit[name])
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
        samples are resampled with equal weights; the group ``weighted`` holds the original ones. The draws of a nested
        run are shuffled, always in the same way.

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
        if self.kind == "nested":  # sorted by likelihood, the draws would look like one slow chain
            index = np.random.default_rng(0).permuted(index, axis=1)
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
        """Return :class:`getdist.MCSamples`. Samples without weight are left out."""
        getdist = import_optional("getdist", "getdist")
        kept = self.samples.weight > 0
        known = {name: [_limit(edge) for edge in edges] for name, edges in self.range.items()}
        return getdist.MCSamples(
            samples=self.values[kept],
            weights=self.samples.weight[kept] / self.samples.weight.max(),
            loglikes=-np.sum(self.log_columns(), axis=0)[kept],
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


class RunTable(SampleTable):
    """The samples of a run; see :class:`SampleTable`.

    Parameters
    ----------
    run : RunFolder
    derived : bool
        If true, every observable that is one number, such as ``tau_e``, becomes a column.

    Attributes
    ----------
    summary : dict
        The summary of the run.
    provenance : str
        JSON: the provenance of this export, with that of the run under ``run``.
    """

    def __init__(self, run: RunFolder, *, derived: bool = False) -> None:
        model = model_of(run)
        super().__init__(run.samples(), model.prior)
        self.summary = run.summary()
        block = provenance(inputs={run.samples_file.name: sha256(run.samples_file)})
        block["run"] = without_host(self.summary.get("provenance", {}))
        self.provenance = json.dumps(block)
        numbers = {name: o for name, o in model.observables.items() if derived and not o.axes}
        if numbers:
            wanted = {name: Requirement(name, {}, o.unit) for name, o in numbers.items()}
            found = model.predict_for(wanted, self.samples.theta)
            self.values = np.concatenate([self.values, *(found[name] for name in numbers)], axis=1)
            self.names = (*self.names, *numbers)
            self.latex |= {name: _symbol(o.latex, name) for name, o in numbers.items()}
            self.unit |= {name: o.unit for name, o in numbers.items()}


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


def _write(path: Path, content: bytes | str) -> list[Path]:
    write_bytes(new_file(path), content.encode() if isinstance(content, str) else content)
    return [path]


def _write_arviz(exported: RunTable, path: Path) -> list[Path]:
    import_optional("h5netcdf", "arviz")
    file = io.BytesIO()  # HDF5 ignores errors when it closes a file on disk
    exported.arviz().to_netcdf(file, engine="h5netcdf")
    return _write(path, file.getvalue())


def _write_getdist(exported: RunTable, path: Path) -> list[Path]:
    """Write the four text files of a chain, without samples of no weight; this does not need getdist."""
    samples, root = exported.samples, str(path)
    for name in exported.names:
        if name.endswith("*") or name != "".join(name.split()):
            raise ConfigurationError(f"getdist has no names such as {name!r}: rename it without blanks and final '*'")
    derived = set(exported.names) - set(samples.names)
    kept = samples.weight > 0
    rows = np.column_stack(
        [samples.weight / samples.weight.max(), -np.sum(exported.log_columns(), axis=0), exported.values]
    )
    names = [f"{name}{'*' if name in derived else ''}\t{exported.latex[name]}" for name in exported.names]
    ranges = [f"{name} {_word(low)} {_word(high)}" for name, (low, high) in exported.range.items()]
    chain = io.StringIO()
    np.savetxt(chain, rows[kept], fmt="%.16e")
    texts = {
        ".txt": chain.getvalue(),
        ".paramnames": "\n".join(names) + "\n",
        ".ranges": "\n".join(ranges) + "\n",
        ".properties.ini": f"sampler = {exported.kind}\nprovenance = {exported.provenance}\n",
    }
    files: list[Path] = [new_file(root + suffix) for suffix in texts]
    for file, text in zip(files, texts.values(), strict=True):
        write_text(file, text)
    return files


def _write_anesthetic(exported: RunTable, path: Path) -> list[Path]:
    return _write(path, exported.anesthetic().to_csv())


def _write_csv(exported: RunTable, path: Path) -> list[Path]:
    """Write ECSV with commas: a CSV file whose comments hold units and symbols."""
    text = io.StringIO()
    exported.table().write(text, format="ascii.ecsv", delimiter=",")
    return _write(path, text.getvalue())


def _write_fits(exported: RunTable, path: Path) -> list[Path]:
    return _write(path, fits_bytes(exported.table()))


_FORMS: Mapping[str, tuple[str, Callable[[RunTable, Path], list[Path]]]] = {
    "arviz": (".nc", _write_arviz),
    "getdist": ("", _write_getdist),
    "anesthetic": (".csv", _write_anesthetic),
    "csv": (".ecsv", _write_csv),
    "fits": (".fits", _write_fits),
}


def _is_readable(unit: str) -> bool:
    """Return True for a linear unit that astropy reads back; tables and FITS have no logarithmic units."""
    from astropy.units import Unit, UnitBase

    found = parse_unit(unit)
    try:
        return not is_label(unit) and isinstance(found, UnitBase) and bool(str(found)) and Unit(str(found)) == found
    except ValueError:  # little h
        return False


def _symbol(latex: str, name: str) -> str:
    """Return a LaTeX symbol in one line, or the name as LaTeX text."""
    if latex.split():
        return " ".join(latex.split())
    return r"{\rm " + name.replace("_", r"\_") + "}"


def _limit(edge: float) -> float | None:
    return float(edge) if np.isfinite(edge) else None


def _word(edge: float) -> str:
    return f"{edge:.10g}" if np.isfinite(edge) else "N"
