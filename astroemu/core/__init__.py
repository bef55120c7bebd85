"""Basic classes and interfaces: parameters, priors, observables, providers, catalogs and probes.

Read :mod:`~astroemu.core.probe`, :mod:`~astroemu.core.provider`, :mod:`~astroemu.core.requirement` and
:mod:`~astroemu.core.observable` first.
"""
