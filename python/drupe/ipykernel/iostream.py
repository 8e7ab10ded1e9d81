"""The streams."""

from drupe.session import Channel as BackgroundSocket  # noqa: F401
from drupe.session import IOPubThread  # noqa: F401
from drupe.streams import OutStream  # noqa: F401

MASTER, CHILD = 0, 1
