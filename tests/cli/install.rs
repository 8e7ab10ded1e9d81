//! `drupe install`, `drupe uninstall`, and the record that they keep.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::world::{World, refuses, run, succeeds, write_executable};

#[test]
fn install_and_uninstall() {
    let world = World::new();
    let python = world.python("python", &world.suitable());
    let prefix = world.path("prefix").display().to_string();
    let options = ["--prefix", &prefix, "--name", "drupe-x"];
    let install = [&["install", "--python", &python][..], &options].concat();
    let more = [
        "--display-name",
        "A \"name\"",
        "--env",
        "A",
        "1",
        "--env",
        "B",
        "-2 3",
    ];
    succeeds(&mut world.drupe(&[&install[..], &more].concat()));

    let folder = world.path("prefix/share/jupyter/kernels/drupe-x");
    let spec: Value = serde_json::from_slice(&fs::read(folder.join("kernel.json")).unwrap()).unwrap();
    let record = folder.join("environment.json");
    let binary = Path::new(env!("CARGO_BIN_EXE_drupe")).canonicalize().unwrap();
    let argv = json!([binary, "run", "--environment", record, "-f", "{connection_file}"]);
    assert_eq!(spec["argv"], argv);
    assert_eq!(spec["display_name"], "A \"name\"");
    assert_eq!(spec["language"], "python");
    assert_eq!(spec["interrupt_mode"], "message");
    assert_eq!(spec["env"], json!({"A": "1", "B": "-2 3"}));
    for logo in ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"] {
        assert!(folder.join(logo).metadata().unwrap().len() > 500, "{logo}");
    }

    refuses(&mut world.drupe(&install), 1, &["exists already", "--replace"]);
    succeeds(&mut world.drupe(&[&install[..], &["--replace"]].concat()));
    let left: Vec<_> = fs::read_dir(folder.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the kernelspec: {left:?}");

    succeeds(&mut world.drupe(&[&["uninstall"][..], &options].concat()));
    assert!(!folder.exists());
    refuses(
        &mut world.drupe(&[&["uninstall"][..], &options].concat()),
        1,
        &["there is no kernelspec"],
    );
}

/// A kernel that may not write beside its sources need not compile them at each start.
#[test]
fn install_compiles_the_package() {
    let world = World::new();
    let suitable = world.suitable();
    let answers = world.python("answers", &suitable);
    let python = world.executable(
        "python",
        &format!("#!/bin/sh\ncase \"$1\" in\n*/probe.py) exec '{answers}' \"$@\" ;;\n*) exec python3 \"$@\" ;;\nesac\n"),
    );
    let prefix = world.path("prefix").display().to_string();
    fs::write(world.path("package/broken.py"), "def (").unwrap();
    let install = ["install", "--python", &python, "--prefix", &prefix];
    succeeds(world.drupe(&install).env("PYTHONDONTWRITEBYTECODE", "1"));
    let compiled: Vec<_> = fs::read_dir(world.path("package/__pycache__"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        compiled.iter().any(|name| name.starts_with("__main__.")),
        "{compiled:?}"
    );
}

#[test]
fn the_places_of_a_kernelspec() {
    let world = World::new();
    let python = world.python("python", &world.suitable());
    let install = |more: &[&str]| world.drupe(&[&["install", "--python", &python][..], more].concat());
    succeeds(&mut install(&[]));
    let user = if cfg!(target_os = "macos") {
        "Library/Jupyter"
    } else {
        ".local/share/jupyter"
    };
    assert!(world.path(user).join("kernels/drupe/kernel.json").is_file());
    succeeds(install(&["--user"]).env("JUPYTER_DATA_DIR", world.path("data")));
    assert!(world.path("data/kernels/drupe/kernel.json").is_file());
    succeeds(&mut install(&["--sys-prefix"]));
    assert!(
        world
            .path("env/share/jupyter/kernels/drupe/kernel.json")
            .is_file()
    );
    refuses(
        &mut install(&["--name", "../evil"]),
        1,
        &["../evil", "cannot name"],
    );
    refuses(
        &mut install(&["--prefix", "/proc/nowhere"]),
        1,
        &["/proc/nowhere"],
    );
}

#[test]
fn uninstall_leaves_other_kernels_alone() {
    let world = World::new();
    let folder = world.path("prefix/share/jupyter/kernels/other");
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("kernel.json"),
        r#"{"argv": ["python", "-m", "ipykernel_launcher"]}"#,
    )
    .unwrap();
    let prefix = world.path("prefix").display().to_string();
    let mut uninstall = world.drupe(&["uninstall", "--prefix", &prefix, "--name", "other"]);
    refuses(&mut uninstall, 1, &["another kernel's"]);
    assert!(folder.join("kernel.json").is_file());
}

#[test]
fn install_refuses_what_could_not_run() {
    let world = World::new();
    let bare = world.python("bare", &world.but(&json!({"modules": {}})));
    refuses(
        &mut world.drupe(&["install", "--python", &bare]),
        2,
        &["has no ipython"],
    );
    assert!(!world.path(".local").exists());
}

/// What was recorded answers for the interpreter, until a file that it stands on changes.
#[test]
fn a_record_spares_the_probe_until_it_is_stale() {
    let world = World::new();
    let python = world.python("env/bin/python", &world.suitable());
    let prefix = world.path("prefix").display().to_string();
    succeeds(&mut world.drupe(&["install", "--python", &python, "--prefix", &prefix]));
    let record = world.path("prefix/share/jupyter/kernels/drupe/environment.json");
    let start = || world.drupe(&["run", "--environment", record.to_str().unwrap(), "-f", "x"]);
    assert!(succeeds(&mut start()).contains("second door"));

    // An interpreter that can no longer be probed, though its file looks the same, is not asked.
    let text = fs::read_to_string(&python).unwrap();
    let twin = world.executable("twin", &text);
    touch_like(&python, &twin);
    write_executable(Path::new(&python), &text.replace("cpython", "cpxthon"));
    touch_like(&twin, &python);
    assert!(succeeds(&mut start()).contains("second door"));

    // A new time means another interpreter: now it is asked, and the answer counts.
    write_executable(Path::new(&python), &text.replace("cpython", "cpxthon"));
    refuses(&mut start(), 2, &["cpxthon 3.12.1"]);

    // The next start finds the renewed record when the interpreter is good again.
    write_executable(Path::new(&python), &text);
    assert!(succeeds(&mut start()).contains("second door"));
    let renewed = fs::read_to_string(&record).unwrap();
    assert!(renewed.contains("\"cpython\""));

    // A record of what cannot run is no answer: a module that has been installed since is found.
    let bare = world.but(&json!({"modules": {}}));
    world.python("env/bin/python", &bare);
    refuses(&mut start(), 2, &["has no ipython"]);
    world.python("env/bin/python", &world.suitable());
    assert!(succeeds(&mut start()).contains("second door"));

    fs::remove_file(&python).unwrap();
    refuses(
        &mut start(),
        2,
        &["env/bin/python", "does not exist", "environment.json"],
    );
    fs::write(&record, "{").unwrap();
    refuses(&mut start(), 2, &["environment.json", "drupe install --replace"]);
    fs::remove_file(&record).unwrap();
    refuses(&mut start(), 2, &["environment.json", "drupe install --replace"]);
}

/// Gives `file` the times of `model`, to the nanosecond.
fn touch_like(model: &str, file: &str) {
    let status = Command::new("touch").args(["-r", model, file]).status().unwrap();
    assert!(status.success());
}

/// By it VS Code knows which environment to activate.
#[test]
fn the_kernelspec_names_its_interpreter() {
    let world = World::new();
    let python = world.python("env/bin/python", &world.suitable());
    succeeds(&mut world.drupe(&[
        "install",
        "--prefix",
        world.path("p").to_str().unwrap(),
        "--python",
        &python,
    ]));
    let text = fs::read(world.path("p/share/jupyter/kernels/drupe/kernel.json")).unwrap();
    let spec: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(spec["metadata"]["interpreter"]["path"], json!(python));
}

#[test]
fn an_environment_that_is_gone_with_its_command_gets_no_kernelspec() {
    let world = World::new();
    let python = world.python("env/bin/python", &world.suitable());
    let about = "home = /usr/bin\nextends-environment = /project/.venv\n";
    fs::write(world.path("env/pyvenv.cfg"), about).unwrap();
    let mut install = world.drupe(&["install", "--user", "--python", &python]);
    refuses(&mut install, 1, &["uv run --with", "--python"]);
    assert!(!world.path(".local").exists());
}

/// A Python without comm, whose pip installs it, or fails to.
fn lacking(world: &World, pip: &str) -> String {
    let without = world.but(&json!({"modules": {
        "IPython": {"version": "9.1.0", "origin": null},
        "matplotlib_inline": {"version": "0.1.7", "origin": null},
    }}));
    let text = format!(
        "#!/bin/sh\ncase \"$1 $2\" in\n\
         */probe.py*) if [ -e {done} ]; then echo '{with}'; else echo '{without}'; fi;;\n\
         '-m pip') echo \"pip: $*\" >>{done}.said; {pip};;\nesac\n",
        done = world.path("done").display(),
        with = world.suitable(),
    );
    world.executable("env/bin/python", &text)
}

#[test]
fn what_is_missing_is_named_in_one_line_and_brought_when_asked_for() {
    let world = World::new();
    let python = lacking(&world, &format!("touch {}", world.path("done").display()));
    let command = format!("{python} -m pip install 'comm>=0.2'");
    for words in [["install", "--python"], ["run", "--python"]] {
        let (code, _, stderr) = run(&mut world.drupe(&[words.as_slice(), &[&python]].concat()));
        assert_eq!(code, Some(2));
        let first = stderr.lines().next().unwrap();
        assert!(
            first.starts_with("drupe: ") && first.contains(&command),
            "{first}"
        );
    }
    assert!(!world.path("done.said").exists(), "nobody had asked for it");
    succeeds(&mut world.drupe(&["install", "--with-deps", "--python", &python]));
    let said = fs::read_to_string(world.path("done.said")).unwrap();
    assert_eq!(said, "pip: -m pip install comm>=0.2\n");
    assert!(
        world
            .path(".local/share/jupyter/kernels/drupe/kernel.json")
            .exists()
    );
}

#[test]
fn what_cannot_be_brought_is_said() {
    let world = World::new();
    let python = lacking(&world, "echo no network >&2; exit 3");
    let (code, _, stderr) = run(&mut world.drupe(&["install", "--with-deps", "--python", &python]));
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("no network") && stderr.contains("could not be installed"),
        "{stderr}"
    );
    assert!(!world.path(".local").exists());
}
