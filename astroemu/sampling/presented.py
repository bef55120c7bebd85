"""What is made of samples in a script or a notebook: pictures, objects of other packages, and their own table.

Pictures and tables are drawn by the report, and the export is that of run folders (:mod:`astroemu.runtime.upper`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from astroemu.core.prior import Prior
from astroemu.runtime.upper import upper

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PresentedSamples:
    """Pictures and exports of samples."""

    def plot_corner(
        self,
        names: str | Sequence[str] | None = None,
        *,
        prior: Prior | None = None,
        against: Mapping[str, PresentedSamples] | None = None,
        label: str = "",
    ) -> Figure:
        """Return a corner plot: one- and two-dimensional marginals with 68 and 95 % credible regions.

        Neither the user's Matplotlib settings nor the backend are changed. ``figure.savefig("name.png")`` saves it. A
        notebook shows it.

        Parameters
        ----------
        names : str or sequence of str, optional
            By default all parameters, or all that the samples of ``against`` have too.
        prior : Prior, optional
            Symbols, units and edges of the parameters; by default :attr:`astroemu.Samples.prior`. Without any, the
            names stand for the symbols, and densities are smoothed over the edges.
        against : mapping of label to Samples, optional
            Other posteriors, drawn over this one.
        label : str
            Label of these samples in the legend; by default the name of the sampler.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ConfigurationError
            If there is no such parameter.
        """
        figure: Figure = upper("plot_corner")(self, names, prior=prior, against=against, label=label)
        return figure

    def plot_trace(self, *, prior: Prior | None = None) -> Figure:
        """Return a trace plot: each parameter in the order of the run, with means of its tenths, or weights.

        Parameters
        ----------
        prior : Prior, optional
            As in :meth:`plot_corner`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        figure: Figure = upper("plot_trace")(self, prior=prior)
        return figure

    def to_arviz(self, *, draws: int | None = None) -> Any:
        """Return an :class:`xarray.DataTree` in the layout of ArviZ's InferenceData.

        It is that of :meth:`astroemu.analysis.export.SampleTable.arviz`.

        Raises
        ------
        PluginError
            If xarray is not installed.
        """
        return upper("SampleTable")(self).arviz(draws=draws)

    def to_getdist(self) -> Any:
        """Return :class:`getdist.MCSamples`. Samples without weight are left out.

        Raises
        ------
        PluginError
            If getdist is not installed.
        """
        return upper("SampleTable")(self).getdist()

    def to_anesthetic(self) -> Any:
        """Return :class:`anesthetic.NestedSamples` if ``log_birth`` is known, else :class:`anesthetic.MCMCSamples`.

        Raises
        ------
        PluginError
            If anesthetic is not installed.
        """
        return upper("SampleTable")(self).anesthetic()

    def to_table(self) -> Any:
        """Return an :class:`astropy.table.QTable`: weight, log-likelihood, log-prior, then the parameters."""
        return upper("SampleTable")(self).table()

    def _repr_html_(self) -> str:
        return str(upper("samples_html")(self))
