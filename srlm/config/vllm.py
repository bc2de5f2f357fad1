"""Settings of the vLLM engine, by vLLM's names."""

from typing import Any

from pydantic import Field

from srlm.config.section import Section


class VLLMConfig(Section):
    """The vLLM engine, for engine=vllm and for models named vllm:PATH."""

    tensor_parallel_size: int = Field(1, ge=1, description="GPUs over which the layers of one model are split")
    data_parallel_size: int = Field(1, ge=1, description="copies of the model, each on GPUs of its own")
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1, description="share of each GPU's memory that vLLM may use")
    max_model_len: int | None = Field(
        None, ge=16, description="maximum number of tokens of prompt and answer; null: the model's context"
    )
    enforce_eager: bool = Field(False, description="no compilation: starts sooner, generates more slowly")
    extra_args: dict[str, Any] = Field(
        {}, description="any other argument of vLLM's engine, by vLLM's name for it; none that names code to run"
    )

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of vLLM's engine."""
        return {
            "tensor_parallel_size": self.tensor_parallel_size,
            "data_parallel_size": self.data_parallel_size,
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "enforce_eager": self.enforce_eager,
            **({"max_model_len": self.max_model_len} if self.max_model_len else {}),
            **self.extra_args,
        }
