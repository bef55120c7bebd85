"""From simulations to an emulator. This package is independent of models and probes.

The modules in the order of the work: :mod:`~astroemu.emulation.simulator`, :mod:`~astroemu.emulation.design`,
:mod:`~astroemu.emulation.simulation`, :mod:`~astroemu.emulation.training_set`, :mod:`~astroemu.emulation.inspection`,
:mod:`~astroemu.emulation.cleaning`, :mod:`~astroemu.emulation.emulator`. A :mod:`~astroemu.emulation.recipe` is a
TOML file that describes all of these steps.
"""
