"""Built-in samplers, found through entry points."""
