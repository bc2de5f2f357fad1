"""Detect a training that diverges: it ends at the first loss, gradient or weight that is not finite.

Loss and gradient norm are in the log of every optimiser step, so checking them costs nothing. Weights are checked
before they are written. The finished model also runs a forward pass, because no loss follows the last step to show its
effect. Imported late: it needs torch and transformers.
"""

from collections.abc import Iterable
from math import isfinite
from typing import Any

import torch
from transformers import TrainerCallback

from srlm.errors import Diverged
from trainer.finetune.job import Job

LOGGED_VALUES = {"loss": "the loss", "grad_norm": "the norm of the gradient"}
"""Values of the training log that must be finite, with their names in messages."""

PROBE_TOKENS = 64
"""Tokens of the forward pass of a finished model."""

CHUNK = 1 << 24
"""Elements squared at once. The squares take as much memory as the elements."""


class DivergenceCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Callback that checks logged values and weights at every optimiser step."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **rest: Any) -> None:
        """Check the logged values, which are the same in all processes."""
        for name, words in LOGGED_VALUES.items():
            value = (logs or {}).get(name)
            if value is not None and not isfinite(value):
                raise divergence_error(self._job, state, args, f"{words} is {value}", before_update=name == "loss")

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:
        """Check the weights before a resumable checkpoint is written."""
        if control.should_save:
            require_finite(self._job, state, args, model)


def divergence_error(
    job: Job, state: Any, arguments: Any, problem: str, *, before_update: bool = False
) -> Diverged:
    """Build the error of a training that has diverged.

    Args:
        job: the training.
        state: the trainer's state at the step of the problem.
        arguments: the trainer's arguments.
        problem: a clause that names the value that is not finite.
        before_update: true if the value was computed with the weights of the step before.
    """
    config = job.config
    rate = f"{job.kind}.learning_rate"
    advice = (
        f"Set a lower learning rate than {rate} = {config.learning_rate:g} in a new run (--name), such as "
        f"--set {rate}={min(type(config)().learning_rate, config.learning_rate / 10):g}"
    )
    if before_update and state.global_step == 1:
        advice = (
            "No update was made before, so the learning rate is not the cause: "
            f"check the weights of {job.start} and the training examples"
        )
    precise = "; dtype=float32 is more precise than bfloat16" if arguments.bf16 else ""
    return Diverged(
        f"{job.label}: the training diverged. At step {state.global_step} of {state.max_steps} {problem}. No model was "
        f"written; earlier models of the run are unchanged. {advice}{precise}."
    )


def require_finite(job: Job, state: Any, arguments: Any, model: Any) -> None:
    """Check the weights of a model in all processes.

    Raises:
        Diverged: in all processes, if a weight of one is not finite.
    """
    bad = non_finite_tensors(model.named_parameters())
    if _in_any_process(bool(bad)):
        example = f", such as {bad[0]} of {len(bad)}" if bad else ""
        raise divergence_error(job, state, arguments, f"weights are not finite, or too large to compute with{example}")


def require_finite_outputs(job: Job, trainer: Any) -> None:
    """Check the logits of a trained model: huge weights are finite and may still overflow in a forward pass.

    The batch holds the beginning of a training example, and tokens from the whole vocabulary: embeddings of tokens that
    no example contains are untrained, and huge weights act on them differently.

    Raises:
        Diverged: a logit is not finite.
    """
    row = trainer.train_dataset[0]
    trained = (row["input_ids"] if "input_ids" in row else [*row["prompt_ids"], *row["chosen_ids"]])[:PROBE_TOKENS]
    vocabulary = trainer.model.get_input_embeddings().num_embeddings
    spread = [place * vocabulary // len(trained) for place in range(len(trained))]
    model = trainer.model_wrapped
    model.eval()
    with torch.no_grad(), trainer.compute_loss_context_manager():
        ids = torch.tensor([trained, spread], device=trainer.accelerator.device)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
    if _in_any_process(not bool(logits.isfinite().all())):
        raise divergence_error(job, trainer.state, trainer.args, "the logits of the trained model are not finite")


def non_finite_tensors(tensors: Iterable[tuple[str, Any]]) -> list[str]:
    """Return the names of the tensors with an element whose square is not finite.

    Normalisation layers square their inputs, so a model with such weights is as useless as one with NaNs. Of a
    parameter that is sharded over processes only the local shard is checked.
    """
    parts = [(name, _local_shard(tensor)) for name, tensor in tensors]
    finite = [_sum_of_squares(part).isfinite() for _, part in parts]
    if not finite:
        return []
    # One transfer for all tensors: each transfer makes the CPU wait for the GPU.
    return [name for (name, _), one in zip(parts, torch.stack(finite).tolist(), strict=True) if not one]


def _sum_of_squares(part: torch.Tensor) -> torch.Tensor:
    flat: Any = part.reshape(-1)
    pieces = [piece.square().sum(dtype=torch.float32) for piece in flat.split(CHUNK)]
    return torch.stack(pieces).sum()


def _local_shard(tensor: Any) -> torch.Tensor:
    """Return this process's shard of a parameter that DeepSpeed or FSDP shards."""
    part: torch.Tensor = getattr(tensor, "ds_tensor", tensor)
    return part.to_local() if hasattr(part, "to_local") else part.detach()


def _in_any_process(here: bool) -> bool:
    """Return true in all processes if the condition holds in one of them."""
    from accelerate import PartialState

    state = PartialState()
    if state.num_processes == 1:
        return here
    from accelerate.utils import gather

    return bool(gather(torch.tensor([here], device=state.device)).any())
