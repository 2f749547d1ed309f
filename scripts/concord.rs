//! `concord`: the program for people, and under the name `run_sync` the scheduled job.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use concord::commands::{self, Command};
use concord::config::Config;
use concord::process::{self, LogFormat};
use concord::scheduled_job;

/// Keeps a PostgreSQL database in agreement with the APIs a business runs on.
///
/// `run_sync` is the scheduled job; these commands show what it did and undo it, and look after sources and
/// modules. They end with 0, 2 (usage or configuration), 3 (incomplete), 4 (waits for a person), 5 (failed)
/// or 75 (try again later).
#[derive(Debug, Parser)]
#[command(name = "concord", version)]
struct Arguments {
    /// The configuration file; `./concord.toml` by default, where it exists.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A further folder of modules; may be given again.
    #[arg(long, global = true, value_name = "DIR")]
    modules: Vec<PathBuf>,
    /// Answer in JSON.
    #[arg(long, global = true)]
    json: bool,
    /// How to log to standard error; RUST_LOG says what.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    log: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[tokio::main]
async fn main() -> ExitCode {
    if is_called("run_sync") {
        return scheduled_job::main().await;
    }
    let arguments = Arguments::parse();
    process::prepare(arguments.log);
    match answered(arguments).await {
        Ok(exit) => ExitCode::from(exit),
        Err(error) => {
            process::say(&process::explain(&error));
            ExitCode::from(process::exit_code(&error))
        }
    }
}

/// Whether the program was started under this name.
fn is_called(name: &str) -> bool {
    let called = std::env::args_os().next().unwrap_or_default();
    Path::new(&called)
        .file_stem()
        .is_some_and(|stem| stem == name)
}

async fn answered(arguments: Arguments) -> anyhow::Result<u8> {
    let mut config = Config::load(arguments.config.as_deref())?;
    config.modules.extend(arguments.modules);
    commands::run(arguments.command, &config)
        .await?
        .print(arguments.json)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn help_says_what_there_is() {
        let mut command = Arguments::command().term_width(100);
        command.build();
        let mut help = command.render_help().to_string();
        for inner in command.get_subcommands_mut() {
            let name = inner.get_name().to_owned();
            help += &format!("\n# {name}\n\n{}", inner.render_help());
            for deeper in inner
                .get_subcommands_mut()
                .filter(|deeper| deeper.get_name() != "help")
            {
                let deeper_name = deeper.get_name().to_owned();
                help += &format!("\n# {name} {deeper_name}\n\n{}", deeper.render_help());
            }
        }
        insta::assert_snapshot!(help);
    }
}
