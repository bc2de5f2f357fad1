"""The names of the Python API: complete, documented, typed, and loaded when they are first used."""

import inspect
import subprocess
import sys
import typing

import pytest

import srlm
from srlm import api


def test_every_function_is_exported_and_nothing_else():
    assert srlm.__all__ == ["__version__", *api.__all__] == ["__version__", *sorted(api.__all__)]
    public = {name for name, value in vars(api).items() if inspect.isfunction(value)}
    assert public == {*api.__all__}
    assert {*srlm.__all__} <= {*dir(srlm)}


@pytest.mark.parametrize("name", api.__all__)
def test_a_function_is_typed_and_documented_with_an_example(name):
    function = getattr(srlm, name)
    assert function is getattr(api, name)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    text = inspect.getdoc(function)
    assert "Example:" in text
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty
        assert f"    {parameter.name}: " in text
    assert typing.TYPE_CHECKING is False


def test_a_name_that_is_none_is_no_attribute():
    with pytest.raises(AttributeError, match="'srlm' has no attribute 'trian'"):
        srlm.trian  # noqa: B018


@pytest.mark.parametrize(
    ("code", "loaded"),
    [("import srlm", {"srlm"}), ("import srlm; srlm.train, srlm.judge, srlm.gate", {"srlm"})],
    ids=["the package", "its functions"],
)
def test_importing_loads_no_other_library(code, loaded):
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}} - sys.stdlib_module_names)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    ours = {"srlm", "trainer", "evals", "torch", "numpy", "pydantic", "yaml", "typer", "rich", "pandas", "scipy"}
    assert {*found.stdout.split()} & ours == loaded
