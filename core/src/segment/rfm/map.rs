//! Names for combinations of scores.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// One rule of a map: the scores that a segment covers, both ends included.
/// A range that is left out covers every score.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentRule {
    /// The segment's name. Several rules may share it.
    pub segment: String,
    /// Recency scores, `[lowest, highest]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r: Option<[u32; 2]>,
    /// Frequency scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f: Option<[u32; 2]>,
    /// Monetary scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<[u32; 2]>,
    /// The mean of the frequency and monetary scores, halves rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fm: Option<[u32; 2]>,
}

/// The maps that come with the library, both on scores 1 to 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedMap {
    /// Ten segments by recency and frequency, the map of most notebooks.
    #[default]
    Rf10,
    /// Eleven segments by recency and the mean of frequency and monetary score.
    Fm11,
}

/// A named map, or one's own rules on scores from 1 to `bins`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "`map` is \"rf10\", \"fm11\" or a list of rules {segment, r, f, m, fm}")]
pub enum MapChoice {
    /// A map of the library.
    Named(NamedMap),
    /// One's own rules.
    Rules(Vec<SegmentRule>),
}

impl Default for MapChoice {
    fn default() -> Self {
        Self::Named(NamedMap::default())
    }
}

/// A segment for every combination of scores: total and without overlap, by
/// construction.
///
/// ```
/// use headwater::segment::SegmentMap;
///
/// let map = SegmentMap::rf10()?;
/// assert_eq!(map.name(5, 5, 1), "Champions");
/// # Ok::<(), headwater::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentMap {
    bins: u32,
    names: Vec<String>,
    codes: Vec<u32>,
}

/// (segment, r, f or fm), from best to worst.
type Row = (&'static str, [u32; 2], [u32; 2]);

const RF10: [Row; 10] = [
    ("Champions", [5, 5], [4, 5]),
    ("Loyal Customers", [3, 4], [4, 5]),
    ("Potential Loyalists", [4, 5], [2, 3]),
    ("New Customers", [5, 5], [1, 1]),
    ("Promising", [4, 4], [1, 1]),
    ("Need Attention", [3, 3], [3, 3]),
    ("About to Sleep", [3, 3], [1, 2]),
    ("At Risk", [1, 2], [3, 4]),
    ("Can't Lose Them", [1, 2], [5, 5]),
    ("Hibernating", [1, 2], [1, 2]),
];

const FM11: [Row; 12] = [
    ("Champions", [5, 5], [4, 5]),
    ("Loyal Customers", [3, 4], [4, 5]),
    ("Potential Loyalists", [4, 5], [2, 3]),
    ("New Customers", [5, 5], [1, 1]),
    ("Promising", [4, 4], [1, 1]),
    ("Need Attention", [3, 3], [3, 3]),
    ("About to Sleep", [3, 3], [1, 2]),
    ("At Risk", [1, 2], [3, 4]),
    ("Can't Lose Them", [1, 2], [5, 5]),
    ("Hibernating", [2, 2], [1, 2]),
    ("Hibernating", [1, 1], [2, 2]),
    ("Lost", [1, 1], [1, 1]),
];

impl SegmentMap {
    /// The ten segments by recency and frequency on scores 1 to 5.
    pub fn rf10() -> Result<Self> {
        let rule = |(name, r, f): &Row| SegmentRule {
            segment: (*name).to_owned(),
            r: Some(*r),
            f: Some(*f),
            ..SegmentRule::default()
        };
        Self::from_rules(5, &RF10.iter().map(rule).collect::<Vec<_>>())
    }

    /// The eleven segments by recency and mean of frequency and monetary score, on scores 1 to 5.
    pub fn fm11() -> Result<Self> {
        let rule = |(name, r, fm): &Row| SegmentRule {
            segment: (*name).to_owned(),
            r: Some(*r),
            fm: Some(*fm),
            ..SegmentRule::default()
        };
        Self::from_rules(5, &FM11.iter().map(rule).collect::<Vec<_>>())
    }

    /// A map from rules on scores 1 to `bins` (at most 100).
    ///
    /// # Errors
    /// `Option` where a combination is covered by no rule, or by two rules of
    /// different segments; it names the first such combination and how many there are.
    pub fn from_rules(bins: u32, rules: &[SegmentRule]) -> Result<Self> {
        if !(2..=100).contains(&bins) {
            return Err(Error::option(
                "bins",
                format!("{bins} is out of range; give a number from 2 to 100"),
            ));
        }
        let mut names: Vec<String> = Vec::new();
        let mut rule_codes = Vec::with_capacity(rules.len());
        for rule in rules {
            if rule.segment.is_empty() {
                return Err(Error::option("map", "every rule needs a segment's name"));
            }
            for [low, high] in [rule.r, rule.f, rule.m, rule.fm].into_iter().flatten() {
                if low < 1 || high > bins || low > high {
                    return Err(Error::option(
                        "map",
                        format!(
                            "`{}` has the range [{low}, {high}]; scores run from 1 to {bins}",
                            rule.segment
                        ),
                    ));
                }
            }
            let code = names.iter().position(|n| *n == rule.segment).unwrap_or_else(|| {
                names.push(rule.segment.clone());
                names.len() - 1
            });
            rule_codes.push(code as u32);
        }
        let within =
            |range: Option<[u32; 2]>, s: u32| range.is_none_or(|[low, high]| (low..=high).contains(&s));
        let mut codes = Vec::with_capacity((bins as usize).pow(3));
        let (mut holes, mut first_hole) = (0u64, None);
        for r in 1..=bins {
            for f in 1..=bins {
                for m in 1..=bins {
                    let fm = (f + m).div_ceil(2);
                    let mut found: Option<u32> = None;
                    for (rule, code) in rules.iter().zip(&rule_codes) {
                        if within(rule.r, r) && within(rule.f, f) && within(rule.m, m) && within(rule.fm, fm)
                        {
                            match found {
                                Some(other) if other != *code => {
                                    return Err(Error::option(
                                        "map",
                                        format!(
                                            "scores {r}-{f}-{m} are both `{}` and `{}`; make the rules disjoint",
                                            names[other as usize], names[*code as usize]
                                        ),
                                    ));
                                }
                                _ => found = Some(*code),
                            }
                        }
                    }
                    if found.is_none() {
                        holes += 1;
                        first_hole.get_or_insert((r, f, m));
                    }
                    codes.push(found.unwrap_or_default());
                }
            }
        }
        if let Some((r, f, m)) = first_hole {
            return Err(Error::option(
                "map",
                format!("no rule covers the scores {r}-{f}-{m} ({holes} combinations in all); add a rule"),
            ));
        }
        Ok(Self { bins, names, codes })
    }

    /// The map that an option asks for.
    pub(super) fn choose(choice: &MapChoice, bins: u32) -> Result<Self> {
        match choice {
            MapChoice::Named(NamedMap::Rf10) => Self::rf10(),
            MapChoice::Named(NamedMap::Fm11) => Self::fm11(),
            MapChoice::Rules(rules) => Self::from_rules(bins, rules),
        }
    }

    /// The segments' names in the order of the rules.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The scores that the map takes run from 1 to this.
    pub fn bins(&self) -> u32 {
        self.bins
    }

    /// The index in [`SegmentMap::names`] for these scores; scores out of range count as the nearest.
    pub fn code(&self, r: u32, f: u32, m: u32) -> u32 {
        let at = |s: u32| (s.clamp(1, self.bins) - 1) as usize;
        let bins = self.bins as usize;
        self.codes[(at(r) * bins + at(f)) * bins + at(m)]
    }

    /// The segment's name for these scores.
    pub fn name(&self, r: u32, f: u32, m: u32) -> &str {
        &self.names[self.code(r, f, m) as usize]
    }
}

/// A score of 1 to `bins` on the scale 1 to `target`: the ends stay the ends,
/// between them linear, halves rounded up.
pub(super) fn rescale(score: u32, bins: u32, target: u32) -> u32 {
    if bins == target {
        return score;
    }
    1 + (2 * (score - 1) * (target - 1) + (bins - 1)) / (2 * (bins - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescaling_keeps_the_ends_and_the_order() {
        assert_eq!([1, 2, 3].map(|s| rescale(s, 3, 5)), [1, 3, 5]);
        assert_eq!([1, 2, 3, 4].map(|s| rescale(s, 4, 5)), [1, 2, 4, 5]);
        for bins in 2..=100 {
            let scaled: Vec<u32> = (1..=bins).map(|s| rescale(s, bins, 5)).collect();
            assert!(scaled.is_sorted() && scaled[0] == 1 && scaled[bins as usize - 1] == 5);
        }
    }

    #[test]
    fn holes_and_overlaps_are_refused() {
        let rule =
            |segment: &str, r| SegmentRule { segment: segment.into(), r: Some(r), ..Default::default() };
        let whole = [rule("low", [1, 2]), rule("high", [3, 5])];
        assert!(SegmentMap::from_rules(5, &whole).is_ok());
        let hole = SegmentMap::from_rules(5, &whole[..1]).unwrap_err().to_string();
        assert!(hole.contains("3-1-1") && hole.contains("75"), "{hole}");
        let overlap = SegmentMap::from_rules(5, &[rule("low", [1, 3]), rule("high", [3, 5])]);
        assert!(overlap.unwrap_err().to_string().contains("both `low` and `high`"));
        assert!(SegmentMap::from_rules(5, &[rule("low", [0, 5])]).is_err());
        assert!(SegmentMap::from_rules(1, &whole).is_err());
    }
}
