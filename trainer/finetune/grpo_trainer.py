"""TRL's GRPOTrainer with srlm's prompts, seeds and reference model; loss, advantages and generation are TRL's own.

    prompts      tokenized as srlm's engines do it (`trainer/finetune/tokenize.py`), not by TRL
    seeds        each step's answers are drawn from a seed of the step and the process, so that a training that goes on
                 from a checkpoint draws the same ones
    reference    M_t, with `grpo.beta`, loaded as the policy is: without code of the checkpoint, from safetensors alone

Imported late: it needs torch and TRL.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from srlm.seeding import derive_seed
from trainer.finetune.load_model import load_for_training
from trainer.finetune.output_head import score_labelled_tokens
from trainer.finetune.precision import PreciseTrainer
from trainer.finetune.trl_functions import with_names


class RolloutTrainer(PreciseTrainer, GRPOTrainer):  # type: ignore[misc, unused-ignore]
    """TRL's GRPOTrainer; see the module."""

    def __init__(
        self, *, start: Path, device: str, prompt_ids: Mapping[str, Sequence[int]], order_seed: int, **rest: Any
    ) -> None:
        self._prompt_ids, self._order_seed = prompt_ids, order_seed
        build: Any = with_names(
            GRPOTrainer.__init__,  # type: ignore[arg-type, unused-ignore]
            create_model_from_path=lambda path, **settings: load_for_training(start, device)[0],
            add_fused_lm_head=_with_labelled_tokens,
        )
        build(self, **rest)

    def _tokenize_prompts(self, prompts: Sequence[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [list(self._prompt_ids[prompt[-1]["content"]]) for prompt in prompts], None, {}

    def _generate_single_turn(self, *args: Any, **rest: Any) -> Any:
        step, process = self.state.global_step, self.accelerator.process_index
        torch.manual_seed(derive_seed(self._order_seed, "rollouts", step, process))
        return super()._generate_single_turn(*args, **rest)  # type: ignore[no-untyped-call, unused-ignore]


def _with_labelled_tokens(model: Any, **settings: Any) -> None:
    add_fused_lm_head(model, **settings)
    score_labelled_tokens(model)
