"""Samplers, the problems that they sample, and their results.

:mod:`~astroemu.sampling.target` is the problem, :mod:`~astroemu.sampling.sampler` the algorithm and
:mod:`~astroemu.sampling.samples` the result. Two targets work with any sampler:
:mod:`~astroemu.sampling.replay` resumes a run, and :mod:`~astroemu.sampling.mpi_target` runs it under MPI.
"""
