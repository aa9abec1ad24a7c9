//! n-fold of RFC 3961 5.1: any string spread over a fixed number of bytes.

/// The `N`-byte fold of `input`: copies of it, each turned right by 13 bits more, added with end-around carry.
pub fn n_fold<const N: usize>(input: &[u8]) -> [u8; N] {
    let mut sum = [0u8; N];
    if input.is_empty() || N == 0 {
        return sum;
    }
    let bits = input.len() * 8;
    let total = lcm(input.len(), N);
    // Byte `i` of the row of turned copies, most significant first.
    let turned = |i: usize| -> u8 {
        let (copy, within) = (i / input.len(), i % input.len());
        (0..8).fold(0u8, |byte, bit| {
            let place = (within * 8 + bit + bits - (13 * copy) % bits) % bits;
            let source = input.get(place / 8).copied().unwrap_or_default();
            (byte << 1) | ((source >> (7 - place % 8)) & 1)
        })
    };
    for chunk in 0..total / N {
        let mut carry = 0u16;
        for (place, byte) in sum.iter_mut().enumerate().rev() {
            carry += u16::from(*byte) + u16::from(turned(chunk * N + place));
            [_, *byte] = carry.to_be_bytes();
            carry >>= 8;
        }
        // The carry out of the top comes in at the bottom; it cannot overflow a second time.
        for byte in sum.iter_mut().rev() {
            carry += u16::from(*byte);
            [_, *byte] = carry.to_be_bytes();
            carry >>= 8;
        }
    }
    sum
}

/// The 128-bit fold of a usage constant (RFC 3961 5.3): the one that every key derivation begins with, so it is done by
/// whole words. Five bytes repeat after eighty, which are five rows of 128 bits.
pub(crate) fn fold_constant(constant: [u8; 5]) -> [u8; 16] {
    const BITS: u32 = 40;
    let [a, b, c, d, e] = constant;
    let whole = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
    let mut row = [0; 80];
    for (place, copy) in row.as_chunks_mut::<5>().0.iter_mut().zip(0..) {
        let by = 13 * copy % BITS;
        let turned = (whole >> by) | (whole << (BITS - by));
        let [_, _, _, bytes @ ..] = turned.to_be_bytes();
        *place = bytes;
    }
    let sum = row.as_chunks::<16>().0.iter().fold(0u128, |sum, part| {
        let (sum, carry) = sum.overflowing_add(u128::from_be_bytes(*part));
        sum + u128::from(carry)
    });
    sum.to_be_bytes()
}

fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::n_fold;

    fn check<const N: usize>(input: &[u8], expect: &str) {
        assert_eq!(HEXLOWER.encode(&n_fold::<N>(input)), expect);
    }

    #[test]
    fn constants_fold_as_everything_does() {
        for usage in [0_u32, 1, 2, 7, 22, 1024, 0xFFFF_FFFF, 0x8000_0001] {
            for purpose in [0x99, 0xAA, 0x55, 0x00, 0xFF] {
                let [a, b, c, d] = usage.to_be_bytes();
                let constant = [a, b, c, d, purpose];
                assert_eq!(super::fold_constant(constant), n_fold::<16>(&constant));
            }
        }
    }

    /// RFC 3961 A.1.
    #[test]
    fn rfc_3961_a_1() {
        check::<8>(b"012345", "be072631276b1955");
        check::<7>(b"password", "78a07b6caf85fa");
        check::<8>(b"Rough Consensus, and Running Code", "bb6ed30870b7f0e0");
        check::<21>(b"password", "59e4a8ca7c0385c3c37b3f6d2000247cb6e6bd5b3e");
        check::<24>(
            b"MASSACHVSETTS INSTITVTE OF TECHNOLOGY",
            "db3b0d8f0b061e603282b308a50841229ad798fab9540c1b",
        );
        check::<21>(
            b"Q",
            "518a54a2 15a8452a 518a54a2 15a8452a 518a54a2 15"
                .replace(' ', "")
                .as_str(),
        );
        check::<21>(b"ba", "fb25d531ae8974499f52fd92ea9857c4ba24cf297e");
        check::<8>(b"kerberos", "6b65726265726f73");
        check::<16>(b"kerberos", "6b65726265726f737b9b5b2b93132b93");
        check::<32>(
            b"kerberos",
            "6b65726265726f737b9b5b2b93132b935c9bdcdad95c9899c4cae4dee6d6cae4",
        );
        check::<16>(b"", "00000000000000000000000000000000");
    }
}
