"""Files of AlpacaEval's annotations, made from preferences."""

import json


def annotations(path, model, preferences):
    """Write AlpacaEval's annotations of a model; return the path."""
    records = [
        {
            "instruction": f"Question {place}?",
            "output_1": "b" * 20,
            "generator_1": "base",
            "output_2": "m" * (10 + place),
            "generator_2": model,
            "annotator": "someone",
            "preference": one,
        }
        for place, one in enumerate(preferences)
    ]
    path.write_text(json.dumps(records), encoding="utf-8")
    return path
