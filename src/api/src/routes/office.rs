//! Routes of the back office: contacts, dispatches, and what adapters have and call what.

use model::Action::{ReadCases, ReadMessages, RepairMessages, WriteCases};
use model::activity::{Dispatch, Interaction};

use crate::paging::PageOf;
use crate::records::{PageQuery, TimelineEntry};
use crate::route::Route;
use crate::{channels, dispatches, interactions, telephony};

pub(super) fn interaction_routes() -> Vec<Route> {
    vec![
        Route::post("/interactions", "createInteraction", interactions::create)
            .says("Notes a contact (Kontakt) such as a call or visit, in its case or on a desk.")
            .needs(WriteCases)
            .takes::<interactions::NewInteraction>()
            .gives::<Interaction>(201),
        Route::get("/interactions", "listInteractions", interactions::list)
            .says("Lists contacts and pieces of post; with `status=open` what lies on desks.")
            .needs(ReadCases)
            .query::<interactions::InteractionQuery>()
            .gives::<PageOf<Interaction>>(200),
        Route::get("/interactions/{id}", "readInteraction", interactions::read)
            .says("Gives one contact with what was recognised and the cases that it may belong to.")
            .needs(ReadCases)
            .gives::<Interaction>(200),
        Route::get("/interactions/{id}/timeline", "readInteractionTimeline", interactions::timeline)
            .says("Tells what happened to a contact, oldest first.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
        Route::post("/interactions/{id}/file", "fileInteraction", interactions::file)
            .says("Says which case what lies on a desk belongs into; its documents come into the case.")
            .needs(WriteCases)
            .may_match()
            .takes::<interactions::Destination>()
            .gives::<Interaction>(200),
        Route::post("/interactions/{id}/hand-on", "handOnInteraction", interactions::hand_on)
            .says("Lays what lies on a desk onto that of another unit.")
            .needs(WriteCases)
            .may_match()
            .takes::<interactions::OtherDesk>()
            .gives::<Interaction>(200),
        Route::post("/interactions/{id}/dismiss", "dismissInteraction", interactions::dismiss)
            .says("Says that what lies on a desk needs no case.")
            .needs(WriteCases)
            .may_match()
            .gives::<Interaction>(200),
    ]
}

pub(super) fn telephony_routes() -> Vec<Route> {
    vec![
        Route::post("/telephony/look-ups", "lookUpNumber", telephony::look_up)
            .says("Gives what is known of a telephone number (screen pop): cases of those who have it, and the last calls.")
            .needs(ReadCases)
            .takes::<telephony::Number>()
            .gives::<telephony::Known>(200),
        Route::post("/telephony/calls", "noteCall", telephony::note)
            .says("Notes a call that is over, once for each identifier of the telephone system's.")
            .needs(WriteCases)
            .takes::<telephony::NotedCall>()
            .gives::<Interaction>(201),
        Route::post("/tasks/{id}/call", "callForTask", telephony::call)
            .says("Has the telephone system ring the clerk, and then whoever the task is about (Rückruf).")
            .needs(WriteCases)
            .takes::<telephony::WantedCall>()
            .gives::<Interaction>(201),
        Route::post("/interactions/{id}/forward", "forwardInteraction", interactions::forward)
            .says("Hands a contact on to the unit that answers it, within a promised time of service (115).")
            .needs(WriteCases)
            .may_match()
            .takes::<interactions::NewForward>()
            .gives::<Interaction>(200),
    ]
}

pub(super) fn dispatch_routes() -> Vec<Route> {
    vec![
        Route::post("/dispatches", "createDispatch", dispatches::create)
            .says("Sends documents of a case, or a notice, to somebody (Versand).")
            .needs(WriteCases)
            .takes::<dispatches::NewDispatch>()
            .gives::<Dispatch>(201),
        Route::get("/dispatches", "listDispatches", dispatches::list)
            .says("Lists dispatches.")
            .needs(ReadCases)
            .query::<dispatches::DispatchQuery>()
            .gives::<PageOf<Dispatch>>(200),
        Route::get("/dispatches/{id}", "readDispatch", dispatches::read)
            .says("Gives one dispatch with the steps of its way, and when it counts as disclosed by the rules of the house.")
            .needs(ReadCases)
            .gives::<dispatches::ShownDispatch>(200),
        Route::post("/dispatches/{id}/steps", "addDispatchStep", dispatches::add_step)
            .says("Says what became of something that was sent, and what proves it, such as a Postzustellungsurkunde.")
            .needs(WriteCases)
            .may_match()
            .takes::<dispatches::ToldStep>()
            .gives::<Dispatch>(200),
        Route::get("/dispatches/{id}/timeline", "readDispatchTimeline", dispatches::timeline)
            .says("Tells what happened to a dispatch, oldest first.")
            .needs(ReadCases)
            .query::<PageQuery>()
            .gives::<PageOf<TimelineEntry>>(200),
    ]
}

pub(super) fn channel_routes() -> Vec<Route> {
    vec![
        Route::get("/channel-deliveries", "listChannelDeliveries", channels::list)
            .says("Lists what adapters do not have yet of what happened to records.")
            .needs(ReadMessages)
            .query::<channels::DeliveryQuery>()
            .gives::<PageOf<channels::Shown>>(200),
        Route::get("/channel-deliveries/{id}", "readChannelDelivery", channels::read)
            .says("Gives one of them, with what is in its way.")
            .needs(ReadMessages)
            .gives::<channels::Shown>(200),
        Route::post("/channel-deliveries/{id}/resend", "resendChannelDelivery", channels::resend)
            .says("Has an adapter told again what waits for a human.")
            .needs(RepairMessages)
            .gives_nothing(204),
        Route::post("/channel-deliveries/{id}/drop", "dropChannelDelivery", channels::drop_it)
            .says("Decides that an adapter is not told; what was to be imported counts as not imported.")
            .needs(RepairMessages)
            .gives_nothing(204),
        Route::get("/links/{id}", "readLinks", channels::links)
            .says("Tells what adapters call a record at their other sides.")
            .needs(ReadCases)
            .gives::<channels::LinkList>(200),
    ]
}
