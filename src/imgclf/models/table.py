"""A network as a table: one row a layer, nested models opened, with what feeds each layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from imgclf.models.layer_cost import layer_multiply_adds, values

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class LayerRow:
    """One layer as it is called in the network.

    ``output_shape`` starts with the batch (None); of several outputs it is the first's. ``trainable`` says whether
    training changes any of the ``parameters``. ``inputs`` are the names of the rows that feed this one. A layer that
    is called twice has two rows, the second without parameters. ``activations`` are the numbers of all its outputs and
    ``multiply_adds`` its work, both for one image.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    parameters: int
    trainable: bool
    inputs: tuple[str, ...]
    activations: int
    multiply_adds: int


def layer_table(model: keras.Model) -> list[LayerRow]:
    """The layers of a built Sequential or functional model, each after those that feed it.

    Models inside the model (a body, a head) are opened at any depth; their input layers are left out, as they do
    nothing. Names are the layers' own; where two are equal, the later one has its model's name before it.
    """
    table = _Table()
    table.add_model(model, fed_by=None)
    return table.rows


class _Node(Protocol):
    """What is read of one call of a layer in Keras' graph."""

    operation: keras.Operation
    is_input: bool
    input_tensors: list[keras.KerasTensor]
    output_tensors: list[keras.KerasTensor]


@dataclass
class _Table:
    rows: list[LayerRow] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    calls: Counter[int] = field(default_factory=Counter)

    def add_model(self, model: keras.Model, fed_by: list[str] | None) -> list[str]:
        """Append the rows of ``model`` and return the names of those that make its outputs.

        ``fed_by`` names the rows that feed the inputs, in their order; None for the outermost model.
        """
        graph = _graph(model)
        made: dict[tuple[int, int, int], str] = {}
        if fed_by is not None:
            made = {_source(tensor): name for tensor, name in zip(graph.inputs, fed_by, strict=True)}
        for node in _nodes(graph):
            if node.is_input and fed_by is not None:
                continue
            inputs = [made[_source(tensor)] for tensor in node.input_tensors]
            outputs = self._add_node(node, inputs, model.name)
            made |= {_source(tensor): name for tensor, name in zip(node.output_tensors, outputs, strict=True)}
        return [made[_source(tensor)] for tensor in graph.outputs]

    def _add_node(self, node: _Node, inputs: list[str], parent: str) -> list[str]:
        if _is_graph(node.operation):
            return self.add_model(node.operation, fed_by=inputs)
        operation = node.operation
        shapes = [tuple(tensor.shape) for tensor in node.output_tensors]
        self.calls[id(operation)] += 1
        call = self.calls[id(operation)]
        name = self._unused_name(operation.name if call == 1 else f"{operation.name} (call {call})", parent)
        parameters, trainable = _weights(operation) if call == 1 else (0, False)
        row = LayerRow(
            name,
            kind=type(operation).__name__,
            output_shape=shapes[0],
            parameters=parameters,
            trainable=trainable,
            inputs=tuple(inputs),
            activations=sum(map(values, shapes)),
            multiply_adds=layer_multiply_adds(operation, [tuple(one.shape) for one in node.input_tensors], shapes),
        )
        self.rows.append(row)
        return [name] * len(shapes)

    def _unused_name(self, name: str, parent: str) -> str:
        while name in self.names:
            name = f"{parent}/{name}"
        self.names.add(name)
        return name


def _weights(operation: keras.Operation) -> tuple[int, bool]:
    """Parameters and whether training changes any of them; a bare operation such as ``x + y`` has none."""
    import keras

    if not isinstance(operation, keras.layers.Layer):
        return 0, False
    return int(operation.count_params()), bool(operation.trainable_weights)


# Keras shows its graph nowhere but in the attributes below; keras.utils.model_to_dot reads the same ones.


def _graph(model: keras.Model) -> keras.Model:
    """The functional model that holds the nodes: a Sequential keeps its own inside."""
    import keras

    graph = model._functional if isinstance(model, keras.Sequential) else model
    assert _is_graph(graph), f"{model.name} must be a built Sequential or functional model"
    return graph


def _is_graph(operation: keras.Operation) -> bool:
    import keras

    return isinstance(operation, keras.Sequential) or hasattr(operation, "_nodes_by_depth")


def _nodes(graph: keras.Model) -> list[_Node]:
    """The calls of a functional model, each after those that feed it; of equal depth in the order of their layers."""
    place = {id(operation): index for index, operation in enumerate(graph.operations)}
    by_depth = sorted(graph._nodes_by_depth.items(), reverse=True)
    return [node for _, nodes in by_depth for node in sorted(nodes, key=lambda node: place[id(node.operation)])]


def _source(tensor: keras.KerasTensor) -> tuple[int, int, int]:
    """The call that made a symbolic tensor: which operation, which of its calls, which of its outputs."""
    history = tensor._keras_history
    return id(history.operation), history.node_index, history.tensor_index
