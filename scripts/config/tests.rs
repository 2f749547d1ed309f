use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::{Config, ConfigError};

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("concord.toml"), text).expect("written");
    let hide = |text: String| text.replace(&folder.path().display().to_string(), "DIR");
    Config::load_with(None, folder.path(), &Environment::of(variables))
        .map(|mut config| {
            config.database.data_dir =
                PathBuf::from(hide(config.database.data_dir.display().to_string()));
            config.modules = config
                .modules
                .iter()
                .map(|path| PathBuf::from(hide(path.display().to_string())))
                .collect();
            config
        })
        .map_err(|error| hide(error.to_string()))
}

const FULL: &str = r#"
zone = "America/Montreal"
modules = ["streams"]

[database]
data_dir = "state"

[sources.gazelle]
endpoint = "https://example.com/graphql/"
auth = { kind = "header", name = "x-api-key", secret_env = "NOT_SET_ANYWHERE" }
rate = { per_second = 3, burst = 1 }

[serve]
port = 9000
"#;

#[test]
fn a_full_file_is_read_and_its_paths_are_its_folders() {
    let config = load(FULL, &[]).expect("valid");
    assert_eq!(config.zone, "America/Montreal");
    assert_eq!(config.database.data_dir, Path::new("DIR/state"));
    assert_eq!(config.modules, [Path::new("DIR/streams")]);
    assert_eq!(config.serve.port, 9000);
    assert_eq!(config.sources["gazelle"].rate.burst, 1);
}

#[test]
fn nothing_configured_is_the_embedded_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::load_with(None, folder.path(), &Environment::default()).expect("defaults");
    assert_eq!(config.database.url, None);
    assert_eq!(config.database.data_dir, Path::new("concord-data"));
    assert_eq!(config.zone, "UTC");
    assert!(config.file.is_none());
}

#[test]
fn the_environment_overrides_the_file() {
    let config = load(
        FULL,
        &[
            ("DATABASE_URL", "postgres://general"),
            ("CONCORD_DATABASE_URL", "postgres://own"),
            ("CONCORD_DATA_DIR", "/var/lib/concord"),
            ("CONCORD_ZONE", "Europe/Paris"),
            ("CONCORD_MODULES", "/a:/b"),
            ("CONCORD_SERVE_PORT", ""),
            ("CONCORD_SOURCES_GAZELLE_ENDPOINT", "http://127.0.0.1:1/"),
            ("CONCORD_SOURCES_GAZELLE_AUTH_SECRET_FILE", "/run/key"),
            ("CONCORD_SOURCES_WORK_SHOP_RATE_BURST", "7"),
            ("CONCORD_SOURCES_WORK_SHOP_ENDPOINT", "http://127.0.0.1:2/"),
        ],
    )
    .expect("valid");
    assert_eq!(config.database.url.as_deref(), Some("postgres://own"));
    assert_eq!(config.database.data_dir, Path::new("/var/lib/concord"));
    assert_eq!(config.zone, "Europe/Paris");
    assert_eq!(config.modules, [Path::new("/a"), Path::new("/b")]);
    assert_eq!(config.serve.port, 9000);
    let gazelle = &config.sources["gazelle"];
    assert_eq!(gazelle.endpoint, "http://127.0.0.1:1/");
    assert_eq!(
        (
            gazelle.auth.secret_env.as_deref(),
            gazelle.auth.secret_file.as_deref()
        ),
        (None, Some(Path::new("/run/key")))
    );
    assert_eq!(config.sources["work_shop"].rate.burst, 7);
}

#[test]
fn the_url_of_the_database_never_shows() {
    let config = load(
        "[database]\nurl = \"postgres://user:hunter2@host/db\"\n",
        &[],
    )
    .expect("valid");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn errors_say_line_and_remedy() {
    let files = [
        "zoen = \"UTC\"\n",
        "zone = \"America/Montrael\"\n",
        "\n\n[database]\ndatadir = \"x\"\n",
        "[sources.gazelle]\nauth = { kind = \"header\" }\n",
        "[sources.gazelle]\nendpoint = \"https://example.com/\"\nauth = { kind = \"heder\" }\n",
        "[sources.gazelle]\nendpoint = \"https://example.com/\"\nrate = { per_second = \"fast\" }\n",
        "[serve]\nport = 70000\n",
        "[serve\n",
        "zone = UTC\n",
        "[serve]\nport = 1\nport = 2\n",
    ];
    let variables = [
        ("CONCORD_ZONE", "Mars/Olympus"),
        ("CONCORD_SERVE_PORT", "http"),
        ("CONCORD_SOURCES_GAZELLE_AUTH_KIND", "password"),
        ("CONCORD_SOURCES_GAZELLE_ENDPIONT", "https://example.com/"),
        ("CONCORD_SOURCES_NOBODY_RATE_BURST", "1"),
    ];
    let of_file = files.iter().map(|text| {
        load(text, &[])
            .err()
            .unwrap_or_else(|| format!("accepted: {text}"))
    });
    let of_variable = variables.iter().map(|variable| {
        load(FULL, &[*variable])
            .err()
            .unwrap_or_else(|| format!("accepted: {variable:?}"))
    });
    let lines: Vec<String> = of_file.chain(of_variable).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let config = load(FULL, &[]).expect("valid");
    let missing = config
        .source("gazele")
        .err()
        .map(|error| error.to_string().replace(&config.place(), "concord.toml"));
    let unreadable = Config::load_with(
        Some(Path::new("/nowhere/concord.toml")),
        Path::new("."),
        &Environment::default(),
    );
    let module = config_without_folders()
        .load_module("client")
        .err()
        .map(|error| error.to_string());
    assert!(matches!(&unreadable, Err(ConfigError::Unreadable { .. })));
    let unreadable = unreadable.err().map(|error| error.to_string());
    insta::assert_snapshot!(
        [missing, unreadable, module]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("\n")
    );
}

fn config_without_folders() -> Config {
    Config::default()
}
