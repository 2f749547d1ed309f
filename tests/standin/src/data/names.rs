//! Invented names, streets and places, in both languages and with their accents.

pub(super) const FIRST: &[&str] = &[
    "Aurélie", "Étienne", "Noémie", "François", "Hélène", "Benoît", "Maëlle", "Gaëtan", "Zoé", "Loïc", "Anaïs", "Jérôme",
    "Océane", "Rémi", "Chloé", "Cédric", "Léonie", "Désiré", "Solène", "Mathéo", "Eleanor", "Graham", "Beatrice", "Nigel",
    "Harriet", "Owen", "Rosalind", "Desmond", "Imogen", "Clive", "Marguerite", "Théodore", "Inès", "Raphaël", "Siobhán",
    "Zoë", "Renée", "André", "Joëlle", "Barnaby",
];
pub(super) const LAST: &[&str] = &[
    "Larivée-Fontaine", "Boisclair", "Desruisseaux", "Lachapelle", "Côté-Vallon", "Thibodeau-Roy", "Brébœuf", "Grandmaison",
    "Vaillancourt", "Clairmont", "L'Écuyer", "Saint-Onge", "D'Amours", "Montpellier", "Quévillon", "Rocheleau", "Sansfaçon",
    "Tétreault", "Beauséjour", "Malenfant", "Ashdown", "Brackenridge", "Cobblestone", "Dunmore", "Eastwick", "Fairweather",
    "Greenholt", "Hollingbrook", "Inverness", "Kingsmere", "Lockhaven", "Merriweather", "Northcott", "O'Dellan", "Pemberly",
    "Quickstep", "Ravenscroft", "Silverthorne", "Thornbury", "Underhill", "Vandermeer", "Whitlock", "Yellowlees", "Ziegelhof",
];
pub(super) const INSTITUTION: &[&str] = &[
    "École de musique", "Conservatoire", "Paroisse", "Collège", "Salle de concert", "Théâtre", "Université",
    "Music Academy of", "St. Clement's Church of", "Community Centre of", "Hôtel", "Centre culturel",
];
pub(super) const TOWN: &[(&str, &str)] = &[
    ("Val-des-Cèdres", "QC"), ("Sainte-Mélodie", "QC"), ("Montclair", "QC"), ("Lac-aux-Brumes", "QC"), ("Pont-Rousseau", "QC"),
    ("Saint-Éloi-du-Nord", "QC"), ("Rivière-Claire", "QC"), ("L'Anse-à-Beaulieu", "QC"), ("Maple Hollow", "ON"),
    ("Thornfield", "ON"), ("Port Ashby", "ON"), ("Kingsbridge Mills", "NB"),
];
pub(super) const STREET: &[&str] = &[
    "rue des Érables", "avenue du Clavier", "boulevard de l'Harmonie", "chemin du Lac", "rue Sainte-Cécile", "rang Saint-Joseph",
    "Maple Street", "Station Road", "Queen's Lane", "montée des Pins", "place d'Armes", "côte de l'Église",
];
pub(super) const MAKE: &[(&str, &[&str])] = &[
    ("Yamaha", &["U1", "U3", "C3", "C7", "P22", "CFX"]),
    ("Steinway & Sons", &["D", "B", "M", "L", "O"]),
    ("Kawai", &["K-300", "GL-30", "RX-2"]),
    ("Heintzman", &["Louis XV", "Console", "Grand"]),
    ("Bösendorfer", &["214VC", "280"]),
    ("Lesage", &["Style A", "Studio"]),
    ("Willis & Co.", &["Upright", "Grand"]),
    ("Pleyel", &["P118", "3bis"]),
    ("Fazioli", &["F212"]),
    ("Petrof", &["P 125"]),
];
pub(super) const ROOM: &[&str] = &[
    "Salle 101", "Salle 204", "Studio B", "Auditorium", "Chapelle", "Foyer", "Local de répétition 3", "Practice room 7", "Salon",
    "Sous-sol", "Living room", "Scène principale",
];
pub(super) const CLIENT_TAG: &[&str] =
    &["VIP", "école", "église", "Hydro-accès", "à rappeler", "new in town", "payeur lent", "contrat annuel", "chien", "stationnement"];
pub(super) const PIANO_TAG: &[&str] =
    &["PLS", "à réharmoniser", "concert", "harmonisation", "cordes neuves", "humidity risk", "mécanique usée", "prêt"];

/// Lower-case ASCII letters of a name, for e-mail addresses.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter_map(|letter| match letter.to_ascii_lowercase() {
            'é' | 'è' | 'ê' | 'ë' | 'É' => Some('e'),
            'ô' | 'ö' | 'œ' | 'Ô' => Some('o'),
            'î' | 'ï' => Some('i'),
            'â' | 'á' | 'à' => Some('a'),
            'ç' => Some('c'),
            other if other.is_ascii_alphanumeric() => Some(other),
            _ => None,
        })
        .collect()
}
