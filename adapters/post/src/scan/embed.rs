//! The Transfervermerk inside the searchable PDF/A-3 (ISO 19005-3 section 6.8): an attachment that the document names as associated with it,
//! which qpdf cannot do by itself; so the two objects that lack it are changed through its JSON form.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::settings::Tools;
use super::tool::Tool;
use super::trouble::Trouble;

/// Name of the note in the PDF and beside it.
pub(super) const NAME: &str = "transfervermerk.xml";
/// Bytes of the JSON form of two objects.
const OUTPUT: usize = 4 << 20;
const TIME: Duration = Duration::from_secs(120);

/// Puts the note `NAME` in `folder` into a PDF; false if this one has a form in which it cannot be put.
///
/// # Errors
/// If there is no such tool, or the folder fails.
pub(super) async fn embed(tools: &Tools, folder: &Path, pdf: &Path, target: &Path) -> Result<bool, Trouble> {
    match try_to(tools, folder, pdf, target).await {
        Ok(is_in) => Ok(is_in),
        Err(Trouble::File { .. } | Trouble::BrokeOff { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

async fn try_to(tools: &Tools, folder: &Path, pdf: &Path, target: &Path) -> Result<bool, Trouble> {
    let (within, command) = (&tools.within, &tools.qpdf);
    let tool = Tool { within, command, folder, time: TIME, output: OUTPUT, ends: &[3] };
    let (attached, update) = (folder.join("attached.pdf"), folder.join("update.json"));
    let mut words: Vec<OsString> = vec!["--add-attachment".into(), folder.join(NAME).into()];
    words.extend(["--key", "--filename"].map(|option| OsString::from(format!("{option}={NAME}"))));
    words.extend(["--mimetype=application/xml", "--description=Transfervermerk", "--"].map(Into::into));
    words.extend([pdf.into(), attached.clone().into()]);
    tool.make(&words, &attached).await?;

    let look = |what: &[&str]| {
        let mut words: Vec<OsString> = vec!["--json=2".into(), "--json-key=qpdf".into()];
        words.extend(what.iter().map(Into::into));
        words.push(attached.clone().into());
        words
    };
    let said = tool.run(&look(&["--json-key=attachments", "--json-object=trailer"])).await?;
    let Ok(first) = serde_json::from_slice::<Value>(&said.output) else { return Ok(false) };
    let root = first["qpdf"][1]["trailer"]["value"]["/Root"].as_str();
    let Some((root, spec)) = root.zip(first["attachments"][NAME]["filespec"].as_str()) else {
        return Ok(false);
    };
    let object = |reference: &str| reference.split(' ').next().map(|it| format!("--json-object={it}"));
    let Some((one, other)) = object(root).zip(object(spec)) else { return Ok(false) };
    let said = tool.run(&look(&[&one, &other])).await?;
    let Ok(second) = serde_json::from_slice::<Value>(&said.output) else { return Ok(false) };
    let Some(changed) = associated(&first["qpdf"][0], &second["qpdf"][1], root, spec) else {
        return Ok(false);
    };
    tokio::fs::write(&update, changed.to_string()).await?;
    let update = [OsString::from("--update-from-json="), update.into()].into_iter().collect();
    tool.make(&[attached.into(), update, target.into()], target).await?;
    Ok(true)
}

/// Catalog and file specification as they have to be: `/AF` and `/AFRelationship`.
fn associated(head: &Value, objects: &Value, root: &str, spec: &str) -> Option<Value> {
    let (root_key, spec_key) = (format!("obj:{root}"), format!("obj:{spec}"));
    let mut catalog = objects[&root_key]["value"].clone();
    let mut file = objects[&spec_key]["value"].clone();
    file.as_object_mut()?.insert("/AFRelationship".into(), "/Supplement".into());
    let associated = catalog.as_object_mut()?.entry("/AF").or_insert_with(|| json!([]));
    // A reference to a list elsewhere.
    associated.as_array_mut()?.push(spec.into());
    let changed = json!({ root_key: { "value": catalog }, spec_key: { "value": file } });
    Some(json!({ "qpdf": [head, changed] }))
}
