//! Channels that the data cannot tell apart.
//!
//! Two channels are twins where the table of collapsed journeys stays the same
//! when they swap their names: each row that has one of them has a counterpart
//! with the other, counting for as much. Swaps that leave the table alone can be
//! carried out one after the other, so being twins is an equivalence. Whatever a
//! model says of twins should be the same; one that draws at random says it up to
//! noise, and the mean over twins is at least as near to what it would say
//! without.

use crate::run::split_mix;

/// Rows of channels, each with a mark, and what they count for.
#[derive(Default)]
pub(super) struct Marked {
    /// Channel and mark, channels ascending within a row; rows ascending.
    entries: Vec<(u32, u32)>,
    ends: Vec<usize>,
    weights: Vec<[f64; 2]>,
}

/// Classes of two or more twins.
pub(super) type Twins = Vec<Vec<u32>>;

impl Marked {
    /// Adds a row, which comes after all others in lexicographic order.
    pub(super) fn push(&mut self, row: impl Iterator<Item = (u32, u32)>, weights: [f64; 2]) {
        self.entries.extend(row);
        self.ends.push(self.entries.len());
        self.weights.push(weights);
    }

    fn row(&self, i: usize) -> &[(u32, u32)] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.entries[start..self.ends[i]]
    }

    /// The rows with this key.
    fn find(&self, key: &[(u32, u32)]) -> Option<usize> {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.row(middle).cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// A number for each channel that is the same for twins: what its rows count
    /// for and, at the second look, by which channels it stands there.
    fn colours(&self, channels: usize) -> Vec<u64> {
        let mut colours = vec![0_u64; channels];
        for _ in 0..2 {
            let mut next = vec![0_u64; channels];
            for (i, weights) in self.weights.iter().enumerate() {
                let row = self.row(i);
                let each =
                    |(c, mark): &(u32, u32)| split_mix(colours[*c as usize] ^ split_mix(u64::from(*mark)));
                let company = row.iter().map(each).fold(0, u64::wrapping_add);
                // Adding 0 makes both zeros one.
                let counts = weights.iter().fold(company, |h, w| split_mix(h ^ (w + 0.0).to_bits()));
                for (c, mark) in row {
                    let sum = &mut next[*c as usize];
                    *sum = sum.wrapping_add(split_mix(counts ^ u64::from(*mark)));
                }
            }
            colours = next;
        }
        colours
    }

    /// Whether the table stays the same when two channels swap names; `rows` are
    /// those of each channel.
    fn swap(&self, a: u32, b: u32, rows: &[Vec<u32>]) -> bool {
        let mut key = Vec::new();
        [a, b].iter().flat_map(|c| &rows[*c as usize]).all(|i| {
            let other = |c: u32| {
                if c == a {
                    b
                } else if c == b {
                    a
                } else {
                    c
                }
            };
            key.clear();
            key.extend(self.row(*i as usize).iter().map(|(c, mark)| (other(*c), *mark)));
            key.sort_unstable();
            self.find(&key).is_some_and(|twin| self.weights[twin] == self.weights[*i as usize])
        })
    }

    /// The twins among so many channels. Colours tell most others apart, so that
    /// few pairs are looked at row by row.
    pub(super) fn twins(&self, channels: usize) -> Twins {
        let colours = self.colours(channels);
        let mut order: Vec<u32> = (0..channels as u32).collect();
        order.sort_by_key(|c| colours[*c as usize]);
        let mut rows = vec![Vec::new(); channels];
        for i in 0..self.ends.len() {
            self.row(i).iter().for_each(|(c, _)| rows[*c as usize].push(i as u32));
        }
        let mut out = Twins::new();
        for alike in order.chunk_by(|a, b| colours[*a as usize] == colours[*b as usize]) {
            let mut classes: Twins = Vec::new();
            for c in alike {
                match classes.iter_mut().find(|class| self.swap(class[0], *c, &rows)) {
                    Some(class) => class.push(*c),
                    None => classes.push(vec![*c]),
                }
            }
            out.extend(classes.into_iter().filter(|class| class.len() > 1));
        }
        out
    }
}

/// Gives all twins their mean.
pub(super) fn average(twins: &Twins, values: &mut [f64]) {
    for class in twins {
        let mean = class.iter().map(|c| values[*c as usize]).sum::<f64>() / class.len() as f64;
        class.iter().for_each(|c| values[*c as usize] = mean);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Row = (Vec<(u32, u32)>, [f64; 2]);

    fn marked(mut rows: Vec<Row>) -> Marked {
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows.dedup_by(|a, b| a.0 == b.0);
        let mut out = Marked::default();
        rows.into_iter().for_each(|(row, weights)| out.push(row.into_iter(), weights));
        out
    }

    /// The table as it is, with two channels named the other way round.
    fn renamed(table: &Marked, a: u32, b: u32) -> Vec<Row> {
        let mut rows: Vec<Row> = (0..table.ends.len())
            .map(|i| {
                let other = |c: u32| {
                    if c == a {
                        b
                    } else if c == b {
                        a
                    } else {
                        c
                    }
                };
                let mut row: Vec<_> = table.row(i).iter().map(|(c, mark)| (other(*c), *mark)).collect();
                row.sort_unstable();
                (row, table.weights[i])
            })
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    }

    proptest! {
        /// Those are twins whose swap leaves the whole table alone, and no others.
        #[test]
        fn twins_are_those_whose_names_do_not_matter(
            rows in proptest::collection::vec((0_u32..32, 0_u32..2, 0_u8..2), 0..14)
        ) {
            let bits = |set: u32, mark: u32| (0..5).filter(move |c| set >> c & 1 == 1).map(move |c| (c, mark));
            let table = marked(
                rows.iter().map(|(set, mark, w)| (bits(*set, *mark).collect(), [f64::from(*w), 1.0])).collect(),
            );
            let found = table.twins(5);
            let rows = renamed(&table, 0, 0);
            for a in 0..5 {
                for b in 0..a {
                    let together = found.iter().any(|class| class.contains(&a) && class.contains(&b));
                    prop_assert_eq!(together, renamed(&table, a, b) == rows, "{} {} {:?}", a, b, found);
                }
            }
        }
    }
}
