"""The optimizers of Keras by name, each with Keras' own settings and defaults.

Clipping, moving averages, loss scaling and gradient accumulation belong to the training section, not to an optimizer.
Left out of what Keras exports: LossScaleOptimizer and MultiOptimizer, which wrap other optimizers, and
ScheduleFreeAdamW, whose weights must be exchanged for their averages before each evaluation: Keras has no call for it.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from imgclf.errors import ImgclfError
from imgclf.settings import Count, Fraction, NonNegative, Positive, Settings

if TYPE_CHECKING:
    import keras


def _regular_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


LearningRate = Annotated[
    Positive, Field(description="Learning rate at the schedule's full height: the schedule multiplies it.")
]
WeightDecay = Annotated[
    NonNegative | None,
    Field(description="Decoupled weight decay: each step takes learning rate times this off every weight. null: none."),
]
Epsilon = Annotated[Positive, Field(description="Small number added to denominators.")]
Beta1 = Annotated[Fraction, Field(description="Decay per step of the gradients' average (first moment).")]
Beta2 = Annotated[Fraction, Field(description="Decay per step of the squared gradients' average (second moment).")]
Rho = Annotated[Fraction, Field(description="Decay per step of the squared gradients' average.")]
Accumulator = Annotated[NonNegative, Field(description="Value that the sum of squared gradients starts from.")]
Momentum = Annotated[
    float, Field(ge=0, le=1, description="Share of the last step that is added to the next. 0: no momentum.")
]
Amsgrad = Annotated[bool, Field(description="Divide by the largest second moment so far (Reddi et al., 2018).")]


class OptimizerSettings(Settings):
    """The section ``training.optimizer``: what every optimizer has."""

    name: str
    learning_rate: LearningRate = 0.001
    weight_decay: WeightDecay = None

    def build(self) -> keras.optimizers.Optimizer:
        """A new Keras optimizer with these settings, not yet bound to weights.

        Raises ImgclfError where the installed Keras' optimizer of this name lacks one of the settings.
        """
        import keras

        keras_class = getattr(keras.optimizers, KERAS_CLASSES[self.name])
        settings = {key: getattr(self, key) for key in type(self).model_fields if key != "name"}
        missing = sorted(settings.keys() - inspect.signature(keras_class.__init__).parameters.keys())
        if missing:
            raise ImgclfError(
                f"training.optimizer: {self.name} must have the setting {missing[0]}, and its form in Keras "
                f"{keras.__version__} has not: it computes something else",
                hint="install a newer Keras (muon: 3.13, which needs Python 3.11), or choose another optimizer.",
            )
        return keras_class(**settings)


class Sgd(OptimizerSettings):
    """Gradient descent, with momentum (Sutskever et al., 2013) where asked for."""

    name: Literal["sgd"] = Field(description="Gradient descent.")
    learning_rate: LearningRate = 0.01
    momentum: Momentum = 0.0
    nesterov: bool = Field(False, description="Nesterov's momentum: the gradient is applied ahead of the step.")


class RmsProp(OptimizerSettings):
    """Gradients divided by a moving root mean square (Tieleman and Hinton, 2012)."""

    name: Literal["rmsprop"] = Field(description="RMSprop.")
    rho: Rho = 0.9
    momentum: Momentum = 0.0
    epsilon: Epsilon = 1e-7
    centered: bool = Field(False, description="Divide by the variance of the gradient instead of its mean square.")


class Adam(OptimizerSettings):
    """Adam (Kingma and Ba, 2015)."""

    name: Literal["adam"] = Field(description="Adam.")
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-7
    amsgrad: Amsgrad = False


class AdamW(OptimizerSettings):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    name: Literal["adamw"] = Field(description="Adam with decoupled weight decay.")
    # Narrower than in the other optimizers: Keras' AdamW refuses None.
    weight_decay: Annotated[
        NonNegative,
        Field(description="Decoupled weight decay: each step takes learning rate times this off every weight."),
    ] = 0.004
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-7
    amsgrad: Amsgrad = False


class Adadelta(OptimizerSettings):
    """Adadelta (Zeiler, 2012); the paper's form has a learning rate of 1."""

    name: Literal["adadelta"] = Field(description="Adadelta.")
    rho: Rho = 0.95
    epsilon: Epsilon = 1e-7


class Adagrad(OptimizerSettings):
    """Adagrad (Duchi et al., 2011)."""

    name: Literal["adagrad"] = Field(description="Adagrad.")
    initial_accumulator_value: Accumulator = 0.1
    epsilon: Epsilon = 1e-7


class Adamax(OptimizerSettings):
    """Adam with the infinity norm (Kingma and Ba, 2015, section 7)."""

    name: Literal["adamax"] = Field(description="Adam with the infinity norm.")
    beta_1: Beta1 = 0.9
    beta_2: Annotated[Fraction, Field(description="Decay per step of the largest gradient so far.")] = 0.999
    epsilon: Epsilon = 1e-7


class Nadam(OptimizerSettings):
    """Adam with Nesterov's momentum (Dozat, 2016)."""

    name: Literal["nadam"] = Field(description="Adam with Nesterov's momentum.")
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-7


class Ftrl(OptimizerSettings):
    """Follow the regularised leader (McMahan et al., 2013)."""

    name: Literal["ftrl"] = Field(description="Follow the regularised leader.")
    learning_rate_power: Annotated[float, Field(le=0)] = Field(
        -0.5, description="How the learning rate falls with the sum of squared gradients. 0: it does not."
    )
    initial_accumulator_value: Accumulator = 0.1
    l1_regularization_strength: NonNegative = Field(0.0, description="Strength of the L1 penalty.")
    l2_regularization_strength: NonNegative = Field(0.0, description="Strength of the L2 penalty on the steps.")
    l2_shrinkage_regularization_strength: NonNegative = Field(
        0.0, description="Strength of the L2 penalty on the size of the weights."
    )
    beta: NonNegative = Field(0.0, description="The paper's beta.")


class Lion(OptimizerSettings):
    """Steps by the sign of the momentum (Chen et al., 2023); wants a learning rate 3 to 10 times below Adam's."""

    name: Literal["lion"] = Field(description="Lion: steps by the sign of the momentum.")
    beta_1: Annotated[
        float, Field(gt=0, le=1, description="Share of the averaged gradient in the step, against the newest.")
    ] = 0.9
    beta_2: Annotated[Fraction, Field(description="Decay per step of the gradients' average.")] = 0.99


class Lamb(OptimizerSettings):
    """Adam with a trust ratio for each layer, for large batches (You et al., 2020)."""

    name: Literal["lamb"] = Field(description="LAMB: Adam with a trust ratio for each layer.")
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-7


class Adafactor(OptimizerSettings):
    """Adam-like steps with factored second moments (Shazeer and Stern, 2018)."""

    name: Literal["adafactor"] = Field(description="Adafactor.")
    beta_2_decay: Annotated[float, Field(le=0)] = Field(
        -0.8, description="Exponent of the step by which the decay of the second moment goes to 1."
    )
    epsilon_1: Positive = Field(1e-30, description="Small number added to the squared gradients.")
    epsilon_2: NonNegative = Field(0.001, description="Least root mean square of a weight that scales its step.")
    clip_threshold: Positive = Field(1.0, description="Root mean square to which a step is clipped.")
    relative_step: bool = Field(True, description="Keep the learning rate at or below 1 / sqrt(step).")


class Muon(OptimizerSettings):
    """Orthogonalised momentum for matrices (Jordan et al., 2024; Liu et al., 2025), Adam for all other weights.

    Of dense kernels only: convolutions and biases are Adam's. Needs Keras 3.13, since the form in 3.12 lacks
    ``rms_rate`` and ``adam_weight_decay`` and scales its steps otherwise.
    """

    name: Literal["muon"] = Field(description="Muon: orthogonalised momentum for matrices (needs Keras 3.13).")
    weight_decay: WeightDecay = 0.004
    adam_beta_1: Beta1 = 0.9
    adam_beta_2: Beta2 = 0.999
    adam_weight_decay: Annotated[
        NonNegative | None, Field(description="Decoupled weight decay of the weights that Adam updates. null: none.")
    ] = 0.004
    epsilon: Epsilon = 1e-7
    exclude_layers: tuple[Annotated[str, AfterValidator(_regular_expression)], ...] = Field(
        (), description="Regular expressions: a weight whose path one of them matches is Adam's."
    )
    exclude_embeddings: bool = Field(True, description="Leave embeddings to Adam.")
    muon_a: float = Field(3.4445, description="Linear coefficient of the Newton-Schulz iteration.")
    muon_b: float = Field(-4.775, description="Cubic coefficient of the Newton-Schulz iteration.")
    muon_c: float = Field(2.0315, description="Quintic coefficient of the Newton-Schulz iteration.")
    adam_lr_ratio: Positive = Field(1.0, description="Adam's learning rate as a multiple of Muon's.")
    momentum: Momentum = 0.95
    ns_steps: Count = Field(5, description="Newton-Schulz iterations a step.")
    nesterov: bool = Field(True, description="Nesterov's momentum.")
    rms_rate: Positive | None = Field(
        0.2, description="Root mean square to which steps are scaled, as Adam's are. null: not scaled."
    )


KERAS_CLASSES = {
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
    "adadelta": "Adadelta",
    "adagrad": "Adagrad",
    "adamax": "Adamax",
    "nadam": "Nadam",
    "ftrl": "Ftrl",
    "lion": "Lion",
    "lamb": "Lamb",
    "adafactor": "Adafactor",
    "muon": "Muon",
}

OptimizerUnion = Annotated[
    Sgd | RmsProp | Adam | AdamW | Adadelta | Adagrad | Adamax | Nadam | Ftrl | Lion | Lamb | Adafactor | Muon,
    Field(discriminator="name"),
]
