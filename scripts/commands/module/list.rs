//! `concord module list`.

use reconciler::contract::Contract;
use serde::Serialize;

use crate::commands::Answer;
use crate::config::Config;
use crate::table::Table;

#[derive(Serialize)]
struct Listed {
    module: String,
    source: String,
    entity: Option<String>,
    read: String,
    folder: String,
}

pub fn run(config: &Config) -> anyhow::Result<Answer> {
    let mut listed = Vec::new();
    let mut table = Table::new(&["module", "source", "table", "read", "folder"]);
    for module in config.load_modules()? {
        let folder = module.folder.display().to_string();
        // A broken contract is for `module check` to explain; the list stays a list.
        let contract =
            Contract::parse(&format!("{folder}/contract.yaml"), &module.contract_yaml).ok();
        let entity = contract.map(|contract| contract.entity);
        let read = format!("{:?}", module.fetch.read).to_lowercase();
        table.row([
            module.name.clone(),
            module.source.clone(),
            entity
                .clone()
                .unwrap_or_else(|| "(broken contract)".to_owned()),
            read.clone(),
            folder.clone(),
        ]);
        listed.push(Listed {
            module: module.name,
            source: module.source,
            entity,
            read,
            folder,
        });
    }
    Answer::new(table.to_string(), &listed)
}
