"""Speed, side by side in one run: `make bench`. Prints a card for people and ends with one JSON line for machines.

Two questions. How long does `srlm --help` take, beside the command lines of trl and of Python itself? And how many
tokens a second come from the packaged model on real instructions: one at a time (as the older self-rewarding
repositories do it), through transformers' own batched generate, and through srlm's engine? Ratios hold across
machines, seconds do not.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROMPTS = 64
ALONE = 6
MAX_TOKENS = 96
STARTS = 5
TEMPERATURE, TOP_P = 0.7, 0.9


def start_up(command: list[str]) -> float:
    """Median seconds of a command over several starts, after one that warms the disk."""
    seconds = []
    for _ in range(STARTS + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def timed(count: Callable[[], int]) -> float:
    """Tokens per second of a function that generates and returns how many tokens it made."""
    began = time.perf_counter()
    tokens = count()
    return tokens / (time.perf_counter() - began)


def generation() -> dict[str, float]:
    """Tokens a second of three ways to answer the same instructions with the same sampling."""
    import torch

    from srlm.assets import PACKAGED, model_folder
    from srlm.engines.checkpoint import load_model, load_tokenizer, pick_device, pick_dtype
    from srlm.engines.hf import HFEngine
    from srlm.seeds import evaluation_set
    from srlm.types import Completion, Message, Request, Sampling

    folder = model_folder(PACKAGED)
    device = pick_device("auto")
    model, tokenizer = load_model(folder, pick_dtype("auto", device), device), load_tokenizer(folder)
    tokenizer.padding_side = "left"
    instructions = [prompt.instruction for prompt in evaluation_set()[:PROMPTS]]
    texts: list[Any] = [
        tokenizer.apply_chat_template([{"role": "user", "content": one}], tokenize=False, add_generation_prompt=True)
        for one in instructions
    ]

    def transformers_generate(batch: list[str]) -> int:
        encoded = tokenizer(batch, return_tensors="pt", padding=True, add_special_tokens=False).to(device)
        torch.manual_seed(0)
        with torch.inference_mode():
            output = model.generate(
                **encoded, do_sample=True, temperature=TEMPERATURE, top_p=TOP_P, top_k=0, max_new_tokens=MAX_TOKENS
            )
        new = output[:, encoded["input_ids"].shape[1] :]
        ended = (new == tokenizer.eos_token_id).int().argmax(1).tolist()
        return sum(end or new.shape[1] for end in ended)

    engine = HFEngine(folder, name=PACKAGED, batch_tokens=32768)
    sampling = Sampling(TEMPERATURE, TOP_P, MAX_TOKENS)
    requests = [Request((Message("user", one),), sampling, seed=index) for index, one in enumerate(instructions)]
    next(engine.run([requests[:1]]))  # reads the weights

    def ours() -> int:
        plan = engine.plan(requests)
        answers = [
            reply
            for _, replies in engine.run([[requests[index] for index in batch] for batch in plan])
            for reply in replies
        ]
        return sum(reply.completion_tokens for reply in answers if isinstance(reply, Completion))

    return {
        "one_at_a_time": timed(lambda: sum(transformers_generate([text]) for text in texts[:ALONE])),
        "transformers_batch_64": timed(lambda: transformers_generate(texts)),
        "srlm": timed(ours),
    }


def main() -> None:
    """Measure, print the card, end with the JSON line."""
    os.environ["TQDM_DISABLE"] = "1"
    scripts = Path(sys.executable).parent
    starts = {
        "python": start_up([sys.executable, "-c", "pass"]),
        "srlm": start_up([str(scripts / "srlm"), "--help"]),
        "trl": start_up([str(scripts / "trl"), "--help"]),
    }
    print("Start-up, seconds, median of", STARTS)
    for name, seconds in starts.items():
        print(f"  {name + (' --help' if name != 'python' else ' -c pass'):16} {seconds:.3f}")
    speeds = generation()
    sampling = f"T {TEMPERATURE}, top-p {TOP_P}, up to {MAX_TOKENS} tokens"
    print(f"Generation, tokens a second: {PROMPTS} instructions, {sampling}")
    for name, speed in speeds.items():
        print(f"  {name:24} {speed:7.1f}   {speed / speeds['one_at_a_time']:5.1f} x one at a time")
    print(json.dumps({"start_up_s": starts, "tokens_per_s": speeds}))


if __name__ == "__main__":
    main()
