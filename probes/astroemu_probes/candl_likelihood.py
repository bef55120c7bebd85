"""Any data set of candl (Balkenhol et al. 2024, arXiv:2401.13433): ACT, SPT-3G and others, in temperature and lensing.

candl computes the likelihood with JAX. The probe hands it the spectra of the providers, ``D_l`` in uK^2, and the
nuisance parameters. With the compiled engine on JAX, the likelihood is traced into the joint function and has a
gradient. Any other engine calls it on the host.

**Priors.** A data set has Gaussian priors. One of a single nuisance parameter becomes the default prior of that
parameter. A joint one stays in the likelihood, and its parameters have flat default priors that are much wider. A
nuisance parameter without a prior needs one in the configuration. Priors of cosmological parameters, such as ``tau``,
are left out by default, because another data set or a provider determines these.

The emulator's error has no place in candl's likelihood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.distributions import Normal, Uniform
from astroemu.core.panel import MEASUREMENT, Panel
from astroemu.core.parameter import Parameter
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.io.paths import FileName
from astroemu_probes.candl_data_sets import GaussianPrior, load, undisturbed, yaml_file
from astroemu_probes.foreign_data import ForeignData, files_below, papers_in

#: The paper of candl.
_CANDL = "2401.13433"
#: Most points of one call on the host.
_LARGEST = 128
#: Half width of the flat default prior of a parameter with a joint Gaussian prior, in standard deviations.
_SIGMAS = 8.0
#: Our names of candl's cosmological parameters. Others have the same name.
_OURS = {"tau": "tau_e", "ns": "n_s", "ombh2": "omega_b_h2", "omch2": "omega_c_h2", "logA": "ln_10_10_a_s"}
#: candl's convergence spectrum over that of the deflection.
_KAPPA = np.pi / 2.0


class Candl(Probe):
    """A data set of candl.

    Parameters
    ----------
    data_set : str
        Path of the folder of a data set, or a name in the library, such as ``"ACT_DR6_TTTEEE"``.
    library : str
        Python package that names data sets: ``candl_data``, ``spt_candl_data`` or another one.
    file : str
        YAML file in the folder. Not needed if there is only one, or one that ends in ``_index.yaml``.
    variant : str
        Variant of the data set, if it has an index file.
    selection : tuple of str
        Parts of the data to use, in candl's words: ``"TT only"``, ``"ell<1000 remove"``, ``"EE 90x90 remove"``.
    priors : {"nuisance", "all", "none"}
        Which Gaussian priors of the data set to use: those of nuisance parameters, also those of cosmological
        parameters, or none.
    papers : tuple of str
        arXiv numbers to cite, in addition to those that the file names.
    contains : tuple of str
        Topics of the data, as other probes declare them. The model warns if two probes share one.

    Raises
    ------
    ConfigurationError
        If there is no such data set, or more than one.
    DataError
        If candl cannot read it.
    PluginError
        If candl, JAX or the library is not installed.
    """

    host_only = True
    #: Backends whose compiled function can hold the likelihood although it is `host_only` elsewhere.
    traced_by = frozenset({"jax"})
    ignores_emulator_error = "candl's likelihoods take spectra without errors"

    def __init__(
        self,
        data_set: FileName,
        library: str = "candl_data",
        file: str = "",
        variant: str = "",
        selection: tuple[str, ...] = (),
        priors: Literal["nuisance", "all", "none"] = "nuisance",
        papers: tuple[str, ...] = (),
        contains: tuple[str, ...] = (),
    ) -> None:
        self._options = (data_set, library, file, variant, selection, priors, papers, contains)
        self.contains = frozenset(contains)
        self._like, given, path = load(yaml_file(data_set, library, file), variant, selection)
        self.papers = tuple(dict.fromkeys((*papers, *papers_in([path]), _CANDL)))
        self.catalogs = (
            ForeignData(
                name=f"candl {path.stem}",
                path=path,
                reference=str(self._like.name),
                licence="that of its library; astroemu does not pass it on",
                arxiv=self.papers[:-1],
                files=files_below(path.parent),
            ),
        )
        nuisance = set(self._like.required_nuisance_parameters)
        chosen = [p for p in given if priors == "all" or (priors == "nuisance" and nuisance.issuperset(p.names))]
        single = [p for p in chosen if len(p.names) == 1 and nuisance.issuperset(p.names) and not p.logarithmic]
        #: Priors that are part of the likelihood.
        self._inside = tuple(prior for prior in chosen if prior not in single)
        self.parameters = tuple(_parameters(sorted(nuisance), {p.names[0]: p for p in single}, self._inside))
        stated = {parameter.name for parameter in self.parameters}
        needed = nuisance | {name for prior in self._inside for name in prior.names}
        #: Names of the numbers without a prior of their own, by their names in candl.
        self._free = {name: _OURS.get(name, name) for name in sorted(needed - stated)}
        self._spectra = {name: f"d_ell_{name.lower()}" for name in _needed_spectra(self._like)}
        self._requires = self._requirements()
        self._real, self._mock = _functions(self._like)
        #: Bandpowers of a mock; None for the real ones.
        self._data: FloatArray | None = None

    def _requirements(self) -> dict[str, Requirement]:
        ell = np.arange(2.0, _last_multipole(self._like) + 1.0)
        found = {
            name: Requirement(
                observable,
                at={"ell": ell},
                unit="" if name == "pp" else "uK^2",
                rule={"ell": "spline"},
                remedy="Use an emulator with higher multipoles, or cut the data with `selection`",
            )
            for name, observable in self._spectra.items()
        }
        return found | {name: Requirement(ours) for name, ours in self._free.items()}

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        spectra, numbers = self._inputs(predictions, parameters)
        on_host = all(isinstance(values, np.ndarray) for values in (*spectra.values(), *numbers.values()))
        evaluate = self._on_host if on_host else self._evaluate
        return evaluate(spectra, numbers) + self._log_prior(numbers, xp)

    def _inputs(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the spectra ``(n, l)`` and the nuisance parameters ``(n,)`` under candl's names."""
        free = {name: predictions[name].value[:, 0] for name in self._free}
        return {name: predictions[name].value for name in self._spectra}, {**parameters, **free}

    def _log_prior(self, numbers: Mapping[str, Any], xp: Namespace) -> Any:
        return sum((prior.log_density(numbers, xp) for prior in self._inside), 0.0)

    def _evaluate(self, spectra: Mapping[str, Any], numbers: Mapping[str, Any]) -> Any:
        """Return candl's log-likelihoods ``(n,)`` of JAX's arrays."""
        return self._real(spectra, numbers) if self._data is None else self._mock(self._data, spectra, numbers)

    def _on_host(self, spectra: Mapping[str, FloatArray], numbers: Mapping[str, FloatArray]) -> FloatArray:
        """Return candl's log-likelihoods ``(n,)``. Batches are padded, because JAX compiles each size anew."""
        n = len(next(iter(spectra.values())))
        found = np.empty(n)
        with undisturbed() as jax:
            for start in range(0, n, _LARGEST):
                stop = min(start + _LARGEST, n)
                rows = np.minimum(np.arange(1 << (stop - start - 1).bit_length()) + start, stop - 1)
                padded = jax.tree.map(lambda array, rows=rows: array[rows], (dict(spectra), dict(numbers)))
                found[start:stop] = np.asarray(self._evaluate(*padded))[: stop - start]
        return found

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same bandpowers for another sky.

        Raises
        ------
        NotImplementedError
            If the likelihood of the data set is not a Gaussian of fixed covariance.
        """
        form = self._like.data_set_dict["likelihood_form"]
        if form != "gaussian":
            raise NotImplementedError(f"data cannot be drawn from the form {form!r} of candl's likelihood")
        spectra, numbers = self._inputs(predictions, parameters)
        with undisturbed():
            one = {name: values[0] for name, values in numbers.items()}
            model = _bandpowers(self._like, {name: values[0] for name, values in spectra.items()}, one)
            data = np.array(model)
            if rng is not None:
                data = data + np.asarray(self._like.covariance_chol_dec) @ rng.standard_normal(len(data))
        mock = object.__new__(type(self))
        mock.__dict__ |= self.__dict__ | {"_data": data}
        return mock

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return the log prior that is part of the likelihood. The other parts are normalised."""
        _, numbers = self._inputs(predictions, parameters)
        return super().log_normalisation(predictions, parameters) + self._log_prior(numbers, NUMPY)

    def panels(self) -> tuple[Panel, ...]:
        """Return one panel per spectrum: bandpowers before the model of nuisance parameters, and the spectra alone."""
        data = np.asarray(self._like.data_bandpowers if self._data is None else self._data)
        sigma = np.sqrt(np.diag(np.asarray(self._like.covariance)))
        edges = np.cumsum([window.shape[1] for window in self._like.window_functions])[:-1]
        windows = [np.asarray(window) for window in self._like.window_functions]
        parts = zip(self._like.spec_order, windows, np.split(data, edges), np.split(sigma, edges), strict=True)
        return tuple(self._panel(str(name), window, y, error) for name, window, y, error in parts)

    def _panel(self, title: str, window: FloatArray, y: FloatArray, error: FloatArray) -> Panel:
        name = title.split()[0]
        ell = np.arange(2.0, window.shape[0] + 2.0)
        factor = _KAPPA if name == "kk" else 1.0
        scale = factor * window.sum(axis=0)
        x = np.abs(window).T @ ell / np.abs(window).sum(axis=0)
        name = "pp" if name == "kk" else name
        grid = np.unique(np.linspace(max(x.min() / 2.0, 2.0), x.max(), 400).round())
        requirement = self._requires[name]
        return Panel(
            title=f"{title}, {self.catalogs[0].name}",
            x_label=r"$\ell$",
            y_label=rf"$D_\ell^{{{name}}}$" + (r" [$\mu$K$^2$]" if requirement.unit else ""),
            x=x,
            y=y / scale,
            error_low=error / np.abs(scale),
            error_high=error / np.abs(scale),
            kind=(MEASUREMENT,) * len(y),
            curve=Requirement(requirement.observable, at={"ell": grid}, unit=requirement.unit, rule={"ell": "spline"}),
            curve_x=grid,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the probe by its options: JAX's functions cannot be stored."""
        return _rebuilt, (type(self), self._options, self._data)


def _rebuilt(cls: type[Candl], options: tuple[Any, ...], data: FloatArray | None) -> Candl:
    probe = cls(*options)
    probe._data = data
    return probe


def _parameters(
    names: list[str], single: Mapping[str, GaussianPrior], inside: tuple[GaussianPrior, ...]
) -> list[Parameter]:
    """Return the nuisance parameters that have a prior in the data set, with their default priors."""
    joint = {name: prior for prior in inside for name in prior.names}
    found = []
    for name in names:
        if name in single or name in joint:
            if not name.isidentifier():
                raise ConfigurationError(f"candl's parameter {name!r} is no identifier, so it cannot be a parameter")
            prior = (
                Normal(float(single[name].mean[0]), float(np.sqrt(single[name].covariance[0, 0])))
                if name in single
                else Uniform(*joint[name].range_of(name, _SIGMAS))
            )
            found.append(Parameter(name, prior))
    return found


def _needed_spectra(like: Any) -> tuple[str, ...]:
    """Return the spectra that a data set needs, such as TT. That of the convergence is computed from ``pp``."""
    names = (str(name) for name in like.requirements_dict["Dl"])
    return tuple(sorted({"pp" if name == "kk" else name for name in names}))


def _is_lensing(like: Any) -> bool:
    return type(like).__name__ == "LensLike"


def _last_multipole(like: Any) -> int:
    """Return the last multipole that matters: a window, or a derivative below it, reaches it."""
    if _is_lensing(like):  # its corrections use spectra beyond the windows
        return int(like.ell_max)
    reach = max(int(np.flatnonzero(np.any(np.asarray(window) != 0, axis=1))[-1]) for window in like.window_functions)
    return min(2 + reach + 1, int(like.ell_max))  # the first row is l = 2; derivatives need the next multipole


def _given(like: Any, spectra: Mapping[str, Any], numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return candl's input for one point: spectra from l = 2 to the end of its windows, and the numbers."""
    import jax.numpy as jnp

    size = int(like.ell_max) - 1
    padded = {name: jnp.pad(jnp.asarray(values), (0, size - values.shape[0])) for name, values in spectra.items()}
    if "pp" in padded:
        padded["kk"] = _KAPPA * padded["pp"]
    return {"Dl": padded, **numbers}


def _bandpowers(like: Any, spectra: Mapping[str, Any], numbers: Mapping[str, Any]) -> Any:
    """Return the model of the bandpowers ``(m,)`` at one point."""
    model = like.get_model_specs(_given(like, spectra, numbers))
    return model if _is_lensing(like) else like.bin_model_specs(model)


def _functions(like: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the log-likelihoods ``(n,)`` of a batch, for the data and for other bandpowers. Mocks share them."""
    from jax import jit, vmap

    def real(spectra: Mapping[str, Any], numbers: Mapping[str, Any]) -> Any:
        return like.log_like(_given(like, spectra, numbers))

    def mock(data: Any, spectra: Mapping[str, Any], numbers: Mapping[str, Any]) -> Any:
        return like.log_like_for_bdp(_given(like, spectra, numbers), data)

    return jit(vmap(real)), jit(vmap(mock, in_axes=(None, 0, 0)))
