//! An observer sees everything, also what the caller skips.
use xml::{Limits, Observer, Place, Reader, Start};

#[derive(Default)]
struct Log(String);

impl Observer for Log {
    fn start(&mut self, start: &Start<'_>, place: Place<'_>) {
        self.0.push_str(&format!("<{} {}|", start.local(), place.line));
    }
    fn text(&mut self, text: &str, place: Place<'_>) {
        self.0.push_str(&format!("{text} {}|", place.path()));
    }
    fn end(&mut self, place: Place<'_>) {
        self.0.push_str(&format!("/{}|", place.local()));
    }
    fn finish(&mut self) {
        self.0.push('.');
    }
}

#[test]
fn an_observer_sees_what_the_caller_skips() {
    let mut reader = Reader::new(&b"<a>\n<b>x&amp;</b><c/></a>"[..], Limits::default());
    reader.observe(Box::<Log>::default());
    reader.next().unwrap();
    reader.skip().unwrap();
    reader.next().unwrap();
    reader.next().unwrap();
    let log = reader.take_observer::<Log>().unwrap();
    assert_eq!(log.0, "<a 1|\n /a|<b 2|x& /a/b|/b|<c 2|/c|/a|.");
}
