"""What libraries read of the debugger: whether there is one."""

_is_debugpy_available = False
