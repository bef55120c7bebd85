"""What surrounds the computation: plugins and their options, processes, provenance, the installation check."""
