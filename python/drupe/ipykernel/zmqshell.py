"""The shell."""

from drupe.display import ZMQDisplayPublisher, ZMQShellDisplayHook  # noqa: F401
from drupe.magics import KernelMagics  # noqa: F401
from drupe.shell import InteractiveShell, InteractiveShellABC, ZMQExitAutocall, ZMQInteractiveShell  # noqa: F401
