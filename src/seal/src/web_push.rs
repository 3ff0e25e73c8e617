//! Web Push: the encryption of a message to a browser (RFC 8291 over RFC 8188, `aes128gcm`, one record), and the proof by which push services know
//! who sends (VAPID, RFC 8292, a JSON Web Token signed by ES256). The sender's key of RFC 8291 is made anew for each message.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use openssl::bn::BigNumContext;
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use openssl::symm::{Cipher, encrypt_aead};
use serde_json::json;
use zeroize::Zeroizing;

use crate::mac::{MacDigest, hmac};
use crate::{Error, Result, random_bytes, sha256};

/// Size of a record, as it is announced: what every push service takes (RFC 8030, section 7.2).
const RECORD_BYTES: u32 = 4_096;

/// Longest message, in bytes: the record less header, tag and delimiter.
pub const MOST_BYTES: usize = 4_096 - 86 - 16 - 1;

/// Length of a point of P-256, uncompressed.
const POINT: usize = 65;

/// Base64url as browsers give it, with padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys of a subscription, as a browser gave them.
pub struct Subscriber {
    point: Vec<u8>,
    public: PKey<Public>,
    secret: [u8; 16],
}

impl Subscriber {
    /// From `p256dh` and `auth`, both as base64url.
    ///
    /// # Errors
    /// [`Error::KeyFormat`] if they are not a point of P-256 and 16 bytes.
    pub fn parse(p256dh: &str, auth: &str) -> Result<Self> {
        let decoded = |text: &str| LENIENT.decode(text.trim()).map_err(|_| Error::KeyFormat);
        let point = decoded(p256dh)?;
        let secret = decoded(auth)?.try_into().map_err(|_| Error::KeyFormat)?;
        if point.len() != POINT || point.first() != Some(&4) {
            return Err(Error::KeyFormat);
        }
        let (group, mut context) = (group()?, BigNumContext::new()?);
        // Refuses what does not lie on the curve.
        let on_curve = EcPoint::from_bytes(&group, &point, &mut context).map_err(|_| Error::KeyFormat)?;
        let key = EcKey::from_public_key(&group, &on_curve).map_err(|_| Error::KeyFormat)?;
        Ok(Subscriber { point, public: PKey::from_ec_key(key)?, secret })
    }

    /// Encrypts a message: the body of a request with `Content-Encoding: aes128gcm`.
    ///
    /// # Errors
    /// [`Error::EncryptionTooLarge`] beyond [`MOST_BYTES`]; if OpenSSL fails.
    pub fn encrypt(&self, message: &[u8]) -> Result<Vec<u8>> {
        self.encrypt_with(message, &EcKey::generate(&*group()?)?, random_bytes()?)
    }

    fn encrypt_with(&self, message: &[u8], key: &EcKey<Private>, salt: [u8; 16]) -> Result<Vec<u8>> {
        if message.len() > MOST_BYTES {
            return Err(Error::EncryptionTooLarge);
        }
        let sender = point_of(key)?;
        let (content_key, nonce) = self.keys(key, &sender, &salt)?;
        let plain = Zeroizing::new([message, &[2]].concat());
        let mut tag = [0; 16];
        let cipher = Cipher::aes_128_gcm();
        let sealed = encrypt_aead(cipher, &content_key, Some(&nonce), &[], &plain, &mut tag)?;
        let length = u8::try_from(sender.len()).map_err(|_| Error::KeyFormat)?;
        Ok([&salt[..], &RECORD_BYTES.to_be_bytes(), &[length], &sender, &sealed, &tag].concat())
    }

    /// Content key and nonce (RFC 8291, section 3.4).
    fn keys(
        &self,
        key: &EcKey<Private>,
        sender: &[u8],
        salt: &[u8; 16],
    ) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>)> {
        let mac = |key: &[u8], parts: &[&[u8]]| -> Result<Zeroizing<Vec<u8>>> {
            Ok(Zeroizing::new(hmac(MacDigest::Sha256, key, &parts.concat())?))
        };
        let private = PKey::from_ec_key(key.clone())?;
        let mut deriver = Deriver::new(&private)?;
        deriver.set_peer(&self.public)?;
        let shared = Zeroizing::new(deriver.derive_to_vec()?);
        let extracted = mac(&self.secret, &[&shared])?;
        let input = mac(&extracted, &[b"WebPush: info\0", &self.point, sender, &[1]])?;
        let extracted = mac(salt, &[&input])?;
        let mut content_key = mac(&extracted, &[b"Content-Encoding: aes128gcm\0", &[1]])?;
        let mut nonce = mac(&extracted, &[b"Content-Encoding: nonce\0", &[1]])?.to_vec();
        content_key.truncate(16);
        nonce.truncate(12);
        Ok((content_key, nonce))
    }
}

/// Whom push services know us as.
pub struct Sender {
    key: EcKey<Private>,
    public: String,
    contact: String,
}

impl Sender {
    /// From a private key of P-256 as PEM, and where push services may write to (`mailto:…` or `https://…`).
    ///
    /// # Errors
    /// [`Error::KeyFormat`] if the key is another.
    pub fn new(pem: &[u8], contact: &str) -> Result<Self> {
        let key =
            PKey::private_key_from_pem(pem).and_then(|key| key.ec_key()).map_err(|_| Error::KeyFormat)?;
        if key.group().curve_name() != Some(Nid::X9_62_PRIME256V1) {
            return Err(Error::KeyFormat);
        }
        let public = BASE64_URL_SAFE_NO_PAD.encode(point_of(&key)?);
        Ok(Sender { key, public, contact: contact.to_owned() })
    }

    /// The public key, as browsers want it for a subscription (`applicationServerKey`): base64url of the point.
    pub fn public_key(&self) -> &str {
        &self.public
    }

    /// The value of `Authorization` for a push service: `origin` is scheme, host and port of the endpoint, `until` in seconds since 1970, at most
    /// a day ahead.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn authorization(&self, origin: &str, until: i64) -> Result<String> {
        let encode = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({ "aud": origin, "exp": until, "sub": self.contact });
        let signed = format!("{}.{}", encode(&json!({ "typ": "JWT", "alg": "ES256" })), encode(&claims));
        let signature = EcdsaSig::sign(&sha256(&[signed.as_bytes()]).0, &self.key)?;
        let parts = [signature.r().to_vec_padded(32)?, signature.s().to_vec_padded(32)?].concat();
        let signature = BASE64_URL_SAFE_NO_PAD.encode(parts);
        Ok(format!("vapid t={signed}.{signature}, k={}", self.public))
    }
}

fn group() -> Result<EcGroup> {
    Ok(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)
}

fn point_of(key: &EcKey<Private>) -> Result<Vec<u8>> {
    let mut context = BigNumContext::new()?;
    Ok(key.public_key().to_bytes(key.group(), PointConversionForm::UNCOMPRESSED, &mut context)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::bn::BigNum;

    const UA_PUBLIC: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    fn private(scalar: &str) -> EcKey<Private> {
        let scalar = BigNum::from_slice(&LENIENT.decode(scalar).unwrap()).unwrap();
        let (group, mut context) = (group().unwrap(), BigNumContext::new().unwrap());
        let mut point = EcPoint::new(&group).unwrap();
        point.mul_generator2(&group, &scalar, &mut context).unwrap();
        EcKey::from_private_components(&group, &scalar, &point).unwrap()
    }

    /// RFC 8291, section 5 and appendix A.
    #[test]
    fn the_example_of_the_rfc_is_made_byte_for_byte() {
        let subscriber = Subscriber::parse(UA_PUBLIC, AUTH).unwrap();
        let salt = LENIENT.decode("DGv6ra1nlYgDCS1FRnbzlw").unwrap().try_into().unwrap();
        let key = private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        let message = b"When I grow up, I want to be a watermelon";
        let body = subscriber.encrypt_with(message, &key, salt).unwrap();
        let wanted = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8\
                      wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(body), wanted);
    }

    #[test]
    fn no_two_bodies_are_the_same_and_none_is_longer_than_a_record() {
        let subscriber = Subscriber::parse(UA_PUBLIC, &format!("{AUTH}==")).unwrap();
        let (one, other) = (subscriber.encrypt(b"x").unwrap(), subscriber.encrypt(b"x").unwrap());
        assert!(one[..16] != other[..16] && one[21..86] != other[21..86]);
        assert_eq!(subscriber.encrypt(&[0; MOST_BYTES]).unwrap().len(), 4_096);
        assert!(matches!(subscriber.encrypt(&[0; MOST_BYTES + 1]), Err(Error::EncryptionTooLarge)));
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        let mut off_curve = LENIENT.decode(UA_PUBLIC).unwrap();
        off_curve[64] ^= 1;
        let off_curve = BASE64_URL_SAFE_NO_PAD.encode(off_curve);
        for (point, auth) in
            [(&off_curve[..], AUTH), (UA_PUBLIC, "AAAA"), ("", AUTH), ("BCVx", AUTH), ("!", AUTH)]
        {
            assert!(matches!(Subscriber::parse(point, auth), Err(Error::KeyFormat)), "{point} {auth}");
        }
        assert!(Sender::new(b"no key", "mailto:it@kreis.example").is_err());
        let other = EcKey::generate(&EcGroup::from_curve_name(Nid::SECP384R1).unwrap()).unwrap();
        assert!(Sender::new(&other.private_key_to_pem().unwrap(), "mailto:it@kreis.example").is_err());
    }

    #[test]
    fn a_push_service_can_prove_who_sends() {
        let key = EcKey::generate(&group().unwrap()).unwrap();
        let sender = Sender::new(&key.private_key_to_pem().unwrap(), "mailto:it@kreis.example").unwrap();
        let value = sender.authorization("https://push.example", 1_795_405_555).unwrap();
        let (token, known) = value.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        assert_eq!(known, sender.public_key());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = LENIENT.decode(signature).unwrap();
        assert_eq!(signature.len(), 64);
        let number = |bytes| BigNum::from_slice(bytes).unwrap();
        let signature =
            EcdsaSig::from_private_components(number(&signature[..32]), number(&signature[32..])).unwrap();
        assert!(signature.verify(&sha256(&[signed.as_bytes()]).0, &key).unwrap());
        let claims = LENIENT.decode(signed.split_once('.').unwrap().1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        let wanted =
            json!({ "aud": "https://push.example", "exp": 1_795_405_555, "sub": "mailto:it@kreis.example" });
        assert_eq!(claims, wanted);
    }
}
