//! When something that was sent counts as disclosed or served (Bekanntgabefiktion, Zustellungsfiktion): a proposal from the rules of the house, each for
//! its time. It is nobody's decision: it is shown and never written, and whoever has to know looks at the law and at the case.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{Date, Duration};

use crate::activity::{Dispatch, DispatchKind, DispatchStatus, DispatchStep};
use crate::holidays::workday_from;
use crate::payment::day::german_clock;
use crate::sending::{Day, Sending};

/// Most days of a rule.
const MOST_DAYS: u32 = 366;

/// A rule of what is deemed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeemedRule {
    /// What it follows from, such as `§ 41 Abs. 2 VwVfG`.
    pub law: String,
    /// For which kind of dispatch.
    pub kind: DispatchKind,
    /// On which ways; empty: on all, and for those without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<String>,
    /// Of which public services; empty: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// From which step it counts.
    pub step: DispatchStatus,
    /// How many days after the day of the step.
    pub days: u32,
    /// Whether it is the next workday if that is none.
    #[serde(default)]
    pub next_workday: bool,
    /// The first day of a step that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Day>,
    /// The last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Day>,
}

/// When something is deemed, as the rules of the house propose it. Not a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deemed {
    /// The day, `YYYY-MM-DD`.
    #[schemars(extend("format" = "date"))]
    pub date: String,
    /// The rule's law.
    pub rule: String,
    /// What it was counted from.
    pub because: DeemedBecause,
}

/// What a proposal was counted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeemedBecause {
    /// The step.
    pub step: DispatchStep,
    /// The day of it in Germany.
    #[schemars(extend("format" = "date"))]
    pub day: String,
    /// How many days were added.
    pub days: u32,
    /// The day that it would be if that were a workday.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date"))]
    pub moved_from: Option<String>,
}

impl DeemedRule {
    /// What is wrong with it.
    pub fn lack(&self) -> Option<&'static str> {
        let is_upside_down = self.valid_from.zip(self.valid_until).is_some_and(|(from, until)| from > until);
        match self.step {
            _ if self.law.trim().is_empty() => Some("expected `law`: what it follows from"),
            _ if self.kind == DispatchKind::Notification => Some("a notification is never deemed anything"),
            _ if self.days > MOST_DAYS => Some("expected at most 366 days"),
            _ if is_upside_down => Some("ends before it begins"),
            DispatchStatus::Posted | DispatchStatus::Provided | DispatchStatus::Retrieved => None,
            _ => Some("expected `step` posted, provided or retrieved"),
        }
    }

    fn fits(&self, it: &Dispatch, day: Date) -> bool {
        let named = |all: &[String], one: Option<&str>| {
            all.is_empty() || one.is_some_and(|one| all.iter().any(|it| it == one))
        };
        self.kind == it.kind
            && named(&self.ways, it.way.as_deref())
            && named(&self.services, it.meta.public_service.as_deref())
            && self.valid_from.is_none_or(|from| from.0 <= day)
            && self.valid_until.is_none_or(|until| day <= until.0)
    }
}

impl Sending {
    /// When a dispatch is deemed to have been disclosed or served, by the first rule that fits. `None` if none does, or if it came back.
    pub fn deemed(&self, it: &Dispatch) -> Option<Deemed> {
        let came_back =
            |step: &DispatchStep| matches!(step.kind, DispatchStatus::Returned | DispatchStatus::Failed);
        if it.steps.iter().any(came_back) {
            return None;
        }
        self.deemed.iter().find_map(|rule| {
            let step = it.steps.iter().find(|step| step.kind == rule.step)?;
            let day = german_clock(step.at).date();
            rule.fits(it, day).then(|| self.counted(rule, *step, day))
        })
    }

    fn counted(&self, rule: &DeemedRule, step: DispatchStep, day: Date) -> Deemed {
        let plain = day.saturating_add(Duration::days(rule.days.into()));
        let date = if rule.next_workday { workday_from(plain) } else { plain };
        let because = DeemedBecause {
            step,
            day: day.to_string(),
            days: rule.days,
            moved_from: (date != plain).then(|| plain.to_string()),
        };
        Deemed { date: date.to_string(), rule: rule.law.clone(), because }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::testkit::a_dispatch;

    fn day(text: &str) -> Option<Day> {
        Some(Day::try_from(text.to_owned()).unwrap())
    }

    fn rule(law: &str, kind: DispatchKind, days: u32) -> DeemedRule {
        DeemedRule {
            law: law.into(),
            kind,
            ways: vec![],
            services: vec![],
            step: DispatchStatus::Posted,
            days,
            next_workday: false,
            valid_from: None,
            valid_until: None,
        }
    }

    fn house() -> Sending {
        let letter = DeemedRule { ways: vec!["print".into()], ..rule("§ 41", DispatchKind::Disclosure, 4) };
        let before = DeemedRule { days: 3, valid_until: day("2024-12-31"), ..letter.clone() };
        let since = DeemedRule { valid_from: day("2025-01-01"), ..letter };
        let tax = |it: &DeemedRule| DeemedRule {
            law: "§ 122 AO".into(),
            services: vec!["hundesteuer".into()],
            next_workday: true,
            ..it.clone()
        };
        let portal = DeemedRule {
            ways: vec!["portal".into()],
            step: DispatchStatus::Retrieved,
            ..rule("§ 41 Abs. 2a", DispatchKind::Disclosure, 1)
        };
        let deemed = vec![
            tax(&before),
            tax(&since),
            before,
            since,
            portal,
            rule("§ 4 VwZG", DispatchKind::FormalService, 4),
        ];
        Sending { deemed, ..Sending::default() }
    }

    fn sent(kind: DispatchKind, way: &str, service: &str, steps: &[(DispatchStatus, &str)]) -> Dispatch {
        let mut it = a_dispatch(kind);
        it.way = Some(way.into());
        it.meta.public_service = Some(service.into());
        let step = |(kind, at): &(DispatchStatus, &str)| DispatchStep {
            kind: *kind,
            at: Timestamp::parse(at).unwrap(),
        };
        it.steps = steps.iter().map(step).collect();
        it
    }

    #[test]
    fn days_are_counted_by_the_law_of_the_day_on_which_it_was_posted() {
        use DispatchKind::{Disclosure, FormalService};
        let none = "baugenehmigung";
        for (kind, service, posted, date, moved) in [
            // The day of posting counts in Germany, and decides which law it is.
            (Disclosure, none, "2024-12-30T11:00:00Z", "2025-01-02", None),
            (Disclosure, none, "2024-12-31T22:59:59Z", "2025-01-03", None),
            (Disclosure, none, "2024-12-31T23:00:00Z", "2025-01-05", None),
            (Disclosure, none, "2025-01-02T11:00:00Z", "2025-01-06", None),
            // A Saturday moves for taxes alone.
            (Disclosure, none, "2025-03-04T11:00:00Z", "2025-03-08", None),
            (Disclosure, "hundesteuer", "2025-03-04T11:00:00Z", "2025-03-10", Some("2025-03-08")),
            (Disclosure, "hundesteuer", "2024-03-06T11:00:00Z", "2024-03-11", Some("2024-03-09")),
            // Good Friday to Easter Monday; Christmas up to a Saturday; New Year over the change of the law.
            (Disclosure, "hundesteuer", "2025-04-14T10:00:00Z", "2025-04-22", Some("2025-04-18")),
            (Disclosure, "hundesteuer", "2025-12-21T10:00:00Z", "2025-12-29", Some("2025-12-25")),
            (Disclosure, "hundesteuer", "2024-12-29T10:00:00Z", "2025-01-02", Some("2025-01-01")),
            // 24 and 31 December are no holidays, whoever is closed then.
            (Disclosure, "hundesteuer", "2026-12-20T10:00:00Z", "2026-12-24", None),
            (Disclosure, "hundesteuer", "2026-12-27T10:00:00Z", "2026-12-31", None),
            (FormalService, none, "2025-02-26T10:00:00Z", "2025-03-02", None),
        ] {
            let it = sent(kind, "print", service, &[(DispatchStatus::Posted, posted)]);
            let deemed = house().deemed(&it).unwrap();
            assert_eq!(
                (deemed.date.as_str(), deemed.because.moved_from.as_deref()),
                (date, moved),
                "{posted}"
            );
        }
    }

    #[test]
    fn what_was_provided_is_deemed_from_its_retrieval() {
        let provided = (DispatchStatus::Provided, "2025-06-02T10:00:00Z");
        let waiting = sent(DispatchKind::Disclosure, "portal", "x", &[provided]);
        assert_eq!(house().deemed(&waiting), None);
        let retrieved = (DispatchStatus::Retrieved, "2025-06-03T22:30:00Z");
        let it = sent(DispatchKind::Disclosure, "portal", "x", &[provided, retrieved]);
        let deemed = house().deemed(&it).unwrap();
        assert_eq!((deemed.date.as_str(), deemed.because.day.as_str()), ("2025-06-05", "2025-06-04"));
        assert_eq!(deemed.rule, "§ 41 Abs. 2a");
    }

    #[test]
    fn nothing_is_deemed_of_a_notification_or_of_what_came_back() {
        use DispatchStatus::{Posted, Returned};
        let posted = (DispatchStatus::Posted, "2025-02-03T10:00:00Z");
        let notified = sent(DispatchKind::Notification, "print", "x", &[posted]);
        assert_eq!(house().deemed(&notified), None);
        let returned = (DispatchStatus::Returned, "2025-02-20T10:00:00Z");
        assert_eq!(house().deemed(&sent(DispatchKind::Disclosure, "print", "x", &[posted, returned])), None);
        // Documents tell the day alone, so that it came back before it was posted.
        let by_day = [(Returned, "2025-02-02T23:00:00Z"), (Posted, "2025-02-03T10:00:00Z")];
        assert_eq!(house().deemed(&sent(DispatchKind::Disclosure, "print", "x", &by_day)), None);
        assert_eq!(house().deemed(&sent(DispatchKind::Disclosure, "fax", "x", &[posted])), None);
    }

    #[test]
    fn a_rule_that_cannot_be_meant_is_refused() {
        let good = rule("§ 41", DispatchKind::Disclosure, 4);
        assert_eq!(good.lack(), None);
        for wrong in [
            DeemedRule { law: " ".into(), ..good.clone() },
            DeemedRule { kind: DispatchKind::Notification, ..good.clone() },
            DeemedRule { days: 400, ..good.clone() },
            DeemedRule { step: DispatchStatus::Failed, ..good.clone() },
            DeemedRule { valid_from: day("2025-01-02"), valid_until: day("2025-01-01"), ..good },
        ] {
            assert!(wrong.lack().is_some(), "{wrong:?}");
        }
    }
}
