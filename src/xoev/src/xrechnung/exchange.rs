//! Talking with a processor: whoever reads its answer feeds it meanwhile, and nobody waits longer than until a given moment, even if
//! something that the processor has started keeps its pipes.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;

/// Longest answer, in bytes. EN 16931 writes an element for each node that a rule looks at; none of it is kept.
const MOST_OUTPUT: u64 = 1 << 30;
/// Bytes of the invoice that are held.
const BUFFER: usize = 16 * 1024;

/// The answer of a processor. Errors: `TimedOut`; `FileTooLarge` if it says too much.
pub(super) struct Exchange<'a> {
    invoice: &'a mut dyn Read,
    /// Closed when all was given, or when the processor wants no more.
    input: Option<ChildStdin>,
    output: ChildStdout,
    until: Instant,
    /// Bytes that it may still say.
    left: u64,
    held: Vec<u8>,
    given: usize,
}

impl<'a> Exchange<'a> {
    /// Takes the pipes of a processor.
    pub(super) fn begin(
        child: &mut Child,
        invoice: &'a mut dyn Read,
        until: Instant,
    ) -> io::Result<Exchange<'a>> {
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or(ErrorKind::BrokenPipe)?;
        ioctl_fionbio(&input, true)?;
        ioctl_fionbio(&output, true)?;
        let (held, left) = (Vec::new(), MOST_OUTPUT);
        Ok(Exchange { invoice, input: Some(input), output, until, left, held, given: 0 })
    }

    /// Waits until it says something, takes something, or the time is over.
    fn wait(&self) -> io::Result<()> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        let left = Timespec::try_from(left).map_err(|_| ErrorKind::InvalidInput)?;
        let mut pipes = vec![PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::IN)];
        if let Some(input) = &self.input {
            pipes.push(PollFd::from_borrowed_fd(input.as_fd(), PollFlags::OUT));
        }
        match poll(&mut pipes, Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives it as much as it takes now.
    fn feed(&mut self) -> io::Result<()> {
        while let Some(input) = &mut self.input {
            if self.given == self.held.len() {
                self.held.clear();
                self.given = 0;
                if (&mut *self.invoice).take(BUFFER as u64).read_to_end(&mut self.held)? == 0 {
                    self.input = None;
                    return Ok(());
                }
            }
            match input.write(self.held.get(self.given..).unwrap_or_default()) {
                Ok(count) => self.given += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It may have read as much as it needs; what it answers says so.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => self.input = None,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Read for Exchange<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.wait()?;
            self.feed()?;
            match self.output.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(count) => {
                    let left = self.left.checked_sub(count as u64);
                    self.left = left.ok_or(ErrorKind::FileTooLarge)?;
                    return Ok(count);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    fn ask(script: &str, left: u64) -> Result<String, ErrorKind> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let mut invoice = io::Cursor::new(vec![b'x'; 1_000_000]);
        let mut exchange = Exchange::begin(&mut child, &mut invoice, until).unwrap();
        exchange.left = left;
        let mut answer = String::new();
        let outcome = exchange.read_to_string(&mut answer);
        drop(exchange);
        child.wait().unwrap();
        outcome.map(|_| answer).map_err(|error| error.kind())
    }

    #[test]
    fn all_of_the_invoice_is_given_while_the_answer_is_read() {
        assert_eq!(ask("wc -c", 100).unwrap().trim(), "1000000");
        assert_eq!(ask("cat", 1_000_000).unwrap().len(), 1_000_000);
        assert_eq!(ask("exec <&-; echo enough", 100).unwrap(), "enough\n");
    }

    #[test]
    fn who_says_too_much_is_not_listened_to() {
        assert_eq!(ask("cat", 999_999), Err(ErrorKind::FileTooLarge));
        assert_eq!(ask("exec yes", 100_000), Err(ErrorKind::FileTooLarge));
    }
}
