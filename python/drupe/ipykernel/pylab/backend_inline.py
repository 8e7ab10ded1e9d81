"""The inline backend, which is a package of its own now."""

from matplotlib_inline.backend_inline import *  # noqa: F403
