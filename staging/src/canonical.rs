//! A record's content hash, and whether `jsonb` can store it losslessly, in one scan.
//!
//! The hash is SHA-256 over a canonical form: insignificant white space left out and the members of
//! every object in the order of their keys, everything else verbatim. A source that merely reorders
//! keys has therefore changed nothing, while `1.0` becoming `1` is a change for the merge to judge.

use sha2::{Digest, Sha256};

/// Deeper nesting than this stays as bytes: PostgreSQL's own parser gives up on far more, but nothing
/// a business means is nested so deep, and recursion here is bounded by it.
const MAX_DEPTH: usize = 256;
/// Numbers longer than this stay as bytes; `numeric` overflows near 131,072 digits.
const MAX_NUMBER: usize = 1_000;

/// The result of scanning a record's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// SHA-256 of the canonical form; of the bytes themselves where they are not JSON.
    pub hash: [u8; 32],
    /// Why `jsonb` cannot store these bytes losslessly, as a stable name; `None` if it can.
    pub defect: Option<&'static str>,
}

/// Examines the bytes of one record.
pub fn examine(bytes: &[u8]) -> Examined {
    let mut scan = Scan {
        bytes,
        at: 0,
        defect: None,
    };
    let mut canonical = Vec::with_capacity(bytes.len());
    let whole = scan.value(&mut canonical, 0).and_then(|()| {
        scan.space();
        if scan.at == bytes.len() {
            Ok(())
        } else {
            Err("invalid_json")
        }
    });
    match whole {
        Ok(()) => Examined {
            hash: Sha256::digest(&canonical).into(),
            defect: scan.defect,
        },
        Err(defect) => Examined {
            hash: Sha256::digest(bytes).into(),
            defect: Some(defect),
        },
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    defect: Option<&'static str>,
}

type Step = Result<(), &'static str>;

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Step {
        if depth > MAX_DEPTH {
            return Err("nested_too_deep");
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(out, depth),
            Some(b'[') => self.array(out, depth),
            Some(b'"') => self.string(out),
            Some(b'-' | b'0'..=b'9') => self.number(out),
            Some(b't') => self.word(out, b"true"),
            Some(b'f') => self.word(out, b"false"),
            Some(b'n') => self.word(out, b"null"),
            _ => Err("invalid_json"),
        }
    }

    fn word(&mut self, out: &mut Vec<u8>, word: &[u8]) -> Step {
        if !self.bytes[self.at..].starts_with(word) {
            return Err("invalid_json");
        }
        self.at += word.len();
        out.extend_from_slice(word);
        Ok(())
    }

    fn number(&mut self, out: &mut Vec<u8>) -> Step {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
        ) {
            self.at += 1;
        }
        let text = &self.bytes[start..self.at];
        let exponent = text.iter().position(|b| matches!(b, b'e' | b'E'));
        // jsonb writes 1e3 as 1000 and -0 as 0: the value is the same, the spelling is not, and an
        // exponent can ask for any number of digits.
        if text.len() > MAX_NUMBER || exponent.is_some() || text.starts_with(b"-0") && is_zero(text)
        {
            self.defect.get_or_insert("unfaithful_number");
        }
        out.extend_from_slice(text);
        Ok(())
    }

    fn string(&mut self, out: &mut Vec<u8>) -> Step {
        let start = self.at;
        self.at += 1;
        loop {
            let rest = &self.bytes[self.at..];
            let Some(step) = rest
                .iter()
                .position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))
            else {
                return Err("invalid_json");
            };
            self.at += step;
            match rest[step] {
                b'"' => {
                    self.at += 1;
                    break;
                }
                b'\\' => self.escape()?,
                _ => return Err("invalid_json"),
            }
        }
        let text = &self.bytes[start..self.at];
        if std::str::from_utf8(text).is_err() {
            return Err("invalid_utf8");
        }
        out.extend_from_slice(text);
        Ok(())
    }

    fn escape(&mut self) -> Step {
        match self.bytes.get(self.at + 1) {
            Some(b'u') => {
                let unit = self.unit(self.at)?;
                self.at += 6;
                match unit {
                    0 => _ = self.defect.get_or_insert("nul_character"),
                    0xD800..=0xDBFF => match self.unit(self.at) {
                        Ok(0xDC00..=0xDFFF) => self.at += 6,
                        _ => _ = self.defect.get_or_insert("lone_surrogate"),
                    },
                    0xDC00..=0xDFFF => _ = self.defect.get_or_insert("lone_surrogate"),
                    _ => {}
                }
                Ok(())
            }
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            _ => Err("invalid_json"),
        }
    }

    /// The UTF-16 unit of the `\uXXXX` escape at `at`.
    fn unit(&self, at: usize) -> Result<u16, &'static str> {
        let digits = self.bytes.get(at..at + 6).filter(|d| d.starts_with(b"\\u"));
        digits
            .and_then(|d| std::str::from_utf8(&d[2..]).ok())
            .and_then(|d| u16::from_str_radix(d, 16).ok())
            .ok_or("invalid_json")
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) -> Step {
        self.at += 1;
        out.push(b'[');
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            out.push(b']');
            return Ok(());
        }
        loop {
            self.value(out, depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => out.push(b','),
                Some(b']') => {
                    self.at += 1;
                    out.push(b']');
                    return Ok(());
                }
                _ => return Err("invalid_json"),
            }
            self.at += 1;
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) -> Step {
        self.at += 1;
        let start = out.len();
        // (start of the member in `out`, end of its key, end of its value)
        let mut members: Vec<(usize, usize, usize)> = Vec::with_capacity(16);
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let from = out.len();
                self.space();
                if self.peek() != Some(b'"') {
                    return Err("invalid_json");
                }
                self.string(out)?;
                let key = out.len();
                self.space();
                if self.peek() != Some(b':') {
                    return Err("invalid_json");
                }
                self.at += 1;
                out.push(b':');
                self.value(out, depth + 1)?;
                members.push((from, key, out.len()));
                self.space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err("invalid_json"),
                }
            }
        }
        self.sort_members(out, start, &mut members);
        Ok(())
    }

    /// Rewrites `out[start..]`, members written one after the other, as an object in the order of its keys.
    fn sort_members(
        &mut self,
        out: &mut Vec<u8>,
        start: usize,
        members: &mut [(usize, usize, usize)],
    ) {
        let written = out.split_off(start);
        let key = |m: &(usize, usize, usize)| &written[m.0 - start..m.1 - start];
        // Stable: a repeated key keeps its order, and the record keeps its bytes.
        members.sort_by(|a, b| key(a).cmp(key(b)));
        if members
            .windows(2)
            .any(|pair| key(&pair[0]) == key(&pair[1]))
        {
            self.defect.get_or_insert("duplicate_key");
        }
        out.push(b'{');
        for (n, member) in members.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&written[member.0 - start..member.2 - start]);
        }
        out.push(b'}');
    }
}

fn is_zero(number: &[u8]) -> bool {
    number.iter().all(|b| matches!(b, b'-' | b'0' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_jsonb_cannot_hold_is_named() {
        let deep = format!("{}1{}", "[".repeat(6_000), "]".repeat(6_000));
        let long = "9".repeat(1_001);
        let cases: &[(&str, Option<&str>)] = &[
            (r#"{"a":1,"b":[true,false,null,"é\n\u00e9"]}"#, None),
            (r#"{"big":12345678901234567890123456789}"#, None),
            (r#"{"a":"x\u0000y"}"#, Some("nul_character")),
            (r#"{"a":"\ud83d\ude00"}"#, None),
            (r#"{"a":"\ud83d"}"#, Some("lone_surrogate")),
            (r#"{"a":"\ude00"}"#, Some("lone_surrogate")),
            (r#"{"a":"\ud83d\u0041"}"#, Some("lone_surrogate")),
            (r#"{"a":1,"a":2}"#, Some("duplicate_key")),
            (r#"{"a":{"b":1,"b":1}}"#, Some("duplicate_key")),
            (r#"{"a":1e3}"#, Some("unfaithful_number")),
            (r#"{"a":1E400000}"#, Some("unfaithful_number")),
            (r#"{"a":-0}"#, Some("unfaithful_number")),
            (r#"{"a":-0.5}"#, None),
            (&long, Some("unfaithful_number")),
            (&deep, Some("nested_too_deep")),
            (r#"{"a":}"#, Some("invalid_json")),
            (r#"{"a":1} x"#, Some("invalid_json")),
            ("", Some("invalid_json")),
            ("\"a\tb\"", Some("invalid_json")),
        ];
        for (json, defect) in cases {
            assert_eq!(
                examine(json.as_bytes()).defect,
                *defect,
                "{}",
                &json[..json.len().min(60)]
            );
        }
        assert_eq!(examine(b"\"\xff\"").defect, Some("invalid_utf8"));
    }

    #[test]
    fn order_and_space_do_not_change_the_hash_but_content_does() {
        let hash = |json: &str| examine(json.as_bytes()).hash;
        assert_eq!(
            hash(r#"{"a":1,"b":{"c":2,"d":3}}"#),
            hash("{ \"b\" : {\"d\":3, \"c\":2},\n\"a\":1 }")
        );
        assert_ne!(hash(r#"{"a":[1,2]}"#), hash(r#"{"a":[2,1]}"#));
        assert_ne!(hash(r#"{"a":null}"#), hash("{}"));
        assert_ne!(hash(r#"{"a":null}"#), hash(r#"{"a":""}"#));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "[a-zé\"\\\\\u{1}-\u{7f}]{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map("[a-d]{1,3}", inner, 0..6)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_valid_document_is_faithful_and_stable(value in json()) {
            let plain = serde_json::to_vec(&value).unwrap();
            let pretty = serde_json::to_vec_pretty(&value).unwrap();
            prop_assert_eq!(examine(&plain).defect, None);
            prop_assert_eq!(examine(&plain), examine(&pretty));
        }

        #[test]
        fn any_bytes_are_examined_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = examine(&bytes);
        }
    }
}
