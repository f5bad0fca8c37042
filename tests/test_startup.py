from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

# Starts as this program does, then allocates 64 MB, more than glibc by itself ever takes from its heap (32 MB).
CHILD = """
import ctypes, json, os, subprocess, sys
from imgclf.startup import choose_kernels, keep_freed_memory

names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
Mallinfo = type("Mallinfo", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_int) for name in names]})
library = ctypes.CDLL(None)
library.mallinfo.restype = Mallinfo
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]

def mapped_pieces():
    return library.mallinfo().hblks

choose_kernels()
before = mapped_pieces()
library.malloc(2**26)
print(json.dumps({"maps": mapped_pieces() > before, "allocator": os.environ.get("TF_ONEDNN_USE_SYSTEM_ALLOCATOR")}))
sys.stdout.flush()
if len(sys.argv) > 2:
    subprocess.run([sys.executable, *sys.argv[1:]], check=True)
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="is about glibc's malloc")


def started(generations: int, code: str = CHILD, **environment: str) -> list[dict[str, object]]:
    """What each of so many processes found, each the child of the one before."""
    inherited = {name: value for name, value in os.environ.items() if "ALLOCATOR" not in name and "MALLOC" not in name}
    command = [sys.executable]
    command += ["-c", code] * generations
    done = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_process_keeps_its_pieces_below_1_gb_children_too() -> None:
    assert started(3) == [{"maps": False, "allocator": "1"}] * 3


@pytest.mark.parametrize("wish", ["0", "1"])
def test_the_users_choice_of_an_allocator_goes_before(wish: str) -> None:
    assert started(2, TF_ONEDNN_USE_SYSTEM_ALLOCATOR=wish) == [{"maps": True, "allocator": wish}] * 2


@pytest.mark.parametrize(
    ("told", "maps"),
    [
        ("", True),
        ("keep_freed_memory(True)", False),
        ("keep_freed_memory(True); keep_freed_memory(False)", True),
    ],
)
def test_a_process_keeps_pieces_of_any_size_where_it_was_last_told_to(told: str, maps: bool) -> None:
    code = CHILD.replace("library.malloc(2**26)", f"{told}; library.malloc(2**31)" if told else "library.malloc(2**31)")
    assert started(1, code) == [{"maps": maps, "allocator": "1"}]


def test_the_users_own_threshold_goes_before() -> None:
    assert started(2, MALLOC_MMAP_THRESHOLD_=str(2**25)) == [{"maps": True, "allocator": "1"}] * 2
