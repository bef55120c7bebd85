"""What is done with finished runs: evidence ratios, tension, reweighting, repetition, export."""
