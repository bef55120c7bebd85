"""Data sets of candl (Balkenhol et al. 2024, arXiv:2401.13433): where they are, how they are loaded, their priors.

A data set is a folder with a YAML file, which names bandpowers, covariance, windows and the model of foregrounds and
calibration. Libraries such as ``candl_data`` and ``spt_candl_data`` give names to their files.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError, PluginError, closest, listing
from astroemu.io.files import reading
from astroemu.io.paths import looks_like_path
from astroemu.runtime.optional import import_optional
from astroemu_probes.jax_precision import double_precision

#: Where the known libraries are. They are no packages of the index, so pip installs them from a copy.
_HOMES = {
    "candl_data": "https://github.com/Lbalkenhol/candl_data",
    "spt_candl_data": "https://github.com/SouthPoleTelescope/spt_candl_data",
}


@dataclass(frozen=True, eq=False)
class GaussianPrior:
    """A Gaussian prior of a data set, of one or several parameters.

    Attributes
    ----------
    names : tuple of str
    mean : (k,) array
    covariance : (k, k) array
    logarithmic : bool
        True if it is a Gaussian of the natural logarithms of the parameters.
    """

    names: tuple[str, ...]
    mean: FloatArray
    covariance: FloatArray
    logarithmic: bool = False

    def log_density(self, numbers: Mapping[str, Any], xp: Namespace) -> Any:
        """Return the logarithm ``(n,)`` of the prior, which is zero at its mean."""
        precision = np.linalg.inv(self.covariance)
        shifts = [
            (xp.log(numbers[name]) if self.logarithmic else numbers[name]) - mean
            for name, mean in zip(self.names, self.mean, strict=True)
        ]
        terms = [precision[i, j] * a * b for i, a in enumerate(shifts) for j, b in enumerate(shifts)]
        return -0.5 * sum(terms[1:], terms[0])

    def range_of(self, name: str, sigmas: float) -> tuple[float, float]:
        """Return the range of a parameter within so many standard deviations."""
        k = self.names.index(name)
        half = sigmas * float(np.sqrt(self.covariance[k, k]))
        low, high = float(self.mean[k]) - half, float(self.mean[k]) + half
        return (float(np.exp(low)), float(np.exp(high))) if self.logarithmic else (low, high)


@contextmanager
def undisturbed() -> Iterator[Any]:
    """Context manager in which candl may compute in double precision and print; nothing of it remains.

    It yields the module ``jax``.
    """
    jax = import_optional("jax", "candl")
    with double_precision(), redirect_stdout(io.StringIO()):
        yield jax


def import_candl() -> Any:
    """Return the package candl. Its import would switch JAX to double precision everywhere, and print.

    Raises
    ------
    PluginError
        If candl or JAX is not installed. Without JAX, candl would use NumPy.
    """
    with undisturbed():
        return import_optional("candl", "candl")


def yaml_file(data_set: str, library: str, file: str) -> Path:
    """Return the YAML file of a data set.

    Parameters
    ----------
    data_set : str
        Path of a folder, or a name in the library.
    library : str
        Name of a Python package with the paths of data sets.
    file : str
        Name of the file in a folder; may be empty if the folder has one YAML file, or one that ends in ``_index.yaml``.

    Raises
    ------
    ConfigurationError
        If there is no such data set, or the folder has several.
    PluginError
        If the library is not installed.
    """
    if looks_like_path(data_set):
        return _in_folder(Path(data_set), file)
    if file:
        raise ConfigurationError(f"file = {file!r} belongs to a folder; {data_set!r} is a name in {library!r}")
    try:
        names = vars(__import__(library))
    except ImportError:
        home = _HOMES.get(library)
        where = f"git clone {home}, then pip install ./{library}" if home else "install it"
        raise PluginError(
            f"data_set = {data_set!r} is looked for in the library {library!r}, which is not installed: {where}. "
            "Or give the path of the data set's folder"
        ) from None
    known = [name for name, value in names.items() if isinstance(value, str) and value.endswith((".yaml", ".yml"))]
    if data_set not in known:
        raise ConfigurationError(
            f"data_set = {data_set!r} is not in {library!r}.{closest(data_set, known)} It has {listing(known)}"
        )
    return Path(names[data_set])


def _in_folder(folder: Path, file: str) -> Path:
    if folder.suffix in (".yaml", ".yml"):
        raise ConfigurationError(
            f"data_set = {str(folder)!r} is a file. Give its folder: data_set = {str(folder.parent)!r}, "
            f"file = {folder.name!r}. A data set is several files"
        )
    if not folder.is_dir():
        raise ConfigurationError(f"data_set: there is no folder {folder}")
    found = sorted(path.name for path in folder.glob("*.y*ml") if _is_index(path) or "spectra_info" in _content(path))
    if file:
        if not (folder / file).is_file():
            raise ConfigurationError(
                f"file = {file!r} is not in {folder}.{closest(file, found)} It has {listing(found)}"
            )
        return folder / file
    chosen = [name for name in found if _is_index(folder / name)] or found
    if len(chosen) != 1:
        raise ConfigurationError(f"{folder} has the data sets {listing(found)}; choose one with `file`")
    return folder / chosen[0]


def _is_index(path: Path) -> bool:
    return path.stem.endswith("_index")


def load(path: Path, variant: str, selection: tuple[str, ...]) -> tuple[Any, tuple[GaussianPrior, ...], Path]:
    """Return candl's likelihood of a data set without its priors, the priors, and the YAML file of the variant.

    Raises
    ------
    ConfigurationError
        If an index file does not have the variant.
    DataError
        If candl cannot read the data set.
    """
    candl = import_candl()
    content, file = _of_variant(path, variant)
    folder = Path(content.get("data_set_path") or file.parent)
    priors = tuple(_attempt(file, partial(_prior, block, folder)) for block in content.get("priors") or ())
    lensing = all(" " not in str(name) for spectrum in content["spectra_info"] for name in spectrum)
    make = candl.LensLike if lensing else candl.Like
    # candl 2.2 cannot evaluate its own priors with JAX 0.10, which refuses lists where arrays are needed.
    options: dict[str, Any] = {"priors": [], "feedback": False}
    if selection:
        options["data_selection"] = list(selection)
    with undisturbed():
        return _attempt(file, lambda: make(str(file), **options)), priors, file


def _of_variant(path: Path, variant: str) -> tuple[dict[str, Any], Path]:
    """Return the content of a data set's YAML file, and the file. An index file leads to that of the variant."""
    content = _content(path)
    if "spectra_info" in content:
        if variant:
            raise ConfigurationError(f"variant = {variant!r}, but {path.name} has no variants; remove it")
        return content, path
    name = variant or "default"
    if name not in content:
        raise ConfigurationError(
            f"variant = {name!r} is not in {path.name}.{closest(name, content)} It has {listing(content)}"
        )
    file = path.parent / str(content[name])
    content = _content(file)
    if "spectra_info" not in content:
        raise DataError(f"{file} is no data set of candl: it has no `spectra_info`")
    return content, file


def _content(path: Path) -> dict[str, Any]:
    import yaml

    with reading(path):
        text = path.read_text(encoding="utf-8")
    content = _attempt(path, lambda: yaml.safe_load(text))
    if not isinstance(content, dict):
        raise DataError(f"{path} is no data set of candl: it is not a YAML table")
    return {str(key): value for key, value in content.items()}


def _prior(block: Mapping[str, Any], folder: Path) -> GaussianPrior:
    names = (block["par_names"],) if isinstance(block["par_names"], str) else tuple(block["par_names"])
    given = block["prior_covariance"] if "prior_covariance" in block else float(block["prior_std"]) ** 2
    covariance = np.loadtxt(folder / given) if isinstance(given, str) and not _is_number(given) else float(given)
    mean = np.atleast_1d(np.asarray(block.get("central_value", np.zeros(len(names))), dtype=float))
    covariance = np.atleast_2d(covariance)
    if mean.shape != (len(names),) or covariance.shape != (len(names), len(names)):
        raise DataError(
            f"{folder}: the prior of {listing(names)} has {mean.size} mean(s) and the covariance "
            f"{covariance.shape}; correct the data set"
        )
    return GaussianPrior(names, mean, covariance, bool(block.get("multiplicative_par", False)))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _attempt(path: Path, read: Callable[[], Any]) -> Any:
    """Return what a function of candl returns, which raises errors of any kind for data that it cannot read."""
    try:
        return read()
    except (ConfigurationError, DataError, PluginError):
        raise
    except Exception as error:
        raise DataError(
            f"candl cannot read the data set {path}: {type(error).__name__}: {error}. Check the file and those that it "
            "names"
        ) from error
