"""The example notebooks run from top to bottom, with smaller settings where a cell is tagged "parameters"."""

import pytest

nbclient = pytest.importorskip("nbclient")
import nbformat

from helpers.paths import ROOT

SMALL = {
    "train_and_compare": """
settings = {
    "iterations": 1, "seeds.ift_limit": 8, "seeds.eft_limit": 16, "seeds.validation_limit": 4, "sft.epochs": 1,
    "instructions.count": 12, "candidates": 3, "dpo.epochs": 1, "dpo.replay": 2, "judge.scoring": "expected",
}
models, prompts = ["M1", "M2"], 40
""",
}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source += f"\n{SMALL[path.stem]}"
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    errors = [output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    assert errors == []
