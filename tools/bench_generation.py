"""Tokens a second of four ways to write the same answers, and verdicts a second of three ways to score them.

The work is that of the self-rewarding loop: 64 real instructions, four answers each (temperature 0.7, top-p 0.9, at
most 96 tokens, ending when they end), and a verdict on each of the 256 answers. The ways: one call at a time, as the
older self-rewarding repositories do it (a sample of the work); transformers' own batched generate, at the best of
several batch sizes; vLLM, in an environment of its own (`make test-vllm` builds it); and srlm's engine.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INSTRUCTIONS, ANSWERS = 64, 4
MAX_TOKENS = 96
TEMPERATURE, TOP_P = 0.7, 0.9
ALONE = 8
BATCHES = (64, 128)
SCORED_ALONE, SCORED_SAMPLED = 1, 16
VLLM_PYTHON = Path(__file__).parents[1] / ".venv-vllm/bin/python"


@dataclass
class Traffic:
    """What went through the model: multiply-adds, and bytes of weights, keys and values."""

    flops: float = 0.0
    bytes: float = 0.0
    steps: int = 0


def generation() -> dict[str, Any]:
    """Everything, as one record."""
    import torch

    from srlm.engines.hf import HFEngine
    from srlm.engines.load import load_model, load_tokenizer
    from srlm.model_hub import PACKAGED, model_folder
    from srlm.types import Completion

    folder = model_folder(PACKAGED)
    engine = HFEngine(folder, name=PACKAGED)
    requests = candidates()
    texts = [engine._chat.text(request) for request in requests]
    model, tokenizer = load_model(folder, engine._dtype, engine._device), load_tokenizer(folder)
    tokenizer.padding_side = "left"

    alone = _spread(texts, ALONE)
    speeds = {"one_at_a_time": _speed(model, tokenizer, alone, 1)}
    # Sorted by length, as a careful user would: padding is computed along. One batch each is timed.
    ordered = sorted(texts, key=len)
    for size in BATCHES:
        speeds[f"transformers_batch_{size}"] = _speed(model, tokenizer, _spread(ordered, size), size)
    list(engine.run([requests[:2]]))  # reads the weights
    traffic = _watch(engine._model)
    began = time.perf_counter()
    replies = _run(engine, requests)
    seconds = time.perf_counter() - began
    speeds["srlm"] = sum(reply.completion_tokens for reply in replies) / seconds
    vllm = _vllm(folder, texts)
    if vllm:
        speeds["vllm"] = vllm
    print(speeds, file=sys.stderr)
    answers = [reply.text for reply in replies if isinstance(reply, Completion)]
    tokens = sum(reply.completion_tokens for reply in replies) / len(replies)
    ceilings = _ceilings(engine, traffic, seconds)  # before anything else goes through the model
    scoring = _scoring(engine, model, tokenizer, requests, answers)
    device = torch.cuda.get_device_name() if engine._device.startswith("cuda") else "processor"
    return {
        "device": device,
        "dtype": str(engine._dtype).removeprefix("torch."),
        "tokens_per_s": speeds,
        "ceilings": ceilings,
        "seconds_per_verdict": scoring,
        "seconds_per_instruction": {
            "one_at_a_time": _iteration(tokens / speeds["one_at_a_time"], scoring["sampled_one_at_a_time"]),
            "srlm": _iteration(tokens / speeds["srlm"], scoring["sampled"]),
        },
    }


def _iteration(answer: float, verdict: float) -> float:
    """Seconds that an instruction takes in an iteration of the paper: N=4 answers, each with the mean of k=3 scores."""
    return ANSWERS * (answer + verdict)


def candidates() -> list[Any]:
    """The requests: each instruction as often as it gets answers, spread over the evaluation set's kinds."""
    from srlm.seed_data import evaluation_set
    from srlm.types import Message, Request, Sampling

    sampling = Sampling(TEMPERATURE, TOP_P, MAX_TOKENS)
    instructions = [prompt.instruction for prompt in evaluation_set()][:INSTRUCTIONS]
    return [
        Request((Message("user", one),), sampling, seed=ANSWERS * number + sample, sample=sample)
        for number, one in enumerate(instructions)
        for sample in range(ANSWERS)
    ]


def _spread(texts: Sequence[str], count: int) -> list[str]:
    return list(texts[:: max(1, len(texts) // count)])


def _speed(model: Any, tokenizer: Any, texts: Sequence[str], size: int) -> float:
    """Tokens a second of transformers' generate in batches of `size`; padding after an answer's end does not count."""
    tokens = 0
    generate_padded(model, tokenizer, texts[:1], 4)
    began = time.perf_counter()
    for start in range(0, len(texts), size):
        tokens += generate_padded(model, tokenizer, texts[start : start + size], MAX_TOKENS)
    return tokens / (time.perf_counter() - began)


def generate_padded(model: Any, tokenizer: Any, batch: Sequence[str], limit: int) -> int:
    """Tokens that transformers' generate writes for a batch, up to each answer's end."""
    import torch

    encoded = tokenizer(list(batch), return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
    torch.manual_seed(0)
    with torch.inference_mode():
        output = model.generate(
            **encoded, do_sample=True, temperature=TEMPERATURE, top_p=TOP_P, top_k=0, max_new_tokens=limit
        )
    new = output[:, encoded["input_ids"].shape[1] :]
    ends = (new == tokenizer.eos_token_id).int()
    # The first end of each answer; its whole width where there is none.
    return int(torch.where(ends.any(1), ends.argmax(1), new.shape[1]).sum())


def _run(engine: Any, requests: Sequence[Any]) -> list[Any]:
    plan = engine.plan(requests)
    found: dict[int, Any] = {}
    for done in engine.run([[requests[index] for index in batch] for batch in plan]):
        found |= dict(zip(plan[done.batch], done.replies, strict=True))
    return [found[index] for index in range(len(requests))]


def _vllm(folder: Path, texts: Sequence[str]) -> float | None:
    """Tokens a second of vLLM on the same prompts, or None where it is not installed."""
    if not VLLM_PYTHON.exists():
        return None
    work = {"model": str(folder), "texts": list(texts), "sampling": [TEMPERATURE, TOP_P, MAX_TOKENS]}
    script = Path(__file__).with_name("bench_vllm.py")
    command = [str(VLLM_PYTHON), str(script)]
    bounded = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "2"}  # GiB, on a processor
    done = subprocess.run(command, input=json.dumps(work), capture_output=True, text=True, check=False, env=bounded)
    marked = [line for line in done.stdout.splitlines() if line.startswith('{"tokens_per_s"')]
    if not marked:
        print(f"vLLM could not be measured:\n{done.stderr[-1000:]}", file=sys.stderr)
        return None
    return float(json.loads(marked[-1])["tokens_per_s"])


def _scoring(
    engine: Any, model: Any, tokenizer: Any, requests: Sequence[Any], answers: Sequence[str]
) -> dict[str, float]:
    """Seconds for one verdict on an answer: the mean of k=3 written judgements, or one expectation."""
    from srlm.config.preferences import JudgeConfig
    from srlm.judges.pointwise import configured_judge

    sampled = configured_judge(JudgeConfig(scoring="sampled"))
    expected = configured_judge(JudgeConfig(scoring="expected"))
    pairs = [(request.messages[0].content, answer) for request, answer in zip(requests, answers, strict=True)]

    def calls(judge: Any, some: Sequence[tuple[str, str]]) -> list[Any]:
        return [call for number, pair in enumerate(some) for call in judge.requests(*pair, number)]

    few = pairs[:: len(pairs) // SCORED_ALONE][:SCORED_ALONE]
    began = time.perf_counter()
    for call in calls(sampled, few):
        generate_padded(model, tokenizer, [engine._chat.text(call)], sampled.sampling.max_tokens)
    alone = (time.perf_counter() - began) / len(few)
    some = pairs[:: len(pairs) // SCORED_SAMPLED][:SCORED_SAMPLED]
    began = time.perf_counter()
    _run(engine, calls(sampled, some))
    batched = (time.perf_counter() - began) / len(some)
    began = time.perf_counter()
    _run(engine, calls(expected, pairs))
    return {
        "sampled_one_at_a_time": alone,
        "sampled": batched,
        "expected": (time.perf_counter() - began) / len(pairs),
    }


def _watch(model: Any) -> Traffic:
    """Count what every pass of a model computes and reads."""
    from srlm.engines.shared_prefix import attend  # noqa: F401  (the engine's attention is registered)

    config = model.config.get_text_config()
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = config.num_attention_heads
    cached = 2 * config.num_hidden_layers * config.num_key_value_heads * size * model.dtype.itemsize
    layer = config.hidden_size * size * (2 * heads + 2 * config.num_key_value_heads)
    layer += 3 * config.hidden_size * config.intermediate_size
    head = config.vocab_size * config.hidden_size
    traffic = Traffic()

    def before(_: Any, __: Any, arguments: dict[str, Any]) -> None:
        rows, queries = arguments["input_ids"].shape
        columns = arguments["attention_mask"].shape[-1]
        attention = 4 * config.num_hidden_layers * heads * size * queries * columns
        traffic.flops += 2 * rows * (queries * config.num_hidden_layers * layer + head) + rows * attention
        traffic.bytes += (config.num_hidden_layers * layer + head) * model.dtype.itemsize + rows * columns * cached
        traffic.steps += 1

    model.register_forward_pre_hook(before, with_kwargs=True)
    return traffic


def _ceilings(engine: Any, traffic: Traffic, seconds: float) -> dict[str, float]:
    """What the machine can multiply and move, measured here, and how much of it the generation used."""
    import torch

    device, dtype = engine._device, engine._dtype
    one = torch.randn(4096, 2048, device=device, dtype=dtype)
    two = torch.randn(2048, 4096, device=device, dtype=dtype)
    much = torch.empty(1 << 28, device=device, dtype=torch.uint8)

    def best(work: Any) -> float:
        def timed() -> float:
            began = time.perf_counter()
            work()
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            return time.perf_counter() - began

        return min(timed() for _ in range(8))

    flops = 2 * 4096 * 2048 * 4096 / best(lambda: one @ two)
    moved = 2 * much.numel() / best(much.clone)
    return {
        "gflops": flops / 1e9,
        "gb_per_s": moved / 1e9,
        "share_of_flops": traffic.flops / seconds / flops,
        "share_of_bytes": traffic.bytes / seconds / moved,
        "steps": traffic.steps,
    }


def card(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    speeds, ceilings, scoring = found["tokens_per_s"], found["ceilings"], found["seconds_per_verdict"]
    alone, ours = speeds["one_at_a_time"], speeds["srlm"]
    lines = [
        f"Generation on {found['device']}, {found['dtype']}: {INSTRUCTIONS} instructions x {ANSWERS} answers, "
        f"T {TEMPERATURE}, top-p {TOP_P}, at most {MAX_TOKENS} tokens",
        *(f"  {name:24} {speed:8.1f} tokens/s {speed / alone:6.1f} x one at a time" for name, speed in speeds.items()),
    ]
    others = [speed for name, speed in speeds.items() if name.startswith("transformers")]
    lines.append(f"  srlm over transformers at its best batch: {ours / max(others):.2f}")
    if "vllm" not in speeds:
        lines.append("  vLLM is not measured: it has an environment of its own, make .venv-vllm/.installed builds it")
    else:
        better = "vLLM is the better engine here" if speeds["vllm"] > ours else "srlm's engine is the faster one here"
        lines.append(f"  srlm over vLLM: {ours / speeds['vllm']:.2f}; {better}")
    lines += [
        f"  ceilings: {ceilings['gflops']:.0f} GFLOP/s of multiply-adds, of which srlm used "
        f"{ceilings['share_of_flops']:.0%}; {ceilings['gb_per_s']:.1f} GB/s of bytes moved, "
        f"{ceilings['share_of_bytes']:.0%}",
        f"Scoring, seconds a verdict (sampled: k=3 judgements; one at a time on {SCORED_ALONE} answers, sampled on "
        f"{SCORED_SAMPLED}, expected on {INSTRUCTIONS * ANSWERS})",
    ]
    first = scoring["sampled_one_at_a_time"]
    lines += [f"  {name:24} {value:8.3f} s {first / value:8.1f} x" for name, value in scoring.items()]
    whole = found["seconds_per_instruction"]
    lines.append(
        f"An iteration's generation and judging, seconds an instruction ({ANSWERS} answers, k=3 judgements of each; "
        f"from the speeds above, where one at a time is {ALONE} answers and {SCORED_ALONE} verdicts)"
    )
    first = whole["one_at_a_time"]
    return lines + [f"  {name:24} {value:8.3f} s {first / value:8.1f} x" for name, value in whole.items()]


if __name__ == "__main__":
    result = generation()
    print("\n".join(card(result)))
    print(json.dumps({"generation": result}))
