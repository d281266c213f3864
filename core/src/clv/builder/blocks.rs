//! What customers did, grain by grain, in little memory.

use crate::clv::pieces::PIECE;
use crate::clv::visits::{Day, total};
use crate::math::ExactSum;

/// What a line is: its value is part of the sum of its day.
pub(super) const SUM: u8 = 1;
/// There was an order.
pub(super) const BOUGHT: u8 = 2;
/// There was a refund.
pub(super) const REFUNDED: u8 = 4;
/// The value may be the largest of its day.
pub(super) const LARGE: u8 = 8;

/// A line of a day: an amount as it came, or a part of what a day came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub grain: i64,
    pub value: f64,
    pub customer: u32,
    pub kind: u8,
}

impl Line {
    fn day(&self) -> (u32, i64) {
        (self.customer, self.grain)
    }
}

/// The days of the customers of one piece.
///
/// Lines come in at the end. When they fill the memory, they are sorted by
/// customer and grain, and the lines of a day that are many become few of the
/// same exact sum: what is kept grows with the days, and not with the orders.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    lines: Vec<Line>,
}

impl Block {
    /// `largest` says whether the largest amount of a day matters, which it
    /// does where refunds are settled.
    pub(super) fn push(&mut self, line: Line, largest: bool) {
        if self.lines.len() == self.lines.capacity() {
            sort(&mut self.lines);
            compact(&mut self.lines, largest);
            let len = self.lines.len();
            if self.lines.capacity() - len < len / 4 + 64 {
                self.lines.reserve_exact(len / 2 + 64);
            }
        }
        self.lines.push(line);
    }

    /// The lines, sorted, with few lines a day.
    pub(super) fn sorted(&self, largest: bool) -> Vec<Line> {
        let mut lines = self.lines.clone();
        sort(&mut lines);
        compact(&mut lines, largest);
        lines
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }
}

/// Which block a customer is in.
pub(super) fn block(customer: u32) -> usize {
    customer as usize / PIECE
}

fn sort(lines: &mut [Line]) {
    // Stable, as that is quick where most is sorted already.
    lines.sort_by_key(Line::day);
}

/// Sorted lines of one day.
pub(super) fn day(lines: &[Line]) -> Day {
    let is = |kind: u8| move |line: &&Line| line.kind & kind != 0;
    Day {
        grain: lines.first().map_or(0, |line| line.grain),
        total: total(lines.iter().filter(is(SUM)).map(|line| line.value)),
        bought: lines.iter().any(|line| line.kind & BOUGHT != 0),
        refunded: lines.iter().any(|line| line.kind & REFUNDED != 0),
        largest: lines.iter().filter(is(LARGE)).fold(0.0, |m, line| line.value.abs().max(m)),
    }
}

/// Gives days of many sorted lines fewer ones.
fn compact(lines: &mut Vec<Line>, largest: bool) {
    let (mut kept, mut at) = (0, 0);
    let mut few = Vec::new();
    while let Some(first) = lines.get(at).copied() {
        let same = lines[at..].iter().take_while(|line| line.day() == first.day()).count();
        fewer(&lines[at..at + same], largest, &mut few);
        if few.is_empty() {
            lines.copy_within(at..at + same, kept);
            kept += same;
        } else {
            lines[kept..kept + few.len()].copy_from_slice(&few);
            kept += few.len();
        }
        at += same;
    }
    lines.truncate(kept);
}

/// Lines of the same day with the same exact sum; none where they are not fewer.
fn fewer(lines: &[Line], largest: bool, out: &mut Vec<Line>) {
    out.clear();
    let Some(first) = lines.first().filter(|_| lines.len() > 1) else { return };
    let Some(parts) = parts(lines.iter().filter(|line| line.kind & SUM != 0).map(|line| line.value)) else {
        return;
    };
    out.extend(parts.iter().map(|part| Line { value: *part, kind: SUM, ..*first }));
    if out.is_empty() {
        out.push(Line { value: 0.0, kind: SUM, ..*first });
    }
    if largest {
        out.push(Line { value: day(lines).largest, kind: LARGE, ..*first });
    }
    out[0].kind |= lines.iter().fold(0, |kind, line| kind | line.kind) & (BOUGHT | REFUNDED);
    if out.len() >= lines.len() {
        out.clear();
    }
}

/// Few numbers, none of them 0, whose exact sum is that of the numbers given
/// (Shewchuk 1997, *Adaptive precision floating-point arithmetic*); `None`
/// where a sum is beyond the range of a double.
fn parts(numbers: impl Iterator<Item = f64>) -> Option<Vec<f64>> {
    let mut parts: Vec<f64> = Vec::new();
    for mut sum in numbers {
        let mut kept = 0;
        for at in 0..parts.len() {
            let (a, b) = (sum, parts[at]);
            sum = a + b;
            let of_b = sum - a;
            let error = (a - (sum - of_b)) + (b - of_b);
            if error != 0.0 {
                parts[kept] = error;
                kept += 1;
            }
        }
        if !sum.is_finite() {
            return None;
        }
        parts.truncate(kept);
        if sum != 0.0 {
            parts.push(sum);
        }
    }
    // They do not overlap, but may leave gaps that two numbers fill.
    if parts.len() > 2 {
        parts = parts.into_iter().collect::<ExactSum>().parts();
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amounts() -> impl Strategy<Value = Vec<f64>> {
        let amount = prop_oneof![
            (-5000_i32..5000).prop_map(|cents| f64::from(cents) / 100.0),
            (-1e300..1e300),
            (-1e-300..1e-300),
            Just(f64::MAX),
            Just(5e-324),
            Just(-0.0),
        ];
        prop::collection::vec(amount, 0..30)
    }

    proptest! {
        #[test]
        fn parts_have_the_exact_sum(numbers in amounts()) {
            if let Some(parts) = parts(numbers.iter().copied()) {
                let of = |numbers: &[f64]| numbers.iter().copied().collect::<ExactSum>();
                prop_assert!(of(&parts) == of(&numbers));
                prop_assert!(parts.iter().all(|part| *part != 0.0 && part.is_finite()));
            }
        }

        #[test]
        fn a_block_tells_the_days_of_its_lines(
            rows in prop::collection::vec((0_u32..4, -3_i64..3, -9_i32..30), 0..800),
            largest in any::<bool>(),
        ) {
            let mut block = Block::default();
            let mut all = Vec::new();
            for (customer, grain, cents) in rows {
                let bought = if cents < 0 { REFUNDED } else { BOUGHT };
                let value = f64::from(cents) * 0.1;
                all.push(Line { grain, value, customer, kind: SUM | LARGE | bought });
                block.push(all[all.len() - 1], largest);
            }
            sort(&mut all);
            let few = block.sorted(largest);
            prop_assert!(few.len() <= 24 * 4);
            let days = |lines: &[Line]| -> Vec<String> {
                let of = |lines: &[Line]| {
                    let Day { largest: most, ..} = day(lines);
                    format!("{:?} {:?} {:?}", lines[0].customer, Day { largest: 0.0, ..day(lines) }, largest.then_some(most))
                };
                lines.chunk_by(|a, b| a.day() == b.day()).map(of).collect()
            };
            prop_assert_eq!(days(&few), days(&all));
        }
    }
}
