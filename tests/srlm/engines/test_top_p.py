"""Samples against the definition of the nucleus, computed in float64."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from scipy.stats import chisquare

from srlm.engines import top_p as nucleus
from srlm.engines.top_p import NOT_FINITE, draw

DRAWS = 40_000


def distribution(logits: torch.Tensor, temperature: float, top_p: float) -> dict[int, float]:
    """The most probable tokens until their mass reaches top_p, renormalised."""
    probabilities = (logits.double() / temperature).softmax(-1).tolist()
    kept: dict[int, float] = {}
    for token in sorted(range(len(probabilities)), key=lambda token: -probabilities[token]):
        if sum(kept.values()) >= top_p or not probabilities[token]:
            break
        kept[token] = probabilities[token]
    return {token: mass / sum(kept.values()) for token, mass in kept.items()}


def drawn(logits: torch.Tensor, temperature: float, top_p: float, draws: int = DRAWS) -> list[int]:
    """Many samples from one row of logits."""
    uniform = torch.rand(draws, generator=torch.Generator().manual_seed(2))
    ones = torch.ones(draws)
    return draw(logits.expand(draws, -1), ones * temperature, ones * top_p, uniform).numbers


def assert_follows(tokens: list[int], expected: dict[int, float]) -> None:
    assert set(tokens) <= set(expected)
    counts = Counter(tokens)
    observed = [counts[token] for token in expected]
    assert chisquare(observed, [len(tokens) * mass for mass in expected.values()]).pvalue > 0.001


def some(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 0.9), (1.3, 0.5), (3.0, 0.999), (1.0, 0.01)])
def test_draws_follow_the_nucleus_distribution(temperature: float, top_p: float) -> None:
    logits = some(1, 12)
    expected = distribution(logits[0], temperature, top_p)
    tokens = drawn(logits, temperature, top_p)
    if len(expected) == 1:
        assert set(tokens) == set(expected)
    else:
        assert_follows(tokens, expected)


def test_very_flat_logits_are_drawn_evenly() -> None:
    """A thousand equal tokens, so that the nucleus is far wider than the first part that is sorted."""
    assert_follows(drawn(torch.zeros(1, 1000), 1.0, 1.0, draws=20_000), dict.fromkeys(range(1000), 1 / 1000))
    tokens = drawn(some(1, 1000) * 1e-6, 1.0, 0.5)
    assert len(set(tokens)) == pytest.approx(500, abs=1)
    counts = torch.tensor(tokens).bincount(minlength=1000)
    assert chisquare(counts[counts > 0].tolist()).pvalue > 0.001


def test_impossible_tokens_are_never_drawn() -> None:
    logits = some(1, 3000)
    logits[:, ::2] = -float("inf")
    logits[:, 7:] = -float("inf")
    expected = distribution(logits[0], 1.0, 1.0)
    assert sorted(expected) == [1, 3, 5]
    for dtype in (torch.float32, torch.bfloat16):
        assert_follows(drawn(logits.to(dtype), 1.0, 1.0), distribution(logits[0].to(dtype), 1.0, 1.0))


def test_ties_in_bfloat16_share_their_mass() -> None:
    logits = (some(1, 200) / 2).bfloat16()
    assert len(logits.unique()) < 190
    assert_follows(drawn(logits, 1.0, 1.0), distribution(logits[0], 1.0, 1.0))


@pytest.mark.parametrize("vocabulary", [3, 64, 65, 1024, 1025, 50_000])
def test_the_whole_distribution_has_room_for_every_random_number(vocabulary: int) -> None:
    """With top_p = 1, sums of float32 end slightly below or above 1: the largest random numbers still find a token."""
    uniform = torch.tensor([0.0, 0.25, 0.5, 1 - 2**-12, 1 - 2**-23, 1 - 2**-24])
    ones = torch.ones(len(uniform))
    for seed in range(3):
        logits = some(1, vocabulary, seed=seed) * 3
        tokens = draw(logits.expand(len(uniform), -1), ones, ones, uniform).tokens
        order = logits[0].double().softmax(-1).sort(descending=True)
        ranks = torch.tensor([order.indices.tolist().index(token) for token in tokens.tolist()])
        before = torch.cat([torch.zeros(1), order.values.cumsum(-1).float()])
        assert bool((before[ranks] <= uniform + 1e-4).all())
        assert bool((before[ranks + 1] >= uniform - 1e-4).all())
        assert tokens[0] == logits.argmax()


@pytest.mark.parametrize("widths", [(), (1,), (8,), (3, 150), (200, 500)])
@pytest.mark.parametrize("top_p", [0.3, 0.95, 1.0])
def test_how_many_are_looked_at_first_changes_no_draw(
    monkeypatch: pytest.MonkeyPatch, widths: tuple[int, ...], top_p: float
) -> None:
    logits = torch.cat([some(64, 200), some(64, 200) * 8, some(64, 200) / 50])
    ones, uniform = torch.ones(192), torch.rand(192, generator=torch.Generator().manual_seed(6))
    monkeypatch.setattr(nucleus, "WIDTHS", (200,))
    whole = draw(logits, ones, ones * top_p, uniform).numbers
    monkeypatch.setattr(nucleus, "WIDTHS", widths)
    assert draw(logits, ones, ones * top_p, uniform).numbers == whole


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 80), dtype=st.sampled_from([torch.float32, torch.bfloat16]))
def test_a_draw_does_not_depend_on_the_other_rows(seed: int, rows: int, dtype: torch.dtype) -> None:
    """Greedy and sampled rows mixed, with ties among the most probable tokens."""
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(rows, 150, generator=generator) * 3).to(dtype)
    logits[:, torch.randperm(150, generator=generator)[:5]] = logits.amax() + 1
    temperature = torch.tensor([0.0, 0.7, 1.5])[torch.randint(3, (rows,), generator=generator)]
    top_p = torch.tensor([0.2, 0.9, 1.0])[torch.randint(3, (rows,), generator=generator)]
    uniform = torch.rand(rows, generator=generator)
    together, numbers = draw(logits, temperature, top_p, uniform)
    assert together.tolist() == numbers
    parts = [logits.split(1), temperature.split(1), top_p.split(1), uniform.split(1)]
    assert together.tolist() == [draw(*part).numbers[0] for part in zip(*parts, strict=True)]
    greedy = temperature == 0
    assert together[greedy].tolist() == logits[greedy].argmax(-1).tolist()


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("size", [40, 3000])
def test_logits_that_are_no_numbers_give_a_token_that_shows_it(temperature: float, value: float, size: int) -> None:
    logits = torch.zeros(3, size)
    logits[1, 30] = value
    ones = torch.ones(3)
    tokens, numbers = draw(logits, ones * temperature, ones * 0.9, ones * 0.5)
    picked = logits.gather(-1, tokens[:, None])[:, 0]
    assert picked.isfinite().tolist() == [True, False, True]
    assert [number == NOT_FINITE for number in numbers] == [False, True, False]


def test_a_row_without_any_possible_token_shows_it_too() -> None:
    logits = torch.full((1, 50), -torch.inf)
    for temperature in (0.0, 1.0):
        token, numbers = draw(logits, torch.full((1,), temperature), torch.ones(1), torch.zeros(1))
        assert not logits[0, token[0]].isfinite()
        assert numbers == [NOT_FINITE]
