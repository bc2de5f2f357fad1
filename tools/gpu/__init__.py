"""The parts of the check of a GPU (`tools/gpu_check.py`): what each measures, and which results must be equal."""
