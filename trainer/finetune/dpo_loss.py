"""The DPO loss: TRL's DPOTrainer with three more terms and our order of the pairs; the rest is TRL's own.

    NLL of the chosen answer    Iterative RPO (arXiv 2404.19733): mean over an answer's tokens, then over answers
    label smoothing             conservative DPO, with which CREAM weighs a pair against its flipped copy
                                (arXiv 2410.12735); `trainer/preferences/consistency.py` computes CREAM's weight
    replay                      supervised examples in the same optimiser step (`trainer/finetune/replay.py`)

TRL has variants of the first two that differ. Its loss type "sft" takes the mean over all chosen tokens of a
micro-batch, so it depends on the micro-batch size. Its "robust" loss (`dpo.loss`) subtracts the flipped pair (a
correction for noisy labels), where conservative DPO adds it. Smoothing is added to the loss sigmoid alone. Imported
late: it needs torch and TRL.
"""

from collections.abc import Sequence
from typing import Any

import torch
from trl.trainer.dpo_trainer import DPOTrainer

from trainer.finetune.collate import pad_batch
from trainer.finetune.output_head import score_labelled_tokens
from trainer.finetune.precision import PreciseTrainer
from trainer.finetune.reference import ReferencedPairs, ReferenceLogProbs
from trainer.finetune.replay import Replay
from trainer.finetune.shuffling import EpochSampler
from trainer.finetune.trl_functions import with_names


class ExtendedDPOTrainer(PreciseTrainer, DPOTrainer):  # type: ignore[misc, unused-ignore]
    """TRL's DPOTrainer with NLL, label smoothing and replay, and the reference of `trainer/finetune/reference.py`."""

    def __init__(
        self,
        *,
        reference: Sequence[ReferenceLogProbs] | None,
        nll_coef: float,
        smoothing: float,
        replay: Replay | None,
        order_seed: int,
        **rest: Any,
    ) -> None:
        self._stored = reference
        # Without a second model, which TRL loads under FSDP, and without a digest of all weights.
        build: Any = with_names(
            DPOTrainer.__init__,  # type: ignore[arg-type, unused-ignore]
            create_model_from_path=lambda *args, **rest: None,
            hash_module=lambda module: None,
        )
        build(self, **rest)
        score_labelled_tokens(self.model)
        self.nll_coef = nll_coef
        self.smoothing = smoothing
        self.replay = replay
        self.order_seed = order_seed
        self._position = (-1, 0)  # optimiser step, and micro-batch within it

    def _prepare_dataset(self, dataset: Any, *args: Any, **rest: Any) -> Any:
        # TRL would apply the chat template, which can differ from what was generated (trainer/finetune/tokenize.py).
        return dataset

    def _get_train_sampler(self, train_dataset: Any = None) -> EpochSampler:
        rows: Any = self.train_dataset
        return EpochSampler(self, len(rows), self.order_seed)

    def _precompute_ref_logps(self, dataset: Any, *args: Any, **rest: Any) -> ReferencedPairs:
        # TRL's data loader draws one number. Drawn here too, dropout is that of earlier versions of srlm.
        torch.empty((), dtype=torch.int64).random_()
        # `ReferenceCallback` adds the columns, when the model is on its devices or in shards.
        return ReferencedPairs(dataset, self._stored)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute TRL's loss of a micro-batch of pairs, and add the terms."""
        outputs: list[Any] = []

        def capture_forward(**arguments: Any) -> Any:
            outputs.append(model(**arguments))
            return outputs[-1]

        loss: Any = super().compute_loss(capture_forward, inputs, return_outputs, num_items_in_batch)  # type: ignore[no-untyped-call, unused-ignore]
        # [2 * pairs, tokens - 1], the chosen answers first, 0 outside of an answer.
        tokens = outputs[0].log_probs
        if self.nll_coef:
            counts = inputs["completion_mask"][:, 1:].chunk(2)[0].sum(dim=1)
            nll = -(tokens.chunk(2)[0].sum(dim=1) / counts).mean()
            self._log_term("nll", nll)
            loss = loss + self.nll_coef * nll
        if self.smoothing:
            chosen, rejected = tokens.sum(dim=1).chunk(2)
            margin = (chosen - inputs["ref_chosen_logps"]) - (rejected - inputs["ref_rejected_logps"])
            # (1 - e) * -log sigmoid(m) + e * -log sigmoid(-m)  =  -log sigmoid(m) + e * m
            loss = loss + self.smoothing * self.beta * margin.mean()
        if self.replay:
            loss = loss + self._replay_loss(model, self.replay)
        return loss

    def _replay_loss(self, model: Any, replay: Replay) -> torch.Tensor:
        """Compute this micro-batch's share of the replay loss; the shares of a step add up to one mean over tokens.

        The examples are divided over the micro-batches, so that memory stays bounded. Each share is in the same
        backward pass as the pairs, because DeepSpeed updates the weights inside the backward pass.
        """
        step, part = self._position
        part = part + 1 if step == self.state.global_step else 0
        self._position = (self.state.global_step, part)
        drawn = replay.draw(self.state.global_step)
        world = self.accelerator.num_processes
        # The trainer divides by the number of micro-batches, and takes the mean over processes.
        shares = self.current_gradient_accumulation_steps * world
        mine = drawn[part * world + self.accelerator.process_index :: shares]
        if not mine and world == 1:
            return torch.zeros((), device=self.accelerator.device)
        # With sharded weights every process must run the forward pass: one without a share runs it without labels.
        ids, attention, labels = pad_batch(mine or drawn[:1], labelled=bool(mine))
        device = self.accelerator.device
        output = model(
            input_ids=ids.to(device),
            attention_mask=attention.to(device),
            labels=labels.to(device),
            use_cache=False,
            fused_lm_head=True,
        )
        loss: torch.Tensor = -output.log_probs.sum() / sum(len(one.completion) for one in drawn) * shares
        self._log_term("replay", loss)
        return loss

    def _log_term(self, name: str, value: torch.Tensor) -> None:
        """Write a term into the training log, as TRL does with its own metrics."""
        self._metrics["train"][name].append(self.accelerator.gather(value.detach()).mean().item())
