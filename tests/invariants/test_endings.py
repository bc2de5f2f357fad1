"""How commands end: with an outcome of the gate only where it decided, and in every other case with one message."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from unittest import mock

import pytest

from helpers.gate_runs import POLICY, results_of_two_models
from srlm import crash_report as crash
from srlm.errors import INTERNAL_EXIT, UNREAD_EXIT, USAGE_EXIT

PLACES = (
    "evals.gate.policy.load_policy",
    "evals.gate.decision.decide",
    "evals.gate.decision._chosen",
    "evals.gate.decision.evidence",
    "evals.gate.decision.judge_checks",
    "evals.gate.judge_checks._missing",
    "evals.gate.comparison_json.from_comparison",
    "evals.gate.comparison_json.as_json",
    "evals.compare.comparison.compare_models",
    "evals.compare.comparison._part",
    "evals.compare.sources.load_results",
    "evals.gate.output.junit.as_junit",
    "evals.gate.output.markdown.as_markdown",
    "evals.gate.output.terminal.headline",
    "evals.gate.output.terminal._table",
    "evals.gate.messages.rule_text",
    "evals.gate.output.terminal.print_decision",
    "srlm.runs.open_run",
    "srlm.atomic_files.write_text",
    "srlm.console.stdout",
    "srlm.console.Progress",
    "rich.console.Console.print",
    "srlm.api.gating._compared",
    "evals.metric.paired_difference",
)
ERRORS = (
    RuntimeError("no"),
    KeyError("a"),
    MemoryError(),
    RecursionError("deep"),
    UnicodeEncodeError("ascii", "è", 0, 1, "not in range"),
    OSError("without a number"),
    BrokenPipeError(32, "of some other pipe"),
    TimeoutError("slow"),
    AssertionError(),
    EOFError(),
    StopIteration(),
    SystemExit(0),
    SystemExit(1),
    SystemExit("said by a library"),
    KeyboardInterrupt(),
    GeneratorExit(),
)


@pytest.fixture(autouse=True)
def _reports_apart(tmp_path, monkeypatch):
    """Reports of errors lie where they are cleared away."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def here(tmp_path):
    results_of_two_models(tmp_path / "runs")
    (tmp_path / "gate.yaml").write_text(POLICY, encoding="utf-8")
    return tmp_path


@pytest.fixture
def gate(cli, here):
    words = ("--baseline", "M1", "--policy", "gate.yaml", "--runs", "runs", "--junit", "j.xml", "--summary", "s.md")
    return lambda *more, **how: cli("gate", "equal", *words, *more, cwd=here, **how)


@pytest.mark.parametrize("place", PLACES)
def test_an_error_anywhere_on_the_gates_way_is_no_outcome(gate, place):
    with mock.patch(place, side_effect=ERRORS[PLACES.index(place) % len(ERRORS)]) as called:
        found = gate()
    assert called.called
    assert found.code not in {0, 1, 3, 4}
    assert "Traceback" not in found.err
    assert found.err


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_every_class_of_error_is_one_message(gate, error):
    with mock.patch("evals.gate.decision.decide", side_effect=error):
        found = gate()
    assert found.code == {KeyboardInterrupt: 130, BrokenPipeError: USAGE_EXIT}.get(type(error), INTERNAL_EXIT)
    assert found.out == ""
    if found.code == INTERNAL_EXIT:
        (said,) = found.errors
        assert type(error).__name__ in said
        report = Path(said.rstrip().rpartition(" ")[2])
        assert report.stat().st_mode & 0o077 == 0


def test_a_report_has_the_place_and_neither_secrets_nor_what_a_run_is_about(monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "very-hidden-value")
    words = [
        "srlm",
        "judge",
        "--judge",
        "openai:x@http://user:pw-hidden@host/v1",
        "sk-hidden123456",
        "very-hidden-value",
    ]
    try:
        secret = "a local value that is hidden"
        raise ValueError(f"token=hidden {'x' * 5_000} {secret}")
    except ValueError as error:
        try:
            raise RuntimeError("Authorization: Bearer hidden") from error
        except RuntimeError as last:
            text = crash.report(last, [*words, "y" * 900, str(Path.home() / "mine")])
    lines = [line for line in text.splitlines() if not line.startswith("    ")]  # the code is ours
    assert "hidden" not in "\n".join(lines)
    assert "test_endings.py" in text and "RuntimeError" in text and "ValueError" in text
    assert max(map(len, text.splitlines())) < 1_000
    assert str(Path.home()) not in "\n".join(lines)
    assert "~/mine" in text


def test_a_report_that_cannot_be_written_is_left_out(gate):
    with (
        mock.patch("evals.gate.decision.decide", side_effect=ValueError),
        mock.patch("tempfile.mkstemp", side_effect=OSError),
    ):
        found = gate()
    assert found.code == INTERNAL_EXIT
    assert "ValueError" in found.err


def test_a_mistake_of_use_is_two_and_harmless(cli):
    for words in (["compare"], ["compare", "--nope\n::error::x"], ["\n::add-mask::x\x1b[2J"], ["gate"], []):
        found = cli(*words)
        assert found.code == USAGE_EXIT
        assert not any(line.lstrip().startswith("::") for line in found.err.splitlines())
        assert "\x1b" not in found.err


def test_streams_that_are_closed_and_a_reader_that_left(cli, here):
    words = "gate equal --baseline M1 --runs runs"
    assert shell(cli, f"srlm {words} <&- 2>&- >&-", here).returncode == 0
    found = shell(cli, "srlm compare NOTHING 2>&-", here)
    assert (found.returncode, found.stdout) == (USAGE_EXIT, "")
    found = shell(cli, f"srlm {words} | (exec <&-; sleep 0.01); exit ${{PIPESTATUS[0]}}", here)
    assert found.returncode == UNREAD_EXIT
    assert found.stderr == ""


def shell(cli, line, folder):
    path = f"{Path(sys.executable).parent}{os.pathsep}{cli.environment['PATH']}"
    line = line.replace("srlm ", f'"{sys.executable}" -m srlm ', 1)
    surroundings = {**cli.environment, "PATH": path, "PYTHONPATH": str(Path(crash.__file__).parent.parent)}
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=surroundings, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_the_process_is_told_that_what_is_done_is_kept(gate, number):
    def told(*_):
        signal.raise_signal(number)

    with mock.patch("evals.gate.decision.decide", side_effect=told):
        found = gate()
    assert found.code == 128 + number
    assert "What is done is kept" in found.err


def test_what_is_ignored_stays_ignored(gate):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with mock.patch(
            "evals.gate.output.terminal.print_decision", side_effect=lambda *_: signal.raise_signal(signal.SIGHUP)
        ):
            assert gate().code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


# --- consoles of any encoding -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_a_console_that_lacks_characters_gets_others(cli, here, encoding):
    name = "Modèle 模型 \U0001f600"
    comparison = named_comparison(cli, here, name)
    for words in (
        ["gate", name, "--comparison", comparison],
        ["gate", name, "--comparison", comparison, "--format", "markdown"],
        ["gate", name, "--comparison", comparison, "--format", "json"],
        ["compare", "M1", "equal", "worse", "--runs", "runs"],
        ["compare", "M1", "equal", "worse", "--runs", "runs", "--format", "csv"],
        ["gate", "nobody 模型", "--comparison", comparison],
    ):
        code, out, err = encoded(cli, here, words, encoding)
        assert code == (USAGE_EXIT if "nobody 模型" in words else 0), err
        assert "Error" in err or (not err and out)
        if words[-1] == "json":
            assert json.loads(out)["candidate"] == name
        if encoding == "ascii" and words[0] == "compare":
            assert "\\u" not in out
            assert re.search(r"\bv -\d", out) or "csv" in words


def encoded(cli, folder, words, encoding):
    """A command whose streams have an encoding, inside of this process."""
    from srlm.cli.main import main

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    with (
        mock.patch.dict(os.environ, cli.environment, clear=True),
        mock.patch.multiple(sys, argv=["srlm", *map(str, words)], stdout=out, stderr=err),
        mock.patch("srlm.cli.main.answer_signals"),
        chdir(folder),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    out.seek(0), err.seek(0)
    return ended.value.code, out.read(), err.read()


def named_comparison(cli, folder, name):
    """A comparison as JSON with a model of that name in the place of `equal`."""
    made = cli("compare", "M1", "equal", "--format", "json", "--runs", "runs", cwd=folder)
    path = folder / "comparison.json"
    path.write_text(json.dumps(json.loads(made.out.replace('"equal"', json.dumps(name)))), encoding="utf-8")
    return path


# --- numbers that no clock and no memory can bear ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("judge", "answers.jsonl", "--samples", "100000000000"),
        ("judge", "answers.jsonl", "--max-tokens", "1" + "0" * 20),
        ("judge", "answers.jsonl", "--temperature", "nan"),
        ("judge", "answers.jsonl", "--temperature", "inf"),
        ("judge", "answers.jsonl", "--top-p", "nan"),
        ("judge", "answers.jsonl", "--timeout", "inf"),
        ("judge", "answers.jsonl", "--timeout", "nan"),
        ("judge", "answers.jsonl", "--timeout", "1e300"),
        ("judge", "answers.jsonl", "--max-cost", "nan"),
        ("judge", "card", "smollm2", "--limit", "1" + "0" * 30),
        ("eval", "M1", "--limit", "1" + "0" * 30),
        ("eval", "M1", "--max-tokens", "1" + "0" * 20),
        ("gate", "pin", "smollm2", "--limit", "1" + "0" * 30),
        ("annotate", "M1", "M2", "--pairs", "1" + "0" * 30),
    ],
    ids=" ".join,
)
def test_numbers_without_measure_are_refused(cli, words):
    found = cli(*words)
    assert found.code == USAGE_EXIT
    assert words[-2] in found.err
    assert "Traceback" not in found.err
