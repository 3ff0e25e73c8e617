//! For measuring: `check FILE [PACKS]` checks with our own schemas and the packs kept in a folder,
//! `check --add PACKS PACK` imports one, `check --skip FILE` only reads, `check --generate BYTES`
//! writes the bench's document.

use schemas::Schemas;
use std::fs::File;
use std::io::{BufReader, BufWriter, stdout};
use std::path::Path;
use std::sync::Arc;
use xml::{Event, Limits, Reader};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--generate", bytes] => {
            let mut out = BufWriter::new(stdout().lock());
            schemas::testdata::generate_0503(&mut out, bytes.parse()?)?;
        }
        ["--skip", file] => {
            let mut reader = Reader::new(BufReader::new(File::open(file)?), Limits::default());
            while !matches!(reader.next()?, Event::Eof) {}
        }
        ["--add", packs, pack] => {
            Schemas::open(packs)?.add_pack(Path::new(pack))?;
        }
        [file] => check(file, Schemas::new())?,
        [file, packs] => check(file, Schemas::open(packs)?)?,
        _ => eprintln!("check FILE [PACKS] | --add PACKS PACK | --skip FILE | --generate BYTES"),
    }
    Ok(())
}

fn check(file: &str, schemas: Schemas) -> Result<(), Box<dyn std::error::Error>> {
    let input = BufReader::new(File::open(file)?);
    let report = Arc::new(schemas).check(input, Limits::default());
    for finding in &report.findings {
        eprintln!("{}: {} {} {}", finding.line, finding.rule, finding.path, finding.message);
    }
    if report.is_valid() { Ok(()) } else { Err(format!("{} errors", report.errors).into()) }
}
