"""A kernel in a running program: here one runs already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import NoReturn


def embed_kernel(module: object = None, local_ns: object = None, **kwargs: object) -> NoReturn:
    """See the error."""
    raise NotImplementedError(
        "this is a kernel already: connect another client to it with %connect_info. A program of its own embeds a kernel with "
        "drupe.embed()"
    )
