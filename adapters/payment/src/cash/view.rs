//! A booking as the cash system is told of it.

use model::payment::{Booking, BookingKind, BookingLine};
use serde::Serialize;

/// What is booked where the claim has no lines of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Defaults {
    /// Haushaltsstelle or Produktsachkonto.
    pub budget_item: Option<String>,
    /// Objekt or Kostenstelle.
    pub cost_object: Option<String>,
}

/// The lines of a booking; never none, and their amounts add up to its own.
pub(super) fn lines(booking: &Booking, defaults: &Defaults) -> Vec<BookingLine> {
    if booking.lines.is_empty() {
        return vec![BookingLine {
            description: booking.purpose.clone(),
            amount_cents: booking.amount_cents,
            budget_item: defaults.budget_item.clone(),
            cost_object: defaults.cost_object.clone(),
            ..BookingLine::default()
        }];
    }
    let with_defaults = |line: &BookingLine| BookingLine {
        budget_item: line.budget_item.clone().or_else(|| defaults.budget_item.clone()),
        cost_object: line.cost_object.clone().or_else(|| defaults.cost_object.clone()),
        ..line.clone()
    };
    booking.lines.iter().map(with_defaults).collect()
}

/// How many bookings of a kind a file holds, and how much they are in all, in euro cents.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sum {
    pub(super) kind: BookingKind,
    pub(super) bookings: usize,
    pub(super) amount_cents: i64,
}

/// The sums of all kinds that occur.
pub(super) fn sums(bookings: &[Booking]) -> Vec<Sum> {
    let sum = |kind| {
        let of_kind = bookings.iter().filter(|booking| booking.kind == kind);
        let (bookings, amount_cents) =
            of_kind.fold((0, 0_i64), |(count, sum), it| (count + 1, sum.saturating_add(it.amount_cents)));
        Sum { kind, bookings, amount_cents }
    };
    BookingKind::ALL.into_iter().map(sum).filter(|sum| sum.bookings > 0).collect()
}

/// Text on one line, of characters that any format can hold.
pub(super) fn clean(text: &str) -> String {
    let plain =
        |char: char| if char.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&char) { ' ' } else { char };
    text.chars().map(plain).collect()
}
