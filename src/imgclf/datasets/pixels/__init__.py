"""Pixels made of other pixels, and what is seen by looking at all of them."""
