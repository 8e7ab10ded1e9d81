//! `drupe doctor`: what it finds, and that it is content where there is nothing to find.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::world::{World, real_python, run, succeeds};

#[test]
fn doctor_names_every_problem_and_its_mend() {
    let world = World::new();
    let bare = world.python("bare", &world.but(&json!({"modules": {}})));
    let (code, stdout, stderr) = run(&mut world.drupe(&["doctor", "--json", "--python", &bare]));
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["python"], json!(bare));
    assert_eq!(report["python_version"], "3.12.1");
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "IPython and the kernelspec: {problems:?}");
    for problem in problems {
        assert!(
            !problem["what"].as_str().unwrap().is_empty() && !problem["mend"].as_str().unwrap().is_empty()
        );
    }
    let (code, stdout, _) = run(&mut world.drupe(&["doctor", "--python", &bare]));
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("PROBLEM") && stdout.contains("to mend it: drupe install"),
        "{stdout}"
    );
}

/// The real thing: loads this environment's libpython and the core, as `run` would.
#[test]
fn doctor_is_content_after_install() {
    let world = World::new();
    let python = real_python();
    succeeds(&mut world.real_drupe(&["install", "--user", "--python", &python]));
    let stdout = succeeds(&mut world.real_drupe(&["doctor", "--json", "--python", &python]));
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["problems"], json!([]));
    assert_eq!(
        report["python"],
        json!(python),
        "the environment's link is not resolved"
    );
    assert!(report["core"].as_str().unwrap().ends_with("_drupe.abi3.so"));
    assert!(report["modules"]["IPython"].is_string() && report["modules"]["jedi"].is_string());
    let door = report["door"].as_str().unwrap();
    assert_eq!(door == "libpython", report["libpython"].is_string());
    assert_eq!(report["kernelspecs"][0]["name"], "drupe");
    // A kernelspec whose environment is gone.
    let folder = report["kernelspecs"][0]["folder"].as_str().unwrap();
    fs::remove_file(Path::new(folder).join("environment.json")).unwrap();
    let (code, stdout, _) = run(&mut world.real_drupe(&["doctor", "--python", &python]));
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("cannot start") && stdout.contains("drupe install --replace"),
        "{stdout}"
    );
}
