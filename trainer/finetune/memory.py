"""Memory of a training on a GPU, by arithmetic: of the sizes of a model, of the tokens at once, and of the sharding.

    state         float32 weights, their gradients and AdamW's two moments: 16 bytes per parameter, sharded or not
    copies        autocast's bfloat16 copies of the weights, for the time of a forward pass; none if sharded
    gathered      sharded weights of the layers that are computed at the moment, and their gradients
    activations   what the backward pass needs of the forward pass: it grows with the tokens
    fixed         the gradient of the output layer before it is added, tiles of logits, CUDA's own

It decides how many examples a process takes at once (`trainer/finetune/micro_batch.py`), and gives the tables of
docs/explain/scale.md (`tools/scale_tables.py`). What a layer keeps is compared with what autograd saves on a processor
(tests/trainer/finetune/test_memory.py). Left out: convolutions, state-space layers, the experts of a mixture that a
token does not use, training in float32 on GPUs without bfloat16, and fragmentation. None of it was measured on a GPU.
"""

from dataclasses import dataclass
from typing import Any

STATE_BYTES = 16
"""Bytes per trained parameter: float32 weight, gradient, and AdamW's two moments. DDP's buckets are the gradients."""

COPY_BYTES = 2
"""Bytes per parameter in bfloat16: a copy that autocast makes, or a weight that adapters leave as it is."""

GRADIENT_BYTES = 2 + 4
"""Bytes per parameter of gradients before they are sharded: in bfloat16, and in float32 to be summed."""

LAYERS_AT_ONCE = 2
"""Layers that FSDP gathers: the next one already while one is computed. The embeddings stay for a whole step."""

FIXED_BYTES = 2e9
"""CUDA's context, cuBLAS's workspaces, tiles of logits, and what lies between the blocks that are in use."""

REFERENCE_FACTOR = 4
"""Examples at once of a forward pass without gradients, in those of a training step: without residuals and gradients a
token takes a fourth of a training's activations, in models of 0.1 to 70 billion parameters."""

USED_SHARE = 0.92
"""Share of a GPU's memory that a training may plan for."""


@dataclass(frozen=True)
class ModelShape:
    """Sizes of a decoder-only transformer.

    Attributes:
        parameters: of the whole model.
        layers: number of them.
        width: of the hidden states.
        heads_width: of all query heads.
        inner_width: of the layer between the two of the feed-forward network, for one token.
        vocabulary: number of tokens.
        tied: the output layer is the embedding.
        kv_width: of all key heads, which is that of the value heads.
    """

    parameters: int
    layers: int
    width: int
    heads_width: int
    inner_width: int
    vocabulary: int
    tied: bool
    kv_width: int

    @property
    def embeddings(self) -> int:
        """Return the parameters of the embedding and of an output layer of its own."""
        return self.vocabulary * self.width * (1 if self.tied else 2)

    @property
    def layer(self) -> float:
        """Return the parameters of one layer."""
        return (self.parameters - self.embeddings) / self.layers


def model_shape(config: Any, parameters: int) -> ModelShape | None:
    """Return the sizes of a model; None if its configuration names them otherwise.

    Args:
        config: of transformers.
        parameters: of the model.
    """
    text = config.get_text_config()
    try:
        heads, width = text.num_attention_heads, text.hidden_size
        head = getattr(text, "head_dim", None) or width // heads
        used = getattr(text, "num_experts_per_tok", None)
        inner = used * (getattr(text, "moe_intermediate_size", None) or text.intermediate_size) if used else None
        return ModelShape(
            parameters=parameters,
            layers=text.num_hidden_layers,
            width=width,
            heads_width=heads * head,
            inner_width=inner or getattr(text, "intermediate_size", None) or 4 * width,
            vocabulary=text.vocab_size,
            tied=bool(text.tie_word_embeddings),
            kv_width=(getattr(text, "num_key_value_heads", None) or heads) * head,
        )
    except (AttributeError, TypeError):
        return None


@dataclass(frozen=True)
class Placement:
    """Location of the state of a training.

    Attributes:
        shards: processes over which weights, gradients and optimiser are spread; 1: each process holds all.
        offloaded: weights and optimiser are in the main memory.
        adapters: LoRA, where the weights are frozen and in bfloat16.
        gradient_checkpointing: activations are computed again in the backward pass.
    """

    shards: int = 1
    offloaded: bool = False
    adapters: bool = False
    gradient_checkpointing: bool = True

    @property
    def gathered(self) -> bool:
        """Return true if a process has to gather the weights of a layer before it computes with them."""
        return self.shards > 1 or self.offloaded


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU at the peak of an optimiser step."""

    state: float
    gathered: float
    activations: float
    fixed: float

    @property
    def total(self) -> float:
        """Return their sum."""
        return self.state + self.gathered + self.activations + self.fixed


def training_memory(shape: ModelShape, placement: Placement, tokens: int) -> Memory:
    """Return the memory of a training with so many tokens at once, padding included.

    The adapters themselves, some percent of the weights, are left out.
    """
    per_parameter = COPY_BYTES if placement.adapters else STATE_BYTES
    copies = 0 if placement.gathered or placement.adapters else COPY_BYTES
    held = 0.0 if placement.offloaded else shape.parameters * (per_parameter / placement.shards + copies)
    gathered = 0.0
    if placement.gathered:
        gathered = COPY_BYTES * (shape.embeddings + LAYERS_AT_ONCE * shape.layer)
        gathered += 0 if placement.adapters else GRADIENT_BYTES * (shape.embeddings + shape.layer)
    return Memory(
        state=held,
        gathered=gathered,
        activations=tokens * activation_bytes(shape, placement),
        fixed=FIXED_BYTES + (0 if placement.adapters else 4 * shape.vocabulary * shape.width),
    )


def activation_bytes(shape: ModelShape, placement: Placement) -> float:
    """Return the bytes of activations per token, in all layers.

    With checkpointing each layer keeps its input alone: float32 under autocast, whose residual stream has the precision
    of the embeddings; bfloat16 where FSDP casts the weights. One layer at a time is computed again, and has gradients
    as large as its activations.
    """
    if not placement.gradient_checkpointing:
        return (shape.layers + 1) * layer_bytes(shape)
    residual = (2 if placement.gathered else 4) * shape.width
    return shape.layers * residual + 2 * layer_bytes(shape)


def layer_bytes(shape: ModelShape) -> float:
    """Return the bytes per token that a layer keeps for its backward pass, under autocast.

    In units of the width: 16 for two normalisations (float32 in and out), 10 for the bfloat16 inputs of the five matrix
    products that read them. In units of the heads' width: 8 for queries, keys, values (repeated for all heads) and the
    attention's output. In units of the inner width: 8 for gate, its activation, the other half, and their product. The
    attention keeps no probabilities: its backward pass computes them again.
    """
    return 26 * shape.width + 8 * shape.heads_width + 8 * shape.inner_width


def largest_fitting(shape: ModelShape, placement: Placement, memory: float, share: int, tokens: int) -> int:
    """Return the largest number of examples at once that fits; 1 if none does.

    Args:
        shape: of the model.
        placement: of the training.
        memory: of one GPU, in bytes.
        share: examples of a process in an optimiser step, which the number divides.
        tokens: of the longest example.
    """
    fitting = [
        size
        for size in range(1, share + 1)
        if share % size == 0 and training_memory(shape, placement, size * tokens).total <= USED_SHARE * memory
    ]
    return max(fitting, default=1)
