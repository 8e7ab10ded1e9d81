"""How a value is shown."""

from drupe.display import ZMQShellDisplayHook  # noqa: F401
