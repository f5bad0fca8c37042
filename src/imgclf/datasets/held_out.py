"""How much of a data set without test images of its own is set aside for the test, and which of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

TEST_SIZE, TEST_SEED = 0.2, 0

TestSize = Annotated[
    Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)],
    Field(
        description="How much is set aside for the test where the data brings no test images, stratified: a count of "
        "images or a fraction."
    ),
]
TestSeed = Annotated[
    int,
    Field(
        ge=0,
        lt=2**32,
        description="Which images those are. Not the experiment's seed: runs of other seeds are tested on the same.",
    ),
]
