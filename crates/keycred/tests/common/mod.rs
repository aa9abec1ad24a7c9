//! Values made for the tests. No value of a real person is among them.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(clippy::indexing_slicing, reason = "the test chose the lengths")]
#![allow(clippy::as_conversions, reason = "lengths of test values are small")]
#![allow(dead_code, reason = "each test file uses its own part")]

use keycred::{
    CustomKeyFlags, CustomKeyInformation, Draft, FidoKeyMaterial, KeySource, KeyStrength, KeyTime,
    KeyUsage,
};
use types::{Entropy, Guid, SeededEntropy, Timestamp};

pub(crate) const DEVICE: &str = "47f577e3-d2d0-4a0a-8aca-e0501098bde4";

pub(crate) fn device() -> Guid {
    DEVICE.parse().unwrap()
}

pub(crate) fn moment() -> Timestamp {
    Timestamp::parse_rfc3339("2026-06-10T05:06:07.1234567Z").unwrap()
}

/// A modulus-like number: odd, top bit set. Nobody has its primes.
pub(crate) fn modulus(bytes: usize) -> Vec<u8> {
    let mut modulus = vec![0; bytes];
    SeededEntropy::new(7).fill(&mut modulus);
    modulus[0] |= 0x80;
    modulus[bytes - 1] |= 1;
    modulus
}

pub(crate) fn rsa1(bits: u32, exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let mut blob = b"RSA1".to_vec();
    for word in [bits, exponent.len() as u32, modulus.len() as u32, 0, 0] {
        blob.extend(word.to_le_bytes());
    }
    [&blob[..], exponent, modulus].concat()
}

pub(crate) fn rsa_material() -> Vec<u8> {
    rsa1(2048, &[1, 0, 1], &modulus(256))
}

pub(crate) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..=0x7F => vec![tag, length as u8],
        0x80..=0xFF => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [&head[..], content].concat()
}

pub(crate) fn pkcs1(modulus: &[u8]) -> Vec<u8> {
    let modulus = der(2, &[&[0], modulus].concat());
    der(0x30, &[modulus, der(2, &[1, 0, 1])].concat())
}

pub(crate) fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let bits = der(3, &[&[0], key].concat());
    der(0x30, &[der(0x30, algorithm), bits].concat())
}

pub(crate) const RSA_ALGORITHM: &[u8] = &[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1, 5, 0];

/// PCPM header, public area, and a private area of 16 bytes.
pub(crate) fn pcpm(public: &[u8]) -> Vec<u8> {
    let mut blob = b"PCPM".to_vec();
    for word in [0x38, 2, 0, public.len() as u32, 16, 0, 0, 0, 0, 0, 0, 0] {
        blob.extend(word.to_le_bytes());
    }
    blob.extend([0x0B, 0, 0, 0]);
    blob.extend(public);
    blob.extend([0xAA; 16]);
    blob
}

pub(crate) fn sized(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u16).to_be_bytes(), content].concat()
}

/// TPM2B_PUBLIC of an RSA key with AES-128-CFB or without symmetric algorithm.
pub(crate) fn tpm_rsa(modulus: &[u8], exponent: u32, symmetric: bool) -> Vec<u8> {
    let mut area = vec![0, 1, 0, 0x0B, 0, 6, 4, 0x72, 0, 0];
    match symmetric {
        true => area.extend([0, 6, 0, 0x80, 0, 0x43]),
        false => area.extend([0, 0x10]),
    }
    area.extend([0, 0x10, 8, 0]);
    area.extend(exponent.to_be_bytes());
    area.extend(sized(modulus));
    sized(&area)
}

pub(crate) fn tpm_ecc(x: &[u8], y: &[u8]) -> Vec<u8> {
    let mut area = vec![0, 0x23, 0, 0x0B, 0, 6, 4, 0x72, 0, 0];
    area.extend([0, 0x10, 0, 0x18, 0, 0x0B, 0, 3, 0, 0x10]);
    area.extend(sized(x));
    area.extend(sized(y));
    sized(&area)
}

pub(crate) const CREDENTIAL_ID: [u8; 16] = [0x11; 16];
pub(crate) const AAGUID: &str = "fa2b99dc-9e39-4257-8f92-4a30d23c4118";

/// COSE_Key ES256 with coordinates 32 x 1 and 32 x 2.
pub(crate) fn cose_es256() -> Vec<u8> {
    let mut cose = vec![0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32];
    cose.extend([1; 32]);
    cose.extend([0x22, 0x58, 32]);
    cose.extend([2; 32]);
    cose
}

pub(crate) fn cose_eddsa() -> Vec<u8> {
    let mut cose = vec![0xA4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32];
    cose.extend([3; 32]);
    cose
}

pub(crate) fn cose_rs256() -> Vec<u8> {
    let mut cose = vec![0xA4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 1, 0];
    cose.extend(modulus(256));
    cose.extend([0x21, 0x43, 1, 0, 1]);
    cose
}

/// `{"hmac-secret": true}`
pub(crate) fn hmac_secret() -> Vec<u8> {
    [&[0xA1, 0x6B][..], b"hmac-secret", &[0xF5]].concat()
}

pub(crate) fn auth_data(flags: u8, cose: &[u8], extensions: &[u8]) -> Vec<u8> {
    let rp = "356c9ed4a09321b9695f1eaf918203f1b55f689da61fbc96184c157dda680c81";
    let mut data = data_encoding::HEXLOWER.decode(rp.as_bytes()).unwrap();
    data.push(flags);
    data.extend(50_u32.to_be_bytes());
    if flags & 0x40 != 0 {
        data.extend(AAGUID.parse::<Guid>().unwrap().to_bytes_be());
        data.extend(sized(&CREDENTIAL_ID));
        data.extend(cose);
    }
    data.extend(extensions);
    data
}

pub(crate) fn fido_material() -> Vec<u8> {
    let data = auth_data(0xC5, &cose_es256(), &hmac_secret());
    FidoKeyMaterial::encode(&data, &[], "YubiKey 5")
}

/// A user's FIDO key as the sync writes it.
pub(crate) fn fido() -> Draft {
    Draft {
        device_id: Some(Guid::ZERO),
        custom_key_information: Some(
            CustomKeyInformation::cloud(CustomKeyFlags::NONE, KeyStrength::UNKNOWN).to_vec(),
        ),
        last_logon: Some(KeyTime::NEVER),
        created: KeyTime::dotnet_utc(moment()),
        ..Draft::new(
            CREDENTIAL_ID,
            fido_material(),
            KeyUsage::FIDO,
            KeySource::AZURE_AD,
        )
    }
}

/// A Windows Hello key as the sync writes it.
pub(crate) fn cloud_ngc() -> Draft {
    Draft {
        device_id: Some(device()),
        custom_key_information: Some(
            CustomKeyInformation::cloud(CustomKeyFlags::NONE, KeyStrength::NORMAL).to_vec(),
        ),
        last_logon: Some(KeyTime::NEVER),
        created: KeyTime::dotnet_utc(moment()),
        ..Draft::hashed(rsa_material(), KeyUsage::NGC, KeySource::AZURE_AD)
    }
}

/// A Windows Hello key as AD FS registers it.
pub(crate) fn ad_ngc() -> Draft {
    Draft::registered_in_ad(rsa_material(), device(), moment())
}

pub(crate) fn jwk_material() -> Vec<u8> {
    let x = data_encoding::BASE64URL_NOPAD.encode(&[0xFB; 32]);
    let kid = data_encoding::BASE64.encode(&device().to_bytes_le());
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}","kid":"{kid}"}}"#).into_bytes()
}
