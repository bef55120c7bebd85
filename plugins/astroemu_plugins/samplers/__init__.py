"""Built-in samplers, which are found through entry points."""
