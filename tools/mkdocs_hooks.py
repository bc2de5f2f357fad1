"""Hooks of the documentation site: pages of the repository outside docs/, and links that lead out of docs/.

CONTRIBUTING.md, CHANGELOG.md and the pages under results/ become pages of the site under the same path. A link to any
other file of the repository works on GitHub alone; on the site it becomes the path of the file.
"""

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
ADDED = (
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "tests/invariants/README.md",
    "results/README.md",
    "results/published/README.md",
    "results/reproductions/*/README.md",
    "results/reproductions/*/*.svg",
)

_FENCES = re.compile(r"(^[ ]*(?:```|~~~).*?^[ ]*(?:```|~~~)[ ]*$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_ELSEWHERE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|#)", re.IGNORECASE)


def on_files(files: Any, *, config: Any) -> Any:
    """Add the pages and pictures outside docs/ to the files of the site."""
    for pattern in ADDED:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Rewrite the links of a page from paths of the repository to paths of the site."""
    place = page.file.src_uri
    source = place if (ROOT / place).exists() else f"docs/{place}"
    present = {file.src_uri for file in files}
    parts = _FENCES.split(markdown)
    return "".join(part if index % 2 else rewrite(part, source, present) for index, part in enumerate(parts))


def rewrite(text: str, source: str, present: set[str]) -> str:
    """Rewrite the links in `text`, of the file `source` in the repository; `present` are the files of the site."""
    here = PurePosixPath(source)
    folder = here.relative_to("docs").parent if here.is_relative_to("docs") else here.parent

    def link(found: re.Match[str]) -> str:
        path, hash_sign, anchor = found["target"].partition("#")
        if _ELSEWHERE.match(found["target"]):
            return found[0]
        target = os.path.normpath(here.parent / path)
        on_site = target.removeprefix("docs/")
        if on_site in present:
            return f"{found['image']}[{found['text']}]({os.path.relpath(on_site, folder)}{hash_sign}{anchor})"
        named = target.removesuffix(".py").endswith(found["text"].strip("`/").removesuffix(".py"))
        return f"`{target}`" if named else f"{found['text']} (`{target}`)"

    return _LINK.sub(link, text)
