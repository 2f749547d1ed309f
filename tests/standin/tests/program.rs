use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;
use standin::FaultName;

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin");

#[test]
fn the_program_announces_itself_in_one_line_of_json() {
    for (arguments, keys) in [
        (
            vec![
                "--scale",
                "0.01",
                "--timeline",
                "50",
                "--fault",
                "page_cap=5",
                "--fault",
                r#"{"name":"server_error","after":3}"#,
            ],
            9,
        ),
        (vec!["bulk", "--clients", "10"], 9),
    ] {
        let mut child = Command::new(PROGRAM)
            .args(&arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        child.kill().expect("it can be ended");
        child.wait().expect("it ends");
        let announced: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(
            announced.as_object().map(|object| object.len()),
            Some(keys),
            "{announced}"
        );
        assert!(announced["graphql"].as_str().is_some_and(
            |url| url.starts_with("http://127.0.0.1:") && url.ends_with("/graphql/private/")
        ));
    }
}

#[test]
fn help_names_every_switch_and_a_wrong_one_is_a_usage_error() {
    let help = Command::new(PROGRAM)
        .arg("--help")
        .output()
        .expect("the program starts");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for fault in FaultName::ALL {
        assert!(
            help.contains(fault.as_str()),
            "{} is not in the help",
            fault.as_str()
        );
        assert!(
            include_str!("../README.md").contains(&format!("`{}`", fault.as_str())),
            "{} is not in the README",
            fault.as_str()
        );
    }
    let wrong = Command::new(PROGRAM)
        .args(["--fault", "gremlins"])
        .output()
        .expect("the program starts");
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn it_ends_with_the_process_that_started_it_when_told_so() {
    let mut child = Command::new(PROGRAM)
        .args(["--scale", "0.01", "--timeline", "5", "--until-stdin-closes"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output"))
        .read_line(&mut line)
        .expect("a line");
    drop(child.stdin.take());
    assert!(child.wait().expect("it ends").success());
}
