//! Checks a file, or generates the bench's document: `check FILE [PACK]…`, `check --generate BYTES`.

use std::fs::File;
use std::io::{BufReader, BufWriter, stdout};
use std::path::Path;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag, bytes] if flag == "--generate" => {
            let mut out = BufWriter::new(stdout().lock());
            schemas::testdata::generate_0503(&mut out, bytes.parse()?)?;
        }
        [flag, file] if flag == "--skip" => {
            let mut reader = xml::Reader::new(BufReader::new(File::open(file)?), xml::Limits::default());
            while !matches!(reader.next()?, xml::Event::Eof) {}
        }
        [file, packs @ ..] => {
            let schemas = Arc::new(schemas::Schemas::new());
            for pack in packs {
                schemas.add_pack(Path::new(pack))?;
            }
            let report = schemas.check(BufReader::new(File::open(file)?), xml::Limits::default());
            for finding in &report.findings {
                eprintln!("{}: {} {} {}", finding.line, finding.rule, finding.path, finding.message);
            }
            std::process::exit(i32::from(!report.is_valid()));
        }
        [] => eprintln!("check FILE [PACK]… | check --generate BYTES | check --skip FILE"),
    }
    Ok(())
}
