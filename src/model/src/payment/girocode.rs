//! The text of an EPC QR code (EPC069-12 version 2.1), as it stands on paper notices: banking apps fill in a transfer from it.

use super::account::Bank;
use crate::Error;

/// Longest name and remittance text, in characters; most bytes of the whole.
const NAME: usize = 70;
const TEXT: usize = 140;
const BYTES: usize = 331;

/// Largest amount, in cents.
const MOST: i64 = 99_999_999_999;

/// The text of the code for a transfer of `amount_cents` with `text` as its remittance information: version 002, UTF-8, lines of LF.
///
/// # Errors
/// [`Error::Invalid`] if anything does not fit into such a code.
pub fn girocode(bank: &Bank, amount_cents: i64, text: &str) -> Result<String, Error> {
    let fits = |field: &'static str, value: &str, most: usize| {
        let plain = !value.is_empty() && !value.chars().any(char::is_control);
        if plain && value.chars().count() <= most { Ok(()) } else { Err(Error::Invalid { field }) }
    };
    fits("holder", &bank.holder, NAME)?;
    fits("purpose", text, TEXT)?;
    if !(1..=MOST).contains(&amount_cents) {
        return Err(Error::Invalid { field: "amountCents" });
    }
    let bic = bank.bic.as_deref().unwrap_or_default();
    let amount = format!("EUR{}.{:02}", amount_cents / 100, amount_cents % 100);
    let lines = ["BCD", "002", "1", "SCT", bic, &bank.holder, &bank.iban, &amount, "", "", text];
    let code = lines.join("\n");
    if code.len() <= BYTES { Ok(code) } else { Err(Error::Invalid { field: "purpose" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bank() -> Bank {
        Bank { holder: "Kreiskasse Musterkreis".into(), iban: "DE89370400440532013000".into(), bic: None }
    }

    #[test]
    fn a_code_has_its_eleven_lines() {
        let code = girocode(&bank(), 2_500, "Kassenzeichen 4200000000061").unwrap();
        assert_eq!(
            code,
            "BCD\n002\n1\nSCT\n\nKreiskasse Musterkreis\nDE89370400440532013000\nEUR25.00\n\n\n\
             Kassenzeichen 4200000000061"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for text in ["", "zwei\nZeilen", &"x".repeat(141)] {
            assert!(girocode(&bank(), 1, text).is_err(), "{text}");
        }
        assert!(girocode(&bank(), 0, "x").is_err());
        assert!(girocode(&Bank { holder: "x".repeat(71), ..bank() }, 1, "x").is_err());
    }
}
