//! The business rules of EN 16931 and XRechnung (Schematron), which are XSLT 2: asked of an outside processor that is given the invoice
//! on its standard input and writes SVRL (ISO/IEC 19757-3, annex D) to its standard output. Time, output and how many run at once are
//! limited, and it sees nothing of the gateway's environment.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use model::standard::Source;
use model::{Failure, Finding, Report};

use super::exchange::Exchange;
use super::fields::Syntax;
use super::svrl::read_svrl;
use crate::Error;
use crate::head::Place;

/// Stands in the command for the stylesheet.
const STYLESHEET: &str = "{stylesheet}";
/// What a processor may know of the environment; secrets are in the rest.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "LANG", "JAVA_HOME", "TMPDIR"];
/// Processors that run at once in this process: each may take hundreds of MiB.
const MOST_AT_ONCE: usize = 2;
/// Between two looks whether a processor that has said all has ended.
const LOOK: Duration = Duration::from_millis(10);

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
    /// If the processor fails or takes too long: nobody knows then what the rules say. Permanent if it says too much, for it would again.
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
            let _turn = Turn::take();
            let (_, mut invoice) = place.bytes(source).map_err(Error::from)?;
            let until = Instant::now() + self.within;
            let mut child = self.start(stylesheet)?;
            let begun = Exchange::begin(&mut child, &mut invoice, until);
            let running = Running(Some(child));
            let mut exchange = begun.map_err(|_| failed("the processor cannot be started"))?;
            read_svrl(&mut exchange, report).map_err(why)?;
            drop(exchange);
            running.finish(until)?;
        }
        Ok(())
    }

    fn start(&self, stylesheet: &Path) -> Result<Child, Failure> {
        let stylesheet = stylesheet.to_string_lossy();
        let mut words = self.command.iter().map(|word| word.replace(STYLESHEET, &stylesheet));
        let program = words.next().ok_or_else(|| failed("no processor is named"))?;
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.env_clear();
        command.envs(ENVIRONMENT.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        // What it starts itself ends with it.
        command.process_group(0);
        command.spawn().map_err(|_| failed("the processor cannot be started"))
    }
}

/// A processor that runs. Whatever happens, it is ended and waited for.
struct Running(Option<Child>);

impl Running {
    /// Waits until it ends.
    fn finish(mut self, until: Instant) -> Result<(), Failure> {
        loop {
            match self.0.as_mut().map(Child::try_wait) {
                Some(Ok(Some(status))) => {
                    self.0 = None;
                    return if status.success() { Ok(()) } else { Err(failed("the processor failed")) };
                }
                Some(Ok(None)) if Instant::now() < until => std::thread::sleep(LOOK),
                Some(Ok(None)) => return Err(failed("the processor takes too long")),
                _ => return Err(failed("the processor failed")),
            }
        }
    }
}

impl Drop for Running {
    /// Ends it and what it has started, unless it has ended itself.
    fn drop(&mut self) {
        let Some(child) = &mut self.0 else { return };
        let group = rustix::process::Pid::from_child(child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = child.kill();
        let _ = child.wait();
    }
}

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// The right to run a processor. Who waits for it waits no longer than others may run.
struct Turn;

impl Turn {
    fn take() -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let running = ENDED.wait_while(running, |running| *running >= MOST_AT_ONCE);
        *running.unwrap_or_else(PoisonError::into_inner) += 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        *running = running.saturating_sub(1);
        ENDED.notify_one();
    }
}

fn failed(why: &'static str) -> Failure {
    Failure::transient("xrechnung.processor", why)
}

fn why(error: xml::Error) -> Failure {
    match error {
        xml::Error::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Failure::permanent("xrechnung.processor", "the processor says too much")
        }
        xml::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            failed("the processor takes too long")
        }
        xml::Error::Io(_) => failed("the processor failed"),
        _ => failed("the processor does not answer in SVRL"),
    }
}

#[cfg(test)]
mod tests {
    use model::Severity;

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
        // Also one that has said all but does not end, and one that leaves its output to somebody out of reach.
        let says = "cat >/dev/null; echo '<s:schematron-output xmlns:s=\"http://purl.oclc.org/dsdl/svrl\"/>'";
        let stays = format!("{says}; exec >&-; exec sleep 600");
        let leaves = format!("{says}; setsid sleep 5 & exit 0");
        for script in ["exec sleep 600", "sleep 600; true", &stays, &leaves] {
            let hangs = rules(script, Duration::from_millis(50));
            assert_eq!(check(&hangs, Syntax::Ubl).0, Err("xrechnung.processor".to_owned()), "{script}");
        }
        let absent = Rules { command: vec!["/nowhere/processor".into()], ..rules("", LONG) };
        assert_eq!(check(&absent, Syntax::Ubl).0, Err("xrechnung.processor".to_owned()));
    }

    #[test]
    fn a_processor_sees_nothing_of_the_environment_but_what_it_needs() {
        let script = "cat >/dev/null; echo '<s:schematron-output xmlns:s=\"http://purl.oclc.org/dsdl/svrl\"><s:failed-assert>'; \
            env | cut -d= -f1; echo '</s:failed-assert></s:schematron-output>'";
        let (outcome, report) = check(&rules(script, LONG), Syntax::Ubl);
        outcome.unwrap();
        // What the shell sets itself.
        let is_known =
            |name: &str| ENVIRONMENT.contains(&name) || ["PWD", "OLDPWD", "SHLVL", "_"].contains(&name);
        let seen = &report.findings[0].with["says"];
        assert!(seen.contains("PATH") && seen.split(' ').all(is_known), "{seen}");
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "there is something to hide");
    }

    #[test]
    fn no_more_than_two_run_at_once() {
        let script = "cat >/dev/null; mkdir $0/$$; ls $0 | wc -l >$0.$$; sleep 0.1; rmdir $0/$$; \
            echo '<s:schematron-output xmlns:s=\"http://purl.oclc.org/dsdl/svrl\"/>'";
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("running");
        std::fs::create_dir(&inside).unwrap();
        let rules = Rules { ubl: vec![inside], ..rules(script, LONG) };
        std::thread::scope(|scope| {
            (0..8).for_each(|_| drop(scope.spawn(|| check(&rules, Syntax::Ubl).0.unwrap())));
        });
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let counts: Vec<String> =
            files.filter(|it| it.is_file()).map(|it| std::fs::read_to_string(it).unwrap()).collect();
        assert_eq!(counts.len(), 8);
        assert!(counts.iter().all(|count| matches!(count.trim(), "1" | "2")), "{counts:?}");
    }

    #[test]
    fn without_a_stylesheet_nothing_is_asked() {
        let (outcome, report) = check(&rules("exit 3", LONG), Syntax::Cii);
        outcome.unwrap();
        assert_eq!(report.findings[0].rule, "xrechnung.rules-not-checked");
    }
}
