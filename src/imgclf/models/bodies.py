"""The model families that build a body by themselves; a new one costs one file, its import and its name here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from imgclf.models.alexnet import AlexNet
from imgclf.models.application import Application
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

Bodies = (
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
    | SqueezeNet
)
BodyUnion = Annotated[Bodies, Field(discriminator="name")]
