"""Neural networks: their layers, weights and evaluation. Training and emulators use them."""
