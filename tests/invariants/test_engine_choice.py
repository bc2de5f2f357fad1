"""The engine of a run: chosen when it begins, kept on every machine; and the calls to servers, as the command says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from srlm.config_file import load_config
from srlm.console import Progress
from srlm.engines.choice import EngineChoice
from srlm.engines.client_config import ClientConfig
from srlm.errors import MissingDependency
from srlm.runs import start_run
from trainer.session import Session


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "Name a colour."}\n{"prompt": "Name a fish."}\n', encoding="utf-8")
    return file


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the loop of `srlm train` is given, in place of running it."""
    given: list[tuple[Any, ...]] = []
    monkeypatch.delenv("SRLM_ENGINE", raising=False)
    monkeypatch.setattr("trainer.preflight.preflight", lambda config: None)
    monkeypatch.setattr("trainer.loop.train", lambda *words: given.append(words))
    return given


def test_a_run_keeps_the_engine_that_it_began_with(cli, loops, tmp_path: Path, monkeypatch) -> None:
    """It begins on a machine with CUDA and vLLM, which one line says, and is resumed on this one."""
    again = ("train", "quickstart", "--runs", tmp_path, "--name", "r")
    monkeypatch.setattr("srlm.runs.choose_engine", lambda device: EngineChoice("vllm", "Engine: vLLM 0.32.0."))
    begun = cli(*again)
    assert (begun.code, begun.err) == (0, "Engine: vLLM 0.32.0.\n")
    stored = tmp_path / "r" / "run.yaml"
    before = stored.read_bytes()
    monkeypatch.undo()
    monkeypatch.setattr("trainer.loop.train", lambda *words: loops.append(words))
    assert cli(*again).err == ""
    assert [config.engine for config, *_ in loops] == ["vllm", "vllm"]
    assert stored.read_bytes() == before
    assert yaml.safe_load(before)["engine"] == "vllm"
    assert "engine vllm -> hf" in cli(*again, "--set", "engine=hf").err


def test_a_run_of_this_machine_has_its_own_engine(cli, loops, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("srlm.engines.choice.pick_device", lambda device: "cpu")
    assert cli("train", "quickstart", "--runs", tmp_path, "--name", "r").code == 0
    assert yaml.safe_load((tmp_path / "r" / "run.yaml").read_text())["engine"] == "hf"


def test_without_its_engine_a_run_stops_and_takes_no_other(
    cli, tiny_model: Path, prompts: Path, tmp_path: Path, monkeypatch
) -> None:
    def require(*words: str) -> None:
        raise MissingDependency(*words)

    monkeypatch.setattr("srlm.engines.vllm.require", require)
    settings = [f"model={tiny_model}", f"instructions.source={prompts}", "judge.scoring=expected"]
    words = [word for one in settings for word in ("--set", one)]
    config = load_config("instruct", settings).model_copy(update={"engine": "vllm"})
    run = start_run(tmp_path / "runs", "r", config)
    result = cli("train", "instruct", *words, "--runs", tmp_path / "runs", "--name", "r")
    assert result.code == 2, result.err
    assert "The engine vllm needs the library vllm, which is not installed here" in result.err
    assert "pip install vllm~=0.32.0 " in result.err
    assert run.config.engine == "vllm"
    assert run.existing_ledger is None  # nothing was asked of anyone
    run.close()


def test_a_training_takes_the_connections_and_the_timeout_of_the_command(cli, loops, tmp_path: Path) -> None:
    again = ("train", "quickstart", "--set", "engine=hf", "--runs", tmp_path, "--name", "r")
    for options in ((), ("--max-connections", 40, "--timeout", 7)):
        result = cli(*again, *options)
        assert result.code == 0, result.err
    clients = [words[-1] for words in loops]
    assert [(one.max_connections, one.timeout) for one in clients] == [(None, 300.0), (40, 7.0)]


@pytest.mark.parametrize("protocol", ["openai", "vllm"])
def test_a_session_opens_servers_with_them(protocol: str, tmp_path: Path) -> None:
    pytest.importorskip("openai")
    config = load_config("quickstart", [])
    run = start_run(tmp_path, "r", config)
    client = ClientConfig(40, 7.0)
    session = Session(config, run, Progress(quiet=True), client=client)
    assert session.engine(f"{protocol}:m@http://127.0.0.1:1/v1").client_config is client  # type: ignore[attr-defined]
    run.close()
