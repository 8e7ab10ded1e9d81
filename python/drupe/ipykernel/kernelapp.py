"""The application."""

from IPython.core.application import base_aliases, base_flags
from IPython.core.shellapp import shell_aliases, shell_flags

from drupe.application import IPKernelApp, launch_new_instance  # noqa: F401
from drupe.kernel import IPythonKernel  # noqa: F401
from drupe.shell import ZMQInteractiveShell  # noqa: F401

kernel_aliases = {**base_aliases, **shell_aliases, "f": "IPKernelApp.connection_file"}
kernel_flags = {**base_flags, **shell_flags}


def main() -> None:
    """Run a kernel, which one does here already."""
    launch_new_instance()
