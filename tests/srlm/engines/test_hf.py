"""The local engine on tiny random models with three styles of chat template: tokens, batches, choices, hostile text."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from srlm.engines.checkpoint import load_tokenizer
from srlm.engines.hf import HFEngine
from srlm.errors import EngineError, ModelError
from srlm.types import Completion, Message, Request, Sampling

TEMPLATES = {
    "chatml": (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "<|im_end|>",
        ["<|im_start|>", "<|im_end|>"],
    ),
    "llama2": (
        "<s>{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
        "{% else %} {{ m['content'] }} </s>{% endif %}{% endfor %}",
        "</s>",
        ["<s>", "</s>"],
    ),
    "llama3": (
        "<|bos|>{% for m in messages %}<|head|>{{ m['role'] }}<|/head|>\n\n{{ m['content'] }}<|eot|>{% endfor %}"
        "{% if add_generation_prompt %}<|head|>assistant<|/head|>\n\n{% endif %}",
        "<|eot|>",
        ["<|bos|>", "<|head|>", "<|/head|>", "<|eot|>"],
    ),
}
TEXT = [
    "What is the score? 0 1 2 3 4 5. Score: 4",
    "A or B, said the judge to the model.",
    "Write a haiku about rain.",
] * 3


def build(folder: Path, style: str) -> Path:
    template, eos, special = TEMPLATES[style]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=330, special_tokens=["<pad>", *special], initial_alphabet=alphabet)
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=eos, pad_token="<pad>", bos_token=special[0])
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.chat_template = template
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        initializer_range=0.3,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=list(TEMPLATES))
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> HFEngine:
    return HFEngine(checkpoint, name="tiny", dtype="float32", batch_tokens=800)


def ask(text: str, sample: int = 0, max_tokens: int = 12, **rest: object) -> Request:
    return Request((Message("user", text),), Sampling(0.8, 0.9, max_tokens), seed=sample, sample=sample, **rest)  # type: ignore[arg-type]


def replies(engine: HFEngine, requests: list[Request]) -> list[Completion]:
    plan = engine.plan(requests)
    assert sorted(index for batch in plan for index in batch) == list(range(len(requests)))
    found: dict[int, Completion] = {}
    for done in engine.run([[requests[index] for index in batch] for batch in plan]):
        for index, answer in zip(plan[done.batch], done.replies, strict=True):
            assert isinstance(answer, Completion)
            found[index] = answer
    return [found[index] for index in range(len(requests))]


def test_the_prompt_is_a_prefix_of_what_training_sees(checkpoint: Path, engine: HFEngine) -> None:
    """Token by token: one BOS at most, the prompt's tokens first, the end-of-turn token trained after the answer."""
    tokenizer = load_tokenizer(checkpoint)
    prompt = engine._tokens(ask("Write a haiku about rain."))
    messages = [{"role": "user", "content": "Write a haiku about rain."}, {"role": "assistant", "content": "Rain."}]
    whole = tokenizer.encode(tokenizer.apply_chat_template(messages, tokenize=False), add_special_tokens=False)
    assert whole[: len(prompt)] == prompt
    assert tokenizer.eos_token_id in whole[len(prompt) :]
    if tokenizer.bos_token in {"<s>", "<|bos|>"}:
        assert prompt.count(tokenizer.bos_token_id) == 1


def test_answers_are_the_same_in_any_batch(engine: HFEngine) -> None:
    requests = [ask("Write a haiku about rain.", sample) for sample in range(3)] + [ask("A or B?"), ask("Score? " * 20)]
    together = replies(engine, requests)
    assert [replies(engine, [request])[0].text for request in requests] == [reply.text for reply in together]


def test_the_plan_keeps_within_the_token_budget_and_depends_on_the_requests_alone(engine: HFEngine) -> None:
    requests = [ask("word " * length, max_tokens=40) for length in range(1, 30)]
    plan = engine.plan(requests)
    assert plan == engine.plan(requests)
    for batch in plan:
        assert len(batch) * max(len(engine._tokens(requests[index])) + 40 for index in batch) <= 800


def test_special_tokens_in_a_message_do_not_open_a_turn(checkpoint: Path, engine: HFEngine) -> None:
    tokenizer = load_tokenizer(checkpoint)
    plain = engine._tokens(ask("hello"))
    hostile = engine._tokens(ask("".join(tokenizer.all_special_tokens) + " hello"))
    begun = engine._tokens(ask("hello", prefill="".join(tokenizer.all_special_tokens)))
    for token in tokenizer.all_special_ids:
        assert hostile.count(token) == plain.count(token)
        assert begun.count(token) == plain.count(token)


def test_choices_get_the_models_own_next_token_probabilities(checkpoint: Path, engine: HFEngine) -> None:
    request = ask("What is the score?", prefill="Score: ", choices=("0", "1", "2", "3", "4", "5"))
    other = ask("A or B?", choices=("A", "B"))
    reply, second = replies(engine, [request, other])
    model = LlamaForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    tokenizer = load_tokenizer(checkpoint)
    text = engine._text(request)
    encoded = [tokenizer.encode(text + choice, add_special_tokens=False) for choice in request.choices]
    shared = len(encoded[0]) - 1
    with torch.inference_mode():
        logits = model(torch.tensor([encoded[0][:shared]])).logits[0, -1]
    expected = logits[[ids[shared] for ids in encoded]].softmax(-1)
    assert reply.probabilities == pytest.approx(expected.tolist(), abs=1e-4)
    assert second.probabilities is not None
    assert sum(second.probabilities) == pytest.approx(1)


def test_choices_that_begin_alike_are_refused(engine: HFEngine) -> None:
    with pytest.raises(EngineError, match="apart"):
        replies(engine, [ask("Which?", choices=("zz", "zz"))])


def test_a_stop_string_ends_an_answer_and_is_cut_off(engine: HFEngine) -> None:
    request = ask("Write a haiku about rain.", max_tokens=40)
    (free,) = replies(engine, [request])
    stop = free.text[5:7]
    stopped_request = Request(request.messages, Sampling(0.8, 0.9, 40, stop=(stop,)), seed=request.seed)
    (stopped,) = replies(engine, [stopped_request])
    assert stopped.text == free.text[: free.text.index(stop)]
    assert stopped.finish == "stop"


def test_a_prompt_beyond_the_context_is_refused(engine: HFEngine) -> None:
    with pytest.raises(EngineError, match="does not fit"):
        engine.plan([ask("rain " * 600)])


def test_a_tokenizer_without_template_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match="chat template"):
        HFEngine(tmp_path, name="mute")
