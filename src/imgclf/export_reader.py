"""Reads an exported model back without imgclf and answers for images; its text is run by a fresh Python.

Arguments: the format, the model's path, an .npy file of images, and the .npz file to write the probabilities to.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np


def answers(form: str, model: str, images: Any) -> dict[str, Any]:
    """Probabilities (images, classes) by the name of the output; "probabilities" where there is but one."""
    if form == "keras":
        import keras

        found = keras.models.load_model(model, safe_mode=True).predict(images, verbose=0)
        return found if isinstance(found, dict) else {"probabilities": found}
    import tensorflow as tf

    # The loaded object must outlive the call: its signature does not keep its variables.
    loaded = tf.saved_model.load(model)
    found = loaded.signatures["serving_default"](images=tf.constant(images))
    return {name: tensor.numpy() for name, tensor in found.items() if name.startswith("probabilities")}


if __name__ == "__main__":
    form, model, images, output = sys.argv[1:]
    np.savez(output, **answers(form, model, np.load(images)))
    if "imgclf" in sys.modules:
        sys.exit("imgclf was imported")
