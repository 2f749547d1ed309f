//! A record's profile: its values in normal form, attribute by attribute.

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

use crate::normalise::{
    Door, Email, Lexicon, Organisation, Party, Written, city, digits, email, folded, is_unknown,
    local_part, make, model, phone, postal_code, root, serial,
};
use crate::spec::{FieldSpec, Form, From, Spec};

/// An attribute: a comparable value, with the name that conditions and keys use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name: the field's, or `field.part`.
    pub name: String,
    /// How many values of it a record may have.
    pub width: usize,
}

/// The attributes of a specification's fields, and their columns.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The attributes in order.
    pub attributes: Vec<Attribute>,
    /// The columns to read, in order.
    pub columns: Vec<String>,
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
struct Field {
    spec: FieldSpec,
    /// The positions of its columns by part; a field without parts has the part "".
    columns: Vec<(String, usize)>,
    first: usize,
    of: Option<usize>,
}

/// A record's values in normal form, with the numbers of their attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    text: String,
    /// The values, finally in order of the attributes.
    marks: Vec<Mark>,
}

/// A value in a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    attribute: u16,
    start: u32,
    end: u32,
    hash: u32,
}

impl Profile {
    fn put(&mut self, attribute: usize, value: &str) {
        if !value.is_empty() {
            let start = self.text.len() as u32;
            self.text.push_str(value);
            self.marks.push(Mark {
                attribute: attribute as u16,
                start,
                end: self.text.len() as u32,
                hash: hashed(value),
            });
        }
    }

    /// All values with their attributes and hashes.
    pub fn values(&self) -> impl Iterator<Item = (usize, &str, u32)> {
        self.marks.iter().map(|mark| {
            let value = &self.text[mark.start as usize..mark.end as usize];
            (usize::from(mark.attribute), value, mark.hash)
        })
    }
}

/// A hash of a value, by which it is looked up among those of its attribute.
fn hashed(value: &str) -> u32 {
    (FxBuildHasher.hash_one(value) >> 16) as u32
}

/// The parts of a form, in order of their attributes; the part "" is the field itself.
fn parts(form: Form) -> &'static [&'static str] {
    match form {
        Form::Party => &[
            "",
            "given",
            "surname",
            "generation",
            "organisation",
            "sort",
            "proper",
            "branch",
        ],
        Form::Organisation => &["", "sort", "proper", "branch"],
        Form::Email => &["", "mailbox", "domain", "role", "given"],
        Form::Phone => &["", "local"],
        Form::Address => &["", "civic", "street", "direction", "unit", "city", "code"],
        _ => &[""],
    }
}

impl Layout {
    /// The layout of a specification.
    pub fn of(spec: &Spec) -> Self {
        let mut layout = Self {
            attributes: Vec::new(),
            columns: Vec::new(),
            fields: Vec::new(),
        };
        for field in &spec.fields {
            let columns: Vec<(String, usize)> = match &field.from {
                From::One(column) => vec![(String::new(), layout.place(column))],
                From::Many(list) => list
                    .iter()
                    .map(|column| (String::new(), layout.place(column)))
                    .collect(),
                From::Parts(parts) => parts
                    .iter()
                    .map(|(part, column)| (part.clone(), layout.place(column)))
                    .collect(),
            };
            let width = columns
                .iter()
                .filter(|(part, _)| part.is_empty())
                .count()
                .max(1);
            let of = field
                .of
                .as_ref()
                .and_then(|of| spec.fields.iter().position(|other| other.field == *of));
            let first = layout.attributes.len();
            for part in parts(field.form) {
                let name = if part.is_empty() {
                    field.field.clone()
                } else {
                    format!("{}.{part}", field.field)
                };
                layout.attributes.push(Attribute { name, width });
            }
            layout.fields.push(Field {
                spec: field.clone(),
                columns,
                first,
                of,
            });
        }
        layout
    }

    fn place(&mut self, column: &str) -> usize {
        let known = self.columns.iter().position(|known| known == column);
        known.unwrap_or_else(|| {
            self.columns.push(column.to_owned());
            self.columns.len() - 1
        })
    }

    /// The number of an attribute.
    pub fn attribute(&self, name: &str) -> Option<usize> {
        self.attributes
            .iter()
            .position(|attribute| attribute.name == name)
    }

    /// The offset of an attribute's values in a record's row, and their number.
    pub fn place_of(&self, attribute: usize) -> (usize, usize) {
        let before = self.attributes[..attribute].iter();
        (
            before.map(|attribute| attribute.width).sum(),
            self.attributes[attribute].width,
        )
    }

    /// Adds the name of a record to the lexicon, if its columns separate given name and surname.
    pub fn learn(&self, values: &[&str], lexicon: &mut Lexicon) {
        for field in self
            .fields
            .iter()
            .filter(|field| field.spec.form == Form::Party)
        {
            lexicon.learn(&field.written(values));
        }
    }

    /// The profile of a record whose columns have these values.
    pub fn profile(&self, values: &[&str], lexicon: &Lexicon) -> Profile {
        // Capacity for a typical record.
        let mut profile = Profile {
            text: String::with_capacity(256),
            marks: Vec::with_capacity(self.attributes.len()),
        };
        let mut parties: Vec<Option<Party>> = self
            .fields
            .iter()
            .map(|field| {
                (field.spec.form == Form::Party).then(|| Party::of(&field.written(values), lexicon))
            })
            .collect();
        for field in self
            .fields
            .iter()
            .filter(|field| field.spec.form == Form::Email)
        {
            let owner = field.of.and_then(|of| parties[of].as_mut());
            field.put_email(values, owner, &mut profile);
        }
        for (field, party) in self.fields.iter().zip(&parties) {
            match (field.spec.form, party) {
                (_, Some(party)) => field.put_party(party, &mut profile),
                (Form::Email, _) => {}
                (Form::Address, _) => field.put_address(values, &mut profile),
                (form, _) => field.put_plain(form, values, &mut profile),
            }
        }
        profile.marks.sort_by_key(|mark| mark.attribute);
        profile
    }
}

impl Field {
    fn part<'a>(&self, name: &str, values: &[&'a str]) -> &'a str {
        let place = self
            .columns
            .iter()
            .find(|(part, _)| part == name)
            .or_else(|| {
                // A field of one column has its first part.
                (matches!(name, "full" | "line"))
                    .then(|| self.columns.iter().find(|(part, _)| part.is_empty()))
                    .flatten()
            });
        place.map_or("", |(_, column)| values[*column])
    }

    fn written<'a>(&self, values: &[&'a str]) -> Written<'a> {
        Written {
            full: self.part("full", values),
            given: self.part("given", values),
            surname: self.part("surname", values),
            organisation: self.part("organisation", values),
            kind: self.part("kind", values),
        }
    }

    fn put_party(&self, party: &Party, profile: &mut Profile) {
        let at = self.first;
        if !party.organisation.is_empty() {
            profile.put(at, &Organisation::of(&party.organisation).words.join(" "));
        } else if !party.given.is_empty() && !party.surname.is_empty() {
            profile.put(at, &format!("{} {}", root(&party.given), party.surname));
        }
        profile.put(at + 1, &party.given);
        profile.put(at + 2, &party.surname);
        profile.put(at + 3, &party.generation);
        if !party.organisation.is_empty() {
            put_organisation(at + 4, &party.organisation, profile);
        }
    }

    /// Adds the e-mail addresses; a mailbox with a given name supplies the record's, if it has none.
    fn put_email(&self, values: &[&str], mut owner: Option<&mut Party>, profile: &mut Profile) {
        for (_, column) in &self.columns {
            let Some(found) = email(values[*column]) else {
                continue;
            };
            profile.put(self.first, &found.address());
            let letters: String = found
                .mailbox
                .chars()
                .filter(|c| c.is_alphanumeric())
                .collect();
            profile.put(self.first + 1, &letters);
            profile.put(self.first + 2, &found.domain);
            if found.is_role {
                profile.put(self.first + 3, &found.address());
            }
            if let Some(party) = owner.as_deref_mut() {
                self.put_given(&found, party, profile);
            }
        }
    }

    fn put_given(&self, email: &Email, party: &mut Party, profile: &mut Profile) {
        let Some(given) = email.given(&party.surname) else {
            return;
        };
        profile.put(self.first + 4, &given);
        if party.given.is_empty() && party.organisation.is_empty() && given.len() > 2 {
            party.given = given;
        }
    }

    fn put_address(&self, values: &[&str], profile: &mut Profile) {
        let at = self.first;
        let line = self.part("line", values);
        let door = Door::of(line);
        if !door.civic.is_empty() && !door.street.is_empty() {
            profile.put(at, &format!("{} {}", door.civic, door.street));
        }
        for (offset, value) in [&door.civic, &door.street, &door.direction, &door.unit]
            .into_iter()
            .enumerate()
        {
            profile.put(at + 1 + offset, value);
        }
        profile.put(at + 5, &city(self.part("city", values)));
        profile.put(
            at + 6,
            &postal_code(self.part("code", values)).unwrap_or_default(),
        );
    }

    fn put_plain(&self, form: Form, values: &[&str], profile: &mut Profile) {
        for (_, column) in &self.columns {
            let text = values[*column];
            let value = match form {
                Form::Organisation => {
                    put_organisation(self.first, text, profile);
                    continue;
                }
                Form::Phone => {
                    let Some(number) = phone(text) else { continue };
                    profile.put(self.first + 1, local_part(&number));
                    number
                }
                other => self.plain(other, text),
            };
            profile.put(self.first, &value);
        }
    }

    fn plain(&self, form: Form, text: &str) -> String {
        let known = |form: String| {
            if is_unknown(&form) {
                String::new()
            } else {
                form
            }
        };
        match form {
            Form::Exact => crate::normalise::bounded(text.trim()).to_owned(),
            Form::Given | Form::Surname | Form::Text => known(folded(text)),
            Form::PostalCode => postal_code(text).unwrap_or_default(),
            Form::City => city(text),
            Form::Serial => serial(text).unwrap_or_default(),
            Form::Make => make(text, &self.spec.aliases).unwrap_or_default(),
            Form::Model => model(text).unwrap_or_default(),
            Form::Code => known(folded(text)).replace(' ', ""),
            Form::Number => number(text),
            Form::Date => digits(text),
            Form::Party | Form::Organisation | Form::Email | Form::Phone | Form::Address => {
                String::new()
            }
        }
    }
}

fn put_organisation(first: usize, text: &str, profile: &mut Profile) {
    let found = Organisation::of(text);
    for (offset, words) in [&found.words, &found.sort, &found.proper, &found.branch]
        .into_iter()
        .enumerate()
    {
        profile.put(first + offset, &words.join(" "));
    }
}

/// Parses a number, ignoring currency signs and thousands separators.
fn number(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| c.is_ascii_digit() || matches!(c, '.' | '-'))
        .take(40)
        .collect();
    kept.parse::<f64>()
        .map(|number| number.to_string())
        .unwrap_or_default()
}
