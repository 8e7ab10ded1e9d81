"""The kernel."""

from drupe.compiler import XCachingCompiler  # noqa: F401
from drupe.kernel import IPythonKernel
from drupe.kernel import Kernel as KernelBase  # noqa: F401
from drupe.shell import ZMQInteractiveShell  # noqa: F401

# An old name of the class.
Kernel = IPythonKernel
