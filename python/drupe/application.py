"""IPython's application around the shell: its profile, configuration files, extensions and start-up code.

The class is named as ipykernel's, since users' configuration files and libraries know it by that name.
"""

import os
import sys

from IPython.core.application import BaseIPythonApplication
from IPython.core.shellapp import InteractiveShellApp
from traitlets import Any, Unicode
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

from . import _drupe
from .log import log
from .shell import ZMQInteractiveShell


class IPKernelApp(BaseIPythonApplication, InteractiveShellApp):
    """The kernel's configuration, and the start of its shell."""

    name = Unicode("ipython-kernel")
    connection_file = Unicode("")
    kernel = Any()
    crash_handler = None

    @property
    def connection_dir(self) -> str:
        return os.path.dirname(self.connection_file)

    def _log_default(self):
        return log

    def configure(self, traits: dict) -> None:
        """Read the profile's configuration, then the command line's, which is stronger. `traits` has entries
        such as `"HistoryManager.hist_file": ":memory:"`."""
        given = Config()
        for name, value in traits.items():
            section, _, trait = name.rpartition(".")
            target = given
            for part in filter(None, section.split(".")):
                target = target[part]
            target[trait] = DeferredConfigString(value)
        self.update_config(given)
        self._find_profile()
        try:
            self.init_config_files()
            self.load_config_file(suppress_errors=True)
        except Exception:
            log.warning("the configuration files could not be read", exc_info=True)
        self.update_config(given)

    def _find_profile(self) -> None:
        """The profile's folder; a temporary one where that cannot be used."""
        try:
            self.init_profile_dir()
        except (Exception, SystemExit) as error:
            log.warning("the profile cannot be used: %s", error)
            from tempfile import mkdtemp

            from IPython.core.profiledir import ProfileDir

            self.profile_dir = ProfileDir.create_profile_dir(mkdtemp(prefix="drupe-profile-"))

    def make_shell(self) -> ZMQInteractiveShell:
        """Make the shell that `get_ipython()` returns."""
        self.shell = ZMQInteractiveShell.instance(
            parent=self,
            profile_dir=self.profile_dir,
            ipython_dir=self.ipython_dir,
            user_ns=self.user_ns,
        )
        self.shell.configurables.append(self)
        return self.shell

    def run_startup_code(self, matplotlib) -> None:
        """Extensions, start-up files and lines; and the working folder's place in `sys.path`."""
        if matplotlib and matplotlib != "inline":
            self.matplotlib = matplotlib
        if not (self.ignore_cwd or getattr(sys.flags, "safe_path", False) or "" in sys.path):
            sys.path.insert(0, "")
        self.init_extensions()
        self.init_gui_pylab()
        self.init_code()
        self.shell.begin_cell()
        _drupe.log("debug", "the start-up code has run")
