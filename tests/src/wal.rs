//! The end of a write-ahead log as a power cut leaves it.
//!
//! The format is SQLite's (<https://www.sqlite.org/fileformat2.html#walformat>): a header of 32
//! bytes, then frames of 24 bytes and a page. A frame counts if it has the header's salts and the
//! right checksum over everything before it, and if one that ends a transaction follows, or is it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Random;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The format's version, the only one there is.
const VERSION: u32 = 3_007_000;

/// A log, read to the end of what counts in it.
#[derive(Debug)]
pub struct Wal {
    file: File,
    bytes: Vec<u8>,
    big_endian: bool,
    page_size: usize,
    /// Where the frames of the last transaction that was finished end.
    committed: usize,
    /// The checksum there.
    checksum: (u32, u32),
    /// Where whole frames end, of a transaction that was finished or not.
    valid: usize,
}

/// What a torn write leaves behind the last transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// Part of a frame.
    PartOfFrame,
    /// A frame that ends a transaction, but whose page did not get to the disk.
    PageMissing,
    /// A whole frame of a transaction whose end is missing.
    EndMissing,
    /// Sectors that were given to the file and never written.
    Zeros,
    /// Whatever was on the disk there before.
    Garbage,
    /// Nothing: what there was of a transaction that was not finished is gone.
    CutOff,
}

impl Tear {
    /// All that there are.
    pub const ALL: [Self; 6] =
        [Self::PartOfFrame, Self::PageMissing, Self::EndMissing, Self::Zeros, Self::Garbage, Self::CutOff];
}

impl Wal {
    /// Reads the log at `path`. `None` if there is none, or nothing in it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::options().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let bytes = std::fs::read(path)?;
        Ok(Self::parse(file, bytes))
    }

    fn parse(file: File, bytes: Vec<u8>) -> Option<Self> {
        let word =
            |at: usize| bytes.get(at..at + 4).map(|word| u32::from_be_bytes(word.try_into().expect("four")));
        let big_endian = match word(0)? {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return None,
        };
        let page_size = word(8)? as usize;
        let mut checksum = sum(big_endian, (0, 0), bytes.get(..24)?);
        if word(4)? != VERSION || checksum != (word(24)?, word(28)?) {
            return None;
        }
        let mut wal = Self {
            file,
            big_endian,
            page_size,
            committed: HEADER,
            checksum,
            valid: HEADER,
            bytes: Vec::new(),
        };
        while let Some(frame) = bytes.get(wal.valid..wal.valid + FRAME_HEADER + page_size) {
            let word = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().expect("four"));
            checksum = sum(big_endian, checksum, &frame[..8]);
            checksum = sum(big_endian, checksum, &frame[FRAME_HEADER..]);
            if frame[8..16] != bytes[16..24] || checksum != (word(16), word(20)) {
                break;
            }
            wal.valid += frame.len();
            if word(4) != 0 {
                (wal.committed, wal.checksum) = (wal.valid, checksum);
            }
        }
        wal.bytes = bytes;
        Some(wal)
    }

    /// How many frames belong to transactions that were finished.
    pub fn frames(&self) -> usize {
        (self.committed - HEADER) / (FRAME_HEADER + self.page_size)
    }

    /// Puts a torn write behind the last transaction that was finished, in place of whatever is there.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn tear(&self, tear: Tear, random: &mut Random) -> io::Result<()> {
        let length = FRAME_HEADER + self.page_size;
        let torn = match tear {
            Tear::PartOfFrame => {
                let mut frame = self.frame(random, true);
                frame.truncate(1 + random.below(length - 1));
                frame
            }
            Tear::PageMissing => {
                let mut frame = self.frame(random, true);
                frame[FRAME_HEADER + random.below(self.page_size)..].fill(0);
                // The page has to differ from the one that was summed up, whatever was in it.
                frame[length - 1] = 1;
                frame
            }
            Tear::EndMissing => self.frame(random, false),
            Tear::Zeros => vec![0; length * (1 + random.below(3))],
            Tear::Garbage => {
                let length = 1 + random.below(3 * length);
                random.bytes(length)
            }
            Tear::CutOff => return self.file.set_len(self.committed as u64),
        };
        self.file.write_all_at(&torn, self.committed as u64)
    }

    /// The frame that a transaction might have written next, whole and right: a page of nonsense.
    fn frame(&self, random: &mut Random, ends: bool) -> Vec<u8> {
        let mut frame = Vec::with_capacity(FRAME_HEADER + self.page_size);
        frame.extend(1_u32.to_be_bytes());
        frame.extend(u32::from(ends).to_be_bytes());
        frame.extend(&self.bytes[16..24]);
        let page = random.bytes(self.page_size);
        let checksum = sum(self.big_endian, self.checksum, &frame[..8]);
        let checksum = sum(self.big_endian, checksum, &page);
        frame.extend(checksum.0.to_be_bytes());
        frame.extend(checksum.1.to_be_bytes());
        frame.extend(page);
        frame
    }
}

/// SQLite's checksum: a Fibonacci-weighted sum of pairs of words.
fn sum(big_endian: bool, (mut one, mut two): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let word = |bytes: &[u8]| {
            let bytes = bytes.try_into().expect("four");
            if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        one = one.wrapping_add(word(&pair[..4])).wrapping_add(two);
        two = two.wrapping_add(word(&pair[4..])).wrapping_add(one);
    }
    (one, two)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataDir;

    const PAGE: usize = 512;

    /// A log of three frames, of which the second ends a transaction and the third belongs to another.
    fn log(path: &Path) -> Wal {
        let mut header = Vec::new();
        for word in [0x377f_0682, VERSION, PAGE as u32, 1, 0x0102_0304, 0x0506_0708] {
            header.extend(word.to_be_bytes());
        }
        let checksum = sum(false, (0, 0), &header);
        header.extend(checksum.0.to_be_bytes());
        header.extend(checksum.1.to_be_bytes());
        std::fs::write(path, &header).unwrap();
        for (number, ends) in [(1, false), (2, true), (3, false)] {
            let mut wal = Wal::open(path).unwrap().unwrap();
            // A frame follows the one before it, though that does not end anything.
            let bytes = std::fs::read(path).unwrap();
            if wal.valid > wal.committed {
                let last = &bytes[wal.valid - FRAME_HEADER - PAGE..];
                let word = |at: usize| u32::from_be_bytes(last[at..at + 4].try_into().unwrap());
                wal.checksum = (word(16), word(20));
            }
            let frame = wal.frame(&mut Random::new(number), ends);
            wal.file.write_all_at(&frame, bytes.len() as u64).unwrap();
        }
        Wal::open(path).unwrap().unwrap()
    }

    #[test]
    fn a_torn_write_takes_the_place_of_what_was_not_finished_and_of_nothing_else() {
        let data = DataDir::new();
        let path = data.path().join("wal");
        for tear in Tear::ALL {
            for seed in 10..30 {
                let wal = log(&path);
                assert_eq!((wal.frames(), wal.valid), (2, HEADER + 3 * (FRAME_HEADER + PAGE)));
                let before = std::fs::read(&path).unwrap();
                wal.tear(tear, &mut Random::new(seed)).unwrap();
                let after = std::fs::read(&path).unwrap();
                assert_eq!(before[..wal.committed], after[..wal.committed], "{tear:?}");
                assert_ne!(before, after, "{tear:?}");
                let torn = Wal::open(&path).unwrap().unwrap();
                assert_eq!(torn.frames(), 2, "nothing that counts has come to it: {tear:?}");
                // Only a whole frame whose transaction is not finished is one at all.
                let whole = tear == Tear::EndMissing;
                assert_eq!(torn.valid > torn.committed, whole, "{tear:?}");
            }
        }
    }

    #[test]
    fn where_there_is_no_log_there_is_nothing_to_tear() {
        let data = DataDir::new();
        let path = data.path().join("wal");
        assert!(Wal::open(&path).unwrap().is_none());
        for bytes in [&b""[..], b"short", &[0; 4096]] {
            std::fs::write(&path, bytes).unwrap();
            assert!(Wal::open(&path).unwrap().is_none());
        }
    }
}
