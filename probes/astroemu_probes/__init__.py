"""The built-in probes of astroemu, one module per probe."""
