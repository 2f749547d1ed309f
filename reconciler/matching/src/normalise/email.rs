//! E-mail addresses: the mailbox, and what its name says about a person.

use super::text::{bounded, folded};
use crate::compare::edits;

/// A parsed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The mailbox in its provider's canonical form.
    pub mailbox: String,
    /// The domain, with common typos corrected.
    pub domain: String,
    /// Whether the mailbox belongs to an office or a family, not to one person.
    pub is_role: bool,
}

impl Email {
    /// The whole address.
    pub fn address(&self) -> String {
        format!("{}@{}", self.mailbox, self.domain)
    }

    /// What the mailbox says about the given name besides the surname: `marie` of `marie.tessier84`, `m` of
    /// `mtessier`, `~` if it has only the surname.
    pub fn given(&self, surname: &str) -> Option<String> {
        if self.is_role || surname.len() < 3 {
            return None;
        }
        let letters: String = folded(&self.mailbox)
            .chars()
            .filter(|c| c.is_alphabetic())
            .collect();
        let surname: String = surname.chars().filter(|c| *c != ' ').collect();
        let at = letters.find(&surname)?;
        let rest = [&letters[..at], &letters[at + surname.len()..]].concat();
        match rest.as_str() {
            "" => Some("~".to_owned()),
            rest => (rest.len() <= 20 && !is_role(rest)).then(|| rest.to_owned()),
        }
    }
}

const ROLES: [&str; 58] = [
    "info",
    "infos",
    "information",
    "admin",
    "administration",
    "contact",
    "office",
    "bureau",
    "direction",
    "secretariat",
    "secretary",
    "reception",
    "accueil",
    "service",
    "services",
    "support",
    "help",
    "sales",
    "ventes",
    "vente",
    "orders",
    "commandes",
    "compta",
    "comptabilite",
    "accounting",
    "accounts",
    "billing",
    "facturation",
    "factures",
    "invoices",
    "music",
    "musique",
    "mail",
    "email",
    "courriel",
    "hello",
    "bonjour",
    "reservations",
    "booking",
    "events",
    "evenements",
    "webmaster",
    "noreply",
    "postmaster",
    "hr",
    "rh",
    "jobs",
    "manager",
    "team",
    "equipe",
    "general",
    "school",
    "ecole",
    "eglise",
    "church",
    "studio",
    "shop",
    "boutique",
];
const FAMILIES: [&str; 7] = ["famille", "family", "fam", "les", "the", "maison", "home"];

fn is_role(mailbox: &str) -> bool {
    ROLES.contains(&mailbox) || FAMILIES.contains(&mailbox)
}

/// Providers with one mailbox under several domains.
const SAME_PROVIDER: [(&str, &str); 1] = [("googlemail.com", "gmail.com")];
/// Providers whose domains people mistype; their names must not be common words.
const PROVIDERS: [&str; 15] = [
    "gmail",
    "hotmail",
    "outlook",
    "yahoo",
    "videotron",
    "sympatico",
    "icloud",
    "bell",
    "live",
    "rogers",
    "telus",
    "shaw",
    "comcast",
    "orange",
    "laposte",
];

/// Parses an address; `None` without a mailbox or a domain.
pub fn email(text: &str) -> Option<Email> {
    let text = bounded(text.trim()).to_lowercase();
    const AROUND: [char; 6] = ['<', '>', ' ', '.', ';', ','];
    let is_around = |c: char| AROUND.contains(&c) || c.is_whitespace();
    let (mailbox, domain) = text.trim_matches(is_around).rsplit_once('@')?;
    // A prefix such as `mailto:` is not part of the address.
    let mailbox = mailbox.rsplit(':').next().unwrap_or_default();
    let mailbox = mailbox.trim_start_matches(is_around);
    if mailbox.is_empty() || mailbox.contains(char::is_whitespace) || !domain.contains(['.', ',']) {
        return None;
    }
    let domain = known_domain(domain);
    let mut mailbox = mailbox.to_owned();
    if plus_is_ignored(&domain) {
        mailbox.truncate(
            mailbox
                .find('+')
                .filter(|at| *at > 0)
                .unwrap_or(mailbox.len()),
        );
    }
    if domain == "gmail.com" {
        mailbox.retain(|c| c != '.');
    }
    let letters: String = mailbox.chars().filter(|c| c.is_alphabetic()).collect();
    let family = FAMILIES.iter().any(|word| {
        mailbox.strip_prefix(word).is_some_and(|rest| {
            rest.starts_with(['.', '-', '_']) || (word.len() > 5 && !rest.is_empty())
        })
    });
    let is_role = family || is_role(&letters);
    (!mailbox.is_empty()).then_some(Email {
        mailbox,
        domain,
        is_role,
    })
}

fn plus_is_ignored(domain: &str) -> bool {
    let name = domain.split('.').next().unwrap_or_default();
    matches!(
        name,
        "gmail"
            | "outlook"
            | "hotmail"
            | "live"
            | "icloud"
            | "me"
            | "fastmail"
            | "proton"
            | "protonmail"
    )
}

fn known_domain(domain: &str) -> String {
    let mut domain = domain.replace(',', ".");
    while let Some(at) = domain.find("..") {
        domain.remove(at);
    }
    if let Some((_, same)) = SAME_PROVIDER.iter().find(|(other, _)| *other == domain) {
        return (*same).to_owned();
    }
    let Some((name, suffix)) = domain.split_once('.') else {
        return domain;
    };
    let slip = |provider: &&&str| {
        provider.len() >= 5 && name.len() + 1 >= provider.len() && edits(name, provider, 1) == 1
    };
    let known = PROVIDERS.iter().find(|provider| **provider == name);
    let Some(provider) = known.or_else(|| PROVIDERS.iter().find(slip)) else {
        return domain;
    };
    let suffix = match suffix {
        "con" | "cmo" | "comm" | "co" | "om" | "cm" | "vom" | "xom" | "comn" => "com",
        "cа" | "caa" | "ac" => "ca",
        other => other,
    };
    // Gmail has only one top-level domain.
    let suffix = if *provider == "gmail" { "com" } else { suffix };
    format!("{provider}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            (
                " Anne.Roy@Example.ORG ",
                Some("anne.roy@example.org"),
                false,
            ),
            ("<a.roy@bell.net\r,>", Some("a.roy@bell.net"), false),
            ("Anne.Roy+piano@GMAIL.com", Some("anneroy@gmail.com"), false),
            ("anne.roy@gmial.com", Some("anneroy@gmail.com"), false),
            ("a.roy@hotmial.con", Some("a.roy@hotmail.com"), false),
            ("a.roy@googlemail.com", Some("aroy@gmail.com"), false),
            ("info@ecole.qc.ca", Some("info@ecole.qc.ca"), true),
            (
                "famille.roy@videotron.ca",
                Some("famille.roy@videotron.ca"),
                true,
            ),
            ("famille@videotron.ca", Some("famille@videotron.ca"), true),
            ("lesage@bell.net", Some("lesage@bell.net"), false),
            ("<anne@example.org>", Some("anne@example.org"), false),
            ("anne.roy", None, false),
            ("a b@example.org", None, false),
            ("@example.org", None, false),
        ];
        for (text, form, role) in cases {
            let found = email(text);
            assert_eq!(
                found.as_ref().map(Email::address).as_deref(),
                form,
                "{text:?}"
            );
            assert_eq!(found.is_some_and(|e| e.is_role), role, "{text:?}");
        }
    }

    #[test]
    fn a_mailbox_names_a_person() {
        let cases = [
            ("marie_tessier84@bell.net", "tessier", Some("marie")),
            ("mtessier@bell.net", "tessier", Some("m")),
            ("tessier12@bell.net", "tessier", Some("~")),
            ("fam.tessier@bell.net", "tessier", None),
            ("marie@bell.net", "tessier", None),
        ];
        for (text, surname, given) in cases {
            assert_eq!(
                email(text).and_then(|e| e.given(surname)).as_deref(),
                given,
                "{text}"
            );
        }
    }
}
