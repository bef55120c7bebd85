"""Built-in emulators, which are found through entry points."""
