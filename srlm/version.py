"""Version of srlm, in a module of its own, so that others need not import the package with its API."""

__version__ = "0.1.0"
