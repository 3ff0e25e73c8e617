//! The digests of any number of parts of a document in one pass (XML Signature 1.1 section 4.4.3.2).

use super::base64_text::Base64Writer;
use super::hasher::Hasher;
use crate::algorithm::DigestMethod;
use crate::{Error, Result};
use std::cell::Cell;
use std::io::{self, BufRead, Write};
use std::rc::Rc;
use xml::{Canonical, Form, Limits, Node, Reader};

/// Parts that lie within each other, and so are digested at the same time.
const TOGETHER: usize = 32;
/// Canonical forms may be much longer than what is read: each reference renders the namespaces around it,
/// an exclusive form even each element. More than this is no honest document: bytes at all, bytes for each
/// part, and bytes for each byte read and part digested at the same time.
const OUTPUT_BYTES: u64 = 4 << 20;
const OUTPUT_PER_JOB: u64 = 4 << 10;
const OUTPUT_PER_INPUT: u64 = 8;

/// A digest that is to be computed.
#[derive(Debug)]
pub(crate) struct Job {
    /// Whose it is: the index of a reference.
    pub(crate) reference: usize,
    /// Ordinal of the element; `None`: the whole document.
    pub(crate) target: Option<u64>,
    /// `None`: the base64 text of the element, decoded.
    pub(crate) form: Option<Form>,
    /// As if the element stood alone; see [`Canonical::standing_alone`].
    pub(crate) alone: bool,
    /// Ordinal of an element that is left out.
    pub(crate) left_out: Option<u64>,
    pub(crate) method: DigestMethod,
    /// The digest, if the part was found.
    pub(crate) digest: Option<Vec<u8>>,
}

impl Job {
    /// Nothing left out, not alone, not yet computed.
    pub(crate) fn new(
        reference: usize,
        target: Option<u64>,
        form: Option<Form>,
        method: DigestMethod,
    ) -> Job {
        Job { reference, target, form, alone: false, left_out: None, method, digest: None }
    }
}

/// Computes the digests of all jobs.
pub(crate) fn compute(input: impl BufRead, limits: Limits, jobs: &mut [Job]) -> Result<()> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|index| jobs.get(*index).and_then(|job| job.target));
    let mut pass = Pass::new(jobs, order);
    let mut reader = Reader::new(input, limits);
    pass.begin(None)?;
    while !pass.is_done() {
        let node = reader.next_node()?;
        let at_end = matches!(node, Node::Eof);
        pass.take(&node)?;
        pass.check_output(reader.bytes_taken())?;
        if at_end {
            return pass.finish(0);
        }
    }
    Ok(())
}

struct Pass<'a> {
    jobs: &'a mut [Job],
    /// Indices of the jobs in the order of their targets, and how many have begun.
    order: Vec<usize>,
    next: usize,
    running: Vec<Running>,
    /// The most that have run at the same time.
    most: usize,
    depth: usize,
    /// Bytes of all outputs.
    written: Rc<Cell<u64>>,
}

/// Digests and counts.
struct Metered {
    hasher: Hasher,
    written: Rc<Cell<u64>>,
}

struct Running {
    job: usize,
    /// Depth of its element; 0 for the whole document.
    depth: usize,
    left_out: Option<u64>,
    /// Depth of the element that is being left out.
    silent: Option<usize>,
    output: Output,
}

enum Output {
    Canonical(Canonical<Metered>),
    Base64(Base64Writer<Metered>),
}

impl Write for Metered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.set(self.written.get().saturating_add(bytes.len() as u64));
        self.hasher.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> Pass<'a> {
    fn new(jobs: &'a mut [Job], order: Vec<usize>) -> Self {
        let (running, written) = (Vec::new(), Rc::new(Cell::new(0)));
        Pass { jobs, order, next: 0, running, most: 1, depth: 0, written }
    }

    fn check_output(&self, input: u64) -> Result<()> {
        let written = self.written.get();
        if written <= OUTPUT_BYTES {
            return Ok(());
        }
        let per_input = OUTPUT_PER_INPUT * self.most as u64;
        let allowed = OUTPUT_BYTES + OUTPUT_PER_JOB * self.next as u64 + input.saturating_mul(per_input);
        match written <= allowed {
            true => Ok(()),
            false => Err(Error::SignatureLimit("canonical forms together")),
        }
    }

    fn is_done(&self) -> bool {
        self.next >= self.order.len() && self.running.is_empty()
    }

    fn take(&mut self, node: &Node<'_>) -> Result<()> {
        if let Node::Start(start) = node {
            self.depth += 1;
            self.begin(Some(start.ordinal()))?;
        }
        for running in &mut self.running {
            running.take(node, self.depth)?;
        }
        if let Node::End = node {
            self.finish(self.depth)?;
            self.depth = self.depth.saturating_sub(1);
        }
        Ok(())
    }

    /// Begins the jobs with this target.
    fn begin(&mut self, target: Option<u64>) -> Result<()> {
        while let Some(&index) = self.order.get(self.next) {
            let Some(job) = self.jobs.get(index).filter(|job| job.target == target) else { break };
            if self.running.len() >= TOGETHER {
                return Err(Error::SignatureLimit("references to the same place"));
            }
            let hasher = Metered { hasher: Hasher::new(job.method)?, written: Rc::clone(&self.written) };
            let output = match &job.form {
                None => Output::Base64(Base64Writer::new(hasher)),
                Some(form) if job.alone => {
                    Output::Canonical(Canonical::new(form.clone(), hasher).standing_alone())
                }
                Some(form) => Output::Canonical(Canonical::new(form.clone(), hasher)),
            };
            let (depth, left_out) = (self.depth, job.left_out);
            self.running.push(Running { job: index, depth, left_out, silent: None, output });
            self.next += 1;
            self.most = self.most.max(self.running.len());
        }
        Ok(())
    }

    /// Ends the jobs whose element is that of this depth.
    fn finish(&mut self, depth: usize) -> Result<()> {
        while self.running.last().is_some_and(|running| running.depth == depth) {
            let Some(running) = self.running.pop() else { break };
            let Metered { hasher, .. } = match running.output {
                Output::Canonical(canonical) => canonical.finish().map_err(xml::Error::Io)?,
                Output::Base64(writer) => writer.finish()?,
            };
            if let Some(job) = self.jobs.get_mut(running.job) {
                job.digest = Some(hasher.finish()?);
            }
        }
        Ok(())
    }
}

impl Running {
    fn take(&mut self, node: &Node<'_>, depth: usize) -> Result<()> {
        if let Node::Start(start) = node
            && self.left_out == Some(start.ordinal())
        {
            self.silent = Some(depth);
        }
        if let Some(silent) = self.silent {
            if matches!(node, Node::End) && depth == silent {
                self.silent = None;
            }
            return Ok(());
        }
        match (&mut self.output, node) {
            (Output::Canonical(canonical), _) => Ok(canonical.take(node).map_err(xml::Error::Io)?),
            (Output::Base64(writer), Node::Text(text)) => writer.push(text),
            // An element within would not show in the digest.
            (Output::Base64(_), Node::Start(_)) if depth > self.depth => Err(Error::SignatureTransform),
            (Output::Base64(_), _) => Ok(()),
        }
    }
}
