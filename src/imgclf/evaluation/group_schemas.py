"""JSON Schema (draft 2020-12) of what groups of runs leave: the summary of seeds, and the comparison of models."""

from __future__ import annotations

from typing import Any

from imgclf.evaluation.schema_parts import (
    DRAFT,
    array,
    count,
    interval,
    mapping,
    number,
    or_null,
    share,
    strict_object,
    text,
)

_SPREAD = strict_object(
    {
        "n": count("How many runs.", minimum=1),
        "mean": number("Mean."),
        "standard_deviation": or_null(number("Standard deviation (n - 1); null of one run.", minimum=0)),
        "minimum": number("Least."),
        "maximum": number("Greatest."),
        "interval": or_null(
            {
                "type": "array",
                "items": {"type": "number"},
                "minItems": 2,
                "maxItems": 2,
                "description": "Student's 95 % interval of the mean, cut at the least and greatest that a mean can be "
                "(0 and 1; of loss, seconds and memory at 0 alone): [low, high]; null of one run.",
            }
        ),
    },
    "How a number scatters over the runs.",
)

_METRICS = mapping(
    _SPREAD, "Every metric of the report by its dotted name, such as accuracy, top_k.3, macro_average.f1."
)

_STATUS = {"enum": ["running", "finished", "interrupted", "failed"], "description": "failed: not all have finished."}

_GROUP = {
    "kind": text("Which kind of group this is."),
    "status": _STATUS,
    "started": text("When it began, with the offset from UTC."),
    "ended": or_null(text("When it ended; null while it runs.")),
    "process": {"type": "object", "description": "The process that makes it: host, pid, and when it started."},
    "name": text("Name of the config."),
    "config": text("The config's file."),
    "overrides": array(text("KEY=VALUE."), "What was given by --set."),
}

_FAILED = {
    "folder": text("Its folder in this one."),
    "status": {"enum": ["failed", "interrupted"], "description": "How it ended."},
    "error": text("Why."),
}

_SEED = count("The seed.")

SUMMARY_SCHEMA: dict[str, Any] = {
    "$schema": DRAFT,
    "title": "imgclf summary of seeds",
    **strict_object(
        {
            **_GROUP,
            "kind": {"const": "seeds", "description": "Which kind of group this is."},
            "digest": text("Digest of the experiment without its seed."),
            "seeds": array(_SEED, "The seeds that were asked for.", 1),
            "finished": count("How many have finished."),
            "failed": count("How many have not."),
            "num_images": or_null(count("Images of the test split; null where no run has finished.", minimum=1)),
            "runs": array(
                {
                    "oneOf": [
                        strict_object(
                            {
                                "seed": _SEED,
                                "folder": text("Its folder in this one."),
                                "status": {"const": "finished", "description": "How it ended."},
                                "accuracy": share("Accuracy on the test split."),
                            },
                            "A run that has finished.",
                        ),
                        strict_object({"seed": _SEED, **_FAILED}, "A run that has not."),
                    ]
                },
                "The runs so far, in the order of the seeds.",
            ),
            "metrics": _METRICS,
            "targets": mapping(_METRICS, "The metrics of each of several targets, by its name; empty of a single one."),
            "costs": mapping(
                _SPREAD, "seconds (from start to end), training_seconds, peak_memory_bytes; empty where none finished."
            ),
        },
        "What `imgclf train --seeds N --json` prints and summary.json holds.",
    ),
}

_PAIRED = strict_object(
    {
        "only_best": count("Test images that only the best model gets right."),
        "only_this": count("Test images that only this one gets right."),
        "p_value": share("Exact McNemar test; not corrected for the number of models."),
    },
    "This model against the best.",
)

_ACCURACY = {
    "accuracy": share("Accuracy on the test split; of several targets their mean."),
    "accuracy_interval": or_null(interval("95 % Wilson interval; null of a mean over several targets.")),
}

_MODEL = {
    "label": text("The model's name, with the settings that were given."),
    "folder": text("Its folder in this one."),
    "status": {"const": "finished", "description": "How it ended."},
    **_ACCURACY,
    "loss": number("Mean cross-entropy on the test split, in nats.", minimum=0),
    "targets": mapping(strict_object(_ACCURACY, "A target."), "Each of several targets by its name."),
    "seconds": number("The run from start to end.", minimum=0),
    "training_seconds": number("Training alone.", minimum=0),
    "peak_memory_bytes": count("Greatest resident memory of the training's process."),
    "latency_seconds": number("One image from memory to logits, median of repeated calls.", minimum=0),
    "latency_repeats": count("How many calls.", minimum=1),
    "batch_size": count("Images of a batch, as evaluate and predict take them.", minimum=1),
    "batch_latency_seconds": number("A batch of batch_size images likewise.", minimum=0),
    "batch_latency_repeats": count("How many calls.", minimum=1),
    "parameters": count("Parameters of the network."),
    "weights_bytes": count("Bytes of the weights file."),
    "multiply_adds": count("Multiply-adds of convolutions and dense layers for one image."),
    "against_best": or_null(mapping(_PAIRED, "Paired test by target; null of the best, and where there is none.")),
}

COMPARISON_SCHEMA: dict[str, Any] = {
    "$schema": DRAFT,
    "title": "imgclf comparison of models",
    **strict_object(
        {
            **_GROUP,
            "kind": {"const": "models", "description": "Which kind of group this is."},
            "epochs": or_null(count("What --epochs said; null: the config's own.", minimum=1)),
            "seed": count("The seed of every run."),
            "device": or_null(text("Where latencies were measured.")),
            "best": or_null(text("Label of the most accurate model.")),
            "not_paired": or_null(text("Why there is no paired test, where there is none.")),
            "models": array(
                {
                    "oneOf": [
                        strict_object(_MODEL, "A model that has finished."),
                        strict_object({"label": _MODEL["label"], **_FAILED}, "A model that has not."),
                    ]
                },
                "The models so far, in the order in which they were given.",
            ),
        },
        "What `imgclf models compare --json` prints and compare.json holds.",
    ),
}
