"""What every kernel has."""

from drupe.kernel import Kernel  # noqa: F401
from drupe.session import Session  # noqa: F401
