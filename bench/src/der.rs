//! A little DER: taking apart what a library wrote, and writing what no library writes.

/// ContentInfo around SignedData (RFC 5652 5.1) without its `certificates`: they are not signed, and MIT's `kinit` leaves
/// them out.
pub(crate) fn without_certificates(content_info: &[u8]) -> Option<Vec<u8>> {
    let (_, outer, _) = element(content_info)?;
    let (content_type, rest) = whole(outer)?;
    let (_, explicit, _) = element(rest)?;
    let (_, mut signed_data, _) = element(explicit)?;
    let mut kept = Vec::new();
    let mut found = false;
    while !signed_data.is_empty() {
        let (bytes, rest) = whole(signed_data)?;
        if bytes.first() == Some(&CERTIFICATES) {
            found = true;
        } else {
            kept.extend_from_slice(bytes);
        }
        signed_data = rest;
    }
    let explicit = written(0xA0, &written(0x30, &kept));
    found.then(|| written(0x30, &[content_type, &explicit].concat()))
}

const CERTIFICATES: u8 = 0xA0;

/// Tag, content, and what follows.
pub(crate) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            let length = digits
                .iter()
                .fold(0, |sum: usize, digit| sum << 8 | usize::from(*digit));
            (length, rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The bytes of the first element, and what follows.
pub(crate) fn whole(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, _, rest) = element(bytes)?;
    bytes.split_at_checked(bytes.len() - rest.len())
}

/// An element.
pub(crate) fn written(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits: Vec<u8> = length
        .iter()
        .copied()
        .skip_while(|digit| *digit == 0)
        .collect();
    let mut bytes = vec![tag];
    match *digits.as_slice() {
        [] => bytes.push(0),
        [short @ 0..=0x7F] => bytes.push(short),
        _ => {
            bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            bytes.extend(digits);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}
