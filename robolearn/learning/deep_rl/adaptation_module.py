"""RMA's adaptation module in torch, and as genes of the brain `adaptive_policy`."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robolearn.agents.adaptive_policy import FILTERS, filtered_steps


class AdaptationModule(nn.Module):
    """Estimates the latent of the body from the normalised inputs u of the last 50 steps.

    An embedding of every step, three layers of temporal filters, relu between them, and a last
    layer through tanh, which starts at zero: an untrained module takes the body for intact.

    Args:
        inputs: elements of u.
        channels: units for each step.
        latent: elements of z.
    """

    def __init__(self, inputs: int, channels: int, latent: int):
        super().__init__()
        self.embedding = nn.Linear(inputs, channels)
        self.filters = nn.ModuleList(
            nn.Conv1d(channels, channels, span, stride) for span, stride in FILTERS
        )
        self.latent = nn.Linear(filtered_steps() * channels, latent)
        nn.init.zeros_(self.latent.weight)
        nn.init.zeros_(self.latent.bias)

    def forward(self, history: torch.Tensor) -> torch.Tensor:
        """Return z (n, z) for histories (n, 50, u), the newest step last, 0 before birth."""
        x = torch.relu(self.embedding(history)).transpose(1, 2)  # (n, c, t)
        for layer in self.filters:
            x = torch.relu(layer(x))
        return torch.tanh(self.latent(x.transpose(1, 2).flatten(1)))

    def genes(self) -> dict[str, NDArray[np.float32]]:
        """Return the genes `adaptation.<layer>.weight` and `.bias`."""
        genes = {}
        layers: dict[str, Any] = {"embedding": self.embedding, "latent": self.latent}
        layers |= {f"filters_{i}": layer for i, layer in enumerate(self.filters)}
        for name, layer in layers.items():
            weight = layer.weight.detach().numpy()
            # torch has (output, input, step).
            genes[f"adaptation.{name}.weight"] = weight.T if weight.ndim == 3 else weight
            genes[f"adaptation.{name}.bias"] = layer.bias.detach().numpy()
        return genes
