"""TRL's DPOTrainer with three terms that it lacks, and with our order of the pairs; all else is TRL's own.

    NLL of the chosen answer    Iterative RPO (arXiv 2404.19733), mean over an answer's tokens, then over answers
    label smoothing             conservative DPO, as CREAM weighs a pair against its flipped self (arXiv 2410.12735);
                                by how much, where it is not a constant, is found in `trainer/preferences/consistency.py`
    replay                      supervised examples beside the pairs, lest the model forget how to judge

TRL has relatives of the first two, and they are others: its loss type "sft" takes the mean over all chosen tokens of
a micro-batch, so that it changes with its size, and its "robust" loss subtracts the flipped pair (a correction
for noisy labels) where conservative DPO adds it. Imported late: it needs torch and TRL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl.trainer.dpo_trainer import DPOTrainer

from srlm.seeding import derive
from trainer.finetune.collate import padded
from trainer.finetune.output_head import score_counted_tokens
from trainer.finetune.shuffling import Order
from trainer.finetune.tokenize import Tokens


@dataclass(frozen=True)
class Replay:
    """Supervised examples to go beside the pairs: `count` of them an optimiser step, in a seeded order."""

    examples: Sequence[Tokens]
    count: int
    seed: int

    def drawn(self, step: int) -> list[Tokens]:
        """The examples of the optimiser step `step`, from 0 on: every one is seen before any is seen again."""
        number, first = len(self.examples), step * self.count
        turns = range(first // number, (first + self.count - 1) // number + 1)
        order = [index for turn in turns for index in self._order(turn)]
        begin = first - turns.start * number
        return [self.examples[index] for index in order[begin : begin + self.count]]

    def _order(self, turn: int) -> list[int]:
        shuffle = torch.Generator().manual_seed(derive(self.seed, "replay", turn))
        order: list[int] = torch.randperm(len(self.examples), generator=shuffle).tolist()
        return order


class PreferenceTrainer(DPOTrainer):  # type: ignore[misc, unused-ignore]
    """Its arguments are those of TRL and the terms. The reference's log-probabilities must be precomputed."""

    def __init__(
        self, *args: Any, nll_coef: float, smoothing: float, replay: Replay | None, order_seed: int, **rest: Any
    ) -> None:
        super().__init__(*args, **rest)
        self.nll_coef = nll_coef
        self.smoothing = smoothing
        self.replay = replay
        self.order_seed = order_seed
        self._place = (-1, 0)

    def _prepare_dataset(self, dataset: Any, *args: Any, **rest: Any) -> Any:
        # It would write the pairs by the chat template, which is not always what was generated (trainer/finetune/tokenize.py).
        return dataset

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        rows: Any = self.train_dataset
        return Order(self, len(rows), self.order_seed)

    def _precompute_ref_logps(self, *args: Any, **rest: Any) -> Any:
        # TRL has just given the model its head, and reads with it here for the first time.
        score_counted_tokens(self.model)
        return super()._precompute_ref_logps(*args, **rest)  # type: ignore[no-untyped-call, unused-ignore]

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """TRL's loss of a micro-batch of pairs, and the terms."""
        heard: list[Any] = []

        def listening(**arguments: Any) -> Any:
            heard.append(model(**arguments))
            return heard[-1]

        loss: Any = super().compute_loss(listening, inputs, return_outputs, num_items_in_batch)  # type: ignore[no-untyped-call, unused-ignore]
        # [2 * pairs, tokens - 1], the chosen answers first, 0 outside of an answer.
        tokens = heard[0].log_probs
        if self.nll_coef:
            counts = inputs["completion_mask"][:, 1:].chunk(2)[0].sum(dim=1)
            nll = -(tokens.chunk(2)[0].sum(dim=1) / counts).mean()
            self._note("nll", nll)
            loss = loss + self.nll_coef * nll
        if self.smoothing:
            chosen, rejected = tokens.sum(dim=1).chunk(2)
            margin = (chosen - inputs["ref_chosen_logps"]) - (rejected - inputs["ref_rejected_logps"])
            # (1 - e) * -log sigmoid(m) + e * -log sigmoid(-m)  =  -log sigmoid(m) + e * m
            loss = loss + self.smoothing * self.beta * margin.mean()
        if self.replay:
            loss = loss + self._replayed(model, self.replay)
        return loss

    def _replayed(self, model: Any, replay: Replay) -> torch.Tensor:
        """The share of this micro-batch in the step's examples: all shares together give one mean over their tokens.

        Shares go with the micro-batches, so that memory stays bounded, and into one backward pass with the pairs,
        because DeepSpeed makes its update inside of the backward pass.
        """
        step, part = self._place
        part = part + 1 if step == self.state.global_step else 0
        self._place = (self.state.global_step, part)
        drawn = replay.drawn(self.state.global_step)
        world = self.accelerator.num_processes
        # The trainer divides by the number of micro-batches, and takes the mean over processes.
        shares = self.current_gradient_accumulation_steps * world
        mine = drawn[part * world + self.accelerator.process_index :: shares]
        if not mine and world == 1:
            return torch.zeros((), device=self.accelerator.device)
        # Where weights are spread over processes all must come along: one without a share reads and counts nothing.
        ids, attention, labels = padded(mine or drawn[:1], counted=bool(mine))
        device = self.accelerator.device
        output = model(
            input_ids=ids.to(device),
            attention_mask=attention.to(device),
            labels=labels.to(device),
            use_cache=False,
            fused_lm_head=True,
        )
        loss: torch.Tensor = -output.log_probs.sum() / sum(len(one.completion) for one in drawn) * shares
        self._note("replay", loss)
        return loss

    def _note(self, name: str, value: torch.Tensor) -> None:
        """Write a term into the training log, as TRL does with its own figures."""
        self._metrics["train"][name].append(self.accelerator.gather(value.detach()).mean().item())
