"""Measures a stack of its own, from outside: `make bench`."""
