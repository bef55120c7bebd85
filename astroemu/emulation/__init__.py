"""From simulations to an emulator. Nothing here knows a model or a probe.

In the order of the work: :mod:`~astroemu.emulation.simulator`, :mod:`~astroemu.emulation.design`,
:mod:`~astroemu.emulation.simulation`, :mod:`~astroemu.emulation.training_set`, :mod:`~astroemu.emulation.inspection`,
:mod:`~astroemu.emulation.cleaning`, :mod:`~astroemu.emulation.emulator`. A TOML file that describes all of it is a
:mod:`~astroemu.emulation.recipe`.
"""
