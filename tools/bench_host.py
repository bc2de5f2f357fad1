"""The work of an iteration beside its model, at the paper's size, each part next to how it was done before.

8,000 instructions are written, 4,000 of them get 4 answers, and each answer 3 verdicts. Measured are

    tokenize   the prompts of these calls as tokens, 28,000 distinct ones for 72,000 calls; then the verdicts once more
               as the expectation over the digits, which takes the tokens of six choices each. Before: one by one, when
               a stage is planned and again when it is run, and each choice with its whole prompt.
    filter     the instructions compared with 3,200 seeds, and with those accepted before them. Before: one new
               instruction after the other, on one core. Both must decide the same.
    hash       the weights when a model is opened: the first time, and then. Before: each time.

The texts are drawn word by word from the packaged instructions and answers, so that words and phrases are as frequent
as there; the tokenizer and the weights are those of the packaged SmolLM2. Seconds are of the clock, so nothing else may
run on these cores; processor seconds stand beside them.
"""

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srlm.engines.chat_template import ChatTokenizer
    from srlm.types import Request

WRITTEN, SEEDS, ACCEPTED = 8_000, 3_200, 4_000
ANSWER_WORDS = 110
"""About 150 tokens."""
CONTEXT = 8192
OPENINGS = 6
"""Times that an iteration opens a model."""
LIMITS = {"tokenize": 60.0, "filter": 30.0, "hash": 1.0}
"""Seconds that each part may take on two cores."""
PART, TURNS = 60, 8
"""Prompts of a turn, and turns of both ways, one after the other."""
SEED = 20260103


def bench() -> dict[str, Any]:
    """Everything, as one record."""
    from srlm.model_hub import PACKAGED, model_folder

    folder = model_folder(PACKAGED)
    texts = Texts()
    seeds, written = texts.instructions(SEEDS), texts.instructions(WRITTEN)
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "tokenize": tokenize(folder, texts, seeds, written),
        "filter": compare(seeds, written),
        "hash": hash_weights(folder),
    }


class Texts:
    """Instructions and answers in which each word follows another as often as in the packaged ones."""

    def __init__(self) -> None:
        from srlm.seed_data import evaluation_set, load_seeds

        seeds = load_seeds("embedded")
        self._draw = random.Random(SEED)
        self._asked = _followers(one.instruction for one in (*evaluation_set(), *seeds.ift, *seeds.eft))
        self._said = _followers(one.response for one in seeds.ift)

    def instructions(self, count: int) -> list[str]:
        """Draw instructions from their first word to their last."""
        return [" ".join(self._words(self._asked, 150)) for _ in range(count)]

    def answer(self) -> str:
        """Draw an answer, as many sentences as it takes."""
        words: list[str] = []
        while len(words) < ANSWER_WORDS:
            words += self._words(self._said, ANSWER_WORDS - len(words))
        return " ".join(words)

    def _words(self, followers: dict[str, list[str]], most: int) -> list[str]:
        words: list[str] = []
        word = self._draw.choice(followers[""])
        while word and len(words) < most:
            words.append(word)
            word = self._draw.choice(followers[word])
        return words


def _followers(texts: Iterator[str]) -> dict[str, list[str]]:
    """The words that follow each word; "" stands before the first and after the last."""
    found: dict[str, list[str]] = {}
    for text in texts:
        words = ["", *text.split(), ""]
        for word, following in pairwise(words):
            found.setdefault(word, []).append(following)
    return found


@contextmanager
def timed(into: dict[str, Any], name: str) -> Iterator[None]:
    """Add seconds of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    yield
    into[f"{name}_s"] = into.get(f"{name}_s", 0.0) + time.perf_counter() - clock
    into[f"{name}_cpu_s"] = into.get(f"{name}_cpu_s", 0.0) + time.process_time() - processor


# --- prompts as tokens ------------------------------------------------------------------------------------------------


def tokenize(folder: Path, texts: Texts, seeds: Sequence[str], written: Sequence[str]) -> dict[str, Any]:
    """All calls of an iteration; what is counted is what an engine does with them before its model."""
    from srlm.config_file import load_config
    from srlm.engines.chat_template import ChatTokenizer
    from srlm.engines.load import load_tokenizer
    from srlm.judges.pointwise import configured_judge

    config = load_config("paper", [])
    tokenizer = load_tokenizer(folder)
    chat = ChatTokenizer(tokenizer, name="smollm2", context=CONTEXT)
    asked = [instruction for instruction in written[:ACCEPTED] for _ in range(config.candidates)]
    judged = [(instruction, texts.answer()) for instruction in asked]
    judge = configured_judge(config.judge)
    expected = configured_judge(config.judge.model_copy(update={"scoring": "expected"}))
    stages = {
        "instructions": writing(config, seeds, written),
        "answers": answering(config, asked),
        "verdicts": [one for number, pair in enumerate(judged) for one in judge.requests(*pair, number)],
    }
    digits = [one for number, pair in enumerate(judged) for one in expected.requests(*pair, number)]
    found: dict[str, Any] = {"calls": sum(map(len, stages.values())), "prompts": 0, "tokens": 0}
    for name, requests in stages.items():
        with timed(found, name), timed(found, "all"):
            chat.read(requests)
            lengths = [len(chat.tokens(request)) for request in requests]
        found["prompts"] += len(chat._prompts)
        found["tokens"] += sum(lengths)
    with timed(found, "expected"):
        chat.read(digits)
        for request in digits:
            chat.choice(request)

    def new() -> ChatTokenizer:
        return ChatTokenizer(tokenizer, name="smollm2", context=CONTEXT)

    return found | in_turns(new, stages["verdicts"], "verdict") | in_turns(new, digits, "expected")


def writing(config: Any, seeds: Sequence[str], written: Sequence[str]) -> list["Request"]:
    """The calls that write instructions, each with its own examples."""
    from srlm.types import Demonstration, Prompt
    from trainer.generation.self_instruct import _draw_shots, _request

    examples = [Demonstration(f"ift-{number}", text, "") for number, text in enumerate(seeds)]
    earlier = [Prompt(f"p{number}", text, "generated") for number, text in enumerate(written)]
    session: Any = SimpleNamespace(config=config)
    return [_request(session, _draw_shots(examples, earlier, 6, 2, seed), seed) for seed in range(WRITTEN)]


def answering(config: Any, asked: Sequence[str]) -> list["Request"]:
    """The calls that answer them, samples of one prompt one after the other."""
    from srlm.types import Message, Request

    sampling = config.candidate_sampling.resolved()
    return [
        Request((Message("user", text),), sampling, seed=number, sample=number % config.candidates)
        for number, text in enumerate(asked)
    ]


def in_turns(new: Callable[[], "ChatTokenizer"], requests: Sequence["Request"], name: str) -> dict[str, float]:
    """Milliseconds of a distinct prompt: as before, and now; the median of some turns, and of their ratios."""
    distinct = list({request.messages: request for request in requests}.values())
    before, now = [], []
    for turn in range(TURNS):
        part = distinct[turn * PART : (turn + 1) * PART]
        chat = new()
        began = time.perf_counter()
        one_by_one = [_as_before(chat, request) for request in part]
        before.append(time.perf_counter() - began)
        began = time.perf_counter()
        chat.read(part)
        at_once = [chat.choice(request) if request.choices else chat.tokens(request) for request in part]
        now.append(time.perf_counter() - began)
        if one_by_one != at_once:
            raise SystemExit("The tokens are not those of before.")
    return {
        f"{name}_before_ms": 1000 * median(before) / PART,
        f"{name}_now_ms": 1000 * median(now) / PART,
        f"{name}_ratio": median(old / new for old, new in zip(before, now, strict=True)),
    }


def _as_before(chat: "ChatTokenizer", request: "Request") -> Any:
    """Rendered and tokenized when the stage is planned, and again when it is run."""
    chat.text(request)
    chat.tokens(request)
    return chat.choice(request) if request.choices else chat.tokens(request)


# --- instructions compared --------------------------------------------------------------------------------------------


def compare(seeds: Sequence[str], written: Sequence[str]) -> dict[str, Any]:
    """All instructions through the filter, as it is and one after the other."""
    from srlm.config.generation import InstructionsConfig
    from trainer.generation.filters import InstructionFilter

    config = InstructionsConfig()
    found: dict[str, Any] = {"written": len(written), "seeds": len(seeds)}
    with timed(found, "now"):
        reasons = list(InstructionFilter(config, seeds).reasons([(text, False) for text in written]))
    with timed(found, "before"):
        alone = _one_after_the_other(config, seeds, written)
    if reasons != alone:
        raise SystemExit("The filter does not decide as before.")
    return found | {"accepted": reasons.count(None), "ratio": found["before_s"] / found["now_s"]}


def _one_after_the_other(config: Any, seeds: Sequence[str], written: Sequence[str]) -> list[str | None]:
    from rapidfuzz import process
    from rapidfuzz.distance import Indel

    from trainer.generation.filters import ROUNDING, TOO_SIMILAR, InstructionFilter, rouge_l

    check = InstructionFilter(config, seeds)
    limit, known = config.rouge_limit, list(check._known)
    reasons: list[str | None] = []
    for text in written:
        reason = check._own_reason(text, False)
        if reason is None:
            words = check._encode(text)
            near = process.extractOne(words, known, scorer=Indel.normalized_similarity, score_cutoff=limit - ROUNDING)
            if near is not None and rouge_l(words, near[0]) > limit:
                reason = TOO_SIMILAR
            else:
                known.append(words)
        reasons.append(reason)
    return reasons


# --- weights hashed ---------------------------------------------------------------------------------------------------


def hash_weights(folder: Path) -> dict[str, Any]:
    """One model, opened for the first time and then as often as in an iteration."""
    from srlm.engines.fingerprint import fingerprint

    found: dict[str, Any] = {"gb": sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e9}
    kept = os.environ.get("SRLM_CACHE")
    with tempfile.TemporaryDirectory(prefix="srlm-bench-") as place:
        os.environ["SRLM_CACHE"] = place
        try:
            for file in folder.iterdir():
                file.read_bytes()  # from the disk to the memory: a checkpoint that was just written is there
            with timed(found, "first"):
                first = fingerprint(folder)
            with timed(found, "later"):
                later = {fingerprint(folder) for _ in range(OPENINGS - 1)}
        finally:
            if kept is None:
                del os.environ["SRLM_CACHE"]
            else:
                os.environ["SRLM_CACHE"] = kept
    if later != {first}:
        raise SystemExit("The fingerprint of one model has changed.")
    found["before_s"] = OPENINGS * found["first_s"]
    return found


def card(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    tokens, filtered, hashed = found["tokenize"], found["filter"], found["hash"]
    lines = [
        f"Beside the model, an iteration of the paper's size, {found['cores']} cores: seconds (of the processor)",
        f"  tokenize: {tokens['all_s']:.1f} ({tokens['all_cpu_s']:.1f}), limit {LIMITS['tokenize']:.0f}: "
        f"{tokens['prompts']:,} distinct prompts of {tokens['calls']:,} calls, {tokens['tokens'] / 1e6:.1f} million "
        "tokens",
    ]
    lines += [
        f"    {name}: {tokens[f'{name}_s']:.1f} ({tokens[f'{name}_cpu_s']:.1f})"
        for name in ("instructions", "answers", "verdicts")
    ]
    lines += [
        f"    instead of sampled verdicts, expected ones: {tokens['expected_s']:.1f} ({tokens['expected_cpu_s']:.1f})"
    ]
    lines += [
        f"    a prompt of {words}: {tokens[f'{name}_before_ms']:.2f} ms before, {tokens[f'{name}_now_ms']:.2f} ms now, "
        f"{tokens[f'{name}_ratio']:.1f} times as fast"
        for name, words in (("verdict", "a sampled verdict"), ("expected", "an expected one"))
    ]
    return [
        *lines,
        f"  filter: {filtered['now_s']:.1f} ({filtered['now_cpu_s']:.1f}), limit {LIMITS['filter']:.0f}: "
        f"{filtered['written']:,} instructions, {filtered['accepted']:,} accepted; one after the other "
        f"{filtered['before_s']:.1f} ({filtered['before_cpu_s']:.1f}), {filtered['ratio']:.1f} times as long",
        f"  hash: {hashed['later_s']:.3f} for {OPENINGS - 1} openings of a model that was opened before, limit "
        f"{LIMITS['hash']:.0f}; the first one {hashed['first_s']:.2f} for {hashed['gb']:.2f} GB; each opening as the "
        f"first: {hashed['before_s']:.2f}",
    ]
