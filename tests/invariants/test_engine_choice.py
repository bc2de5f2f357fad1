"""The engine of a run: chosen when it begins, kept on every machine; and the calls to servers, as the command says."""

from typing import Any

import pytest
import yaml

from srlm.engines.client_config import ClientConfig


def test_a_run_keeps_the_engine_that_it_began_with(cli, own_run, tiny_config, monkeypatch):
    """As if it had begun on a machine with CUDA and vLLM: here it goes on with vLLM or not at all."""
    monkeypatch.delenv("SRLM_ENGINE", raising=False)
    again = ("train", tiny_config, "--runs", own_run.folder.parent, "--name", "r")
    stored = own_run.folder / "run.yaml"
    settings = yaml.safe_load(stored.read_text())
    assert settings["engine"] == "hf"
    stored.write_text(yaml.safe_dump(settings | {"engine": "vllm"}, sort_keys=False))
    before, calls = stored.read_bytes(), own_run.calls()
    done = cli(*again)
    assert done.code == 0, done.err
    assert "Nothing to do" in done.out
    for file in ("candidates", "verdicts"):
        (own_run.folder / "M3" / f"{file}.jsonl").unlink()
    monkeypatch.setattr("srlm.engines.vllm.require", _missing)
    stopped = cli(*again)
    assert stopped.code != 0
    assert "The engine vllm" in stopped.err
    assert stored.read_bytes() == before
    assert own_run.calls() == calls
    refused = cli(*again, "--set", "engine=hf")
    assert "engine vllm -> hf" in refused.err


def _missing(library: str, purpose: str, extra: str) -> None:
    from srlm.errors import MissingDependency

    raise MissingDependency(library, purpose, extra)


def test_a_training_takes_the_connections_and_the_timeout_of_the_command(cli, own_run, tiny_config, monkeypatch):
    taken: list[ClientConfig] = []

    def loop(config: Any, run: Any, progress: Any, strict: bool, budget: Any, client: ClientConfig) -> None:
        taken.append(client)

    monkeypatch.setattr("trainer.loop.train", loop)
    again = ("train", tiny_config, "--runs", own_run.folder.parent, "--name", "r")
    for options in ((), ("--max-connections", 40, "--timeout", 7)):
        result = cli(*again, *options)
        assert result.code == 0, result.err
    assert [(one.max_connections, one.timeout) for one in taken] == [(None, 300.0), (40, 7.0)]


@pytest.mark.parametrize("model", ["openai:m@http://127.0.0.1:1/v1", "vllm:m@http://127.0.0.1:1/v1"])
def test_a_session_opens_servers_with_them(model, own_run):
    pytest.importorskip("openai")
    from srlm.console import Progress
    from srlm.runs import open_run
    from trainer.session import Session

    run = open_run(own_run.folder.parent, "r")
    client = ClientConfig(40, 7.0)
    assert Session(run.config, run, Progress(quiet=True), client=client).engine(model).client_config is client
    run.close()
