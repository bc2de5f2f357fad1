"""Direct preference optimisation with TRL's DPOTrainer: M_t on its own pairs gives M_t+1 (Rafailov et al. 2023).

The reference is M_t: its log-probabilities are computed once, before the first step and without dropout, by the model
that training then begins to change, so that no second one is ever in memory; and token by token from the last layer,
without the logits of the whole vocabulary. Terms of the loss that the paper does not have are in
`trainer/finetune/dpo_loss.py`.
"""

from srlm.console import Progress
from srlm.errors import NothingToTrain
from trainer.finetune.job import Preference
from trainer.finetune.resource_errors import explained
from trainer.finetune.tokenize import Rows, fitting
from trainer.finetune.trl_common import adapters, dataset, fit, load_for_training, save, shared_arguments

COLUMNS = ("prompt_ids", "chosen_ids", "rejected_ids")
"""What TRL's own preparation makes of a pair."""


def prefer(job: Preference, progress: Progress) -> None:
    """Tune M_t on preference pairs and write M_t+1.

    Raises:
        NothingToTrain: no pair, or no example to replay, fits into max_length.
    """
    config = job.config
    model, tokenizer = load_for_training(job.start, job.device, config.dropout)
    from trl.trainer.dpo_config import DPOConfig as Arguments

    from trainer.finetune.dpo_loss import PreferenceTrainer, Replay
    from trainer.finetune.snapshots import Along

    arguments = Arguments(
        **shared_arguments(job),
        beta=config.beta,
        loss_type=["sigmoid"],
        precompute_ref_log_probs=True,
        disable_dropout=False,
    )
    rows = Rows(tokenizer, job.thoughts)
    again = None
    if config.replay:
        kept = fitting(rows, job.replay, config.max_length, progress, f"{job.label}, replay")
        again = Replay([tokens for _, tokens in kept], config.replay, job.seed)
    with (
        explained(job.label, "dpo", config.per_device_train_batch_size, config.max_length),
        progress.step(job.label, job.steps) as step,
    ):
        trainer = PreferenceTrainer(
            model=model,
            args=arguments,
            train_dataset=dataset(_rows(rows, job, progress), job.folder),
            processing_class=tokenizer,
            peft_config=adapters(config),
            nll_coef=config.nll_coef,
            smoothing=1 - job.consistency if config.label_smoothing == "agreement" else config.label_smoothing,
            replay=again,
            order_seed=job.seed,
        )
        if config.stopping.judge is not None:
            trainer.add_callback(Along(trainer, tokenizer, job))
        fit(trainer, step, job)
        save(trainer, tokenizer, job)


def _rows(rows: Rows, job: Preference, progress: Progress) -> list[dict[str, list[int]]]:
    """The pairs as TRL takes them once they are tokens; says how many have a prompt that leaves no room for an answer.

    Raises:
        NothingToTrain: all do.
    """
    found: list[dict[str, list[int]]] = []
    for pair in job.pairs:
        chosen = rows.read(pair.prompt, pair.chosen, job.written.get(pair.chosen_id))
        rejected = rows.read(pair.prompt, pair.rejected, job.written.get(pair.rejected_id))
        if len(chosen.prompt) < job.config.max_length:
            sides = (chosen.prompt, chosen.completion, rejected.completion)
            found.append(dict(zip(COLUMNS, map(list, sides), strict=True)))
    long = f"{len(job.pairs) - len(found)} of {len(job.pairs)} instructions"
    if not found:
        raise NothingToTrain(f"{job.label}: {long} leave no room for an answer in dpo.max_length tokens.")
    if len(found) < len(job.pairs):
        progress.say(f"{job.label}: {long} leave no room for an answer in {job.config.max_length} tokens; left out.")
    return found
