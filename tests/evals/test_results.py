"""Files of results: every name of a model has one of its own, on every disk, and old ones are found."""

import json
from dataclasses import replace

import pytest

from evals.results import Provenance, files_folder, load_one, save, stage_name
from evals.suites import load_results
from evals.suites.human.result import votes_folder
from evals.suites.nlp.result import NlpResult, TaskResult
from evals.suites.reward_model.result import RewardResult
from srlm.runs import Run

PROVENANCE = Provenance("itself", "additive", "4:abc", "T=0")
ONE = RewardResult("M2", "weights", PROVENANCE, (), (), 1, 0, 0)
NAMES = [
    "M2",
    "m2",
    ".",
    "..",
    "...",
    "con",
    "CON",
    "aux.json",
    "a/b",
    "a\\b",
    "x.",
    "x ",
    "x" * 300,
    "模" * 90,
    "a~b",
    ".x",
]


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / "r")


def names(folder):
    return sorted(one.name for one in folder.iterdir())


def test_every_name_is_stored_read_and_stored_again_in_one_file(run):
    for scored in (1, 2):
        for name in NAMES:
            run.write(stage_name(run, "reward", name, "verdicts"), [])
            save(run, replace(ONE, model=name, scored=scored))
        files = names(run.folder / "evals" / "reward")
        assert len({file.casefold() for file in files}) == len(files) == 2 * len(NAMES)
        assert max(map(len, files)) < 200
    found = load_results(run).of(RewardResult)
    assert {name: one.scored for name, one in found.items()} == dict.fromkeys(NAMES, 2)
    folders = {files_folder(run, "reward", name) for name in NAMES}
    assert len(folders) == len(NAMES)
    assert {one.parent for one in folders} == {run.folder / "evals" / "reward"}


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_of_any_names_fits_on_a_disk(run, name):
    for pair in ((name, "M1"), ("M1", name), (name, name)):
        file = run.path(stage_name(run, "head-to-head", pair, "verdicts"))
        run.write(stage_name(run, "head-to-head", pair, "verdicts"), [])
        assert file.exists()
        assert file.parent == run.folder / "evals" / "head-to-head"
        assert votes_folder(run, pair).parent == run.folder / "evals" / "human"


def test_what_earlier_versions_stored_keeps_its_name(run):
    folder = run.folder / "evals" / "reward"
    for name, file in (("con", "con"), ("openai:gpt", "openai%3Agpt"), ("M2", "M2"), ("m2", "m2")):
        save(run, replace(ONE, model=name))
        for stored in folder.iterdir():
            if json.loads(stored.read_text())["model"] == name:
                stored.rename(folder / f"{file}.json")
    before = names(folder)
    for name in ("con", "openai:gpt", "M2", "m2"):
        save(run, replace(ONE, model=name, scored=7))
    assert names(folder) == before
    assert {one.scored for one in load_results(run).of(RewardResult).values()} == {7}


def test_a_run_with_what_the_model_called_dot_left_is_readable(run):
    """Its files of other tools stood among the results, and its own result was called "..json"."""
    folder = run.folder / "evals" / "reward"
    save(run, replace(ONE, model="."))
    (only,) = folder.iterdir()
    only.rename(folder / "..json")
    for name, data in (("annotations.json", []), ("model_outputs.json", [{}]), ("results_2026.json", {"results": {}})):
        (folder / name).write_text(json.dumps(data))
    assert load_results(run).of(RewardResult).keys() == {"."}
    save(run, replace(ONE, model=".", scored=7))
    assert load_results(run).of(RewardResult)["."].scored == 7
    save(run, replace(ONE, model="annotations"))
    save(run, replace(ONE, model="results_x"))
    assert load_results(run).of(RewardResult).keys() == {".", "annotations", "results_x"}


def test_tasks_are_found_under_the_name_they_were_stored_by(run):
    for name in NAMES:
        task = TaskResult(name, "arc", PROVENANCE, {}, {}, {}, {})
        save(run, NlpResult(name, "weights", {"arc": task}))
    assert [load_one(run, NlpResult, name).model for name in NAMES] == NAMES
