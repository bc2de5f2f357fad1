"""The generation loop: greedy like transformers, sampled like the distribution, nothing read or computed twice."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from scipy.stats import chisquare

from helpers.tiny_models import EOS, VOCABULARY, Watch, greedy, load, reference, row, run, save
from srlm.engines import decoding

RANDOM = torch.Generator().manual_seed(7)
LENGTHS = (1, 40, 3, 17, 2, 9, 60, 5, 1, 28)
APART = [
    [3 + index, *torch.randint(3, VOCABULARY, (length,), generator=RANDOM).tolist()]
    for index, length in enumerate(LENGTHS)
]
SHARED = [list(range(12, 32)) + prompt for prompt in APART]
LIMITS = (20, 3, 12, 1, 30, 20, 7, 2, 16, 25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("llama"), "llama")


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load(folder)


@pytest.fixture(scope="module", params=["shared", "apart"])
def asked(request: pytest.FixtureRequest, folder: Path) -> tuple[list[list[int]], int, list[list[int]]]:
    """Prompts, an eos that ends some answers early, and transformers' answers."""
    theirs, prompts = reference(folder), SHARED if request.param == "shared" else APART
    eos = max((greedy(theirs, prompt, 8) for prompt in prompts), key=len)[5]
    return prompts, eos, [greedy(theirs, *one, eos=eos) for one in zip(prompts, LIMITS, strict=True)]


# --- greedy -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 2, 3, 8, 10, 64])
def test_greedy_equals_transformers_generate(
    model: Any, asked: tuple[list[list[int]], int, list[list[int]]], at_once: int
) -> None:
    prompts, eos, answers = asked
    rows = run(model, prompts, [row(index, limit=limit) for index, limit in enumerate(LIMITS)], at_once, eos=eos)
    assert [one.tokens for one in rows] == answers
    for one, theirs, limit in zip(rows, answers, LIMITS, strict=True):
        assert one.finish == ("stop" if len(theirs) < limit else "length")
    assert {one.finish for one in rows} == {"stop", "length"}


@pytest.mark.parametrize("prompt", [[5], APART[0], SHARED[6]])
def test_a_single_row_in_many_slots(model: Any, folder: Path, prompt: list[int]) -> None:
    (alone,) = run(model, [prompt], [row(0)], at_once=50)
    assert alone.tokens == greedy(reference(folder), prompt, 20)


def test_a_row_may_end_with_its_first_token(model: Any, folder: Path) -> None:
    """The eos is the first token of one prompt's answer: its rows end before their first step."""
    eos = greedy(reference(folder), APART[4], 1)[0]
    rows = run(model, APART, [row(index) for index in range(len(APART))], at_once=2, eos=eos)
    assert (rows[4].tokens, rows[4].finish) == ([], "stop")
    assert all(eos not in one.tokens for one in rows)
    assert any(len(one.tokens) == 20 for one in rows)
    again = run(model, APART[4:5], [row(0) for _ in range(5)], at_once=2, eos=eos)
    assert [(one.tokens, one.finish) for one in again] == [([], "stop")] * 5


def test_ended_is_called_once_a_row_when_it_ends(model: Any) -> None:
    rows = [row(index % 10, temperature=1.0, limit=1 + index % 7, seed=index) for index in range(25)]
    finished: list[int] = []
    run(model, APART, rows, at_once=4, ended=lambda: finished.append(sum(bool(one.finish) for one in rows)))
    assert len(finished) == 25
    assert all(done >= count for count, done in enumerate(finished, start=1))
    assert finished[0] < 25


def test_a_row_stops_by_its_own_rule(model: Any) -> None:
    rows = [row(0, temperature=1.0, seed=seed) for seed in (3, 3, 4, 4)]
    rows[0].stopped = lambda tokens: len(tokens) == 2
    rows[2].stopped = lambda tokens: len(tokens) >= 1 and tokens[-1] != EOS
    run(model, [APART[0]], rows, at_once=3)
    assert (rows[0].tokens, rows[0].finish) == (rows[1].tokens[:2], "stop")
    assert (rows[2].tokens, rows[2].finish) == (rows[3].tokens[:1], "stop")
    assert min(len(rows[1].tokens), len(rows[3].tokens)) > 2


# --- sampled ----------------------------------------------------------------------------------------------------------


def sampled(index: int, prompt: int) -> decoding.Row:
    """The same row for each index; every third is greedy."""
    temperature = (0.0, 0.9, 1.4)[index % 3]
    return row(prompt, temperature=temperature, top_p=(1.0, 0.9)[index % 2], limit=4 + index, seed=index)


@pytest.fixture(scope="module")
def alone(model: Any) -> list[tuple[list[int], str]]:
    """Answers to two samples of each prompt, each in a batch of its own."""
    rows = [run(model, [SHARED[index % 10]], [sampled(index, 0)])[0] for index in range(20)]
    return [(one.tokens, one.finish) for one in rows]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(20)),
    count=st.integers(1, 20),
    at_once=st.integers(1, 24),
    extra=st.booleans(),
)
def test_an_answer_does_not_depend_on_who_shares_its_batch(
    model: Any, alone: list[tuple[list[int], str]], order: list[int], count: int, at_once: int, extra: bool
) -> None:
    """`extra` adds a prompt that shares no prefix with the others, so that there is no common prefix."""
    chosen = order[:count]
    rows = [sampled(index, index % 10) for index in chosen]
    if extra:
        run(model, [*SHARED, [30, 31, 32]], [*rows, row(10, limit=9)], at_once)
    else:
        run(model, SHARED, rows, at_once)
    assert [(one.tokens, one.finish) for one in rows] == [alone[index] for index in chosen]


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (2.0, 0.9), (4.0, 0.6)])
def test_first_and_second_tokens_follow_the_models_distribution(
    model: Any, folder: Path, temperature: float, top_p: float
) -> None:
    """6,000 seeds of one prompt against transformers' logits; then those that begin with the most probable token."""
    prompt, theirs = SHARED[2], reference(folder)
    rows = [row(0, temperature=temperature, top_p=top_p, limit=2, seed=seed) for seed in range(6000)]
    run(model, [prompt], rows, at_once=512)
    drawn = [[*one.tokens, EOS][:2] for one in rows]
    first = [tokens[0] for tokens in drawn]
    likeliest = max((token for token in set(first) if token != EOS), key=first.count)
    second = [tokens[1] for tokens in drawn if tokens[0] == likeliest]
    for context, tokens in ((prompt, first), ([*prompt, likeliest], second)):
        with torch.inference_mode():
            logits = theirs(torch.tensor([context])).logits[0, -1]
        assert follows(tokens, (logits / temperature).softmax(-1).tolist(), top_p)


def follows(tokens: list[int], probabilities: list[float], top_p: float) -> bool:
    """Chi-square test over the nucleus, rare tokens pooled."""
    kept: dict[int, float] = {}
    for token in sorted(range(len(probabilities)), key=lambda token: -probabilities[token]):
        if sum(kept.values()) < top_p:
            kept[token] = probabilities[token]
    assert set(tokens) <= set(kept)
    expected = {token: len(tokens) * mass / sum(kept.values()) for token, mass in kept.items()}
    common = [token for token in kept if expected[token] >= 5]
    observed = [float(tokens.count(token)) for token in common]
    wanted = [expected[token] for token in common]
    rare = sum(expected.values()) - sum(wanted)
    if rare >= 1:
        observed.append(len(tokens) - sum(observed))
        wanted.append(rare)
    else:
        wanted = [value * sum(observed) / sum(wanted) for value in wanted]
    assert len(wanted) > 1
    return bool(chisquare(observed, wanted).pvalue > 0.001)


# --- work -------------------------------------------------------------------------------------------------------------


def test_samples_of_one_prompt_read_it_once_and_differ(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = APART[6]
    watch = Watch(model, monkeypatch)
    rows = run(model, [prompt], [row(0, temperature=1.0, limit=6, seed=seed) for seed in range(8)])
    # All but the last token are the shared beginning; the last is read once for all eight.
    assert watch.passes[:2] == [(1, len(prompt) - 1), (1, 1)]
    assert watch.read == [(1, len(prompt) - 1)]
    assert len({tuple(one.tokens) for one in rows}) > 1


def test_samples_of_several_prompts_read_each_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [[5, *prompt] for prompt in APART[:3]]
    watch = Watch(model, monkeypatch)
    run(model, prompts, [row(index // 4, temperature=1.0, limit=6, seed=index) for index in range(12)], at_once=12)
    assert watch.read == [(3, 1 + max(LENGTHS[:3]))]
    assert watch.passes[0] == (1, 1)


def test_what_all_prompts_begin_with_is_read_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(model, monkeypatch)
    run(model, SHARED, [row(index, temperature=1.0, limit=12, seed=index) for index in range(10)], at_once=3)
    assert watch.passes[0] == (1, 20)
    read = watch.read[1:]
    assert sum(rows for rows, _ in read) <= 10
    assert max(tokens for _, tokens in read) == 1 + max(LENGTHS)


@pytest.mark.parametrize("at_once", [1, 4, 16, 64])
def test_ended_rows_are_not_computed_along(model: Any, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """At most a fifth of the rows of a step have ended: then they are refilled or dropped."""
    watch = Watch(model, monkeypatch)
    rows = [row(seed % 2, temperature=1.5, limit=60, seed=seed) for seed in range(60)]
    run(model, [[9, 5, 6], [10, 5]], rows, at_once)
    # The first token comes from reading the prompt, and an eos is a token that takes a step too.
    needed = sum(len(one.tokens) - (one.finish == "length") for one in rows)
    lengths = sorted(len(one.tokens) for one in rows)
    assert lengths[-1] > 3 * lengths[len(lengths) // 4]
    assert needed <= watch.stepped <= needed / decoding.COMPACT_SHARE
