"""The published form of the program's JSON: JSON Schema (draft 2020-12) of the report and of the predictions."""

from __future__ import annotations

from typing import Any, get_args

from imgclf.evaluation.schema_parts import DRAFT as _DRAFT
from imgclf.evaluation.schema_parts import array as _list
from imgclf.evaluation.schema_parts import count as _count
from imgclf.evaluation.schema_parts import interval as _interval
from imgclf.evaluation.schema_parts import share as _share
from imgclf.evaluation.schema_parts import strict_object as _object
from imgclf.evaluation.schema_parts import text as _text
from imgclf.evaluation.settings import TestTimeAugmentation, ThresholdRule

_AVERAGE = {
    "precision": _share("Precision, averaged over the classes."),
    "recall": _share("Recall, averaged over the classes."),
    "f1": _share("F1, averaged over the classes."),
}

_CLASS = _object(
    {
        "class_name": _text("Name of the class."),
        "precision": _share(
            "Right ones among the images given this class; null where none was given it.", may_be_null=True
        ),
        "recall": _share("Right ones among the images of this class; null where it has none.", may_be_null=True),
        "f1": _share(
            "Harmonic mean of precision and recall; null where the class has no image and was never given.",
            may_be_null=True,
        ),
        "support": _count("Images of this class."),
        "predicted": _count("Images that were given this class."),
    },
    "One class.",
)

_PAIR = _object(
    {
        "true": _text("The true class."),
        "predicted": _text("The class that was given instead."),
        "count": _count("How many images.", minimum=1),
        "share": _share("Share of the true class's images."),
    },
    "One kind of mistake.",
)

_BIN = _object(
    {
        "lower": _share("The bin holds confidences above this bound (the first also holds 0)."),
        "upper": _share("The bin holds confidences up to this bound."),
        "count": _count("Images in the bin."),
        "confidence": _share("Mean probability of the predicted class; null in an empty bin.", may_be_null=True),
        "accuracy": _share("Share of right predictions; null in an empty bin.", may_be_null=True),
    },
    "Images by the probability of their predicted class.",
)

_AT_THRESHOLD = {
    "precision": _share("Positive ones among those called positive; null where none was.", may_be_null=True),
    "recall": _share("Share of the positive images that are called positive; null where none is.", may_be_null=True),
    "specificity": _share("Share of the negative images that are not; null where there is none.", may_be_null=True),
    "f1": _share("Harmonic mean of precision and recall; null where both are.", may_be_null=True),
    "accuracy": _share("Share of right answers."),
}

_PREDICTION_TOP = _object(
    {"label": _text("Name of the class."), "probability": _share("Its probability.")}, "One of the most likely classes."
)

_PREDICTION_ANSWER = {
    "label": _text("The most likely class."),
    "probability": _share("The probability of that class."),
    "top": _list(_PREDICTION_TOP, "The most likely classes, most likely first.", 1),
}

_IMAGE_FILE = _text("The image file, as it was given.")
_STEPS = _list(_text("One step."), "What was done to the image before the model saw it, in order.")

_BINARY = _object(
    {
        "positive_class": _text("The class that the figures are about."),
        "roc_area": _share("Area under the ROC curve; null where the images are all of one class.", may_be_null=True),
        "average_precision": _share(
            "Area under the precision-recall curve, as a sum of steps; null where the images are all of one class.",
            may_be_null=True,
        ),
        "threshold_rule": {
            "enum": list(get_args(ThresholdRule)),
            "description": "What the threshold makes highest on the validation images: evaluation.threshold.",
        },
        "threshold": _share(
            "The least probability of the positive class at which an image is called positive, picked on the "
            "validation images; null where that is not possible.",
            may_be_null=True,
        ),
        "threshold_note": _text("Which images the threshold was picked on, or why there is none."),
        "at_threshold": {
            "anyOf": [_object(_AT_THRESHOLD, "At the threshold."), {"type": "null"}],
            "description": "What the threshold does to the evaluated images; null where there is none.",
        },
    },
    "Of two classes: the positive one, and what tells it from the other at any threshold and at one.",
)

_CALIBRATION = _object(
    {
        "temperature": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "What the logits were divided by, fitted on the validation images.",
        },
        "calibration_error_before": _share("Expected calibration error without the temperature."),
        "calibration_error_after": _share("Expected calibration error with it: `calibration_error`."),
        "loss_before": {"type": "number", "minimum": 0, "description": "Mean cross-entropy without the temperature."},
        "loss_after": {"type": "number", "minimum": 0, "description": "Mean cross-entropy with it: `loss`."},
    },
    "Of weights with a temperature: what scaling by it does to the evaluated images.",
)

_EVALUATED = {
    "run": _text("Name of the run that was evaluated; printed, not in report.json."),
    "weights": _text("The weight file that was evaluated."),
    "warning": _text("Why these numbers don't compare with the run's own, where they don't."),
    "test_time_augmentation": {
        "enum": list(get_args(TestTimeAugmentation)),
        "description": "Whose logits were averaged, where any were: `flip`, each image's and its mirror image's.",
    },
}


def _by_name(items: dict[str, Any], description: str) -> dict[str, Any]:
    """An object of two or more targets, each under its name."""
    return {"type": "object", "additionalProperties": items, "minProperties": 2, "description": description}


_TARGET = {
    "split": {"enum": ["train", "validation", "test"], "description": "The images that were evaluated."},
    "num_images": _count("How many images the numbers stand on.", minimum=1),
    "accuracy": _share("Share of images whose most likely class is the true one."),
    "accuracy_interval": _interval("95 % Wilson interval of the accuracy: [low, high]."),
    "standard_error": _share("Binomial standard error of the accuracy."),
    "loss": {"type": "number", "minimum": 0, "description": "Mean cross-entropy, in nats."},
    "top_k": {
        "type": "object",
        "patternProperties": {"^[1-9][0-9]*$": _share("Share of images.")},
        "additionalProperties": False,
        "description": "Share of images whose true class is among the k most likely; keys are k, below the number of "
        "classes.",
    },
    "class_names": _list(_text("Name of a class."), "Names of the classes, in the order of their labels.", 2),
    "per_class": _list(_CLASS, "Scores by class, in the order of the labels.", 2),
    "macro_average": _object(_AVERAGE, "Each class counts alike; null counts as 0."),
    "weighted_average": _object(_AVERAGE, "Each class counts by its support; null counts as 0."),
    "confusion_matrix": _list(
        _list(_count("Images."), "One true class; an entry a predicted class.", 2),
        "Counts of images: rows are true classes, columns predicted ones.",
        2,
    ),
    "most_confused": _list(_PAIR, "The most frequent mistakes, most frequent first; at most ten."),
    "calibration_error": _share(
        "Expected calibration error over the bins: of the most probable class's probability (top-label), also where "
        "there are two classes."
    ),
    "calibration_bins": _list(_BIN, "Bins of equal width over [0, 1], lowest first.", 1),
    "binary": _BINARY,
    "calibration": _CALIBRATION,
}

_NOT_ALWAYS = ("binary", "calibration")

_SEVERAL_TARGETS = {
    "split": _TARGET["split"],
    "num_images": _TARGET["num_images"],
    "accuracy": _share("Mean of the targets' accuracies."),
    "exact_match_ratio": _share("Share of images for which the most likely class of every target is the true one."),
    "exact_match_interval": _interval("95 % Wilson interval of the exact match ratio: [low, high]."),
    "loss": {"type": "number", "minimum": 0, "description": "Sum of the targets' mean cross-entropies, in nats."},
    "targets": _by_name(
        _object(_TARGET, "The report of one target.", optional=_NOT_ALWAYS), "The report of each target, by its name."
    ),
}

REPORT_SCHEMA: dict[str, Any] = {
    "$schema": _DRAFT,
    "title": "imgclf report",
    "description": "What `imgclf evaluate --json` prints and report.json holds.",
    "oneOf": [
        _object({**_EVALUATED, **_TARGET}, "Of data with one target.", optional=(*_EVALUATED, *_NOT_ALWAYS)),
        _object({**_EVALUATED, **_SEVERAL_TARGETS}, "Of data with several targets.", optional=tuple(_EVALUATED)),
    ],
}

PREDICTIONS_SCHEMA: dict[str, Any] = {
    "$schema": _DRAFT,
    "title": "imgclf predictions",
    "type": "array",
    "description": "What `imgclf predict --json` prints: one object a file, in the order of the files.",
    "items": {
        "oneOf": [
            _object({"file": _IMAGE_FILE, **_PREDICTION_ANSWER, "steps": _STEPS}, "An image that was classified."),
            _object(
                {
                    "file": _IMAGE_FILE,
                    "targets": _by_name(
                        _object(_PREDICTION_ANSWER, "The answer for one target."),
                        "The answer for each target, by its name.",
                    ),
                    "steps": _STEPS,
                },
                "An image that was classified, by a run with several targets.",
            ),
            _object(
                {
                    "file": _text("The file, as it was given."),
                    "error": _text("Why it could not be classified."),
                },
                "A file that could not be classified.",
            ),
        ]
    },
}
