"""Where the boxes and arrows of a network's diagram lie: layers by depth, branches side by side, wrapped in columns.

The method is the usual one for layered graphs (Sugiyama et al., 1981), without crossing minimisation: a box lies at its
longest path from an input; an arrow over several levels passes each of them in a lane of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt

Point = tuple[float, float]  # inches from the left and from the top

BOX_HEIGHT = 0.56
LANE_WIDTH = 0.16
SPACING = 0.22
GAP = 0.34
GAP_PER_SHIFT = 0.1  # the gap between two levels grows where arrows run sideways
MOST_GAP = 0.8
GUTTER = 0.7
LEVELS_IN_ONE_COLUMN = 14
BOX_WEIGHT, LANE_WEIGHT = 10.0, 1.0  # where both want one place, the lane gives way


@dataclass(frozen=True)
class Layout:
    """Upper left corners of the boxes by name, arrows as chains of points, and the size of it all, in inches."""

    boxes: dict[str, Point]
    arrows: list[list[Point]]
    width: float
    height: float


@dataclass(frozen=True)
class _Node:
    """A box, or the lane of an arrow that passes a level; ``feeders`` lie one level above."""

    width: float
    weight: float
    feeders: tuple[int, ...]
    name: str | None


@dataclass
class _Levels:
    """The nodes by number, the numbers on each level, and for each arrow the numbers that it runs through."""

    nodes: dict[int, _Node]
    numbers: list[list[int]]
    routes: list[list[int]]


def arrange(inputs: Mapping[str, Sequence[str]], box_width: float) -> Layout:
    """The layout of a graph given as the inputs of each box; every box stands after those that feed it."""
    levels = _levels(inputs, box_width)
    centres = _centres(levels)
    columns = _columns(levels)
    places, sizes = _places(levels, centres, columns)
    boxes = {
        node.name: (places[number][0] - box_width / 2, places[number][1])
        for number, node in levels.nodes.items()
        if node.name is not None
    }
    arrows = _arrows(levels, places, columns, sizes)
    height = max((y for _, y in boxes.values()), default=0.0) + BOX_HEIGHT
    bottom = max((y for arrow in arrows for _, y in arrow), default=0.0)
    return Layout(boxes, arrows, sum(sizes) + GUTTER * (len(sizes) - 1), max(height, bottom))


def _levels(inputs: Mapping[str, Sequence[str]], box_width: float) -> _Levels:
    depth: dict[str, int] = {}
    for name, feeders in inputs.items():
        depth[name] = 1 + max((depth[feeder] for feeder in feeders), default=-1)
    result = _Levels({}, [[] for _ in range(max(depth.values(), default=-1) + 1)], [])
    number_of: dict[str, int] = {}
    for name in sorted(inputs, key=depth.__getitem__):
        routes = [_add_route(result, number_of[feeder], depth[feeder], depth[name]) for feeder in inputs[name]]
        number_of[name] = _add(result, depth[name], _Node(box_width, BOX_WEIGHT, tuple(r[-1] for r in routes), name))
        result.routes += [[*route, number_of[name]] for route in routes]
    return result


def _add_route(levels: _Levels, source: int, above: int, below: int) -> list[int]:
    """The numbers from ``source`` through a new lane on each level between the two."""
    route = [source]
    for level in range(above + 1, below):
        route.append(_add(levels, level, _Node(LANE_WIDTH, LANE_WEIGHT, (route[-1],), None)))
    return route


def _add(levels: _Levels, level: int, node: _Node) -> int:
    number = len(levels.nodes)
    levels.nodes[number] = node
    levels.numbers[level].append(number)
    return number


def _centres(levels: _Levels) -> dict[int, float]:
    """The horizontal centre of each node, as near to those that feed it as its neighbours allow.

    A level of a single node lies at 0, so that the trunk of a network with branches is straight.
    """
    centres: dict[int, float] = {}
    for numbers in levels.numbers:
        wanted = (
            {number: _mean(levels, centres, number) for number in numbers} if len(numbers) > 1 else {numbers[0]: 0.0}
        )
        numbers.sort(key=wanted.__getitem__)
        centres |= dict(zip(numbers, _apart(levels, numbers, wanted), strict=True))
    return centres


def _mean(levels: _Levels, centres: dict[int, float], number: int) -> float:
    feeders = levels.nodes[number].feeders
    total = sum(levels.nodes[feeder].weight for feeder in feeders)
    return sum(levels.nodes[feeder].weight * centres[feeder] for feeder in feeders) / total if feeders else 0.0


def _apart(levels: _Levels, numbers: list[int], wanted: dict[int, float]) -> list[float]:
    """Centres that keep the order and the distance and are, weighted, the nearest to the wanted ones.

    Less the distances that must be kept, this is isotonic regression, done by pooling neighbours that are out of order.
    """
    offsets = [0.0]
    for left, right in pairwise(numbers):
        offsets.append(offsets[-1] + (levels.nodes[left].width + levels.nodes[right].width) / 2 + SPACING)
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for number, offset in zip(numbers, offsets, strict=True):
        mean, weight, members = wanted[number] - offset, levels.nodes[number].weight, 1
        while pools and pools[-1][0] >= mean:
            other, other_weight, other_members = pools.pop()
            mean = (mean * weight + other * other_weight) / (weight + other_weight)
            weight, members = weight + other_weight, members + other_members
        pools.append((mean, weight, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _columns(levels: _Levels) -> list[range]:
    """The levels of each column: one if the network is short, else cut where the fewest arrows pass."""
    total = len(levels.numbers)
    fitting = max(LEVELS_IN_ONE_COLUMN, ceil(sqrt(3.2 * total)))
    length = ceil(total / ceil(total / fitting)) if total else 1
    columns, start = [], 0
    while total - start > length:
        choices = range(start + max(1, length * 3 // 4), start + length + 1)
        end = min(choices, key=lambda level: (_passing(levels, level), -level))
        columns.append(range(start, end))
        start = end
    return [*columns, range(start, total)]


def _passing(levels: _Levels, level: int) -> int:
    """How many nodes on the level above have an arrow into ``level``."""
    return len({feeder for number in levels.numbers[level] for feeder in levels.nodes[number].feeders})


def _places(levels: _Levels, centres: dict[int, float], columns: list[range]) -> tuple[dict[int, Point], list[float]]:
    """Centre and top of every node on the page, and the width of each column."""
    places: dict[int, Point] = {}
    sizes: list[float] = []
    for column in columns:
        numbers = [number for level in column for number in levels.numbers[level]]
        left = min((centres[number] - levels.nodes[number].width / 2 for number in numbers), default=0.0)
        right = max((centres[number] + levels.nodes[number].width / 2 for number in numbers), default=0.0)
        shift, y = sum(sizes) + GUTTER * len(sizes) - left, 0.0
        for level in column:
            y += _gap(levels, centres, level) if level > column.start else 0.0
            places |= {number: (centres[number] + shift, y) for number in levels.numbers[level]}
            y += BOX_HEIGHT
        sizes.append(right - left)
    return places, sizes


def _gap(levels: _Levels, centres: dict[int, float], level: int) -> float:
    """The space above a level: more where arrows come from far aside."""
    shifts = [
        abs(centres[number] - centres[feeder])
        for number in levels.numbers[level]
        for feeder in levels.nodes[number].feeders
    ]
    return min(MOST_GAP, GAP + GAP_PER_SHIFT * max(shifts, default=0.0))


def _arrows(levels: _Levels, places: dict[int, Point], columns: list[range], sizes: list[float]) -> list[list[Point]]:
    """The points of each arrow: down through its lanes, and by the gutter from one column to the next."""
    heads = {number: index for index, column in enumerate(columns[1:], 1) for number in levels.numbers[column.start]}
    arrows = []
    for route in levels.routes:
        points: list[Point] = []
        for above, below in pairwise(route):
            points.append((places[above][0], places[above][1] + BOX_HEIGHT))
            if below in heads:
                gutter = sum(sizes[: heads[below]]) + GUTTER * (heads[below] - 0.5)
                points += _around(points[-1], places[below], gutter)
            points.append(places[below])
        arrows.append(points)
    return arrows


def _around(start: Point, end: Point, gutter: float) -> list[Point]:
    foot, head = start[1] + GAP / 2, end[1] - GAP / 2
    return [(start[0], foot), (gutter, foot), (gutter, head), (end[0], head)]
