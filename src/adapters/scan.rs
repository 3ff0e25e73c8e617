//! `kind = "scan"`.

use std::sync::Arc;

use adapter_post::scan::settings::{
    Fact, Index, IndexMode, Jbig2, Limits, Note, Opens, Organisation, Procedure, Read, Recognise, Separate,
    Settings, SheetForm, Tools, Word,
};
use adapter_post::scan::{self, Advanced, Internal, SealProvider};
use config::{
    Scan, ScanFact, ScanIndex, ScanJbig2, ScanNote, ScanOpens, ScanOrganisation, ScanRead, ScanSeparate,
    ScanTool,
};
use model::adapter::Adapter;
use model::case::SealLevel;
use zeroize::Zeroizing;

use super::{Build, seconds};
use crate::error::Error;

impl Build<'_> {
    pub(super) fn scan(&self, it: &Scan) -> Result<Arc<dyn Adapter>, Error> {
        let seal = it.note.as_ref().map(|note| self.seal(note)).transpose()?.flatten();
        let level = seal.as_ref().map_or(SealLevel::Internal, |seal| seal.level());
        let settings = Settings {
            temporary: it.temporary.clone(),
            quiet: seconds(it.quiet_seconds),
            pause: seconds(it.pause_seconds),
            index: Index {
                mode: match it.index {
                    ScanIndex::None => IndexMode::None,
                    ScanIndex::Optional => IndexMode::Optional,
                    ScanIndex::Required => IndexMode::Required,
                },
                columns: it.columns.iter().map(|(name, it)| (name.clone(), fact(*it))).collect(),
            },
            separate: it.separate.as_ref().map(|it| self.separate(it)).transpose()?,
            read: it.read.as_ref().map(read),
            note: it.note.as_ref().map(|it| note(it, level)),
            recognise: recognise(&it.recognise),
            jbig2: match it.jbig2 {
                ScanJbig2::Flag => Jbig2::Flag,
                ScanJbig2::Reject => Jbig2::Reject,
            },
            limits: Limits { bytes: it.max_mb << 20, pages: it.max_pages, ..Limits::default() },
            tools: tools(it),
            ..Settings::new(self.id(), &it.folder)
        };
        Ok(Arc::new(scan::Scan::new(settings, seal)?))
    }

    fn separate(&self, it: &ScanSeparate) -> Result<Separate, Error> {
        let sheet = |sheet: &config::ScanSheet| SheetForm {
            pattern: sheet.pattern.clone(),
            opens: match sheet.opens {
                ScanOpens::Letter => Opens::Letter,
                ScanOpens::Document => Opens::Document,
            },
        };
        let sheets = it.sheets.iter().map(sheet).collect();
        let word = match &it.word {
            Some(reference) => Some(Word::new(self.secret("separate.word", reference)?)?),
            None => None,
        };
        Ok(Separate { sheets, word, datamatrix: it.datamatrix, ..Separate::default() })
    }

    fn seal(&self, note: &ScanNote) -> Result<Option<Arc<dyn SealProvider>>, Error> {
        if let Some(pair) = &note.identity {
            let identity = self.config.adapter_identity(self.entry, "note.identity", pair)?;
            return Ok(Some(Arc::new(Advanced::new(identity))));
        }
        let Some(reference) = &note.key else { return Ok(None) };
        let key = self.secret("note.key", reference)?;
        let key = Zeroizing::new(key.as_bytes().to_vec());
        Ok(Some(Arc::new(Internal::new(self.id(), key)?)))
    }
}

fn fact(it: ScanFact) -> Fact {
    match it {
        ScanFact::Reference => Fact::Reference,
        ScanFact::Cash => Fact::Cash,
        ScanFact::Unit => Fact::Unit,
        ScanFact::Recipient => Fact::Recipient,
        ScanFact::Received => Fact::Received,
        ScanFact::Scanned => Fact::Scanned,
        ScanFact::Subject => Fact::Subject,
        ScanFact::From => Fact::From,
        ScanFact::Kind => Fact::Kind,
        ScanFact::Batch => Fact::Batch,
    }
}

fn read(it: &ScanRead) -> Read {
    Read {
        languages: it.languages.clone(),
        form: it.form.clone(),
        time: seconds(it.seconds),
        jobs: it.jobs,
        pages: it.pages,
    }
}

fn note(it: &ScanNote, level: SealLevel) -> Note {
    Note {
        contractor: organisation(&it.contractor),
        client: it.client.as_ref().map(organisation),
        procedure: Procedure {
            name: it.procedure.name.clone(),
            variant: it.procedure.variant.clone(),
            version: it.procedure.version.clone(),
            date: it.procedure.date.clone(),
            keeper: organisation(&it.procedure.keeper),
        },
        assurance: it.assurance.clone(),
        level,
        embed: it.embed,
    }
}

fn organisation(it: &ScanOrganisation) -> Organisation {
    Organisation {
        name: it.name.clone(),
        street: it.street.clone(),
        postcode: it.postcode.clone(),
        town: it.town.clone(),
        unit: it.unit.clone(),
    }
}

fn recognise(it: &config::Recognise) -> Recognise {
    Recognise {
        references: it.references.clone(),
        cash: it.cash.clone(),
        units: it.units.clone(),
        recipients: it.recipients.clone(),
        stamps: it.stamps.clone(),
    }
}

fn tools(it: &Scan) -> Tools {
    let mut tools = Tools::default();
    for (tool, command) in &it.tools {
        let place = match tool {
            ScanTool::Within => &mut tools.within,
            ScanTool::Qpdf => &mut tools.qpdf,
            ScanTool::Img2pdf => &mut tools.img2pdf,
            ScanTool::Pdftoppm => &mut tools.pdftoppm,
            ScanTool::Pdfimages => &mut tools.pdfimages,
            ScanTool::Pdftotext => &mut tools.pdftotext,
            ScanTool::Zbarimg => &mut tools.zbarimg,
            ScanTool::Dmtxread => &mut tools.dmtxread,
            ScanTool::Ocrmypdf => &mut tools.ocrmypdf,
        };
        place.clone_from(command);
    }
    tools
}
