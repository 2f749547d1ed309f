//! Who decides.

/// Who is responsible for a decision.
#[derive(Debug, clap::Args)]
pub struct Actor {
    /// Who decides this; the account that runs the command by default.
    #[arg(long)]
    actor: Option<String>,
}

impl Actor {
    /// The name as it is recorded.
    pub fn name(&self) -> String {
        let given = self.actor.clone();
        let account = || {
            ["USER", "LOGNAME"]
                .iter()
                .find_map(|name| std::env::var(name).ok())
        };
        let named = given
            .or_else(account)
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty());
        named.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
    }
}
