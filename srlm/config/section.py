"""Base class of every section of the configuration, and what several sections have: sampling, one name or several."""

from typing import Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from srlm.types import Sampling


class Section(BaseModel):
    """A frozen part of the configuration. Unknown keys, infinity and NaN are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


OneOrSeveral = BeforeValidator(_listed)
"""Annotation of a tuple of texts that may be given as one text."""


class SamplingConfig(Section):
    """Sampling from a model."""

    temperature: float = Field(0.7, ge=0, description="0 is greedy decoding; the paper samples candidates at 0.7")
    top_p: float = Field(0.9, gt=0, le=1, description="probability mass of nucleus sampling; the paper's 0.9")
    max_tokens: int = Field(512, ge=1, description="maximum number of tokens per answer (not in the paper)")

    def resolved(self, stop: tuple[str, ...] = ()) -> Sampling:
        """Return the sampling of a request, which ends at any of the strings in `stop` too."""
        return Sampling(self.temperature, self.top_p, self.max_tokens, stop)
