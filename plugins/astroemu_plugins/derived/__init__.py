"""Quantities that follow from others in closed form."""
