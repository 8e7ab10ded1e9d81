"""Every change to a module that is not drupe's own, as one table: what is changed, and why.

A row with `apply` is carried out by `install`, which the start calls once: when somebody imports the module, or at once where
that has happened. The others have to be in place earlier, or need what is known later, and name the function that does it.
Nothing else in the package changes somebody else's module.
"""

from __future__ import annotations

import sys
from collections import namedtuple
from types import ModuleType
from typing import TYPE_CHECKING

from . import facade
from .hooks import when_imported

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

# `what`: the names that are replaced, separated by spaces. `by`: who replaces them, where `apply(module)` is None.
Patch = namedtuple("Patch", "module what why apply by", defaults=(None,))


def _builtins(module: Any) -> None:
    from . import stdin

    module.input = stdin.raw_input


def _getpass(module: Any) -> None:
    from . import stdin

    module.getpass = stdin.getpass


def _comm(_module: ModuleType) -> None:
    import comm

    from . import comms

    comm.create_comm = comms.create_comm
    comm.get_comm_manager = comms.manager


def _comms_of_ipykernel(module: Any) -> None:
    from . import comms

    module.BaseComm.publish_msg = comms.publish_msg


def _ipythons_debugger(module: Any) -> None:
    import pdb

    if hasattr(module, "InterruptiblePdb"):
        module.Pdb = module.InterruptiblePdb
        setattr(pdb, "Pdb", module.Pdb)


def _pdb(module: Any) -> None:
    def set_trace(*, header: str | None = None, **_options: Any) -> None:
        from IPython.core import debugger

        debugger.set_trace(sys._getframe(1), header)

    module.set_trace = set_trace


def _excepthook(module: Any) -> None:
    def show_uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """An error that nobody has caught, such as one in a function that a toolkit calls: on stderr of the cell that ran last."""
        sys.__excepthook__(kind, error, trace)

    module.excepthook = show_uncaught


def _hints(name: str) -> Any:
    """A function of `reading/hints.py`, which is imported when somebody calls it."""

    def call(*args: Any, **options: Any) -> Any:
        from .reading import hints

        return getattr(hints, name)(*args, **options)

    return call


def _signature(module: Any) -> None:
    module.signature = _hints("signature")


def _inspect(module: Any) -> None:
    theirs = module.inspect
    module.inspect = ModuleType(theirs.__name__, theirs.__doc__)
    vars(module.inspect).update(vars(theirs), signature=_hints("signature"))


def _guarded_evaluation(module: Any) -> None:
    module.signature = _hints("signature_or_text")
    module.get_annotations = _hints("annotations_of")


def _jedi(module: Any) -> None:
    from .reading import hints

    def get_return_annotation(self: Any) -> Any:
        found = hints.returned(self._obj)
        return None if found is None else self._create_access_path(found)

    _inspect(module)
    module.hasattr = hints.has_attribute
    module.getattr = hints.attribute
    module.DirectObjectAccess.get_return_annotation = get_return_annotation


_COMMS = "comms speak through this kernel, whatever other kernel's package is imported"

TABLE = (
    Patch("builtins", "input", "the client is asked, whose cell it is", _builtins),
    Patch("getpass", "getpass", "the same; the front-end does not show what is typed", _getpass),
    Patch("comm", "create_comm get_comm_manager", _COMMS, _comm),
    Patch("IPython.core.debugger", "Pdb", "an interrupt ends the debugger", _ipythons_debugger),
    Patch("pdb", "set_trace", "it opens IPython's debugger, as in a terminal of IPython's", _pdb),
    Patch(
        "atexit",
        "register unregister _run_exitfuncs _clear _ncallbacks",
        "the functions are run one by one at the end: one that never returns does not take the others with it",
        None,
        "exits.install",
    ),
    Patch(
        "_signal",
        "signal getsignal",
        "the core hears of each SIGTERM, whatever handler the user's code has set",
        None,
        "sigterm.install",
    ),
    Patch(
        "signal",
        "default_int_handler",
        "libraries that take SIGINT over for a while find the kernel's handler to be Python's own",
        None,
        "interrupt.Interrupts.install",
    ),
    Patch(
        "sys",
        "unraisablehook",
        "an interrupt that Python has swallowed comes again; in place while a cell runs",
        None,
        "interrupt.Interrupts",
    ),
    Patch(
        "sys",
        "excepthook",
        "PyQt ends the process where a slot fails and the hook is Python's own",
        _excepthook,
    ),
    Patch(
        "IPython.core.history",
        "HistorySavingThread",
        "the history is opened and written beside the cells",
        None,
        "history",
    ),
    Patch("sys", "stdout stderr", "output goes to the clients", None, "streams.install"),
    Patch(
        "threading",
        "Thread.start",
        "what a thread puts out that a comm's callback has started belongs to that callback, and where it is chosen so, what any "
        "thread puts out to the cell that has started it",
        None,
        "parents.watch_threads",
    ),
    Patch(
        "trio._core._run",
        "start_thread_soon",
        "the kernel knows of the threads that wait for trio's input and output; in place while trio is its guest",
        None,
        "trio._account_for_threads",
    ),
    Patch(
        "trio._threads",
        "start_thread_soon",
        "the same of those that work for `trio.to_thread`",
        None,
        "trio._account_for_threads",
    ),
)

_ANNOTATIONS = (
    "who asks for completions or help does not evaluate annotations, see `reading/hints.py`"
)

# Annotations are code that runs later from this Python on.
TABLE_FROM_3_14 = (
    Patch("IPython.core.oinspect", "signature", _ANNOTATIONS, _signature),
    Patch("IPython.core.completer", "inspect", _ANNOTATIONS, _inspect),
    Patch(
        "IPython.core.guarded_eval", "signature get_annotations", _ANNOTATIONS, _guarded_evaluation
    ),
    Patch(
        "jedi.inference.compiled.access",
        "inspect hasattr getattr DirectObjectAccess.get_return_annotation",
        _ANNOTATIONS,
        _jedi,
    ),
)

# Where the name `ipykernel` is the real package's, see `facade.py`.
TABLE_BESIDE_IPYKERNEL = (
    Patch("ipykernel.ipkernel", "comm.create_comm comm.get_comm_manager", _COMMS, _comm),
    Patch("ipykernel.comm.comm", "BaseComm.publish_msg", _COMMS, _comms_of_ipykernel),
)


def install() -> None:
    """Carry out the rows that have a function."""
    table = TABLE if facade.ON else TABLE + TABLE_BESIDE_IPYKERNEL
    if sys.version_info >= (3, 14):
        table += TABLE_FROM_3_14
    for patch in table:
        if patch.apply is not None:
            when_imported(patch.module, patch.apply)
