"""The run folder: its layout, whole-file writing, weights, provenance, and finding runs."""
