"""drupe: a Jupyter kernel. The Python half: the IPython shell and what it says to the wire.

Importing this package starts nothing and loads nothing; `drupe.app.main` is the way in.
"""


def __getattr__(name: str):
    if name == "__version__":
        from ._drupe import __version__

        return __version__
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
