//! Over folders that are made for it.

use super::*;

const FILES: [(&str, &str); 35] = [
    (
        "lib/plain.py",
        "import os\nfrom json import dumps\nLIMIT = 1\ndef read(): pass\nclass Table: pass\n_own = 2\na, b = 1, 2\n",
    ),
    (
        "lib/listed.py",
        "__all__ = ['one', 'later']\n__all__ += ['two']\ndef one(): pass\ndef two(): pass\ndef three(): pass\n",
    ),
    ("lib/made.py", "__all__ = [n for n in dir()]\ndef one(): pass\n"),
    (
        "lib/pack/__init__.py",
        "from ._core import Model, fit\nfrom .stars import *\nfrom other import thing\nfrom . import sub\n",
    ),
    ("lib/pack/_core.py", "class Model: pass\ndef fit(): pass\n"),
    (
        "lib/pack/stars.py",
        "from .deep import *\n__all__ = ['shine', 'Deep']\ndef shine(): pass\ndef hidden(): pass\n",
    ),
    (
        "lib/pack/deep.py",
        "from .stars import *\nclass Deep: pass\nclass Other: pass\n",
    ),
    (
        "lib/pack/sub/__init__.py",
        "try:\n    from .a import Found\nexcept ImportError:\n    Found = None\n",
    ),
    ("lib/pack/sub/a.py", "class Found: pass\n"),
    ("lib/pack/sub/inner/__init__.py", "class Inner: pass\n"),
    ("lib/pack/tests/__init__.py", "class Tested: pass\n"),
    (
        "lib/lazy/__init__.py",
        "import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)\n",
    ),
    (
        "lib/lazy/__init__.pyi",
        "__all__ = ['imread', 'data']\nfrom . import data\nfrom .io import imread\n",
    ),
    ("lib/lazy/io.py", "def imread(): pass\n"),
    ("lib/lazy/data/__init__.py", ""),
    ("lib/typed/__init__.py", "from .native import *\n"),
    (
        "lib/typed-stubs/__init__.pyi",
        "from .x import y as y\nclass Stubbed: ...\n",
    ),
    ("lib/space/part/__init__.py", "class Part: pass\n"),
    ("lib/native.cpython-311-x86_64-linux-gnu.so", ""),
    ("lib/numbers.libs/x.so", ""),
    ("lib/share/readme.txt", ""),
    ("lib/pathlib.py", "class Path: pass\n"),
    ("lib/typing.py", "class Any:\n    wrong = 1\n"),
    ("lib/zipfile.py", "class Path: pass\n"),
    ("lib/numpy.py", "def array(): pass\n"),
    (
        "lib/fits.py",
        "class LinearRegression: pass\nclass Lender: pass\ndef line_up_rests(): pass\ndef linregress(): pass\n",
    ),
    ("lib/broken.py", "def whole(): pass\ndef f(:\n"),
    ("lib/bom.py", "\u{feff}def first(): pass\n"),
    (
        "lib/tables/__init__.py",
        "from .api import Table, read, pair, later, lent, loose, Base as Root\nfrom . import core as inner\nmade = Table()\n",
    ),
    (
        "lib/tables/api.py",
        "from typing import TYPE_CHECKING, Any, overload, Union\nfrom .core import *\nif TYPE_CHECKING:\n    import tables\n\
        @overload\ndef read(path, chunks: int) -> Reader: ...\n\
        def read(path, chunks=None) -> 'Union[None, tables.Table, Reader]': ...\n\
        def pair() -> tuple[Reader, tuple[int, Table | None]]: ...\n\
        async def later() -> Table: ...\n\
        @overload\ndef loose(a: int) -> tuple[Reader, Reader]: ...\ndef loose(a) -> tuple[Reader, Any]: ...\n\
        @contextlib.contextmanager\ndef lent() -> Reader: ...\n",
    ),
    (
        "lib/tables/core.py",
        "import abc, functools\ntry:\n    from fast import Base\nexcept ImportError:\n    class Base(abc.ABC, dict):\n\
        \x20       size: int\n        def __init__(self, rows):\n            self.rows = rows\n\
        \x20           if rows: self._n, (self.more, rows.other) = 1, 2\n\
        \x20           def within(self): self.not_of_this = 1\n\
        \x20       def copy(self) -> Self: ...\n\
        class Table(Base[int]):\n    limit = low, high = 1, 2\n    class Row: pass\n\
        \x20   @property\n    def shape(self): ...\n    @shape.setter\n    def shape(self, shape): self._shape = shape\n\
        \x20   @functools.cached_property\n    def width(self): ...\n\
        \x20   @classmethod\n    def parse(cls) -> 'Table': ...\n    def head(self): ...\n\
        class Reader:\n    def following(self) -> Frame: ...\n    def __call__(self) -> Frame: ...\nFrame: TypeAlias = Table[int]\nempty: Final[Reader]\n",
    ),
    (
        "lib/circle.py",
        "from circle import A\nclass B(A):\n    x = 1\nclass A(B):\n    y = 2\nC = D\nD = C\nfrom circle import E\nF: F\nG: H\nH: G\n",
    ),
    ("own/notes/notebook.ipynb", ""),
    ("own/notes/helpers.py", "def help_me(): pass\n"),
    ("own/shared.py", "def share(): pass\n"),
];

fn environment() -> (tempfile::TempDir, Arc<Index>) {
    let root = tempfile::tempdir().unwrap();
    for (file, text) in FILES {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let index = of(root.path());
    (root, index)
}

fn of(root: &Path) -> Arc<Index> {
    Index::of(&Snapshot {
        path: vec!["lib".into(), "nowhere".into(), "lib".into(), "x.zip".into()],
        directory: root.to_str().unwrap().into(),
        ..Snapshot::default()
    })
}

/// What the disk says, however slow it is here.
fn said(ask: impl Fn() -> Option<Vec<Found>>) -> Vec<Found> {
    (0..100).find_map(|_| ask()).unwrap()
}

fn public(ask: impl Fn() -> Option<Vec<Found>>) -> String {
    let found = said(ask);
    let public = found.iter().filter(|it| it.public);
    let mut names: Vec<String> = public
        .map(|it| format!("{}{}", it.kind.letter(), it.name))
        .collect();
    names.sort_unstable();
    names.join(" ")
}

fn names(index: &Index, module: &str) -> String {
    public(|| index.members(module, None))
}

#[test]
fn modules_are_found_as_python_finds_them() {
    let (root, index) = environment();
    assert_eq!(
        public(|| index.modules("", None)),
        "mbom mbroken mcircle mfits mlazy mlisted mmade mnative mnumpy mpack mpathlib mplain mspace mtables mtyped mtyping mzipfile"
    );
    assert_eq!(public(|| index.modules("pack", None)), "mdeep mstars msub mtests");
    assert_eq!(public(|| index.modules("space", None)), "mpart");
    assert_eq!(public(|| index.modules("plain", None)), "");
    assert_eq!(public(|| index.modules("nothing.at.all", None)), "");
    assert!(index.has("pack.sub") && index.has("native") && !index.has("pack.nothing"));
    let folder = root.path().join("own/notes");
    assert_eq!(public(|| index.modules(".", Some(&folder))), "mhelpers");
    assert_eq!(public(|| index.modules("..", Some(&folder))), "mnotes mshared");
    assert_eq!(public(|| index.members(".helpers", Some(&folder))), "fhelp_me");
    assert_eq!(public(|| index.members(".", None)), "");
}

#[test]
fn names_are_read_from_sources_and_stubs() {
    let (_root, index) = environment();
    for (module, expected) in [
        ("plain", "cTable fread vLIMIT va vb"),
        ("listed", "flater fone ftwo"),
        ("made", "fone"),
        ("pack", "cDeep cModel ffit fshine mdeep mstars msub mtests"),
        ("pack.sub", "cFound ma minner"),
        ("lazy", "fimread mdata mio"),
        ("typed", "cStubbed fy"),
        ("space.part", "cPart"),
        ("native", ""),
        ("bom", "ffirst"),
    ] {
        assert_eq!(names(&index, module), expected, "{module}");
    }
    // What a module imports for itself is there, and comes behind.
    let all = said(|| index.members("plain", None));
    let own: Vec<&str> = all
        .iter()
        .filter(|it| !it.public)
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(own, ["os", "dumps", "_own"]);
    assert!(names(&index, "broken").contains("fwhole"));
}

#[test]
fn what_an_attribute_leads_to_is_a_module_only_where_nothing_else_has_its_name() {
    let (_root, index) = environment();
    let reached = |module: &str, names: &[&str]| public(|| index.attributes(module, names, None));
    assert_eq!(reached("pack", &["sub"]), "cFound ma minner");
    assert_eq!(reached("pack", &["sub", "inner"]), "cInner");
    assert_eq!(reached("pack.stars", &[]), reached("pack", &["stars"]));
    assert_eq!(reached("lazy", &["io"]), "fimread");
    for (module, name) in [("pack", "Model"), ("lazy", "imread"), ("plain", "Table")] {
        assert_eq!(reached(module, &[name]), "", "{module}.{name}");
    }
    assert_eq!(reached("pack", &["none", "none"]), "");
}

/// Each name of `__all__` that nothing binds was looked for in the folder.
#[test]
fn a_package_with_many_names_and_modules_is_listed_once() {
    let cost = |count: usize| {
        let root = tempfile::tempdir().unwrap();
        let package = root.path().join("many");
        std::fs::create_dir(&package).unwrap();
        let all: Vec<String> = (0..count).map(|at| format!("'name_{at}'")).collect();
        std::fs::write(
            package.join("__init__.py"),
            format!("__all__ = [{}]\n", all.join(", ")),
        )
        .unwrap();
        for at in 0..count {
            std::fs::write(package.join(format!("module_{at}.py")), "").unwrap();
        }
        let finder = Finder::new(vec![root.path().to_owned()]);
        let place = finder.place("many", None).unwrap();
        let spent = || {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
        };
        let once = |_| {
            let before = spent();
            assert_eq!(Reader::new(&finder).names("many", &place).len(), count);
            spent() - before
        };
        (0..3).map(once).fold(f64::INFINITY, f64::min)
    };
    cost(10);
    let (small, large) = (cost(100), cost(1000));
    assert!(large < 30.0 * small, "{:.0} times", large / small);
}

#[test]
fn names_of_all_modules_are_found_by_how_they_begin() {
    let (_root, index) = environment();
    let built = || build::names(&index.finder, None, &|| true).unwrap();
    let names = built();
    let imports = |hits: Vec<Hit>| hits.into_iter().map(|hit| hit.import).collect::<Vec<_>>();
    assert_eq!(
        imports(names.starting("Path", 9)),
        ["from pathlib import Path"]
            .into_iter()
            .chain(["import pathlib"])
            .collect::<Vec<_>>()
    );
    assert_eq!(
        imports(names.named("Path", 9)),
        ["from pathlib import Path", "from zipfile import Path"]
    );
    assert_eq!(imports(names.named("np", 9)), ["import numpy as np"]);
    assert_eq!(imports(names.named("pd", 9)), Vec::<String>::new());
    assert_eq!(imports(names.starting("fou", 9)), ["from pack.sub import Found"]);
    assert_eq!(
        imports(names.named("Inner", 9)),
        ["from pack.sub.inner import Inner"]
    );
    assert_eq!(imports(names.named("Model", 9)), ["from pack import Model"]);
    for (typed, found) in [
        (
            "LinReg",
            &["from fits import linregress", "from fits import LinearRegression"][..],
        ),
        ("linxreg", &[]),
        ("linreg", &["from fits import linregress"]),
        ("liures", &["from fits import line_up_rests"]),
        ("LReg", &["from fits import LinearRegression"]),
        ("LiR", &[]),
        ("Linea", &["from fits import LinearRegression"]),
    ] {
        assert_eq!(imports(names.starting(typed, 9)), found, "{typed}");
    }
    for absent in ["Tested", "hidden", "_own", "dumps"] {
        assert_eq!(
            imports(names.starting(absent, 9)),
            Vec::<String>::new(),
            "{absent}"
        );
    }
    assert_eq!(names.starting("zi", 1).len(), 1);
    // Nothing was installed for a moment: it stays; nobody is there: it ends.
    std::thread::sleep(build::TICKS);
    let names = built();
    assert!(build::names(&index.finder, Some(&names), &|| true).is_none());
    assert!(build::names(&index.finder, None, &|| false).is_none());
}

#[test]
fn an_index_is_one_for_all_who_ask_and_learns_what_was_installed() {
    let (root, index) = environment();
    assert!(Arc::ptr_eq(&index, &of(root.path())));
    let known = build::names(&index.finder, None, &|| true).unwrap();
    std::fs::write(root.path().join("lib/fresh.py"), "class Fresh: pass\n").unwrap();
    let renewed = build::names(&index.finder, Some(&known), &|| true).unwrap();
    assert_eq!(renewed.named("Fresh", 1).len(), 1);
    index.warm();
    let until = Instant::now() + Duration::from_secs(20);
    while index.named("Fresh", 1).is_empty() {
        assert!(Instant::now() < until, "not collected");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_cannot_be_kept_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let file = cache.path().join("modules.json");
    let module = names::Module {
        name: "m".into(),
        stamp: 7,
        names: "fone".into(),
    };
    store::write_to(&file, folder.path(), 1, std::slice::from_ref(&module)).unwrap();
    let known = |file: &Path, folder: &Path| store::read_from(file, folder).map(|known| known.modules.len());
    assert_eq!(known(&file, folder.path()), Some(1));
    assert_eq!(known(&file, cache.path()), None, "another folder's");
    let text = std::fs::read_to_string(&file).unwrap();
    for spoilt in [
        "",
        "{",
        "[]",
        "\u{0}\u{0}",
        &text.replace(env!("CARGO_PKG_VERSION"), "0.0.0"),
    ] {
        std::fs::write(&file, spoilt).unwrap();
        assert_eq!(known(&file, folder.path()), None);
    }
    assert!(store::write_to(Path::new("/proc/none/x.json"), folder.path(), 1, &[module]).is_err());
    // Room is made for what is new.
    for number in 0..100 {
        store::write_to(
            &cache.path().join(format!("{number}.json")),
            folder.path(),
            1,
            &[],
        )
        .unwrap();
    }
    assert!(std::fs::read_dir(cache.path()).unwrap().count() <= 64);
}

const TABLE: &str = "cRow fcopy fhead fparse vhigh vlimit vlow vmore vrows vshape vsize vwidth";

#[test]
fn classes_have_their_members_and_those_of_their_bases() {
    let (_root, index) = environment();
    for (module, reached, expected) in [
        ("tables", &["Table"][..], TABLE),
        ("tables.core", &["Frame"], TABLE),
        ("tables", &["inner", "Reader"], "ffollowing"),
        ("tables", &["inner", "empty"], "ffollowing"),
        ("tables", &["Root"], "fcopy vmore vrows vsize"),
        ("circle", &["A"], "vx vy"),
        // What is no class, or is not there.
        ("tables", &["read"], ""),
        ("tables", &["made"], ""),
        ("tables", &["Table", "head"], ""),
        ("tables", &["Nothing"], ""),
        ("circle", &["C"], ""),
        ("circle", &["E"], ""),
        ("circle", &["F"], ""),
        ("circle", &["H"], ""),
        ("nothing", &["A"], ""),
    ] {
        let found = public(|| index.attributes(module, reached, None));
        assert_eq!(found, expected, "{module} {reached:?}");
    }
    let private = said(|| index.attributes("tables", &["Table"], None));
    assert!(private.iter().any(|it| it.name == "_shape" && !it.public));
}

/// Each of them is reached from the first on millions of ways through the others.
#[test]
fn modules_that_import_everything_of_each_other_are_looked_through_once() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("lib")).unwrap();
    for own in 0..12 {
        let stars = (0..12)
            .filter(|other| *other != own)
            .map(|other| format!("from star{other} import *\n"));
        let text: String = stars
            .chain([format!("class Own{own}:\n    x{own} = 1\n")])
            .collect();
        std::fs::write(root.path().join(format!("lib/star{own}.py")), text).unwrap();
    }
    let index = of(root.path());
    assert_eq!(public(|| index.given("star0", &["Own7"], &[], None)), "vx7");
    assert_eq!(public(|| index.given("star0", &["Nothing"], &[], None)), "");
}

#[test]
fn an_annotation_in_quotes_may_be_as_deep_as_any_other() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("lib")).unwrap();
    let (open, close) = ("(".repeat(5_000), ")".repeat(5_000));
    let text =
        format!("class Found: x = 1\ndef deep() -> '{open}Found{close}': ...\ndef flat() -> 'Found': ...\n");
    std::fs::write(root.path().join("lib/quoted.py"), text).unwrap();
    let index = of(root.path());
    assert_eq!(public(|| index.given("quoted", &["flat"], &[], None)), "vx");
    assert_eq!(public(|| index.given("quoted", &["deep"], &[], None)), "");
}

#[test]
fn a_call_gives_an_instance_or_what_its_function_says() {
    let (_root, index) = environment();
    for (reached, places, expected) in [
        (&["Table"][..], &[][..], TABLE),
        // The function itself goes before its overloads, and of several classes the first.
        (&["read"], &[], TABLE),
        (&["pair"], &[0], "ffollowing"),
        (&["pair"], &[1, 1], TABLE),
        (&["pair"], &[1, 0], ""),
        (&["pair"], &[2], ""),
        (&["pair"], &[], ""),
        (&["Table", "parse"], &[], TABLE),
        // An inherited method gives what it was asked of.
        (&["Table", "copy"], &[], TABLE),
        (&["inner", "Reader", "following"], &[], TABLE),
        (&["inner", "empty"], &[], TABLE),
        (&["inner", "empty", "following"], &[], TABLE),
        (&["Table"], &[0], ""),
        (&["Table", "head"], &[], ""),
        (&["Table", "shape", "fget"], &[], ""),
        (&["later"], &[], ""),
        (&["lent"], &[], ""),
        (&["loose"], &[1], "ffollowing"),
        (&["made"], &[], ""),
        (&["inner"], &[], ""),
    ] {
        let found = public(|| index.given("tables", reached, places, None));
        assert_eq!(found, expected, "{reached:?} {places:?}");
    }
    assert_eq!(public(|| index.given("circle", &["B"], &[], None)), "vx vy");
}

#[test]
fn folders_of_documents_and_search_paths() {
    for (uri, folder) in [
        ("file:///a%20b/c.py", Some("/a b")),
        ("vscode-notebook-cell:/a/b.ipynb#W0s", None),
        ("vscode-notebook-cell:///a/b.ipynb#W0s", Some("/a")),
        ("file://host/a/%C3%A9/c.py", Some("/a/é")),
        ("untitled:Untitled-1", None),
        ("file:///a/100%/c.py", Some("/a/100%")),
    ] {
        assert_eq!(folder_of(uri).as_deref(), folder.map(Path::new), "{uri}");
    }
    let path = [
        "".to_owned(),
        "/b/../c".into(),
        "x".into(),
        "/p.zip".into(),
        "/a".into(),
    ];
    let folders = search_path::absolute(&path, Path::new("/a"));
    assert_eq!(folders, ["/a", "/b/../c", "/a/x"].map(PathBuf::from));
}
