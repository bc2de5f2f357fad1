"""The list of suites: every suite is complete, by itself and in its folder."""

from importlib import import_module
from pathlib import Path

import pytest

import evals.suites
from evals.options import Preparation
from evals.suites import SUITES, evaluable_suites
from srlm.console import Progress
from srlm.errors import UsageError
from srlm.runs import Run

FOLDERS = sorted(path.parent.name for path in Path(evals.suites.__file__).parent.glob("*/__init__.py"))


def test_every_folder_is_in_the_list_and_every_name_is_there_once():
    listed = [import_module(f"evals.suites.{folder}").SUITE for folder in FOLDERS]
    assert sorted(one.name for one in SUITES) == sorted(one.name for one in listed)
    assert len({one.name for one in SUITES}) == len(SUITES)
    assert len({one.result for one in SUITES}) == len(SUITES)


@pytest.mark.parametrize("suite", SUITES, ids=lambda one: one.name)
def test_the_name_is_that_of_the_stored_results(suite):
    assert suite.result.suite == suite.name
    assert suite.title
    assert suite.summary


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_same_file_is_the_same_thing_in_every_folder(folder):
    suite = import_module(f"evals.suites.{folder}").SUITE
    assert suite.result.__module__ == f"evals.suites.{folder}.result"
    assert suite.metrics.__module__ == suite.notes.__module__ == f"evals.suites.{folder}.metrics"
    assert suite.samples.__module__ == f"evals.suites.{folder}.samples"
    if not suite.command:
        assert suite.prepare.__module__ == f"evals.suites.{folder}.run"
        assert len({one.name for one in suite.options}) == len(suite.options) > 0


def test_a_suite_with_a_command_of_its_own_is_not_run_by_eval(tmp_path):
    (human,) = (one for one in SUITES if one.command)
    assert human.pairwise
    assert human not in evaluable_suites()
    with pytest.raises(UsageError, match="srlm eval does not run this suite"):
        human.prepare(Preparation({}, [], [], Run(tmp_path), Progress(quiet=True)))
