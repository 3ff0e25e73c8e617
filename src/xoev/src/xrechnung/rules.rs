//! The business rules of EN 16931 and XRechnung (Schematron), which are XSLT 2: asked of an outside processor that is given the invoice
//! on its standard input and writes SVRL (ISO/IEC 19757-3, annex D) to its standard output. Time and output are limited.

use std::io::{self, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use model::standard::Source;
use model::{Failure, Finding, Report, Severity};
use xml::{Event, Limits, Reader};

use super::fields::Syntax;
use crate::Error;
use crate::container::shown;
use crate::head::Place;

const SVRL: &str = "http://purl.oclc.org/dsdl/svrl";
/// Stands in the command for the stylesheet.
const STYLESHEET: &str = "{stylesheet}";
/// Longest report, in bytes.
const MOST_OUTPUT: u64 = 16 << 20;
/// Longest words of a finding, in bytes.
const TEXT_BYTES: usize = 600;

/// Whoever knows the rules.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The program and its arguments; `{stylesheet}` stands for the stylesheet. It reads the invoice from its standard input.
    pub command: Vec<String>,
    /// Compiled Schematron for UBL, in this order.
    pub ubl: Vec<PathBuf>,
    /// Compiled Schematron for CII.
    pub cii: Vec<PathBuf>,
    /// How long one stylesheet may take.
    pub within: Duration,
}

impl Rules {
    /// Adds what the rules say to `report`.
    ///
    /// # Errors
    /// If the processor fails or takes too long: nobody knows then what the rules say.
    pub(crate) fn check(
        &self,
        syntax: Syntax,
        place: &Place,
        source: &mut dyn Source,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let stylesheets = match syntax {
            Syntax::Ubl => &self.ubl,
            Syntax::Cii => &self.cii,
        };
        if stylesheets.is_empty() {
            report.add(Finding::warning("xrechnung.rules-not-checked"));
        }
        for stylesheet in stylesheets {
            let child = self.start(stylesheet)?;
            let (_, mut invoice) = place.bytes(source).map_err(Error::from)?;
            let svrl = run(child, &mut invoice, self.within)?;
            read_svrl(&svrl, report).map_err(|_| failed("the processor does not answer in SVRL"))?;
        }
        Ok(())
    }

    fn start(&self, stylesheet: &std::path::Path) -> Result<Child, Failure> {
        let stylesheet = stylesheet.to_string_lossy();
        let mut words = self.command.iter().map(|word| word.replace(STYLESHEET, &stylesheet));
        let program = words.next().ok_or_else(|| failed("no processor is named"))?;
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // What it starts itself ends with it.
        command.process_group(0);
        command.spawn().map_err(|_| failed("the processor cannot be started"))
    }
}

/// Feeds a processor and takes what it writes. One that takes too long is ended.
fn run(mut child: Child, invoice: &mut dyn Read, within: Duration) -> Result<Vec<u8>, Failure> {
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (input, output) = pipes.ok_or_else(|| failed("the processor cannot be started"))?;
    let child = Mutex::new(child);
    let (done, is_done) = channel::<()>();
    let outcome = std::thread::scope(|scope| {
        let taken = scope.spawn(move || take(output));
        let child = &child;
        scope.spawn(move || {
            if is_done.recv_timeout(within) == Err(RecvTimeoutError::Timeout)
                && let Ok(mut child) = child.lock()
            {
                end(&mut child);
            }
        });
        let fed = feed(input, invoice);
        let taken = taken.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
        drop(done);
        fed.and(taken)
    });
    let mut child = child.into_inner().map_err(|_| failed("the processor failed"))?;
    if outcome.is_err() {
        end(&mut child);
    }
    let status = child.wait().map_err(|_| failed("the processor failed"))?;
    match outcome {
        Ok(bytes) if status.success() => Ok(bytes),
        _ => Err(failed("the processor failed, took too long or said too much")),
    }
}

/// Ends a processor and what it has started. It may have ended just now.
fn end(child: &mut Child) {
    let _ = rustix::process::kill_process_group(
        rustix::process::Pid::from_child(child),
        rustix::process::Signal::KILL,
    );
    let _ = child.kill();
}

fn feed(mut input: ChildStdin, invoice: &mut dyn Read) -> io::Result<()> {
    match io::copy(invoice, &mut input) {
        // It may have read as much as it needs; what it answers says so.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map(|_| ()),
    }
}

fn take(output: ChildStdout) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    output.take(MOST_OUTPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_OUTPUT { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn failed(why: &'static str) -> Failure {
    Failure::transient("xrechnung.processor", why)
}

/// Failed assertions and successful reports as findings. They have words of their own, which the rule's sentence shows.
fn read_svrl(svrl: &[u8], report: &mut Report) -> Result<(), xml::Error> {
    let mut reader = Reader::new(BufReader::new(svrl), Limits::default());
    let mut finding: Option<Finding> = None;
    let mut words = String::new();
    let mut is_svrl = false;
    loop {
        match reader.next()? {
            Event::Start(start) if start.is(SVRL, "failed-assert") || start.is(SVRL, "successful-report") => {
                let severity = severity(start.attribute("flag").or(start.attribute("role")));
                let id = shown(start.attribute("id").unwrap_or_default());
                let mut one = Finding::new("xrechnung.rule", severity).with("name", id);
                one.path = start.attribute("location").map(str::to_owned);
                finding = Some(one);
                words.clear();
            }
            Event::Start(start) => is_svrl |= start.is(SVRL, "schematron-output"),
            Event::Text(piece) if words.len() + piece.len() <= TEXT_BYTES => words.push_str(piece),
            Event::Text(_) => {}
            Event::End => {
                // Behind its words only what belongs to the assertion follows.
                if let Some(one) = finding.take_if(|_| !words.trim().is_empty()) {
                    let says: Vec<&str> = words.split_whitespace().collect();
                    report.add(one.with("says", says.join(" ")));
                }
            }
            Event::Eof if is_svrl => return Ok(()),
            Event::Eof => return Err(xml::Error::Truncated { line: 1 }),
        }
    }
}

/// `fatal` stands for what must not be, as does no word at all.
fn severity(flag: Option<&str>) -> Severity {
    match flag {
        Some("warning") => Severity::Warning,
        Some("information" | "info") => Severity::Info,
        _ => Severity::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(script: &str, within: Duration) -> Rules {
        let command = ["/bin/sh", "-c", script, STYLESHEET].map(str::to_owned).to_vec();
        Rules { command, ubl: vec!["a.xsl".into()], cii: vec![], within }
    }

    fn check(rules: &Rules, syntax: Syntax) -> (Result<(), String>, Report) {
        let mut report = Report::default();
        let mut source = io::Cursor::new(vec![b' '; 300_000]);
        let outcome = rules.check(syntax, &Place::Alone, &mut source, &mut report);
        (outcome.map_err(|failure| failure.code.to_string()), report)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_the_rules_say_is_found_with_their_ids() {
        let script = r#"cat >/dev/null; cat <<END
<s:schematron-output xmlns:s="http://purl.oclc.org/dsdl/svrl"><s:fired-rule context="x"/>
<s:failed-assert id="BR-DE-1" flag="fatal" location="/*:Invoice"><s:text>[BR-DE-1] Es
 fehlt.</s:text></s:failed-assert>
<s:successful-report id="BR-DE-21" flag="warning"><s:text>Hm ($0).</s:text></s:successful-report></s:schematron-output>
END"#;
        let (outcome, report) = check(&rules(script, LONG), Syntax::Ubl);
        outcome.unwrap();
        let found: Vec<_> = report
            .findings
            .iter()
            .map(|it| (it.severity, it.with["name"].as_str(), it.with["says"].as_str()))
            .collect();
        let expected = [
            (Severity::Error, "BR-DE-1", "[BR-DE-1] Es fehlt."),
            (Severity::Warning, "BR-DE-21", "Hm (a.xsl)."),
        ];
        assert_eq!(found, expected);
        assert_eq!(report.findings[0].path.as_deref(), Some("/*:Invoice"));
    }

    #[test]
    fn a_processor_that_fails_hangs_or_talks_too_much_is_no_answer() {
        for script in ["exit 3", "cat >/dev/null; echo '<a/>'", "cat >/dev/null; exec yes"] {
            assert_eq!(
                check(&rules(script, LONG), Syntax::Ubl).0,
                Err("xrechnung.processor".to_owned()),
                "{script}"
            );
        }
        for script in ["exec sleep 600", "sleep 600; true"] {
            let hangs = rules(script, Duration::from_millis(50));
            assert_eq!(check(&hangs, Syntax::Ubl).0, Err("xrechnung.processor".to_owned()), "{script}");
        }
        let absent = Rules { command: vec!["/nowhere/processor".into()], ..rules("", LONG) };
        assert_eq!(check(&absent, Syntax::Ubl).0, Err("xrechnung.processor".to_owned()));
    }

    #[test]
    fn without_a_stylesheet_nothing_is_asked() {
        let (outcome, report) = check(&rules("exit 3", LONG), Syntax::Cii);
        outcome.unwrap();
        assert_eq!(report.findings[0].rule, "xrechnung.rules-not-checked");
    }
}
