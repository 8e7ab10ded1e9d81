"""Of the conda package's tests: the kernelspec is found, a cell is run, and the kernel ends when it is asked to."""

from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="drupe")
printed = []
reply = client.execute_interactive("print(6 * 7)", output_hook=printed.append, timeout=60)
assert reply["content"]["status"] == "ok", reply["content"]
assert any(message["content"].get("text") == "42\n" for message in printed), printed
client.stop_channels()
manager.shutdown_kernel()
