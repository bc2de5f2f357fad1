"""The decode loop against transformers' own, and its sampling against the distribution that it must have."""

import pytest

torch = pytest.importorskip("torch")
from transformers import LlamaConfig, LlamaForCausalLM

from srlm.engines import decoding

VOCABULARY, EOS, PAD = 40, 1, 0


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.4,
        eos_token_id=EOS,
        pad_token_id=PAD,
    )
    return LlamaForCausalLM(config).eval()


def row(prompt: int, *, temperature: float = 0.0, top_p: float = 1.0, limit: int = 20, seed: int = 0) -> decoding.Row:
    uniforms = torch.rand(limit, generator=torch.Generator().manual_seed(seed))
    return decoding.Row(prompt, temperature, top_p, limit, uniforms, stopped=lambda tokens: False)


def run(model: LlamaForCausalLM, prompts: list[list[int]], rows: list[decoding.Row]) -> list[decoding.Row]:
    with torch.inference_mode():
        decoding.generate(model, prompts, rows, eos=frozenset({EOS}), pad=PAD, ended=lambda: None)
    return rows


PROMPTS = [[5, 6, 7, 8], [5, 6, 9], [5, 6, 30, 31, 32, 33, 34], [5, 6, 7, 8, 2, 3]]


def test_greedy_equals_transformers_generate(model: LlamaForCausalLM) -> None:
    ours = run(model, PROMPTS, [row(index) for index in range(len(PROMPTS))])
    for prompt, one in zip(PROMPTS, ours, strict=True):
        output = model.generate(
            torch.tensor([prompt]), do_sample=False, max_new_tokens=20, attention_mask=torch.ones(1, len(prompt))
        )
        theirs = output[0, len(prompt) :].tolist()
        theirs = theirs[: theirs.index(EOS)] if EOS in theirs else theirs
        assert one.tokens == theirs
        assert one.finish == ("stop" if len(theirs) < 20 else "length")


def test_an_answer_does_not_depend_on_who_shares_its_batch(model: LlamaForCausalLM) -> None:
    together = run(
        model, PROMPTS, [row(index, temperature=0.9, top_p=0.9, seed=index) for index in range(len(PROMPTS))]
    )
    for index, prompt in enumerate(PROMPTS):
        (alone,) = run(model, [prompt], [row(0, temperature=0.9, top_p=0.9, seed=index)])
        assert alone.tokens == together[index].tokens


def test_samples_of_one_prompt_share_its_prefill_and_differ(model: LlamaForCausalLM) -> None:
    rows = run(model, [PROMPTS[0]], [row(0, temperature=1.0, seed=seed) for seed in range(8)])
    assert len({tuple(one.tokens) for one in rows}) > 1
    again = run(model, [PROMPTS[0]], [row(0, temperature=1.0, seed=seed) for seed in range(8)])
    assert [one.tokens for one in rows] == [one.tokens for one in again]


def test_a_row_stops_by_its_own_rule(model: LlamaForCausalLM) -> None:
    stopping = row(0, temperature=1.0, seed=3)
    stopping.stopped = lambda tokens: len(tokens) == 2
    stopped, free = run(model, [PROMPTS[0]], [stopping, row(0, temperature=1.0, seed=3)])
    assert stopped.tokens == free.tokens[:2]
    assert stopped.finish == "stop"


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (1.3, 0.5)])
def test_draws_follow_the_nucleus_distribution(temperature: float, top_p: float) -> None:
    """Frequencies of 40,000 draws against the probabilities computed the slow way; chi-square over the nucleus."""
    from scipy.stats import chisquare

    logits = torch.randn(1, 12, generator=torch.Generator().manual_seed(1))
    probabilities = (logits[0] / temperature).softmax(-1).tolist()
    nucleus: list[int] = []
    for token in sorted(range(12), key=lambda token: -probabilities[token]):
        if sum(probabilities[kept] for kept in nucleus) >= top_p - 1e-9:
            break
        nucleus.append(token)
    draws = 40_000
    uniform = torch.rand(draws, generator=torch.Generator().manual_seed(2))
    full = torch.full((draws,), 1.0)
    tokens = decoding.draw(logits.expand(draws, -1), full * temperature, full * top_p, uniform).tolist()
    assert set(tokens) <= set(nucleus)
    mass = sum(probabilities[token] for token in nucleus)
    expected = [draws * probabilities[token] / mass for token in nucleus]
    assert chisquare([tokens.count(token) for token in nucleus], expected).pvalue > 0.001


def test_a_nucleus_wider_than_the_sorted_part_is_still_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(64, 200, generator=torch.Generator().manual_seed(5))
    ones = torch.ones(64)
    uniform = torch.rand(64, generator=torch.Generator().manual_seed(6))
    whole = decoding.draw(logits, ones, ones * 0.95, uniform)
    monkeypatch.setattr(decoding, "NUCLEUS", 8)
    assert decoding.draw(logits, ones, ones * 0.95, uniform).tolist() == whole.tolist()


def test_common_prefix_leaves_every_prompt_a_token() -> None:
    assert decoding.common_prefix([[1, 2, 3], [1, 2, 4]]) == 2
    assert decoding.common_prefix([[1, 2], [1, 2]]) == 1
    assert decoding.common_prefix([[1], [2]]) == 0
