"""Starts a kernel, as ipykernel's file of this name does.

Its path is `sys.argv[0]` in a kernel, which libraries look at, and with which a program may start itself again. Run by path,
never imported.
"""

if __name__ == "__main__":
    import os
    import runpy

    folder = os.path.dirname(os.path.abspath(__file__))
    runpy.run_path(os.path.join(folder, "__main__.py"), run_name="__main__")
