"""Direct preference optimisation with TRL's DPOTrainer: M_t on its own pairs gives M_t+1 (Rafailov et al. 2023).

The reference is M_t: its log-probabilities are computed once, before the first step and without dropout, by the model
that training then begins to change, so that no second one is ever in memory; and token by token from the last layer,
without the logits of the whole vocabulary. Terms of the loss that the paper does not have are in
`trainer/preference.py`.
"""

from collections.abc import Sequence

from srlm.display import Progress
from srlm.types import PreferencePair
from trainer.job import Preference
from trainer.mishaps import explained
from trainer.tokens import fitting
from trainer.tuning import adapters, dataset, fit, load_for_training, save, shared_arguments


def prefer(job: Preference, progress: Progress) -> None:
    """Tune M_t on preference pairs and write M_t+1.

    Raises:
        NothingToTrain: no example to replay fits into max_length.
    """
    config = job.config
    model, tokenizer = load_for_training(job.start, job.device, config.dropout)
    from trl.trainer.dpo_config import DPOConfig as Arguments

    from trainer.kept import Along
    from trainer.preference import PreferenceTrainer, Replay

    arguments = Arguments(
        **shared_arguments(job),
        beta=config.beta,
        loss_type=["sigmoid"],
        precompute_ref_log_probs=True,
        disable_dropout=False,
    )
    again = None
    if config.replay:
        kept = fitting(tokenizer, job.replay, config.max_length, progress, f"{job.label}, replay")
        again = Replay([tokens for _, tokens in kept], config.replay, job.seed)
    with (
        explained(job.label, "dpo", config.micro_batch_size, config.max_length),
        progress.step(job.label, job.steps) as step,
    ):
        trainer = PreferenceTrainer(
            model=model,
            args=arguments,
            train_dataset=dataset(_rows(job.pairs), job.folder),
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


def _rows(pairs: Sequence[PreferencePair]) -> list[dict[str, list[dict[str, str]]]]:
    """The pairs as TRL takes them: conversations of one turn."""
    return [
        {
            "prompt": [{"role": "user", "content": pair.prompt}],
            "chosen": [{"role": "assistant", "content": pair.chosen}],
            "rejected": [{"role": "assistant", "content": pair.rejected}],
        }
        for pair in pairs
    ]
