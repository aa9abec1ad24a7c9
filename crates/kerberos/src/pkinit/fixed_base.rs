//! Powers of a group's generator: a table made once turns an exponentiation into a few dozen multiplications.
//!
//! Deliberately absent: other bases. What a client sends is a new one each time.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{CtAssign as _, CtEq as _};

/// For each digit of an exponent in base 16, lowest first, the generator to the power of each value of that digit.
#[derive(Debug)]
pub(super) struct FixedBase {
    one: BoxedMontyForm,
    rows: Vec<[BoxedMontyForm; 16]>,
}

impl FixedBase {
    /// The table for exponents of so many bytes.
    pub(super) fn new(
        base: BoxedMontyForm,
        params: &BoxedMontyParams,
        exponent_bytes: usize,
    ) -> Self {
        let one = BoxedMontyForm::one(params);
        let mut first = base;
        let mut rows = Vec::with_capacity(exponent_bytes * 2);
        for _ in 0..exponent_bytes * 2 {
            let mut next = one.clone();
            let row = std::array::from_fn(|_| {
                let power = next.clone();
                next = next.mul(&first);
                power
            });
            // After the last digit's value comes one of the digit above.
            first = next;
            rows.push(row);
        }
        Self { one, rows }
    }

    /// The power, in a time that tells nothing of the exponent's value. `None` for one that is longer than the table.
    pub(super) fn power(&self, exponent: &[u8]) -> Option<BoxedMontyForm> {
        if exponent.len() * 2 > self.rows.len() {
            return None;
        }
        let digits = exponent
            .iter()
            .rev()
            .flat_map(|byte| [byte & 0xF, byte >> 4]);
        let mut power = self.one.clone();
        for (row, digit) in self.rows.iter().zip(digits) {
            let mut factor = self.one.clone();
            // Every entry is looked at, so that the cache tells nothing either.
            for (entry, value) in row.iter().zip(0_u8..) {
                factor.ct_assign(entry, value.ct_eq(&digit));
            }
            power = power.mul(&factor);
        }
        Some(power)
    }
}
