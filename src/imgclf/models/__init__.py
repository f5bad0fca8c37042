"""The models that an experiment can name: the families in bodies.py, and what is made of an earlier run."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from imgclf.models.base import ModelSettings
from imgclf.models.bodies import Bodies
from imgclf.models.transfer import Transfer

ModelUnion = Annotated[Bodies | Transfer, Field(discriminator="name")]
MODELS: tuple[type[ModelSettings], ...] = get_args(get_args(ModelUnion)[0])


def model_name(model: type[ModelSettings]) -> str:
    """The name by which an experiment file asks for a model."""
    return str(get_args(model.model_fields["name"].annotation)[0])
