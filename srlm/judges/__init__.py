"""LLM-as-a-judge.

pointwise.py, pairwise.py, grading.py   score one answer, compare two, grade a conversation
template.py, rubric.py, prompts/        the judge's prompt and its scale
sanitize.py, injection.py               untrusted text in the prompt; detection of prompt injections
parse.py                                the verdict in the judge's reply
preference_data.py, measure_judge_card.py, judge_card.py   agreement of a judge with labelled pairs
score_file.py                           scores for a file of answers (`srlm judge FILE`)
"""
