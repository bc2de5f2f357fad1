"""The local engine on tiny random models with three styles of chat template: batches, choices, stop strings."""

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from helpers.tiny_models import STYLES, CountingTokenizer, ask, checkpoint, reference, replies
from srlm.engines import hf
from srlm.engines import shared_prefix as attention
from srlm.engines.hf import MAX_BATCH, ROUNDS_PER_BATCH, HFEngine
from srlm.engines.load import load_tokenizer
from srlm.errors import EngineError, ModelError
from srlm.types import GREEDY, Message, Request, Sampling

SCORES = ("0", "1", "2", "3", "4", "5")


@pytest.fixture(scope="module", params=list(STYLES))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def engine(folder: Path) -> HFEngine:
    return HFEngine(folder, name="tiny", dtype="float32", batch_tokens=800)


# --- batches ----------------------------------------------------------------------------------------------------------


def test_answers_are_the_same_in_any_batch(engine: HFEngine) -> None:
    requests = [ask("Write a haiku about rain.", sample) for sample in range(3)]
    requests += [ask("A or B?"), ask("Score? " * 20), ask("A or B?", max_tokens=30), Request((Message("user", "?"),))]
    together = replies(engine, requests)
    assert [replies(engine, [request])[0] for request in requests] == together
    assert len({reply.text for reply in together}) > 3
    assert replies(engine, requests[::-1])[::-1] == together


def mixture() -> list[Request]:
    """Prompts of many lengths, three samples of each, some with choices."""
    return [
        ask("word " * (index % 40), index % 3, choices=("A", "B") if index % 5 == 0 else ()) for index in range(1400)
    ]


def test_the_plan_keeps_like_together(folder: Path) -> None:
    requests = mixture()
    plan = HFEngine(folder, name="tiny", dtype="float32").plan(requests)
    assert sorted(index for batch in plan for index in batch) == list(range(1400))
    assert [len(batch) for batch in plan] == [MAX_BATCH, MAX_BATCH, 1120 - 2 * MAX_BATCH, 280]
    assert plan == HFEngine(folder, name="other", dtype="bfloat16").plan(requests)
    for batch in plan:
        assert len({bool(requests[index].choices) for index in batch}) == 1
        texts = [requests[index].messages[0].content for index in batch]
        assert [len(text) for text in texts] == sorted(map(len, texts), reverse=True)
        assert sum(one != other for one, other in pairwise(texts)) == len(set(texts)) - 1


def test_batches_keep_within_a_given_number_of_tokens(engine: HFEngine) -> None:
    """At most `ROUNDS_PER_BATCH` times batch_tokens; and no batch had room for the next one's first request."""
    requests = mixture()
    widths = [len(engine._chat.tokens(request)) + request.sampling.max_tokens for request in requests]
    plan = engine.plan(requests)
    assert sorted(index for batch in plan for index in batch) == list(range(1400))
    for batch, following in pairwise(plan):
        assert len(batch) * max(widths[index] for index in batch) <= ROUNDS_PER_BATCH * 800
        if bool(requests[batch[0]].choices) == bool(requests[following[0]].choices):
            joined = [*batch, following[0]]
            assert len(joined) * max(widths[index] for index in joined) > ROUNDS_PER_BATCH * 800
    assert {len(batch) for batch in HFEngine(engine._folder, name="tiny", batch_tokens=1).plan(requests[:9])} == {1}


@pytest.mark.parametrize("choices", [(), SCORES])
def test_each_distinct_prompt_is_tokenized_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, choices: tuple[str, ...]
) -> None:
    """By plan and run together, for all of its samples; choices with the template's ending alone, where it has one."""
    counting = CountingTokenizer(load_tokenizer(folder))
    monkeypatch.setattr(hf, "load_tokenizer", lambda folder: counting)
    engine = HFEngine(folder, name="tiny", dtype="float32")
    assert engine._model is not None
    requests = [
        ask(text, sample, prefill="Score: ", choices=choices)
        for text in ("A or B?", "What is the score? " * 9, "Rain.")
        for sample in range(3)
    ]
    prompts = {engine._chat.text(request) for request in requests}
    counting.texts.clear()
    replies(engine, requests)
    assert {text: counting.texts[text] for text in prompts} == dict.fromkeys(prompts, 1)
    others = {text: count for text, count in counting.texts.items() if text not in prompts}
    assert set(others.values()) <= {1}
    if choices:  # with each whole prompt, or with the ending that all prompts share, which itself is encoded once
        has_ending = "<|" in next(iter(prompts))
        assert len(others) == (1 + len(choices) if has_ending else len(prompts) * len(choices))


def test_what_is_read_at_once_is_what_is_read_alone(folder: Path) -> None:
    """Tokens, lengths and choices, of more prompts than one thread takes at a time."""
    together, alone = (HFEngine(folder, name="tiny", dtype="float32")._chat for _ in range(2))
    requests = [
        ask(f"{'word ' * (number % 23)}{number} <|im_end|></s><|eot|>", prefill=prefill, choices=choices)
        for number in range(70)
        for prefill in ("", "Score: ")
        for choices in ((), SCORES, (" Score: A", " Score: B"), ("10", "15"))
    ]
    together.read(requests)
    for request in requests:
        assert together.tokens(request) == alone.tokens(request)
        assert together.length(request) == alone.length(request)
        if request.choices:
            assert together.choice(request) == alone.choice(request)
    before = together.tokens(requests[0])
    together.read(requests[:1])
    assert together.tokens(requests[0]) == before
    assert len(together._prompts) == 1


def test_counts_are_those_of_the_tokens(engine: HFEngine, folder: Path) -> None:
    request = ask("Write a haiku about rain.", max_tokens=7)
    (reply,) = replies(engine, [request])
    assert reply.prompt_tokens == len(
        load_tokenizer(folder).encode(engine._chat.text(request), add_special_tokens=False)
    )
    assert reply.completion_tokens == 7 if reply.finish == "length" else reply.completion_tokens < 7


def test_an_answer_ends_with_the_context(engine: HFEngine) -> None:
    """The prompt leaves four tokens of the context, whatever max_tokens is."""
    wordy = "rain"
    while len(engine._chat.tokens(ask(wordy))) < engine._chat.context - 4:
        wordy += "?"
    assert len(engine._chat.tokens(ask(wordy))) == engine._chat.context - 4
    found = replies(engine, [ask(wordy, sample, max_tokens=50) for sample in range(6)])
    assert max(reply.completion_tokens for reply in found) == 4
    with pytest.raises(EngineError, match="does not fit"):
        engine.plan([ask("rain " * 600)])


def test_weights_are_let_go_and_read_again(engine: HFEngine) -> None:
    request = ask("A or B?")
    before = replies(engine, [request])
    engine.close()
    assert engine._loaded is None
    assert replies(engine, [request]) == before


def test_a_tokenizer_without_template_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "mute", ignore=shutil.ignore_patterns("chat_template.jinja"))
    with pytest.raises(ModelError, match="chat template"):
        HFEngine(tmp_path / "mute", name="mute")


# --- choices ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    return reference(folder)


def expected(theirs: Any, engine: HFEngine, request: Request) -> list[float]:
    """The softmax over the choices, from transformers' logits."""
    text = engine._chat.text(request)
    encoded = [engine._tokenizer.encode(text + choice, add_special_tokens=False) for choice in request.choices]
    shared = next(index for index, tokens in enumerate(zip(*encoded, strict=False)) if len(set(tokens)) > 1)
    with torch.inference_mode():
        logits = theirs(torch.tensor([encoded[0][:shared]])).logits[0, -1]
    probabilities: list[float] = logits[[ids[shared] for ids in encoded]].softmax(-1).tolist()
    return probabilities


def judged() -> list[Request]:
    """A shared rubric, candidates of very different length, and other sets of choices."""
    rubric = "What is the score? 0 1 2 3 4 5. "
    requests = [ask(rubric + "rain " * length, prefill="Score: ", choices=SCORES) for length in (0, 30, 3, 1, 12, 60)]
    requests += [ask(rubric + "A or B?", choices=("A", "B")), ask(rubric + "Judge.", choices=("Score: A", "Score: B"))]
    return requests


@pytest.mark.parametrize("read", [16384, 300, 1])
@pytest.mark.parametrize("unlike", [False, True])
def test_choices_get_the_models_own_probabilities(
    theirs: Any, engine: HFEngine, monkeypatch: pytest.MonkeyPatch, read: int, unlike: bool
) -> None:
    """In one pass or in many; the request `unlike` shares no prefix with the others but the template's."""
    monkeypatch.setattr(attention, "MAX_READ_TOKENS", read)
    requests = [*judged(), *([ask("?", choices=("A", "B"))] if unlike else [])]
    found = replies(engine, requests)
    for request, reply in zip(requests, found, strict=True):
        wanted = expected(theirs, engine, request)
        assert reply.probabilities == pytest.approx(wanted, abs=1e-5)
        assert reply.text == request.choices[max(range(len(wanted)), key=wanted.__getitem__)]
        assert reply.completion_tokens == 1


def test_more_choices_than_one_pass_reads_take_several(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = HFEngine(folder, name="tiny", dtype="float32")
    passes: list[int] = []
    model: Any = engine._model
    forward = model.forward
    monkeypatch.setattr(
        model, "forward", lambda *args, **rest: passes.append(len(rest["input_ids"])) or forward(*args, **rest)
    )
    requests = [ask(f"Score {index}?", choices=SCORES) for index in range(30)]
    longest = max(len(engine._chat.choice(request).context) for request in requests)
    replies(engine, requests)
    assert passes == [1, 30]
    passes.clear()
    monkeypatch.setattr(attention, "MAX_READ_TOKENS", 8 * longest)
    replies(engine, requests)
    assert passes == [1, 8, 8, 8, 6]


def test_choices_that_begin_alike_are_refused(engine: HFEngine) -> None:
    with pytest.raises(EngineError, match="cannot distinguish"):
        replies(engine, [ask("Which?", choices=("zz", "zz"))])


# --- stop strings -----------------------------------------------------------------------------------------------------


def test_a_stop_string_ends_an_answer_and_is_cut_off(engine: HFEngine) -> None:
    """Each sample has a stop string from its own answer."""
    free = replies(engine, [ask("Write a haiku about rain.", sample, max_tokens=40) for sample in range(6)])
    long = [sample for sample, reply in enumerate(free) if len(reply.text) > 12]
    assert len(long) > 2
    stops = {sample: free[sample].text[6:9] for sample in long}
    requests = [
        ask("Write a haiku about rain.", sample, max_tokens=40, stop=(stops[sample], "nowhere")) for sample in long
    ]
    for sample, reply in zip(long, replies(engine, requests), strict=True):
        assert reply.text == free[sample].text[: free[sample].text.index(stops[sample])]
        assert reply.finish == "stop"
        assert reply.completion_tokens < free[sample].completion_tokens


@pytest.mark.parametrize("stop", ["\n", "###", "。今日は雨です", "🙂🙃🙂"])
def test_a_stop_string_is_seen_in_whatever_tokens_it_is_written(engine: HFEngine, folder: Path, stop: str) -> None:
    """Byte by byte, and beginning in the middle of a token."""
    tokenizer, stopped = load_tokenizer(folder), engine._stop_rule(ask("Write.", stop=(stop,)))
    for before in ("Write a haiku", "雨"):
        tokens = tokenizer.encode(before + stop, add_special_tokens=False)
        assert not any(stopped(tokens[:length]) for length in range(1, len(tokens)))
        assert stopped(tokens)
        assert stopped([*tokenizer.encode("rain " * 50, add_special_tokens=False), *tokens])


def test_greedy_stops_too(engine: HFEngine) -> None:
    (free,) = replies(engine, [Request((Message("user", "A or B?"),), Sampling(0.0, 1.0, 30))])
    stop = free.text[3:5]
    (stopped,) = replies(engine, [Request((Message("user", "A or B?"),), Sampling(0.0, 1.0, 30, stop=(stop,)))])
    assert stopped.text == free.text[: free.text.index(stop)]
    assert replies(engine, [Request((Message("user", "A or B?"),), GREEDY)])[0].completion_tokens <= 1


# --- what is no number ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("sampling", [Sampling(0.0, 1.0, 5), Sampling(0.8, 0.9, 5)])
@pytest.mark.parametrize("choices", [(), ("A", "B")])
def test_a_model_whose_activations_are_not_finite_says_so(
    tmp_path: Path, value: float, sampling: Sampling, choices: tuple[str, ...]
) -> None:
    """Finite weights can overflow too, in a dtype that is too small."""
    engine = HFEngine(checkpoint(tmp_path, "chatml"), name="tiny", device="cpu", dtype="float32")
    with torch.inference_mode():
        engine._model.lm_head.weight[7] = value
    with pytest.raises(EngineError, match="tiny gives no finite scores for the next token: its weights or activations"):
        list(engine.run([[Request((Message("user", "A or B?"),), sampling, choices=choices)]]))


def test_the_mass_of_choices_is_that_of_their_first_tokens(engine: HFEngine, folder: Path) -> None:
    request = Request((Message("user", "Score?"),), prefill="Score: ", choices=SCORES)
    (reply,) = replies(engine, [request])
    choice = engine._chat.choice(request)
    with torch.inference_mode():
        whole = reference(folder)(torch.tensor([choice.context])).logits[0, -1].softmax(-1)
    assert reply.mass == pytest.approx(float(whole[choice.firsts].sum()), rel=1e-4)
    assert 0 < reply.mass < 0.9


def test_a_text_has_no_mass(engine: HFEngine) -> None:
    assert replies(engine, [ask("Hello")])[0].mass is None
