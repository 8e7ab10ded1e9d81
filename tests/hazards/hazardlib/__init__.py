"""The hazard table: states from which a kernel has to end well, and the means to try them.

`table` reads the rows, `kernels` knows how each kernel is started, `process` and `client` are the
two things a row is played on, `scene` plays one row and `verdict` says what did not hold.
Nothing here knows drupe from the inside: everything goes through sockets, signals and files.
"""
