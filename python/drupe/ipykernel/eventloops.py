"""The event loops of toolkits."""

from drupe.gui import enable_gui, get_shell_stream, loop_map, register_integration  # noqa: F401
