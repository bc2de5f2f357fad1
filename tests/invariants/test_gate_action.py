"""The GitHub Action and the example workflow: valid by GitHub's schemas, and the script does what the command does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from helpers.gate_runs import POLICY, results_of_two_models
from helpers.paths import ROOT

ACTION, WORKFLOW = ROOT / "action.yml", ROOT / "docs" / "howto" / "gate-workflow.yml"


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-actions", ACTION), ("vendor.github-workflows", WORKFLOW)],
    ids=["action", "workflow"],
)
def test_it_is_valid_by_githubs_schema(schema, file):
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    found = subprocess.run(check, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_schema_finds_what_is_wrong(tmp_path):
    wrong = tmp_path / "action.yml"
    wrong.write_text(ACTION.read_text(encoding="utf-8").replace("using: composite", "using: compost"), encoding="utf-8")
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions", str(wrong)]
    assert subprocess.run(check, capture_output=True, check=False).returncode == 1


def steps():
    return yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]


def test_no_input_is_part_of_a_script():
    for step in steps():
        assert "${{" not in step.get("run", "")
    for step in yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["gate"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_other_actions_are_pinned_by_their_commit_with_the_version_beside_it():
    files = (ACTION, WORKFLOW, ROOT / ".github" / "workflows" / "ci.yml")
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if "uses: " in line]
    used = [line.partition("uses: ")[2] for line in lines]
    assert len(used) == 6
    for one in used:
        assert one.startswith("OWNER/srlm@v") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one), one
    assert len({one for one in used if "OWNER" not in one}) == 3  # one version of each


def test_only_installed_code_runs(tmp_path, cli):
    """A file of the checkout that is called like a module is not run, neither at the install nor at the gate."""
    (install,) = [step for step in steps() if "-m venv" in step.get("run", "")]
    assert install["working-directory"] == "${{ runner.temp }}"
    assert "--constraint" in install["run"]
    assert re.findall(r"python\S*(?: -\w)* -m", install["run"]) == ["python -I -m", "python -I -m"]
    (gate,) = [step for step in steps() if step.get("id") == "gate"]
    assert gate["env"]["PYTHONSAFEPATH"] == "1"
    assert gate["env"]["PYTHONPATH"] == ""
    for name in ("venv", "pip", "typer", "sitecustomize", "json"):
        (tmp_path / f"{name}.py").write_text("open('pwned', 'w')\n", encoding="utf-8")
    line = install["run"].splitlines()[0] + "\npython -I -m venv --without-pip srlm-gate\n"
    bin = Path(sys.executable).parent
    surroundings = {**cli.environment, "PATH": f"{bin}:{cli.environment['PATH']}", "PYTHONPATH": str(tmp_path)}
    subprocess.run(["bash", "-ec", line], cwd=tmp_path, env=surroundings, check=True)
    surroundings |= gate["env"] | {"PYTHONPATH": ""}
    subprocess.run([bin / "srlm", "--version"], cwd=tmp_path, env=surroundings, check=True, capture_output=True)
    assert not (tmp_path / "pwned").exists()


def test_the_runner_obeys_no_line_between_the_words(run_step):
    lines = run_step(candidate="equal", baseline="M1", run="r").stdout.splitlines()
    word = lines[0].removeprefix("::stop-commands::")
    assert lines[0] != word
    assert lines[-1] == f"::{word}::"


def test_the_workflow_gives_only_inputs_that_there_are_and_all_that_are_needed():
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    (step,) = [
        step
        for step in yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["gate"]["steps"]
        if "with" in step and "srlm@" in step["uses"]
    ]
    assert step["with"].keys() <= action["inputs"].keys()
    assert {name for name, one in action["inputs"].items() if one.get("required")} <= step["with"].keys()


@pytest.fixture
def run_step(tmp_path, cli):
    """The step that calls the gate, as GitHub's runner does: its script under bash, inputs as variables."""
    results_of_two_models(tmp_path / "results" / "runs")
    (tmp_path / "gate.yaml").write_text(POLICY, encoding="utf-8")
    bin = tmp_path / "temp" / "srlm-gate" / "bin"
    bin.mkdir(parents=True)
    (bin / "srlm").symlink_to(Path(sys.executable).parent / "srlm")
    (gate,) = [step for step in steps() if step.get("id") == "gate"]

    def run(**inputs):
        given = {name: one.get("default", "") for name, one in yaml.safe_load(ACTION.read_text())["inputs"].items()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        filled = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], value)
            for name, value in gate["env"].items()
        }
        surroundings = {
            "RUNNER_TEMP": str(tmp_path / "temp"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", gate["run"]],
            cwd=tmp_path,
            env={**cli.environment, **surroundings, **filled},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("inputs", "code", "outcome"),
    [
        ({"candidate": "equal", "baseline": "M1"}, 0, "pass"),
        ({"candidate": "worse", "baseline": "M1", "run": "r"}, 1, "regression"),
        ({"candidate": "equal"}, 2, "usage"),
    ],
)
def test_the_step_ends_as_the_gate_does_and_says_the_outcome(tmp_path, run_step, inputs, code, outcome):
    found = run_step(**inputs)
    assert found.returncode == code, found.stdout + found.stderr
    assert (tmp_path / "output").read_text() == f"outcome={outcome}\n"
    assert (tmp_path / "srlm-gate.xml").exists() == (tmp_path / "summary.md").exists() == (code != 2)


@pytest.mark.parametrize(("code", "outcome"), [(6, "budget-spent"), (7, "engine-failed"), (70, "error")])
def test_an_early_end_has_an_outcome_too(tmp_path, run_step, code, outcome):
    command = tmp_path / "temp" / "srlm-gate" / "bin" / "srlm"
    command.unlink()
    command.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
    command.chmod(0o755)
    assert run_step(candidate="equal", baseline="M1").returncode == code
    assert (tmp_path / "output").read_text() == f"outcome={outcome}\n"


def test_a_name_cannot_become_a_command(tmp_path, run_step):
    for name in ("$(touch pwned)", '"; touch pwned; "', "--help", "`touch pwned`"):
        found = run_step(candidate=name, baseline=name, run="r")
        assert found.returncode == 2
        assert "Among these results, the model" in found.stderr
    assert not (tmp_path / "pwned").exists()
