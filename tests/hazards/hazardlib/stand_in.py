"""A parent for a kernel that a row can kill: starts the kernel, notes its pid, then waits.

    stand_in.py {stand-in|wrapper} NOTE COMMAND...

With "wrapper" a shell stands between the two and outlives this process, as `conda run` does;
the kernel's exit status is then left in the file `kernel.status`.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path


def main() -> None:
    kind, note, *command = sys.argv[1:]
    env = os.environ | {"JPY_PARENT_PID": str(os.getpid())}
    if kind == "wrapper":
        inner = 'echo $$ >"$NOTE"; exec "$@"'
        script = 'sh -c "$INNER" sh "$@"; echo $? >kernel.status'
        env["INNER"] = inner
        command = ["sh", "-c", script, "sh", *command]
        subprocess.Popen(command, env=env | {"NOTE": note}, start_new_session=True)
    else:
        kernel = subprocess.Popen(command, env=env, start_new_session=True)
        partial = Path(note + ".partial")
        partial.write_text(str(kernel.pid))
        partial.rename(note)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
