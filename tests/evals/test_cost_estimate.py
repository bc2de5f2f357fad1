"""What a command would ask, counted without asking: what is in the ledger is left out, the rest is made up."""

from evals.cost_estimate import PendingCalls, dry_run, estimate
from evals.model import EvalModel, load
from srlm.console import Progress
from srlm.engines.engine import BatchResult
from srlm.inference import Caller
from srlm.prices import FREE, Price
from srlm.types import Completion, Message, Request, Sampling


class Model:
    """Answers, and counts how often it does."""

    def __init__(self, name="openai:m", price=None):
        self.name, self.identity, self.price, self.asked, self.closed = name, f"{name}@here", price, 0, 0

    def plan(self, requests):
        return [[index] for index in range(len(requests))]

    def run(self, batches, on_progress=None):
        for number, _ in enumerate(batches):
            self.asked += 1
            yield BatchResult(number, [Completion("real", "stop", 1, 1)], 0.0)

    def close(self):
        self.closed += 1


def request(text, tokens=8, choices=()):
    return Request((Message("user", text),), Sampling(0.7, 0.9, tokens), choices=choices)


def put(engine, requests, ledger):
    return [reply.text for _, reply in Caller(engine, ledger, "s", Progress(quiet=True)).ask(requests, "l")]


def count_calls(model, requests, ledger):
    with dry_run(ledger) as counting, load(counting.wrap(EvalModel("m", lambda: model))) as engine:
        return put(engine, requests, counting.run.ledger), list(counting.pending.values())


def test_nobody_is_asked_and_nothing_is_kept(ledger):
    model = Model(price=Price(1.0, 2.0))
    answers, (expected,) = count_calls(model, [request("x" * 400), request("y")], ledger)
    assert (model.asked, model.closed, ledger.count()) == (0, 1, 0)
    assert [len(answer) for answer in answers] == [32, 32]
    assert (expected.calls, expected.completion_tokens) == (2, 16)
    assert 100 <= expected.likely < 401 <= expected.most


def test_what_the_ledger_holds_is_not_counted_and_said_as_it_was(ledger):
    model = Model()
    put(model, [request("a")], ledger)
    answers, (expected,) = count_calls(model, [request("a"), request("b")], ledger)
    assert answers[0] == "real"
    assert (expected.calls, model.asked) == (1, 1)


def test_the_same_call_twice_is_one(ledger):
    _, (expected,) = count_calls(Model(), [request("a"), request("a")], ledger)
    assert expected.calls == 1


def test_a_choice_is_one_token_and_even(ledger):
    with dry_run(ledger) as counting:
        engine = counting.wrap(EvalModel("m", Model)).open()
        (done,) = engine.run([[request("a", choices=("A", "B"))]])
        (expected,) = counting.pending.values()
    assert done.replies[0].probabilities == (0.5, 0.5)
    assert expected.completion_tokens == 1


def test_two_openings_of_one_model_are_one_line(ledger):
    with dry_run(ledger) as counting:
        for text in ("a", "b"):
            with load(counting.wrap(EvalModel("m", Model))) as engine:
                put(engine, [request(text)], counting.run.ledger)
        folder = counting.run.folder
        assert [one.calls for one in counting.pending.values()] == [2]
        assert folder.exists()
    assert not folder.exists()


def test_an_estimate_in_words():
    cheap = PendingCalls("openai:a", Price(1.0, 2.0), 3, likely=1_000_000, most=4_000_000, completion_tokens=500_000)
    dear = PendingCalls("openai:b", Price(10.0, 0.0), 1, likely=100_000, most=200_000, completion_tokens=1)
    local, unknown, done = (
        PendingCalls("M1", FREE, 2),
        PendingCalls("openai:mine", None, 1),
        PendingCalls("openai:done", None),
    )
    assert estimate([done]) == ["Nothing is left to ask: every answer is in the ledger."]
    assert estimate([cheap, done]) == [
        "openai:a: 3 calls to make, about 1,000,000 tokens to read and at most 500,000 to write: "
        "about $2.0000, at most $5.0000."
    ]
    lines = estimate([cheap, local, unknown, dear])
    assert lines[1].endswith(": free.")
    assert lines[2].endswith(": the price is unknown.")
    assert lines[4:] == ["Together about $3.0000, at most $7.0000."]
