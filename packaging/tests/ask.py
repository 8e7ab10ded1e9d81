"""Start a kernel by its kernelspec, as Jupyter does, run a cell, and print what the cell printed: `python ask.py KERNEL CODE`.

Run by the Python of the environment whose Jupyter it is. Where the kernel does not start, what it wrote to its standard error is written
to this one's, and the status is 1.
"""

import subprocess
import sys
import tempfile
import time

from jupyter_client.manager import KernelManager


def main():
    name, code = sys.argv[1:]
    errors = tempfile.TemporaryFile("w+")
    manager = KernelManager(kernel_name=name)
    manager.start_kernel(stderr=errors, stdout=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if not manager.is_alive():
                break
            try:
                client.wait_for_ready(timeout=0.5)
            except RuntimeError:
                continue
            return answer(client, code)
        errors.seek(0)
        sys.stderr.write(errors.read())
        return 1
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def answer(client, code):
    status = 0

    def shown(message):
        nonlocal status
        content = message["content"]
        if message["msg_type"] == "stream":
            sys.stdout.write(content["text"])
        elif message["msg_type"] == "error":
            sys.stderr.write("\n".join(content["traceback"]) + "\n")
            status = 1

    client.execute_interactive(code, timeout=60, output_hook=shown)
    return status


if __name__ == "__main__":
    sys.exit(main())
