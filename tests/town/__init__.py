"""Valbrume, an invented French town: what its people write, where, and the demo that hears them.

No such town, river, company, newspaper or person exists; every sentence was written for this
project. The same seed gives the same two weeks.
"""
