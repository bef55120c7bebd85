"""Backends: the array libraries that compile for the keras engine, by the names that Keras gives them.

None of them is imported before a compiled engine is requested.
"""
