"""The model families. A new one costs one file, its import and its name in the union."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from imgclf.models.alexnet import AlexNet
from imgclf.models.application import Application
from imgclf.models.base import ModelSettings
from imgclf.models.elu_cnn import EluCnn
from imgclf.models.googlenet import GoogLeNet
from imgclf.models.lenet import LeNet
from imgclf.models.mlp import Mlp
from imgclf.models.perceptron import Perceptron
from imgclf.models.quickdraw_cnn import QuickdrawCnn
from imgclf.models.simple_cnn import SimpleCnn
from imgclf.models.small_vgg import SmallVgg
from imgclf.models.spatial_transformer import SpatialTransformer
from imgclf.models.squeezenet import SqueezeNet

ModelUnion = Annotated[
    Perceptron
    | Mlp
    | LeNet
    | SimpleCnn
    | EluCnn
    | QuickdrawCnn
    | SmallVgg
    | AlexNet
    | GoogLeNet
    | SpatialTransformer
    | Application
    | SqueezeNet,
    Field(discriminator="name"),
]
MODELS: tuple[type[ModelSettings], ...] = get_args(get_args(ModelUnion)[0])


def model_name(model: type[ModelSettings]) -> str:
    """The name by which an experiment file asks for a model."""
    return str(get_args(model.model_fields["name"].annotation)[0])
