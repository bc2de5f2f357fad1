"""Entry point of `python -m srlm`, which is `srlm`."""

from srlm.cli.main import main

if __name__ == "__main__":
    main()
