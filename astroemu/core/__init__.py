"""The nouns and interfaces: parameters, observables, providers, catalogs, probes, and what probes are built from.

Read :mod:`~astroemu.core.probe`, :mod:`~astroemu.core.provider`, :mod:`~astroemu.core.requirement` and
:mod:`~astroemu.core.observable` first.
"""
