"""Where boxes and arrows lie: nothing overlaps, arrows run downwards and through no box."""

from __future__ import annotations

from itertools import combinations

import pytest

from imgclf.reporting.diagram_layout import BOX_HEIGHT, arrange

WIDTH = 2.5
CHAIN = {f"layer {index}": (f"layer {index - 1}",) if index else () for index in range(8)}
LONG = {f"layer {index}": (f"layer {index - 1}",) if index else () for index in range(60)}
RESIDUAL = {"a": (), "b": ("a",), "c": ("b",), "sum": ("c", "a")}
INCEPTION = {
    "in": (),
    **{f"{branch}1": ("in",) for branch in "pqrs"},
    **{f"{branch}2": (f"{branch}1",) for branch in "qrs"},
    "concat": ("p1", "q2", "r2", "s2"),
    "head": ("concat",),
}
DENSE = {f"d{index}": tuple(f"d{earlier}" for earlier in range(index)) for index in range(20)}
GRAPHS = [CHAIN, LONG, RESIDUAL, INCEPTION, DENSE, {"alone": ()}]


@pytest.mark.parametrize("graph", GRAPHS)
def test_boxes_lie_within_the_page_and_apart(graph: dict[str, tuple[str, ...]]) -> None:
    layout = arrange(graph, WIDTH)
    assert set(layout.boxes) == set(graph)
    for x, y in layout.boxes.values():
        assert x >= -1e-9
        assert x + WIDTH <= layout.width + 1e-9
        assert 0 <= y <= layout.height - BOX_HEIGHT + 1e-9
    for (x, y), (other_x, other_y) in combinations(layout.boxes.values(), 2):
        assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= BOX_HEIGHT


@pytest.mark.parametrize("graph", GRAPHS)
def test_each_arrow_joins_the_foot_of_one_box_to_the_head_of_the_other(graph: dict[str, tuple[str, ...]]) -> None:
    layout = arrange(graph, WIDTH)
    feet = {(x + WIDTH / 2, y + BOX_HEIGHT): name for name, (x, y) in layout.boxes.items()}
    heads = {(x + WIDTH / 2, y): name for name, (x, y) in layout.boxes.items()}
    joined = sorted((_nearest(feet, arrow[0]), _nearest(heads, arrow[-1])) for arrow in layout.arrows)
    assert joined == sorted((feeder, name) for name, feeders in graph.items() for feeder in feeders)


def _nearest(places: dict[tuple[float, float], str], point: tuple[float, float]) -> str:
    distance, name = min((abs(x - point[0]) + abs(y - point[1]), name) for (x, y), name in places.items())
    assert distance < 1e-6
    return name


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_arrow_bends_inside_a_box(graph: dict[str, tuple[str, ...]]) -> None:
    layout = arrange(graph, WIDTH)
    for arrow in layout.arrows:
        for x, y in arrow[1:-1]:
            assert not any(
                left < x < left + WIDTH and top <= y <= top + BOX_HEIGHT for left, top in layout.boxes.values()
            )


def test_branches_lie_side_by_side_at_their_depth() -> None:
    boxes = arrange(INCEPTION, WIDTH).boxes
    assert len({boxes[f"{branch}1"][1] for branch in "pqrs"}) == 1
    assert boxes["p1"][1] < boxes["q2"][1] < boxes["concat"][1] < boxes["head"][1]
    assert boxes["in"][0] == boxes["concat"][0] == boxes["head"][0]


def test_short_networks_are_one_column_and_long_ones_several() -> None:
    assert len({x for x, _ in arrange(CHAIN, WIDTH).boxes.values()}) == 1
    layout = arrange(LONG, WIDTH)
    assert len({x for x, _ in layout.boxes.values()}) > 2
    assert 0.5 < layout.width / layout.height < 3
