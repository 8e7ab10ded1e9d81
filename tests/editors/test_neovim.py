"""A real Neovim with no window, attached by `drupe lsp --existing` to a running kernel."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from conftest import LAUNCHER, bridges, program

HERE = Path(__file__).parent

TEXT = """\
def sail(boat, miles):
    "Goes somewhere."
    return miles

total = sail(boat, 3)
print(total)
print(unknown_name)
"""


@pytest.fixture
def neovim(kernel, tmp_path):
    """Opens TEXT, runs Lua that returns what was seen, and ends; what was seen."""

    def see(lua: str, text: str = TEXT):
        (tmp_path / "boats.py").write_text(text)
        (tmp_path / "scene.lua").write_text(f"return function(editor)\n{lua}\nend\n")
        words = [LAUNCHER, "lsp", "--existing", kernel.connection_file]
        listed = ", ".join(map(json.dumps, words))
        start = (
            f"dofile({json.dumps(str(HERE / 'neovim.lua'))})({{ {listed} }}, 'scene.lua', 'found')"
        )
        (tmp_path / "start.lua").write_text(start)
        command = [program("nvim"), "--headless", "-n", "-i", "NONE", "-u", "NONE"]
        command += ["boats.py", "-c", "luafile start.lua"]
        ended = subprocess.run(
            command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
        assert (tmp_path / "found").exists(), ended.stderr.decode()
        seen = json.loads((tmp_path / "found").read_text())
        assert seen["good"], seen["found"]
        return seen["found"]

    return see


def test_the_columns_of_a_frame_that_only_the_session_has(neovim):
    found = neovim("""editor.type('df["'); return editor.complete()""")
    assert sorted(word.strip("\"'[]") for word in found) == ["price", "town"]


def test_members_of_a_live_object_also_while_a_cell_runs(neovim, kernel):
    cell = kernel.client.execute("import time; time.sleep(3)")
    found = neovim("editor.type('boat.'); return editor.complete()")
    reply = kernel.client.get_shell_msg(timeout=30)
    assert reply["parent_header"]["msg_id"] == cell
    assert {"anchor", "row"} <= set(found)


def test_hover_shows_the_docstring_of_what_the_session_has(neovim):
    shown = neovim("""
        editor.type('boat.row(1)')
        editor.go('row(')
        return editor.floating(vim.lsp.buf.hover)""")
    assert "Moves the boat." in "\n".join(shown)


def test_the_signature_with_its_argument(neovim):
    shown = neovim("""
        editor.type('boat.row(1, ')
        local help = editor.ask('textDocument/signatureHelp')
        local signature = help.signatures[1]
        local index = signature.activeParameter or help.activeParameter
        return { label = signature.label, parameter = signature.parameters[index + 1].label,
                 shown = editor.floating(vim.lsp.buf.signature_help) }""")
    label = shown["parameter"]
    if isinstance(label, list):
        label = shown["label"][label[0] : label[1]]
    assert label.startswith("rhythm")
    assert "rhythm" in "\n".join(shown["shown"])


def test_definition_moves_the_cursor(neovim):
    line = neovim("""
        editor.go('sail(boat, 3)')
        vim.lsp.buf.definition()
        return editor.wait(function()
          local line = vim.api.nvim_win_get_cursor(0)[1]
          return line == 1 and line
        end)""")
    assert line == 1


def test_rename_changes_the_buffer(neovim):
    text = neovim("""
        editor.go('total')
        vim.lsp.buf.rename('distance')
        editor.wait(function() return editor.text()[5]:find('distance') end)
        return editor.text()""")
    assert text[4:6] == ["distance = sail(boat, 3)", "print(distance)"]


def test_a_typing_mistake_is_reported_and_gone_once_it_is_mended(neovim):
    found = neovim("""
        local function messages()
          return vim.tbl_map(function(one) return one.message end, vim.diagnostic.get(0))
        end
        local before = editor.wait(function() return #messages() > 0 and messages() end)
        vim.api.nvim_buf_set_lines(0, 6, 7, true, { 'print(df)' })
        return { before = before, gone = editor.wait(function() return #messages() == 0 end) }""")
    assert len(found["before"]) == 1
    assert "unknown_name" in found["before"][0]
    assert found["gone"]


@pytest.mark.parametrize("end", ["quits", "is killed"])
def test_no_process_is_left_when_neovim(neovim, kernel, end):
    if end == "quits":
        neovim("return true")
    else:
        with pytest.raises(AssertionError):
            neovim("vim.loop.kill(vim.loop.getpid(), 'sigkill'); vim.wait(5000)")
    late = time.monotonic() + 5
    while bridges(kernel.connection_file) and time.monotonic() < late:
        time.sleep(0.05)
    assert not bridges(kernel.connection_file)
    # And the kernel goes on.
    kernel.run("1 + 1")
