"""``astroemu explain``: say what a configuration does, without a fit."""

from __future__ import annotations

from astroemu.cli.options import CONFIGURATION, ENGINE, SAMPLER, SET, WITHOUT, load


def explain(
    configuration: str = CONFIGURATION,
    sampler: str | None = SAMPLER,
    engine: str | None = ENGINE,
    set_: list[str] = SET,
    without: list[str] = WITHOUT,
) -> None:
    """Say what a configuration does, without a fit.

    The command prints all parameters with their priors and their users, the probes with their data, the emulators, data
    that count twice, the sampler, and the time per likelihood. An error is that which the fit would have.
    """
    from astroemu.cli.progress import warned
    from astroemu.cli.terminal import answer, width
    from astroemu.report.explanation import explanation

    loaded = load(configuration, set_, without, engine)
    with warned():
        text = explanation(loaded, sampler, min(width(), 100))
    answer(text)
