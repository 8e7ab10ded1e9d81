"""The class of the comms' manager."""

from drupe.commtypes import Comm, CommManager  # noqa: F401
