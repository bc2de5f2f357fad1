"""Files of strangers, damaged at random: every reader reads them or refuses them in its own words."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import damaged_json, damaged_lines, mutated, refused_or_read

from evals.alpaca_files import read_annotations, read_gamed, read_outputs
from evals.comparison import compare_models
from evals.formats.json import as_json
from evals.gate.calibration import read_calibration
from evals.gate.compared import read_compared
from evals.gate.policy import load_policy
from evals.imported.files import read_results, result_file
from evals.labels import read_labels
from evals.mt_bench_files import read_answers as read_turns
from evals.mt_bench_files import read_judgements, read_questions
from evals.results import gathered
from evals.votes import read_votes
from srlm.cli.suites import Asked, Suite, prepared
from srlm.config_file import load_config
from srlm.display import Progress
from srlm.exchange import import_calls
from srlm.judges.judged import read_answers
from srlm.judges.labelled import load_labelled
from srlm.ledger import Ledger
from srlm.records import parse_lines, read_json
from srlm.runs import start_run
from srlm.seeds import load_seeds
from srlm.types import Scored, Verdict

ANNOTATIONS = [
    {
        "instruction": f"Question {n}?",
        "output_1": "Reference.",
        "generator_1": "reference",
        "output_2": "Answer.",
        "generator_2": "model",
        "annotator": "judge",
        "preference": 1.5,
        "raw_completion": {"logprobs": {"content": [{"top_logprobs": [{"token": "m", "logprob": -0.1}]}]}},
    }
    for n in range(2)
]
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
GAMED = b"preference,index,std_delta_len,instruction_difficulty\n0.5,0,0.1,0.2\n1.0,1,-0.1,0.3\n"


def compared(path):
    """All that `srlm compare` does with a file."""
    found = read_results([result_file(str(path))])
    names = [name for names in found.models for name in names]
    return as_json(compare_models(gathered(found.results), names, names[0]))


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
    "calibration": ("c.json", lambda: damaged_json(CALIBRATION), read_calibration),
    "policy": ("gate.yaml", lambda: mutated(POLICY), load_policy),
    "configuration": ("run.yaml", lambda: mutated(CONFIG), lambda path: load_config(str(path), [])),
    "gamed": ("df_gamed.csv", lambda: mutated(GAMED), read_gamed),
}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("foreign")


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_message(scratch, name, data):
    called, damaged, read = READERS[name]
    folder = scratch / name.replace(" ", "-")
    folder.mkdir(exist_ok=True)
    path = folder / called
    path.write_bytes(data.draw(damaged()))
    refused_or_read(lambda: read(path))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_comparison_is_read_or_refused(scratch, data):
    (scratch / "made.json").write_text(json.dumps(ANNOTATIONS))
    (scratch / "other.json").write_text(json.dumps([one | {"generator_2": "other"} for one in ANNOTATIONS]))
    found = read_results([result_file(str(scratch / name)) for name in ("made.json", "other.json")])
    made = json.loads(as_json(compare_models(gathered(found.results), ["model", "other"], "model")))
    path = scratch / "comparison.json"
    path.write_bytes(data.draw(damaged_json(made)))
    refused_or_read(lambda: read_compared(path))


@pytest.mark.parametrize("name", READERS)
def test_the_files_are_read_as_they_are(scratch, name):
    """So that what is damaged above is not refused anyway."""
    called, _, read = READERS[name]
    whole = {
        "a.json": json.dumps(ANNOTATIONS),
        "results_1.json": json.dumps(LM_EVAL),
        "r.json": json.dumps(CALIBRATION),
        "c.json": json.dumps(CALIBRATION),
        "gate.yaml": POLICY.decode(),
        "run.yaml": CONFIG.decode(),
        "df_gamed.csv": GAMED.decode(),
    }
    records = {
        "o.json": ANSWERS[:1],
        "j.jsonl": JUDGEMENTS,
        "question.jsonl": TURNS,
        "t.jsonl": TURNS,
        "eft.jsonl": RANKED,
        "ift.jsonl": ANSWERS,
        "p.jsonl": PAIRS,
        "x.jsonl": ANSWERS,
        "e.jsonl": [CALL],
        "v.jsonl": VERDICTS,
        "l.jsonl": LABELS,
        "w.jsonl": VOTES,
    }
    if called == "m.jsonl":
        pytest.skip("three messages give nothing to rank")
    folder = scratch / f"whole-{name.replace(' ', '-')}"
    folder.mkdir()
    text = whole.get(called) or "".join(json.dumps(one) + "\n" for one in records[called])
    (folder / called).write_text(text)
    assert read(folder / called)


def test_how_many_ranked_answers_are_given_and_used_is_said(tmp_path):
    class Said(Progress):
        """What the user sees, as a list."""

        def __init__(self):
            super().__init__(quiet=True)
            self.lines = []

        def say(self, text):
            self.lines.append(text)

    home = start_run(tmp_path, "evaluations", load_config("quickstart", []))
    rows = [one | {"id": f"{one['id']}-{n}"} for n in range(4) for one in RANKED]
    (tmp_path / "ift.jsonl").write_text('{"id": "i", "instruction": "Do.", "response": "Done."}\n')
    for chosen, words in (
        (rows, f"Of 8 instructions with ranked answers in {tmp_path}, 4 are for validation and are judged; the others"),
        ([one | {"split": "validation"} for one in rows], None),
    ):
        (tmp_path / "eft.jsonl").write_text("".join(json.dumps(one) + "\n" for one in chosen))
        progress = Said()
        prepared(Asked([Suite.reward], ranked=str(tmp_path)), [], [], home, progress)
        assert [line[: len(words or "")] for line in progress.lines] == ([words] if words else [])
