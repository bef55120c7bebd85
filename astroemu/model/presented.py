"""What is made of a model in a script or a notebook: samples, pictures, and its own text and table.

Pictures and tables are drawn by the report (:mod:`astroemu.runtime.upper`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from astroemu.core.points import Points
from astroemu.core.progress import ProgressCallback
from astroemu.model.sampling_run import run_sampler
from astroemu.runtime.upper import upper
from astroemu.sampling.sampler import Sampler
from astroemu.sampling.samples import Samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PresentedModel:
    """Samples and pictures of a model."""

    def sample(
        self,
        sampler: str | Sampler = "emcee",
        *,
        seed: int = 1,
        progress: bool | ProgressCallback = True,
        **options: Any,
    ) -> Samples:
        """Sample the posterior.

        Parameters
        ----------
        sampler : str or Sampler
            Name of an installed sampler, or an instance.
        seed : int
        progress : bool or callable
            If true, the progress is shown on a terminal and in a notebook. A callable receives each
            :class:`~astroemu.core.progress.Progress`.
        **options
            Options of the sampler, if it is given by name.

        Returns
        -------
        Samples
        """
        model: Any = self
        return run_sampler(model, model.prior, sampler, options, seed=seed, progress=progress)

    def plot_predictive(self, samples: Points, probe: str | None = None, *, draws: int = 1000, seed: int = 1) -> Figure:
        """Return a figure of the data, with 68 and 95 % bands of the model over the samples.

        Neither the user's Matplotlib settings nor the backend are changed. ``figure.savefig("name.png")`` saves it. A
        notebook shows it.

        Parameters
        ----------
        samples : Samples, or points
            Points are equally weighted: ``(n, d)``, or values by name. With one point, its curve is drawn.
        probe : str, optional
            By default the panels of all probes are drawn.
        draws : int
            Number of equally weighted draws from samples.
        seed : int
            Seed of these draws.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ConfigurationError
            If the model has no such probe, if no probe has a panel, or if a parameter of the model is missing.
        """
        figure: Figure = upper("plot_predictive")(self, samples, probe, draws=draws, seed=seed)
        return figure

    def plot_observables(self, samples: Points, *, draws: int = 1000, seed: int = 1) -> Figure:
        """Return a figure of every observable of at most two axes, with its 68 and 95 % bands over the samples.

        The arguments and errors are those of :meth:`plot_predictive`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        figure: Figure = upper("plot_observables")(self, samples, draws=draws, seed=seed)
        return figure

    def explore(self, samples: Samples | None = None, *, name: str = "", port: int = 0, seed: int = 1) -> Any:
        """Serve a page with one slider per parameter and the pictures of every probe; see :func:`astroemu.explore`.

        A notebook shows the page. Elsewhere, open its ``url`` in a browser of this machine.

        Returns
        -------
        astroemu.report.explore.Explorer

        Raises
        ------
        PluginError
            If Bokeh is not installed.
        ConfigurationError
            If the samples lack a parameter, or the port cannot be used.
        """
        return upper("explore")(self, samples, name=name, port=port, seed=seed)

    def _repr_html_(self) -> str:
        return str(upper("model_html")(self))

    def __repr__(self) -> str:
        model: Any = self
        probes, free = ", ".join(model.probes), model.prior.free
        return f"<Model {model.name!r}: {len(free)} free parameters; probes {probes}>"
