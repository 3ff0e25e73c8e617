//! The one error type of this crate. No text holds key material or content.

use crate::keys::KeyId;

/// `Result` of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong while sealing, opening, signing or writing evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// OpenSSL failed for a reason that is not the input's fault (memory, entropy, provider).
    #[error("OpenSSL failed: {0}")]
    Crypto(#[from] openssl::error::ErrorStack),
    /// A chunk's length breaks the format: only the last one may be short, only an only one empty.
    #[error("chunk {index} has a length that the format does not allow")]
    ChunkLength {
        /// Index of the chunk, from 0.
        index: u64,
    },
    /// A chunk index was sealed twice or out of order: its nonce would repeat.
    #[error("chunk {index} comes out of order, {expected} or later was expected")]
    ChunkOrder {
        /// Index of the refused chunk.
        index: u64,
        /// The lowest index that may still be sealed under this data key.
        expected: u64,
    },
    /// The authentication tag does not fit: changed, truncated, reordered or foreign bytes.
    #[error("sealed bytes are not authentic")]
    NotAuthentic,
    /// A key reference is neither `file:PATH` nor `env:NAME`, or the variable is not set.
    #[error("the key reference must be file:PATH or env:NAME of a set variable")]
    KeyReference,
    /// A key file can be read by others than its owner.
    #[error("the key file must be readable by its owner only (mode 0600)")]
    KeyPermissions,
    /// A key is not of the expected form (32 bytes as hex or base64; PEM of an EC P-256 key).
    #[error("the key does not have the expected form")]
    KeyFormat,
    /// A key file could not be read or written.
    #[error("the key file cannot be read or written: {0}")]
    KeyFile(#[source] std::io::Error),
    /// A data key was wrapped by a master key that is not in the key ring.
    #[error("master key {0} is not in the key ring")]
    KeyUnknown(KeyId),
    /// A wrapped data key is not of a known form, or not of this tenant and payload.
    #[error("the wrapped data key does not belong to this tenant and payload")]
    KeyWrap,
    /// A number in a JSON value is not an integer within ±(2^53 − 1).
    #[error("canonical JSON holds integers within ±(2^53 - 1) only")]
    NotInteger,
    /// A value cannot be expressed as JSON.
    #[error("not expressible as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The entries of a batch are empty or do not continue the chain without a gap.
    #[error("the entries do not continue the evidence chain without a gap")]
    ChainGap,
    /// Parts of a bundle were written in the wrong order, twice, or not at all.
    #[error("the bundle's parts were written in the wrong order")]
    BundleOrder,
    /// A bundle would exceed the limits that its verifier enforces.
    #[error("the bundle would exceed the limits of its verifier")]
    BundleLimit,
    /// The content written into a bundle is not the one that its digest names.
    #[error("the content of payload {0} does not have its recorded digest")]
    BundleContent(uuid::Uuid),
    /// A part of a time stamp is not the DER that RFC 3161 prescribes.
    #[error("the {0} of the time stamp is malformed")]
    TimestampMalformed(&'static str),
    /// The authority refused to stamp.
    #[error("the time stamp authority refused with status {status}")]
    TimestampRejected {
        /// PKIStatus of RFC 3161: 2 and above.
        status: u32,
    },
    /// A time stamp is not the one that was asked for.
    #[error("the time stamp has another {0}")]
    TimestampDiffers(&'static str),
    /// The signature is wrong, or its signer is not the one that the signed attributes name.
    #[error("the signature of the time stamp is wrong")]
    TimestampSignature,
    /// The signer is not certified for time stamping by a configured authority at the time of the stamp.
    #[error("the signer of the time stamp is not certified by a trusted authority")]
    TimestampUntrusted,
    /// The file of authorities holds no certificate, or something else.
    #[error("the certificates of time stamp authorities cannot be read")]
    TimestampAuthorities,
    /// A policy is no object identifier.
    #[error("the policy is no object identifier such as 1.3.6.1.4.1.99999.1")]
    TimestampPolicy,
    /// An identifier names no algorithm that is supported.
    #[error("the algorithm is not supported")]
    AlgorithmUnknown,
    /// The policy does not allow an algorithm, or the length of a key.
    #[error("the algorithm or the length of the key is not allowed")]
    AlgorithmForbidden,
    /// A PKCS#12 or PEM does not hold a private key and its certificate, or the password is wrong.
    #[error("key and certificate cannot be read, or do not belong together")]
    Identity,
    /// A certificate is not one DER value of the expected form, or larger than any that is used.
    #[error("the certificate is malformed")]
    CertificateMalformed,
    /// A revocation list cannot be read.
    #[error("the revocation list is malformed")]
    RevocationList,
    /// The answer of an OCSP responder is malformed, not signed by whom it must be, too old, or about something else.
    #[error("the answer about the revocation of a certificate is not usable")]
    OcspResponse,
    /// Encrypted data cannot be decrypted: key, ciphertext, tag or padding is wrong; which one is not said.
    #[error("the encrypted data cannot be decrypted")]
    Decrypt,
    /// The XML of an encryption is not what XML Encryption prescribes.
    #[error("the encryption is malformed: {0}")]
    EncryptionMalformed(&'static str),
    /// Decrypted data exceed the limit that the caller set.
    #[error("the decrypted data exceed the limit")]
    EncryptionTooLarge,
    /// The temporary file for decrypted data failed.
    #[error("the temporary file for decrypted data failed: {0}")]
    EncryptionStaging(#[source] std::io::Error),
    /// A JOSE object is not of the form that RFC 7515 and RFC 7516 prescribe.
    #[error("the JOSE object is malformed: {0}")]
    JoseMalformed(&'static str),
    /// A JWK cannot be used: malformed, too short, or for something else.
    #[error("the JSON Web Key cannot be used: {0}")]
    JoseKey(&'static str),
    /// A token was not signed with the key that was expected.
    #[error("the signature of the token is wrong")]
    JoseSignature,
    /// An id stands twice in a document, in whichever of the attributes that are ids.
    #[error("an id stands twice in the document")]
    SignatureDuplicateId,
    /// A signature, or a value in it, is not of the form that XML Signature prescribes.
    #[error("the signature is malformed: {0}")]
    SignatureMalformed(&'static str),
    /// A reference leads to nothing that is there.
    #[error("reference {index} of the signature leads to nothing that is there")]
    SignatureReference {
        /// Index of the reference, from 0.
        index: usize,
    },
    /// A transform, or an order of transforms, that is not supported.
    #[error("the transforms of a reference are not accepted")]
    SignatureTransform,
    /// What a reference covers was changed.
    #[error("what reference {index} of the signature covers has another digest")]
    SignatureDigest {
        /// Index of the reference, from 0.
        index: usize,
    },
    /// The signature value was not made with this key over this `SignedInfo`.
    #[error("the signature value is wrong")]
    SignatureValue,
    /// Something was to be read that the signature does not cover.
    #[error("the signature does not cover what was to be read")]
    SignatureNotCovered,
    /// More of something than a document may have.
    #[error("too many or too much: {0}")]
    SignatureLimit(&'static str),
    /// The document cannot be read.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// The sink of a bundle failed.
    #[error("writing the bundle failed: {0}")]
    Io(#[from] std::io::Error),
}

impl Error {
    /// The stable code of this error; `docs/errors/<code>.md` explains it.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Crypto(_) => "seal.crypto",
            Error::ChunkLength { .. } => "seal.chunk-length",
            Error::ChunkOrder { .. } => "seal.chunk-order",
            Error::NotAuthentic => "seal.not-authentic",
            Error::KeyReference => "key.reference",
            Error::KeyPermissions => "key.permissions",
            Error::KeyFormat => "key.format",
            Error::KeyFile(_) => "key.file",
            Error::KeyUnknown(_) => "key.unknown",
            Error::KeyWrap => "key.wrap",
            Error::NotInteger => "json.not-integer",
            Error::Json(_) => "json.not-expressible",
            Error::ChainGap => "evidence.chain-gap",
            Error::BundleOrder => "evidence.bundle-order",
            Error::BundleLimit => "evidence.bundle-limit",
            Error::BundleContent(_) => "evidence.bundle-content",
            Error::TimestampMalformed(_) => "timestamp.malformed",
            Error::TimestampRejected { .. } => "timestamp.rejected",
            Error::TimestampDiffers(_) => "timestamp.differs",
            Error::TimestampSignature => "timestamp.signature",
            Error::TimestampUntrusted => "timestamp.untrusted",
            Error::TimestampAuthorities => "timestamp.authorities",
            Error::TimestampPolicy => "timestamp.policy",
            Error::AlgorithmUnknown => "algorithm.unknown",
            Error::AlgorithmForbidden => "algorithm.forbidden",
            Error::Identity => "key.identity",
            Error::CertificateMalformed => "certificate.malformed",
            Error::RevocationList => "certificate.revocation-list",
            Error::OcspResponse => "certificate.ocsp",
            Error::Decrypt => "encryption.failed",
            Error::EncryptionMalformed(_) => "encryption.malformed",
            Error::EncryptionTooLarge => "encryption.too-large",
            Error::EncryptionStaging(_) => "encryption.staging",
            Error::JoseMalformed(_) => "jose.malformed",
            Error::JoseKey(_) => "jose.key",
            Error::JoseSignature => "jose.signature",
            Error::SignatureDuplicateId => "signature.duplicate-id",
            Error::SignatureMalformed(_) => "signature.malformed",
            Error::SignatureReference { .. } => "signature.reference",
            Error::SignatureTransform => "signature.transform",
            Error::SignatureDigest { .. } => "signature.digest",
            Error::SignatureValue => "signature.value",
            Error::SignatureNotCovered => "signature.not-covered",
            Error::SignatureLimit(_) => "signature.limit",
            Error::Xml(error) => error.code(),
            Error::Io(_) => "evidence.bundle-write",
        }
    }
}

impl From<zip::result::ZipError> for Error {
    fn from(error: zip::result::ZipError) -> Self {
        Error::Io(error.into())
    }
}
