//! The codes by which ePayBL refuses a call: a sign and four digits. Its texts are not quoted; what a code means stands here.

use model::Failure;

use crate::http::{self, Call};

/// What has to be done about a code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cure {
    /// Certificate, Mandant or Bewirtschafter are not as configured: the operator.
    Operator,
    /// The service's own trouble.
    Trouble,
    /// The same call was made before: it has to be asked what became of it.
    Ask,
}

/// Codes that are no refusal of the content: first, last, cure.
const CURES: &[(u16, u16, Cure)] = &[
    (11, 21, Cure::Operator),
    (301, 309, Cure::Operator),
    (520, 520, Cure::Ask),
    (531, 531, Cure::Ask),
    (9970, 9999, Cure::Trouble),
];

/// First, last, what is wrong.
const MEANINGS: &[(u16, u16, &str)] = &[
    (11, 13, "the Mandant is wrong, unknown or inactive"),
    (20, 20, "there is no client certificate"),
    (21, 21, "the client certificate is not for this Mandant"),
    (104, 104, "the name of the customer"),
    (100, 199, "the customer"),
    (201, 213, "the address"),
    (301, 309, "the Bewirtschafter is wrong, unknown, inactive or not of this Mandant"),
    (310, 310, "the length of the Kassenzeichen"),
    (502, 502, "the check digit of the Kassenzeichen"),
    (503, 503, "the amount"),
    (504, 504, "the Kennzeichen Mahnverfahren"),
    (506, 506, "the sum is not that of the bookings"),
    (508, 508, "the due date"),
    (510, 512, "the amount is below or above what is taken"),
    (514, 514, "the currency"),
    (515, 519, "the Kassenzeichen exists with another method, Mandant, customer, currency or Bewirtschafter"),
    (520, 520, "the Kassenzeichen exists and its pay page is not finished"),
    (521, 522, "the Kassenzeichen must be given, or must not be given"),
    (529, 529, "the Kassenzeichen must not be used again"),
    (530, 530, "the transaction number is not valid"),
    (531, 531, "the transaction number was used before"),
    (611, 611, "the title is not released for the Bewirtschafter"),
    (601, 612, "a booking line"),
    (9970, 9999, "the service has trouble of its own"),
];

/// What it means that a call was refused with this code.
pub(super) fn refusal(code: &str, call: Call) -> Failure {
    let Some(number) = number(code) else {
        return http::refused("ePayBL refused the call, without a code that is known");
    };
    let within = |(first, last): (u16, u16)| (first..=last).contains(&number);
    let meaning = MEANINGS.iter().find(|(first, last, _)| within((*first, *last)));
    let detail = match meaning {
        Some((.., meaning)) => format!("ePayBL refused the call: -{number:04}, {meaning}"),
        None => format!("ePayBL refused the call: -{number:04}"),
    };
    let cure = CURES.iter().find(|(first, last, _)| within((*first, *last))).map(|(.., cure)| *cure);
    match cure {
        None => http::refused(detail),
        Some(Cure::Operator) => http::unauthorised(detail),
        Some(Cure::Trouble) => http::troubled(detail, call),
        Some(Cure::Ask) => http::unclear(detail),
    }
}

/// The number of a code of refusal.
fn number(code: &str) -> Option<u16> {
    let digits = code.strip_prefix('-').filter(|digits| digits.len() == 4)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}
