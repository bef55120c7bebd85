"""Any installed likelihood of Cobaya (Torrado & Lewis 2021, arXiv:2005.05290) that needs what astroemu predicts.

Cobaya builds its own model of the likelihood. A small theory in it hands over the spectra of the CMB, single numbers
such as ``H0`` and ``rdrag``, and distances in a flat LambdaCDM cosmology. The default priors of the likelihood's
nuisance parameters become those of the probe. A prior on several parameters together stays in the likelihood. A
parameter without a default prior needs one in the configuration.

The likelihood runs on the host, point by point. The emulator's error has no place in it.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import metadata, packages_distributions
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu.core.parameter import Parameter
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import AstroemuError, ConfigurationError, PluginError, closest, listing
from astroemu.io.paths import FileName
from astroemu.runtime.optional import import_optional
from astroemu_probes.cobaya_priors import distribution_of
from astroemu_probes.foreign_data import ForeignData, arxiv_numbers, files_below
from astroemu_probes.jax_precision import double_precision

if TYPE_CHECKING:
    from astroemu_probes.cobaya_theory import Predictions

#: The paper of Cobaya.
_COBAYA = "2005.05290"


class Cobaya(Probe):
    """An installed likelihood of Cobaya.

    Parameters
    ----------
    likelihood : str
        Its name in Cobaya, such as ``"elica"``, ``"planck_2018_lowl.EE"`` or ``"package.module.Class"``.
    options : mapping
        Its options, as in Cobaya's input. ``params`` changes values and priors of its parameters.
    packages_path : str
        Folder of the data that ``cobaya-install`` has fetched. By default Cobaya's own setting.
    papers : tuple of str
        arXiv numbers to cite, in addition to those that the likelihood states.
    contains : tuple of str
        Topics of the data, as other probes declare them. The model warns if two probes share one.

    Raises
    ------
    ConfigurationError
        If Cobaya does not find the likelihood, or its data; if it needs a quantity that astroemu cannot give, or has a
        prior without counterpart.
    PluginError
        If Cobaya is not installed.
    """

    host_only = True
    ignores_emulator_error = "Cobaya's likelihoods take predictions without errors"

    def __init__(
        self,
        likelihood: str,
        options: Mapping[str, Any] | None = None,
        packages_path: FileName = "",
        papers: tuple[str, ...] = (),
        contains: tuple[str, ...] = (),
    ) -> None:
        self._options = (likelihood, dict(options or {}), packages_path, papers, contains)
        self.contains = frozenset(contains)
        import_optional("cobaya.model", "cobaya")
        with _undisturbed(likelihood), _set_up(likelihood):
            cls = _class_of(likelihood, self._options[1])
            free = _numbers_without_prior(cls, likelihood, self._options[1], packages_path)
            self._model = _model(likelihood, self._options[1], packages_path, free)
            self._theory: Predictions = self._model.theory["astroemu"]
            self.parameters = tuple(_parameters(self._model, free))
            self._requires = {**self._theory.requirements(), **{name: Requirement(name) for name in free}}
            self._free = free
            stated = _stated_papers(cls)
        self.papers = tuple(dict.fromkeys((*papers, *stated, _COBAYA)))
        path = Path(inspect.getfile(cls))
        self.catalogs = (
            ForeignData(
                name=f"cobaya {likelihood}",
                path=path,
                reference=f"Cobaya likelihood {likelihood}",
                licence="that of its package; astroemu does not pass it on",
                arxiv=self.papers[:-1],
                files=files_below(path.parent) if sys.modules[cls.__module__].__package__ else (path,),
            ),
        )

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        given = {name: np.asarray(prediction.value) for name, prediction in predictions.items()}
        numbers = {name: np.asarray(values) for name, values in parameters.items()}
        numbers |= {name: given[name][:, 0] for name in self._free}
        n = len(next(iter([*given.values(), *numbers.values()])))
        with _undisturbed(self._options[0]):
            return np.array([self._at(i, given, numbers) for i in range(n)], dtype=float)

    def _at(self, i: int, given: Mapping[str, FloatArray], numbers: Mapping[str, FloatArray]) -> float:
        """Return the log-likelihood at one point, with the priors of several parameters together."""
        from astroemu_probes.cobaya_theory import POINT

        self._theory.given = {name: values[i] for name, values in given.items()}
        sampled = {name: float(values[i]) for name, values in numbers.items()} | {POINT: 0.0}
        model = self._model
        value = np.sum(model.loglikes(sampled, return_derived=False, cached=False))
        if model.prior.external:
            value = value + np.sum(model.prior.logps_external(model.parameterization.to_input(sampled)))
        return float(value)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the probe by its options: Cobaya's models cannot be stored."""
        return type(self), self._options


@contextmanager
def _undisturbed(likelihood: str) -> Iterator[None]:
    """Context manager that keeps Cobaya's settings of the process, and turns its errors into ours."""
    from cobaya import mpi
    from cobaya.component import ComponentNotInstalledError
    from cobaya.log import LoggedError

    root, hook, disabled = logging.root, sys.excepthook, mpi.is_disabled()
    level, handlers = root.level, list(root.handlers)
    try:
        with redirect_stdout(StringIO()), double_precision():
            root.setLevel(logging.CRITICAL)
            mpi.set_mpi_disabled(True)  # astroemu has its own processes; a likelihood of one must not wait for others
            yield
    except ComponentNotInstalledError as error:
        raise ConfigurationError(
            f"likelihood = {likelihood!r}: {error} If its data are in another folder, name it in `packages_path`"
        ) from None
    except LoggedError as error:
        raise ConfigurationError(f"likelihood = {likelihood!r}: Cobaya refuses it: {error}") from None
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
        sys.excepthook = hook
        mpi.set_mpi_disabled(disabled)


@contextmanager
def _set_up(likelihood: str) -> Iterator[None]:
    """Context manager that turns other errors of a likelihood's set-up into ours, such as those of missing files."""
    from cobaya.log import LoggedError

    try:
        yield
    except (AstroemuError, LoggedError):
        raise
    except Exception as error:
        raise ConfigurationError(
            f"likelihood = {likelihood!r} cannot be set up: {type(error).__name__}: {error}. Check its `options`"
        ) from error


def _class_of(likelihood: str, options: Mapping[str, Any]) -> Any:
    """Return the class of a likelihood.

    Raises
    ------
    ConfigurationError
        If there is none of this name. The message names the closest one.
    """
    from cobaya.component import ComponentNotFoundError, get_component_class
    from cobaya.tools import get_available_internal_class_names

    try:
        return get_component_class(
            likelihood,
            kind="likelihood",
            class_name=options.get("class"),
            component_path=options.get("python_path"),
            not_found_level="debug",
        )
    except ComponentNotFoundError:
        known = [*get_available_internal_class_names("likelihood"), *packages_distributions()]
        raise ConfigurationError(
            f"likelihood = {likelihood!r}: Cobaya does not find it.{closest(likelihood, known)} Correct the name, or "
            "install the package that has it. `cobaya-doc likelihood` lists those of Cobaya itself"
        ) from None
    except ImportError as error:
        raise PluginError(f"likelihood = {likelihood!r} cannot be imported: {error}. Install what it needs") from None


def _stated_papers(cls: Any) -> tuple[str, ...]:
    """Return the arXiv numbers in the BibTeX of a likelihood, or else in the description of its distribution."""
    numbers = arxiv_numbers(str(cls.get_bibtex() or ""))
    package = str(cls.__module__).partition(".")[0]
    if numbers or package == "cobaya":
        return numbers
    distributions = packages_distributions().get(package, [])
    return arxiv_numbers("\n".join(str(metadata(name).json.get("description", "")) for name in distributions))


def _numbers_without_prior(cls: Any, likelihood: str, options: Mapping[str, Any], packages_path: str) -> list[str]:
    """Return the numbers that a likelihood needs, and for which neither it nor the theory has a value or a prior.

    Raises
    ------
    ConfigurationError
        If it needs anything else that astroemu cannot give.
    """
    from cobaya.model import as_requirement_list

    from astroemu_probes.cobaya_theory import EXPANSION, NUMBERS

    made = cls(_own(options), name=likelihood, packages_path=packages_path or None)
    own = {**(getattr(made, "params", None) or {}), **options.get("params", {})}
    wanted = {str(r.name): r.options for r in as_requirement_list(made.get_requirements() or {})}
    free = [str(name) for name, stated in own.items() if stated is None]
    free += [name for name, details in wanted.items() if details is None and name not in own]
    impossible = [name for name, details in wanted.items() if details is not None and name not in ("Cl", *EXPANSION)]
    impossible += [name for name in free if not name.isidentifier()]
    if impossible:
        raise ConfigurationError(
            f"likelihood = {likelihood!r} needs {listing(impossible)}, which no part of astroemu can give. It can give "
            f"lensed spectra ('Cl'), {listing(EXPANSION)}, and numbers such as {listing(NUMBERS)}"
        )
    made.close()
    return sorted({name for name in free if name not in NUMBERS})


def _own(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the likelihood alone. Cobaya takes changes of parameters elsewhere."""
    return {name: value for name, value in options.items() if name != "params"}


def _model(likelihood: str, options: Mapping[str, Any], packages_path: str, free: list[str]) -> Any:
    """Return Cobaya's model of the likelihood, with the theory that hands over our predictions."""
    from cobaya.model import get_model

    from astroemu_probes.cobaya_theory import NAME, POINT, Predictions

    dummy = {"prior": {"min": 0.0, "max": 1.0}}  # Cobaya evaluates no prior here
    info = {
        "likelihood": {likelihood: _own(options)},
        "theory": {NAME: {"external": Predictions}},
        "params": {**dict.fromkeys((POINT, *free), dummy), **options.get("params", {})},
        "stop_at_error": True,
        "debug": logging.CRITICAL,
    }
    return get_model(info, packages_path=packages_path or None)


def _parameters(model: Any, free: list[str]) -> Iterator[Parameter]:
    """Yield the nuisance parameters of the likelihood, with its default priors."""
    from cobaya.tools import get_scipy_1d_pdf

    from astroemu_probes.cobaya_theory import POINT

    for name, info in model.parameterization.sampled_params_info().items():
        if name in (POINT, *free):
            continue
        if not name.isidentifier():
            raise ConfigurationError(f"the parameter {name!r} is no identifier; rename it in `options`")
        yield Parameter(name, distribution_of(get_scipy_1d_pdf(info["prior"]), name), str(info.get("latex") or ""))
