//! A response's body: decompressed within bounds of size, ratio and slowness, and decoded to UTF-8.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::write::MultiGzDecoder;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use tokio::time::Instant;

/// The highest decompression ratio; JSON of real records stays far below.
const RATIO: usize = 300;
/// Below this size no ratio is suspicious.
const SMALL: usize = 1 << 20;

/// The bounds of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes after decompression.
    pub size: usize,
    /// Bytes per second over `patience`, at least.
    pub slowest: u64,
    pub patience: Duration,
}

/// Why a body was rejected.
#[derive(Debug)]
pub(super) enum Unfit {
    /// The connection broke; the bytes received so far.
    Network(reqwest::Error, Bytes),
    TooLarge,
    /// Its decompression ratio is too high.
    Bomb(usize),
    /// Bytes per second.
    TooSlow(u64),
    /// It is neither in the declared encoding nor in UTF-8.
    Garbled(String),
}

/// Reads a body to its end.
pub(super) async fn read(mut answer: Response, bounds: Bounds) -> Result<Bytes, Unfit> {
    let header = |name| {
        let value = answer.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let packed =
        header(CONTENT_ENCODING).is_some_and(|way| way.trim().eq_ignore_ascii_case("gzip"));
    let claims = header(CONTENT_TYPE).unwrap_or_default();
    let expected = answer.content_length().unwrap_or(0);
    let mut sink = Sink::new(packed, bounds.size, expected);
    let mut watch = Watch::new(bounds);
    loop {
        match watch.next(&mut answer).await {
            Ok(Some(chunk)) => sink.take(&chunk)?,
            Ok(None) => break,
            Err(Unfit::Network(cause, _)) => return Err(Unfit::Network(cause, sink.so_far())),
            Err(unfit) => return Err(unfit),
        }
    }
    utf8(sink.finish()?, &claims)
}

/// Watches the transfer rate.
struct Watch {
    bounds: Bounds,
    since: Instant,
    came: u64,
}

impl Watch {
    fn new(bounds: Bounds) -> Watch {
        Watch {
            bounds,
            since: Instant::now(),
            came: 0,
        }
    }

    async fn next(&mut self, answer: &mut Response) -> Result<Option<Bytes>, Unfit> {
        let patience = self.bounds.patience;
        let chunk = match tokio::time::timeout_at(self.since + patience, answer.chunk()).await {
            Ok(chunk) => chunk.map_err(|cause| Unfit::Network(cause, Bytes::new()))?,
            Err(_) => return self.classify(answer).await,
        };
        self.came += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Ok(chunk)
    }

    /// An interval is over: the transfer is too slow, or the next interval begins.
    async fn classify(&mut self, answer: &mut Response) -> Result<Option<Bytes>, Unfit> {
        let pace = (self.came as f64 / self.bounds.patience.as_secs_f64()) as u64;
        if pace < self.bounds.slowest {
            return Err(Unfit::TooSlow(pace));
        }
        *self = Watch::new(self.bounds);
        Box::pin(self.next(answer)).await
    }
}

/// Collects the bytes: decompressed if needed, never more than allowed.
enum Sink {
    Plain(Capped),
    Packed(Box<MultiGzDecoder<Capped>>, usize),
}

struct Capped {
    bytes: Vec<u8>,
    most: usize,
    full: bool,
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + piece.len() > self.most {
            self.full = true;
            return Err(std::io::Error::other("larger than allowed"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink {
    fn new(packed: bool, most: usize, expected: u64) -> Sink {
        let room = usize::try_from(expected).unwrap_or(0).min(most);
        let capped = Capped {
            bytes: Vec::with_capacity(room),
            most,
            full: false,
        };
        match packed {
            true => Sink::Packed(Box::new(MultiGzDecoder::new(capped)), 0),
            false => Sink::Plain(capped),
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Unfit> {
        match self {
            Sink::Plain(capped) => capped.write_all(chunk).map_err(|_| Unfit::TooLarge),
            Sink::Packed(unpacking, packed) => {
                // In small steps, so that a bomb is detected before it fills the allowed memory.
                for piece in chunk.chunks(4096) {
                    *packed += piece.len();
                    let outcome = unpacking.write_all(piece);
                    let held = unpacking.get_ref();
                    if held.bytes.len() > SMALL && held.bytes.len() / *packed > RATIO {
                        return Err(Unfit::Bomb(held.bytes.len() / *packed));
                    }
                    outcome.map_err(|_| unpacked_badly(held.full))?;
                }
                Ok(())
            }
        }
    }

    /// What was received, decompressed.
    fn so_far(self) -> Bytes {
        match self {
            Sink::Plain(capped) => capped.bytes.into(),
            Sink::Packed(mut unpacking, _) => std::mem::take(&mut unpacking.get_mut().bytes).into(),
        }
    }

    fn finish(self) -> Result<Bytes, Unfit> {
        match self {
            Sink::Plain(capped) => Ok(capped.bytes.into()),
            Sink::Packed(mut unpacking, _) => {
                let outcome = unpacking.try_finish();
                let full = unpacking.get_ref().full;
                outcome.map_err(|_| unpacked_badly(full))?;
                Ok(std::mem::take(&mut unpacking.get_mut().bytes).into())
            }
        }
    }
}

fn unpacked_badly(full: bool) -> Unfit {
    match full {
        true => Unfit::TooLarge,
        false => Unfit::Garbled("gzip".to_owned()),
    }
}

/// Decodes the body to UTF-8: by its byte order mark, by its declared encoding, or as it is if it already is
/// UTF-8. A body that cannot be decoded completely is rejected.
fn utf8(body: Bytes, claims: &str) -> Result<Bytes, Unfit> {
    let marked = Encoding::for_bom(&body);
    if let Some((encoding, length)) = marked {
        let rest = body.slice(length..);
        return match encoding == UTF_8 {
            true => Ok(rest),
            false => decoded(encoding, &rest),
        };
    }
    let wide = match body.first_chunk::<2>() {
        Some([b'{' | b'[', 0]) => Some(UTF_16LE),
        Some([0, b'{' | b'[']) => Some(UTF_16BE),
        _ => None,
    };
    if let Some(encoding) = wide {
        return decoded(encoding, &body);
    }
    let claimed = claims
        .split(';')
        .filter_map(|part| part.trim().split_once('='))
        .find(|(key, _)| key.eq_ignore_ascii_case("charset"))
        .map(|(_, label)| label.trim_matches('"').to_owned());
    let claimed = claimed.filter(|label| !label.eq_ignore_ascii_case("utf-8"));
    match claimed
        .as_deref()
        .and_then(|label| Encoding::for_label(label.as_bytes()))
    {
        Some(encoding) if encoding != UTF_8 && std::str::from_utf8(&body).is_err() => {
            decoded(encoding, &body)
        }
        // A body that is not UTF-8 and declares nothing is not JSON: the parser reports it.
        _ => Ok(body),
    }
}

fn decoded(encoding: &'static Encoding, body: &[u8]) -> Result<Bytes, Unfit> {
    match encoding.decode_without_bom_handling_and_without_replacement(body) {
        Some(text) => Ok(Bytes::from(text.into_owned())),
        None => Err(Unfit::Garbled(encoding.name().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_in_its_encoding_or_refused_whole() {
        let text = r#"{"name":"Thérèse – œuvre"}"#;
        let wide =
            |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let marked = |mark: &[u8], body: Vec<u8>| [mark.to_vec(), body].concat();
        let cases: [(&str, Vec<u8>, &str, bool); 10] = [
            ("as it should be", text.into(), "application/json", true),
            (
                "with a mark",
                marked(b"\xef\xbb\xbf", text.into()),
                "application/json",
                true,
            ),
            (
                "UTF-16 with a mark",
                marked(b"\xff\xfe", wide(u16::to_le_bytes)),
                "application/json; charset=utf-8",
                true,
            ),
            (
                "big-endian with a mark",
                marked(b"\xfe\xff", wide(u16::to_be_bytes)),
                "",
                true,
            ),
            (
                "UTF-16 that says so",
                wide(u16::to_be_bytes),
                "application/json; charset=UTF-16BE",
                true,
            ),
            (
                "UTF-16 that says nothing",
                wide(u16::to_le_bytes),
                "application/json",
                true,
            ),
            (
                "windows-1252 that says so",
                encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
                "text/plain; charset=\"windows-1252\"",
                true,
            ),
            (
                "UTF-8 that says it is latin1",
                text.into(),
                "application/json; charset=iso-8859-1",
                true,
            ),
            (
                "UTF-8 that says it is UTF-16",
                text.into(),
                "application/json; charset=utf-16",
                true,
            ),
            (
                "half a letter",
                marked(b"\xff\xfe", vec![0x7b, 0x00, 0x00]),
                "",
                false,
            ),
        ];
        for (label, body, claims, readable) in cases {
            match utf8(body.into(), claims) {
                Ok(read) => assert!(readable && read == text, "{label}: {read:?}"),
                Err(unfit) => assert!(!readable, "{label}: {unfit:?}"),
            }
        }
    }

    #[test]
    fn a_bomb_is_cut_long_before_it_has_unpacked() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&vec![b' '; 32 << 20]).unwrap();
        let packed = packed.finish().unwrap();
        let mut sink = Sink::new(true, 1 << 30, 0);
        let unfit = sink.take(&packed).unwrap_err();
        assert!(
            matches!(unfit, Unfit::Bomb(ratio) if ratio > RATIO),
            "{unfit:?}"
        );
        let Sink::Packed(unpacking, _) = sink else {
            panic!()
        };
        assert!(unpacking.get_ref().bytes.len() < 8 << 20);
    }
}
