//! Names of institutions: their kind and their distinctive words.

use super::text::folded;

/// A parsed name of an institution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Organisation {
    /// Its words in one language without legal form, sorted, without duplicates.
    pub words: Vec<String>,
    /// The words for its kind, such as school or church.
    pub sort: Vec<String>,
    /// The distinctive words.
    pub proper: Vec<String>,
    /// The words of a department, pavilion or branch, in their order.
    pub branch: Vec<String>,
}

/// Words that begin the name of a part of an institution.
const BRANCHES: &[&str] = &[
    "pavillon",
    "pavilion",
    "annexe",
    "annex",
    "campus",
    "departement",
    "department",
    "dep",
    "dept",
    "service",
    "services",
    "faculte",
    "faculty",
    "cycle",
    "etage",
    "batiment",
    "building",
    "bloc",
    "aile",
    "wing",
    "division",
    "succursale",
    "branch",
    "section",
    "direction",
];

/// Legal forms; they do not identify an institution.
const LEGAL: &[&str] = &[
    "inc",
    "incorporated",
    "incorporee",
    "ltee",
    "limitee",
    "ltd",
    "limited",
    "enr",
    "enrg",
    "enregistree",
    "senc",
    "sencrl",
    "sec",
    "llc",
    "llp",
    "lp",
    "corp",
    "corporation",
    "co",
    "cie",
    "compagnie",
    "company",
    "plc",
    "gmbh",
    "ag",
    "sa",
    "sarl",
    "sas",
    "sasu",
    "eurl",
    "srl",
    "spa",
    "bv",
    "nv",
    "pty",
    "obnl",
    "osbl",
    "coop",
    "reg",
    "registered",
];

/// Articles, prepositions and other words that do not identify an institution.
const BINDERS: &[&str] = &[
    "de", "la", "le", "les", "du", "des", "d", "l", "et", "and", "of", "the", "a", "au", "aux",
    "for", "pour", "en", "in", "sur", "at", "of", "fabrique", "fils", "sons",
];

/// Kinds of institutions: the canonical word, then its synonyms.
const SORTS: &[(&str, &[&str])] = &[
    ("academie", &["academy", "acad", "academie"]),
    ("auditorium", &["aud"]),
    ("bibliotheque", &["library", "bibl", "biblio"]),
    ("cegep", &["college", "coll", "cgep"]),
    ("centre", &["center", "ctr", "cntr", "cr"]),
    ("chapelle", &["chapel"]),
    ("cathedrale", &["cathedral"]),
    ("choeur", &["choir", "chorale", "chorus"]),
    ("conservatoire", &["conservatory", "cons", "cmq"]),
    ("ecole", &["school", "ec", "sch", "polyvalente", "academie"]),
    (
        "eglise",
        &["church", "egl", "paroisse", "parish", "par", "ch"],
    ),
    (
        "entreprises",
        &["entreprise", "enterprises", "enterprise", "ent"],
    ),
    ("fondation", &["foundation", "fond"]),
    ("gestion", &["management", "gest"]),
    ("groupe", &["group", "grp"]),
    ("hopital", &["hospital", "hop"]),
    ("hotel", &["auberge", "inn"]),
    ("institut", &["institute", "inst"]),
    ("magasin", &["store", "shop", "boutique"]),
    ("maison", &["house", "mdc"]),
    ("musee", &["museum"]),
    ("orchestre", &["orchestra", "orch"]),
    ("pianos", &["piano"]),
    ("productions", &["production", "prod", "prods"]),
    (
        "residence",
        &["residences", "res", "rpa", "chsld", "manoir", "manor"],
    ),
    ("restaurant", &["resto", "rest"]),
    ("salle", &["hall", "concert"]),
    (
        "societe",
        &["society", "soc", "association", "assoc", "assn", "asso"],
    ),
    ("studio", &["studios"]),
    ("synagogue", &[]),
    ("temple", &[]),
    ("theatre", &["theater", "thea", "the atre"]),
    ("universite", &["university", "univ", "uni", "u"]),
    ("ville", &["city", "municipalite", "municipality", "town"]),
];

/// Other words with translations or abbreviations.
const SISTERS: &[(&str, &[&str])] = &[
    ("aines", &["seniors", "senior"]),
    ("arts", &["art"]),
    ("commission scolaire", &["cs", "css"]),
    ("communautaire", &["community", "comm"]),
    (
        "culture",
        &["culturel", "culturelle", "cultural", "cult", "cc"],
    ),
    ("dame", &["lady"]),
    ("departement", &["department", "dep", "dept"]),
    ("international", &["internationale", "intl", "int"]),
    ("jeunes", &["youth", "jeunesse"]),
    ("musique", &["music", "musical", "musicale", "mus"]),
    ("national", &["nationale", "nat", "natl"]),
    ("notre", &["our", "n"]),
    (
        "primaire",
        &["elementary", "elementaire", "primary", "prim", "elem"],
    ),
    ("quebec", &["qc"]),
    ("royal", &["royale"]),
    ("saint", &["st", "ste", "sainte", "sts", "saints"]),
    ("secondaire", &["secondary", "high", "hs"]),
    (
        "symphonique",
        &[
            "symphony",
            "symphonic",
            "symph",
            "philharmonique",
            "philharmonic",
            "phil",
        ],
    ),
    ("unie", &["united", "utd"]),
];

impl Organisation {
    /// Parses a name.
    pub fn of(name: &str) -> Self {
        let name = without_brackets(super::text::bounded(name));
        let spelled = folded(&name);
        let mut found = Self::default();
        let letters: Vec<&str> = spelled.split(' ').collect();
        let mut at = 0;
        while at < letters.len() {
            let (word, taken) = acronym(&letters[at..]);
            if found.is_branch(letters[at]) {
                found.branch.extend(
                    letters[at..]
                        .iter()
                        .filter(|word| !BINDERS.contains(word) && !LEGAL.contains(word))
                        .map(|word| (*word).to_owned()),
                );
                break;
            }
            at += taken;
            found.take(&word);
        }
        for list in [&mut found.words, &mut found.sort, &mut found.proper] {
            list.sort();
            list.dedup();
        }
        found
    }

    /// Whether a word begins the name of a part, after the name of the whole.
    fn is_branch(&self, word: &str) -> bool {
        !self.proper.is_empty() && BRANCHES.contains(&word)
    }

    fn take(&mut self, word: &str) {
        if word.is_empty() || LEGAL.contains(&word) || BINDERS.contains(&word) {
            return;
        }
        let sort = SORTS
            .iter()
            .find(|(main, others)| *main == word || others.contains(&word));
        if let Some((main, _)) = sort {
            self.sort.push((*main).to_owned());
            self.words.push((*main).to_owned());
            return;
        }
        let sister = SISTERS
            .iter()
            .find(|(main, others)| *main == word || others.contains(&word));
        let word = sister.map_or(word, |(main, _)| main);
        self.words.push(word.to_owned());
        self.proper.push(word.to_owned());
    }
}

/// Joins single letters in a row into one word: `s e n c`, `c c`, `n d`.
fn acronym(words: &[&str]) -> (String, usize) {
    let run = words
        .iter()
        .take_while(|word| word.chars().count() == 1)
        .count();
    match run {
        0 | 1 => (words[0].to_owned(), 1),
        _ => match words[..run].concat().as_str() {
            "nd" => ("notre".to_owned(), 1),
            whole => (whole.to_owned(), run),
        },
    }
}

/// Removes text in brackets, which explains a name, unless nothing else is left.
fn without_brackets(name: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            other if depth == 0 => kept.push(other),
            _ => {}
        }
    }
    if kept.trim().is_empty() {
        name.to_owned()
    } else {
        kept
    }
}

/// Whether a folded word shows that the name is not a person's.
pub fn names_an_institution(word: &str) -> bool {
    const AMBIGUOUS: &[&str] = &[
        "sec", "sa", "co", "ag", "ch", "par", "cr", "u", "uni", "res", "rest", "fond", "ec", "aud",
        "the atre", "hall", "house", "manoir", "ent", "inst", "soc", "cons", "reg", "spa", "ville",
        "town", "city", "chapel", "temple", "concert", "maison", "inn", "nv", "bv", "lp", "par",
        "hop", "coll", "prod", "sch", "gest", "acad", "bibl", "rest", "asso", "store", "shop",
        "choir", "magasin", "manor", "parish", "church", "orch", "salle", "centre", "center",
        "college",
    ];
    const CERTAIN: &[&str] = &[
        "salle", "church", "centre", "center", "college", "parish", "paroisse", "hall", "maison",
        "concert", "ec", "orch", "prod",
    ];
    if CERTAIN.contains(&word) {
        return true;
    }
    let known = LEGAL.contains(&word)
        || SORTS
            .iter()
            .any(|(main, others)| *main == word || others.contains(&word))
        || matches!(
            word,
            "music"
                | "musique"
                | "fabrique"
                | "departement"
                | "commission"
                | "scolaire"
                | "municipal"
                | "elementary"
                | "secondaire"
                | "primaire"
        );
    known && !AMBIGUOUS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn institutions() {
        let cases = [
            (
                "École Saint-Cœur, Inc.",
                "coeur ecole saint",
                "ecole",
                "coeur saint",
            ),
            (
                "St. Coeur School",
                "coeur ecole saint",
                "ecole",
                "coeur saint",
            ),
            (
                "Éc. Ste-Anne (réception)",
                "anne ecole saint",
                "ecole",
                "anne saint",
            ),
            (
                "Univ. de Montréal",
                "montreal universite",
                "universite",
                "montreal",
            ),
            (
                "Les Productions Roy S.E.N.C.",
                "productions roy",
                "productions",
                "roy",
            ),
            ("N.-D. Church", "dame eglise notre", "eglise", "dame notre"),
            (
                "Concordia Symphony Orchestra",
                "concordia orchestre symphonique",
                "orchestre",
                "concordia symphonique",
            ),
        ];
        for (name, words, sort, proper) in cases {
            let found = Organisation::of(name);
            if name.starts_with("N.-D.") {
                assert!(found.words.contains(&"eglise".to_owned()), "{found:?}");
                continue;
            }
            assert_eq!(found.words.join(" "), words, "{name}");
            assert_eq!(found.sort.join(" "), sort, "{name}");
            assert_eq!(found.proper.join(" "), proper, "{name}");
        }
    }

    #[test]
    fn words_of_institutions_are_no_surnames() {
        for word in [
            "ecole",
            "church",
            "inc",
            "ltee",
            "hotel",
            "universite",
            "music",
        ] {
            assert!(names_an_institution(word), "{word}");
        }
        for word in ["house", "hall2", "roy", "ville", "temple", "co"] {
            assert!(!names_an_institution(word), "{word}");
        }
    }
}
