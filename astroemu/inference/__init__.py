"""Fits: configuration, sampling run and run folder.

:mod:`~astroemu.inference.configuration` reads the TOML file, :mod:`~astroemu.inference.fitting` runs the sampler, and
:mod:`~astroemu.inference.run_folder` reads and writes the folder of the run.
"""
