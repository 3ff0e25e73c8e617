//! Simulated tampering: one bit of a file is changed, as a bad disk or a bad hand would.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::Error;

/// Flips the lowest bit of the byte at `offset`.
///
/// # Errors
/// If the file cannot be changed there.
pub fn flip(file: &Path, offset: u64) -> Result<(), Error> {
    let mut file = OpenOptions::new().read(true).write(true).open(file)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file.write_all(&[byte[0] ^ 1])?)
}

/// Flips a bit of the first place where `words` stand in a small file.
///
/// # Errors
/// If they do not stand there.
pub fn flip_words(file: &Path, words: &[u8]) -> Result<(), Error> {
    let bytes = fs::read(file)?;
    let found = bytes.windows(words.len()).position(|window| window == words);
    let at = found.ok_or_else(|| Error::Unverified("the words stand in the file".into()))?;
    flip(file, at as u64)
}
