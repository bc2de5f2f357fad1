"""Prices: known ones from the installed list, unknown ones None, and no network access."""

import builtins
import socket
import subprocess
import sys
from importlib.metadata import version

import pytest

from srlm import prices
from srlm.prices import FREE, Price, price_of, prices_dated
from srlm.types import Completion

pytest.importorskip("genai_prices", reason="the extra api is not installed")


def test_an_answer_costs_what_was_read_and_what_was_written():
    answer = Completion("x", "stop", prompt_tokens=2_000_000, completion_tokens=500_000)
    assert Price(3.0, 15.0).of(answer) == pytest.approx(2 * 3.0 + 0.5 * 15.0)
    assert FREE.of(answer) == 0.0


@pytest.mark.parametrize(
    ("provider", "model", "price"),
    [
        ("openai", "gpt-4o-2024-08-06", Price(2.5, 10.0)),
        ("openai", "GPT-4o", Price(2.5, 10.0)),
        ("anthropic", "claude-opus-4-5", Price(5.0, 25.0)),
    ],
)
def test_a_model_of_the_list(provider, model, price):
    assert price_of(provider, model) == price


def test_where_long_prompts_cost_more_the_price_of_short_ones_counts():
    from genai_prices import Usage, calc_price

    def paid(tokens):
        return float(calc_price(Usage(input_tokens=tokens), "claude-sonnet-4-5", provider_id="anthropic").input_price)

    assert paid(1_000_000) > 1_000_000 * paid(1000) / 1000, "the list no longer has a ladder here: take another model"
    assert price_of("anthropic", "claude-sonnet-4-5").prompt == pytest.approx(1_000_000 * paid(1000) / 1000)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "no-such-model"),
        ("openai", ""),
        ("no-provider", "gpt-4o"),
        ("anthropic", "gpt-4o"),
        ("openai", "text-embedding-3-small"),  # it has a price for prompts only
    ],
)
def test_what_the_list_does_not_know_is_unknown(provider, model):
    assert price_of(provider, model) is None


def test_the_list_says_which_it_is():
    assert prices_dated() == f"genai-prices {version('genai-prices')}"


def test_without_the_list_every_price_is_unknown(monkeypatch):
    real = builtins.__import__

    def without(name, *others, **more):
        if name.partition(".")[0] == "genai_prices":
            raise ImportError(name)
        return real(name, *others, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(prices, "LIBRARY", "no-such-distribution")
    assert price_of("openai", "gpt-4o") is None
    assert prices_dated() is None


def test_no_connection_is_opened(monkeypatch):
    def refuse(*words, **more):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert price_of("openai", "gpt-4o") is not None
    assert price_of("openai", "not-yet-known") is None


def test_the_list_is_read_at_the_first_question_only():
    code = "import srlm.prices, sys; print('genai_prices' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "False"
