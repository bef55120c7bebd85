"""Built-in simulators, which are found through entry points."""
