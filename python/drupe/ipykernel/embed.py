"""A kernel in a running program: here one runs already."""


def embed_kernel(module=None, local_ns=None, **kwargs):
    """See the error."""
    raise NotImplementedError(
        "this is a kernel already: connect another client to it with %connect_info. A program of its own embeds a kernel with "
        "drupe.embed()"
    )
