"""The inline backend's configuration."""

from matplotlib_inline.config import *  # noqa: F403
