"""Training of neural networks in Keras 3: settings, targets, architectures, losses, loop and accuracy.

Keras and its backend are imported inside functions. Reading a recipe, or running a fit with dense networks, therefore
never loads them.
"""
