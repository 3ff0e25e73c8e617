//! What a new exchange is about.

use model::case::Disposition;
use model::exchange::{Appraisal, ExchangeKind, ExchangeObject};
use model::record::Meta;
use model::{Caller, Id, Record, RecordKind, Scope, ids};

use super::{NewExchange, Opening, object_id};
use crate::{Broker, Error};

impl Broker {
    /// The objects of a new exchange, and the ownership it takes from the first of them.
    pub(super) async fn objects_of(
        &self,
        caller: &Caller,
        scope: &Scope,
        wanted: &NewExchange,
    ) -> Result<(Vec<ExchangeObject>, Meta), Error> {
        check_opening(wanted)?;
        if matches!(wanted.opening, Opening::FilePlan(_)) {
            return Ok((vec![], self.meta_of_plan(caller, scope)?));
        }
        let mut objects: Vec<ExchangeObject> = vec![];
        let mut first: Option<Meta> = None;
        for id in &wanted.objects {
            let record = self.object_to_send(scope, wanted, *id).await?;
            let meta = record.meta();
            let object_id = object_id(&record);
            let fits = first.as_ref().is_none_or(|first| first.authority == meta.authority);
            if !fits || objects.iter().any(|known| known.object_id == object_id) {
                return Err(model::Error::Invalid { field: "objects" }.into());
            }
            let mut object = ExchangeObject::new(record.kind(), *id, meta.root, object_id);
            if matches!(wanted.opening, Opening::Transfer) {
                object.appraisal = Some(Appraisal::of(Disposition::Archive));
            }
            objects.push(object);
            first.get_or_insert_with(|| meta.clone());
        }
        let first = first.ok_or(model::Error::Invalid { field: "objects" })?;
        Ok((objects, first))
    }

    async fn object_to_send(&self, scope: &Scope, wanted: &NewExchange, id: Id) -> Result<Record, Error> {
        let record = self.owned_any(scope, id).await?;
        let kind = record.kind();
        if !matches!(kind, RecordKind::CaseFile | RecordKind::Case | RecordKind::Document) {
            return Err(model::Error::Invalid { field: "objects" }.into());
        }
        let above = self.above(&record).await?;
        let unfit = |record: &Record| matches!(record.status(), "locked" | "received" | "destroyed");
        if above.iter().chain([&record]).any(unfit) {
            return Err(model::Error::WrongState { state: "locked, received or destroyed" }.into());
        }
        // A copy may be shown to others meanwhile.
        if wanted.kind != ExchangeKind::Submission {
            self.left_over(above.iter().chain([&record])).await?;
        }
        let disposes = wanted.kind == ExchangeKind::Disposition;
        if disposes && above.iter().any(|above| wanted.objects.contains(&above.meta().id)) {
            return Err(model::Error::Invalid { field: "objects" }.into());
        }
        // Keeping ends some time after work has ended.
        let is_open = kind != RecordKind::Document && record.status() != "closed";
        if disposes && is_open {
            return Err(model::Error::WrongState { state: "open" }.into());
        }
        if let Opening::Route(route) = &wanted.opening
            && kind != RecordKind::Document
            && !route.attachments.contains(&object_id(&record))
        {
            return Err(model::Error::Invalid { field: "objects" }.into());
        }
        Ok(record)
    }

    /// A file plan belongs to the unit that receives for the caller's authority.
    fn meta_of_plan(&self, caller: &Caller, scope: &Scope) -> Result<Meta, Error> {
        let key = caller.authority.as_ref().ok_or(Error::NoAuthority)?;
        let entry = self.house().authority(&scope.tenant, key).ok_or(Error::UnknownAuthority)?;
        if !scope.covers(&scope.tenant, &entry.unit, None) {
            return Err(model::Error::Forbidden.into());
        }
        let id = ids::new_id();
        Ok(Meta {
            id,
            tenant: scope.tenant.clone(),
            authority: key.clone(),
            unit: entry.unit.clone(),
            public_service: None,
            root: id,
            version: 0,
            created_at: self.now(),
            updated_at: self.now(),
        })
    }
}

/// Each kind begins in its own way.
fn check_opening(wanted: &NewExchange) -> Result<(), Error> {
    let plans = matches!(wanted.kind, ExchangeKind::FilePlan | ExchangeKind::Catalogue);
    let field = match (&wanted.opening, wanted.kind) {
        (Opening::Usual, ExchangeKind::Circulation) => "route",
        (Opening::Usual, _) if plans => "filePlan",
        (Opening::Route(route), ExchangeKind::Circulation) if route.steps.is_empty() => "route",
        (Opening::FilePlan(_), _) if plans && !wanted.objects.is_empty() => "objects",
        (Opening::FilePlan(_), _) if plans => return Ok(()),
        (Opening::Usual, _) | (Opening::Route(_), ExchangeKind::Circulation) => return Ok(()),
        (Opening::Transfer, ExchangeKind::Disposition) => return Ok(()),
        (Opening::Transfer, _) => "twoStep",
        (Opening::Route(_), _) => "route",
        (Opening::FilePlan(_), _) => "filePlan",
    };
    Err(model::Error::Invalid { field }.into())
}
