"""The magics that a front-end expects of a kernel, beside IPython's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from IPython.core import page
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from . import shells

if TYPE_CHECKING:
    from .shell import ZMQInteractiveShell


@magics_class
class KernelMagics(Magics):
    """Magics that speak to the front-end, or of the kernel."""

    shell: ZMQInteractiveShell

    @line_magic
    def edit(self, parameter_s: str = "", last_call: tuple[str, str] = ("", "")) -> None:
        """Have the front-end open an editor: on a file, an object's definition, or lines of the history.

        `%edit [-n LINE] [-p] [-r] [target]`. The file is not run when the editor is closed: the kernel does not
        learn of it. Also `%ed`.
        """
        from pathlib import Path

        from IPython.core.magics.code import CodeMagics, MacroToEdit

        options, args = self.parse_options(parameter_s, "prn:")
        try:
            found = CodeMagics._find_edit_target(self.shell, args, options, list(last_call))
        except MacroToEdit:
            print("A macro cannot be edited in a front-end of another process.")
            return
        if found[0] is None:
            return
        payload = {
            "source": "edit_magic",
            "filename": str(Path(found[0]).resolve()),
            "line_number": found[1],
        }
        self.shell.payload_manager.write_payload(payload)

    @line_magic
    def clear(self, arg_s: str) -> None:
        """Clear the terminal."""
        self.shell.system("clear")

    @line_magic
    def less(self, arg_s: str) -> None:
        """Show a file in the pager; Python files are coloured. Also `%more`."""
        if not arg_s:
            raise UsageError("Missing filename.")
        if arg_s.endswith(".py"):
            from IPython.utils import openpy

            text = self.shell.pycolorize(openpy.read_py_file(arg_s, skip_encoding_cookie=False))
        else:
            with open(arg_s, encoding="utf-8", errors="replace") as file:
                text = file.read()
        page.page(text)

    # IPython says of the decorator with a name that it may return itself.
    more = line_magic("more")(less)  # type: ignore[arg-type, var-annotated]

    @line_magic
    def man(self, arg_s: str) -> None:
        """Show a manual page in the pager."""
        page.page(self.shell.getoutput(f"man {arg_s} | col -b", split=False))

    @line_magic
    def connect_info(self, arg_s: str) -> None:
        """Print how another client can connect to this kernel."""
        file = self.shell.kernel.connection_file
        try:
            with open(file, encoding="utf-8") as opened:
                print(opened.read().rstrip() + "\n")
        except OSError as error:
            raise UsageError(f"The connection file cannot be read: {error}") from error
        print(
            "Paste the above JSON into a file, and connect with:\n"
            "    $> jupyter <app> --existing <file>\n"
            "or, if you are local, you can connect with just:\n"
            f"    $> jupyter <app> --existing {os.path.basename(file)}\n"
            "or even just:\n"
            "    $> jupyter <app> --existing\n"
            "if this is the most recent Jupyter kernel you have started."
        )

    @line_magic
    def qtconsole(self, arg_s: str) -> None:
        """Open a Qt console on this kernel."""
        import sys
        from subprocess import DEVNULL, Popen

        file = self.shell.kernel.connection_file
        command = [sys.executable, "-m", "qtconsole", "--existing", file, *arg_s.split()]
        Popen(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)

    @line_magic
    def autosave(self, arg_s: str) -> None:
        """Set the interval at which the notebook is saved, in seconds; 0 turns it off."""
        from IPython.display import Javascript, display

        try:
            interval = int(arg_s)
        except ValueError as error:
            raise UsageError(f"%autosave requires an integer, got {arg_s!r}") from error
        script = f"IPython.notebook.set_autosave_interval({1000 * interval})"
        display(Javascript(script), include=["application/javascript"])
        print(f"Autosaving every {interval} seconds" if interval else "Autosave disabled")

    @line_magic
    def subshell(self, arg_s: str) -> None:
        """Print which shell this is, and which subshells there are."""
        import sys
        import threading

        if not self.shell.kernel._supports_kernel_subshells:
            print("Kernel does not support subshells")
            return
        here = shells.here()
        subshells = sys.modules.get("drupe.subshells")
        print(f"subshell id: {here.subshell.id if here is not None else None}")
        print(f"thread id: {threading.get_ident()}")
        print(f"main thread id: {threading.main_thread().ident}")
        print(f"pid: {os.getpid()}")
        print(f"thread count: {threading.active_count()}")
        print(f"subshell list: {subshells.listed() if subshells is not None else []}")

    @line_magic
    def threads(self, arg_s: str) -> None:
        """Print the threads of the kernel: who, what for, since when, and where they stand."""
        from .threads import table

        print(table())
