//! Routes of case files, cases, documents and exchanges, with the mailbox.

use model::Action::{ConfirmImport, Exchange as StartExchange, ReadCases, ReadContent, UseInbox, WriteCases};
use model::case::{Case, CaseFile, Document};
use model::exchange::Exchange;

use crate::case_files::{NewCaseFile, NewLock, NewReference};
use crate::paging::PageOf;
use crate::records::{ListQuery, PageQuery, TimelineEntry};
use crate::route::Route;
use crate::{case_files, cases, documents, exchanges, inbox};

pub(super) fn case_file_routes() -> Vec<Route> {
    vec![
        Route::post("/case-files", "createCaseFile", case_files::create)
            .says("Creates a case file (Akte).")
            .needs(WriteCases)
            .takes::<NewCaseFile>()
            .gives::<CaseFile>(201),
        Route::get("/case-files", "listCaseFiles", case_files::list)
            .says("Lists the case files that the token sees.")
            .needs(ReadCases)
            .query::<ListQuery>()
            .gives::<PageOf<CaseFile>>(200),
        Route::get("/case-files/{id}", "readCaseFile", case_files::read)
            .says("Gives one case file.")
            .needs(ReadCases)
            .gives::<CaseFile>(200),
        Route::patch("/case-files/{id}", "amendCaseFile", case_files::amend)
            .says("Changes members of a case file by a merge patch.")
            .needs(WriteCases)
            .patches::<CaseFile>()
            .gives::<CaseFile>(200),
        Route::post("/case-files/{id}/case-files", "createCaseFilePart", case_files::create_part)
            .says("Creates a part (Teilakte) of a case file.")
            .needs(WriteCases)
            .takes::<NewCaseFile>()
            .gives::<CaseFile>(201),
        Route::post(
            "/case-files/{id}/record-reference",
            "assignCaseFileReference",
            case_files::assign_reference,
        )
        .says("Assigns the Aktenzeichen of a case file.")
        .needs(WriteCases)
        .takes::<NewReference>()
        .gives::<CaseFile>(200),
        Route::post("/case-files/{id}/close", "closeCaseFile", case_files::close)
            .says("Closes a case file (zu den Akten).")
            .needs(WriteCases)
            .may_match()
            .gives::<CaseFile>(200),
        Route::post("/case-files/{id}/reopen", "reopenCaseFile", case_files::reopen)
            .says("Reopens a closed case file.")
            .needs(WriteCases)
            .may_match()
            .gives::<CaseFile>(200),
        Route::post("/case-files/{id}/lock", "lockCaseFile", case_files::lock)
            .says("Locks a case file whose import the receiver has confirmed.")
            .needs(StartExchange)
            .takes::<NewLock>()
            .gives::<CaseFile>(200),
        Route::get("/case-files/{id}/timeline", "readCaseFileTimeline", case_files::timeline)
            .says("Tells what happened to a case file, oldest first.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
        Route::post("/case-files/{id}/documents", "createCaseFileDocument", documents::create_in_case_file)
            .says("Creates a document in a case file.")
            .needs(WriteCases)
            .takes::<documents::NewDocument>()
            .gives::<Document>(201),
        Route::get("/case-files/{id}/documents", "listCaseFileDocuments", case_files::documents)
            .says("Lists the documents directly in a case file.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<Document>>(200),
    ]
}

pub(super) fn case_routes() -> Vec<Route> {
    vec![
        Route::post("/cases", "createCase", cases::create)
            .says("Creates a case (Vorgang).")
            .needs(WriteCases)
            .takes::<cases::NewCase>()
            .gives::<Case>(201),
        Route::get("/cases", "listCases", cases::list)
            .says("Lists the cases that the token sees.")
            .needs(ReadCases)
            .query::<ListQuery>()
            .gives::<PageOf<Case>>(200),
        Route::get("/cases/{id}", "readCase", cases::read)
            .says("Gives one case.")
            .needs(ReadCases)
            .gives::<Case>(200),
        Route::patch("/cases/{id}", "amendCase", cases::amend)
            .says("Changes members of a case by a merge patch.")
            .needs(WriteCases)
            .patches::<Case>()
            .gives::<Case>(200),
        Route::post("/cases/{id}/record-reference", "assignCaseReference", cases::assign_reference)
            .says("Assigns the Aktenzeichen of a case.")
            .needs(WriteCases)
            .may_match()
            .takes::<NewReference>()
            .gives::<Case>(200),
        Route::post("/cases/{id}/close", "closeCase", cases::close)
            .says("Closes a case (zu den Akten).")
            .needs(WriteCases)
            .may_match()
            .gives::<Case>(200),
        Route::post("/cases/{id}/reopen", "reopenCase", cases::reopen)
            .says("Reopens a closed case.")
            .needs(WriteCases)
            .may_match()
            .gives::<Case>(200),
        Route::post("/cases/{id}/lock", "lockCase", cases::lock)
            .says("Locks a case whose import the receiver has confirmed.")
            .needs(StartExchange)
            .takes::<NewLock>()
            .gives::<Case>(200),
        Route::get("/cases/{id}/timeline", "readCaseTimeline", cases::timeline)
            .says("Tells what happened to a case, oldest first.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
        Route::post("/cases/{id}/documents", "createCaseDocument", documents::create_in_case)
            .says("Creates a document in a case.")
            .needs(WriteCases)
            .takes::<documents::NewDocument>()
            .gives::<Document>(201),
        Route::get("/cases/{id}/documents", "listCaseDocuments", cases::documents)
            .says("Lists the documents directly in a case.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<Document>>(200),
    ]
}

pub(super) fn document_routes() -> Vec<Route> {
    vec![
        Route::get("/documents/{id}", "readDocument", documents::read)
            .says("Gives one document.")
            .needs(ReadCases)
            .gives::<Document>(200),
        Route::patch("/documents/{id}", "amendDocument", documents::amend)
            .says("Changes members of a document by a merge patch.")
            .needs(WriteCases)
            .patches::<Document>()
            .gives::<Document>(200),
        Route::post("/documents/{id}/documents", "createEnclosure", documents::create_in_document)
            .says("Creates a document that belongs to another (Anlage).")
            .needs(WriteCases)
            .takes::<documents::NewDocument>()
            .gives::<Document>(201),
        Route::get("/documents/{id}/documents", "listEnclosures", documents::enclosures)
            .says("Lists the documents that belong to a document.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<Document>>(200),
        Route::post("/documents/{id}/lock", "lockDocument", documents::lock)
            .says("Locks a document that was handed over alone and whose import the receiver has confirmed.")
            .needs(StartExchange)
            .takes::<NewLock>()
            .gives::<Document>(200),
        Route::get("/documents/{id}/timeline", "readDocumentTimeline", documents::timeline)
            .says("Tells what happened to a document, oldest first.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
        Route::put("/documents/{id}/content", "uploadContent", documents::upload)
            .says(
                "Adds a file to a document; answers once it is durable. The same file again changes nothing.",
            )
            .needs(WriteCases)
            .may_match()
            .query::<documents::UploadQuery>()
            .takes_raw(&["*/*"])
            .gives::<Document>(201),
        Route::get("/documents/{id}/content", "readContent", documents::content)
            .says("Gives the bytes of a file of a document, or a range of them.")
            .needs(ReadContent)
            .query::<documents::ContentQuery>()
            .gives_raw("*/*"),
    ]
}

pub(super) fn exchange_routes() -> Vec<Route> {
    vec![
        Route::post("/exchanges", "startExchange", exchanges::start)
            .says("Starts a hand-over (Abgabe) or submission (Aktenvorlage) to another authority.")
            .needs(StartExchange)
            .takes::<exchanges::Wanted>()
            .gives::<Exchange>(202),
        Route::get("/exchanges", "listExchanges", exchanges::list)
            .says("Lists the exchanges that the token sees.")
            .needs(ReadCases)
            .query::<exchanges::ExchangeQuery>()
            .gives::<PageOf<Exchange>>(200),
        Route::get("/exchanges/{id}", "readExchange", exchanges::read)
            .says("Gives one exchange with its objects, their results and its messages.")
            .needs(ReadCases)
            .gives::<Exchange>(200),
        Route::post("/exchanges/{id}/import-results", "reportImport", exchanges::import_results)
            .says("Reports what the record-keeping system imported, per object.")
            .needs(ConfirmImport)
            .takes::<exchanges::ImportResults>()
            .gives::<Exchange>(200),
        Route::get("/inbox", "listInbox", inbox::list)
            .says("Lists what is in the mailbox of the token's authority.")
            .needs(UseInbox)
            .query::<inbox::InboxQuery>()
            .gives::<PageOf<inbox::InboxEntry>>(200),
        Route::post("/inbox/leases", "leaseInbox", inbox::lease)
            .says("Hands entries of the mailbox out for a time, to nobody else meanwhile.")
            .needs(UseInbox)
            .takes::<inbox::NewLease>()
            .gives::<inbox::Leased>(200),
        Route::post("/inbox/{id}/confirm", "confirmInboxEntry", inbox::confirm)
            .says("Confirms a leased entry: the caller has it durably.")
            .needs(UseInbox)
            .gives::<inbox::InboxEntry>(200),
        Route::post("/inbox/{id}/return", "returnInboxEntry", inbox::give_back)
            .says("Sends a leased entry back to its sender.")
            .needs(UseInbox)
            .takes::<inbox::NewReturn>()
            .gives::<inbox::InboxEntry>(200),
    ]
}
