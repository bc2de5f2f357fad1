"""Log-probabilities of answers under a model: one forward pass over text that is already written.

Those of two models give an implicit reward (Rafailov et al. 2023, arXiv 2305.18290, section 4): beta times
log pi - log pi_ref, up to a constant per prompt. `trainer/preferences/implicit_reward.py` and
`trainer/preferences/consistency.py` use it.

An answer is read as in DPO: the same tokens, truncated at `dpo.max_length`, from float32 weights under the training's
precision, and token by token from the last layer, without the logits of the whole vocabulary. Left out: models that fit
on no single device. A launcher can train them and vLLM can generate with them, but they are not read here.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srlm.types import SCHEMA, Answer, Context, Prompt
from trainer.finetune.release import empty_caches, release_model
from trainer.finetune.tokenize import ExampleTokenizer, Tokens
from trainer.generation.candidates import full_text
from trainer.session import Session

if TYPE_CHECKING:
    import torch

MAX_BATCH_TOKENS = 16384
"""Maximum number of tokens in one forward pass, padding included."""


Text = tuple[str, str, str | None, Context]
"""An instruction, an answer, the answer with its reasoning or None, and the messages before the instruction."""


@dataclass(frozen=True)
class LogProb:
    """Natural log-probability of an answer under `model`, summed over its `tokens`.

    Both count the tokens within `dpo.max_length`, the end of the turn included.
    """

    answer_id: str
    model: str
    logp: float
    tokens: int
    schema: int = SCHEMA


def answer_log_probs(
    session: Session, stage: str, model: str, prompts: Sequence[Prompt], answers: Sequence[Answer]
) -> dict[str, LogProb]:
    """Return the log-probabilities of answers by their ids, or read them if the stage has ended.

    Args:
        session: the run.
        stage: the model to be trained, such as "M3".
        model: the model of the run that reads the answers, such as "M1".
        prompts: the answers' prompts are among them.
        answers: the answers to read.
    """

    def produce() -> list[LogProb]:
        session.release()
        asked = {prompt.id: prompt for prompt in prompts}
        keep = session.config.thoughts == "keep"
        texts = [
            (asked[one.prompt_id].instruction, one.text, full_text(one) if keep else None, asked[one.prompt_id].context)
            for one in answers
        ]
        found = _read_all(session, model, texts, f"{stage}: {model} reads {len(answers)} answers")
        empty_caches()
        return [LogProb(answer.id, model, *one) for answer, one in zip(answers, found, strict=True)]

    records = session.run.stage(f"{stage}/likelihoods_{model}", LogProb, produce)
    return {one.answer_id: one for one in records}


def _read_all(session: Session, name: str, texts: Sequence[Text], label: str) -> list[tuple[float, int]]:
    """Return the log-probability and number of tokens of each answer."""
    from srlm.engines.batch_size import retry_with_smaller_batch
    from srlm.engines.device import pick_device, pick_dtype
    from trainer.finetune.load_model import load_for_training
    from trainer.finetune.output_head import score_labelled_tokens

    config = session.config
    model, tokenizer = load_for_training(session.folder(name), config.device)
    from trl.trainer.utils import add_fused_lm_head

    # The output head of TRL's DPO, which never holds more than a tile of the vocabulary's logits.
    add_fused_lm_head(model)
    score_labelled_tokens(model)
    chat = ExampleTokenizer(tokenizer, config.thoughts)
    tokens = {text: _truncate(chat.tokenize(*text), config.dpo.max_length) for text in texts}
    # The same text is read once, so that its log-probability is the same to the last bit everywhere.
    order = sorted(
        set(tokens.values()), key=lambda one: (-len(one.prompt) - len(one.completion), one.prompt, one.completion)
    )
    found: dict[Tokens, float] = {}
    dtype = pick_dtype(config.dtype, pick_device(config.device))
    with session.progress.step(label, len(order)) as step:

        def attempt(rows: int) -> None:
            while len(found) < len(order):
                part = order[len(found) : len(found) + rows]
                found.update(zip(part, batch_log_probs(model, part, dtype), strict=True))
                step.advance(len(part))

        longest = max((len(one) for one in order), default=1)
        retry_with_smaller_batch(attempt, max(1, min(MAX_BATCH_TOKENS // longest, len(order))), name)
    release_model(model)
    return [(found[tokens[text]], len(tokens[text].completion)) for text in texts]


def _truncate(one: Tokens, length: int) -> Tokens:
    return Tokens(one.prompt[:length], one.completion[: max(0, length - len(one.prompt))])


def batch_log_probs(model: Any, examples: Sequence[Tokens], dtype: "torch.dtype") -> list[float]:
    """Return the log-probability of each example's completion, from one forward pass.

    Args:
        model: a model with TRL's fused output head.
        examples: the batch.
        dtype: precision of the forward pass.
    """
    import torch

    from trainer.finetune.collate import pad_batch

    ids, attention, labels = (tensor.to(model.device) for tensor in pad_batch(examples))
    autocast = torch.autocast(model.device.type, dtype) if dtype is not torch.float32 else nullcontext()
    with torch.inference_mode(), autocast:
        output = model(input_ids=ids, attention_mask=attention, labels=labels, use_cache=False, fused_lm_head=True)
    logps: list[float] = output.log_probs.double().sum(dim=1).tolist()
    return logps
