//! "Did you mean …?": the known name nearest to what was written.

/// The known name nearest to what was written, if one is near enough to be meant.
pub fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), *name))
        .filter(|(distance, name)| *distance <= name.len().max(given.len()).div_ceil(5))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Asks whether the nearest known name was meant; another remedy where none is near.
pub fn did_you_mean(given: &str, known: &[&str], otherwise: &str) -> String {
    match nearest(given, known) {
        Some(name) => format!("Did you mean `{name}`?"),
        None => otherwise.to_owned(),
    }
}

/// What to write in place of an unknown name.
pub fn one_of(given: &str, known: &[&str]) -> String {
    let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let list = list.join(", ");
    match nearest(given, known) {
        Some(name) => format!("Did you mean `{name}`? Known are {list}."),
        None => format!("Remove it, or use one of {list}."),
    }
}
