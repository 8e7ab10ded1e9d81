//! Which Python is chosen, which is refused and how, and which door is taken.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::world::{World, real_python, refuses, run, succeeds, write_executable};

#[test]
fn a_python_that_is_not_there() {
    let world = World::new();
    refuses(
        &mut world.drupe(&["--python", "/nowhere/python"]),
        2,
        &["/nowhere/python", "does not exist"],
    );
    refuses(
        &mut world.drupe(&["--python", "no-such-python"]),
        2,
        &["no-such-python"],
    );
    let folder = world.path("package").display().to_string();
    refuses(
        &mut world.drupe(&["--python", &folder]),
        2,
        &["package/bin/python", "does not exist"],
    );
    refuses(
        world.drupe(&[]).env("VIRTUAL_ENV", "/nowhere/env"),
        2,
        &["/nowhere/env", "$VIRTUAL_ENV"],
    );
    refuses(
        world.drupe(&[]).env("PATH", "/nowhere"),
        2,
        &["no Python was found", "PATH"],
    );
}

#[test]
fn a_python_that_does_not_run() {
    let world = World::new();
    let plain = world.path("package/probe.py").display().to_string();
    refuses(
        &mut world.drupe(&["--python", &plain]),
        2,
        &["not an executable file"],
    );
    let broken = world.executable("broken", "#!/bin/sh\necho 'no such version' >&2\nexit 127\n");
    refuses(
        &mut world.drupe(&["--python", &broken]),
        2,
        &["broken", "no such version"],
    );
    let mute = world.executable("mute", "#!/bin/sh\nexit 0\n");
    refuses(
        &mut world.drupe(&["--python", &mute]),
        2,
        &["mute", "makes no sense"],
    );
    let odd = world.executable("odd", "#!/nowhere/interpreter\n");
    refuses(
        &mut world.drupe(&["--python", &odd]),
        2,
        &["odd", "could not be asked"],
    );
}

#[test]
fn a_python_that_will_not_do() {
    let world = World::new();
    // What a Python 3.9 answers: nothing about its modules.
    let old = json!({
        "executable": "/opt/old/python", "implementation": "cpython", "version": "3.9.18", "version_info": [3, 9],
        "bits": usize::BITS,
    });
    let old = world.python("old", &old);
    refuses(
        &mut world.drupe(&["--python", &old]),
        2,
        &["/opt/old/python", "3.9.18", "3.10", "-m venv"],
    );
    let pypy = world.python("pypy", &world.but(&json!({"implementation": "pypy"})));
    refuses(
        &mut world.drupe(&["--python", &pypy]),
        2,
        &["pypy 3.12.1", "CPython 3.10"],
    );
    let narrow = world.python("narrow", &world.but(&json!({"bits": 16})));
    refuses(
        &mut world.drupe(&["--python", &narrow]),
        2,
        &["16-bit Python 3.12.1"],
    );
}

const NO_GIL: &str = "is free-threaded Python 3.14.2, which drupe does not run in yet \
    (see docs/decisions/free-threading.md). To mend it: choose a build with the GIL, python3.14 and not python3.14t";

/// Front-ends show the first line of a kernel that did not start: it has the cause, what to do, and where the reasons stand.
#[test]
fn a_python_without_the_gil() {
    let world = World::new();
    let answer = json!({
        "executable": "/opt/free/bin/python3.14t", "version": "3.14.2", "version_info": [3, 14], "free_threaded": true,
    });
    let free = world.python("python3.14t", &world.but(&answer));
    let (status, stdout, stderr) = run(&mut world.drupe(&["--python", &free, "-f", "x"]));
    assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
    let commands = "python3.14 -m venv ENV && ENV/bin/python -m pip install ipython && \
        drupe install --replace --python ENV/bin/python";
    assert_eq!(
        stderr,
        format!("drupe: /opt/free/bin/python3.14t {NO_GIL}: {commands}\n")
    );
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions/free-threading.md");
    assert!(page.is_file(), "the page that the line names");
    let stdout = run(&mut world.drupe(&["doctor", "--python", &free])).1;
    assert!(
        stdout.contains("PROBLEM") && stdout.contains("free-threaded Python 3.14.2"),
        "{stdout}"
    );
    refuses(
        &mut world.drupe(&["install", "--python", &free]),
        2,
        &["free-threaded Python 3.14.2"],
    );
}

/// The other door says the same. Such a Python is known by its flag there.
#[test]
fn the_second_door_of_a_python_without_the_gil() {
    let world = World::new();
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/drupe/__main__.py");
    let script = "import runpy, sys; sys.abiflags, sys.version, sys.version_info = 't', '3.14.2 x', (3, 14)
sys.executable = '/opt/free/bin/python3.14t'
runpy.run_path(sys.argv[1], run_name='__main__')";
    let mut python = Command::new(real_python());
    python.args(["-c", script]).arg(main).args(["-f", "x"]);
    let (status, stdout, stderr) = run(python.current_dir(world.path("package")));
    assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert_eq!(stderr, format!("drupe: /opt/free/bin/python3.14t {NO_GIL}\n"));
}

#[test]
fn a_python_without_ipython() {
    let world = World::new();
    let bare = world.python("bare", &world.but(&json!({"modules": {}})));
    let words = [
        "bare",
        "3.12.1",
        "has no ipython, comm",
        "ipython>=8.18",
        "-m pip install 'ipython>=8.18'",
    ];
    refuses(&mut world.drupe(&["--python", &bare]), 2, &words);
    let mut modules = world.suitable()["modules"].clone();
    modules["IPython"]["version"] = json!("7.34.0");
    let old = world.python("old", &world.but(&json!({"modules": modules})));
    refuses(
        &mut world.drupe(&["--python", &old]),
        2,
        &["has only ipython 7.34.0", "needs ipython>=8.18"],
    );
    let uv = world.python("uv", &world.but(&json!({"modules": {}, "has_pip": false})));
    refuses(
        &mut world.drupe(&["--python", &uv]),
        2,
        &["uv pip install --python"],
    );
    let debian = world.python(
        "debian",
        &world.but(&json!({"modules": {}, "externally_managed": true})),
    );
    refuses(
        &mut world.drupe(&["--python", &debian]),
        2,
        &["distribution's own", "-m venv ENV"],
    );
}

#[test]
fn a_package_or_a_core_that_is_missing() {
    let world = World::new();
    let python = world.python("python", &world.suitable());
    refuses(
        world
            .drupe(&["--python", &python])
            .env("DRUPE_PACKAGE", "/nowhere"),
        2,
        &["/nowhere", "make build"],
    );
    fs::remove_file(world.path("package/_drupe.abi3.so")).unwrap();
    refuses(
        &mut world.drupe(&["--python", &python]),
        2,
        &["core is missing", "_drupe.abi3.so"],
    );
}

#[test]
fn the_second_door_when_there_is_no_shared_library() {
    let world = World::new();
    let python = world.python("python", &world.suitable());
    let said = succeeds(&mut world.drupe(&["run", "--python", &python, "-f", "k.json", "--odd"]));
    let main = world.path("package/__main__.py").canonicalize().unwrap();
    assert_eq!(
        said,
        format!(
            "second door: {} --python {python} -f k.json --odd\n",
            main.display()
        )
    );
}

#[test]
fn the_choice_of_a_python() {
    let world = World::new();
    for name in ["flag", "venv/bin/python", "conda/bin/python", "path/python3"] {
        let answer = format!("#!/bin/sh\necho {name} was asked >&2\nexit 1\n");
        world.executable(name, &answer);
    }
    let choose = |flag: bool, venv: bool, conda: bool| {
        let mut command = world.drupe(&["-f", "x"]);
        command.env("PATH", format!("{}:/usr/bin:/bin", world.path("path").display()));
        if flag {
            command.arg("--python").arg(world.path("flag"));
        }
        if venv {
            command.env("VIRTUAL_ENV", world.path("venv"));
        }
        if conda {
            command.env("CONDA_PREFIX", world.path("conda"));
        }
        command
    };
    refuses(&mut choose(true, true, true), 2, &["flag was asked"]);
    refuses(&mut choose(false, true, true), 2, &["venv/bin/python was asked"]);
    refuses(
        &mut choose(false, false, true),
        2,
        &["conda/bin/python was asked"],
    );
    refuses(&mut choose(false, false, false), 2, &["path/python3 was asked"]);
}

/// A world in which drupe is installed in an environment or below a user's folder, with others around, each with a Python that says
/// who was asked.
struct Installed {
    world: World,
    package: &'static str,
}

impl Installed {
    fn new(package: &'static str, pythons: &[&str]) -> Self {
        let world = World::new();
        for name in pythons {
            world.executable(name, &format!("#!/bin/sh\necho {name} was asked >&2\nexit 1\n"));
        }
        for name in ["__main__.py", "probe.py", "_drupe.abi3.so"] {
            let path = world.path(package).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let installed = Self { world, package };
        let prefix = package.split("/lib").next().unwrap();
        fs::create_dir_all(installed.world.path(prefix).join("share/jupyter")).unwrap();
        installed
    }

    /// As its kernelspec starts it, from a server in the environment `server`, or by a front-end that does not say.
    #[track_caller]
    fn runs(&self, server: &str, active: &[(&str, &str)], expected: &str) {
        let prefix = if server.is_empty() {
            "{prefix}".into()
        } else {
            self.world.path(server).display().to_string()
        };
        let mut command = self.world.drupe(&["--prefix", &prefix, "-f", "x"]);
        command.env("DRUPE_PACKAGE", self.world.path(self.package));
        command.env(
            "PATH",
            format!("{}:/usr/bin:/bin", self.world.path("path").display()),
        );
        for (name, folder) in active {
            command.env(name, self.world.path(folder));
        }
        refuses(&mut command, 2, &[&format!("{expected} was asked")]);
    }
}

#[test]
fn a_drupe_that_is_installed_in_an_environment_runs_its_python() {
    let pythons = [
        "env/bin/python3.12",
        "env/bin/python",
        "other/bin/python",
        "path/python3",
    ];
    let installed = Installed::new("env/lib/python3.12/site-packages/drupe", &pythons);
    let ours = "env/bin/python3.12";
    installed.runs("env", &[], ours);
    installed.runs(
        "env",
        &[("VIRTUAL_ENV", "other"), ("CONDA_PREFIX", "other")],
        ours,
    );
    installed.runs("", &[("VIRTUAL_ENV", "env"), ("CONDA_PREFIX", "other")], ours);
    installed.runs("", &[("VIRTUAL_ENV", "other"), ("CONDA_PREFIX", "env")], ours);
    // By JUPYTER_PATH, or by the path of the program.
    installed.runs("other", &[], ours);
    installed.runs("", &[("VIRTUAL_ENV", "other")], ours);
    installed.runs("", &[], ours);
}

/// What `uv run --with drupe` makes.
#[test]
fn an_environment_in_front_of_drupes_own_sees_more() {
    let pythons = ["cached/bin/python", "overlay/bin/python", "other/bin/python"];
    let installed = Installed::new("cached/lib/python3.12/site-packages/drupe", &pythons);
    let world = &installed.world;
    fs::create_dir_all(world.path("overlay/share")).unwrap();
    let link = world.path("overlay/share/jupyter");
    std::os::unix::fs::symlink(world.path("cached/share/jupyter"), link).unwrap();
    installed.runs("overlay", &[("VIRTUAL_ENV", "other")], "overlay/bin/python");
    installed.runs("", &[("VIRTUAL_ENV", "overlay")], "overlay/bin/python");
}

/// `pip install --user`, and Debian's `/usr/local`.
#[test]
fn a_users_own_drupe_runs_the_python_that_installed_it() {
    let pythons = [
        "usr/bin/python3.12",
        "usr/bin/python",
        "env/bin/python3.12",
        "env/bin/python",
        "path/python3.12",
        "path/python3",
    ];
    for package in [
        "home/lib/python3.12/site-packages/drupe",
        "home/lib/python3.12/dist-packages/drupe",
        "home/lib64/python3.12/site-packages/drupe",
    ] {
        let installed = Installed::new(package, &pythons);
        fs::write(installed.world.path("env/pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        installed.runs("usr", &[], "usr/bin/python3.12");
        installed.runs("env", &[], "path/python3.12");
        installed.runs("", &[], "path/python3.12");
    }
    let installed = Installed::new("home/lib/python3.13/site-packages/drupe", &pythons);
    installed.runs("env", &[], "env/bin/python");
    installed.runs("", &[], "path/python3");
}

/// A library of another Python than the interpreter is noticed, and the other door is taken.
#[test]
fn a_library_of_another_python_is_not_used() {
    let world = World::new();
    let python = real_python();
    let stdout = run(&mut world.real_drupe(&["doctor", "--json", "--python", &python])).1;
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let Some(library) = report["libpython"].as_str().map(Path::new) else {
        return;
    };
    let config = json!({"INSTSONAME": library.file_name().unwrap().to_str(), "LIBDIR": library.parent()});
    let other = world.python(
        "other",
        &world.but(&json!({"version": "3.12.99", "config": config})),
    );
    let said = succeeds(&mut world.drupe(&["--python", &other, "-f", "x"]));
    assert!(said.starts_with("second door: "), "{said}");
}

/// A library that the dynamic linker refuses is as good as none.
#[test]
fn a_library_that_cannot_be_loaded_is_not_used() {
    let world = World::new();
    let library = world.executable("lib/libpython3.12.so.1.0", "this is no library");
    let config = json!({"INSTSONAME": "libpython3.12.so.1.0", "LIBDIR": world.path("lib")});
    let python = world.python("python", &world.but(&json!({"config": config})));
    let said = succeeds(&mut world.drupe(&["--python", &python, "-f", "x"]));
    assert!(said.starts_with("second door: "), "{said}");
    let stdout = run(&mut world.drupe(&["doctor", "--json", "--python", &python])).1;
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["libpython"], json!(library));
    assert_eq!(report["door"], json!("python -m drupe"));
}

/// Without a record an interpreter is asked once, and again when it has changed.
#[test]
fn an_interpreter_is_remembered() {
    let world = World::new();
    let python = world.path("python").display().to_string();
    let asked = world.path("asked");
    let write = |version: &str| {
        let changes = json!({"executable": python, "version": version});
        world.python("python", &world.but(&changes));
        let text = fs::read_to_string(&python).unwrap();
        let noting = format!("*/probe.py) echo >>{}; cat", asked.display());
        write_executable(Path::new(&python), &text.replace("*/probe.py) cat", &noting));
    };
    let start = || succeeds(&mut world.drupe(&["--python", &python, "-f", "x"]));
    let times = || fs::read(&asked).unwrap().len();
    write("3.12.1");
    start();
    start();
    assert_eq!(times(), 1);
    write("3.12.10");
    start();
    assert_eq!(times(), 2);
    succeeds(&mut world.drupe(&["install", "--python", &python]));
    assert_eq!(times(), 3, "install asks for itself");
    let mut elsewhere = world.drupe(&["--python", &python, "-f", "x"]);
    succeeds(elsewhere.env("PYTHONPATH", "/elsewhere"));
    assert_eq!(times(), 4, "another PYTHONPATH finds other modules");
}
