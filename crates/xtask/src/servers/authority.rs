//! A certificate authority for tests: it signs one certificate that all servers here share.

use std::fs;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::place::Place;

/// Makes all files, unless they are there.
pub(super) fn ensure(place: &Place) -> anyhow::Result<()> {
    // Written last.
    if place.key().exists() {
        return Ok(());
    }
    fs::create_dir_all(place.root().join("tls"))?;
    let ca_key = KeyPair::generate()?;
    let ca = authority("Pasar test CA").self_signed(&ca_key)?;
    fs::write(place.ca(), ca.pem())?;
    let other = authority("another test CA").self_signed(&KeyPair::generate()?)?;
    fs::write(place.other_ca(), other.pem())?;

    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new([
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ])?;
    server
        .distinguished_name
        .push(DnType::CommonName, "Pasar test server");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.not_before = date_time_ymd(2020, 1, 1);
    server.not_after = date_time_ymd(2045, 1, 1);
    let certificate = server.signed_by(&key, &ca, &ca_key)?;
    fs::write(place.certificate(), certificate.pem())?;
    // For Kafka, which wants both in one file.
    fs::write(
        place.root().join("tls/server-both.pem"),
        format!("{}{}", key.serialize_pem(), certificate.pem()),
    )?;
    fs::write(place.key(), key.serialize_pem())?;
    Ok(())
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2045, 1, 1);
    params
}
