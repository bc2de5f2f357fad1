"""Small files of every kind that srlm reads, with what damages them and what reads them."""

import json
from dataclasses import asdict

from evals.compare.comparison import compare_models
from evals.compare.export.json import as_json
from evals.compare.import_results import read_results, result_file
from evals.gate.judge_drift import read_pinned_verdicts
from evals.gate.policy import load_policy
from evals.labels.store import read_labels
from evals.results import collect
from evals.single_turn import read_outputs
from evals.suites.alpaca.files import read_annotations, read_difficulties
from evals.suites.human.votes import read_votes
from evals.suites.mt_bench.files import read_answers as read_turns
from evals.suites.mt_bench.files import read_judgements, read_questions
from helpers.mutations import damaged_json, damaged_lines, mutated
from srlm.config_file import load_config
from srlm.jsonl import parse_lines, read_json
from srlm.judges.preference_data import load_labelled
from srlm.judges.score_file import read_answers
from srlm.ledger import Ledger
from srlm.ledger_export import import_calls
from srlm.seed_data import load_seeds
from srlm.types import Scored, Verdict


def annotation(number):
    return {
        "instruction": f"Question {number}?",
        "output_1": "Reference.",
        "generator_1": "reference",
        "output_2": "Answer.",
        "generator_2": "model",
        "annotator": "judge",
        "preference": 1.5,
        "raw_completion": {"logprobs": {"content": [{"top_logprobs": [{"token": "m", "logprob": -0.1}]}]}},
    }


ANNOTATIONS = [annotation(0), annotation(1)]
JUDGEMENTS = [
    {"question_id": 81, "model": "m", "judge": ["gpt-4", "single-v1"], "judgment": "[[7]]", "score": 7, "turn": turn}
    for turn in (1, 2)
]
LM_EVAL = {
    "results": {
        "group": {"alias": "group"},
        "arc_easy": {"alias": "arc_easy", "acc,none": 0.5, "acc_stderr,none": 0.05},
        "piqa": {"acc,none": 0.25, "f1,none": "N/A", "f1_stderr,none": []},
    },
    "group_subtasks": {"group": ["piqa"], "arc_easy": []},
    "configs": {"arc_easy": {}},
    "versions": {"arc_easy": 1.0, "piqa": 1.0},
    "n-shot": {"arc_easy": 0, "piqa": 0},
    "higher_is_better": {"arc_easy": {"acc": True}, "piqa": {"acc": True}},
    "n-samples": {name: {"original": 4, "effective": 4} for name in ("arc_easy", "piqa")},
    "config": {"model": "hf", "batch_size": 1, "model_dtype": "torch.float32"},
    "task_hashes": {"arc_easy": "aa"},
    "lm_eval_version": "0.4.13",
    "model_name": "m",
}
RANKED = [
    {
        "id": f"r{n}",
        "instruction": "Do.",
        "split": split,
        "answers": [{"text": "a", "rank": 0}, {"text": "b", "rank": 1.5}],
    }
    for n, split in enumerate(("train", "validation"))
]
MESSAGES = [
    {"message_id": "q", "parent_id": None, "role": "prompter", "text": "Q?", "lang": "en", "rank": None},
    {"message_id": "a", "parent_id": "q", "role": "assistant", "text": "A.", "lang": "en", "rank": 0},
    {
        "message_tree_id": "t",
        "prompt": {
            **{"message_id": "t", "role": "prompter", "text": "T?", "lang": "en"},
            "replies": [
                {"message_id": "u", "parent_id": "t", "role": "assistant", "text": "U", "lang": "en", "rank": 0.0}
            ],
        },
    },
]
USER = {"role": "user", "content": "Q?"}
PAIRS = [
    {
        "prompt": "Q?",
        "chosen": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A"}],
        "rejected": "B",
    },
    {"input": "Q?", "output_1": "A", "output_2": "B", "label": 1},
    {"instruction": "Q?", "answers": [{"text": "a", "rank": 0}, {"text": "b", "rank": 1}]},
]
ANSWERS = [
    {"id": 1, "instruction": "Q?", "output": "A", "generator": "m"},
    {"conversations": [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "A"}]},
]
CALL = {
    "key": "a" * 64,
    "stage": "s",
    "model": "m",
    "request": {
        "messages": [{"role": "user", "content": "Hello"}],
        "sampling": {"temperature": 0.0, "top_p": 1.0, "max_tokens": 1, "stop": []},
        "choices": ["A", "B"],
    },
    "completion": {
        "text": "A",
        "finish": "stop",
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "probabilities": [0.5, 0.5],
    },
    "seconds": 1.5,
    "cost": 0.25,
    "day": "2026-11-23",
}
VERDICTS = [asdict(Verdict("v", "j", "r", ("a",), Scored(3.0, "Score: 3", (0.5, 0.5))))]
LABELS = [{"prompt_id": "p", "category": "c", "complexity": 3}]
TURNS = [{"question_id": 81, "category": "writing", "turns": ["One?", "Two?"], "choices": [{"turns": ["a", "b"]}]}]
VOTES = [{"prompt_id": "p", "annotator": "a", "verdict": "win", "left": "model", "at": "2026-11-23T10:00:00"}]
CALIBRATION = {
    **{"judge": "j", "identity": "i", "rubric": "r", "labelled": "l", "labelled_digest": "d", "schema": 1},
    "pairs": [{"id": "p", "instruction": "Q?", "better": "a", "worse": "b", "orders": [0.5, 0.5]}],
}
POLICY = b"rules:\n  - metric: win_rate\n    kind: non-inferiority\n    margin: 5 points\njudge: {agreement: 0.65}\n"
CONFIG = b"preset: quickstart\nmodel: smollm2\ndpo: {beta: 0.2, epochs: 1}\nseed: 3\n"
DIFFICULTIES = b"preference,index,std_delta_len,instruction_difficulty\n0.5,0,0.1,0.2\n1.0,1,-0.1,0.3\n"


def compared(path):
    """All that `srlm compare` does with a file."""
    found = read_results([result_file(str(path))])
    names = [name for names in found.models for name in names]
    return as_json(compare_models(collect(found.results), names, names[0]))


def seeds(path):
    other = path.parent / "ift.jsonl"
    other.write_text('{"id": "i", "instruction": "Do.", "response": "Done."}\n')
    return load_seeds(str(path.parent))


def own_demonstrations(path):
    (path.parent / "eft.jsonl").write_text("".join(json.dumps(one) + "\n" for one in RANKED))
    return load_seeds(str(path.parent))


def imported(path):
    ledger = Ledger(path.parent / "l.sqlite")
    try:
        return import_calls(ledger, path)
    finally:
        ledger.close()
        (path.parent / "l.sqlite").unlink()


READERS = {
    "annotations": ("a.json", lambda: damaged_json(ANNOTATIONS), read_annotations),
    "outputs": ("o.json", lambda: damaged_lines(ANSWERS), read_outputs),
    "annotations compared": ("a.json", lambda: damaged_json(ANNOTATIONS), compared),
    "judgements compared": ("j.jsonl", lambda: damaged_lines(JUDGEMENTS), compared),
    "lm-eval compared": ("results_1.json", lambda: damaged_json(LM_EVAL), compared),
    "judgements": ("j.jsonl", lambda: damaged_lines(JUDGEMENTS), read_judgements),
    "questions": ("question.jsonl", lambda: damaged_lines(TURNS), read_questions),
    "turns": ("t.jsonl", lambda: damaged_lines(TURNS), read_turns),
    "ranked": ("eft.jsonl", lambda: damaged_lines(RANKED), seeds),
    "demonstrations": ("ift.jsonl", lambda: damaged_lines(ANSWERS), own_demonstrations),
    "messages": ("m.jsonl", lambda: damaged_lines(MESSAGES), lambda path: load_seeds(f"oasst:{path}")),
    "pairs": ("p.jsonl", lambda: damaged_lines(PAIRS), lambda path: load_labelled(path).matches(None)),
    "answers": ("x.jsonl", lambda: damaged_lines(ANSWERS), read_answers),
    "export": ("e.jsonl", lambda: damaged_lines([CALL]), imported),
    "verdicts": ("v.jsonl", lambda: damaged_lines(VERDICTS), lambda path: parse_lines(path, Verdict)),
    "labels": ("l.jsonl", lambda: damaged_lines(LABELS), read_labels),
    "votes": ("w.jsonl", lambda: damaged_lines(VOTES), read_votes),
    "json": ("r.json", lambda: damaged_json(CALIBRATION), read_json),
    "calibration": ("c.json", lambda: damaged_json(CALIBRATION), read_pinned_verdicts),
    "policy": ("gate.yaml", lambda: mutated(POLICY), load_policy),
    "configuration": ("run.yaml", lambda: mutated(CONFIG), lambda path: load_config(str(path), [])),
    "gamed": ("df_gamed.csv", lambda: mutated(DIFFICULTIES), read_difficulties),
}
