"""Fits the judge on people's verdicts and measures how well it agrees with them."""
