//! What fuzz targets share: a source that gives its bytes in small pieces.

use std::io::{BufReader, Read};

/// Inputs up to this length are also read byte by byte; longer ones would take too long.
const SMALL: usize = 2 << 10;

/// Gives at most so many bytes at once.
pub struct Slow<'a>(pub &'a [u8], pub usize);

impl Read for Slow<'_> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let room = target.len().min(self.1);
        self.0.read(&mut target[..room])
    }
}

/// The same with a buffer, as XML is read.
pub fn slow(input: &[u8], step: usize) -> BufReader<Slow<'_>> {
    BufReader::with_capacity(step.max(1), Slow(input, step))
}

/// Sizes of pieces in which an input is read again.
pub fn steps(input: &[u8]) -> &'static [usize] {
    if input.len() <= SMALL { &[1, 7] } else { &[1_021] }
}
