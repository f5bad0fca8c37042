"""The published schemas: valid themselves, and as strict as they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from imgclf.evaluation.json_schemas import PREDICTIONS_SCHEMA, REPORT_SCHEMA
from imgclf.evaluation.report import build_report, join_reports

PREDICTION = {
    "file": "seven.png",
    "label": "7",
    "probability": 0.9,
    "top": [{"label": "7", "probability": 0.9}, {"label": "1", "probability": 0.1}],
    "steps": ["resized from 90 × 120 to 28 × 28"],
}


def _report() -> dict[str, Any]:
    logits = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    return build_report(logits, np.arange(50) % 5, list("abcdef"), "test")


@pytest.mark.parametrize("schema", [REPORT_SCHEMA, PREDICTIONS_SCHEMA])
def test_schema_is_valid_and_describes_every_property(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    _assert_described(schema)


def _assert_described(schema: dict[str, Any]) -> None:
    for part in schema.get("properties", {}).values():
        assert part["description"]
        _assert_described(part)
    for part in [schema.get("items"), schema.get("additionalProperties"), *schema.get("oneOf", [])]:
        if isinstance(part, dict):
            _assert_described(part)


def test_report_is_valid_also_with_run_and_weights() -> None:
    validator = Draft202012Validator(REPORT_SCHEMA)
    validator.validate(_report())
    validator.validate(_report() | {"run": "lenet_mnist-20261122-141503", "weights": "weights/best.weights.h5"})


def test_a_report_of_two_classes_with_a_temperature_is_valid_with_and_without_a_threshold() -> None:
    validator = Draft202012Validator(REPORT_SCHEMA)
    logits, labels = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32), np.arange(50) % 2
    for validation in (None, (logits, labels)):
        report = build_report(logits, labels, ["cat", "dog"], "test", validation=validation, temperature=1.5)
        validator.validate(report | {"test_time_augmentation": "flip"})
        assert not validator.is_valid(report | {"binary": report["binary"] | {"roc_area": 2}})
        assert not validator.is_valid(report | {"calibration": {"temperature": 1.5}})
        validator.validate(join_reports({"pet": report, "other": _report()}, np.ones((50, 2), bool)))


def test_report_schema_requires_what_the_contract_names() -> None:
    names = "accuracy accuracy_interval loss num_images split per_class confusion_matrix class_names"
    required = REPORT_SCHEMA["oneOf"][0]["required"]
    assert set(names.split()) <= set(required)
    assert "run" not in required


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"accuracy": 1.5},
        {"accuracy": None},
        {"accuracy_interval": [0.1]},
        {"accuracy_interval": [0.1, 0.2, 0.3]},
        {"num_images": 0},
        {"split": "elsewhere"},
        {"top_k": {"three": 0.5}},
        {"confusion_matrix": [[1, -1], [0, 1]]},
    ],
)
def test_report_schema_refuses_drift(change: dict[str, Any]) -> None:
    assert not Draft202012Validator(REPORT_SCHEMA).is_valid(_report() | change)


def test_predictions_are_results_or_errors_and_never_both() -> None:
    validator = Draft202012Validator(PREDICTIONS_SCHEMA)
    failed = {"file": "notes.txt", "error": "no image"}
    validator.validate([PREDICTION, failed])
    validator.validate([])
    assert not validator.is_valid([PREDICTION | failed])
    assert not validator.is_valid([{"file": "seven.png"}])
    assert not validator.is_valid([PREDICTION | {"top": []}])
    assert not validator.is_valid(PREDICTION)


def test_a_report_of_several_targets_is_valid_and_no_mixture_is() -> None:
    validator = Draft202012Validator(REPORT_SCHEMA)
    joined = join_reports({"colour": _report(), "shape": _report()}, np.ones((50, 2), bool))
    validator.validate(joined)
    validator.validate(joined | {"run": "shapes-20261122-141503", "weights": "last.weights.h5"})
    assert not validator.is_valid(joined | {"targets": {"colour": _report()}})
    assert not validator.is_valid(joined | {"targets": {**joined["targets"], "shape": {"accuracy": 1.0}}})
    assert not validator.is_valid(_report() | {"targets": joined["targets"]})
    assert not validator.is_valid({key: value for key, value in joined.items() if key != "exact_match_ratio"})


def test_a_prediction_of_several_targets_is_valid_and_no_mixture_is() -> None:
    validator = Draft202012Validator(PREDICTIONS_SCHEMA)
    answer = {key: PREDICTION[key] for key in ("label", "probability", "top")}
    several = {"file": "seven.png", "targets": {"digit": answer, "hand": answer}, "steps": []}
    validator.validate([several, PREDICTION])
    assert not validator.is_valid([several | answer])
    assert not validator.is_valid([several | {"targets": {"digit": answer}}])
    assert not validator.is_valid([several | {"targets": {"digit": answer, "hand": {"label": "left"}}}])
