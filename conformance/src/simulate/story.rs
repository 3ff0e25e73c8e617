//! Tells what happens, step by step, for people who run an office's IT: what, who spoke, how much,
//! how long. A step counts only once it was verified.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Error;

/// The teller.
pub struct Story {
    json: bool,
    begin: Instant,
    steps: Vec<Told>,
    notes: Vec<String>,
    current: Option<Step>,
}

/// A step that is under way.
#[derive(Debug, Clone)]
pub struct Step {
    title: String,
    counterpart: &'static str,
    begin: Instant,
}

/// A step that was verified.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    title: String,
    counterpart: &'static str,
    outcome: String,
    bytes: u64,
    seconds: f64,
}

impl Story {
    /// Begins; with `json` nothing is printed before the end.
    pub fn begin(json: bool) -> Self {
        let story = Story { json, begin: Instant::now(), steps: vec![], notes: vec![], current: None };
        story.say("Amtsbote zeigt seine Hauptaufgabe: eine E-Akte geht von einer Behörde zur anderen,");
        story.say("einmal, vollständig und beweisbar. Alle Personen und Vorgänge sind erfunden.");
        story.say("Jede Zeile nennt das Gegenüber: echtes Programm oder Simulator.\n");
        story
    }

    /// Begins a step with its counterpart: a real program, or which simulator.
    pub fn step(&mut self, title: &str, counterpart: &'static str) -> Step {
        let step = Step { title: title.to_owned(), counterpart, begin: Instant::now() };
        self.current = Some(step.clone());
        step
    }

    /// Tells a step that was verified. `bytes` is how much went over the wire; 0 leaves it out.
    pub fn done(&mut self, step: Step, bytes: u64, outcome: &str) {
        self.current = None;
        let number = self.steps.len() + 1;
        let seconds = step.begin.elapsed().as_secs_f64();
        let size = if bytes == 0 { String::new() } else { format!(", {}", megabytes(bytes)) };
        self.say(&format!("{number:2}. {} [{}]", step.title, step.counterpart));
        self.say(&format!("    ok: {outcome} ({}{size})", spoken(step.begin.elapsed())));
        let Step { title, counterpart, .. } = step;
        self.steps.push(Told { title, counterpart, outcome: outcome.to_owned(), bytes, seconds });
    }

    /// Something worth knowing beside the steps.
    pub fn note(&mut self, words: &str) {
        self.say(&format!("    - {words}"));
        self.notes.push(words.to_owned());
    }

    /// The end, with what went wrong if anything did.
    pub fn end(self, failure: Option<&Error>) {
        let failed = failure.map(|error| {
            let at = self.current.as_ref().map_or("am Ende", |step| &step.title);
            format!("{at}: {error}")
        });
        let seconds = self.begin.elapsed();
        match &failed {
            None => {
                self.say(&format!("\nAlle {} Schritte geprüft, in {}.", self.steps.len(), spoken(seconds)))
            }
            Some(failed) => self.say(&format!("\nNICHT bestanden. {failed}")),
        }
        if self.json {
            let summary = serde_json::json!({
                "verified": failed.is_none(),
                "failed": failed,
                "seconds": seconds.as_secs_f64(),
                "steps": self.steps,
                "notes": self.notes,
            });
            print(&summary.to_string());
        }
    }

    fn say(&self, line: &str) {
        if !self.json {
            print(line);
        }
    }
}

/// Whoever listens may have gone away: that is no failure of the story.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Passes if `right`; else names what was not so, as it should have been.
///
/// # Errors
/// [`Error::Unverified`].
pub fn verify(right: bool, what: &str) -> Result<(), Error> {
    if right { Ok(()) } else { Err(Error::Unverified(what.to_owned())) }
}

/// Bytes in German notation: `300,0 MB` or `12 kB`.
pub fn megabytes(bytes: u64) -> String {
    if bytes < 1_000_000 {
        return format!("{} kB", bytes.div_ceil(1_000));
    }
    format!("{:.1} MB", bytes as f64 / 1e6).replace('.', ",")
}

fn spoken(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64()).replace('.', ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_germans_read_them() {
        assert_eq!(megabytes(300_040_000), "300,0 MB");
        assert_eq!(megabytes(999), "1 kB");
    }
}
