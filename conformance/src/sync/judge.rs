//! Judges a trace: each 2xx answer to a writing request may leave only after the write-ahead log, each
//! payload file made for it and each folder in which one was made have been synced.
//!
//! The requests of a trace come one at a time and the gateway rests between them, so that what is
//! written between a request and its answer was written for it.

use std::collections::HashMap;

use super::trace::Moment;

/// An answer and whether it was given too early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Method and path of the request, without its query.
    pub door: String,
    /// HTTP status.
    pub status: u16,
    /// Payload files made for it.
    pub files: usize,
    /// Why it came too early; empty if it did not.
    pub problems: Vec<String>,
}

/// Doors that answer without having written anything.
const READING: &[&str] = &["/checks"];

/// Judges all answers to writing requests. `payloads` is the folder of the payload files.
pub(super) fn judge(moments: &[Moment], payloads: &str) -> Vec<Judged> {
    let mut state = State { payloads, ..State::default() };
    for (time, moment) in moments.iter().enumerate() {
        state.take(time, moment);
    }
    state.judged
}

#[derive(Default)]
struct State<'a> {
    payloads: &'a str,
    /// Requests that are not answered yet, by connection: door and time.
    requests: HashMap<String, (String, usize)>,
    /// When each file was last written and made, and up to when it is synced.
    files: HashMap<String, Times>,
    /// Running syncs: when they began, by file. Nobody syncs a file twice at once here; if so, the later
    /// beginning counts, which is the stricter reading.
    syncing: HashMap<String, usize>,
    /// Writes of the log, and times at which syncs of it began that have ended.
    log_writes: Vec<usize>,
    log_syncs: Vec<usize>,
    judged: Vec<Judged>,
}

#[derive(Default, Clone, Copy)]
struct Times {
    made: Option<usize>,
    written: usize,
    synced: usize,
}

impl State<'_> {
    fn take(&mut self, time: usize, moment: &Moment) {
        match moment.name.as_str() {
            "recvfrom" | "read" | "readv" if moment.succeeded() => self.received(time, moment),
            "sendto" | "sendmsg" | "write" | "writev" | "pwrite64" | "pwritev" if !moment.ends => {
                self.writes(time, moment);
            }
            "fsync" | "fdatasync" => self.syncs(time, moment),
            "openat" | "open" | "creat" if moment.succeeded() && moment.arguments.contains("O_EXCL") => {
                if let Some(path) = moment.opened() {
                    self.makes(time, path);
                }
            }
            "rename" | "renameat" | "renameat2" if moment.succeeded() => {
                if let Some(path) = moment.arguments.rsplit('"').nth(1) {
                    self.makes(time, path);
                }
            }
            _ => {}
        }
    }

    fn received(&mut self, time: usize, moment: &Moment) {
        let Some(target) = moment.target() else { return };
        let head = moment.arguments.split('"').nth(1).unwrap_or_default();
        let mut words = head.split(' ');
        let (Some(method), Some(path)) = (words.next(), words.next()) else { return };
        if !matches!(method, "POST" | "PUT" | "PATCH" | "DELETE") || !path.starts_with("/api/v1/") {
            return;
        }
        let path = path.split('?').next().unwrap_or_default();
        if !READING.iter().any(|end| path.ends_with(end)) {
            self.requests.insert(target.to_owned(), (format!("{method} {path}"), time));
        }
    }

    fn writes(&mut self, time: usize, moment: &Moment) {
        let Some(target) = moment.target().map(str::to_owned) else { return };
        if let Some((_, rest)) = moment.arguments.split_once("\"HTTP/1.1 ") {
            let status = rest.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or_default();
            self.answers(&target, status);
        } else if target.starts_with('/') {
            self.files.entry(target.clone()).or_default().written = time;
            if target.ends_with("-wal") {
                self.log_writes.push(time);
            }
        }
    }

    fn syncs(&mut self, time: usize, moment: &Moment) {
        let Some(target) = moment.target().map(str::to_owned) else { return };
        if !moment.ends {
            self.syncing.insert(target, time);
            return;
        }
        let Some(begun) = self.syncing.remove(&target) else { return };
        if !moment.succeeded() {
            return;
        }
        if target.ends_with("-wal") {
            self.log_syncs.push(begun);
        }
        let times = self.files.entry(target).or_default();
        times.synced = times.synced.max(begun);
    }

    fn makes(&mut self, time: usize, path: &str) {
        let times = self.files.entry(path.to_owned()).or_default();
        times.made = Some(time);
        times.written = time;
    }

    fn answers(&mut self, connection: &str, status: u16) {
        let Some((door, asked)) = self.requests.remove(connection) else { return };
        if !(200..300).contains(&status) {
            return;
        }
        let mut problems = vec![];
        let logged = self.log_writes.iter().find(|&&written| written > asked);
        let durable = logged.and_then(|written| self.log_syncs.iter().find(|&begun| begun > written));
        if durable.is_none() {
            problems.push("the write-ahead log was not synced".to_owned());
        }
        let ours = self.files.iter().filter(|(path, times)| {
            path.starts_with(self.payloads) && times.made.is_some_and(|made| made > asked)
        });
        let mut files = 0;
        for (path, times) in ours {
            // What appears only after our own commit belongs to the work that follows the answer.
            if durable.is_some_and(|durable| times.made > Some(*durable)) {
                continue;
            }
            files += 1;
            if times.synced < times.written {
                problems.push(format!("a payload file was not synced: {}", name(path)));
            }
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let folder_synced = self.files.get(folder).map_or(0, |folder| folder.synced);
            if times.made.is_none_or(|made| folder_synced < made) {
                problems.push(format!("the folder of a payload file was not synced: {}", name(path)));
            }
        }
        problems.sort();
        self.judged.push(Judged { door, status, files, problems });
    }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::super::trace::moments;
    use super::*;

    /// A request with content that is answered in the right order.
    const RIGHT: [&str; 9] = [
        r#"1 recvfrom(5<TCP:[a->b]>, "PUT /api/v1/documents/1/content?x=y HTTP/1.1\r\nhost"..., 8192, 0, NULL, NULL) = 99"#,
        r#"2 openat(AT_FDCWD</w>, "/w/p/ab/1.seg", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 9</w/p/ab/1.seg>"#,
        r#"2 write(9</w/p/ab/1.seg>, "x"..., 65552) = 65552"#,
        r#"2 fsync(9</w/p/ab/1.seg>) = 0"#,
        r#"2 fsync(10</w/p/ab>) = 0"#,
        r#"3 pwrite64(7</w/db-wal>, "x"..., 4096, 0) = 4096"#,
        r#"3 fdatasync(7</w/db-wal>) = 0"#,
        r#"1 writev(5<TCP:[a->b]>, [{iov_base="HTTP/1.1 201 Created\r\n"..., iov_len=99}], 1) = 99"#,
        r#"4 openat(AT_FDCWD</w>, "/w/p/cd/2.seg", O_WRONLY|O_CREAT|O_EXCL, 0600) = 9</w/p/cd/2.seg>"#,
    ];

    fn judged(lines: &[&str]) -> Judged {
        let judged = judge(&moments(&lines.join("\n")), "/w/p");
        assert_eq!(judged.len(), 1);
        judged[0].clone()
    }

    /// The right order without line `missing`, or with it behind the answer.
    fn doctored(missing: usize, late: bool) -> Vec<String> {
        let mut lines = RIGHT.to_vec();
        let line = lines.remove(missing);
        if late {
            lines.push(line);
        }
        judged(&lines).problems
    }

    #[test]
    fn the_right_order_passes() {
        let judged = judged(&RIGHT);
        assert_eq!((judged.door.as_str(), judged.status), ("PUT /api/v1/documents/1/content", 201));
        assert_eq!((judged.files, judged.problems), (1, vec![]));
    }

    #[test]
    fn a_missing_or_late_sync_is_found() {
        for late in [false, true] {
            assert_eq!(doctored(3, late), ["a payload file was not synced: 1.seg"]);
            assert_eq!(doctored(4, late), ["the folder of a payload file was not synced: 1.seg"]);
            assert_eq!(doctored(6, late), ["the write-ahead log was not synced"]);
        }
    }

    #[test]
    fn a_sync_that_has_begun_but_not_ended_does_not_count() {
        let mut lines = RIGHT.to_vec();
        lines[6] = "3 fdatasync(7</w/db-wal> <unfinished ...>";
        lines.insert(8, "3 <... fdatasync resumed>) = 0");
        assert_eq!(judged(&lines).problems, ["the write-ahead log was not synced"]);
    }

    #[test]
    fn a_sync_that_began_before_the_write_does_not_count() {
        let mut lines = RIGHT.to_vec();
        lines.swap(2, 3);
        assert_eq!(judged(&lines).problems, ["a payload file was not synced: 1.seg"]);
        let mut lines = RIGHT.to_vec();
        lines.swap(5, 6);
        assert_eq!(judged(&lines).problems, ["the write-ahead log was not synced"]);
    }

    #[test]
    fn a_failed_sync_does_not_count() {
        let mut lines = RIGHT.to_vec();
        lines[6] = "3 fdatasync(7</w/db-wal>) = -1 EIO (Input/output error)";
        assert_eq!(judged(&lines).problems, ["the write-ahead log was not synced"]);
    }

    #[test]
    fn refusals_and_reading_requests_are_not_judged() {
        let mut lines = RIGHT.to_vec();
        lines[7] =
            r#"1 sendto(5<TCP:[a->b]>, "HTTP/1.1 409 Conflict\r\n"..., 99, MSG_NOSIGNAL, NULL, 0) = 99"#;
        assert_eq!(judge(&moments(&lines.join("\n")), "/w/p"), []);
        let mut lines = RIGHT.to_vec();
        lines[0] =
            r#"1 recvfrom(5<TCP:[a->b]>, "GET /api/v1/cases HTTP/1.1\r\nhost"..., 8192, 0, NULL, NULL) = 99"#;
        assert_eq!(judge(&moments(&lines.join("\n")), "/w/p"), []);
    }
}
