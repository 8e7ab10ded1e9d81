"""What functions of the standard library give that say nothing of it themselves: its documentation in the words of annotations.

A function is known by the module that it is written in and its name there, a method by the class that has it. Most are C's, and the
others have no annotations. Of several things that one may give the usual one is told, where the arguments do not show another: text, and not bytes.
"""

from __future__ import annotations

import ast
import functools
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

from . import hints
from .annotations import Scope
from .statics import (
    BUILTIN_FUNCTIONS,
    FUNCTIONS,
    class_attribute,
    function_name,
    instance_dict,
    isinstance_static,
    module_of,
    name_of,
    own,
    type_mro,
)

# By module, by annotation: the functions. Of a module whose name begins with an underscore, or is one system's, that name.
_NOTES: dict[str, dict[str, str]] = {
    "_io": {
        "str": "TextIOWrapper.read TextIOWrapper.readline StringIO.read StringIO.readline StringIO.getvalue",
        "bytes": """BufferedReader.read BufferedReader.readline BufferedRandom.read BufferedRandom.readline BytesIO.read
            BytesIO.readline BytesIO.getvalue""",
        "int": "TextIOWrapper.write TextIOWrapper.tell StringIO.write BufferedWriter.write BytesIO.write",
        "list[str]": "TextIOWrapper.readlines StringIO.readlines",
        "list[bytes]": "BufferedReader.readlines BufferedRandom.readlines BytesIO.readlines FileIO.readlines",
    },
    "_csv": {"Iterator[list[str]]": "reader"},
    "_random": {"float": "Random.random", "int": "Random.getrandbits"},
    "_sqlite3": {"Connection": "connect"},
    "argparse": {"str": "ArgumentParser.format_help"},
    "builtins": {
        "list[str]": "str.split str.rsplit str.splitlines",
        "list[bytes]": "bytes.split bytes.rsplit bytes.splitlines",
        "tuple[str, str, str]": "str.partition str.rpartition",
    },
    "base64": {"bytes": "b64encode b64decode urlsafe_b64encode urlsafe_b64decode b32encode b32decode b16encode"},
    "collections": {"list[tuple]": "Counter.most_common", "Self": "Counter.copy OrderedDict.copy"},
    "configparser": {"list[str]": "RawConfigParser.sections RawConfigParser.options"},
    "datetime": {
        "Self": """datetime.now datetime.today datetime.fromtimestamp datetime.strptime datetime.combine
            datetime.fromisoformat datetime.replace datetime.astimezone date.today date.fromtimestamp date.fromisoformat date.replace
            time.fromisoformat time.replace""",
        "date": "datetime.date",
        "time": "datetime.time",
        "str": "datetime.isoformat datetime.ctime date.isoformat date.strftime date.ctime time.isoformat time.strftime",
        "float": "datetime.timestamp timedelta.total_seconds",
        "int": "date.weekday date.isoweekday date.toordinal",
    },
    "genericpath": {"bool": "exists isfile isdir islink", "int": "getsize", "float": "getmtime getctime getatime"},
    "glob": {"list[str]": "glob", "Iterator[str]": "iglob"},
    "html": {"str": "escape unescape"},
    "inspect": {"Signature": "signature", "str": "getsource getdoc cleandoc getmodulename"},
    "json": {"str": "dumps"},
    "logging": {"Logger": "getLogger Logger.getChild", "int": "Logger.getEffectiveLevel"},
    "math": {
        "float": """sqrt exp log log2 log10 sin cos tan asin acos atan atan2 sinh cosh tanh degrees radians fabs hypot fsum
            fmod copysign dist""",
        "int": "factorial gcd lcm comb perm isqrt",
        "bool": "isnan isinf isfinite isclose",
    },
    "pathlib": {
        "Self": """Path.cwd Path.home Path.absolute Path.resolve Path.expanduser Path.rename Path.replace PurePath.joinpath
            PurePath.with_name PurePath.with_stem PurePath.with_suffix PurePath.relative_to PurePath.parent""",
        "Iterator[Self]": "Path.iterdir Path.glob Path.rglob",
        "Sequence[Self]": "PurePath.parents",
        "str": "PurePath.name PurePath.stem PurePath.suffix PurePath.as_posix PurePath.as_uri Path.read_text Path.owner",
        "bytes": "Path.read_bytes",
        "bool": "Path.exists Path.is_file Path.is_dir Path.is_symlink PurePath.is_absolute PurePath.match",
        "int": "Path.write_text Path.write_bytes",
        "os.stat_result": "Path.stat",
        "tuple[str, ...]": "PurePath.parts",
        "list[str]": "PurePath.suffixes",
    },
    "os": {"str": "getenv", "bytes": "fsencode"},
    "_pickle": {"bytes": "dumps"},
    "_hashlib": {
        "HASH": "openssl_md5 openssl_sha1 openssl_sha224 openssl_sha256 openssl_sha384 openssl_sha512",
        "str": "HASH.hexdigest",
        "bytes": "HASH.digest",
    },
    "platform": {"str": "system node release machine platform python_version processor"},
    "posix": {"str": "getcwd", "list[str]": "listdir", "stat_result": "stat lstat", "int": "getpid"},
    "posixpath": {
        "str": "join basename dirname abspath expanduser expandvars realpath relpath commonpath",
        "tuple[str, str]": "split splitext",
        "bool": "isabs islink ismount",
    },
    "random": {"float": "Random.uniform Random.gauss Random.triangular", "int": "Random.randint Random.randrange", "list": "Random.sample Random.choices"},
    "re": {"str": "sub Pattern.sub Match.group Match.expand", "Iterator[Match]": "finditer Pattern.finditer", "tuple": "Match.groups Match.span subn",
        "dict": "Match.groupdict", "int": "Match.start Match.end"},
    "shutil": {"str": "which make_archive"},
    "sqlite3": {
        "Cursor": "Connection.cursor Connection.execute Connection.executemany Connection.executescript Cursor.execute Cursor.executemany",
        "list": "Cursor.fetchall Cursor.fetchmany",
    },
    "subprocess": {"CompletedProcess": "run", "str": "getoutput", "int": "call check_call Popen.wait"},
    "tempfile": {"str": "mkdtemp gettempdir TemporaryDirectory.__enter__"},
    "textwrap": {"str": "dedent indent fill shorten", "list[str]": "wrap"},
    "threading": {"Thread": "current_thread main_thread", "int": "active_count"},
    "time": {"float": "time perf_counter monotonic process_time mktime", "int": "time_ns perf_counter_ns", "struct_time": "localtime gmtime strptime",
        "str": "strftime ctime asctime"},
    "traceback": {"str": "format_exc"},
    "urllib.parse": {"str": "quote unquote quote_plus urlencode urljoin urlunparse", "ParseResult": "urlparse", "dict[str, list[str]]": "parse_qs"},
    "urllib.request": {"http.client.HTTPResponse": "urlopen"},
    "uuid": {"UUID": "uuid1 uuid3 uuid4 uuid5"},
    "zipfile": {"list[str]": "ZipFile.namelist", "bytes": "ZipFile.read"},
}  # fmt: skip
# Modules that a class or function is said to be of, and what that is here.
_MOVED = {
    "math.integer": "math",
    "pathlib._local": "pathlib",
    "pathlib._abc": "pathlib",
    "pathlib._os": "pathlib",
    "zipfile._path": "zipfile",
}

# With how many arguments at most they give that.
_MOST_ARGUMENTS = {("re", "Match.group"): 1, ("os", "getenv"): 1}
_GENERAL = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Mod)
_ARITHMETIC: dict[str, tuple[type, ...]] = {
    "decimal.Decimal": (*_GENERAL, ast.FloorDiv, ast.Pow),
    "fractions.Fraction": _GENERAL,
}


@functools.cache
def notes() -> dict[tuple[str, str], str]:
    """The annotation of each function, by its module and its name there."""
    return {
        (module, name): note
        for module, notes in _NOTES.items()
        for note, names in notes.items()
        for name in names.split()
    }


def noted(function: Any, owner: Any, call: ast.Call | None = None) -> tuple[Any, Scope]:
    """What is written here of a function that was found through `owner`, and where the names in that are looked up; None where
    nothing is, or where the arguments of the call show that it gives something else."""
    owner = owner_of(function, owner)
    if type(function) is types.MethodType:
        function = function.__func__
    for home in _homes(function, owner):
        note = notes().get(home)
        loaded = sys.modules.get(home[0])
        if note is not None and loaded is not None and _is_usual(home, call):
            return note, Scope(instance_dict(loaded), home[0], owner, vars(typing))
    return None, Scope()


def owner_of(function: Any, owner: Any) -> Any:
    """The class that a method is bound to, or to whose instance; for what is not bound, the class that it was found through."""
    is_bound = type(function) is types.MethodType
    if is_bound or type(function) is types.BuiltinFunctionType and not _is_plain(function):
        receiver = function.__self__
        return receiver if isinstance_static(receiver, type) else type(receiver)
    return owner


def property_of(getter: Any, owner: Any) -> tuple[Any, Scope]:
    """What a property says that it gives, or what is written here of it, and where the names in that are looked up."""
    texts = hints.texts_of(getter) if type(getter) in FUNCTIONS else {}
    return (texts["return"], Scope.of(getter, owner)) if "return" in texts else noted(getter, owner)


def _is_usual(home: tuple[str, str], call: ast.Call | None) -> bool:
    """Whether the arguments are those that the note is about: text, and not more of them."""
    if call is None:
        return True
    note = notes()[home]
    is_bytes = any(isinstance(it, ast.Constant) and type(it.value) is bytes for it in call.args)
    few = len(call.args) <= _MOST_ARGUMENTS.get(home, len(call.args))
    return few and not (is_bytes and "str" in note)


def operated(left: type, operator: ast.operator | None, right: type) -> type | None:
    """The class of what an operator gives of instances of these; None where it is not known."""
    is_sum = isinstance(operator, ast.Add | ast.Sub)
    names = [name_of(kind) if module_of(kind) == "datetime" else "" for kind in (left, right)]
    if names == ["timedelta", "timedelta"]:
        return left if is_sum else None
    if names[0] in ("date", "datetime") and is_sum:
        if names[1] == "timedelta":
            return left
        timedelta = own(instance_dict(sys.modules.get("datetime")), "timedelta")
        return timedelta if left is right and isinstance(operator, ast.Sub) else None
    if names[0] == "timedelta" and names[1] in ("date", "datetime"):
        return right if isinstance(operator, ast.Add) else None
    usual = _ARITHMETIC.get(f"{module_of(left)}.{name_of(left)}", ())
    if isinstance(operator, usual) and (right is left or right is int):
        return left
    joins = is_path(left) and (right is str or is_path(right)) and isinstance(operator, ast.Div)
    is_own = joins and written_at(class_attribute(left, "__truediv__"))[0] == "pathlib"
    return left if is_own else None


def is_path(kind: Any) -> bool:
    """Whether it is a class of `pathlib`'s paths."""
    mro = type_mro(kind) if isinstance_static(kind, type) else ()
    return any(name_of(it) == "PurePath" and _home(module_of(it)) == "pathlib" for it in mro)


def _is_plain(function: types.BuiltinFunctionType) -> bool:
    """Whether it is a function of a module and no method."""
    return function.__self__ is None or isinstance_static(function.__self__, types.ModuleType)


def _homes(function: Any, owner: Any) -> Iterator[tuple[str, str]]:
    """Where a function may be written down: its module and its name there, or that of the class which has it."""
    kind = type(function)
    if kind is types.MethodWrapperType or not (
        kind is types.FunctionType or kind in BUILTIN_FUNCTIONS
    ):
        return
    written, name = written_at(function)
    if not isinstance_static(owner, type):
        yield written, name
        return
    for base in type_mro(owner):
        home = _home(module_of(base))
        # A method of a class of the user's that has this name is none of these.
        if not written or home == written:
            yield home, f"{name_of(base)}.{name}"


def written_at(function: Any) -> tuple[str, str]:
    """The module that a function is written in, empty for a method of C's, and its name."""
    kind = type(function)
    if kind is types.FunctionType:
        # What stands around another function may say that it is that.
        module: Any = own(function.__globals__, "__name__")
        return _home(module) if type(module) is str else "?", function_name(function)
    if kind is types.BuiltinFunctionType and _is_plain(function):
        module = function.__module__
        return _home(module) if type(module) is str else "?", function_name(function)
    return "", function_name(function) if kind in BUILTIN_FUNCTIONS else ""


def _home(module: str) -> str:
    return _MOVED.get(module, module)
