"""Built-in emulators, found through entry points."""
