"""A real vLLM server with the packaged model in float32, asked through all three protocols and by the command line."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

pytest.importorskip("vllm")

from evals.labels.annotate import STAGE
from helpers.vllm_serving import served
from srlm.engines.engine import Engine
from srlm.engines.hf import HFEngine
from srlm.engines.open import open_engine
from srlm.errors import EngineError
from srlm.seed_data import evaluation_set
from srlm.types import Completion, Message, Request, Sampling

pytestmark = pytest.mark.vllm
Ask = Callable[[Engine, Sequence[Request]], list[Completion]]

SHORT = 8
DIGITS = tuple("012345")
NAME = "smol"


@pytest.fixture(scope="module")
def address(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server listens; it is up when a test gets this."""
    with served(small_model, NAME, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


@pytest.fixture
def server(address: str) -> Engine:
    return open_engine(f"vllm:{NAME}@{address}/v1")


def ask(text: str, sampling: Sampling, **rest: object) -> Request:
    return Request((Message("user", text),), sampling, **rest)  # type: ignore[arg-type]


def instructions(count: int) -> list[str]:
    return [prompt.instruction for prompt in evaluation_set()[:count]]


def greedy(max_tokens: int, stop: tuple[str, ...] = ()) -> Sampling:
    return Sampling(0.0, 1.0, max_tokens, stop)


def test_all_protocols_give_the_answers_of_transformers(
    address: str, transformers_engine: HFEngine, replies: Ask
) -> None:
    requests = [ask(text, greedy(SHORT)) for text in instructions(6)]
    expected = replies(transformers_engine, requests)
    for spec in (f"vllm:{NAME}@{address}/v1", f"openai:{NAME}@{address}/v1", f"anthropic:{NAME}@{address}"):
        found = replies(open_engine(spec), requests)
        assert [reply.text for reply in found] == [reply.text for reply in expected], spec
        assert [reply.prompt_tokens for reply in found] == [reply.prompt_tokens for reply in expected], spec
        assert [reply.finish for reply in found] == [reply.finish for reply in expected], spec
        assert all(0 < reply.completion_tokens <= SHORT for reply in found), spec


def test_choices_have_the_probabilities_that_transformers_gives(
    server: Engine, transformers_engine: HFEngine, replies: Ask
) -> None:
    requests = [ask(text, greedy(1), prefill="Score: ", choices=DIGITS) for text in instructions(6)]
    requests += [ask(text, greedy(1), choices=("A", "B")) for text in instructions(6)]
    for one, other in zip(replies(server, requests), replies(transformers_engine, requests), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-3)
        assert (one.text, one.prompt_tokens) == (other.text, other.prompt_tokens)


def test_choices_through_the_plain_protocol_are_read_off_the_likeliest_tokens(
    address: str, transformers_engine: HFEngine, replies: Ask
) -> None:
    request = ask("Which letter comes first in the alphabet? Answer A or B, only the letter.", greedy(1))
    request = Request(request.messages, choices=("A", "B"))
    (plain,) = replies(open_engine(f"openai:{NAME}@{address}/v1"), [request])
    (exact,) = replies(transformers_engine, [request])
    assert plain.probabilities is not None and exact.probabilities is not None
    assert sum(plain.probabilities) == pytest.approx(1)
    # " A" counts as "A" there, so the two agree in which is likelier, not in the figures.
    assert (plain.probabilities[0] > 0.5) == (exact.probabilities[0] > 0.5)


def test_an_answer_goes_on_from_its_beginning(server: Engine, transformers_engine: HFEngine, replies: Ask) -> None:
    request = ask("Which animals live in the sea?", greedy(SHORT), prefill="1. Whales\n2.")
    one, other = replies(server, [request])[0], replies(transformers_engine, [request])[0]
    assert (one.text, one.prompt_tokens) == (other.text, other.prompt_tokens)


def test_a_seed_gives_the_same_text_again_and_another_gives_another(server: Engine, replies: Ask) -> None:
    sampling = Sampling(1.0, 0.95, 16)
    for prefill in ("", "Once upon"):
        requests = [ask("Write a story.", sampling, seed=seed, sample=seed, prefill=prefill) for seed in range(3)]
        texts = [reply.text for reply in replies(server, requests)]
        assert len(set(texts)) == 3
        assert [reply.text for reply in replies(server, requests)] == texts


def test_an_answer_ends_at_a_stop_string_or_at_max_tokens(server: Engine, replies: Ask) -> None:
    question = "Tell me everything about whales."
    for prefill in ("", "Whales are"):
        (free,) = replies(server, [ask(question, greedy(12), prefill=prefill)])
        assert (free.finish, free.completion_tokens) == ("length", 12)
        stop = free.text[9:12]
        (stopped,) = replies(server, [ask(question, greedy(12, stop=(stop,)), prefill=prefill)])
        assert (stopped.text, stopped.finish) == (free.text[: free.text.index(stop)], "stop")


def test_a_name_that_the_server_does_not_know_is_said(address: str) -> None:
    engine = open_engine(f"vllm:other@{address}/v1")
    with pytest.raises(EngineError, match="has no model 'other'"):
        list(engine.run([[ask("Hello", greedy(1))]]))


@pytest.mark.parametrize(
    "kind", ["vllm", *(pytest.param(name, marks=pytest.mark.slow) for name in ("openai", "anthropic"))]
)
def test_the_command_line_evaluates_with_the_server_as_judge(kind: str, address: str, cli, own_run) -> None:
    spec = f"{kind}:{NAME}@{address}{'' if kind == 'anthropic' else '/v1'}"
    result = cli("eval", "M1", "--judge", spec, "--limit", 3, *own_run.at)
    assert result.code == 0, result.err
    judged = [call for call in own_run.calls("evals/alpaca") if call[2] == f"{kind}:{NAME}"]
    assert len(judged) == 6
    assert all(record["reading"]["kind"] == "scored" for record in verdicts(own_run)) or kind == "anthropic"


def verdicts(run) -> list[dict]:
    (found,) = run.folder.glob("evals/**/*verdicts*.jsonl")
    return run.records(str(found.relative_to(run.folder)).removesuffix(".jsonl"))


@pytest.fixture(scope="module")
def served_run(finished_run, tmp_path_factory: pytest.TempPathFactory):
    """One run for all suites, so that the judge's card is measured once."""
    return finished_run.copy(tmp_path_factory.mktemp("served") / "r")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suite", "models", "stages", "key", "more"),
    [
        ("head-to-head", 2, {"evals/card", "evals/head-to-head"}, "head_to_head_elo", ("--max-tokens", 8)),
        ("mt-bench", 1, {"evals/mt-bench"}, "mt_bench", ("--max-tokens", 8)),
        ("reward", 2, {"evals/reward"}, "rm_pairwise_half", ("--scoring", "expected")),
        ("verifiable", 2, {"evals/verifiable"}, "prompt_strict", ("--data", "countdown", "--max-tokens", 8)),
    ],
)
def test_each_suite_asks_the_server_once(
    suite: str, models: int, stages: set[str], key: str, more: tuple[str, ...], address: str, cli, served_run
) -> None:
    """It is a model, and where the suite has one the judge. (What lm-eval asks a server cannot answer.)"""
    spec = f"vllm:{NAME}@{address}/v1"
    names = ("M1", spec)[:models]
    options = ("--suite", suite, "--judge", spec, "--limit", 2, "--timeout", 600, *more, *served_run.at)
    asked = set(served_run.calls("evals/%"))
    result = cli("eval", *names, *options)
    assert result.code == 0, result.err
    after = served_run.calls("evals/%")
    assert {stage for _, stage, model, *_ in set(after) - asked if model == f"vllm:{NAME}"} == stages
    compared = cli("compare", *names, "--format", "json", *served_run.at)
    assert compared.code == 0, compared.err
    assert key in {metric["key"] for metric in json.loads(compared.out)["metrics"]}
    assert cli("eval", *names, *options).code == 0
    assert served_run.calls("evals/%") == after
    if suite == "head-to-head":  # whose prompts the server can also label
        labelled = cli("label", "--judge", spec, "--overwrite", *served_run.at)
        assert labelled.code == 0, labelled.err
        assert {model for _, _, model, *_ in served_run.calls(STAGE)} == {f"vllm:{NAME}"}
