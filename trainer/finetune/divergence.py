"""What diverged is no model: a training ends where a loss, a gradient or a weight is not a finite number.

Loss and norm of the gradient are in the log of every optimiser step, so that looking at them costs nothing. Weights are
looked at before they are written, and the finished model reads one example before it is taken: after the last step no
loss follows that would show what it did. Imported late: it needs torch and transformers.
"""

from collections.abc import Iterable, Iterator
from math import isfinite, prod
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from srlm.errors import Diverged
from trainer.finetune.job import Preference, Supervision

WATCHED = {"loss": "the loss", "grad_norm": "the norm of the gradient"}
"""Figures of the training log that must be finite."""

READ = 64
"""Tokens that a finished model reads, to see that what it computes is finite."""


PIECE = 1 << 24
"""Numbers that are squared at once: the squares take as much memory as they."""


class Watch(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Ends a training at the step whose figures or weights are not finite."""

    def __init__(self, job: Supervision | Preference) -> None:
        self._job = job

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **rest: Any) -> None:
        """Look at what the step has logged; it is the same in all processes."""
        for name, words in WATCHED.items():
            value = (logs or {}).get(name)
            if value is not None and not isfinite(value):
                raise diverged(self._job, state, args, f"{words} is {value}", unchanged=name == "loss")

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:
        """Look at the weights before they are written for a training to go on from."""
        if control.should_save:
            require_finite(self._job, state, args, model)


def diverged(
    job: Supervision | Preference, state: Any, arguments: Any, what: str, *, unchanged: bool = False
) -> Diverged:
    """The error of a training that is not finite any more.

    Args:
        job: the training.
        state: the trainer's, at the step where it was seen.
        arguments: the trainer's.
        what: what is not finite.
        unchanged: whether the weights of this step's loss are those that the step before left.
    """
    config = job.config
    rate = f"{job.kind}.learning_rate"
    advice = (
        f"Give a lower one than {rate} = {config.learning_rate:g} under another --name, such as "
        f"--set {rate}={min(type(config)().learning_rate, config.learning_rate / 10):g}"
    )
    if unchanged and state.global_step == 1:
        advice = (
            f"No step was made before, so that it is not the rate: the model {job.start}, or an example, is the cause"
        )
    precise = "; dtype=float32 computes more exactly than bfloat16" if arguments.bf16 else ""
    return Diverged(
        f"{job.label}: the training diverged. At step {state.global_step} of {state.max_steps} {what}. There is no "
        f"model to keep; those that the run had before are as they were. {advice}{precise}."
    )


def require_finite(job: Supervision | Preference, state: Any, arguments: Any, model: Any) -> None:
    """Refuse weights that are not finite.

    Raises:
        Diverged: in all processes, where those of one are not.
    """
    bad = not_finite(model.named_parameters())
    if _anywhere(bool(bad)):
        such = f", such as {bad[0]} of {len(bad)}" if bad else ""
        where = f"weights are not finite, or too large to compute with{such}"
        raise diverged(job, state, arguments, where)


def require_answers(job: Supervision | Preference, trainer: Any) -> None:
    """Have a trained model read: huge weights are finite, and what they compute is not.

    It reads the beginning of an example, and tokens from all of the vocabulary: what the training never showed has kept
    its embedding, which huge weights meet otherwise than those that grew with them.

    Raises:
        Diverged: it gives no finite numbers.
    """
    row = trainer.train_dataset[0]
    learned = (row["input_ids"] if "input_ids" in row else [*row["prompt_ids"], *row["chosen_ids"]])[:READ]
    vocabulary = trainer.model.get_input_embeddings().num_embeddings
    strange = [place * vocabulary // len(learned) for place in range(len(learned))]
    model = trainer.model_wrapped
    model.eval()
    with torch.no_grad(), trainer.compute_loss_context_manager():
        read = torch.tensor([learned, strange], device=trainer.accelerator.device)
        logits = model(input_ids=read, attention_mask=torch.ones_like(read), use_cache=False).logits
    if _anywhere(not bool(logits.isfinite().all())):
        raise diverged(job, trainer.state, trainer.args, "the model gives no finite numbers any more")


def not_finite(tensors: Iterable[tuple[str, Any]]) -> list[str]:
    """Names of the tensors with a number whose square is not finite; of one that is spread, the part here counts.

    A normalisation squares what weights give: with such ones a model says as little as with some that are no numbers.
    """
    parts = [(name, _here(tensor)) for name, tensor in tensors]
    fine = [_squares(part).isfinite() for _, part in parts]
    if not fine:
        return []
    # One transfer for all: each would have the processor wait for the GPU.
    return [name for (name, _), one in zip(parts, torch.stack(fine).tolist(), strict=True) if not one]


def _squares(part: torch.Tensor) -> torch.Tensor:
    flat: Any = part.reshape(-1)
    pieces = [piece.square().sum(dtype=torch.float32) for piece in flat.split(PIECE)]
    return torch.stack(pieces).sum()


def stored(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of a folder's safetensors, one after the other."""
    from safetensors import safe_open

    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 -- it is no dictionary
                yield name, opened.get_tensor(name)


def stored_numbers(folder: Path) -> int:
    """How many numbers a folder's safetensors hold; their heads are read alone."""
    from safetensors import safe_open

    count = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            count += sum(prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    return count


def model_numbers(folder: Path) -> int:
    """How many numbers a model of a checkpoint's configuration is made of; what is tied counts once."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
    written = model.state_dict().keys()
    buffers = sum(buffer.numel() for name, buffer in model.named_buffers() if name in written)
    return int(sum(parameter.numel() for parameter in model.parameters()) + buffers)


def _here(tensor: Any) -> torch.Tensor:
    """The part that this process has of a parameter that DeepSpeed or FSDP spreads."""
    part: torch.Tensor = getattr(tensor, "ds_tensor", tensor)
    return part.to_local() if hasattr(part, "to_local") else part.detach()


def _anywhere(here: bool) -> bool:
    """Whether it is so in one of the processes that train together."""
    from accelerate import PartialState

    state = PartialState()
    if state.num_processes == 1:
        return here
    from accelerate.utils import gather

    return bool(gather(torch.tensor([here], device=state.device)).any())
