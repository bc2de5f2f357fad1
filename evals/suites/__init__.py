"""One file a suite: prompts in, answers and verdicts through the kernel, one result file out."""
