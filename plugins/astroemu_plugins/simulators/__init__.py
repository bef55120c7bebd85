"""Built-in simulators, found through entry points."""
