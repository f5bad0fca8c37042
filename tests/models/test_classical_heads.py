from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imgclf.models.classical_heads import ClassicalHead, LogisticRegressionHead, SvmHead
from imgclf.models.heads import attach_heads, cut
from imgclf.models.mlp import Mlp

LINEAR, RADIAL = SvmHead(name="svm", kernel="linear", c=0.1), SvmHead(name="svm", c=2.0)
LOGISTIC = LogisticRegressionHead(name="logistic_regression", c=0.5)
HEADS = [LINEAR, RADIAL, SvmHead(name="svm", gamma=0.05), LOGISTIC]
NUMBERS = 12


def data(classes: int, images: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.random.default_rng(seed)
    labels = np.arange(images, dtype=np.int32) % classes
    centres = np.random.default_rng(7).normal(size=(classes, NUMBERS))
    scales = np.linspace(0.1, 50, NUMBERS)
    return ((centres[labels] + numbers.normal(size=(images, NUMBERS))) * scales + 3).astype(np.float32), labels


def theirs(head: ClassicalHead, labels: np.ndarray, features: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, LinearSVC

    if isinstance(head, LogisticRegressionHead):
        model: Any = LogisticRegression(C=head.c, max_iter=5000)
    elif isinstance(head, SvmHead) and head.kernel == "linear":
        model = LinearSVC(C=head.c, max_iter=20_000, random_state=0)
    else:
        assert isinstance(head, SvmHead)
        model = SVC(C=head.c, gamma=head.gamma)
        model = model if labels.max() == 1 else OneVsRestClassifier(model)
    return make_pipeline(StandardScaler(), model).fit(features, labels)


def network(head: ClassicalHead, classes: int, weights: dict[str, list[np.ndarray]]) -> Any:
    body = Mlp(name="mlp", dense_units=(NUMBERS,)).build_body((2, 2, 1))
    model = attach_heads(body, {"label": classes}, head)
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
    return cut(model)[1]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{head.name}-{getattr(head, 'kernel', '')}")
def test_the_layers_decide_as_scikit_learn_does(head: ClassicalHead, classes: int) -> None:
    features, labels = data(classes)
    fitted = head.fit(features, labels, None, "logits_label", 0)
    logits = np.asarray(network(fitted.head, classes, fitted.weights)(features))
    decided = theirs(head, labels, features).decision_function(features)
    if classes == 2:
        assert (logits[:, 0] == 0).all()
        np.testing.assert_allclose(logits[:, 1], decided, rtol=1e-3, atol=2e-3)
    else:
        np.testing.assert_allclose(logits, decided, rtol=1e-3, atol=2e-3)


def test_the_support_vectors_are_counted_in_the_settings() -> None:
    features, labels = data(2)
    fitted = RADIAL.fit(features, labels, None, "logits_label", 0)
    pipeline = theirs(RADIAL, labels, features)
    assert isinstance(fitted.head, SvmHead)
    assert fitted.head.support_vectors == len(pipeline[-1].support_)


@pytest.mark.parametrize("head", [LINEAR, RADIAL, LOGISTIC], ids=lambda head: head.name)
def test_a_class_that_weighs_more_is_answered_more_often(head: ClassicalHead) -> None:
    features, labels = data(2, images=60)
    features += np.random.default_rng(3).normal(scale=30, size=features.shape).astype(np.float32)
    answers = []
    for weights in (None, np.array([1, 30], np.float32)):
        fitted = head.fit(features, labels, weights, "logits_label", 0)
        answers.append(np.asarray(network(fitted.head, 2, fitted.weights)(features)).argmax(axis=1).sum())
    assert answers[1] >= answers[0]
    assert answers[1] >= labels.sum()


def test_a_fit_that_comes_to_no_end_says_so() -> None:
    once = np.random.default_rng(0).normal(size=(20, 60)).astype(np.float32)
    features, labels = np.concatenate([once, once]), np.repeat([0, 1], 20).astype(np.int32)  # contradictions
    hard = SvmHead(name="svm", kernel="linear", c=1e8)
    assert "without converging" in hard.fit(features, labels, None, "logits_label", 0).note
