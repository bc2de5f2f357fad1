"""Direct preference optimisation with TRL's DPOTrainer: M_t on its own pairs gives M_t+1 (Rafailov et al. 2023).

The reference is M_t: its log-probabilities are computed once, before the first step and without dropout, by the model
that training then begins to change, so that no second one is ever in memory; and token by token from the last layer,
without the logits of the whole vocabulary. Terms of the loss that the paper does not have are in
`trainer/preference.py`.
"""

from collections.abc import Sequence
from pathlib import Path

from srlm.config import DPOConfig
from srlm.display import Progress
from srlm.types import PreferencePair
from trainer.examples import Example
from trainer.mishaps import explained
from trainer.tokens import fitting
from trainer.tuning import adapters, dataset, fit, load_for_training, optimiser_steps, save, shared_arguments


def prefer(
    start: Path,
    pairs: Sequence[PreferencePair],
    config: DPOConfig,
    folder: Path,
    *,
    replay: Sequence[Example] = (),
    device: str,
    dtype: str,
    seed: int,
    progress: Progress,
    label: str,
    consistency: float = 1,
) -> None:
    """Tune the checkpoint `start` (M_t) on preference pairs and write M_t+1 to `folder`.

    `replay` are the supervised examples out of which `config.replay` go beside the pairs of each optimiser step;
    `consistency` is the weight of the pairs as they are, where labels are smoothed by agreement.

    Raises:
        NothingToTrain: no example to replay fits into max_length.
    """
    model, tokenizer = load_for_training(start, device, config.dropout)
    from trl.trainer.dpo_config import DPOConfig as Arguments

    from trainer.kept import Along
    from trainer.preference import PreferenceTrainer, Replay

    rows = [
        {
            "prompt": [{"role": "user", "content": pair.prompt}],
            "chosen": [{"role": "assistant", "content": pair.chosen}],
            "rejected": [{"role": "assistant", "content": pair.rejected}],
        }
        for pair in pairs
    ]
    arguments = Arguments(
        **shared_arguments(config, folder, device, dtype, seed),
        beta=config.beta,
        loss_type=["sigmoid"],
        precompute_ref_log_probs=True,
        disable_dropout=False,
    )
    again = None
    if config.replay:
        kept = fitting(tokenizer, replay, config.max_length, progress, f"{label}, replay")
        again = Replay([tokens for _, tokens in kept], config.replay, seed)
    with (
        explained(label, "dpo", config.micro_batch_size, config.max_length),
        progress.step(label, optimiser_steps(len(rows), config)) as step,
    ):
        trainer = PreferenceTrainer(
            model=model,
            args=arguments,
            train_dataset=dataset(rows, folder),
            processing_class=tokenizer,
            peft_config=adapters(config),
            nll_coef=config.nll_coef,
            smoothing=1 - consistency if config.label_smoothing == "agreement" else config.label_smoothing,
            replay=again,
            order_seed=seed,
        )
        if config.stopping.judge is not None:
            trainer.add_callback(Along(trainer, tokenizer, start, folder, config.stopping.every))
        fit(trainer, step)
        save(trainer, tokenizer, start, folder)
