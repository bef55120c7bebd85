"""Samplers: what they see (:mod:`~astroemu.sampling.target`), do (:mod:`~astroemu.sampling.sampler`) and return
(:mod:`~astroemu.sampling.samples`), and the targets that let any of them be resumed and run under MPI.
"""
