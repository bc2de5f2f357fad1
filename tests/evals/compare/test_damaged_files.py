"""Files of third parties, damaged at random: every reader reads them or refuses them in its own words."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.compare.comparison import compare_models
from evals.compare.export.json import as_json
from evals.compare.import_results import read_results, result_file
from evals.evaluate import prepare
from evals.gate.comparison_json import read_comparison
from evals.model import EvalModel
from evals.results import collect
from helpers.foreign_files import (
    ANNOTATIONS,
    ANSWERS,
    CALIBRATION,
    CALL,
    CONFIG,
    DIFFICULTIES,
    JUDGEMENTS,
    LABELS,
    LM_EVAL,
    PAIRS,
    POLICY,
    RANKED,
    READERS,
    TURNS,
    VERDICTS,
    VOTES,
)
from helpers.mutations import damaged_json, refused_or_read
from helpers.told_progress import Told
from srlm.config_file import load_config
from srlm.runs import start_run


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("foreign")


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_message(scratch, name, data):
    called, damaged, read = READERS[name]
    folder = scratch / name.replace(" ", "-")
    folder.mkdir(exist_ok=True)
    path = folder / called
    path.write_bytes(data.draw(damaged()))
    refused_or_read(lambda: read(path))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_a_damaged_comparison_is_read_or_refused(scratch, data):
    (scratch / "made.json").write_text(json.dumps(ANNOTATIONS))
    (scratch / "other.json").write_text(json.dumps([one | {"generator_2": "other"} for one in ANNOTATIONS]))
    found = read_results([result_file(str(scratch / name)) for name in ("made.json", "other.json")])
    made = json.loads(as_json(compare_models(collect(found.results), ["model", "other"], "model")))
    path = scratch / "comparison.json"
    path.write_bytes(data.draw(damaged_json(made)))
    refused_or_read(lambda: read_comparison(path))


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
        "df_gamed.csv": DIFFICULTIES.decode(),
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
    home = start_run(tmp_path, "evaluations", load_config("quickstart", []))
    rows = [one | {"id": f"{one['id']}-{n}"} for n in range(4) for one in RANKED]
    (tmp_path / "ift.jsonl").write_text('{"id": "i", "instruction": "Do.", "response": "Done."}\n')
    for chosen, words in (
        (rows, f"Of 8 instructions with ranked answers in {tmp_path}, 4 are for validation and are judged; the others"),
        ([one | {"split": "validation"} for one in rows], None),
    ):
        (tmp_path / "eft.jsonl").write_text("".join(json.dumps(one) + "\n" for one in chosen))
        progress = Told()
        prepare({}, "reward", EvalModel("judge", lambda: None), home, progress, {"ranked": str(tmp_path)})
        assert [line[: len(words or "")] for line in progress.lines] == ([words] if words else [])
