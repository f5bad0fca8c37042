from __future__ import annotations

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from sklearn.utils.class_weight import compute_class_weight

from imgclf.errors import ImgclfError
from imgclf.training.class_weights import ClassWeight, check, class_weights

LABELS = np.array([0, 0, 0, 1, 2, 2, 0], np.int32)
NAMES = ("cat", "dog", "fox")


def test_balanced_is_that_of_scikit_learn() -> None:
    found = class_weights("balanced", LABELS, NAMES)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_given_weights_are_taken_in_the_order_of_the_classes() -> None:
    assert class_weights((1.0, 2.0, 0.5), LABELS, NAMES).tolist() == [1.0, 2.0, 0.5]
    assert class_weights({"fox": 4.0, "cat": 0.5}, LABELS, NAMES).tolist() == [0.5, 1.0, 4.0]
    assert class_weights(None, LABELS, NAMES) is None


def test_balanced_refuses_a_class_without_images() -> None:
    with pytest.raises(ImgclfError, match="must find training images of every class; got none of dog, owl"):
        class_weights("balanced", np.array([0, 2]), ("cat", "dog", "fox", "owl"))


def test_what_does_not_fit_the_classes_is_known_without_data() -> None:
    assert check((1.0, 2.0), [NAMES]) == ["must hold one weight for each of the 3 classes; got 2"]
    assert check({"wolf": 1.0, "cat": 2.0}, [NAMES]) == ['must name classes of the data (cat, dog, fox); got "wolf"']
    assert (
        check({"cat": 2.0}, [NAMES])
        == check((1.0, 1.0, 1.0), [NAMES])
        == check("balanced", [NAMES])
        == check(None, [NAMES])
        == []
    )
    with pytest.raises(ImgclfError, match="must hold one weight for each"):
        class_weights((1.0, 2.0), LABELS, NAMES)


def test_the_setting_takes_what_a_file_can_hold() -> None:
    adapter: TypeAdapter[ClassWeight] = TypeAdapter(ClassWeight)
    assert adapter.validate_json('"balanced"', strict=True) == "balanced"
    assert adapter.validate_json("[1, 2.5]", strict=True) == (1.0, 2.5)
    assert adapter.validate_json('{"cat": 2}', strict=True) == {"cat": 2.0}
    for wrong in ('"even"', "[0]", '{"cat": "much"}', '{"cat": -1}'):
        with pytest.raises(ValidationError):
            adapter.validate_json(wrong, strict=True)


def test_with_several_targets_only_balanced_says_what_is_meant() -> None:
    targets = [NAMES, ("cat", "dog")]
    assert check("balanced", targets) == check(None, targets) == []
    for setting in ((1.0, 2.0, 3.0), {"cat": 2.0}):
        (problem,) = check(setting, targets)
        assert (
            problem
            == "a list or a mapping is for one target, and the data has 2; take balanced, which weighs each by itself"
        )
