"""Plugins and their options, MPI and worker processes, provenance, and the installation check."""
