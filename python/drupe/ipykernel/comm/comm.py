"""The classes of a comm."""

from drupe.commtypes import BaseComm, Comm  # noqa: F401
