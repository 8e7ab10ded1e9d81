"""The border between Python and the core: `drupe/_drupe.pyi` says what the real module has, no more and no less."""

import ast
import json
import subprocess
import sys

from conftest import ROOT

STUB = ROOT / "python" / "drupe" / "_drupe.pyi"

# What each class of C has, and what PyO3 adds to one whose objects can be compared.
COMMON = {"__doc__", "__module__", "__repr__", "__dict__"}
COMPARED = {"__ge__", "__gt__", "__le__", "__lt__", "__ne__"}

ASK = """
import json
from drupe import _drupe

def looked_at(value):
    if isinstance(value, type):
        members = {name: looked_at(member) for name, member in vars(value).items()}
        if "__new__" in members:
            members["__new__"] = value.__text_signature__
        return members
    if type(value).__name__ == "getset_descriptor":
        return "property"
    return getattr(value, "__text_signature__", None)

names = [name for name in dir(_drupe) if not name.startswith("__") or name == "__version__"]
print(json.dumps({name: looked_at(getattr(_drupe, name)) for name in names}))
"""


def real() -> dict:
    """By name: the signature, None for what is not called, or a class's members in the same way."""
    path = f"import sys; sys.path.insert(0, {str(ROOT / 'python')!r})\n"
    done = subprocess.run([sys.executable, "-c", path + ASK], capture_output=True, check=True)
    return json.loads(done.stdout)


def signature(function: ast.FunctionDef) -> str:
    """As `__text_signature__` has it: names, kinds and defaults."""
    for argument in ast.walk(function.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    text = ast.unparse(function.args)
    for written, told in [("self, /", "$self, /"), ("cls, ", "")]:
        if text.startswith(written):
            return f"({text.replace(written, told, 1)})"
    return f"(${text})" if text.startswith("self") else f"({text})"


def described(body: list) -> dict:
    """The stub's counterpart of `real`."""
    found = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = described(node.body)
        elif isinstance(node, ast.AnnAssign):
            found[node.target.id] = None
        elif isinstance(node, ast.FunctionDef):
            is_property = any(
                getattr(one, "id", getattr(one, "attr", None)) in ("property", "setter")
                for one in node.decorator_list
            )
            found[node.name] = "property" if is_property else signature(node)
    return found


def spaced(members: dict) -> dict:
    """Without the differences in how defaults are written."""
    return {
        name: value.replace(" ", "") if isinstance(value, str) else value
        for name, value in members.items()
    }


def test_the_stub_and_the_module_agree():
    module, stub = real(), described(ast.parse(STUB.read_text()).body)
    assert set(module) == set(stub)
    for name, members in module.items():
        if isinstance(members, dict):
            left_out = COMMON | (COMPARED if "__eq__" in members else set())
            members = {key: value for key, value in members.items() if key not in left_out}
            assert spaced(members) == spaced(stub[name]), name
        elif members is not None:
            assert members.replace(" ", "") == stub[name].replace(" ", ""), name
        else:
            assert stub[name] is None, name


def test_what_can_be_set_is_said_to_be():
    classes = {
        node.name: node for node in ast.parse(STUB.read_text()).body if hasattr(node, "bases")
    }
    setters = [
        f"{name}.{function.name}"
        for name, node in classes.items()
        for function in node.body
        if any(
            getattr(one, "attr", None) == "setter"
            for one in getattr(function, "decorator_list", ())
        )
    ]
    assert setters == ["Parent.allow_stdin"]


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "python" / "drupe" / "py.typed").exists()
