"""Which engine `engine: auto` is: by the device, the vLLM that is installed, and the user's environment."""

from importlib.metadata import PackageNotFoundError

import pytest

pytest.importorskip("torch")

from srlm.config import TrainConfig
from srlm.engines.choice import VARIABLE, EngineChoice, choose_engine
from srlm.engines.vllm_arguments import SERIES
from srlm.errors import UsageError


def machine(monkeypatch: pytest.MonkeyPatch, device: str, vllm: str | None) -> None:
    """Pretend that torch finds this device, and that this version of vLLM is installed, or none."""

    def version(name: str) -> str:
        if vllm is None:
            raise PackageNotFoundError(name)
        return vllm

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("srlm.engines.choice.pick_device", lambda wanted: device)
    monkeypatch.setattr("srlm.engines.choice.version", version)


def test_the_default_is_auto() -> None:
    assert TrainConfig(model="smollm2").engine == "auto"


@pytest.mark.parametrize("vllm", [None, f"{SERIES}.0"])
@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_without_cuda_it_is_transformers_and_nothing_is_said(
    device: str, vllm: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, device, vllm)
    assert choose_engine("auto") == EngineChoice("hf")


def test_with_cuda_and_vllm_it_is_vllm_and_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "cuda", f"{SERIES}.1.post2")
    choice = choose_engine("auto")
    assert choice.engine == "vllm"
    assert choice.message == (
        f"Engine: vLLM {SERIES}.1.post2, because CUDA and vLLM are there. For transformers set SRLM_ENGINE=hf."
    )


@pytest.mark.parametrize(
    ("device", "vllm", "said"),
    [
        ("cuda", None, "not installed (docs/howto/engines.md)"),
        ("cuda", "0.33.0", f"vLLM 0.33.0 is installed and srlm supports {SERIES}"),
        ("cuda", "0.320.0", "vLLM 0.320.0 is installed"),
        ("cuda:1", f"{SERIES}.0", "leave device out, and set CUDA_VISIBLE_DEVICES=1."),
    ],
)
def test_with_cuda_alone_it_is_transformers_and_one_line_says_why(
    device: str, vllm: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, device, vllm)
    choice = choose_engine(device)
    assert choice.engine == "hf"
    assert choice.message is not None
    assert said in choice.message
    assert "\n" not in choice.message


def test_the_environment_decides_first(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "cuda", f"{SERIES}.0")
    monkeypatch.setenv(VARIABLE, "hf")
    assert choose_engine("auto") == EngineChoice("hf")
    machine(monkeypatch, "cpu", None)
    monkeypatch.setenv(VARIABLE, "vllm")
    assert choose_engine("auto").engine == "vllm"
    monkeypatch.setenv(VARIABLE, "transformers")
    with pytest.raises(UsageError, match=r"SRLM_ENGINE is 'transformers'. Set it to hf or vllm"):
        choose_engine("auto")
