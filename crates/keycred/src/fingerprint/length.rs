//! What the length of a value says when the bytes are not there, as in a directory's change event.

use super::Writer;

/// What one length is known for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthHint {
    /// Writers that make values of this length.
    pub writers: &'static [Writer],
    /// What the value then is.
    pub sentence: &'static str,
}

/// Looks up the `<n>` of `B:<n>:`. A hint, never a proof: 828 is both a tool's and the platform's length.
pub fn length_hint(hex_digits: usize) -> Option<LengthHint> {
    let (writers, sentence): (&'static [Writer], _) = match hex_digits {
        854 | 856 => (&[Writer::CloudSync], "RSA-2048 key from the cloud"),
        832 | 834 | 836 => (
            &[Writer::CloudSync],
            "RSA-2048 key from the cloud, written in 2017",
        ),
        574 => (
            &[Writer::CloudSync],
            "EC key of a phone or Mac from the cloud",
        ),
        760..=960 if !EXACT.contains(&hex_digits) => (
            &[Writer::CloudSync],
            "FIDO2 key from the cloud without certificates",
        ),
        2574..=3068 => (
            &[Writer::CloudSync],
            "FIDO2 key from the cloud with certificates",
        ),
        828 => (
            &[
                Writer::WindowsUser,
                Writer::Whisker,
                Writer::PydsinternalsUser,
                Writer::Impacket0130,
                Writer::Impacket012,
                Writer::Certipy50,
            ],
            "RSA-2048 key with DeviceId and both times: a Windows registration, or most tools before 2026",
        ),
        806 => (
            &[
                Writer::Impacket0131,
                Writer::PydsinternalsComputer,
                Writer::BloodyAd,
                Writer::Keycred,
            ],
            "RSA-2048 key without LastLogon: the tools of 2026",
        ),
        796 => (
            &[Writer::PassTheCert],
            "RSA-2048 key without CustomKeyInformation and LastLogon",
        ),
        780 => (
            &[Writer::DrsWriteNgcKey, Writer::Keycred],
            "RSA-2048 key without DeviceId and CustomKeyInformation, or DER with them",
        ),
        772 => (&[Writer::SambaTool], "SubjectPublicKeyInfo of RSA-2048"),
        768 => (&[Writer::Keycred], "RSA-2048 key without DeviceId"),
        764 => (
            &[],
            "the dummy key that blocks a computer's self-registration",
        ),
        754 => (
            &[Writer::WindowsComputer],
            "DER key of a Windows computer, used",
        ),
        742 => (
            &[Writer::WindowsComputer, Writer::Keycred],
            "DER key with 'MFA not used': a Windows computer since 2026, or a tool",
        ),
        732 => (
            &[Writer::WindowsComputer],
            "DER key of a Windows computer, unused",
        ),
        624 => (
            &[Writer::BloodyAdLegacy],
            "nothing but KeyID and an RSA-2048 key",
        ),
        1806 => (
            &[Writer::WindowsUser],
            "transport key of a device with a TPM",
        ),
        _ => return None,
    };
    Some(LengthHint { writers, sentence })
}

/// Lengths inside the range of bare FIDO2 values that are known for something else.
const EXACT: [usize; 10] = [764, 768, 772, 780, 796, 806, 828, 832, 834, 836];
