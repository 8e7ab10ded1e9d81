"""Run the tour through nbclient; show what each cell answered and how long it took.

`make demo` runs it with the kernelspec `drupe` of this environment. It fails when a cell fails that
should not, and when a result that the tour promises (table, plot, widget, error, echo) is missing.
"""

import argparse
import asyncio
import pathlib
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

TOUR = pathlib.Path(__file__).with_name("tour.ipynb")

WIDTH = 88

# What the outputs of the whole tour must hold: MIME types, and the name of the one error.
PROMISED = {
    "text/html",
    "image/png",
    "application/vnd.jupyter.widget-view+json",
    "ZeroDivisionError",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", default="drupe", help="the kernelspec's name")
    parser.add_argument("--notebook", type=pathlib.Path, default=TOUR)
    parser.add_argument("--save", type=pathlib.Path, help="where to write the executed notebook")
    options = parser.parse_args()
    notebook = nbformat.read(options.notebook, as_version=4)
    client = NotebookClient(notebook, kernel_name=options.kernel, timeout=120)

    times = []
    clock = Clock(times)
    with client.setup_kernel():
        clock.lap("start, to the first kernel_info_reply")
        for index, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                print(error, file=sys.stderr)
                return 1
            show(cell, clock.lap(title(cell)))
        echoed = echo(client.kc, "a stone")
        clock.lap("comm: open, send, and get it back")
        closing = time.perf_counter()
    times.append(("shutdown", time.perf_counter() - closing))

    print(rule("the time of each part"))
    for name, seconds in times:
        print(f"{seconds * 1000:9.1f} ms  {name}")
    if options.save:
        nbformat.write(notebook, options.save)
    missing = PROMISED - shown(notebook)
    if echoed != "a stone":
        missing.add("the comm's echo")
    if missing:
        print("the tour did not show:", ", ".join(sorted(missing)), file=sys.stderr)
        return 1
    return 0


class Clock:
    """Time from lap to lap, in seconds; laps without a name are not kept."""

    def __init__(self, times):
        self.times = times
        self.last = time.perf_counter()

    def lap(self, name):
        now = time.perf_counter()
        passed, self.last = now - self.last, now
        if name:
            self.times.append((name, passed))
        return passed


def title(cell):
    """A code cell's first line; None for text."""
    return cell.source.partition("\n")[0] if cell.cell_type == "code" else None


def rule(text):
    return f"\n── {text} ".ljust(WIDTH, "─")


def show(cell, seconds):
    if cell.cell_type == "markdown":
        print(rule(cell.source.partition("\n")[0].lstrip("# ")))
        return
    for line in cell.source.splitlines():
        print("  │", line)
    for output in cell.outputs:
        for line in described(output).splitlines():
            print("    ", line)
    print(f"  └ {seconds * 1000:.1f} ms")


def described(output):
    """One output as a terminal can show it."""
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return "\n".join(output.traceback)
    richer = [
        f"<{mime}, {len(str(data)):,} bytes>"
        for mime, data in output.data.items()
        if mime != "text/plain"
    ]
    return "\n".join([output.data.get("text/plain", ""), *richer])


def shown(notebook):
    """Every MIME type and error name among the outputs."""
    seen = set()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            seen.update(output.get("data", ()))
            seen.add(output.get("ename"))
    return seen


def echo(client, text):
    """Opens the comm that the tour registered, sends `text`, and returns what came back."""
    comm_id = "tour"
    opening = {"comm_id": comm_id, "target_name": "tour.echo", "data": {}}
    client.shell_channel.send(client.session.msg("comm_open", opening))
    message = {"comm_id": comm_id, "data": {"text": text}}
    client.shell_channel.send(client.session.msg("comm_msg", message))
    deadline = time.monotonic() + 10
    while (left := deadline - time.monotonic()) > 0:
        received = iopub_message(client, left)
        content = received["content"]
        if received["msg_type"] == "comm_msg" and content.get("comm_id") == comm_id:
            return content["data"].get("text")
        if received["msg_type"] == "comm_close":
            return None
    return None


def iopub_message(client, seconds):
    """The next message on iopub; nbclient's client is asynchronous."""
    return asyncio.get_event_loop().run_until_complete(client.get_iopub_msg(timeout=seconds))


if __name__ == "__main__":
    sys.exit(main())
