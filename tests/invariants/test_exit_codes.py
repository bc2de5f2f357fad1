"""Each exit code once, through the real command line: a job distinguishes by them how a command ended."""

import re
import shutil
import signal
from dataclasses import replace
from unittest import mock

import pytest
import yaml

from helpers.gate_runs import CARD, COIN, POLICY, a_run, result
from srlm.errors import EXIT_CODES


@pytest.fixture
def gate(cli, tmp_path):
    """`srlm gate` of a candidate against M1 in a run of its own."""

    def run(candidate, prompts=400, card=CARD):
        a_run(tmp_path / "runs", "r", result("M1", 0, prompts=prompts, card=card), candidate)
        (tmp_path / "gate.yaml").write_text(POLICY, encoding="utf-8")
        return cli("gate", candidate.model, "--baseline", "M1", "--runs", "runs", cwd=tmp_path)

    return run


@pytest.fixture
def train(cli, own_run, tiny_config):
    """`srlm train` of a run that has M1 and the candidates for M2, and was started with another value of a setting."""
    stored = own_run.folder / "run.yaml"

    def run(section, key, value, *words):
        for path in (own_run.folder / "M2" / "checkpoint", own_run.folder / "M3"):
            shutil.rmtree(path)
        config = yaml.safe_load(stored.read_text(encoding="utf-8"))
        config[section][key] = value
        stored.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        at = ("--runs", own_run.folder.parent, "--name", "r")
        return cli("train", tiny_config, *at, "--set", f"{section}.{key}={value}", *words)

    return run


@pytest.fixture
def judge(cli, tmp_path):
    """`srlm judge` of one answer."""
    pytest.importorskip("openai")
    (tmp_path / "answers.json").write_text('[{"instruction": "Name a colour.", "output": "Red."}]', encoding="utf-8")
    return lambda judge, *words: cli("judge", "answers.json", "--judge", judge, *words, cwd=tmp_path)


def test_0_success(cli):
    assert cli("--version").code == 0


def test_1_regression(gate):
    assert gate(result("M2", 100)).code == 1


def test_2_usage_or_data(cli, tmp_path):
    assert cli("compare", "M1", "M2", "--runs", tmp_path).code == 2


def test_3_inconclusive(gate):
    assert gate(result("M2", 1, prompts=20), prompts=20).code == 3


def test_4_judge_broken(gate):
    card = replace(CARD, agreement=COIN)
    assert gate(result("M2", 0, card=card), card=card).code == 4


def test_5_stopped_by_strict(train):
    assert train("monitor", "min_diversity", 1, "--strict").code == 5


def test_6_budget_spent(judge):
    pytest.importorskip("genai_prices")
    assert judge("openai:gpt-4o-mini@http://127.0.0.1:1", "--max-cost", 0).code == 6


def test_7_engine_failed(judge):
    assert judge("openai:x@http://127.0.0.1:1", "--timeout", 1).code == 7


def test_8_training_failed(train):
    assert train("dpo", "learning_rate", 10000).code == 8


def test_70_internal_error(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with mock.patch("srlm.runs.open_run", side_effect=RuntimeError):
        assert cli("show", "M2-p0000").code == 70


def test_128_and_the_signal_interrupted(cli):
    with mock.patch("srlm.runs.open_run", side_effect=lambda *_: signal.raise_signal(signal.SIGINT)):
        assert cli("show", "M2-p0000").code == 130


def test_141_the_reader_left(cli):
    process = cli.start("--help")
    process.stdout.close()
    assert process.wait(timeout=60) == 141


def test_every_documented_code_has_one_case():
    cases = [name.split("_")[1] for name in globals() if re.match(r"test_\d+_", name)]
    assert cases == [code.partition(" ")[0] for code in EXIT_CODES]
