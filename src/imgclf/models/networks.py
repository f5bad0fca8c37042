"""The classification networks of ``keras.applications``: what each wants of an image, and its published files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from imgclf.models.entrance import PixelRange

ApplicationName = Literal[
    "VGG16",
    "VGG19",
    "ResNet50",
    "ResNet101",
    "ResNet152",
    "ResNet50V2",
    "ResNet101V2",
    "ResNet152V2",
    "InceptionV3",
    "InceptionResNetV2",
    "Xception",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "MobileNetV3Large",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "NASNetMobile",
    "NASNetLarge",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2S",
    "EfficientNetV2M",
    "EfficientNetV2L",
    "ConvNeXtTiny",
    "ConvNeXtSmall",
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtXLarge",
]


@dataclass(frozen=True)
class Network:
    """One published network.

    ``side`` is the height and width (pixels) that it was published for, ``least_side`` the least that it builds from.
    ``without_top`` and ``with_top`` are its publisher's files. Where it ``may_skip_preprocessing``, Keras builds it
    without the layers that would bring pixels of 0 to 255 into its range, and ``pixel_range`` is that behind them.
    """

    pixel_range: PixelRange
    without_top: str
    with_top: str
    side: int = 224
    least_side: int = 32
    may_skip_preprocessing: bool = False


def _kernels(stem: str, pixel_range: PixelRange, side: int = 224, least_side: int = 32) -> Network:
    name = f"{stem}_weights_tf_dim_ordering_tf_kernels"
    return Network(pixel_range, f"{name}_notop.h5", f"{name}.h5", side, least_side)


def _notop(stem: str, pixel_range: PixelRange, side: int, may_skip_preprocessing: bool) -> Network:
    return Network(pixel_range, f"{stem}_notop.h5", f"{stem}.h5", side, may_skip_preprocessing=may_skip_preprocessing)


def _mobilenet_v3(size: str) -> Network:
    name = f"weights_mobilenet_v3_{size}_224_1.0"
    return Network("tf", f"{name}_float_no_top_v2.h5", f"{name}_float.h5", may_skip_preprocessing=True)


_MOBILENET_V2 = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224"

NETWORKS: dict[ApplicationName, Network] = {
    "VGG16": _kernels("vgg16", "caffe"),
    "VGG19": _kernels("vgg19", "caffe"),
    "ResNet50": _kernels("resnet50", "caffe"),
    "ResNet101": _kernels("resnet101", "caffe"),
    "ResNet152": _kernels("resnet152", "caffe"),
    "ResNet50V2": _kernels("resnet50v2", "tf"),
    "ResNet101V2": _kernels("resnet101v2", "tf"),
    "ResNet152V2": _kernels("resnet152v2", "tf"),
    "InceptionV3": _kernels("inception_v3", "tf", 299, 75),
    "InceptionResNetV2": _kernels("inception_resnet_v2", "tf", 299, 75),
    "Xception": _kernels("xception", "tf", 299, 71),
    "MobileNet": Network("tf", "mobilenet_1_0_224_tf_no_top.h5", "mobilenet_1_0_224_tf.h5"),
    "MobileNetV2": Network("tf", f"{_MOBILENET_V2}_no_top.h5", f"{_MOBILENET_V2}.h5"),
    "MobileNetV3Small": _mobilenet_v3("small"),
    "MobileNetV3Large": _mobilenet_v3("large"),
    "DenseNet121": _kernels("densenet121", "torch"),
    "DenseNet169": _kernels("densenet169", "torch"),
    "DenseNet201": _kernels("densenet201", "torch"),
    "NASNetMobile": Network("tf", "nasnet_mobile_no_top.h5", "nasnet_mobile.h5"),
    "NASNetLarge": Network("tf", "nasnet_large_no_top.h5", "nasnet_large.h5", 331),
    "EfficientNetB0": _notop("efficientnetb0", "bytes", 224, False),
    "EfficientNetB1": _notop("efficientnetb1", "bytes", 240, False),
    "EfficientNetB2": _notop("efficientnetb2", "bytes", 260, False),
    "EfficientNetB3": _notop("efficientnetb3", "bytes", 300, False),
    "EfficientNetB4": _notop("efficientnetb4", "bytes", 380, False),
    "EfficientNetB5": _notop("efficientnetb5", "bytes", 456, False),
    "EfficientNetB6": _notop("efficientnetb6", "bytes", 528, False),
    "EfficientNetB7": _notop("efficientnetb7", "bytes", 600, False),
    "EfficientNetV2B0": _notop("efficientnetv2-b0", "torch", 224, True),
    "EfficientNetV2B1": _notop("efficientnetv2-b1", "torch", 240, True),
    "EfficientNetV2B2": _notop("efficientnetv2-b2", "torch", 260, True),
    "EfficientNetV2B3": _notop("efficientnetv2-b3", "torch", 300, True),
    "EfficientNetV2S": _notop("efficientnetv2-s", "bytes/128 - 1", 384, True),
    "EfficientNetV2M": _notop("efficientnetv2-m", "bytes/128 - 1", 480, True),
    "EfficientNetV2L": _notop("efficientnetv2-l", "bytes/128 - 1", 480, True),
    "ConvNeXtTiny": _notop("convnext_tiny", "torch", 224, True),
    "ConvNeXtSmall": _notop("convnext_small", "torch", 224, True),
    "ConvNeXtBase": _notop("convnext_base", "torch", 224, True),
    "ConvNeXtLarge": _notop("convnext_large", "torch", 224, True),
    "ConvNeXtXLarge": _notop("convnext_xlarge", "torch", 224, True),
}


def network_named(name: str) -> ApplicationName | None:
    """The network that people mean by a name in any case, with or without hyphens and underscores; None: no such."""
    return next((one for one in NETWORKS if _plain(one) == _plain(name)), None)


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")
