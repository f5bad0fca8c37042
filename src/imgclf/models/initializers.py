"""How weights start: the initialisers of Keras, as settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from imgclf.settings import Positive, Settings

if TYPE_CHECKING:
    import keras


OfAnyShape = Literal[
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "zeros", "ones"
]


class PlainInitializer(Settings):
    """An initialiser of Keras that needs no number."""

    name: Literal[OfAnyShape, "orthogonal"] = Field(description="Name of the Keras initialiser.")

    def build(self) -> keras.initializers.Initializer:
        return _build(self.name)


class PlainBiasInitializer(Settings):
    """An initialiser of Keras that needs no number, for one row of numbers: orthogonal ones need two."""

    name: OfAnyShape = Field(description="Name of the Keras initialiser.")

    def build(self) -> keras.initializers.Initializer:
        return _build(self.name)


class NormalInitializer(Settings):
    """Numbers from a normal distribution, cut at two deviations where truncated."""

    name: Literal["random_normal", "truncated_normal"] = Field(description="Name of the Keras initialiser.")
    mean: float = Field(0.0, description="Mean of the distribution.")
    stddev: Positive = Field(0.05, description="Standard deviation of the distribution.")

    def build(self) -> keras.initializers.Initializer:
        return _build(self.name, mean=self.mean, stddev=self.stddev)


class UniformInitializer(Settings):
    """Numbers from a uniform distribution."""

    name: Literal["random_uniform"] = Field(description="Name of the Keras initialiser.")
    minval: float = Field(-0.05, description="Lower bound.")
    maxval: float = Field(0.05, description="Upper bound.")

    def build(self) -> keras.initializers.Initializer:
        return _build(self.name, minval=self.minval, maxval=self.maxval)


class ConstantInitializer(Settings):
    """One number everywhere."""

    name: Literal["constant"] = Field(description="Name of the Keras initialiser.")
    value: float = Field(0.0, description="The number.")

    def build(self) -> keras.initializers.Initializer:
        return _build(self.name, value=self.value)


Initializer = Annotated[
    PlainInitializer | NormalInitializer | UniformInitializer | ConstantInitializer, Field(discriminator="name")
]
BiasInitializer = Annotated[
    PlainBiasInitializer | NormalInitializer | UniformInitializer | ConstantInitializer, Field(discriminator="name")
]
GLOROT_UNIFORM = PlainInitializer(name="glorot_uniform")
ZEROS = PlainBiasInitializer(name="zeros")

RANDOM = {
    "VarianceScaling": "variance_scaling",
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "HeUniform": "he_uniform",
    "HeNormal": "he_normal",
    "LecunUniform": "lecun_uniform",
    "LecunNormal": "lecun_normal",
    "Orthogonal": "orthogonal",
    "RandomUniform": "random_uniform",
    "RandomNormal": "random_normal",
    "TruncatedNormal": "truncated_normal",
}  # Keras' initialisers that draw numbers, under both names that a layer may call them by


@contextmanager
def zeros_for_random() -> Iterator[None]:
    """Networks that are built inside begin with zeros where they would with random numbers: to be loaded over.

    Those cost seconds and twice the memory of the weights.
    """
    import keras

    class Unset(keras.initializers.Initializer):  # type: ignore[misc]  # Keras has no types
        def __new__(cls, **settings: Any) -> Any:
            """Keras' own zeros, whatever the settings: a model that is saved names them, and nothing of imgclf."""
            del settings
            return keras.initializers.Zeros()

        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            return cls(**config)

    with keras.utils.custom_object_scope(dict.fromkeys([*RANDOM, *RANDOM.values()], Unset)):
        yield


def _build(name: str, **settings: Any) -> keras.initializers.Initializer:
    import keras

    return keras.initializers.get({"class_name": name, "config": settings})
