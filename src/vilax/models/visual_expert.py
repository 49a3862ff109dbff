"""The visual expert (paper Table 8): a second set of an LLM's weights, for visual tokens alone.

As in CogVLM (Wang et al. 2023), every linear layer of every block, of attention and of the MLP,
gets a twin that starts as its copy. A visual token goes through the twin, a text token through the
layer itself; attention stays one over all tokens. Norms and embeddings are shared. A frozen LLM
with experts therefore answers text as it did, bit for bit.

Tokens of each kind are gathered, multiplied and put back in order, so that a block costs as many
FLOPs as before; weights of the blocks take twice the memory.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

TWIN = "visual_expert"
"""Name of a twin inside its layer, and so in the names of its tensors."""


class Route:
    """Which positions of the rows at hand are visual; shared by all layers of one LLM.

    It stays as it was last set: activation checkpointing runs blocks again after the forward pass.
    """

    def __init__(self) -> None:
        self._places: tuple[Int[Tensor, " text"], Int[Tensor, " visual"]] | None = None
        self._back: Int[Tensor, " positions"] | None = None

    def set(self, visual: Bool[Tensor, "rows length"] | None) -> None:
        """Take the visual positions of the next forward pass; None: there are none."""
        if visual is None or not bool(visual.any()):
            self._places = self._back = None
            return
        flat = visual.flatten()
        self.place(torch.nonzero(~flat)[:, 0], torch.nonzero(flat)[:, 0])

    def place(self, text: Int[Tensor, " text"], visual: Int[Tensor, " visual"]) -> None:
        """Take the positions of both kinds, which together are all of the flattened rows."""
        self._places = text, visual
        self._back = torch.argsort(torch.cat([text, visual]))

    @property
    def places(self) -> tuple[Int[Tensor, " text"], Int[Tensor, " visual"]] | None:
        """Positions of text and of visual tokens in the flattened rows; None: all are text."""
        return self._places

    def join(
        self, text: Float[Tensor, "text width"], visual: Float[Tensor, "visual width"]
    ) -> Float[Tensor, "positions width"]:
        """Both kinds back in the order of the rows."""
        assert self._back is not None
        return torch.cat([text, visual]).index_select(0, self._back)


class ExpertLinear(nn.Linear):
    """A linear layer with a twin for visual tokens; its own weights keep their names.

    Args:
        layer: the layer whose weights are taken over.
        route: says which tokens are visual.
    """

    def __init__(self, layer: nn.Linear, route: Route) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight = layer.weight
        self.bias = layer.bias
        self._route = route
        weight = layer.weight
        twin = nn.Linear(
            self.in_features,
            self.out_features,
            bias=layer.bias is not None,
            device="meta",
            dtype=weight.dtype,
        )
        twin.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
        if layer.bias is not None:
            twin.bias = nn.Parameter(layer.bias.detach().clone(), requires_grad=False)
        self.add_module(TWIN, twin)

    @property
    def twin(self) -> nn.Linear:
        """The weights for visual tokens."""
        twin: nn.Linear = getattr(self, TWIN)
        return twin

    def forward(self, input: Float[Tensor, "*positions d_in"]) -> Float[Tensor, "*positions d_out"]:
        """Text tokens through the layer, visual ones through its twin.

        Raises:
            ValueError: the layer is given other tokens than the rows that the route was set for.
        """
        places = self._route.places
        if places is None:
            out = super().forward(input)
            if torch.is_grad_enabled() and self.twin.weight.requires_grad:
                # A rank whose rows hold no picture still runs every trained part, to no effect.
                out = out + 0.0 * self.twin(input.flatten(0, -2)[:1]).sum()
            return out
        text, visual = places
        flat = input.flatten(0, -2)
        if flat.shape[0] != len(text) + len(visual):
            raise ValueError(
                f"a layer with a visual expert sees {flat.shape[0]} tokens, expected"
                f" {len(text) + len(visual)}: this LLM's blocks do not pass tokens on one by one"
            )
        own = super().forward(flat.index_select(0, text))
        seen = self.twin(flat.index_select(0, visual))
        joined: Tensor = self._route.join(own, seen.to(own.dtype))
        return joined.view(*input.shape[:-1], self.out_features)


def add_experts(blocks: list[nn.Module], route: Route) -> None:
    """Give every linear layer of the blocks a twin, in place.

    Raises:
        ValueError: a block has no linear layer.
    """
    for block in blocks:
        found = [
            (parent, name, child)
            for parent in block.modules()
            for name, child in parent.named_children()
            if isinstance(child, nn.Linear) and not isinstance(parent, ExpertLinear)
        ]
        if not found:
            raise ValueError(f"{type(block).__name__} has no linear layer to give an expert to")
        for parent, name, child in found:
            setattr(parent, name, ExpertLinear(child, route))


def twins(module: nn.Module) -> list[nn.Parameter]:
    """Weights of all experts in a module, in its order; none where it has none."""
    layers = [layer for layer in module.modules() if isinstance(layer, ExpertLinear)]
    return [parameter for layer in layers for parameter in layer.twin.parameters()]
