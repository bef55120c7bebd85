"""Derived quantities: observables computed in closed form from parameters and other observables."""
