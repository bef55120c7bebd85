"""Analysis of finished runs: Bayes factors, tension, reweighting, repetition and export."""
