"""Adversarial training with projected gradient descent (Madry et al. 2018, arXiv 1706.06083)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robustmia.methods.adversarial import AdversarialMethod
from robustmia.methods.base import LABEL_SMOOTHING, Progress, Step
from robustmia.settings import Fraction

if TYPE_CHECKING:
    from torch import Tensor, nn

    from robustmia.models.device import Generators
    from robustmia.models.perturbations import Start


class PGD(AdversarialMethod):
    """Cross-entropy on PGD examples: min over theta of E max over |delta| <= epsilon of L(x + delta, y) (equation 2.1)."""

    name: Literal["pgd"]
    random_start: bool = Field(True, description="start each attack from a uniform point of the ball")
    label_smoothing: Fraction = LABEL_SMOOTHING
    adversarial_fraction: Fraction = Field(
        1.0, description="part of each batch that is made adversarial; the rest stays clean"
    )

    @property
    def trains_privately(self) -> bool:
        """Not with a part of each batch: which images that is depends on the others, and so do their gradients."""
        mixed = self.adversarial_fraction not in (0.0, 1.0)
        return not (mixed or self.label_smoothing or self.weight_perturbation or self.loss_variance)

    def loss(self, model: nn.Module, images: Tensor, labels: Tensor, progress: Progress, generator: Generators) -> Step:
        """Mean cross-entropy of the batch, its first `adversarial_fraction` replaced by PGD examples."""
        from torch.nn.functional import cross_entropy

        from robustmia.methods.weight_perturbation import with_worst_weights
        from robustmia.models.ensemble import join_each, models_in, split_each
        from robustmia.models.perturbations import cross_entropy_loss

        count = round(self.adversarial_fraction * (len(images) // models_in(model)))
        (attacked, clean), targets = (split_each(model, tensor, count) for tensor in (images, labels))
        start: Start = "uniform" if self.random_start else "clean"
        adversarial = self.perturb(model, attacked, cross_entropy_loss(targets[0]), start, progress, generator)
        mixed = join_each(model, adversarial, clean)

        def loss_of(logits: Tensor) -> Tensor:
            loss = cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
            return loss + self.variance_penalty(model, split_each(model, logits, count)[0], targets[0])

        answer = with_worst_weights(model, self.weight_perturbation, lambda network: loss_of(network(mixed)))
        logits = answer(mixed)
        answers = split_each(model, logits, count)
        return Step(
            loss_of(logits),
            clean=(answers[1], targets[1]) if len(clean) else None,
            adversarial=(answers[0], targets[0]) if count else None,
            trained_on=(mixed, labels),
        )
