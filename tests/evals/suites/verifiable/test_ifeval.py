"""IFEval through lm-eval's checkers: the same figures as lm-eval's own, and clear words about what is missing."""

import json
import random
from math import isnan

import nltk
import pytest

from evals.compare.comparison import compare_models
from evals.model import EvalModel
from evals.suites import load_results
from evals.suites.verifiable.ifeval import NEED_SPLITTER, ifeval_benchmark
from evals.suites.verifiable.puzzle import puzzle_benchmark
from evals.suites.verifiable.run import run_verifiable
from helpers.scripted_engine import Scripted
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.errors import DataError, MissingData
from srlm.puzzle.task import Puzzle
from srlm.runs import start_run
from srlm.types import Completion, Failed

SHORT = {"relation": "less than", "num_words": 6}
DOCUMENTS = [
    ("Say it without commas.", [("punctuation:no_comma", {})]),
    ("Name two colours in lower case and be short.", [("change_case:english_lowercase", {}), ("length", SHORT)]),
    ("A title, and the word tea twice.", [("detectable_format:title", {}), ("tea", {})]),
    ("Reply with JSON, no comma.", [("detectable_format:json_format", {}), ("punctuation:no_comma", {})]),
    (
        "Count a letter that is none.",
        [("keywords:letter_frequency", {"letter": "#", "let_frequency": 3, "let_relation": "at least"})],
    ),
    ("Answer in German.", [("language:response_language", {"language": "de"})]),
]
LONG_NAMES = {
    "length": ("length_constraints:number_words", None),
    "tea": ("keywords:frequency", {"keyword": "tea", "frequency": 2, "relation": "at least"}),
}
GOOD = [
    "Nothing to list here.",
    "red and blue",
    "<<On tea>>\nTea is tea.",
    '{"answer": 1}',
    3 * "Pack my box with five dozen liquor jugs. ",  # whichever letter lm-eval draws for the one that is none
    "Das ist ein deutscher Satz, und das Wetter ist heute sehr schön.",
]
MIXED = [
    "\nA line, with a comma\nand one without.",  # stripped, the loose reading would take the comma's line off
    "Sure!\nred and blue",  # followed only without the first line
    "Tea, without a title.",
    '{"answer": 1, "more": 2}',
    "",
    "This is an English sentence, and the weather is nice today.",
]


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    monkeypatch.setattr(nltk, "download", lambda *words, **options: False)


def documents():
    made = []
    for number, (prompt, instructions) in enumerate(DOCUMENTS):
        named = [(LONG_NAMES[name][0], LONG_NAMES[name][1] or given) if name in LONG_NAMES else (name, given)
                 for name, given in instructions]  # fmt: skip
        names, given = [name for name, _ in named], [{**one, "unused": None} for _, one in named]
        made.append({"key": number, "prompt": prompt, "instruction_id_list": names, "kwargs": given})
    return made


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def contestant(name, replies):
    return EvalModel(name, lambda: Scripted(lambda request: replies[request.messages[-1].content], name))


def said(answers, finish="stop"):
    texts = zip(DOCUMENTS, answers, strict=True)
    return {prompt: Completion(text, finish, 1, 1) for (prompt, _), text in texts}


@pytest.fixture
def run(tmp_path):
    found = start_run(tmp_path, "r", load_config("quickstart", []))
    yield found
    found.close()


def compared(run, models):
    found = compare_models(load_results(run), models, models[0])
    return {metric.key: metric.cells for metric in found.metrics}, found


def test_the_four_figures_are_those_of_lm_eval(tmp_path, run):
    from lm_eval.tasks.ifeval import utils

    benchmark = ifeval_benchmark(written(tmp_path / "prompts.jsonl", documents()), None)
    answers = {"good": GOOD, "mixed": MIXED}
    run_verifiable(
        [contestant(name, said(one)) for name, one in answers.items()], benchmark, None, run, Progress(quiet=True)
    )
    cells, _ = compared(run, ["good", "mixed"])
    for name, texts in answers.items():
        found = [utils.process_results(doc, [text]) for doc, text in zip(documents(), texts, strict=True)]
        for reading in ("strict", "loose"):
            whole = [one[f"prompt_level_{reading}_acc"] for one in found]
            single = utils.agg_inst_level_acc([one[f"inst_level_{reading}_acc"] for one in found])
            ours = cells[f"prompt_{reading}"][name].estimate, cells[f"instruction_{reading}"][name].estimate
            assert ours[0].value == sum(whole) / len(whole)
            assert ours[1].value == pytest.approx(single, abs=1e-12)
            assert [(one.n, one.clusters) for one in ours] == [(6, 6), (9, 6)]
            assert all(one.low <= one.value <= one.high for one in ours)
    # What a person reads off the answers: all of the good ones pass, of the others one without its first line.
    assert [cells[f"prompt_{reading}"]["good"].estimate.value for reading in ("strict", "loose")] == [1, 1]
    assert [cells[f"prompt_{reading}"]["mixed"].estimate.value for reading in ("strict", "loose")] == [0, 1 / 6]


def test_two_models_are_compared_by_mcnemars_exact_test(tmp_path, run):
    benchmark = ifeval_benchmark(written(tmp_path / "prompts.jsonl", documents()), None)
    players = [contestant("mixed", said(MIXED)), contestant("good", said(GOOD))]
    run_verifiable(players, benchmark, None, run, Progress(quiet=True))
    cells, found = compared(run, ["mixed", "good"])
    whole = cells["prompt_strict"]["good"].paired
    assert (whole.wins, whole.ties, whole.losses, whole.p_value) == (6, 0, 0, 2 * 0.5**6)
    assert any(
        "good is significantly better than mixed in prompts with all instructions followed, strict" in line
        for line in found.conclusions
    )


def test_cut_and_missing_answers_are_counted(tmp_path, run):
    benchmark = ifeval_benchmark(written(tmp_path / "prompts.jsonl", documents()), None)
    replies = said(GOOD)
    replies[DOCUMENTS[0][0]] = Completion(GOOD[0], "length", 1, 1)
    replies[DOCUMENTS[1][0]] = Failed("timeout")
    (result,) = run_verifiable([contestant("m", replies)], benchmark, 64, run, Progress(quiet=True))
    assert result.provenance.sampling == "greedy, max_tokens=64"
    cells, found = compared(run, ["m"])
    figures = {key: (one["m"].estimate.value, one["m"].estimate.n) for key, one in cells.items()}
    assert figures["verifiable_answered"] == (5 / 6, 6)
    assert figures["verifiable_cut"] == (1 / 5, 5)
    assert figures["prompt_strict"] == (1, 5)
    assert figures["instruction_strict"] == (1, 7)
    assert any("m gave no answer to 1 of 6 prompts" in line for line in found.captions)


def test_models_without_a_prompt_in_common_are_not_tested(tmp_path, run):
    benchmark = ifeval_benchmark(written(tmp_path / "prompts.jsonl", documents()), None)
    first, rest = said(GOOD), said(GOOD)
    for number, (prompt, _) in enumerate(DOCUMENTS):
        (first if number else rest)[prompt] = Failed("timeout")
    run_verifiable([contestant("a", first), contestant("b", rest)], benchmark, None, run, Progress(quiet=True))
    cells, found = compared(run, ["a", "b"])
    assert all(isnan(cells[key]["b"].paired.p_value) for key in ("prompt_strict", "instruction_strict"))
    assert found.conclusions == []


def test_a_limit_takes_the_same_prompts_and_a_larger_one_more_of_them(tmp_path):
    place = written(tmp_path / "prompts.jsonl", documents())
    chosen = [{item.prompt.id for item in ifeval_benchmark(place, limit).items} for limit in (2, 4, None)]
    assert [len(one) for one in chosen] == [2, 4, 6]
    assert chosen[0] < chosen[1] < chosen[2]
    assert ifeval_benchmark(place, 4).digest != ifeval_benchmark(place, 2).digest


def test_an_answer_gets_one_and_the_same_verdict(tmp_path):
    """lm-eval draws the letter to count where the prompt's is none, and langdetect guesses."""
    english = {
        "key": "e",
        "prompt": "Answer in English.",
        "instruction_id_list": ["language:response_language"],
        "kwargs": [{"language": "en"}],
    }
    place = written(tmp_path / "prompts.jsonl", [*documents(), english])
    benchmark = ifeval_benchmark(place, None)
    for item in benchmark.items:
        for text in ("aaabbb der die das the a is", "hallo tea"):
            found = set()
            for seed in range(20):
                random.seed(seed)
                state = random.getstate()
                found.add(benchmark.check(item, text))
                assert random.getstate() == state
            assert len(found) == 1


# --- NLTK's data ------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_splitter(monkeypatch):
    from lm_eval.tasks.ifeval import instructions_util

    instructions_util._get_sentence_tokenizer.cache_clear()
    monkeypatch.setattr(nltk.data, "path", [])


def test_the_kinds_that_need_the_splitter_are_these_two(no_splitter):
    from lm_eval.tasks.ifeval.instructions_registry import INSTRUCTION_DICT

    random.seed(0)  # what these checkers are not told, they draw
    found = set()
    for name, kind in INSTRUCTION_DICT.items():
        checker = kind(name)
        checker.build_description(**({"prompt_to_repeat": "Say tea."} if name == "combination:repeat_prompt" else {}))
        try:
            checker.check_following("One Sentence. ANOTHER one.")
        except LookupError:
            found.add(name)
    assert found == NEED_SPLITTER


def test_without_the_splitter_only_exams_that_need_it_are_refused(tmp_path, no_splitter):
    sentences = {
        "key": "s",
        "prompt": "Three sentences.",
        "instruction_id_list": ["length_constraints:number_sentences"],
        "kwargs": [{"relation": "at least", "num_sentences": 3}],
    }
    ifeval_benchmark(written(tmp_path / "without.jsonl", documents()), None)
    with pytest.raises(MissingData, match=r"^1 of the 7 prompts .* python -m nltk.downloader .* NLTK_DATA") as caught:
        ifeval_benchmark(written(tmp_path / "with.jsonl", [*documents(), sentences]), None)
    assert "\n" not in str(caught.value)


# --- files that cannot be used ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"prompt": None}, "the field prompt must be text"),
        ({"instruction_id_list": []}, "instruction_id_list must be a list of names"),
        ({"kwargs": [{}, {}]}, "1 instructions have 2 kwargs"),
        ({"kwargs": None}, "kwargs must be a list of objects"),
        ({"key": None}, "key must be a number or a name"),
        ({"key": 0}, "has the key 0 of line 1 again"),
        ({"instruction_id_list": ["punctuation:no_dots"]}, "lm-eval cannot check this prompt"),
        ({"kwargs": [{"colour": "red"}]}, "lm-eval cannot check this prompt"),
    ],
)
def test_a_wrong_record_is_named_with_its_line(tmp_path, change, problem):
    rows = [{**documents()[0], "key": number} for number in range(3)]
    place = written(tmp_path / "prompts.jsonl", [rows[0], rows[1], {**rows[2], **change}])
    with pytest.raises(DataError, match=f"line 3: .*{problem}"):
        ifeval_benchmark(place, None)


# --- puzzles ----------------------------------------------------------------------------------------------------------


def test_puzzles_are_checked_relation_by_relation(run):
    benchmark = puzzle_benchmark(4)
    assert {Puzzle(item.prompt.instruction).split for item in benchmark.items} == {"test"}
    solved = [Puzzle(item.prompt.instruction).solve(random.Random(0)) for item in benchmark.items]
    texts = [f" {solved[0]}\n", solved[1][:-1], "no puzzle", ""]
    replies = {
        item.prompt.instruction: Completion(text, "stop", 1, 1)
        for item, text in zip(benchmark.items, texts, strict=True)
    }
    run_verifiable([contestant("m", replies)], benchmark, None, run, Progress(quiet=True))
    cells, found = compared(run, ["m"])
    assert not {"prompt_loose", "instruction_loose"} & cells.keys()
    assert cells["prompt_strict"]["m"].estimate.value == 1 / 4
    assert cells["instruction_strict"]["m"].estimate.value == 1 / 4
    assert cells["instruction_strict"]["m"].estimate.n == 36
    assert [metric.label for metric in found.metrics][:2] == ["puzzles solved", "relations kept"]
