//! Pages that wait on disk while the database is away.
//!
//! One file per run, `<module>-<run>.spool`, readable by its owner alone, since it holds records. A frame is
//! its length, the beginning of its SHA-256 and its bytes; the first frame says which pass the pages belong
//! to, every other one is a page. Nothing here knows the database: whoever replays the pages skips those that
//! are staged, and removes the file after the commit, so a death in between repeats nothing.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fetcher::{Cursor, Hole, Page, Record};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const EXTENSION: &str = "spool";
/// Bytes before a frame's content: its length and its checksum.
const PREFIX: u64 = 12;

/// Which pages a spool holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolOf {
    /// The module.
    pub module: String,
    /// The run that read them.
    pub run_id: i64,
    /// The pass they belong to.
    pub pass_id: i64,
    /// When the pass began, by the database's clock: another database may have a pass of the same number.
    pub began: String,
}

/// A page, and what it was asked with.
#[derive(Debug, Clone)]
pub struct SpooledPage {
    /// The cursor the page was asked with; `None` for the first.
    pub cursor: Option<String>,
    /// The page, numbered within its pass.
    pub page: Page,
}

/// An open spool. It is locked: another process leaves it alone while this one lives.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: File,
    of: SpoolOf,
    start: u64,
    length: u64,
    limit: u64,
    last: u32,
}

#[derive(Serialize, Deserialize)]
struct PageHead {
    cursor: Option<String>,
    number: u32,
    next: Option<Cursor>,
    total_count: Option<u64>,
    holes: Vec<Hole>,
    bytes: usize,
    /// Ids with the lengths of their records, which follow in this order.
    records: Vec<(String, usize)>,
}

impl Spool {
    /// A new spool in `folder`, which is made where it is missing. From `limit` bytes on it calls itself
    /// full.
    pub fn create(folder: &Path, of: SpoolOf, limit: u64) -> io::Result<Spool> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let path = folder.join(format!("{}-{}.{EXTENSION}", of.module, of.run_id));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        file.try_lock().map_err(io::Error::from)?;
        let start = write_frame(&mut file, &serde_json::to_vec(&of)?)?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(Spool {
            path,
            file,
            of,
            start,
            length: start,
            limit,
            last: 0,
        })
    }

    /// The spools that earlier runs of `module` left in `folder`, in the order of the runs. One that another
    /// process holds is left out; one whose first frame is damaged says nothing of its pages and is removed.
    pub fn left_by(folder: &Path, module: &str) -> io::Result<Vec<Spool>> {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let named = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.rsplit_once('-'));
            if path.extension().is_none_or(|e| e != EXTENSION)
                || named.is_none_or(|(name, _)| name != module)
            {
                continue;
            }
            found.extend(Spool::open(path)?);
        }
        found.sort_by_key(|spool| spool.of.run_id);
        Ok(found)
    }

    fn open(path: PathBuf) -> io::Result<Option<Spool>> {
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let length = file.metadata()?.len();
        let of = read_frame(&mut file, length)?
            .and_then(|frame| serde_json::from_slice::<SpoolOf>(&frame).ok());
        let Some(of) = of else {
            fs::remove_file(&path)?;
            return Ok(None);
        };
        let start = file.stream_position()?;
        Ok(Some(Spool {
            path,
            file,
            of,
            start,
            length,
            limit: 0,
            last: 0,
        }))
    }

    /// Which pages it holds.
    pub fn of(&self) -> &SpoolOf {
        &self.of
    }

    /// The number of the last page appended; 0 before the first.
    pub fn last(&self) -> u32 {
        self.last
    }

    /// Whether no more should be read ahead. What is in memory already is taken all the same.
    pub fn is_full(&self) -> bool {
        self.length >= self.limit
    }

    /// Appends pages that follow each other, the first asked with `cursor`, and has the disk keep them. Where
    /// the disk refuses, none of them is in the spool.
    pub fn append<'p>(
        &mut self,
        mut cursor: Option<String>,
        pages: impl IntoIterator<Item = &'p Page>,
    ) -> io::Result<()> {
        let (mut end, mut last) = (self.length, self.last);
        let written = (|| {
            self.file.seek(SeekFrom::Start(end))?;
            for page in pages {
                end += write_frame(&mut self.file, &content(cursor.take(), page)?)?;
                cursor = page.next.as_ref().map(|next| next.0.clone());
                last = page.number;
            }
            self.file.sync_data()
        })();
        if let Err(error) = written {
            // A torn end would be found by its checksum; without it the next append has its place back.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        (self.length, self.last) = (end, last);
        Ok(())
    }

    /// The pages from the first to the last that is whole; a torn or damaged frame ends them.
    pub fn pages(&self) -> io::Result<SpooledPages> {
        let mut file = File::open(&self.path)?;
        let left = file.metadata()?.len().saturating_sub(self.start);
        file.seek(SeekFrom::Start(self.start))?;
        Ok(SpooledPages {
            file: BufReader::new(file),
            left,
        })
    }

    /// Forgets the pages, once the database has committed them.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// The pages of a spool, one after the other.
pub struct SpooledPages {
    file: BufReader<File>,
    left: u64,
}

impl Iterator for SpooledPages {
    type Item = io::Result<SpooledPage>;

    fn next(&mut self) -> Option<Self::Item> {
        match read_frame(&mut self.file, self.left) {
            Err(error) => Some(Err(error)),
            Ok(None) => {
                self.left = 0;
                None
            }
            Ok(Some(frame)) => {
                self.left -= PREFIX + frame.len() as u64;
                let page = page_of(Bytes::from(frame));
                if page.is_none() {
                    self.left = 0;
                }
                page.map(Ok)
            }
        }
    }
}

fn write_frame(file: &mut File, content: &[u8]) -> io::Result<u64> {
    let length = u32::try_from(content.len()).map_err(io::Error::other)?;
    let mut frame = Vec::with_capacity(content.len() + PREFIX as usize);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&Sha256::digest(content)[..8]);
    frame.extend_from_slice(content);
    file.write_all(&frame)?;
    Ok(frame.len() as u64)
}

/// The next frame's content; `None` at the end and at a frame that is not whole. `left` bounds what a damaged
/// length may ask for.
fn read_frame(file: &mut impl Read, left: u64) -> io::Result<Option<Vec<u8>>> {
    if left < PREFIX {
        return Ok(None);
    }
    let mut prefix = [0; PREFIX as usize];
    file.read_exact(&mut prefix)?;
    let (length, sum) = prefix.split_at(4);
    let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
    if u64::from(length) > left - PREFIX {
        return Ok(None);
    }
    let mut content = vec![0; length as usize];
    file.read_exact(&mut content)?;
    Ok((Sha256::digest(&content)[..8] == *sum).then_some(content))
}

fn content(cursor: Option<String>, page: &Page) -> io::Result<Vec<u8>> {
    let head = PageHead {
        cursor,
        number: page.number,
        next: page.next.clone(),
        total_count: page.total_count,
        holes: page.holes.clone(),
        bytes: page.bytes,
        records: page
            .records
            .iter()
            .map(|record| (record.source_id.clone(), record.json.len()))
            .collect(),
    };
    let head = serde_json::to_vec(&head)?;
    let mut content = Vec::with_capacity(4 + head.len() + page.bytes);
    content.extend_from_slice(&(head.len() as u32).to_le_bytes());
    content.extend_from_slice(&head);
    for record in &page.records {
        content.extend_from_slice(&record.json);
    }
    Ok(content)
}

fn page_of(content: Bytes) -> Option<SpooledPage> {
    let length = u32::from_le_bytes(content.get(..4)?.try_into().ok()?) as usize;
    let head: PageHead = serde_json::from_slice(content.get(4..4 + length)?).ok()?;
    let mut at = 4 + length;
    let mut records = Vec::with_capacity(head.records.len());
    for (source_id, length) in head.records {
        let end = at.checked_add(length).filter(|end| *end <= content.len())?;
        records.push(Record {
            source_id,
            json: content.slice(at..end),
        });
        at = end;
    }
    Some(SpooledPage {
        cursor: head.cursor,
        page: Page {
            number: head.number,
            records,
            next: head.next,
            total_count: head.total_count,
            holes: head.holes,
            bytes: head.bytes,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn of(run_id: i64) -> SpoolOf {
        SpoolOf {
            module: "clients".to_owned(),
            run_id,
            pass_id: 7,
            began: "2026-05-01 00:00:00+00".to_owned(),
        }
    }

    fn page(number: u32) -> Page {
        Page {
            number,
            records: (0..3)
                .map(|n| Record {
                    source_id: format!("é{number}-{n}"),
                    // Bytes as they came, also where they are no UTF-8.
                    json: Bytes::from(vec![b'{', 0xff, n, b'}']),
                })
                .collect(),
            next: (number < 9).then(|| Cursor(format!("c{number}"))),
            total_count: Some(27),
            holes: vec![Hole {
                path: "a.b".to_owned(),
                source_id: None,
                message: "null".to_owned(),
            }],
            bytes: 12,
        }
    }

    fn spool(folder: &Path, numbers: std::ops::RangeInclusive<u32>) -> Spool {
        let mut spool = Spool::create(folder, of(1), 1 << 20).unwrap();
        for number in numbers {
            let cursor = (number > 1).then(|| format!("c{}", number - 1));
            spool.append(cursor, [&page(number)]).unwrap();
        }
        spool
    }

    fn numbers(spool: &Spool) -> Vec<u32> {
        let pages: io::Result<Vec<_>> = spool.pages().unwrap().collect();
        pages
            .unwrap()
            .iter()
            .map(|spooled| spooled.page.number)
            .collect()
    }

    #[test]
    fn pages_come_back_as_they_were_also_to_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Spool::create(folder.path(), of(1), 1 << 20).unwrap();
        first.append(None, [&page(1), &page(2)]).unwrap();
        first.append(Some("c2".to_owned()), [&page(3)]).unwrap();
        assert_eq!(first.last(), 3);
        let mode = first.file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "records are nobody else's business");
        assert!(
            Spool::left_by(folder.path(), "clients").unwrap().is_empty(),
            "its writer lives"
        );
        drop(first);
        let left = Spool::left_by(folder.path(), "clients").unwrap();
        assert_eq!(left[0].of(), &of(1));
        let pages: Vec<SpooledPage> = left[0].pages().unwrap().map(Result::unwrap).collect();
        for (spooled, number) in pages.iter().zip(1..) {
            let (came, sent) = (&spooled.page, page(number));
            assert_eq!(
                (
                    &came.records,
                    &came.next,
                    came.total_count,
                    &came.holes,
                    came.bytes
                ),
                (
                    &sent.records,
                    &sent.next,
                    sent.total_count,
                    &sent.holes,
                    sent.bytes
                )
            );
            let cursor = (number > 1).then(|| format!("c{}", number - 1));
            assert_eq!(spooled.cursor, cursor);
        }
        assert_eq!(pages.len(), 3);
        assert!(
            Spool::left_by(folder.path(), "client").unwrap().is_empty(),
            "another module"
        );
    }

    #[test]
    fn wherever_the_file_is_torn_the_whole_pages_before_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path(), 1..=3);
        let whole = fs::read(&spool.path).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for length in (spool.start as usize..=whole.len()).rev() {
            fs::write(&spool.path, &whole[..length]).unwrap();
            let read = numbers(&spool);
            assert_eq!(read, (1..=read.len() as u32).collect::<Vec<_>>());
            seen.insert(read.len());
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn a_flipped_bit_ends_the_pages_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path(), 1..=3);
        let whole = fs::read(&spool.path).unwrap();
        for at in spool.start as usize..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            fs::write(&spool.path, &damaged).unwrap();
            let read = numbers(&spool);
            assert!(read.len() < 3, "byte {at}");
            assert_eq!(read, (1..=read.len() as u32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_damaged_beginning_says_nothing_and_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let spool = spool(folder.path(), 1..=2);
        let mut damaged = fs::read(&spool.path).unwrap();
        damaged[14] ^= 1;
        fs::write(&spool.path, &damaged).unwrap();
        let path = spool.path.clone();
        drop(spool);
        assert!(Spool::left_by(folder.path(), "clients").unwrap().is_empty());
        assert!(!path.exists());
    }

    #[test]
    fn it_calls_itself_full_and_still_takes_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(folder.path(), of(1), 700).unwrap();
        let mut appended = 0;
        while !spool.is_full() {
            appended += 1;
            spool.append(None, [&page(appended)]).unwrap();
            assert!(appended < 9, "it is never full");
        }
        spool.append(None, [&page(appended + 1)]).unwrap();
        assert_eq!(numbers(&spool).len() as u32, appended + 1);
    }

    #[test]
    fn replayed_pages_are_gone_and_a_death_before_that_leaves_them() {
        let folder = tempfile::tempdir().unwrap();
        drop(spool(folder.path(), 1..=3));
        // The commit came through, the process died before the removal: the next one finds the pages again,
        // and the numbers tell it which are staged.
        for _ in 0..2 {
            let left = Spool::left_by(folder.path(), "clients").unwrap();
            assert_eq!(numbers(&left[0]), [1, 2, 3]);
        }
        for spool in Spool::left_by(folder.path(), "clients").unwrap() {
            spool.remove().unwrap();
        }
        assert!(Spool::left_by(folder.path(), "clients").unwrap().is_empty());
        assert!(
            Spool::left_by(&folder.path().join("never"), "clients")
                .unwrap()
                .is_empty()
        );
    }
}
