"""TRADES (Zhang et al. 2019, arXiv 1901.08573)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat

from robustmia.methods.adversarial import AdversarialMethod
from robustmia.methods.base import Progress, Step

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators


class TRADES(AdversarialMethod):
    """Clean cross-entropy plus beta times the KL divergence that a perturbation can cause (section 4)."""

    name: Literal["trades"]
    beta: NonNegativeFloat = Field(1.0, description="weight of the robust term, 1 / lambda in the paper of TRADES")
    detach_clean: bool = Field(
        False,
        description="no gradient through the clean side of the divergence, as in the code of Song et al.; TRADES itself has it",
    )

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """L(f(x), y) + beta KL(f(x) || f(x')), x' the point of the ball that PGD finds to maximise the divergence."""
        from torch.nn.functional import cross_entropy, kl_div, log_softmax

        from robustmia.methods.weight_perturbation import with_worst_weights
        from robustmia.models.perturbations import kl_divergence_from, predict

        objective = kl_divergence_from(predict(model, images))
        adversarial = self.perturb(model, images, objective, "gaussian", progress, generator)

        def loss_of(clean: Tensor, perturbed: Tensor) -> Tensor:
            reference = clean.detach() if self.detach_clean else clean
            divergence = kl_div(
                log_softmax(perturbed, 1), log_softmax(reference, 1), reduction="batchmean", log_target=True
            )
            loss = cross_entropy(clean, labels) + self.beta * divergence
            return loss + self.variance_penalty(model, perturbed, labels)

        answer = with_worst_weights(
            model, self.weight_perturbation, lambda network: loss_of(network(images), network(adversarial))
        )
        clean, perturbed = answer(images), answer(adversarial)
        return Step(loss_of(clean, perturbed), clean=(clean, labels), adversarial=(perturbed, labels))
