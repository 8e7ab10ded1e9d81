"""Comms, as older libraries make them."""

from .comm import Comm
from .manager import CommManager

__all__ = ["Comm", "CommManager"]
