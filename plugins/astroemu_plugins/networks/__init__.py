"""Neural networks as data: what they are made of, and their evaluation. Training and emulators build on them."""
