"""How likely a model finds answers, its own or another's: one forward pass over what is already written.

Two models' log-probabilities of an answer give an implicit reward (Rafailov et al. 2023, arXiv 2305.18290, section 4):
beta times log pi - log pi_ref, up to a number that is the same for all answers to an instruction. What is read off it
is in `trainer/preferences/consistency.py`.

An answer is read as DPO reads it: the same tokens, cut at `dpo.max_length`, from float32 weights under the training's
own precision, and token by token from the last layer, without the logits of the whole vocabulary. Left out: models that
fit on no single device, which can be trained by a launcher and answer by vLLM but are not read here.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srlm.model_hub import model_folder
from srlm.types import SCHEMA, Answer, Prompt
from trainer.finetune.tokenize import Rows, Tokens
from trainer.generation.candidates import whole
from trainer.session import Session

if TYPE_CHECKING:
    import torch

READ = 16384
"""Tokens that are read in one pass at the most, padding included."""


@dataclass(frozen=True)
class Likelihood:
    """The natural logarithm of the probability that `model` gives to an answer, the sum over its `tokens`.

    Both count what is within `dpo.max_length`, the end of the turn included.
    """

    answer_id: str
    model: str
    logp: float
    tokens: int
    schema: int = SCHEMA


def likelihoods(
    session: Session, stage: str, model: str, prompts: Sequence[Prompt], answers: Sequence[Answer]
) -> dict[str, Likelihood]:
    """The likelihood of answers under a model of the run, by their ids; read where the stage has ended.

    Args:
        session: the run.
        stage: the model to be trained, such as "M3".
        model: the model that reads, such as "M1".
        prompts: the answers' instructions are among them.
        answers: what is read.
    """

    def produce() -> list[Likelihood]:
        session.release()
        instructions = {prompt.id: prompt.instruction for prompt in prompts}
        keep = session.config.thoughts == "keep"
        texts = [(instructions[one.prompt_id], one.text, whole(one) if keep else None) for one in answers]
        found = _read_all(session, model, texts, f"{stage}: {model} reads {len(answers)} answers")
        return [Likelihood(answer.id, model, *one) for answer, one in zip(answers, found, strict=True)]

    records = session.run.stage(f"{stage}/likelihoods_{model}", Likelihood, produce)
    return {one.answer_id: one for one in records}


def _read_all(
    session: Session, name: str, texts: Sequence[tuple[str, str, str | None]], label: str
) -> list[tuple[float, int]]:
    """Log-probability and number of tokens of each (instruction, answer, answer with its thoughts)."""
    from srlm.engines.batch_size import retry_with_smaller_batch
    from srlm.engines.device import pick_device, pick_dtype
    from trainer.finetune.output_head import score_counted_tokens
    from trainer.finetune.trl_common import load_for_training

    config = session.config
    model, tokenizer = load_for_training(model_folder(session.run.model(name)), config.device)
    from trl.trainer.utils import add_fused_lm_head

    # The head of TRL's DPO, which never holds more than a tile of the vocabulary's logits.
    add_fused_lm_head(model)
    score_counted_tokens(model)
    rows = Rows(tokenizer, config.thoughts)
    tokens = {text: _cut(rows.read(*text), config.dpo.max_length) for text in texts}
    # The same text is read once, so that it is the same to the last bit wherever it stands.
    order = sorted(
        set(tokens.values()), key=lambda one: (-len(one.prompt) - len(one.completion), one.prompt, one.completion)
    )
    found: dict[Tokens, float] = {}
    dtype = pick_dtype(config.dtype, pick_device(config.device))
    with session.progress.step(label, len(order)) as step:

        def attempt(rows: int) -> None:
            while len(found) < len(order):
                part = order[len(found) : len(found) + rows]
                found.update(zip(part, log_probabilities(model, part, dtype), strict=True))
                step.advance(len(part))

        widest = max((len(one.prompt) + len(one.completion) for one in order), default=1)
        retry_with_smaller_batch(attempt, max(1, min(READ // widest, len(order))), name)
    return [(found[tokens[text]], len(tokens[text].completion)) for text in texts]


def _cut(one: Tokens, length: int) -> Tokens:
    return Tokens(one.prompt[:length], one.completion[: max(0, length - len(one.prompt))])


def log_probabilities(model: Any, examples: Sequence[Tokens], dtype: "torch.dtype") -> list[float]:
    """The log-probability of each example's answer, in one pass of a model with TRL's head. `dtype`: of the pass."""
    import torch

    from trainer.finetune.collate import padded

    ids, attention, labels = (tensor.to(model.device) for tensor in padded(examples))
    lower = torch.autocast(model.device.type, dtype) if dtype is not torch.float32 else nullcontext()
    with torch.inference_mode(), lower:
        output = model(input_ids=ids, attention_mask=attention, labels=labels, use_cache=False, fused_lm_head=True)
    logps: list[float] = output.log_probs.double().sum(dim=1).tolist()
    return logps
