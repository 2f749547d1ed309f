//! Repairs UTF-8 text that was decoded as Latin-1 or Windows-1252.

use std::borrow::Cow;

/// The text with every such sequence repaired; other letters are kept.
pub fn repaired(text: &str) -> Cow<'_, str> {
    if !text.contains(['Ã', 'Â', 'Å', 'â', 'ã']) {
        return Cow::Borrowed(text);
    }
    let letters: Vec<char> = text.chars().collect();
    let mut form = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        let (letter, taken) = sequence(&letters[at..]).unwrap_or((letters[at], 1));
        form.push(letter);
        at += taken;
    }
    Cow::Owned(form)
}

/// The letter encoded by the first bytes, and how many letters they were decoded as.
fn sequence(letters: &[char]) -> Option<(char, usize)> {
    let lead = byte(*letters.first()?)?;
    let length = match lead {
        0xc2..=0xdf => 2,
        0xe2 | 0xe3 => 3,
        _ => return None,
    };
    let mut bytes = [lead, 0, 0];
    for (slot, letter) in bytes.iter_mut().zip(letters).take(length).skip(1) {
        *slot = byte(*letter).filter(|byte| (0x80..0xc0).contains(byte))?;
    }
    if letters.len() < length {
        return None;
    }
    let decoded = std::str::from_utf8(&bytes[..length]).ok()?;
    Some((decoded.chars().next()?, length))
}

fn byte(letter: char) -> Option<u8> {
    const WINDOWS: [(char, u8); 27] = [
        ('€', 0x80),
        ('‚', 0x82),
        ('ƒ', 0x83),
        ('„', 0x84),
        ('…', 0x85),
        ('†', 0x86),
        ('‡', 0x87),
        ('ˆ', 0x88),
        ('‰', 0x89),
        ('Š', 0x8a),
        ('‹', 0x8b),
        ('Œ', 0x8c),
        ('Ž', 0x8e),
        ('‘', 0x91),
        ('’', 0x92),
        ('“', 0x93),
        ('”', 0x94),
        ('•', 0x95),
        ('–', 0x96),
        ('—', 0x97),
        ('˜', 0x98),
        ('™', 0x99),
        ('š', 0x9a),
        ('›', 0x9b),
        ('œ', 0x9c),
        ('ž', 0x9e),
        ('Ÿ', 0x9f),
    ];
    u8::try_from(u32::from(letter)).ok().or_else(|| {
        WINDOWS
            .iter()
            .find(|(shown, _)| *shown == letter)
            .map(|(_, byte)| *byte)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_put_right() {
        let cases = [
            ("GeneviÃ¨ve", "Geneviève"),
            ("Ã\u{89}cole", "École"),
            ("Ã‰cole", "École"),
            ("Lâ€™Assomption", "L’Assomption"),
            ("MontrÃ©al, QuÃ©bec", "Montréal, Québec"),
            ("São João", "São João"),
            ("château", "château"),
            ("Ã", "Ã"),
            ("NoÃ«l Â", "Noël Â"),
        ];
        for (text, form) in cases {
            assert_eq!(repaired(text), form);
        }
    }
}
