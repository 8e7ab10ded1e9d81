"""What can be imported in an environment that is made for it, and where an import goes that a name brings along."""

from __future__ import annotations

import asyncio
import os
import pathlib
import time

import pytest
import pytest_asyncio
from conftest import BUILT, Document, initialize, start, stop
from jupyter_client.manager import start_new_kernel
from lsprotocol import types
from pytest_lsp import make_test_lsp_client

pytestmark = pytest.mark.asyncio

PACKAGES = {
    "numpy/__init__.py": "raise SystemExit('imported')\ndef array(): pass\ndef passes(): pass\n",
    "sklearn/__init__.py": "__all__ = ['linear_model']\n",
    "sklearn/linear_model/__init__.py": (
        "from ._base import LinearRegression\nfrom os import path\n__all__ = ['LinearRegression']\n"
    ),
    "sklearn/linear_model/_base.py": "class LinearRegression: pass\n",
    "pandas/__init__.py": "__all__ = ['DataFrame']\nfrom ._core import DataFrame, hidden\n",
    "pandas/_core.py": "class DataFrame: pass\ndef hidden(): pass\n",
    "pandas/hidden.py": "def inside(): pass\n",
    "pandas/io/__init__.py": "",
    "pandas/io/excel.py": "",
    "pandas/tests/__init__.py": "class DataFrameOfTests: pass\n",
}


@pytest.fixture
def environment(tmp_path):
    """An environment with the packages above, a standard library and an editable install."""
    library = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    standard = tmp_path / "base" / "lib" / "python3.11"
    files = {library / name: text for name, text in PACKAGES.items()}
    files[standard / "pathlib.py"] = "class Path: pass\n"
    files[standard / "zipfile.py"] = "class Path: pass\n"
    files[tmp_path / "checkout" / "edited.py"] = "def edited_function(): pass\n"
    files[library / "edited.pth"] = f"import nothing\n# text\n{tmp_path}/checkout\n"
    files[tmp_path / "env" / "pyvenv.cfg"] = (
        f"home = {tmp_path}/base/bin\ninclude-system-site-packages = false\n"
    )
    files[tmp_path / "env" / "bin" / "python"] = ""
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "env"


@pytest_asyncio.fixture
async def client(environment, tmp_path, monkeypatch):
    drupe = os.environ.get("DRUPE", str(BUILT))
    monkeypatch.setenv("DRUPE_LSP", f"{drupe} lsp --python {environment}/bin/python")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    client = await start()
    yield client
    await stop(client)


async def complete(client, text, uri="inmemory:/test"):
    document = Document(client, text, uri)
    found = await client.text_document_completion_async(document.params(types.CompletionParams))
    return document, {item.label: item for item in found.items}


async def whole(client, text, uri="inmemory:/test"):
    """The items of the first list that says that it is whole: a disk that is slow is not waited for, and whoever types on asks again."""
    document = Document(client, text, uri)
    for _ in range(100):
        found = await client.text_document_completion_async(document.params(types.CompletionParams))
        if not found.is_incomplete:
            break
        await asyncio.sleep(0.1)
    return {item.label: item for item in found.items}


async def unbound(client, text, label):
    """As `complete`, once the names of all modules are known. They are collected at the lowest priority."""
    end = time.monotonic() + 60
    while True:
        document, found = await complete(client, text)
        if label in found:
            return document, found
        assert time.monotonic() < end, f"{label} was never offered"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("text", "wanted", "absent"),
    [
        ("from sklearn.linear_model import |", ["LinearRegression", "path"], ["DataFrame"]),
        ("from sklearn.linear_model import Li|", ["LinearRegression"], ["path"]),
        ("from sklearn import lin|", ["linear_model"], []),
        ("from pandas import DataFrame, |", ["io", "hidden"], ["DataFrame"]),
        ("import pandas.io.|", ["excel"], ["io"]),
        ("import skl|", ["sklearn"], ["pandas"]),
        ("import |", ["sklearn", "pandas", "pathlib", "edited", "json"], []),
        ("from edited import |", ["edited_function"], []),
        ("from pandas.|", ["io"], []),
        ("import pandas as pd\npd.|", ["DataFrame", "io", "hidden"], ["excel"]),
        ("import pandas as pd\npd.io.|", ["excel"], ["io"]),
        ("from sklearn import linear_model as lm\nlm.Li|", ["LinearRegression"], ["path"]),
        ("from pandas import DataFrame\nDataFrame.|", [], ["io", "hidden"]),
        ("import edited\nedited.|", ["edited_function"], []),
        # The package has a function under the name of its module.
        ("from pandas import hidden\nhidden.|", [], ["inside"]),
        ("import pandas as pd\npd.hidden.|", [], ["inside"]),
        ("from pandas.hidden import |", ["inside"], []),
        ("import pandas.hidden as ph\nph.|", ["inside"], []),
    ],
)
async def test_what_can_be_imported(client, text, wanted, absent):
    found = await whole(client, text)
    assert set(wanted) <= set(found)
    assert not set(absent) & set(found)


async def test_what_a_module_offers_comes_before_what_it_needs_itself(client):
    found = await whole(client, "from sklearn.linear_model import |")
    order = sorted(found, key=lambda label: found[label].sort_text)
    assert order.index("LinearRegression") < order.index("path") < order.index("_base")
    assert found["LinearRegression"].kind == types.CompletionItemKind.Class


async def test_modules_beside_the_document(client, tmp_path):
    (tmp_path / "my project").mkdir()
    (tmp_path / "my project" / "helpers.py").write_text("def help_me(): pass\n")
    uri = f"file://{tmp_path}/my%20project/main.py"
    found = await whole(client, "from . import |", uri)
    assert "helpers" in found
    found = await whole(client, "from .helpers import |", uri)
    assert set(found) == {"help_me"}


@pytest.mark.parametrize(
    ("text", "label", "after"),
    [
        ("Pat|", "Path", "from pathlib import Path\nPath"),
        ("x = DataF|", "DataFrame", "from pandas import DataFrame\nx = DataFrame"),
        ("np|", "np", "import numpy as np\nnp"),
        ("%%time\nx = np|", "np", "%%time\nimport numpy as np\nx = np"),
        ("import os\nx = np|", "np", "import os\nimport numpy as np\nx = np"),
        (
            "from __future__ import annotations\nx = LinearR|",
            "LinearRegression",
            "from __future__ import annotations\n"
            "from sklearn.linear_model import LinearRegression\nx = LinearRegression",
        ),
        ("skl|", "sklearn", "import sklearn\nsklearn"),
    ],
)
async def test_a_name_brings_its_import(client, text, label, after):
    document, found = await unbound(client, text, label)
    item = found[label]
    edits = [item.text_edit, *(item.additional_text_edits or [])]
    assert document.apply(edits) == after
    assert (item.filter_text or label) == label
    assert item.detail.startswith(("import ", "from "))


async def test_names_that_need_no_import_bring_none(client):
    await unbound(client, "DataF|", "DataFrame")
    for text, label in [
        ("DataFrame = 1\nx = DataF|", "DataFrame"),
        ("import pathlib\npathl|", "pathlib"),
        ("isinst|", "isinstance"),
        ("whi|", "while"),
    ]:
        _, found = await complete(client, text)
        assert found[label].text_edit.new_text == label
        assert not found[label].additional_text_edits
    for text in ["Da|", "DataFrameOf|", "pl|", "x.DataF|", "'DataF|'"]:
        _, found = await complete(client, text)
        assert not {"DataFrame", "DataFrameOfTests", "pl"} & set(found), text


async def test_a_list_is_asked_for_again_while_other_imports_may_come(client):
    await unbound(client, "DataF|", "DataFrame")
    # That there is no type checker is found out beside us.
    await whole(client, "x.D|")
    for text, more in [("|", True), ("D|", True), ("Da|", True), ("Dat|", False), ("x.D|", False)]:
        document = Document(client, text)
        params = document.params(types.CompletionParams)
        assert (await client.text_document_completion_async(params)).is_incomplete is more, text


async def test_a_bound_name_comes_first(client):
    await unbound(client, "DataF|", "DataFrame")
    _, found = await complete(client, "DataFresh = 1\nDataF|")
    assert sorted(found, key=lambda label: found[label].sort_text) == ["DataFresh", "DataFrame"]


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("raise Dat|\nDatum = 1", "DataFrame"),
        ("arrow = 1\narr|", "array"),
        ("pass|", "passes"),
        ("!echo $DataF|", "DataFrame"),
    ],
)
async def test_no_import_is_offered_where_another_name_is_meant(client, text, absent):
    await unbound(client, "DataF|", "DataFrame")
    _, found = await complete(client, text)
    assert absent not in found


async def test_letters_that_a_name_is_short_for_bring_its_import(client):
    await unbound(client, "LinReg|", "LinearRegression")


async def test_undefined_names_get_their_import_where_it_may_stand(client):
    await unbound(client, "DataF|", "DataFrame")
    document = Document(client, "%%time\nPath('.')\n")
    found = await client.text_document_code_action_async(
        types.CodeActionParams(
            document.identifier,
            types.Range(types.Position(0, 0), types.Position(9, 0)),
            types.CodeActionContext([]),
        )
    )
    titles = {action.title: action for action in found}
    assert list(titles)[:2] == ["Add `from pathlib import Path`", "Add `from zipfile import Path`"]
    edits = titles["Add `from pathlib import Path`"].edit.changes[document.uri]
    assert document.apply(edits) == "%%time\nfrom pathlib import Path\nPath('.')\n"


async def test_what_was_installed_meanwhile_is_known_by_the_next_server(client, environment):
    await unbound(client, "DataF|", "DataFrame")
    cache = pathlib.Path(os.environ["XDG_CACHE_HOME"]) / "drupe" / "modules"
    assert list(cache.glob("*.json"))
    (environment / "lib/python3.11/site-packages/fresh.py").write_text("class FreshThing: pass\n")
    for file in cache.glob("*.json"):
        file.write_text("{")
    another = await start()
    await unbound(another, "FreshT|", "FreshThing")
    await stop(another)


async def test_a_cell_that_runs_hinders_nothing():
    manager, kernel = start_new_kernel(kernel_name=os.environ.get("DRUPE_KERNEL", "drupe"))
    try:
        opened = {"comm_id": "lsp", "target_name": "lsp", "data": {"ip_address": "127.0.0.1"}}
        kernel.execute_interactive("x = 1", timeout=30)
        kernel.shell_channel.send(kernel.session.msg("comm_open", opened))
        while (message := kernel.get_iopub_msg(timeout=10))["msg_type"] != "comm_msg":
            pass
        kernel.execute("import ctypes; ctypes.PyDLL(None).sleep(90)")
        client = make_test_lsp_client()
        await client.start_tcp("127.0.0.1", message["content"]["data"]["params"]["port"])
        await initialize(client)
        # While Python is busy, a list need not become whole.
        await unbound(client, "from xml.etree import Ele|", "ElementTree")
        await unbound(client, "OrderedDi|", "OrderedDict")
        await asyncio.wait_for(client.stop(), 5)
    finally:
        kernel.stop_channels()
        manager.shutdown_kernel(now=True)
