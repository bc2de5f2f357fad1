"""`python -m srlm` is `srlm`."""

from srlm.cli.main import main

if __name__ == "__main__":
    main()
