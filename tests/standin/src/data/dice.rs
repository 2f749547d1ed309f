//! A small deterministic generator: every record depends on the seed, its kind and its number only,
//! so that the same options give the same bytes on any machine and in any version.

/// A stream of numbers for one record.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The stream of record `index` of the kind called `label`.
    pub fn new(seed: u64, label: &str, index: u64) -> Self {
        let label = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut dice =
            Dice(seed ^ label.rotate_left(17) ^ index.wrapping_mul(0xa076_1d64_78bd_642f));
        dice.next();
        dice
    }

    /// The next 64 bits (splitmix64).
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1) as u64) as i64
    }

    /// True `permille` times in a thousand.
    pub fn chance(&mut self, permille: u64) -> bool {
        self.next() % 1_000 < permille
    }

    /// One of the items.
    pub fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    /// A fraction in 0..1.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// `prefix` and 16 mixed-case alphanumerics, as the vendor makes its ids.
    pub fn ident(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut id = String::with_capacity(prefix.len() + 16);
        id.push_str(prefix);
        for _ in 0..2 {
            let mut bits = self.next();
            for _ in 0..8 {
                id.push(char::from(LETTERS[(bits % 62) as usize]));
                bits /= 62;
            }
        }
        id
    }
}
