//! The XML declaration (XML 1.0 section 2.8).

use crate::Error;
use crate::tag::next_attribute;

/// `VersionInfo EncodingDecl? SDDecl?`: version 1.0, UTF-8.
pub(crate) fn check_declaration(raw: &str) -> Result<(), Error> {
    let syntax = |rule| Error::Syntax { line: 1, rule };
    let mut allowed: &[&str] = &["version", "encoding", "standalone"];
    let mut rest = raw;
    let mut has_version = false;
    while let Some((name, value, after)) = next_attribute(rest).map_err(syntax)? {
        rest = after;
        let index = allowed.iter().position(|other| *other == name);
        let index = index.ok_or(syntax("the XML declaration is malformed"))?;
        allowed = &allowed[index + 1..];
        match name {
            "version" if value == "1.0" => has_version = true,
            "version" => return Err(syntax("the only accepted version is XML 1.0")),
            "encoding" if !value.eq_ignore_ascii_case("utf-8") => return Err(Error::Encoding { line: 1 }),
            "standalone" if value != "yes" && value != "no" => {
                return Err(syntax("standalone must be yes or no"));
            }
            _ => {}
        }
    }
    if has_version { Ok(()) } else { Err(syntax("the XML declaration has no version")) }
}
