//! Sums without rounding: the same bits for any order of the addends.

/// Bits in a limb, and limbs for the whole range of a double plus carries.
const LIMB: u32 = 32;
const LIMBS: usize = 68;
const MASK: i64 = 0xffff_ffff;

/// A sum of doubles that is exact until it is read.
///
/// A fixed-point number wide enough for every double (the superaccumulator of
/// Kulisch; the layout follows Neal, *Fast exact summation using small and
/// large superaccumulators*, 2015). Addition is associative here, so parts may
/// be added up in any order, by any number of threads, to the same bits.
///
/// Addends must be finite; others are ignored in release builds and asserted
/// in debug builds. A sum beyond the range of a double reads as infinite.
///
/// ```
/// use headwater::math::ExactSum;
///
/// let mut sum = ExactSum::new();
/// for x in [1e100, 1.0, -1e100] {
///     sum.add(x);
/// }
/// assert_eq!(sum.value(), 1.0);
/// ```
#[derive(Clone, Debug)]
pub struct ExactSum {
    limbs: [i64; LIMBS],
    /// Additions since the carries were last passed on; 2^31 fit.
    pending: u32,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { limbs: [0; LIMBS], pending: 0 }
    }
}

impl ExactSum {
    /// The empty sum, 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finite number.
    #[inline]
    pub fn add(&mut self, x: f64) {
        let bits = x.to_bits();
        let biased = (bits >> 52) & 0x7ff;
        debug_assert!(biased != 0x7ff, "only finite numbers can be added up");
        let fraction = bits & ((1 << 52) - 1);
        let (mantissa, place) = match biased {
            0 if fraction == 0 => return,
            0 => (fraction, 0),
            0x7ff => return,
            _ => (fraction | (1 << 52), biased as u32 - 1),
        };
        let (at, shift) = ((place / LIMB) as usize, place % LIMB);
        let low = ((mantissa << shift) as i64) & MASK;
        let middle = ((mantissa >> (LIMB - shift)) as i64) & MASK;
        let high = ((mantissa >> LIMB) >> (LIMB - shift)) as i64;
        // All ones for a negative addend: (v ^ sign) - sign is v or -v.
        let sign = (bits as i64) >> 63;
        if let Some([a, b, c]) = self.limbs.get_mut(at..at + 3) {
            *a += (low ^ sign) - sign;
            *b += (middle ^ sign) - sign;
            *c += (high ^ sign) - sign;
        }
        self.pending += 1;
        if self.pending >= 1 << 30 {
            self.carry();
        }
    }

    /// Adds another sum, exactly.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.carry();
        self.carry();
        for (a, b) in self.limbs.iter_mut().zip(other.limbs) {
            *a += b;
        }
        self.carry();
    }

    /// Whether the exact sum is 0.
    pub fn is_zero(&self) -> bool {
        let mut copy = self.clone();
        copy.carry();
        copy.limbs.iter().all(|l| *l == 0)
    }

    /// Back to 0.
    pub fn clear(&mut self) {
        self.limbs = [0; LIMBS];
        self.pending = 0;
    }

    /// Leaves every limb but the last in `0..2^32`; the last carries the sign.
    fn carry(&mut self) {
        let mut carry = 0;
        for limb in &mut self.limbs[..LIMBS - 1] {
            let sum = *limb + carry;
            *limb = sum & MASK;
            carry = sum >> LIMB;
        }
        self.limbs[LIMBS - 1] += carry;
        self.pending = 1;
    }

    /// The sum, rounded once, to nearest even.
    pub fn value(&self) -> f64 {
        let mut sum = self.clone();
        sum.carry();
        let negative = sum.limbs[LIMBS - 1] < 0;
        if negative {
            for limb in &mut sum.limbs {
                *limb = -*limb;
            }
            sum.carry();
        }
        let Some(top) = sum.limbs.iter().rposition(|l| *l != 0) else { return 0.0 };
        let base = top.saturating_sub(2);
        let head = sum.limbs[base..=top].iter().rev().fold(0_u128, |acc, l| (acc << LIMB) | *l as u128);
        let bits = 128 - head.leading_zeros();
        let place = LIMB * base as u32 + bits - 1;
        let magnitude = if place <= 52 {
            // A multiple of the smallest double, below 2^53 of it: its own encoding.
            f64::from_bits(head as u64)
        } else {
            let dropped = bits - 53;
            let (kept, rest) = ((head >> dropped) as u64, head & ((1 << dropped) - 1));
            let half = 1_u128 << (dropped - 1);
            let sticky = sum.limbs[..base].iter().any(|l| *l != 0);
            let up = rest > half || (rest == half && (sticky || kept & 1 == 1));
            let exponent = u64::from(place - 52);
            let encoded = (exponent << 52) + kept + u64::from(up);
            if encoded >= 0x7ff << 52 { f64::INFINITY } else { f64::from_bits(encoded) }
        };
        if negative { -magnitude } else { magnitude }
    }

    /// The exact sum as a few doubles, largest first, each the rounding of
    /// what the ones before it leave over. The same for equal sums; empty for 0.
    pub fn parts(&self) -> Vec<f64> {
        let mut left = self.clone();
        let mut parts = Vec::new();
        loop {
            let value = left.value();
            if value == 0.0 || !value.is_finite() {
                return parts;
            }
            parts.push(value);
            left.add(-value);
        }
    }
}

impl Extend<f64> for ExactSum {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, iter: I) {
        for x in iter {
            self.add(x);
        }
    }
}

impl FromIterator<f64> for ExactSum {
    fn from_iter<I: IntoIterator<Item = f64>>(iter: I) -> Self {
        let mut sum = Self::new();
        sum.extend(iter);
        sum
    }
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self.clone(), other.clone());
        a.carry();
        b.carry();
        a.limbs == b.limbs
    }
}

/// Sums of several parts as one, place by place.
pub(crate) fn merge_sums(parts: Vec<Vec<ExactSum>>) -> Vec<ExactSum> {
    let mut parts = parts.into_iter();
    let mut whole = parts.next().unwrap_or_default();
    for part in parts {
        whole.iter_mut().zip(&part).for_each(|(a, b)| a.merge(b));
    }
    whole
}

/// The sum of finite numbers, rounded once.
pub fn exact_sum<I: IntoIterator<Item = f64>>(numbers: I) -> f64 {
    numbers.into_iter().collect::<ExactSum>().value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_number_comes_back_as_it_is() {
        for x in [0.0, 1.0, -1.0, 0.1, -1e-300, 5e-324, -5e-324, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 3e16]
        {
            assert_eq!(exact_sum([x]), x, "{x:e}");
        }
        assert_eq!(exact_sum([f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(exact_sum([f64::MAX, f64::MAX, f64::MIN]), f64::MAX);
    }

    #[test]
    fn halves_round_to_even_and_a_hair_breaks_the_tie() {
        let ulp = f64::EPSILON;
        assert_eq!(exact_sum([1.0, ulp / 2.0]), 1.0);
        assert_eq!(exact_sum([1.0, ulp / 2.0, 5e-324]), 1.0 + ulp);
        assert_eq!(exact_sum([1.0 + ulp, ulp / 2.0]), 1.0 + 2.0 * ulp);
        assert_eq!(exact_sum([-1.0, -ulp / 2.0, -5e-324]), -1.0 - ulp);
    }

    #[test]
    fn ten_tenths_are_one_and_a_million_too() {
        assert_eq!(exact_sum(std::iter::repeat_n(0.1, 10)), 1.0);
        // 0.1 is 0.10000000000000000555: a million of them are nearest to 100000.
        assert_eq!(exact_sum(std::iter::repeat_n(0.1, 1_000_000)), 100_000.0);
    }

    fn any_finite() -> impl Strategy<Value = f64> {
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |x| x.is_finite() && x.abs() < 1e300)
    }

    proptest! {
        #[test]
        fn order_and_grouping_do_not_matter(mut xs in prop::collection::vec(any_finite(), 0..40), cut in 0_usize..40) {
            let forward = exact_sum(xs.iter().copied());
            let cut = cut.min(xs.len());
            let (a, b) = xs.split_at(cut);
            let mut right: ExactSum = b.iter().copied().collect();
            right.merge(&a.iter().copied().collect());
            prop_assert_eq!(right.value().to_bits(), forward.to_bits());
            xs.reverse();
            prop_assert_eq!(exact_sum(xs.iter().copied()).to_bits(), forward.to_bits());
            let again: ExactSum = right.parts().into_iter().collect();
            prop_assert!(again == right);
            xs.extend(xs.clone().iter().map(|x| -x));
            prop_assert_eq!(exact_sum(xs), 0.0);
        }

        #[test]
        fn two_numbers_add_as_ieee_adds(a in any_finite(), b in any_finite()) {
            prop_assert_eq!(exact_sum([a, b]), a + b);
        }
    }
}
