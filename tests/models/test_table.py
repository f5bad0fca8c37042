"""The layer table against Keras' own counts and hand-made graphs."""

from __future__ import annotations

from itertools import pairwise

import keras
from keras import layers

from imgclf.models.table import layer_table


def _body() -> keras.Model:
    return keras.Sequential(
        [layers.Input((28, 28, 1)), layers.Conv2D(20, 5, name="filters"), layers.Flatten(), layers.Dropout(0.5)]
    )


def test_nested_models_are_opened_and_counted_once() -> None:
    image = layers.Input((28, 28, 1), name="image")
    model = keras.Model(image, layers.Dense(10, name="logits")(_body()(image)))
    rows = layer_table(model)
    assert [row.kind for row in rows] == ["InputLayer", "Conv2D", "Flatten", "Dropout", "Dense"]
    assert [row.output_shape for row in rows][1:3] == [(None, 24, 24, 20), (None, 11520)]
    assert sum(row.parameters for row in rows) == model.count_params()
    assert rows[1].parameters == 5 * 5 * 20 + 20
    assert rows[1].inputs == ("image",)
    assert rows[-1].inputs == (rows[-2].name,)


def test_a_sequential_alone_is_a_chain() -> None:
    rows = layer_table(_body())
    assert rows[0].inputs == ()
    assert all(row.inputs == (before.name,) for before, row in pairwise(rows))


def test_branches_name_what_feeds_them_and_stand_after_it() -> None:
    image = layers.Input((8, 8, 3), name="image")
    narrow, wide = layers.Conv2D(4, 1, name="narrow")(image), layers.Conv2D(4, 3, padding="same", name="wide")(image)
    sum_of_both = layers.Add(name="sum")([narrow, wide])
    rows = {row.name: row for row in layer_table(keras.Model(image, sum_of_both * 2.0))}
    assert rows["narrow"].inputs == rows["wide"].inputs == ("image",)
    assert rows["sum"].inputs == ("narrow", "wide")
    assert list(rows)[:4] == ["image", "narrow", "wide", "sum"]
    assert [row.inputs for row in rows.values() if row.kind == "Multiply"] == [("sum",)]


def test_a_shared_layer_has_a_row_a_call_and_its_parameters_once() -> None:
    image, shared = layers.Input((4, 4, 2), name="image"), layers.Conv2D(2, 1, name="shared")
    model = keras.Model(image, shared(shared(image)))
    rows = layer_table(model)
    assert [(row.name, row.parameters) for row in rows] == [("image", 0), ("shared", 6), ("shared (call 2)", 0)]
    assert rows[2].inputs == ("shared",)


def test_equal_names_in_nested_models_stay_apart() -> None:
    image = layers.Input((3,), name="image")
    inner = keras.Sequential([layers.Input((3,)), layers.Dense(3, name="dense")], name="inner")
    rows = layer_table(keras.Model(image, inner(layers.Dense(3, name="dense")(image))))
    assert [row.name for row in rows] == ["image", "dense", "inner/dense"]


def test_a_model_with_several_outputs_keeps_its_wires_apart() -> None:
    image = layers.Input((3,), name="image")
    inside = layers.Input((3,))
    inner = keras.Model(inside, [layers.Dense(2, name="left")(inside), layers.Dense(4, name="right")(inside)])
    left, right = inner(image)
    rows = {
        row.name: row
        for row in layer_table(keras.Model(image, [layers.ReLU(name="l")(left), layers.ReLU(name="r")(right)]))
    }
    assert rows["l"].inputs == ("left",)
    assert rows["r"].inputs == ("right",)


def test_frozen_layers_are_not_trainable() -> None:
    model = _body()
    model.get_layer("filters").trainable = False
    assert [row.trainable for row in layer_table(model) if row.parameters] == [False]
