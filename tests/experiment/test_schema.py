from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from imgclf.experiment.agreement import schedule_problems
from imgclf.experiment.problems import ExperimentError, nearest_several
from imgclf.experiment.schema import Experiment
from imgclf.experiment.validate import validate
from imgclf.experiment.yaml_text import parse

HEAD = "dataset: {name: digits, validation_size: %s}\nmodel: {name: lenet}\n"
WARM = "schedule: {name: cosine, warmup_epochs: %s}"
PLATEAU = "schedule: reduce_on_plateau"


def load(text: str) -> Experiment:
    return validate(parse(text, "mine.yaml"), Experiment)


def problems(text: str) -> list[str]:
    """The problems without the file's name and line."""
    try:
        load(text)
    except ExperimentError as error:
        return [f"{problem.key}: {problem.message}" for problem in error.problems]
    return []


def keys(text: str) -> list[str]:
    return [problem.partition(": ")[0] for problem in problems(text)]


@pytest.mark.parametrize(
    ("training", "found"),
    [
        (f"epochs: 3, {WARM % 3}", ["training.schedule.warmup_epochs"]),
        (f"epochs: 3, {WARM % 2.5}", []),
        (WARM % 10, ["training.schedule.warmup_epochs"]),
        (WARM % 9, []),
        (f"steps: 3, {WARM % 50}", []),
        (f"{WARM % 5}, stages: [{{epochs: 6}}, {{epochs: 5}}, {{epochs: 5}}]", ["training.schedule.warmup_epochs"]),
        (f"stages: [{{}}, {{epochs: 2, {WARM % 5}}}]", ["training.stages[1].schedule.warmup_epochs"]),
        (f"epochs: 3, {WARM % 5}, stages: [{{epochs: 6}}]", []),
    ],
)
def test_a_warmup_must_end_before_its_stage(training: str, found: list[str]) -> None:
    assert keys(HEAD % 0.1 + f"training: {{{training}}}\n") == found


@pytest.mark.parametrize(("images", "found"), [(None, 0), (1000, 1), (100, 1), (90, 0), (5, 0)])
def test_a_warmup_in_a_stage_given_in_steps_is_judged_once_the_images_are_counted(
    images: int | None, found: int
) -> None:
    # Batches of 10: 1000 images are 100 steps an epoch, 100 are 10, 90 are 9; 5 make no batch.
    experiment = load(HEAD % 0.1 + f"training: {{steps: 20, batch_size: 10, {WARM % 2}}}\n")
    told = schedule_problems(experiment, images)
    assert [problem.path for problem in told] == [("training", "schedule", "warmup_epochs")] * found


@pytest.mark.parametrize(
    ("training", "found"),
    [
        ("tensorboard: {projector: true}", ["training.tensorboard.projector"]),
        (PLATEAU, ["training.schedule.monitor"]),
        (f"{PLATEAU}, stages: [{{schedule: constant}}, {{schedule: cosine}}]", []),
        (f"{PLATEAU}, stages: [{{schedule: constant}}, {{}}, {{}}]", ["training.schedule.monitor"]),
        (f"stages: [{{}}, {{{PLATEAU}}}]", ["training.stages[1].schedule.monitor"]),
        ("early_stopping: {}, stages: [{early_stopping: null}]", []),
        ("class_weight: [1, 2], stages: [{class_weight: balanced}]", []),
        ("class_weight: [1, 2], stages: [{}]", ["training.class_weight"]),
    ],
)
def test_stages_are_judged_as_they_are_run(training: str, found: list[str]) -> None:
    assert keys(HEAD % 0 + f"training: {{{training}}}\n") == found


def test_with_validation_images_they_may_be_watched_and_projected() -> None:
    training = "training: {tensorboard: {projector: true}, early_stopping: {}, schedule: reduce_on_plateau}\n"
    assert problems(HEAD % 0.1 + training) == []


@pytest.mark.parametrize(
    ("keys_of_preprocessing", "found"),
    [
        ("whitening: zca", []),
        ("size: 32, channels: 3, whitening: pca", []),
        ("size: 64, whitening: zca, normalization: featurewise", []),
        ("size: 65, whitening: zca", ["preprocessing.whitening"]),
        ("size: 150, channels: 3, whitening: {name: pca, images: 100}", ["preprocessing.whitening"]),
        ("size: x, whitening: zca", ["preprocessing.size"]),
        ("whitening: {name: zca, epsilon: 0}", ["preprocessing.whitening.epsilon"]),
        ("normalization: {name: samplewise, center: false, scale: false}", ["preprocessing.normalization.center"]),
    ],
)
def test_whitening_is_refused_where_its_matrix_would_be_too_large(keys_of_preprocessing: str, found: list[str]) -> None:
    assert keys(HEAD % 0.1 + f"preprocessing: {{{keys_of_preprocessing}}}\n") == found


def test_an_unknown_key_hides_no_mistake_of_keys_that_are_compared() -> None:
    text = """
dataset: {name: digits, validation_size: 0}
preprocessing: {size: 3}
model: {name: lenet}
training:
  zzz: 1
  early_stopping: {baseline: 0.9}
  schedule: reduce_on_plateau
"""
    assert sorted(keys(text)) == [
        "model",
        "training.early_stopping.baseline",
        "training.early_stopping.monitor",
        "training.schedule.monitor",
        "training.zzz",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # The value that was meant is not known, so nothing is said of what follows from the default in its place.
        ("preprocessing: {size: 3x3}\n", ["preprocessing.size"]),
        ("preprocessing: {size: '3'}\ntraining: {epoch: 3}\n", ["preprocessing.size", "training.epoch"]),
        (f"training: {{epochs: '100', {WARM % 50}}}\n", ["training.epochs"]),
        (f"training: {{epcohs: 100, {WARM % 50}}}\n", ["training.epcohs"]),
        ("training: {early_stopping: {monitor: los, baseline: 1}}\n", ["training.early_stopping.monitor"]),
        ("training: {schedule: {name: step, every_epochs: x}}\n", ["training.schedule.every_epochs"]),
        (f"training: {{{WARM % 50}, stages: [{{epochs: x}}]}}\n", ["training.stages[0].epochs"]),
        (f"training: {{{WARM % 50}, stages: [{{epochs: 60}}, 3]}}\n", ["training.stages[1]"]),
        # Both are said: neither follows from the other.
        ("training: {zzz: 1, epochs: 3, steps: 3}\n", ["training.zzz", "training.steps"]),
        ("seed: -1\ntraining: {epochs: 3, schedule: step}\n", ["seed", "training.schedule"]),
        (f"zzz: 1\ntraining: {{epochs: 3, {WARM % 50}}}\n", ["zzz", "training.schedule.warmup_epochs"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_once_and_nothing_that_follows_from_it(text: str, found: list[str]) -> None:
    assert sorted(keys(HEAD % 0.1 + text)) == sorted(found)


def test_a_missing_section_hides_no_mistake_in_another_one() -> None:
    text = "dataset: {name: digits}\ntraining: {zzz: 1, epochs: 3, steps: 3}\n"
    assert sorted(keys(text)) == ["model", "training.steps", "training.zzz"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("{}", "{epochs: 10}", True),
        ("{stages: [{}, {epochs: 2}]}", "{epochs: 9, stages: [{epochs: 10}, {epochs: 2}]}", True),
        ("{batch_size: 8, stages: [{}]}", "{stages: [{batch_size: 8}]}", True),
        ("{}", "{epochs: 11}", False),
        ("{stages: [{}]}", "{stages: [{}, {}]}", False),
        ("{batch_size: 8, stages: [{}]}", "{stages: [{}]}", False),
    ],
)
def test_the_digest_is_that_of_what_is_trained(one: str, other: str, same: bool) -> None:
    digests = [load(HEAD % 0.1 + f"training: {text}\n").digest() for text in (one, other)]
    assert (digests[0] == digests[1]) == same


@pytest.mark.parametrize(
    ("evaluation", "same"),
    [
        ("{}", True),
        ("{test_time_augmentation: null, threshold: youden, positive_class: null}", True),
        ("{test_time_augmentation: flip}", False),
        ("{threshold: f1}", False),
    ],
)
def test_the_digest_is_as_it_was_before_the_section_evaluation_where_that_says_nothing(
    evaluation: str, same: bool
) -> None:
    plain = load(HEAD % 0.1)
    judged = load(HEAD % 0.1 + f"evaluation: {evaluation}\n")
    assert (judged.digest() == plain.digest()) == same
    assert load(yaml.safe_dump(judged.complete())).digest() == judged.digest()


def test_what_is_wrong_in_the_section_evaluation_is_named() -> None:
    text = HEAD % 0.1 + "evaluation: {test_time_augmentation: mirror, threshold: best, positive_class: cat}\n"
    assert keys(text) == [f"evaluation.{key}" for key in ("test_time_augmentation", "threshold", "positive_class")]
    assert problems(HEAD % 0.1 + "evaluation: {positive_class: cat}\n") == [
        "evaluation.positive_class: is for data with two classes; the data has 10"
    ]


def test_several_near_names_come_with_the_likeliest_first() -> None:
    assert nearest_several("Lenet-Mnits", ["digits", "lenet_digits", "lenet_mnist", "mlp"])[0] == "lenet_mnist"
    assert nearest_several("zzz", ["lenet", "mlp"]) == []


def test_an_augmentation_may_be_its_name_alone_and_lists_keep_their_order() -> None:
    experiment = load(HEAD % 0.1 + "augmentation: [cutout, {name: shift, fraction: [0.1, 0]}, flip]\n")
    assert [one.name for one in experiment.augmentation] == ["cutout", "shift", "flip"]


@pytest.mark.parametrize(
    ("augmentation", "found"),
    [
        ("[mixup, flip]", []),
        ("[flip, cutmix, mixup, cutmix]", ["augmentation[2]", "augmentation[3]"]),
        ("[{name: shift, pixels: 2, fraction: 0.1}]", ["augmentation[0].fraction"]),
        ("[{name: shift, pixels: null}]", ["augmentation[0].fraction"]),
        ("[{name: flip, horizontal: false}]", ["augmentation[0]"]),
        ("[{name: zoom, range: [1.2, 0.8]}]", ["augmentation[0].range"]),
        ("[{name: scale_jitter, scales: [2, 1]}]", ["augmentation[0].scales"]),
        ("[{name: rotate, fill_mode: black}]", ["augmentation[0].fill_mode"]),
    ],
)
def test_what_an_augmentation_cannot_do_is_named(augmentation: str, found: list[str]) -> None:
    assert keys(HEAD % 0.1 + f"augmentation: {augmentation}\n") == found


@pytest.mark.parametrize("shift", ["shift", "{name: shift, pixels: 2}", "{name: shift, fraction: 0.1}"])
def test_a_shift_written_out_in_full_loads_again_as_the_same(shift: str) -> None:
    experiment = load(HEAD % 0.1 + f"augmentation: [{shift}]\n")
    again = load(yaml.safe_dump(experiment.complete()))
    assert again.augmentation == experiment.augmentation
    assert again.digest() == experiment.digest()


def test_the_lists_of_stages_are_judged_each_by_itself() -> None:
    stages = "training: {stages: [{augmentation: [cutmix]}, {augmentation: [cutmix, flip, mixup]}, {augmentation: []}]}"
    found = problems(HEAD % 0.1 + f"augmentation: [mixup]\n{stages}\n")
    assert found == [
        "training.stages[1].augmentation[2]: mixup mixes images a second time, after cutmix; take one of them out"
    ]
    assert keys(HEAD % 0.1 + "training: {augmentation: [flip]}\n") == ["training.augmentation"]


APPLICATION = "dataset: {name: digits}\nmodel: {name: application, application: MobileNet%s}\n"


@pytest.mark.parametrize("model", ["application", "squeezenet"])
def test_a_published_network_wants_pixels_as_unit_scaling_leaves_them(model: str) -> None:
    text = f"dataset: {{name: digits}}\nmodel: {{name: {model}}}\npreprocessing: {{%s}}\n"
    assert problems(text % "scaling: unit, size: 64") == []
    brings = f"{model} brings pixels from 0 to 1 to the range that it was published for"
    assert problems(text % "scaling: symmetric") == [
        f'preprocessing.scaling: {brings}; expected "unit", found "symmetric"'
    ]
    assert problems(text % "normalization: featurewise, whitening: zca") == [
        f"preprocessing.normalization: {brings}; set normalization to null",
        f"preprocessing.whitening: {brings}; set whitening to null",
    ]


def test_a_published_network_with_its_top_wants_its_size() -> None:
    assert keys(APPLICATION % ", top: true") == ["model"]
    assert (
        "takes images of 224x224 pixels; found 8x8; set preprocessing.size" in problems(APPLICATION % ", top: true")[0]
    )
    assert problems(APPLICATION % ", top: true" + "preprocessing: {size: 224}\n") == []
    assert problems(APPLICATION % "") == []  # it enlarges small images


def test_a_mistake_in_the_name_of_a_published_network_is_answered_with_the_nearest() -> None:
    assert 'did you mean "MobileNetV2"' in problems(APPLICATION % "v2")[0]


def test_batch_normalisation_stays_frozen_where_the_model_starts_trained_unless_asked_for() -> None:
    def frozen(model: dict[str, Any], **training: Any) -> list[bool | None]:
        data = {"dataset": {"name": "digits"}, "model": model, "training": training}
        return [stage.freeze_batch_normalization for stage in Experiment.model_validate_json(json.dumps(data)).stages()]

    published = {"name": "application", "application": "ResNet50"}
    assert frozen(published) == [True]
    assert frozen({**published, "weights": None}) == [False]
    assert frozen({"name": "elu_cnn"}) == [False]
    assert frozen(published, freeze_batch_normalization=False) == [False]
    assert frozen({"name": "transfer", "run": "latest"}, stages=[{}, {"freeze_batch_normalization": False}]) == [
        True,
        False,
    ]


def test_the_digest_of_a_transfer_is_that_of_its_run_wherever_the_runs_lie() -> None:
    def digest(run: str, **more: Any) -> str:
        data = {"dataset": {"name": "digits"}, "model": {"name": "transfer", "run": run, **more}}
        return Experiment.model_validate_json(json.dumps(data)).digest()

    assert digest("abc") == digest("runs/abc") == digest("/elsewhere/abc", body={"name": "lenet"})
    assert digest("abc") != digest("abd")
    assert digest("abc") != digest("abc", cut="conv_1")


def test_a_head_that_is_fitted_at_once_refuses_what_would_have_no_effect() -> None:
    data = {
        "dataset": {"name": "digits"},
        "model": {"name": "lenet", "head": {"name": "svm"}},
        "training": {"epochs": 3, "validate_every": 10},
        "augmentation": [{"name": "flip"}],
        "evaluation": {"test_time_augmentation": "flip"},
    }
    with pytest.raises(ValidationError) as refused:
        Experiment.model_validate_json(json.dumps(data))
    assert str(refused.value).count("fitted") >= 4
