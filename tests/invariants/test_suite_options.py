"""`srlm eval` takes the options that the suites declare, and its help groups them by suite."""


def test_the_help_groups_options_by_suite(cli):
    text = " ".join(cli("eval", "--help").out.split())
    for part in (
        "Suites: alpaca win rate against references",
        "Options of every suite: --limit",
        "Options of alpaca, head-to-head, mt-bench: --prompts FILE alpaca, head-to-head: A baseline's",
        "Options of head-to-head: --baseline",
        "Options of reward: --ranked",
    ):
        assert part in text
