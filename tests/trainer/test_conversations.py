"""A prompt's context in the steps of an iteration: requests, pairs, best answers, log-probabilities, metrics."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from srlm.config import TrainConfig
from srlm.console import Progress
from srlm.runs import start_run
from srlm.types import (
    Answer,
    Completion,
    Demonstration,
    Message,
    Prompt,
    RankedAnswer,
    RankedPrompt,
    Reward,
    SFTExample,
)
from trainer.data.sft_examples import ift_examples
from trainer.finetune.early_stopping import _generate_answers
from trainer.generation.candidates import sample_candidates
from trainer.generation.contamination import user_text
from trainer.generation.self_instruct import without_context
from trainer.monitor.metrics import IterationRecords, compute_metrics
from trainer.preferences.best_of_n import choose_positives
from trainer.preferences.log_probs import answer_log_probs
from trainer.preferences.pairs import choose_pairs
from trainer.session import Session

SYSTEM = Message("system", "Write a list.")
CONTEXT = (SYSTEM, Message("user", "ways to cook rice"), Message("assistant", "a short story"))
PLAIN, TALK = Prompt("p0", "in spring", "generated"), Prompt("p1", "in spring", "generated", context=CONTEXT)
ANSWERS = [Answer(f"{one.id}-c{n}", one.id, "M1", f"rain {n}", "stop", n) for one in (PLAIN, TALK) for n in range(2)]
REWARDS = [Reward(one.id, 5.0 * (one.sample == 0), 0.0, 1, 0, 0) for one in ANSWERS]


QUESTION = Message("user", "in spring")


@pytest.fixture
def session():
    """A session whose models answer "rain"; its list `asked` has the requests."""
    asked = []

    def ask(requests, label):
        asked.extend(requests)
        return [("key", Completion("rain", "stop", 1, 1)) for _ in requests]

    def caller(model, stage, folder=None):
        return SimpleNamespace(ask=ask)

    return SimpleNamespace(config=TrainConfig(model="m", candidates=2), caller=caller, asked=asked)


def test_candidates_answer_the_conversation(session):
    assert len(sample_candidates(session, "M2", "M1", [PLAIN, TALK])) == 4
    assert [one.messages for one in session.asked] == [(QUESTION,)] * 2 + [(*CONTEXT, QUESTION)] * 2


def test_snapshots_answer_the_conversation_of_a_held_out_prompt(session, tmp_path):
    answers = (RankedAnswer("a", 0), RankedAnswer("b", 1))
    held_out = [RankedPrompt(one.id, one.instruction, answers, context=one.context) for one in (PLAIN, TALK)]
    assert len(_generate_answers(session, "M2", 4, tmp_path, held_out)) == 2
    assert [one.messages for one in session.asked] == [(QUESTION,), (*CONTEXT, QUESTION)]


def test_pairs_and_best_answers_have_the_context_of_their_prompt():
    pairs, _ = choose_pairs([PLAIN, TALK], ANSWERS, REWARDS, 0)
    assert [one.context for one in pairs] == [(), CONTEXT]
    positives, _ = choose_positives([PLAIN, TALK], ANSWERS, REWARDS, 5)
    assert [(one.prompt, one.context) for one in positives] == [("in spring", ()), ("in spring", CONTEXT)]
    records = IterationRecords("M2", prompts=[PLAIN, TALK], candidates=ANSWERS, positives=positives)
    assert compute_metrics(records, SimpleNamespace(lowest=0, highest=5), None).positive_instructions == 2


def test_demonstrations_are_trained_on_with_their_context():
    (example,) = ift_examples([Demonstration("a", "in spring", "rain", context=CONTEXT)])
    assert example == SFTExample("a", "IFT", "in spring", "rain", context=CONTEXT)


def test_few_shot_examples_stand_alone_and_all_turns_of_the_user_are_compared():
    assert without_context([PLAIN, TALK]) == [PLAIN]
    assert (user_text(PLAIN), user_text(TALK)) == ("in spring", "ways to cook rice\nin spring")


def test_log_probs_are_those_after_the_whole_conversation(perturbed_model, tmp_path):
    config = TrainConfig(model=str(perturbed_model), device="cpu", dtype="float32")
    session = Session(config, start_run(tmp_path, "r", config), Progress(quiet=True))
    found = answer_log_probs(session, "M2", "M0", [PLAIN, TALK], ANSWERS)
    tokenizer = AutoTokenizer.from_pretrained(perturbed_model)
    model = AutoModelForCausalLM.from_pretrained(perturbed_model, dtype=torch.float32).eval()
    for answer in ANSWERS:
        context = CONTEXT if answer.prompt_id == TALK.id else ()
        turns = [{"role": one.role, "content": one.content} for one in (*context, Message("user", "in spring"))]
        before = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        turns.append({"role": "assistant", "content": answer.text})
        ids = tokenizer.apply_chat_template(turns, return_dict=False)
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = sum(logits[place - 1, ids[place]].item() for place in range(len(before), len(ids)))
        assert found[answer.id].logp == pytest.approx(expected, rel=1e-5)
    assert found["p0-c0"].logp != found["p1-c0"].logp


def test_a_test_prompt_among_earlier_turns_is_contamination(monkeypatch):
    held = "How many legs do three spiders and two ants have in all, and how many eyes?"
    monkeypatch.setattr("trainer.monitor.metrics.evaluation_set", lambda: [Prompt("t", held, "evaluation")])
    said = replace(TALK, context=(Message("user", held), Message("assistant", "36.")))
    system = replace(TALK, id="p2", context=(Message("system", held),))
    records = IterationRecords("M2", prompts=[PLAIN, TALK, said, system])
    assert compute_metrics(records, SimpleNamespace(lowest=0, highest=5), None).contaminated == ["p1"]
