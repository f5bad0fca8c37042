"""Heads that scikit-learn fits on the body's features at once, kept as plain Keras layers."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field, model_validator

from imgclf.settings import Count, Positive, Settings, refuse_idle

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

SCALE, KERNEL = "head_scale", "head_kernel"  # layers of the radial basis functions, before the logits
Weights: TypeAlias = "dict[str, list[NDArray[np.float32]]]"  # by layer
Costs = dict[int, float] | None  # by class


@dataclass(frozen=True)
class Fitted:
    """A head as it was fitted: its settings, now complete, the weights of its layers, and a line for the user."""

    head: ClassicalHead
    weights: Weights
    note: str


class ClassicalHead(Settings):
    """A head without training steps. Its logits are decision values: of two classes (0, d), else one a class.

    Features are standardised (mean 0, deviation 1 on the training images) before they are fitted.
    """

    c: Positive = Field(1.0, description="How much a mistake costs against a wide margin: scikit-learn's C.")

    def problem(self, target: str, classes: int) -> str | None:
        """Why the head can't tell so many classes apart, or None where it can."""
        return None if classes > 1 else f"must have 2 classes or more to tell apart; {target} has {classes}"

    def size_note(self) -> str | None:
        """What the number of weights does not show before the head is fitted; None where it is known."""
        return None

    def logits(self, features: keras.KerasTensor, classes: int, name: str) -> keras.KerasTensor:
        """Logits, float32 (batch, classes); ``name`` is that of the layer that makes them."""
        import keras

        units = 1 if classes == 2 else classes
        values = keras.layers.Dense(units, dtype="float32", name=name)(self.basis(features))
        return keras.ops.pad(values, ((0, 0), (1, 0))) if classes == 2 else values

    def basis(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """What the decision values are linear in: the features themselves."""
        return features

    @abstractmethod
    def fit(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int32],
        class_weights: NDArray[np.float32] | None,
        name: str,
        seed: int,
    ) -> Fitted:
        """The head fitted on features (images, numbers) and labels (images,); ``name`` is the logits' layer.

        ``class_weights`` float32 (classes,) multiply the cost of each class's mistakes.
        """


class LogisticRegressionHead(ClassicalHead):
    """Multinomial logistic regression with an L2 penalty, to convergence (L-BFGS)."""

    name: Literal["logistic_regression"] = Field(description="Logistic regression, fitted by scikit-learn.")

    def fit(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int32],
        class_weights: NDArray[np.float32] | None,
        name: str,
        seed: int,
    ) -> Fitted:
        from sklearn.linear_model import LogisticRegression

        scaled = _Standardised.of(features)
        model = LogisticRegression(C=self.c, class_weight=_by_class(class_weights), max_iter=5000, random_state=seed)
        ended = _converging(lambda: model.fit(scaled.features, labels))
        weights = scaled.of_features(model.coef_, model.intercept_)
        return Fitted(self, {name: weights}, f"logistic regression: {int(model.n_iter_.max())} iterations{ended}")


class SvmHead(ClassicalHead):
    """A support vector machine; of more than two classes, one against the rest for each.

    Linear: squared hinge loss (liblinear). rbf: hinge loss with radial basis functions (libsvm), whose support vectors
    become weights of the network.
    """

    name: Literal["svm"] = Field(description="Support vector machine, fitted by scikit-learn.")
    kernel: Literal["linear", "rbf"] = Field("rbf", description="Of the features themselves, or radial functions.")
    gamma: Positive | Literal["scale"] = Field(
        "scale", description="Of rbf: the functions' exp(-gamma * distance^2). `scale`: 1 / (numbers * variance)."
    )
    support_vectors: Count | None = Field(
        None, description="Of rbf: how many vectors the network holds. null: known when it is fitted, and then written."
    )

    @model_validator(mode="after")
    def _linear_has_no_functions(self) -> SvmHead:
        for key in ("gamma", "support_vectors") if self.kernel == "linear" else ():
            refuse_idle(self, key, "kernel", "with the kernel linear; leave it out, or take rbf")
        return self

    def size_note(self) -> str | None:
        if self.kernel == "linear" or self.support_vectors is not None:
            return None
        return "the head is counted with one support vector; a run has as many as the fit finds"

    def basis(self, features: keras.KerasTensor) -> keras.KerasTensor:
        import keras
        from keras import layers

        if self.kernel == "linear":
            return features
        # exp(-gamma |x - v|^2) is exp(2 x.v - |v|^2 - |x|^2) of features that are scaled by the root of gamma.
        scaled = layers.BatchNormalization(center=False, scale=False, epsilon=0.0, dtype="float32", name=SCALE)(
            features
        )
        products = layers.Dense(self.support_vectors or 1, dtype="float32", name=KERNEL)(scaled)
        return keras.ops.exp(products - keras.ops.sum(keras.ops.square(scaled), axis=-1, keepdims=True))

    def fit(
        self,
        features: NDArray[np.float32],
        labels: NDArray[np.int32],
        class_weights: NDArray[np.float32] | None,
        name: str,
        seed: int,
    ) -> Fitted:
        scaled = _Standardised.of(features)
        costs = _by_class(class_weights)
        return (self._fit_linear if self.kernel == "linear" else self._fit_radial)(scaled, labels, costs, name, seed)

    def _fit_linear(
        self, scaled: _Standardised, labels: NDArray[np.int32], costs: Costs, name: str, seed: int
    ) -> Fitted:
        import numpy as np
        from sklearn.svm import LinearSVC

        model = LinearSVC(C=self.c, class_weight=costs, max_iter=20_000, random_state=seed)
        ended = _converging(lambda: model.fit(scaled.features, labels))
        weights = scaled.of_features(model.coef_, model.intercept_)
        note = f"linear support vector machine: {int(np.max(model.n_iter_)):,} iterations{ended}"
        return Fitted(self, {name: weights}, note)

    def _fit_radial(
        self, scaled: _Standardised, labels: NDArray[np.int32], costs: Costs, name: str, seed: int
    ) -> Fitted:
        import numpy as np
        from sklearn.svm import SVC

        count = int(labels.max()) + 1
        asked = [1] if count == 2 else range(count)
        gamma = 1 / (scaled.features.shape[1] * scaled.features.var()) if self.gamma == "scale" else self.gamma
        coefficients, offsets = np.zeros((len(labels), len(asked))), np.zeros(len(asked))
        for column, label in enumerate(asked):
            # A weight an image, so that each class keeps its own cost in the rest against which one is set.
            machine = SVC(C=self.c, gamma=gamma, random_state=seed)
            weights = None if costs is None else np.array([costs[one] for one in labels.tolist()])
            machine.fit(scaled.features, (labels == label).astype(np.int32), weights)
            coefficients[machine.support_, column] = machine.dual_coef_[0]
            offsets[column] = machine.intercept_[0]
        used = np.flatnonzero(coefficients.any(axis=1))
        vectors = scaled.features[used] * np.sqrt(gamma)
        layers = {
            SCALE: [scaled.mean, scaled.deviation**2 / gamma],
            KERNEL: [2 * vectors.T, -np.square(vectors).sum(axis=1)],
            name: [coefficients[used], offsets],
        }
        note = f"rbf support vector machine: {len(used):,} support vectors of {len(labels):,} images"
        return Fitted(self.model_copy(update={"support_vectors": len(used)}), _as_float32(layers), note)


@dataclass(frozen=True)
class _Standardised:
    """Features float64 (images, numbers) of mean 0 and deviation 1, and what they were before."""

    features: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def of(cls, features: NDArray[np.float32]) -> _Standardised:
        import numpy as np
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler()
        scaled = scaler.fit_transform(features.astype(np.float64))
        return cls(scaled, scaler.mean_, scaler.scale_)

    def of_features(self, kernel: NDArray[np.float64], bias: NDArray[np.float64]) -> list[NDArray[np.float32]]:
        """Weights of a dense layer on the features as they were, given (classes, numbers) and (classes,) on these."""
        import numpy as np

        plain = kernel / self.deviation
        return [plain.T.astype(np.float32), (bias - plain @ self.mean).astype(np.float32)]


def _converging(fit: Callable[[], object]) -> str:
    """Run a fit; what scikit-learn warns of where it came to no end, for the user."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        fit()
    return ", without converging: try a smaller model.head.c" if caught else ""


def _by_class(class_weights: NDArray[np.float32] | None) -> Costs:
    return None if class_weights is None else dict(enumerate(class_weights.tolist()))


def _as_float32(layers: dict[str, list[NDArray[np.float64]]]) -> Weights:
    import numpy as np

    return {name: [array.astype(np.float32) for array in arrays] for name, arrays in layers.items()}
