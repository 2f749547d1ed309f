//! No two files of a folder import each other in a circle, neither directly nor through the `mod.rs` between
//! them.

use std::collections::{BTreeMap, BTreeSet};

use crate::rust_code::{blanked, imports, paths};
use crate::tidy::{no_faults, texts};

/// Where the sources of each crate are.
const ROOTS: [&str; 7] = [
    "fetcher/src/",
    "staging/src/",
    "reconciler/matching/src/",
    "reconciler/src/",
    "scripts/runner/src/",
    "monitoring/src/",
    "scripts/",
];

/// Folders in which circles are still to be removed; what ends in a slash stands for all folders below it.
const EXCLUDED: [&str; 8] = [
    "reconciler/matching/src",
    "reconciler/src",
    "reconciler/src/absorb",
    "reconciler/src/reconcile",
    "fetcher/src",
    "fetcher/src/auth",
    "fetcher/src/modules",
    "fetcher/src/source",
];

/// A module by its path from the crate's root, which is empty.
type Module = Vec<String>;

/// The modules of a crate: the code of each, and what each makes known under a name of its own.
#[derive(Default)]
struct Crate {
    code: BTreeMap<Module, String>,
    names: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Crate {
    fn read(root: &str) -> Crate {
        let mut found = Crate::default();
        for file in texts().iter().filter(|file| file.is_rust()) {
            let others = ROOTS.iter().filter(|other| other.len() > root.len());
            let is_elsewhere = others.clone().any(|other| file.path.starts_with(other));
            let Some(path) = file.path.strip_prefix(root).filter(|_| !is_elsewhere) else {
                continue;
            };
            let mut module: Module = path
                .trim_end_matches(".rs")
                .split('/')
                .map(str::to_owned)
                .collect();
            if module
                .last()
                .is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str()))
            {
                module.pop();
            }
            found.code.insert(module, blanked(file.product()));
        }
        found.learn_names();
        found
    }

    fn learn_names(&mut self) {
        let named = |(module, code): (&Module, &String)| {
            let named = imports(code).into_iter();
            let named =
                named.filter_map(|(path, name)| Some((name, self.absolute(module, &path)?)));
            (module.clone(), named.collect())
        };
        self.names = self.code.iter().map(named).collect();
    }

    /// A path that begins in this crate, from its root.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Module> {
        let mut base = module.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => return Some(path[1..].to_vec()),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            child => {
                let below = [&base[..], &[child.to_owned()]].concat();
                self.code.get(&below)?;
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The file in which a path ends, behind whatever other files make it known.
    fn file_of(&self, path: &[String], fuel: u8) -> Option<Module> {
        let length = (0..=path.len())
            .rev()
            .find(|length| self.code.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let known = rest
            .first()
            .and_then(|name| self.names.get(module)?.get(name));
        match known.filter(|known| fuel > 0 && *known != path) {
            Some(known) => self.file_of(&[&known[..], &rest[1..]].concat(), fuel - 1),
            None => Some(module.to_vec()),
        }
    }

    /// Which files each file imports.
    fn imported(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let by_module = self.code.iter();
        by_module
            .map(|(module, code)| (module, self.imported_by(module, code)))
            .collect()
    }

    fn imported_by(&self, module: &Module, code: &str) -> BTreeSet<Module> {
        let named = imports(code).into_iter().map(|(path, _)| path);
        named
            .chain(paths(code))
            .filter_map(|path| self.file_of(&self.absolute(module, &path)?, 8))
            .filter(|file| file != module)
            .collect()
    }
}

/// Who imports whom among the files and folders of one folder.
type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Imports between neighbours, by the folder that they share.
fn by_folder<'a>(
    imported: &'a BTreeMap<&'a Module, BTreeSet<Module>>,
) -> BTreeMap<String, Graph<'a>> {
    let mut folders: BTreeMap<String, Graph<'a>> = BTreeMap::new();
    for (from, all) in imported {
        for to in all {
            let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            if let (Some(one), Some(other)) = (from.get(shared), to.get(shared)) {
                let graph = folders.entry(from[..shared].join("/")).or_default();
                graph.entry(one).or_default().insert(other);
            }
        }
    }
    folders
}

/// The imports that are part of a circle.
fn circles<'a>(graph: &Graph<'a>) -> Vec<(&'a str, &'a str)> {
    let reached = |start: &'a str| {
        let mut reached = BTreeSet::new();
        let mut next = vec![start];
        while let Some(one) = next.pop() {
            let fresh = graph.get(one).into_iter().flatten();
            next.extend(fresh.filter(|other| reached.insert(**other)));
        }
        reached
    };
    let edges = graph
        .iter()
        .flat_map(|(from, all)| all.iter().map(|to| (*from, *to)));
    edges
        .filter(|(from, to)| reached(to).contains(from))
        .collect()
}

fn is_excluded(folder: &str) -> bool {
    let below = format!("{folder}/");
    EXCLUDED
        .iter()
        .any(|excluded| match excluded.ends_with('/') {
            true => below.starts_with(excluded),
            false => *excluded == folder,
        })
}

#[test]
fn files_of_a_folder_do_not_import_each_other_in_a_circle() {
    let mut faults = Vec::new();
    for root in ROOTS {
        let all = Crate::read(root);
        assert!(!all.code.is_empty(), "{root} has no files");
        for (folder, graph) in by_folder(&all.imported()) {
            let folder = format!("{root}{folder}");
            let folder = folder.trim_end_matches('/');
            if is_excluded(folder) {
                continue;
            }
            let found = circles(&graph);
            faults.extend(
                found
                    .iter()
                    .map(|(a, b)| format!("{folder}: {a} imports {b}")),
            );
        }
    }
    no_faults(
        faults,
        "Move what several of these files need into a file that imports none of them:",
    );
}

#[test]
fn circles_are_found_through_what_a_folder_makes_known() {
    let module = |path: &str| -> Module {
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        segments.map(str::to_owned).collect()
    };
    let files = [
        ("", "mod inner; mod leaf; pub use inner::Known;"),
        ("leaf", "pub struct Leaf;"),
        (
            "inner",
            "mod first; mod second; pub use first::Known; use crate::leaf::Leaf;",
        ),
        (
            "inner/first",
            "use super::second::{Other, more::{self, Most}}; pub struct Known;",
        ),
        ("inner/second", "fn f() { let _ = crate::Known; }"),
    ];
    let mut all = Crate::default();
    for (path, code) in files {
        all.code.insert(module(path), code.to_owned());
    }
    all.learn_names();
    let imported = all.imported();
    let folders = by_folder(&imported);
    assert_eq!(
        circles(&folders["inner"]),
        [("first", "second"), ("second", "first")]
    );
    assert!(circles(&folders[""]).is_empty());
}
