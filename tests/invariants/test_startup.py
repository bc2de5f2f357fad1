"""Start-up imports next to nothing, so that `srlm --help` answers at once."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

HEAVY = {"torch", "transformers", "trl", "openai", "anthropic", "scipy", "pandas", "pydantic"}
COMMANDS = (
    *("train", "eval", "compare", "gate", "gate init", "gate pin", "report"),
    *("annotate", "label", "judge", "judge card", "export", "show", "ledger", "doctor"),
)


def test_help_lists_the_commands(cli):
    result = cli.apart("--help")
    assert result.code == 0
    assert result.err == ""
    listed = result.out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line[2:].partition("  ")[0] for line in listed if line[2] != " "] == [*COMMANDS]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(cli, command):
    result = cli(*command.split(), "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: srlm {command} ")


def test_the_command_alone_gives_help(cli):
    result = cli()
    assert "Usage: srlm" in result.out + result.err
    assert "Traceback" not in result.err


def test_version(cli):
    result = cli.apart("--version")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("srlm ")


def test_start_up_imports_no_heavy_library(cli):
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import srlm.cli.main, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))",
        ],
        env=cli.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    modules = set(found.stdout.split())
    assert "typer" in modules
    assert modules & HEAVY == set()


def test_the_doctor_names_the_extra_of_what_is_not_installed(cli):
    result = cli.apart("doctor")
    assert "srlm train can run here" in result.out
    lines = {line.split()[1]: line for line in result.out.splitlines() if len(line.split()) > 2}
    for library, extra in (("lm-eval", "nlp"), ("matplotlib", "report"), ("tensorboard", "trackers"), ("vllm", "vllm")):
        installed = find_spec(library.replace("-", "_")) is not None
        assert lines[library].split()[0] == ("ok" if installed else "optional")
        assert installed or f"pip install 'srlm[{extra}]'" in lines[library]
