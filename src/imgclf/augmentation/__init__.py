"""The augmentations. A new one costs one file, its import and its name here."""

from __future__ import annotations

from imgclf.augmentation.shift import Shift

# Becomes a union told apart by `name` with the second augmentation; `name` is asked for already, so files stay valid.
AugmentationUnion = Shift
