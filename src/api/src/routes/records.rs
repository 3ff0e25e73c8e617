//! Routes of case files, cases, documents and exchanges, with the mailbox.

use model::Action::{
    Appraise, ConfirmImport, DestroyRecords, Exchange as StartExchange, HoldRecords, ReadCases, ReadContent,
    UseInbox, WriteCases,
};
use model::case::{Case, CaseFile, Document};
use model::exchange::Exchange;

use crate::case_files::{NewCaseFile, NewHold, NewLock, NewReference};
use crate::paging::PageOf;
use crate::records::{ListQuery, PageQuery, TimelineEntry};
use crate::route::Route;
use crate::{case_files, cases, documents, exchanges, inbox, processes};

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
        Route::post("/case-files/{id}/hold", "holdCaseFile", case_files::hold)
            .says("Bars a case file, and what lies in it, from destruction (Löschsperre).")
            .needs(HoldRecords)
            .takes::<NewHold>()
            .gives::<CaseFile>(200),
        Route::post("/case-files/{id}/lift-hold", "liftHoldOfCaseFile", case_files::lift_hold)
            .says("Lifts the bar to destruction of a case file.")
            .needs(HoldRecords)
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
        Route::post("/cases/{id}/hold", "holdCase", cases::hold)
            .says("Bars a case, and what lies in it, from destruction (Löschsperre).")
            .needs(HoldRecords)
            .takes::<NewHold>()
            .gives::<Case>(200),
        Route::post("/cases/{id}/lift-hold", "liftHoldOfCase", cases::lift_hold)
            .says("Lifts the bar to destruction of a case.")
            .needs(HoldRecords)
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
        Route::post("/documents/{id}/hold", "holdDocument", documents::hold)
            .says("Bars a document, and what lies in it, from destruction (Löschsperre).")
            .needs(HoldRecords)
            .takes::<NewHold>()
            .gives::<Document>(200),
        Route::post("/documents/{id}/lift-hold", "liftHoldOfDocument", documents::lift_hold)
            .says("Lifts the bar to destruction of a document.")
            .needs(HoldRecords)
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
            .says(
                "Starts an exchange with another authority: hand-over (Abgabe), submission (Aktenvorlage), circulation \
                 (Geschäftsgang), disposition (Aussonderung) or a file plan (Aktenplan).",
            )
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
        Route::post("/exchanges/{id}/appraisals", "appraise", processes::appraise)
            .says("Says what an archive decides of what it was offered, per object; once all is said the other side is told.")
            .needs(Appraise)
            .takes::<processes::Appraisals>()
            .gives::<Exchange>(200),
        Route::post("/exchanges/{id}/transfer", "transfer", processes::transfer)
            .says(
                "Sends the archive exactly what it has appraised for itself; of a file plan: reports that its appraisal \
                 was taken over.",
            )
            .needs(StartExchange)
            .gives::<Exchange>(202),
        Route::post("/exchanges/{id}/destruction", "destroyRecords", processes::destroy)
            .says(
                "Destroys what a disposition has disposed of, with proof; where a second person has to agree, the first \
                 call only asks.",
            )
            .needs(DestroyRecords)
            .takes::<processes::Destruction>()
            .gives::<Exchange>(202),
        Route::post("/exchanges/{id}/steps", "doStep", processes::do_step)
            .says("Says what was done at a step of a circulation's route, or that it was passed over.")
            .needs(StartExchange)
            .takes::<processes::NewStep>()
            .gives::<Exchange>(200),
        Route::post("/exchanges/{id}/pass-on", "passOn", processes::pass_on)
            .says("Sends the documents of a circulation on to its next station; after the last one it ends here.")
            .needs(StartExchange)
            .takes::<processes::PassOn>()
            .gives::<Exchange>(202),
        Route::post("/exchanges/{id}/end", "endCirculation", processes::end)
            .says("Ends a circulation whose documents will not come back; they may be changed again.")
            .needs(StartExchange)
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
