"""What `scripts/fuzz_readers.py` is made of: readers, good files, damage, and the two ways to feed them."""
