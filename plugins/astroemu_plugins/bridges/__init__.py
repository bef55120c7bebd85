"""A model of astroemu in other packages: Cobaya, bilby, JAX and NumPyro, sbi. One small module for each.

Import the module that you need, such as ``astroemu_plugins.bridges.bilby``. The other package is imported when its
functions are called.
"""
