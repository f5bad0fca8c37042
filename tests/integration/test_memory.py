"""What a run takes in multiples of its weights: a network has to train where a few copies of it fit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STEP_OF_ADAM = 8.0  # weights, gradients, two moments, two temporaries; one more, and what plots and graphs take
AFTERWARDS = 4.2  # the network that was trained, the one that was opened again, and what plots and graphs take
CHILD = """
import json, os, sys
from imgclf import startup

def resident():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

startup.KEPT_BYTES = 2**26  # arrays from 64 MB on are treated as those from 1 GB are by default
startup.import_lean()
assert os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] == "1", "glibc refused what it was told"
import tensorflow as tf
tf.zeros(1)
before = resident()
import imgclf, imgclf.runs.provenance
from pathlib import Path
limit = Path(sys.argv[1], "memory.max")
limit.write_text("3000000000")  # of a container; half of it is less than the network may take
imgclf.runs.provenance.CONTAINER_LIMITS = (limit,)
settings = ["training.epochs=null", "training.steps=1", "training.batch_size=8", "training.optimizer={name: adam}"]
settings += ["model={name: mlp, dense_units: [7000, 7000]}"]
result = imgclf.train("lenet_digits", overrides=settings, runs_dir=sys.argv[1])
weights = 4 * result.run.record()["parameters"]
assert result.run.record()["freed_memory"] == "pieces above 67,108,864 bytes are given back"
peak = imgclf.runs.provenance.peak_memory()
print(json.dumps({"weights": weights, "peak": (peak - before) / weights, "after": (resident() - before) / weights}))
"""


@pytest.mark.slow  # trains a network of 200 MB in a process of its own
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_step_of_adam_with_evaluation_and_serving_check_takes_a_few_times_the_weights(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if "ALLOCATOR" not in name and "MALLOC" not in name}
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    done = subprocess.run(command, env=inherited, capture_output=True, text=True, check=True, cwd=tmp_path)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["weights"] > 190e6
    assert found["peak"] < STEP_OF_ADAM, found
    assert found["after"] < AFTERWARDS, found
