//! TLS that must not be trusted.

use std::net::TcpListener;
use std::time::Duration;

use net::Settings;
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::{X509, X509NameBuilder};

use crate::server::{client, outcome, post};

fn self_signed() -> SslAcceptor {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "127.0.0.1").unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate.build()).unwrap();
    acceptor.build()
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        self_signed().accept(stream).is_ok()
    });
    let patient = Settings {
        connect: Duration::from_secs(60),
        silence: Duration::from_secs(60),
        ..Settings::default()
    };
    assert_eq!(outcome(&client(patient), &post(&url)).await.unwrap_err(), "Transient net.tls");
    assert!(!server.join().unwrap(), "the handshake went through");
}

#[tokio::test]
async fn whoever_speaks_no_tls_is_no_host_for_it() {
    let url = crate::server::server(|mut stream| async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 mail.example ESMTP\r\n").await;
        crate::server::hold(stream).await;
    })
    .await;
    let url = url.replace("http:", "https:");
    assert_eq!(outcome(&client(Settings::default()), &post(&url)).await.unwrap_err(), "Transient net.tls");
}
