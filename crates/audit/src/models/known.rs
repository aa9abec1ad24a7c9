//! The built-in table, by vendor.

/// AAGUID and model.
pub(super) const MODELS: [(&str, &str); 100] = [
    // Ours, and other software keys of laboratories.
    (
        "746f6d62-6f6c-6f2d-736f-66746b657931",
        "Tombolo software key",
    ),
    ("664d9f67-84a2-412a-9ff7-b4f7d8ee6d05", "OpenSK"),
    (
        "01020304-0506-0708-0102-030405060708",
        "Chromium virtual authenticator",
    ),
    // Windows Hello and Microsoft's applications.
    (
        "08987058-cadc-4b81-b6e1-30de50dcbe96",
        "Windows Hello (hardware)",
    ),
    (
        "9ddd1817-af5a-4672-a2b9-3e3dd95000a9",
        "Windows Hello (VBS)",
    ),
    (
        "6028b017-b1d4-4c02-b4b3-afcdafc96bb2",
        "Windows Hello (software)",
    ),
    (
        "de1e552d-db1d-4423-a619-566b625cdc84",
        "Microsoft Authenticator (Android)",
    ),
    (
        "90a3ccdf-635c-4729-a248-9b709135078f",
        "Microsoft Authenticator (iOS)",
    ),
    (
        "d3452668-01fd-4c12-926c-83a4204853aa",
        "Microsoft Password Manager",
    ),
    // Passkey providers.
    (
        "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4",
        "Google Password Manager",
    ),
    ("adce0002-35bc-c60a-648b-0b25f1f05503", "Chrome on macOS"),
    ("fbfc3007-154e-4ecc-8c0b-6e020557d7bd", "iCloud Keychain"),
    (
        "dd4ec289-e01d-41c9-bb89-70fa845d4bf2",
        "iCloud Keychain (managed)",
    ),
    ("bada5566-a7aa-401f-bd96-45619a55120d", "1Password"),
    ("d548826e-79b4-db40-a3d8-11116f7e8349", "Bitwarden"),
    ("531126d6-e717-415c-9320-3d9aa6981239", "Dashlane"),
    ("fdb141b2-5d84-443e-8a35-4698c205a502", "KeePassXC"),
    // Yubico.
    (
        "cb69481e-8ff7-4039-93ec-0a2729a154a8",
        "YubiKey 5 (USB-A, firmware 5.1)",
    ),
    ("ee882879-721c-4913-9775-3dfcce97072a", "YubiKey 5"),
    ("19083c3d-8383-4b18-bc03-8f1c9ab2fd1b", "YubiKey 5"),
    ("ff4dac45-ede8-4ec2-aced-cf66103f4335", "YubiKey 5"),
    ("fa2b99dc-9e39-4257-8f92-4a30d23c4118", "YubiKey 5 NFC"),
    ("2fc0579f-8113-47ea-b116-bb5a8db9202a", "YubiKey 5 NFC"),
    ("a25342c0-3cdc-4414-8e46-f4807fca511c", "YubiKey 5 NFC"),
    ("d7781e5d-e353-46aa-afe2-3ca49f13332a", "YubiKey 5 NFC"),
    (
        "662ef48a-95e2-4aaa-a6c1-5b9c40375824",
        "YubiKey 5 NFC Enhanced PIN",
    ),
    (
        "1ac71f64-468d-4fe0-bef1-0e5f2f551f18",
        "YubiKey 5 NFC (enterprise)",
    ),
    (
        "6ab56fad-881f-4a43-acb2-0be065924522",
        "YubiKey 5 NFC (enterprise)",
    ),
    (
        "41e39911-c669-4811-b860-c6ad0b411b96",
        "YubiKey 5 NFC (enterprise)",
    ),
    (
        "20ac7a17-c814-4833-93fe-539f0d5e3389",
        "YubiKey 5 (enterprise)",
    ),
    (
        "4599062e-6926-4fe7-9566-9e8fb1aedaa0",
        "YubiKey 5 (enterprise)",
    ),
    ("c5ef55ff-ad9a-4b9f-b580-adebafe026d0", "YubiKey 5Ci"),
    ("a02167b9-ae71-4ac7-9a07-06432ebb6f1c", "YubiKey 5Ci"),
    ("24673149-6c86-42e7-98d9-433fb5b73296", "YubiKey 5Ci"),
    ("73bb0cd4-e502-49b8-9c6f-b59445bf720b", "YubiKey 5 FIPS"),
    ("57f7de54-c807-4eab-b1c6-1c9be7984e92", "YubiKey 5 FIPS"),
    ("c1f9a0bc-1dd2-404a-b27f-8e29047a43fd", "YubiKey 5 NFC FIPS"),
    ("fcc0118f-cd45-435b-8da1-9782b2da0715", "YubiKey 5 NFC FIPS"),
    ("85203421-48f9-4355-9bc8-8a53846e5083", "YubiKey 5Ci FIPS"),
    ("7b96457d-e3cd-432b-9ceb-c9fdd7ef7432", "YubiKey 5Ci FIPS"),
    (
        "d8522d9f-575b-4866-88a9-ba99fa02f35b",
        "YubiKey Bio (FIDO edition)",
    ),
    (
        "dd86a2da-86a0-4cbe-b462-4bd31f57bc6f",
        "YubiKey Bio (FIDO edition)",
    ),
    (
        "7409272d-1ff9-4e10-9fc9-ac0019c124fd",
        "YubiKey Bio (FIDO edition)",
    ),
    (
        "7d1351a6-e097-4852-b8bf-c9ac5c9ce4a3",
        "YubiKey Bio (multi-protocol edition)",
    ),
    (
        "90636e1f-ef82-43bf-bdcf-5255f139d12f",
        "YubiKey Bio (multi-protocol edition)",
    ),
    (
        "34744913-4f57-4e6e-a527-e9ec3c4b94e6",
        "YubiKey Bio (multi-protocol edition)",
    ),
    (
        "f8a011f3-8c0a-4d15-8006-17111f9edc7d",
        "Security Key by Yubico",
    ),
    (
        "b92c3f9a-c014-4056-887f-140a2501163b",
        "Security Key by Yubico",
    ),
    (
        "6d44ba9b-f6ec-2e49-b930-0c8fe920cb73",
        "Security Key NFC by Yubico",
    ),
    (
        "149a2021-8ef6-4133-96b8-81f8d5b7f1f5",
        "Security Key NFC by Yubico",
    ),
    (
        "a4e9fc6d-4cbe-4758-b8ba-37598bb5bbaa",
        "Security Key NFC by Yubico",
    ),
    (
        "e77e3c64-05e3-428b-8824-0cbeb04b829d",
        "Security Key NFC by Yubico",
    ),
    (
        "b7d3f68e-88a6-471e-9ecf-2df26d041ede",
        "Security Key NFC by Yubico",
    ),
    (
        "0bb43545-fd2c-4185-87dd-feb0b2916ace",
        "Security Key NFC by Yubico (enterprise)",
    ),
    (
        "47ab2fb4-66ac-4184-9ae1-86be814012d5",
        "Security Key NFC by Yubico (enterprise)",
    ),
    (
        "ed042a3a-4b22-4455-bb69-a267b652ae7e",
        "Security Key NFC by Yubico (enterprise)",
    ),
    // Feitian.
    (
        "12ded745-4bed-47d4-abaa-e713f51d6393",
        "Feitian AllinPass FIDO2",
    ),
    (
        "77010bd7-212a-4fc9-b236-d2ca5e9d4084",
        "Feitian BioPass FIDO2",
    ),
    (
        "b6ede29c-3772-412c-8a78-539c1f4c62d2",
        "Feitian BioPass FIDO2 Plus",
    ),
    (
        "42df17de-06ba-4177-a2bb-6701be1380d6",
        "Feitian BioPass FIDO2 Plus",
    ),
    (
        "4c0cf95d-2f40-43b5-ba42-4c83a11c04ba",
        "Feitian BioPass FIDO2 Pro",
    ),
    (
        "833b721a-ff5f-4d00-bb2e-bdda3ec01e29",
        "Feitian ePass FIDO2",
    ),
    (
        "ee041bce-25e5-4cdb-8f86-897fd6418464",
        "Feitian ePass FIDO2-NFC",
    ),
    (
        "234cd403-35a2-4cc2-8015-77ea280c77f5",
        "Feitian ePass FIDO2-NFC",
    ),
    ("12755c32-8ad1-46eb-881c-e0b38d848b09", "Feitian ePass FIDO"),
    (
        "78ba3993-d784-4f44-8d6e-cc0a8ad5230e",
        "Feitian ePass FIDO-NFC",
    ),
    (
        "3e22415d-7fdf-4ea4-8a0c-dd60c4249b9d",
        "Feitian iePass FIDO",
    ),
    // Others.
    (
        "42b4fb4a-2866-43b2-9bf7-6c6669c2e5d3",
        "Google Titan Security Key v2",
    ),
    ("8876631b-d4a0-427f-5773-0ec71c9e0279", "SoloKeys Solo"),
    ("8976631b-d4a0-427f-5773-0ec71c9e0279", "SoloKeys Solo Tap"),
    ("9876631b-d4a0-427f-5773-0ec71c9e0279", "SoloKeys Somu"),
    ("2cd2f727-f6ca-44da-8f48-5c2e5da000a2", "Nitrokey 3 AM"),
    ("998f358b-2dd2-4cbe-a43a-e8107438dfb3", "OnlyKey"),
    (
        "95442b2e-f15e-4def-b270-efb106facb4e",
        "eWBM Goldengate G310",
    ),
    (
        "87dbc5a1-4c94-4dc8-8a47-97d800fd1f3c",
        "eWBM Goldengate G320",
    ),
    ("61250591-b2bc-4456-b719-0b17be90bb30", "eWBM eFPA"),
    ("ab32f0c6-2239-afbb-c470-d2ef4e254db7", "Token2 FIDO2"),
    ("eabb46cc-e241-80bf-ae9e-96fa6d2975cf", "Token2 PIN+"),
    (
        "931327dd-c89b-406c-a81e-ed7058ef36c6",
        "Swissbit iShield Key FIDO2",
    ),
    (
        "5d629218-d3a5-11ed-afa1-0242ac120002",
        "Swissbit iShield Key Pro",
    ),
    (
        "7787a482-13e8-4784-8a06-c7ed49a7aaf4",
        "Swissbit iShield Key 2",
    ),
    (
        "e400ef8c-711d-4692-af46-7f2cf7da23ad",
        "Swissbit iShield Key 2 (enterprise)",
    ),
    ("692db549-7ae5-44d5-a1e5-dd20a493b723", "HID Crescendo Key"),
    (
        "2d3bec26-15ee-4f5d-88b2-53622490270b",
        "HID Crescendo Key V2",
    ),
    (
        "7991798a-a7f3-487f-98c0-3faf7a458a04",
        "HID Crescendo Key V3",
    ),
    (
        "aeb6569c-f8fb-4950-ac60-24ca2bbe2e52",
        "HID Crescendo C2300",
    ),
    (
        "efb96b10-a9ee-4b6c-a4a9-d32125ccd4a4",
        "SafeNet eToken FIDO",
    ),
    (
        "74820b05-a6c9-40f9-8fb0-9f86aca93998",
        "SafeNet eToken Fusion",
    ),
    (
        "b50d5e0a-7f81-4959-9b12-f45407407503",
        "Thales IDPrime 3940 FIDO",
    ),
    (
        "2ffd6452-01da-471f-821b-ea4bf6c8676a",
        "Thales IDPrime 941 FIDO",
    ),
    ("7e3f3d30-3557-4442-bdae-139312178b39", "RSA DS100"),
    ("3b1adb99-0dfe-46fd-90b8-7f7614a4de2a", "GoTrust Idem Key"),
    ("9f0d8150-baa5-4c00-9299-ad62c8bb4e87", "GoTrust Idem Card"),
    ("d821a7d4-e97c-4cb6-bd82-4237731fd4be", "HyperFIDO Bio"),
    ("9f77e279-a6e2-4d58-b700-31e5943c6a98", "HyperFIDO Pro"),
    ("39a5647e-1853-446c-a1f6-a79bae9f5bc7", "IDmelon Key"),
    (
        "d94a29d9-52dd-4247-9c2d-8b818b610389",
        "Kensington VeriMark Guard",
    ),
    ("1f8e43df-71ff-e11d-bea3-c4ee7003b232", "Thetis Pro FIDO2"),
    ("91ad6b93-264b-4987-8737-3a690cad6917", "Token Ring"),
    (
        "e1a96183-5016-4f24-b55b-e3ae23614cc6",
        "AuthenTrend ATKey.Pro",
    ),
];
