"""Training of neural networks in Keras 3: settings, targets, architectures, loss, loop, accuracy.

Keras and its backend are imported inside functions, so that reading a recipe, or running a fit with
dense networks, never loads them.
"""
