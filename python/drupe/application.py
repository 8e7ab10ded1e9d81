"""IPython's application around the shell: its profile, configuration files, command line, extensions and start-up code.

The class is ipykernel's by name, since users' configuration files and libraries know it by that. Made by `app.py`, once.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from IPython.core.application import BaseIPythonApplication
from IPython.core.shellapp import InteractiveShellApp
from traitlets import Any, Bool, Unicode
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigList, DeferredConfigString

from . import _drupe, hooks
from .facade import named
from .log import log
from .session import lacking
from .shell import ZMQInteractiveShell

if TYPE_CHECKING:
    import logging
    import typing
    from collections.abc import Callable
    from types import ModuleType
    from typing import NoReturn

_ONE = "a kernel runs in this process already; start another one in a process of its own"


class _Given(DeferredConfigString):
    """What the command line gives a trait: each of the values where that is a list or the like, else the last one."""

    values: list[str]

    def __new__(cls, values: list[str]) -> _Given:
        given = super().__new__(cls, values[-1])
        given.values = values
        return given

    def get_value(self, trait: typing.Any) -> typing.Any:
        if hasattr(trait, "from_string_list"):
            return DeferredConfigList(self.values).get_value(trait)
        return super().get_value(trait)


@named("kernelapp")
@lacking(
    {
        _ONE: "initialize start init_blackhole init_connection_file init_control init_heartbeat init_io init_iopub init_kernel "
        "init_pdb init_poller init_signal init_sockets configure_tornado_logger patch_io reset_io close",
        "the core reads, writes and removes the connection file": "write_connection_file load_connection_file "
        "load_connection_info cleanup_connection_file cleanup_ipc_files cleanup_random_ports log_connection_info",
        "use jupyter_client's BlockingKernelClient with the connection file": "blocking_client connect_control connect_hb "
        "connect_iopub connect_shell connect_stdin",
    }
)
class IPKernelApp(BaseIPythonApplication, InteractiveShellApp):
    """The kernel's configuration, and the start of its shell."""

    shell: ZMQInteractiveShell

    name = Unicode("ipython-kernel")
    connection_file = Unicode("").tag(config=True)
    quiet = Bool(True, help="Whether the terminal that started the kernel sees no output.").tag(
        config=True
    )
    kernel = Any()
    crash_handler: typing.Any = None
    subapp = heartbeat = poller = context = None
    curve_publickey = curve_secretkey = None
    no_stdout = no_stderr = trio_loop = False
    capture_fd_output = True
    parent_handle = interrupt = 0
    # The folder that stands in for a profile that cannot be used.
    _temporary = None

    @classmethod
    def launch_instance(cls, argv: typing.Any = None, **kwargs: typing.Any) -> NoReturn:
        raise NotImplementedError(f"IPKernelApp.launch_instance is not there: {_ONE}")

    launch_new_instance = launch_instance

    @property
    def connection_dir(self) -> str:
        return os.path.dirname(self.connection_file)

    @property
    def abs_connection_file(self) -> str:
        return os.path.abspath(self.connection_file)

    def get_connection_info(self, session: bool = False) -> dict:
        """What the connection file says; with the session in the place of its key where that is asked for."""
        with open(self.connection_file, encoding="utf-8") as file:
            info = json.load(file)
        key = info.pop("key", "")
        info.pop("signature_scheme", None) if session else None
        return {**info, "session": self.session} if session else {**info, "key": key.encode()}

    def __getattr__(self, name: str) -> typing.Any:
        # The address and the ports are what the connection file says.
        if name in ("ip", "transport", "kernel_name") or name.endswith("_port"):
            return self.get_connection_info().get(name)
        # Its sockets and its session are the kernel's.
        if name in ("session", "io_loop") or name.endswith(("_socket", "_thread")):
            return getattr(self.kernel, name, None)
        if name == "displayhook":
            return self.shell.displayhook
        if name == "kernel_class":
            return type(self.kernel)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def ports(self) -> dict:
        info = self.get_connection_info()
        return {
            name.removesuffix("_port"): port
            for name, port in info.items()
            if name.endswith("_port")
        }

    def _log_default(self) -> logging.Logger:
        return log

    def _configure_logging(self) -> None:
        """The log is drupe's own; what is left is what a configuration asks for."""
        if self.logging_config:
            super()._configure_logging()

    def configure(self, traits: dict, words: list) -> None:
        """Read the profile's configuration, then the command line's, which is stronger. `traits` has entries
        such as `"HistoryManager.hist_file": [":memory:"]`; `words` is the rest of the command line."""
        given = Config()
        for name, values in traits.items():
            section, _, trait = name.rpartition(".")
            target = given
            for part in filter(None, section.split(".")):
                target = target[part]
            target[trait] = _Given(values)
        given.merge(self._flags(words))
        # Libraries look for the section itself to find out that this is a notebook, and for the file in it.
        given.IPKernelApp.connection_file = self.connection_file
        self.update_config(given)
        self._find_profile()
        try:
            self.init_config_files()
            self.load_config_file(suppress_errors=True)
        except (Exception, SystemExit):
            log.warning("the configuration files could not be read", exc_info=True)
        self.update_config(given)

    def _flags(self, words: list) -> Config:
        """What IPython's own flags among the words say, such as `--profile=work` and `--pylab`."""
        if not words:
            return Config()
        from IPython.core.application import base_aliases, base_flags
        from IPython.core.shellapp import shell_aliases, shell_flags
        from traitlets.config.loader import KVArgParseConfigLoader

        aliases, flags = {**base_aliases, **shell_aliases}, {**base_flags, **shell_flags}
        known, rest = [], list(words)
        while rest:
            word = rest.pop(0)
            name, equals, _ = word.partition("=")
            if name.lstrip("-") in flags and name.startswith("-"):
                known.append(word)
            elif name.lstrip("-") in aliases and name.startswith("-"):
                known.append(word)
                if not equals and rest and not rest[0].startswith("-"):
                    known.append(rest.pop(0))
        try:
            loader = KVArgParseConfigLoader(known, aliases=aliases, flags=flags, log=log)
            return loader.load_config()
        except (Exception, SystemExit):
            log.warning("the arguments %s could not be understood", known, exc_info=True)
            return Config()

    def _ipython_dir_default(self) -> str:
        # Only for where another one must be made.
        with hooks.postponed("tempfile", "mkdtemp"):
            return super()._ipython_dir_default()

    def _find_profile(self) -> None:
        """The profile's folder; a temporary one where that cannot be used."""
        try:
            try:
                self.init_profile_dir()
            except OSError:
                # The folders are there now, and what lies in them, for readers alone, need not be.
                self.init_profile_dir()
        except (Exception, SystemExit) as error:
            log.warning("the profile cannot be used: %s", error)
            from tempfile import mkdtemp

            from IPython.core.profiledir import ProfileDir

            self._temporary = mkdtemp(prefix="drupe-profile-")
            self.profile_dir = ProfileDir.create_profile_dir(self._temporary)

    def make_shell(
        self, module: ModuleType | None = None, namespace: dict[str, typing.Any] | None = None
    ) -> ZMQInteractiveShell:
        """Make the shell that `get_ipython()` returns; with a program's module and namespace, where it is embedded in one."""
        self.shell = ZMQInteractiveShell.instance(
            parent=self,
            profile_dir=self.profile_dir,
            ipython_dir=self.ipython_dir,
            user_module=module,
            user_ns=self.user_ns if namespace is None else namespace,
        )
        if namespace is not None:
            # IPython has put its own module in the place of the program's `__main__`.
            shell: typing.Any = self.shell
            sys.modules[shell._orig_sys_modules_main_name] = shell._orig_sys_modules_main_mod
            shell.set_completer_frame()
        # IPython says that all of them are shells, and puts others there itself.
        self.shell.configurables.append(self)
        if self._temporary is not None:
            self.shell.tempdirs.append(self._temporary)
        return self.shell

    def run_startup_code(self, matplotlib: str | None) -> None:
        """Extensions, start-up files and lines; and the working folder's place in `sys.path`, behind the standard library.
        What fails in them is told on the terminal, since no cell is there to show it, and the kernel goes on."""
        if matplotlib and matplotlib != "inline":
            self.matplotlib = matplotlib
        if not getattr(sys.flags, "safe_path", False):
            self.init_path()
        self.shell.__dict__["_showtraceback"] = _tell
        try:
            for part in (self.init_extensions, self.init_gui_pylab, self.init_code):
                _without_leaving(part)
        finally:
            del self.shell._showtraceback
        self.shell.begin_cell()
        _drupe.log("debug", "the start-up code has run")

    def _exec_file(self, fname: str, shell_futures: bool = False) -> None:
        _without_leaving(super()._exec_file, fname, shell_futures)


def _tell(_etype: type[BaseException], error: BaseException, _lines: list[str]) -> None:
    """In the place of the shell's own, which would send it to clients that have not asked for anything yet."""
    import traceback

    lines = traceback.format_exception(type(error), error, error.__traceback__)
    log.error("the start-up code failed:\n%s", "".join(lines).rstrip())


def _without_leaving(part: Callable[..., typing.Any], *args: typing.Any) -> None:
    """Run a part of the start-up code. One that calls `sys.exit` ends itself and not the kernel."""
    try:
        part(*args)
    except SystemExit as error:
        log.warning("%r in the start-up code ends no more than that: %s", error, args or "")


launch_new_instance = IPKernelApp.launch_instance
