//! Reads what strace wrote (`strace -f -yy`): which thread began and ended which system call, on which
//! file or connection. Calls that other threads interrupted come in two lines; a call counts as begun
//! at the first and as done at the second.

use std::collections::HashMap;

/// A system call at one of its two ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// Whether the call ends here; else it begins.
    pub(super) ends: bool,
    /// Name of the call.
    pub(super) name: String,
    /// Its arguments as strace prints them; not all are known where it begins.
    pub(super) arguments: String,
    /// Its result; empty where it begins.
    pub(super) result: String,
}

impl Moment {
    /// Whether the call ended well.
    pub(super) fn succeeded(&self) -> bool {
        self.ends && !self.result.is_empty() && !self.result.starts_with('-')
    }

    /// The file or connection that the first argument is open on: the text between `<` and `>`.
    pub(super) fn target(&self) -> Option<&str> {
        annotation(self.arguments.split(',').next()?)
    }

    /// The file that the result is open on.
    pub(super) fn opened(&self) -> Option<&str> {
        annotation(&self.result)
    }
}

/// `12</a/b>` gives `/a/b`; `7<TCP:[…->…]>` gives `TCP:[…->…]`.
fn annotation(text: &str) -> Option<&str> {
    let (number, rest) = text.trim().split_once('<')?;
    let is_descriptor = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty();
    let inner = rest.strip_suffix('>').or_else(|| Some(rest.rsplit_once('>')?.0))?;
    is_descriptor.then(|| inner.trim_end_matches(" (deleted)"))
}

/// All moments in the order in which they happened.
pub(super) fn moments(trace: &str) -> Vec<Moment> {
    let mut open: HashMap<&str, Moment> = HashMap::new();
    let mut moments = vec![];
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some(begun) = open.remove(thread) else { continue };
            let Some((_, tail)) = resumed.split_once(" resumed>") else { continue };
            moments.push(ended(begun, tail));
        } else if let Some((name, tail)) = rest.split_once('(') {
            let begun = |arguments: &str| Moment {
                ends: false,
                name: name.to_owned(),
                arguments: arguments.to_owned(),
                result: String::new(),
            };
            match tail.strip_suffix(" <unfinished ...>") {
                Some(arguments) => {
                    moments.push(begun(arguments));
                    open.insert(thread, begun(arguments));
                }
                None => {
                    let end = ended(begun(""), tail);
                    moments.push(begun(&end.arguments));
                    moments.push(end);
                }
            }
        }
    }
    moments
}

/// The end of a call that began with `begun`; `tail` holds the rest of its arguments and the result.
fn ended(begun: Moment, tail: &str) -> Moment {
    let (arguments, result) = tail.rsplit_once(" = ").unwrap_or((tail, ""));
    let arguments = arguments.trim_end().strip_suffix(')').unwrap_or(arguments);
    Moment {
        ends: true,
        arguments: format!("{}{arguments}", begun.arguments),
        result: result.trim().to_owned(),
        ..begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_in_one_line_begins_and_ends() {
        let all = moments("7 openat(AT_FDCWD</w>, \"x\", O_WRONLY|O_CREAT|O_EXCL, 0600) = 12</w/x>\n");
        assert_eq!(all.len(), 2);
        assert!(!all[0].ends && all[1].ends && all[1].succeeded());
        assert_eq!(all[1].opened(), Some("/w/x"));
    }

    #[test]
    fn a_call_in_two_lines_is_put_together() {
        let all = moments(
            "7 fdatasync(9</w/db-wal> <unfinished ...>\n8 write(3</w/y>, \"a\", 1) = 1\n7 <... fdatasync resumed>) = 0\n",
        );
        assert_eq!(
            all.iter().map(|m| (m.name.as_str(), m.ends)).collect::<Vec<_>>(),
            [("fdatasync", false), ("write", false), ("write", true), ("fdatasync", true)]
        );
        assert_eq!(all[3].target(), Some("/w/db-wal"));
        assert!(all[3].succeeded());
    }

    #[test]
    fn a_connection_is_a_target_and_a_failure_is_one() {
        let all = moments(
            "7 sendto(5<TCP:[1.1.1.1:1->2.2.2.2:2]>, \"HTTP/1.1 200 OK\\r\\n\"..., 9) = -1 EPIPE (x)\n",
        );
        assert_eq!(all[0].target(), Some("TCP:[1.1.1.1:1->2.2.2.2:2]"));
        assert!(!all[1].succeeded());
    }
}
