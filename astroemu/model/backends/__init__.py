"""What compiles: the array libraries behind the keras engine, by the names that Keras gives them.

None is imported before a compiled engine is asked for.
"""
