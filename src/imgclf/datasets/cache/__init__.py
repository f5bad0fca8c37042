"""Decoded image files, kept on the disk."""
