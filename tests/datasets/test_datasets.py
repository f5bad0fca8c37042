from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from imgclf.datasets import DatasetUnion, publications
from imgclf.datasets.digits import Digits
from imgclf.datasets.fashion_mnist import FashionMnist
from imgclf.datasets.mnist import Mnist

SECTION = TypeAdapter(DatasetUnion)


@pytest.mark.parametrize(("name", "settings"), [("digits", Digits), ("mnist", Mnist), ("fashion_mnist", FashionMnist)])
def test_the_name_tells_the_data_sets_apart(name: str, settings: type) -> None:
    assert type(SECTION.validate_python({"name": name, "validation_size": 0.25})) is settings


def test_an_unknown_name_and_an_unknown_key_are_refused() -> None:
    with pytest.raises(ValidationError, match="'digits', 'mnist', 'fashion_mnist'"):
        SECTION.validate_python({"name": "cifar"})
    with pytest.raises(ValidationError, match="validation_sise"):
        SECTION.validate_python({"name": "mnist", "validation_sise": 0.25})


def test_every_data_set_says_what_it_is_in_the_schema() -> None:
    for settings in get_args(get_args(DatasetUnion)[0]):
        assert settings.model_json_schema()["properties"]["name"]["description"]


def test_importing_the_list_imports_nothing_heavy() -> None:
    heavy = "{'sklearn', 'tensorflow', 'keras', 'matplotlib', 'cv2', 'PIL', 'urllib.request'}"
    code = f"import sys, imgclf.datasets; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_downloaded_is_what_the_settings_say() -> None:
    assert {name: one.by_class for name, one in publications().items()} == {
        "mnist": False,
        "fashion_mnist": False,
        "cifar10": False,
        "cifar100": False,
        "quickdraw": True,
    }
