"""Multiply-adds of one layer, from its weights and the shapes that go in and out."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

Shape = tuple[int | None, ...]  # the batch first


def values(shape: Shape) -> int:
    """Numbers of one image in a tensor of this shape; a size that is not known counts as one."""
    return prod(size for size in shape[1:] if size is not None)


def layer_multiply_adds(operation: keras.Operation, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Multiply-adds of one call for one image, forward.

    They are those of convolutions (also depthwise, separable and transposed ones, with any strides, groups and
    dilation), dense and einsum layers, and multi-head attention. Everything else (biases, normalisation, activations,
    pooling, bare operations) has 0, as in the published figures.
    """
    from keras import layers

    if isinstance(operation, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)):
        return _size(operation.kernel) * _places(operation, inputs[0])
    if isinstance(operation, (layers.SeparableConv1D, layers.SeparableConv2D)):
        kernels = _size(operation.depthwise_kernel) + _size(operation.pointwise_kernel)
        return kernels * _places(operation, outputs[0])
    if isinstance(
        operation,
        (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D),
    ):
        return _size(operation.kernel) * _places(operation, outputs[0])
    if isinstance(operation, layers.Dense):
        return _size(operation.kernel) * values(outputs[0][:-1])
    if isinstance(operation, layers.EinsumDense):
        return _einsum(operation, inputs[0])
    if isinstance(operation, layers.MultiHeadAttention):
        return _attention(operation, *inputs[:3])
    return 0


def _size(kernel: keras.Variable) -> int:
    return int(prod(kernel.shape))


def _places(convolution: keras.Layer, shape: Shape) -> int:
    """Pixels of a tensor of maps: a kernel of shape (..., inputs per group, outputs) is used once at each."""
    return values(shape[:-1] if convolution.data_format == "channels_last" else (shape[0], *shape[2:]))


def _einsum(layer: keras.layers.EinsumDense, shape: Shape) -> int:
    """Every entry of the kernel is used once for each place of the input's axes that the kernel lacks."""
    of_input, of_kernel = layer.equation.replace(" ", "").split("->")[0].split(",")
    start, _, end = of_input.partition("...")
    shape = (None, *shape[1:])  # one image
    named = dict(zip(start, shape, strict=False)) | dict(zip(reversed(end), reversed(shape), strict=False))
    unnamed = shape[len(start) : len(shape) - len(end)] if "..." in of_input else ()
    apart = [size for letter, size in named.items() if letter not in of_kernel]
    repeats: int = prod(size for size in (*apart, *unnamed) if size is not None)
    return _size(layer.kernel) * repeats


def _attention(layer: keras.layers.MultiHeadAttention, query: Shape, value: Shape, key: Shape | None = None) -> int:
    """The four projections, the products of queries and keys, and those of their weights and values."""
    key = value if key is None else key
    made = _size(layer.value_dense.kernel) * values(value[:-1]) + _size(layer.key_dense.kernel) * values(key[:-1])
    made += (_size(layer.query_dense.kernel) + _size(layer.output_dense.kernel)) * values(query[:-1])
    attended: int = prod(value[axis] or 1 for axis in layer._attention_axes)
    of_all_heads = prod(layer.key_dense.kernel.shape[-2:]) + prod(layer.value_dense.kernel.shape[-2:])
    return made + values(query[:-1]) * attended * int(of_all_heads)
