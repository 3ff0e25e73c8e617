//! Notifications of Computop Paygate: a form whose `MAC` is the HMAC-SHA-256 of `PayID*TransID*MerchantID*Status*Code`, in upper hexadecimal
//! digits. It comes plain, or as `Len` and `Data`: the form in ISO 8859-1, encrypted by Blowfish in ECB mode. The encryption
//! proves nothing and is nothing but the way in which it travels. Names of fields are the same in either case; new ones may appear.
//!
//! The amount is not covered by the code, and not in the message.

use blowfish::Blowfish;
use blowfish::cipher::{Block, BlockCipherDecrypt, KeyInit};
use model::payment::provider::{Notice, Refusal};
use seal::mac::{self, MacDigest};
use zeroize::Zeroizing;

use super::Told;

/// Bytes of a block of Blowfish.
const BLOCK: usize = 8;

/// Most fields, and most bytes of the decrypted form.
const FIELDS: usize = 64;
const MOST: usize = 16 * 1024;

/// By what a merchant's notifications are known.
pub struct Merchant {
    /// MerchantID.
    pub id: String,
    /// HMAC passwords; any counts.
    pub hmac_passwords: Vec<Zeroizing<String>>,
    /// Blowfish password, 4 to 56 bytes; absent: notifications come plain.
    pub blowfish_password: Option<Zeroizing<String>>,
}

/// A form: names in lower case, each once.
struct Form(Vec<(String, String)>);

/// What a notification says.
pub(super) fn read(merchant: &Merchant, notice: &Notice) -> Result<Told, Refusal> {
    let form = Form::of(merchant, &notice.body)?;
    let pay_id = form.wanted("payid")?;
    let trans_id = form.wanted("transid")?;
    let own = form.get("mid").or_else(|| form.get("merchantid")).ok_or(Refusal::Malformed)?;
    let signed = [pay_id, trans_id, own, form.wanted("status")?, form.wanted("code")?].join("*");
    let code = form.get("mac").ok_or(Refusal::Signature)?;
    if !merchant.hmac_passwords.iter().any(|password| is_signed(password, &signed, code)) {
        return Err(Refusal::Signature);
    }
    // The parts may hold what stands between them.
    if own != merchant.id || signed.matches('*').count() != 4 {
        return Err(Refusal::OtherPayment);
    }
    Ok(Told { reference: pay_id.to_owned(), request_id: Some(trans_id.to_owned()), ..Told::default() })
}

fn is_signed(password: &str, signed: &str, code: &str) -> bool {
    let ours = mac::hmac(MacDigest::Sha256, password.as_bytes(), signed.as_bytes());
    ours.is_ok_and(|ours| mac::is_same(hex::encode_upper(ours).as_bytes(), code.as_bytes()))
}

impl Form {
    fn of(merchant: &Merchant, body: &[u8]) -> Result<Form, Refusal> {
        let outer = form_urlencoded::parse(body).into_owned().take(FIELDS + 1).collect();
        let outer = Form::new(outer)?;
        let Some(data) = outer.get("data") else { return Ok(outer) };
        let password = merchant.blowfish_password.as_ref().ok_or(Refusal::Malformed)?;
        let plain = decrypt(password.as_bytes(), outer.wanted("len")?, data)?;
        // ISO 8859-1: each byte is the character with its number. The form has no escapes.
        let text: String = plain.iter().map(|byte| char::from(*byte)).collect();
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').ok_or(Refusal::Malformed));
        let owned = pairs.map(|pair| pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Form::new(owned.collect::<Result<_, _>>()?)
    }

    fn new(mut pairs: Vec<(String, String)>) -> Result<Form, Refusal> {
        if pairs.len() > FIELDS {
            return Err(Refusal::Malformed);
        }
        pairs.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        let is_repeated = |index: usize| pairs[..index].iter().any(|(name, _)| *name == pairs[index].0);
        if (1..pairs.len()).any(is_repeated) { Err(Refusal::Repeated) } else { Ok(Form(pairs)) }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn wanted(&self, name: &str) -> Result<&str, Refusal> {
        let is_short = |value: &&str| (1..=200).contains(&value.len());
        self.get(name).filter(is_short).ok_or(Refusal::Malformed)
    }
}

/// The first `length` bytes of what was encrypted; what fills the last block is left out.
fn decrypt(password: &[u8], length: &str, data: &str) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut bytes = Zeroizing::new(hex::decode(data).map_err(|_| Refusal::Malformed)?);
    let length: usize = length.parse().map_err(|_| Refusal::Malformed)?;
    if length > MOST || bytes.len() != length.next_multiple_of(BLOCK) {
        return Err(Refusal::Malformed);
    }
    let cipher: Blowfish = Blowfish::new_from_slice(password).map_err(|_| Refusal::Malformed)?;
    for block in bytes.chunks_exact_mut(BLOCK) {
        let block: &mut Block<Blowfish> = block.try_into().map_err(|_| Refusal::Malformed)?;
        cipher.decrypt_block(block);
    }
    bytes.truncate(length);
    Ok(bytes)
}
