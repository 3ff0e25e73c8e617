//! Content on its way out, whole or a part of it.

use std::io::SeekFrom;

use axum::body::Body;
use axum::http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::store::Content;
use super::{Answered, Call, Reply};

/// Bytes of a piece.
const PIECE: usize = 128 * 1024;

/// The first range of a header: from, to.
pub(super) fn range(header: &str) -> Option<(u64, Option<u64>)> {
    let (from, to) = header.strip_prefix("bytes=")?.split(',').next()?.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()))
}

/// Content as the recorded server sent it.
pub(super) fn reply(content: &Content, modified: i64, call: &Call) -> Reply {
    let (from, to) = call.range.unwrap_or((0, None));
    let end = to.map_or(content.length, |to| (to + 1).min(content.length));
    let (from, status) =
        (from.min(end), if call.range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK });
    let kind = if call.get("download") == Some("attachment") { "attachment" } else { "inline" };
    let name: String =
        content.name.chars().filter(|c| c.is_ascii() && !c.is_control() && *c != '"').collect();
    let reply = Reply {
        status,
        headers: vec![("content-type", content.media_type.clone())],
        body: Answered::Stream(body(content, from, end)),
    };
    let reply = reply
        .with("content-disposition", format!("{kind}; filename={name}"))
        .with("last-modified", super::query::iso(modified));
    if call.range.is_none() {
        return reply;
    }
    let last = end.saturating_sub(1);
    reply.with("content-range", format!("bytes {from}-{last}/*"))
}

fn body(content: &Content, from: u64, end: u64) -> Body {
    let Some(file) = content.file.clone() else {
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(content.memory.len());
        return Body::from(content.memory[at(from)..at(end)].to_vec());
    };
    let stream = futures::stream::try_unfold((None, from), move |(open, at)| {
        let file = file.clone();
        async move {
            if at >= end {
                return Ok::<_, std::io::Error>(None);
            }
            let mut open = match open {
                Some(open) => open,
                None => {
                    let mut open = tokio::fs::File::open(file.path()).await?;
                    open.seek(SeekFrom::Start(at)).await?;
                    open
                }
            };
            let mut piece = vec![0; usize::try_from(end - at).unwrap_or(PIECE).min(PIECE)];
            let read = open.read(&mut piece).await?;
            piece.truncate(read);
            Ok((read > 0).then_some((piece, (Some(open), at + read as u64))))
        }
    });
    Body::from_stream(stream)
}
