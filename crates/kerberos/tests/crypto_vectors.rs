//! Published vectors: RFC 3962 B, RFC 8009 A, RFC 6113 A, and known answers of MIT krb5's own test tables
//! (`src/lib/crypto/crypto_tests`).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

use data_encoding::HEXLOWER_PERMISSIVE;
use kerberos::crypto::{
    AllowRc4, ChecksumType, CryptoError, EncryptionType, Key, KeyUsage, combine, nt_hash, prf,
    prf_plus, string_to_key,
};
use types::{Entropy, SeededEntropy};

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).unwrap()
}

fn key(etype: i32, value: &str) -> Key {
    Key::with_rc4(EncryptionType(etype), &hex(value), AllowRc4::by_policy()).unwrap()
}

/// A confounder from a table.
struct Fixed(Vec<u8>);

impl Entropy for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0[..bytes.len()]);
    }
}

#[test]
fn passwords_become_keys() {
    fn check(etype: i32, password: &[u8], salt: &[u8], iterations: u32, expect: &str) {
        let key = string_to_key(EncryptionType(etype), password, salt, Some(iterations)).unwrap();
        assert_eq!(
            *key.value().expose(),
            hex(expect),
            "type {etype}, {iterations} rounds"
        );
    }
    let athena = b"ATHENA.MIT.EDUraeburn";
    check(
        17,
        b"password",
        athena,
        1,
        "42263c6e89f4fc28b8df68ee09799f15",
    );
    check(
        18,
        b"password",
        athena,
        1,
        "fe697b52bc0d3ce14432ba036a92e65bbb52280990a2fa27883998d72af30161",
    );
    check(
        17,
        b"password",
        athena,
        2,
        "c651bf29e2300ac27fa469d693bdda13",
    );
    check(
        18,
        b"password",
        athena,
        2,
        "a2e16d16b36069c135d5e9d2e25f896102685618b95914b467c67622225824ff",
    );
    check(
        17,
        b"password",
        athena,
        1200,
        "4c01cd46d632d01e6dbe230a01ed642a",
    );
    check(
        18,
        b"password",
        athena,
        1200,
        "55a6ac740ad17b4846941051e1e8b0a7548d93b0ab30a8bc3ff16280382b8c2a",
    );
    check(
        17,
        b"password",
        &hex("1234567878563412"),
        5,
        "e9b23d52273747dd5c35cb55be619d8e",
    );
    check(
        18,
        b"password",
        &hex("1234567878563412"),
        5,
        "97a4e786be20d81a382d5ebc96d5909cabcdadc87ca48f574504159f16c36e31",
    );
    check(
        17,
        &[b'X'; 64],
        b"pass phrase equals block size",
        1200,
        "59d1bb789a828b1aa54ef9c2883f69ed",
    );
    check(
        18,
        &[b'X'; 65],
        b"pass phrase exceeds block size",
        1200,
        "d78c5c9cb872a8c9dad4697f0bb5b2d21496c82beb2caeda2112fceea057401b",
    );
    check(
        17,
        "\u{1D11E}".as_bytes(),
        b"EXAMPLE.COMpianist",
        50,
        "f149c1f2e154a73452d43e7fe62a56e5",
    );
    check(
        18,
        "\u{1D11E}".as_bytes(),
        b"EXAMPLE.COMpianist",
        50,
        "4b6d9839f84406df1f09cc166db4b83c571848b784a3d6bdc346589a3e393f9e",
    );
    let salt = [hex("10df9dd783e5bc8acea1730e74355f61"), athena.to_vec()].concat();
    check(
        19,
        b"password",
        &salt,
        32768,
        "089bca48b105ea6ea77ca5d2f39dc5e7",
    );
    check(
        20,
        b"password",
        &salt,
        32768,
        "45bd806dbf6a833a9cffc1c94589a222367a79bc21c413718906e9f578a78467",
    );
    assert_eq!(
        nt_hash(b"foo").unwrap().expose().to_vec(),
        hex("ac8e657f83df82beea5d43bdaf7800cc")
    );
}

#[test]
fn known_ciphertexts_open() {
    fn check(etype: i32, plain: &str, usage: u32, value: &str, sealed: &str) {
        let key = key(etype, value);
        let opened = key.decrypt(KeyUsage(usage), &hex(sealed)).unwrap();
        assert_eq!(
            opened.as_slice(),
            plain.as_bytes(),
            "type {etype}, usage {usage}"
        );
        let other = KeyUsage(usage + 40);
        assert_eq!(
            key.decrypt(other, &hex(sealed)),
            Err(CryptoError::Integrity)
        );
    }
    let rc4 = "f81fec39255f5784e850c4377c88bd85";
    check(
        23,
        "",
        0,
        rc4,
        "02c1eb15586144122ec717763dd348bf00434ddc6585954c",
    );
    check(
        23,
        "9 bytesss",
        2,
        "3e40ab6093695281b3ac1a9304224d98",
        "0f9ad121d99d4a09448e4f1f718c4f5cbe6096262c66f29df232a87c9f98755d55",
    );
    check(
        23,
        "30 bytes bytes bytes bytes byt",
        4,
        "68f263db3fce15d031c9eab02d67107a",
        "95f9047c3ad75891c2e9b04b16566dc8b6eb9ce4231afb2542ef87a7b5a0f260a99f0460508de0cecc632d07c354124e46c5d2234eb8",
    );
    check(
        17,
        "",
        0,
        "5a5c0f0ba54f3828b2195e66ca24a289",
        "49ff8e11c173d9583a3254fbe7b1f1df36c538e8416784a1672e6676",
    );
    check(
        17,
        "1",
        1,
        "98450e3f3baa13f5c99beb936981b06f",
        "f86742f537b35dc2174a4dbaa920faf9042090b065e1ebb1cad9a65394",
    );
    check(
        17,
        "9 bytesss",
        2,
        "9062430c8cda3388922e6d6a509f5b7a",
        "68fb9679601f45c78857b2bf820fd6e53eca8d42fd4b1d7024a09205abb7cd2ec26c355d2f",
    );
    check(
        17,
        "13 bytes byte",
        3,
        "033ee6502c54fd23e27791e987983827",
        "ec366d0327a933bf49330e650e49bc6b974637fe80bf532fe51795b4809718e6194724db948d1fd637",
    );
    check(
        17,
        "30 bytes bytes bytes bytes byt",
        4,
        "dcee b70b 3de7 6562 e689 226c 7642 9148",
        "c96081032d5d8eeb7e32b4089f789d0faa481dea74c0f97cbf3146ddfcf8e800156ecb532fc203e30ff600b63b350939fece510f02d7ff1e7bac",
    );
    check(
        18,
        "",
        0,
        "17f275f2954f2ed1f90c377ba7f4d6a369aa0136e0bf0c927ad6133c693759a9",
        "e5094c55ee7b38262e2b044280b069379a95bf95bd8376fb3281b435",
    );
    check(
        18,
        "1",
        1,
        "b9477e1ff0329c0050e20ce6c72d2dff27e8fe541ab0954429a9cb5b4f7b1e2a",
        "406150b97aeb76d43b36b62cc1ecdfbe6f40e95755e0beb5c27825f3a4",
    );
    check(
        18,
        "9 bytesss",
        2,
        "b1ae4cd8462aff1677053cc9279aac30b796fb81ce21474dd3ddbcfea4ec76d7",
        "09957aa25fcaf88f7b39e4406e633012d5fea21853f6478da7065caef41fd454a40824eec5",
    );
    check(
        18,
        "13 bytes byte",
        3,
        "e5a72be9b7926c1225bafef9c1872e7ba4cdb2b17893d84abd90acdd8764d966",
        "d8f1aafeec84587cc3e700a774e56651a6d693e174ec4473b5e6d96f80297a653fb818ad893e719f96",
    );
    check(
        18,
        "30 bytes bytes bytes bytes byt",
        4,
        "f1c795e9248a09338d82c3f8d5b567040b0110736845041347235b1404231398",
        "d1137a4d634cfece924dbc3bf6790648bd5cff7de0e7b99460211d0daef3d79a295c688858f3b34b9cbd6eebae81daf6b734d4d498b6714f1c1d",
    );
}

#[test]
fn rfc_8009_appendix_a() {
    fn check(etype: i32, plain_bytes: u8, confounder: &str, sealed: &str) {
        let key = key(etype, if etype == 19 { BASE_19 } else { BASE_20 });
        let plain: Vec<u8> = (0..plain_bytes).collect();
        let made = key
            .encrypt(KeyUsage::TICKET, &plain, &mut Fixed(hex(confounder)))
            .unwrap();
        assert_eq!(made, hex(sealed), "type {etype}, {plain_bytes} bytes");
        assert_eq!(*key.decrypt(KeyUsage::TICKET, &made).unwrap(), plain);
    }
    check(
        19,
        6,
        "7bca285e2fd4130fb55b1a5c83bc5b24",
        "84d7f30754ed987bab0bf3506beb09cfb55402cef7e6877ce99e247e52d16ed4421dfdf8976c",
    );
    check(
        19,
        16,
        "56ab21713ff62c0a1457200f6fa9948f",
        "3517d640f50ddc8ad3628722b3569d2ae07493fa8263254080ea65c1008e8fc295fb4852e7d83e1e7c48c37eebe6b0d3",
    );
    check(
        19,
        21,
        "a7a4e29a4728ce10664fb64e49ad3fac",
        "720f73b18d9859cd6ccb4346115cd336c70f58edc0c4437c5573544c31c813bce1e6d072c186b39a413c2f92ca9b8334a287ffcbfc",
    );
    check(
        20,
        0,
        "f764e9fa15c276478b2c7d0c4e5f58e4",
        "41f53fa5bfe7026d91faf9be959195a058707273a96a40f0a01960621ac612748b9bbfbe7eb4ce3c",
    );
    check(
        20,
        6,
        "b80d3251c1f6471494256ffe712d0b9a",
        "4ed7b37c2bcac8f74f23c1cf07e62bc7b75fb3f637b9f559c7f664f69eab7b6092237526ea0d1f61cb20d69d10f2",
    );
    check(
        20,
        16,
        "53bf8a0d105265d4e276428624ce5e63",
        "bc47ffec7998eb91e8115cf8d19dac4bbbe2e163e87dd37f49beca92027764f68cf51f14d798c2273f35df574d1f932e40c4ff255b36a266",
    );
    check(
        20,
        21,
        "763e65367e864f02f55153c7e3b58af1",
        "40013e2df58e8751957d2878bcd2d6fe101ccfd556cb1eae79db3c3ee86429f2b2a602ac86fef6ecb647d6295fae077a1feb517508d2c16b4192e01f62",
    );
    let check_prf =
        |etype, base, expect| assert_eq!(*prf(&key(etype, base), b"test").unwrap(), hex(expect));
    check_prf(
        19,
        BASE_19,
        "9d188616f63852fe86915bb840b4a886ff3e6bb0f819b49b893393d393854295",
    );
    check_prf(
        20,
        BASE_20,
        "9801f69a368c2bf675e59521e177d9a07f67efe1cfde8d3c8d6f6a0256e3b17db3c1b62ad1b8553360d17367eb1514d2",
    );
}

const BASE_19: &str = "3705d96080c17728a0e800eab6e0d23c";
const BASE_20: &str = "6d404d37faf79f9df0d33568d320669800eb4836472ea8a026d16b7182460c52";

#[test]
fn known_checksums_hold_and_no_other_does() {
    fn check(etype: i32, checksum_type: i32, usage: u32, value: &str, data: &[u8], expect: &str) {
        let key = key(etype, value);
        let (usage, checksum_type) = (KeyUsage(usage), ChecksumType(checksum_type));
        let made = key.checksum(usage, &[data]).unwrap();
        assert_eq!(made, hex(expect), "{checksum_type}");
        let (front, back) = data.split_at(data.len() / 2);
        key.verify_checksum(usage, checksum_type, &[front, back], &made)
            .unwrap();
        for bad in 0..made.len() {
            let mut changed = made.clone();
            changed[bad] ^= 1;
            let refused = key.verify_checksum(usage, checksum_type, &[data], &changed);
            assert_eq!(refused, Err(CryptoError::Integrity));
        }
        assert_eq!(
            key.verify_checksum(usage, checksum_type, &[data], &[]),
            Err(CryptoError::Integrity)
        );
        for foreign in [
            ChecksumType::RSA_MD5,
            ChecksumType::CRC32,
            ChecksumType::SHA1,
        ] {
            assert!(matches!(
                key.verify_checksum(usage, foreign, &[data], &made),
                Err(CryptoError::ChecksumType { .. })
            ));
        }
    }
    check(
        17,
        15,
        3,
        "9062430c8cda3388922e6d6a509f5b7a",
        b"eight nine ten eleven twelve thirteen",
        "01a4b088d45628f6946614e3",
    );
    check(
        18,
        16,
        4,
        "b1ae4cd8462aff1677053cc9279aac30b796fb81ce21474dd3ddbcfea4ec76d7",
        b"fourteen",
        "e08739e3279e2903ec8e3836",
    );
    check(
        23,
        -138,
        6,
        "f7d3a155af5e238a0b7a871a96ba2ab2",
        b"seventeen eighteen nineteen twenty",
        "eb38cc97e2230f59da4117dc5859d7ec",
    );
    let plain: Vec<u8> = (0..21).collect();
    check(
        19,
        19,
        2,
        BASE_19,
        &plain,
        "d78367186643d67b411cba9139fc1dee",
    );
    check(
        20,
        20,
        2,
        BASE_20,
        &plain,
        "45ee791567eefca37f4ac1e0222de80d43c3bfa06699672a",
    );
}

#[test]
fn prf_and_cf2() {
    let check = |etype, value, input, expect| {
        assert_eq!(*prf(&key(etype, value), &hex(input)).unwrap(), hex(expect))
    };
    check(
        17,
        "ae272e7cdec86ac5138cdb196d8e297d",
        "0161",
        "77b39a37a868920f2a51f9dd150c5717",
    );
    check(
        17,
        "67ab1cfef35e4c27ffdeac60385a3e9c",
        "0162",
        "e06c0dd31ff02091994f2ef5178bfe3d",
    );
    let long = "c01f157211f7b77eaaf457c3e156690127ee127d810ba6392e97baa243eb0616";
    check(18, long, "0161", "b2628c788e2e9c4a9bb4644678c29f2f");
    check(18, long, "0261", "b406373350cee8a6126f4a9b65a0cd21");
    assert_eq!(
        *prf_plus(&key(18, long), b"a", 32).unwrap(),
        hex("b2628c788e2e9c4a9bb4644678c29f2fb406373350cee8a6126f4a9b65a0cd21")
    );
    // RFC 6113 A: keys from the passwords "key1" and "key2", each its own salt.
    let cf2 = |etype: i32, expect| {
        let [one, two] = [b"key1", b"key2"]
            .map(|word| string_to_key(EncryptionType(etype), word, word, None).unwrap());
        let mixed = combine(&one, b"a", &two, b"b").unwrap();
        assert_eq!(*mixed.value().expose(), hex(expect));
        assert_eq!(mixed.etype(), EncryptionType(etype));
    };
    cf2(17, "97df97e4b798b29eb31ed7280287a92a");
    cf2(
        18,
        "4d6ca4e629785c1f01baf55e2e548566b9617ae3a96868c337cb93b5e72b1c7b",
    );
    let [one, two] = [b"key1", b"key2"].map(|word| {
        let hash = nt_hash(word).unwrap();
        Key::with_rc4(
            EncryptionType::RC4_HMAC,
            hash.expose(),
            AllowRc4::by_policy(),
        )
        .unwrap()
    });
    let mixed = combine(&one, b"a", &two, b"b").unwrap();
    assert_eq!(
        *mixed.value().expose(),
        hex("24d7f6b6bae4e5c00d2082c5ebab3672")
    );
}

#[test]
fn what_is_not_supported_is_refused() {
    let refused = |etype: i32, value: &[u8]| Key::new(EncryptionType(etype), value).unwrap_err();
    assert!(matches!(
        refused(23, &[0; 16]),
        CryptoError::UnsupportedEncryptionType(_)
    ));
    for old in [1, 2, 3, 16, 24, -133, -128, 0] {
        assert!(matches!(
            refused(old, &[0; 16]),
            CryptoError::UnsupportedEncryptionType(_)
        ));
    }
    assert!(matches!(
        refused(18, &[0; 16]),
        CryptoError::KeyLength {
            need: 32,
            have: 16,
            ..
        }
    ));
    for rounds in [0, u32::MAX] {
        let made = string_to_key(
            EncryptionType::AES256_CTS_HMAC_SHA1_96,
            b"",
            b"",
            Some(rounds),
        );
        assert_eq!(made, Err(CryptoError::Iterations(rounds)));
    }
    assert_eq!(nt_hash(&[0xFF]), Err(CryptoError::PasswordEncoding));
}

#[test]
fn every_length_goes_there_and_back_and_no_changed_byte_passes() {
    let mut entropy = SeededEntropy::new(7);
    for etype in [17, 18, 19, 20, 23] {
        let length = EncryptionType(etype).key_bytes().unwrap();
        let key = key(etype, &"5a".repeat(length));
        for bytes in [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 200] {
            let mut plain = vec![0; bytes];
            entropy.fill(&mut plain);
            let sealed = key.encrypt(KeyUsage::TICKET, &plain, &mut entropy).unwrap();
            assert_eq!(*key.decrypt(KeyUsage::TICKET, &sealed).unwrap(), plain);
            for place in [0, sealed.len() / 2, sealed.len() - 1] {
                let mut changed = sealed.clone();
                changed[place] ^= 0x80;
                assert_eq!(
                    key.decrypt(KeyUsage::TICKET, &changed),
                    Err(CryptoError::Integrity)
                );
            }
            for cut in 0..sealed.len() {
                assert!(key.decrypt(KeyUsage::TICKET, &sealed[..cut]).is_err());
            }
        }
    }
}
