"""Which code is stepped into: `justMyCode` as a client has it, as the kernel has it, and as neither has it."""

import inspect
import re

import pytest

pytest.importorskip("debugpy")

# A function of a library's that calls one of the user's.
CODE = (
    "import re\ndef mine(match):\n    return 'b'\nresult = re.sub('a', mine, 'a')\nprint(result)\n"
)
MINE, LIBRARYS = ("mine", 3), "sub"


@pytest.fixture
def start():
    """Starts a kernel, with or without `debug_just_my_code`."""
    from jupyter_client.manager import start_new_kernel
    from session import Debugged

    kernels = []

    def start(configured: bool | None) -> Debugged:
        options = [] if configured is None else [f"--IPythonKernel.debug_just_my_code={configured}"]
        kernels.append(start_new_kernel(kernel_name="drupe", extra_arguments=options))
        return Debugged(*kernels[-1])

    yield start
    for manager, client in kernels:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def stepped_into(kernel) -> list[dict]:
    """The frames after a step into the library's function."""
    kernel.break_at(CODE, 4)
    cell = kernel.run(CODE)
    assert kernel.stopped()["reason"] == "breakpoint"
    kernel.body("stepIn", threadId=1)
    assert kernel.stopped()["reason"] == "step"
    frames = kernel.frames()
    kernel.body("continue", threadId=1)
    assert kernel.done(cell)["status"] == "ok"
    assert kernel.text_of(cell) == "b\n"
    return frames


def is_mine(frames: list[dict]) -> bool:
    """Whether the step has passed the library by, and shows nothing of it."""
    if (frames[0]["name"], frames[0]["line"]) == MINE:
        assert [frame["name"] for frame in frames] == ["mine", "<module>"]
        return True
    assert frames[0]["name"] == LIBRARYS and frames[0]["source"]["path"] == re.__file__, frames
    return False


@pytest.mark.parametrize(
    ("client", "configured", "expected"),
    [
        (None, None, False),
        (True, None, True),
        (False, None, False),
        (None, True, True),
        (None, False, False),
        (True, False, True),
        (False, True, False),
    ],
)
def test_a_client_goes_before_the_kernel(start, client, configured, expected):
    kernel = start(configured)
    kernel.attach(**({} if client is None else {"justMyCode": client}))
    assert is_mine(stepped_into(kernel)) is expected


def test_each_session_has_its_own(start):
    kernel = start(None)
    for own in (True, False, True, None):
        kernel.attach(**({} if own is None else {"justMyCode": own}))
        assert is_mine(stepped_into(kernel)) is bool(own), own
        kernel.body("disconnect")


def test_a_breakpoint_in_a_library_stops_where_it_is_debugged(start):
    """With `justMyCode` a library's lines are none to stop at."""
    kernel = start(None)
    lines, first = inspect.getsourcelines(re.sub)
    line = first + len(lines) - 1
    for own in (False, True):
        kernel.attach(justMyCode=own)
        reply = kernel.body(
            "setBreakpoints", source={"path": re.__file__}, breakpoints=[{"line": line}]
        )
        cell = kernel.run(CODE)
        if own:
            assert reply["breakpoints"][0]["verified"] is False and "justMyCode" in str(reply)
        else:
            kernel.stopped()
            assert kernel.frames()[0]["name"] == LIBRARYS
            kernel.body("continue", threadId=1)
        assert kernel.done(cell)["status"] == "ok"
        kernel.body("disconnect")
