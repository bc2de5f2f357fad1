"""The policy in training as an engine: it answers a judge's prompts with the weights of the present step.

The weights are those of the trainer, not a second copy. For the time of a call the model is in evaluation mode, without
gradients, and attends as srlm's decode loop does, which reads the common beginning of all prompts once. Its calls are
cached in the ledger under the identity of the training and the step: a digest of the weights would take as long as the
step, and the weights of a step follow from the training's settings.

Left out: weights that FSDP or DeepSpeed shard over processes, whose numbers of passes would have to be equal.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from srlm.checkpoint_files import read_config
from srlm.engines.engine import BatchResult, OnProgress, no_progress
from srlm.engines.hf import HFEngine
from srlm.engines.load import eos_tokens
from srlm.engines.template_parts import Thoughts
from srlm.types import Request

TRAINING_BYTES = 16
"""Bytes per parameter that a training takes besides: float32 weight, gradient, and AdamW's two moments."""


class PolicyEngine(HFEngine):
    """The model of a trainer as an engine. `attach` comes before the first call, `begin_step` before each step's."""

    def __init__(
        self,
        start: Path,
        *,
        name: str,
        device: str,
        dtype: str,
        batch_tokens: int | None,
        thoughts: Thoughts,
        training: str,
    ) -> None:
        """Read the tokenizer of the checkpoint from which the training starts.

        Args:
            start: the checkpoint.
            name: display name.
            device: of the trainer.
            dtype: precision of its passes.
            batch_tokens: see `HFEngine`.
            thoughts: likewise.
            training: digest of all that the weights of a step follow from, besides the checkpoint.

        Raises:
            ModelError: the decode loop does not support the architecture, or the checkpoint is not usable.
        """
        super().__init__(start, name=name, device=device, dtype=dtype, batch_tokens=batch_tokens, thoughts=thoughts)
        self._training = f"{self.identity}:grpo-{training}"
        self._trainer: Any = None
        self._policy: Any = None

    def attach(self, trainer: Any) -> None:
        """Take the model of a trainer. Its settings for generation decide which tokens end a verdict."""
        self._trainer = trainer
        declared = eos_tokens(trainer.model.generation_config.eos_token_id, self._tokenizer)
        self._eos = self._chat.with_end_of_turn(declared)

    def begin_step(self, step: int) -> None:
        """Name the weights after the optimiser step, from 1, before which they answer."""
        self.identity = f"{self._training}:step-{step}"

    def run(self, batches: Sequence[Sequence[Request]], on_progress: OnProgress = no_progress) -> Iterator[BatchResult]:
        """Answer batches sequentially. Between two of them the model is the trainer's."""
        for number, batch in enumerate(batches):
            with self._lent():
                (result,) = super().run([batch], on_progress)
            yield BatchResult(number, result.replies, result.seconds)

    def close(self) -> None:
        """Do nothing: the weights are the trainer's."""

    @contextmanager
    def _lent(self) -> Iterator[None]:
        """Borrow the model from the trainer: in evaluation mode, with the attention of the decode loop."""
        from srlm.engines.shared_prefix import attention_for

        trainer = self._trainer
        self._policy = model = trainer.accelerator.unwrap_model(trainer.model_wrapped)
        config = model.config.get_text_config()
        attention, training = config._attn_implementation, model.training
        config._attn_implementation = attention_for(read_config(self._folder))
        model.eval()
        try:
            with trainer.accelerator.autocast():
                yield
        finally:
            model.train(training)
            config._attn_implementation = attention
            self._policy = None

    @property
    def _model(self) -> Any:
        return self._policy

    @property
    def _capacity(self) -> int:
        """Tokens of prompt and answer in the cache at once, next to the state of the training."""
        import torch
        from transformers import AutoConfig

        from srlm.checkpoint_files import weight_count
        from srlm.engines.batch_size import token_capacity

        if self._batch_tokens is not None:
            return self._batch_tokens
        config = AutoConfig.from_pretrained(self._folder, trust_remote_code=False).get_text_config()
        return token_capacity(
            config, self._dtype, torch.device(self._device), TRAINING_BYTES * weight_count(self._folder)
        )
