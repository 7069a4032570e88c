"""Several networks of one architecture as one: small networks leave a processor idle, and one call for all of them does not.

Their weights are stacked and `torch.func.vmap` runs the network over them (an *ensemble*, as torch calls it), so that a
convolution of many networks is one grouped convolution. The batch of an ensemble has a share of images for each network, one share after
the other. What a method does with each image by itself needs no change; the functions below are for what it does with a whole share.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap


class Ensemble(nn.Module):
    """Networks of one architecture as one: images [M B, ...] to logits [M B, K], a share for each in turn."""

    def __init__(self, networks: Sequence[nn.Module]):
        super().__init__()
        weights, buffers = stack_module_state(list(networks))
        self.models, self.names = len(networks), (*weights, *buffers)
        self.weights = nn.ParameterList([nn.Parameter(weight.detach().clone()) for weight in weights.values()])
        self.buffer_names = [f"buffer{number}" for number in range(len(buffers))]
        for name, buffer in zip(self.buffer_names, buffers.values(), strict=True):
            self.register_buffer(name, buffer.clone())
        self._template = [copy.deepcopy(networks[0])]  # in a list, so that its weights are not the ensemble's
        self._is_prepared = False

    def train(self, mode: bool = True) -> Ensemble:
        """Training mode, or evaluation mode, of all networks."""
        self._template[0].train(mode)
        return super().train(mode)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of each network's images."""
        return self._each(_answer, images)

    def each(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """What `for_each` gives."""
        if not self._is_prepared:  # what is known of the network is found out outside of vmap
            with torch.no_grad():
                function(self._template[0], *(tensor[:2] for tensor in tensors))
            self._is_prepared = True
        return self._each(function, *tensors)

    def _each(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        applied = _Applied(self._template[0], function)
        state = {f"network.{name}": value for name, value in self._state().items()}
        shares = [tensor.unflatten(0, (self.models, -1)) for tensor in tensors]
        return vmap(lambda own, *share: functional_call(applied, own, share))(state, *shares).flatten(0, 1)

    def state_of(self, number: int) -> dict[str, Tensor]:
        """The state dict of one of the networks."""
        kept = self._template[0].state_dict()
        return {name: value[number].detach().clone() for name, value in self._state().items() if name in kept}

    def load_states(self, states: Sequence[dict[str, Tensor]]) -> None:
        """Take the state dicts of all networks."""
        for name, value in self._state().items():
            if name in states[0]:
                value.data.copy_(torch.stack([state[name] for state in states]))

    def _state(self) -> dict[str, Tensor]:
        """Stacked weights and buffers by name."""
        values = [*self.weights, *(getattr(self, name) for name in self.buffer_names)]
        return dict(zip(self.names, values, strict=True))


class _Applied(nn.Module):
    """A function of a network as a module, whose weights can be replaced for a call."""

    def __init__(self, network: nn.Module, function: Callable[..., Tensor]):
        super().__init__()
        self.network, self.function = network, function

    def forward(self, *tensors: Tensor) -> Tensor:
        return self.function(self.network, *tensors)


def _answer(network: nn.Module, images: Tensor) -> Tensor:
    return network(images)


def models_in(model: nn.Module) -> int:
    """How many networks a model is."""
    return model.models if isinstance(model, Ensemble) else 1


def shares_of(model: nn.Module, tensor: Tensor) -> Tensor:
    """[M B, ...] as [M, B, ...], a share for each network; B may be 0."""
    models = models_in(model)
    return tensor.unflatten(0, (models, len(tensor) // models))


def for_each(model: nn.Module, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """function(network, *tensors), for each network of an ensemble with its share of the tensors, one after the other.

    Args:
        function: from a network and tensors [B, ...] to a tensor [B, ...]; it may not depend on values in its flow of control.
    """
    return model.each(function, *tensors) if isinstance(model, Ensemble) else function(model, *tensors)


def mean_of_each(model: nn.Module, values: Tensor) -> Tensor:
    """The mean of all values [M B, ...] of each network's share, in a shape that goes with them."""
    shares = shares_of(model, values)
    means = shares.mean(tuple(range(1, shares.dim())), keepdim=True)
    return means.expand(*shares.shape[:2], *means.shape[2:]).flatten(0, 1)


def split_each(model: nn.Module, tensor: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The first so many of each network's share, and the rest of each."""
    shares = shares_of(model, tensor)
    return shares[:, :count].flatten(0, 1), shares[:, count:].flatten(0, 1)


def join_each(model: nn.Module, first: Tensor, rest: Tensor) -> Tensor:
    """What `split_each` split."""
    return torch.cat([shares_of(model, first), shares_of(model, rest)], 1).flatten(0, 1)


def clip_gradients(model: nn.Module, most: float) -> None:
    """Scale the gradient of all weights of each network down to this norm where it is longer."""
    if not isinstance(model, Ensemble):
        nn.utils.clip_grad_norm_(model.parameters(), most)
        return
    gradients = [weight.grad for weight in model.weights if weight.grad is not None]
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    factors = (most / (norms + 1e-6)).clamp(max=1.0)  # as clip_grad_norm_ has it
    for gradient in gradients:
        gradient.mul_(factors.view(-1, *[1] * (gradient.dim() - 1)))
