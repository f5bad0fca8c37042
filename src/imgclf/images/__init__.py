"""Bytes to pixels: finding and decoding image files, resizing, ink on paper; training and prediction share it."""
