"""Explore a model in a browser: move its parameters, and see its predictions change."""

from __future__ import annotations

import os
import webbrowser
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, listing
from astroemu.inference.summary import POSTERIOR_DRAWS
from astroemu.model.model import Model
from astroemu.report.explore.curves import Curves
from astroemu.runtime.optional import import_optional
from astroemu.sampling.samples import Samples

if TYPE_CHECKING:
    from astroemu.report.explore.page import Subject
    from astroemu.report.explore.server import PageServer

#: Draws from the prior that set the ranges of the axes.
_TYPICAL_DRAWS = 300


class Explorer:
    """A page that is being served. In a notebook, it shows itself.

    Attributes
    ----------
    url : str
        The address of the page, with a random token. It works on this machine only.
    """

    def __init__(self, server: PageServer) -> None:
        self._server = server

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def port(self) -> int:
        """Its port of 127.0.0.1."""
        return self._server.port

    def open(self) -> bool:
        """Open the page in the user's browser; return False if there is none.

        A browser inside the terminal is not used, unless the environment variable BROWSER names it.
        """
        try:
            browser = webbrowser.get()
            if type(browser) is webbrowser.GenericBrowser and not os.environ.get("BROWSER"):
                return False
            return browser.open(self.url)
        except (webbrowser.Error, OSError):
            return False

    def stop(self) -> None:
        """End the page."""
        self._server.stop()

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{escape(self.url)}" style="width: 100%; height: 780px; border: 1px solid #d9e0e7" '
            'allow="clipboard-write"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<Explorer at {self.url}>"


def explore(model: Model, samples: Samples | None = None, *, name: str = "", port: int = 0, seed: int = 1) -> Explorer:
    """Serve a page with one slider per parameter and the pictures of every probe.

    Parameters
    ----------
    model : Model
    samples : Samples, optional
        A posterior of these parameters, and perhaps of others. Its bands are drawn behind the curves.
    name : str
        Name of these samples on the page.
    port : int
        Port of 127.0.0.1; by default any free one.
    seed : int
        Seed of the draws from the prior.

    Returns
    -------
    Explorer
        In a notebook, it shows the page. Elsewhere, open its ``url``.

    Raises
    ------
    PluginError
        If Bokeh is not installed.
    ConfigurationError
        If the samples lack a parameter, or the port cannot be used.
    """
    import_optional("bokeh", "explore")
    from astroemu.report.explore.server import PageServer

    return Explorer(PageServer(subject_of(model, samples, name or "these samples", seed), port))


def subject_of(model: Model, samples: Samples | None, name: str, seed: int) -> Subject:
    """Return what the pages of a model show, see :func:`explore`."""
    from astroemu.report.explore.page import Subject

    rng = np.random.default_rng(seed)
    curves = Curves(model)
    draws = None if samples is None else _columns(model, samples, samples.equal_weight(POSTERIOR_DRAWS, rng))
    bands = None if draws is None else curves.of(draws)
    return Subject(
        curves,
        curves.of(model.prior.sample(_TYPICAL_DRAWS, rng)) if bands is None else bands,
        bands,
        None if samples is None else _columns(model, samples, samples.quantile(0.5)[None])[0],
        name,
        seed,
    )


def _columns(model: Model, samples: Samples, theta: FloatArray) -> FloatArray:
    """Return points of samples with the columns of a model, matched by name; other columns are left out."""
    lacking = {*model.names} - {*samples.names}
    if lacking:
        raise ConfigurationError(
            f"the samples have no {listing(lacking)}, which the model needs; they are of {listing(samples.names)}. "
            "Use the configuration of the run"
        )
    return theta[:, [samples.names.index(name) for name in model.names]]
