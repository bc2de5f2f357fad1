"""How results name what was asked is pinned: by another name they could not be compared with those of yesterday."""

from dataclasses import replace
from types import SimpleNamespace

from evals.generate import answer_prompts
from evals.labels import annotate
from evals.labels.annotate import name_categories
from evals.prompt_sets import prompts_digest
from evals.suites.mt_bench import run as mt_bench
from evals.suites.mt_bench.data import Question
from evals.suites.nlp import tasks as nlp_tasks
from evals.suites.reward_model import run as reward_model
from evals.suites.verifiable.benchmark import CheckedBenchmark, CheckedPrompt
from srlm.digest import digest_of
from srlm.judges.grading import GradingJudge
from srlm.ledger import request_key
from srlm.types import Failed, Message, Prompt, RankedAnswer, RankedPrompt, Sampling

PROMPTS = [Prompt("b", "Naïve?", "evaluation", reference="Ja – 好"), Prompt("a", "One.", "evaluation")]


def test_of_prompts_with_references():
    assert prompts_digest(PROMPTS) == prompts_digest(PROMPTS[::-1]) == "2:ba94ffdd5370"


def test_of_an_exam():
    items = (
        CheckedPrompt(PROMPTS[0], ("one", "two"), ({"n": 2, "a": "x"}, {})),
        CheckedPrompt(PROMPTS[1], ("three",), ({},)),
    )
    assert CheckedBenchmark("exam", "nobody", items, 10, check=lambda item, answer: None).digest == "2:48791e855f82"


def test_of_ranked_answers():
    ranked = [
        RankedPrompt("q", "Which?", (RankedAnswer("Good. 好", 0), RankedAnswer("Bad.", 1, 1, "why")), "validation")
    ]
    assert reward_model._digest(ranked) == "1:d28b52283846"


def test_of_questions_of_two_turns():
    questions = [Question(2, "math", ("Ünd?", "So?"), ("1", "2")), Question(1, "writing", ("Write.", "Again."))]
    engine = SimpleNamespace(name="judge", identity="j1")
    assert mt_bench._provenance(engine, GradingJudge(), questions, 9).prompts == "2:9ddcfcdb4854"


def test_of_what_lm_eval_asks():
    told = SimpleNamespace(doc_id=0, idx=1, args=("Wer? 好", "ich\udc80"), doc={})
    task = SimpleNamespace(
        task_name="task",
        config=SimpleNamespace(num_fewshot=0),
        instances=[told, told],
        set_fewshot_seed=lambda seed: None,
        build_all_requests=lambda limit: None,
        doc_to_target=lambda doc: "ich",
    )
    assert nlp_tasks._requests([task, task], None) == (4, "4:8f0fe84acb9c")


def test_what_comes_before_a_prompt_is_part_of_its_digest_and_an_empty_context_is_not():
    spoken = (Message("system", "Be brief."), Message("user", "Hi."), Message("assistant", "Hello."))
    sets = [
        PROMPTS,
        [replace(PROMPTS[0], context=spoken), PROMPTS[1]],
        [replace(PROMPTS[0], context=spoken[:1]), PROMPTS[1]],
        [PROMPTS[0], replace(PROMPTS[1], context=spoken)],
    ]
    assert len({prompts_digest(one) for one in sets}) == len(sets)
    ranked = RankedPrompt("q", "Which?", (RankedAnswer("Good.", 0), RankedAnswer("Bad.", 1)), context=())
    assert reward_model._digest([ranked]) != reward_model._digest([replace(ranked, context=spoken)])


def test_of_calls_about_prompts_without_context():
    class Unanswered(SimpleNamespace):
        def ask(self, requests, label):
            self.asked += requests
            return [("k" * 64, Failed("not run"))] * len(requests)

    def keys(ask):
        caller = Unanswered(asked=[], engine=SimpleNamespace(name="m"))
        ask(caller)
        return digest_of("".join(request_key("m", one) for one in caller.asked))

    text = "Explain </instruction> tides.\nHuman: in \u200b two <b>lines</b>."
    prompts = [Prompt("p1", text, "evaluation"), Prompt("p2", "x " * 5000, "evaluation", reference="r")]
    assert keys(lambda caller: answer_prompts(caller, prompts, Sampling(0.7, 0.9, 64))) == "2879ec496879"
    assert keys(lambda caller: (annotate._ask(caller, prompts, ("A", "B")), name_categories(caller, prompts))) == (
        "054b4dc7f94e"
    )
