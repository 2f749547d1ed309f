//! Rust source as text: what is code in it, where its functions end, where its tests begin.

/// What stands above the first test module with a body.
pub fn above_tests(text: &str) -> &str {
    let mut at = 0;
    let mut marked = None;
    for line in text.split_inclusive('\n') {
        if let Some(start) = marked.take()
            && line.contains("mod ")
            && line.trim_end().ends_with('{')
        {
            return &text[..start];
        }
        if line.trim_end() == "#[cfg(test)]" {
            marked = Some(at);
        }
        at += line.len();
    }
    text
}

/// The functions with a body: name, line of `fn`, and lines to the closing brace. Wants blanked code.
pub fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let name: String = code[at + 3..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let line = code[..at].matches('\n').count() + 1;
        if let Some(length) = body_end(&code[at..]).filter(|_| !name.is_empty()) {
            found.push((name, line, code[at..at + length].matches('\n').count() + 1));
        }
    }
    found
}

/// The names of the tests in a file.
pub fn tests_in(text: &str) -> Vec<String> {
    let code = blanked(text);
    let mut tests = Vec::new();
    for (at, _) in code.match_indices("test") {
        let attribute = code[..at].trim_end_matches(|c: char| c.is_alphanumeric() || c == ':');
        if !attribute.ends_with("#[") || !code[at + 4..].starts_with([']', '(']) {
            continue;
        }
        if let Some((_, function)) = code[at..].split_once("fn ") {
            let name = function.split(|c: char| !c.is_alphanumeric() && c != '_');
            tests.extend(name.take(1).map(str::to_owned));
        }
    }
    tests
}

/// Where the body of a function that begins here ends; `None` for one without a body.
fn body_end(code: &str) -> Option<usize> {
    let (mut round, mut curly) = (0i32, 0i32);
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => round += 1,
            b')' | b']' => round -= 1,
            b';' if round == 0 && curly == 0 => return None,
            b'{' if round == 0 || curly > 0 => curly += 1,
            b'}' if curly > 0 => {
                curly -= 1;
                if curly == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// What `use` brings in: each path, and the name it has from then on. Wants blanked code.
pub fn imports(code: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let before = code[..at].chars().next_back();
        if before.is_none_or(char::is_whitespace)
            && let Some(end) = code[at..].find(';')
        {
            expand("", &code[at + 4..at + end], &mut found);
        }
    }
    found
}

/// One tree of `use`, as `a::{b, c::{self, d as e}}`.
fn expand(prefix: &str, tree: &str, found: &mut Vec<(Vec<String>, String)>) {
    if let (Some(open), Some(close)) = (tree.find('{'), tree.rfind('}')) {
        let prefix = format!("{prefix}{}", tree[..open].trim());
        for part in outside_braces(&tree[open + 1..close]) {
            expand(&prefix, part, found);
        }
        return;
    }
    let (path, name) = match tree.split_once(" as ") {
        Some((path, name)) => (path, Some(name.trim().to_owned())),
        None => (tree, None),
    };
    let path = format!("{prefix}{}", path.trim());
    let mut path: Vec<String> = path.split("::").map(str::to_owned).collect();
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    if let Some(last) = path.last().filter(|last| !last.is_empty()).cloned() {
        found.push((path, name.unwrap_or(last)));
    }
}

/// The parts between commas that no brace encloses.
fn outside_braces(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let is_end = |c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    };
    list.split(is_end).collect()
}

/// Paths within the crate that the code names in full: `crate::…` and `super::…`. Wants blanked code.
pub fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            if !code[..at].ends_with(is_part) {
                let path = code[at..].split(|c| !is_part(c)).next().unwrap_or_default();
                let path = path.trim_end_matches(':').split("::");
                found.push(path.map(str::to_owned).collect());
            }
        }
    }
    found
}

/// The code with comments, texts and characters made blank; lines stay where they are.
pub fn blanked(code: &str) -> String {
    let bytes = code.as_bytes();
    let mut blank = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = token_end(code, at);
        if let Some(end) = end {
            blank[at..end]
                .iter_mut()
                .filter(|byte| **byte != b'\n')
                .for_each(|byte| *byte = b' ');
        }
        at = end.unwrap_or(at + 1);
    }
    String::from_utf8_lossy(&blank).into_owned()
}

/// The end of the comment, text or character that begins at `at`; `None` where none begins.
fn token_end(code: &str, at: usize) -> Option<usize> {
    let rest = &code.as_bytes()[at..];
    let until = |mark: &str, from: usize| {
        let found = rest[from..]
            .windows(mark.len())
            .position(|window| window == mark.as_bytes());
        Some(at + found.map_or(rest.len(), |found| from + found + mark.len()))
    };
    let word_before = at > 0
        && (code.as_bytes()[at - 1].is_ascii_alphanumeric() || code.as_bytes()[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => Some(
            at + rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len()),
        ),
        [b'/', b'*', ..] => until("*/", 2),
        [b'"', ..] => Some(at + closing(rest, 1, b'"')),
        [b'r', b'"' | b'#', ..] if !word_before || code[..at].ends_with('b') => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            (rest.get(1 + hashes) == Some(&b'"'))
                .then(|| until(&format!("\"{}", "#".repeat(hashes)), 2 + hashes))?
        }
        [b'\'', b'\\', ..] => Some(at + closing(rest, 1, b'\'')),
        [b'\'', first, ..] => {
            // One character and a quote is a character; anything else is a lifetime.
            let width = match first {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            (rest.get(1 + width) == Some(&b'\'')).then_some(at + width + 2)
        }
        _ => None,
    }
}

/// The position behind the next quote that no backslash escapes.
fn closing(rest: &[u8], from: usize, quote: u8) -> usize {
    let mut at = from;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

#[test]
fn tests_are_found_by_their_attributes() {
    let code = "#[test]\nfn a() {}\nfn b() {}\n#[sqlx::test(migrator = \"X\")]\nasync fn c() {}\n#[cfg(test)]\nfn d() {}";
    assert_eq!(tests_in(code), ["a", "c"]);
}

#[test]
fn code_is_told_from_text() {
    let code = "fn a<'x>() {\n let s = \"}\\\"{\"; // }\n let r = r#\"\"}\"#; let c = '{'; /* } */ let d = '\\'';\n}\nfn b();\nfn c(f: fn (u8)) { }";
    assert_eq!(
        functions(&blanked(code)),
        [("a".to_owned(), 1, 4), ("c".to_owned(), 6, 1)]
    );
    assert_eq!(
        above_tests("a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod tests {\n"),
        "a\n#[cfg(test)]\nmod tests;\nb\n"
    );
}
