//! Covariates: numbers as they are, names as dummies beside a reference level.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::column::{Columns, Intake, Kept, Kind, Labels, Names, Sign, Table, Values};
use crate::{Error, Result};

/// Levels of one covariate at most: each is a coefficient.
const MOST_LEVELS: usize = 500;
/// Coefficients at most: the Hessian holds their square.
const MOST_SLOPES: usize = 2000;
/// Beyond this a square overflows.
pub(in crate::clv) const LARGEST: f64 = 1e150;

/// A covariate as the model knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::clv) enum Covariate {
    /// A number, or a truth value as 0 and 1.
    Number { name: String, mean: f64, scale: f64 },
    /// A name: one dummy a level, the reference left out.
    Level { name: String, reference: String, levels: Vec<String>, means: Vec<f64>, scales: Vec<f64> },
}

impl Covariate {
    pub(in crate::clv) fn name(&self) -> &str {
        match self {
            Self::Number { name, .. } | Self::Level { name, .. } => name,
        }
    }

    /// How many coefficients it has.
    pub(in crate::clv) fn size(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::Level { levels, .. } => levels.len(),
        }
    }

    fn means(&self) -> &[f64] {
        match self {
            Self::Number { mean, .. } => std::slice::from_ref(mean),
            Self::Level { means, .. } => means,
        }
    }

    fn scales(&self) -> &[f64] {
        match self {
            Self::Number { scale, .. } => std::slice::from_ref(scale),
            Self::Level { scales, .. } => scales,
        }
    }
}

/// A covariate's column as it was read.
#[derive(Clone, Debug)]
pub(in crate::clv) enum Given<'a> {
    Number(Cow<'a, [f64]>),
    Flag(Cow<'a, [bool]>),
    Name(Names),
}

impl Given<'_> {
    /// Such rows of it, in their order.
    pub(in crate::clv) fn ordered(&self, rows: &[u32]) -> Given<'static> {
        fn take<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
            rows.iter().map(|row| values[*row as usize]).collect()
        }
        match self {
            Self::Number(values) => Given::Number(take(values, rows).into()),
            Self::Flag(values) => Given::Flag(take(values, rows).into()),
            Self::Name(names) => {
                Given::Name(Names { codes: take(&names.codes, rows), labels: names.labels.clone() })
            }
        }
    }

    pub(in crate::clv) fn cut(self, kept: &Kept) -> Self {
        match self {
            Self::Number(v) => Self::Number(kept.values(v)),
            Self::Flag(v) => Self::Flag(kept.values(v)),
            Self::Name(v) => Self::Name(kept.names(v)),
        }
    }
}

/// How covariates are read: for a fit by the kinds of their columns, for a
/// prediction by the model's.
#[derive(Clone, Copy, Debug)]
pub(in crate::clv) enum Reader<'m> {
    None,
    Fit(&'m [String]),
    Model(&'m Terms),
}

impl Reader<'_> {
    pub(in crate::clv) fn read<'a>(&self, intake: &mut Intake<'a>) -> Result<Vec<Given<'a>>> {
        match self {
            Self::None => Ok(Vec::new()),
            Self::Fit(names) => {
                if let Some(twice) = (1..names.len()).find(|i| names[..*i].contains(&names[*i])) {
                    return Err(Error::option("covariates", format!("`{}` is named twice", names[twice])));
                }
                names.iter().map(|name| by_kind(intake, name)).collect()
            }
            Self::Model(terms) => terms.0.iter().map(|covariate| by_model(intake, covariate)).collect(),
        }
    }
}

fn kind(columns: &Columns, name: &str) -> Result<Kind> {
    Ok(columns.require(name)?.kind())
}

fn by_kind<'a>(intake: &mut Intake<'a>, name: &str) -> Result<Given<'a>> {
    Ok(match kind(intake.columns(), name)? {
        Kind::Bool => Given::Flag(intake.flags(name)?),
        Kind::Text => Given::Name(intake.names(name)?),
        _ => Given::Number(intake.amounts(name, Sign::Any)?),
    })
}

fn by_model<'a>(intake: &mut Intake<'a>, covariate: &Covariate) -> Result<Given<'a>> {
    match covariate {
        Covariate::Number { name, .. } => {
            if kind(intake.columns(), name)? == Kind::Bool {
                return Ok(Given::Flag(intake.flags(name)?));
            }
            let numbers = intake.amounts(name, Sign::Any)?;
            let vast = |i: &usize| numbers[*i].is_finite() && numbers[*i].abs() > LARGEST;
            let rows: Vec<usize> = (0..numbers.len()).filter(vast).collect();
            intake.reject(name, "the number is beyond 1e150", rows);
            Ok(Given::Number(numbers))
        }
        Covariate::Level { name, reference, levels, .. } => {
            let names = intake.names(name)?;
            let known: Vec<bool> = (0..names.labels.len() as u32)
                .map(|c| {
                    let label = names.labels.get(c);
                    label == reference.as_str() || levels.iter().any(|l| *l == label)
                })
                .collect();
            let strange = |i: &usize| known.get(names.codes[*i] as usize).is_some_and(|k| !k);
            let rows: Vec<usize> = (0..names.codes.len()).filter(strange).collect();
            intake.reject(name, "the level is not one that the model was fitted on", rows);
            Ok(Given::Name(names))
        }
    }
}

/// Covariates in the order of the options, and the columns that they make.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::clv) struct Terms(Vec<Covariate>);

/// Rows of numbers, one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::clv) struct Matrix {
    pub(in crate::clv) rows: usize,
    pub(in crate::clv) columns: usize,
    pub(in crate::clv) values: Vec<f64>,
}

impl Matrix {
    pub(in crate::clv) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// The rows in this order.
    pub(in crate::clv) fn ordered(&self, order: &[u32]) -> Self {
        let mut values = Vec::with_capacity(order.len() * self.columns);
        for i in order {
            values.extend_from_slice(self.row(*i as usize));
        }
        Self { rows: order.len(), columns: self.columns, values }
    }

    fn standardise(&mut self, means: &[f64], scales: &[f64]) {
        for row in self.values.chunks_exact_mut(self.columns.max(1)) {
            for ((x, mean), scale) in row.iter_mut().zip(means).zip(scales) {
                *x = (*x - mean) / scale;
            }
        }
    }
}

impl Terms {
    /// The covariates of a fit; means and scales are set by [`Terms::standardise`].
    pub(in crate::clv) fn of(
        names: &[String],
        given: &[Given<'_>],
        rows: usize,
        references: &BTreeMap<String, String>,
    ) -> Result<Self> {
        if let Some((name, _)) = references.iter().find(|(name, _)| !names.contains(name)) {
            return Err(Error::option("references", format!("`{name}` is not one of the covariates")));
        }
        let mut out = Vec::with_capacity(names.len());
        for (name, given) in names.iter().zip(given) {
            let Given::Name(labels) = given else {
                if references.contains_key(name) {
                    return Err(Error::option("references", format!("`{name}` is a number, without levels")));
                }
                out.push(Covariate::Number { name: name.clone(), mean: 0.0, scale: 1.0 });
                continue;
            };
            let (_, mut levels) = sorted_groups(Some(labels), rows);
            if levels.len() < 2 {
                return Err(constant(name));
            }
            if levels.len() > MOST_LEVELS {
                let n = levels.len();
                let reason = format!("has {n} levels, and {MOST_LEVELS} are the most: group them first");
                return Err(Error::column(name.as_str(), reason));
            }
            let at = match references.get(name) {
                None => 0,
                Some(wanted) => levels.iter().position(|l| l == wanted).ok_or_else(|| {
                    Error::option("references", format!("`{wanted}` is no level of the covariate `{name}`"))
                })?,
            };
            let reference = levels.remove(at);
            let n = levels.len();
            out.push(Covariate::Level {
                name: name.clone(),
                reference,
                levels,
                means: vec![0.0; n],
                scales: vec![1.0; n],
            });
        }
        let terms = Self(out);
        if terms.size() > MOST_SLOPES {
            let n = terms.size();
            return Err(Error::option("covariates", format!("{n} coefficients, {MOST_SLOPES} at most")));
        }
        Ok(terms)
    }

    /// Covariates whose means and scales are known.
    pub(in crate::clv) fn known(covariates: Vec<Covariate>) -> Self {
        Self(covariates)
    }

    pub(in crate::clv) fn covariates(&self) -> &[Covariate] {
        &self.0
    }

    /// How many coefficients there are.
    pub(in crate::clv) fn size(&self) -> usize {
        self.0.iter().map(Covariate::size).sum()
    }

    /// The coefficients' names: a number's own, `name[level]` of a level.
    pub(in crate::clv) fn names(&self) -> Vec<String> {
        let mut out = Vec::new();
        for covariate in &self.0 {
            match covariate {
                Covariate::Number { name, .. } => out.push(name.clone()),
                Covariate::Level { name, levels, .. } => {
                    out.extend(levels.iter().map(|level| format!("{name}[{level}]")));
                }
            }
        }
        out
    }

    /// The covariate of a coefficient.
    fn of_slope(&self, slope: usize) -> &str {
        let mut end = 0;
        let found = self.0.iter().find(|covariate| {
            end += covariate.size();
            slope < end
        });
        found.map_or("", Covariate::name)
    }

    pub(in crate::clv) fn means(&self) -> Vec<f64> {
        self.0.iter().flat_map(|c| c.means().iter().copied()).collect()
    }

    pub(in crate::clv) fn scales(&self) -> Vec<f64> {
        self.0.iter().flat_map(|c| c.scales().iter().copied()).collect()
    }

    /// The rows as numbers, dummies expanded.
    pub(in crate::clv) fn matrix(&self, given: &[Given<'_>], rows: usize) -> Matrix {
        let columns = self.size();
        let mut values = vec![0.0; rows * columns];
        let mut at = 0;
        for (covariate, given) in self.0.iter().zip(given) {
            let cells = values.iter_mut().skip(at).step_by(columns.max(1));
            match (covariate, given) {
                (_, Given::Number(numbers)) => {
                    for (cell, x) in cells.zip(numbers.iter()) {
                        *cell = *x + 0.0; // one zero, so that equal rows are equal bits
                    }
                }
                (_, Given::Flag(flags)) => {
                    for (cell, flag) in cells.zip(flags.iter()) {
                        *cell = f64::from(u8::from(*flag));
                    }
                }
                (Covariate::Level { levels, .. }, Given::Name(names)) => {
                    let place: Vec<Option<usize>> = (0..names.labels.len() as u32)
                        .map(|c| levels.iter().position(|l| *l == names.labels.get(c)))
                        .collect();
                    for (row, code) in names.codes.iter().enumerate() {
                        if let Some(Some(level)) = place.get(*code as usize) {
                            values[row * columns + at + level] = 1.0;
                        }
                    }
                }
                (Covariate::Number { .. }, Given::Name(_)) => {}
            }
            at += covariate.size();
        }
        Matrix { rows, columns, values }
    }

    /// Takes means and standard deviations of the rows, whose order is
    /// canonical, and scales the matrix by them. A column that does not vary, or
    /// that is a combination of those before it, is an error that names it.
    pub(in crate::clv) fn standardise(
        &mut self,
        matrix: &mut Matrix,
        weight: impl Fn(usize) -> f64,
    ) -> Result<()> {
        let (p, rows) = (matrix.columns, matrix.rows);
        let total: f64 = (0..rows).map(&weight).sum();
        if total.is_nan() || total <= 0.0 {
            return Err(Error::not_enough_data("the weights of all rows are 0"));
        }
        let mut means = vec![0.0; p];
        let mut seen = vec![(f64::INFINITY, f64::NEG_INFINITY); p];
        for i in 0..rows {
            let w = weight(i);
            if w == 0.0 {
                continue;
            }
            for ((mean, (low, high)), x) in means.iter_mut().zip(&mut seen).zip(matrix.row(i)) {
                *mean += w / total * x;
                *low = low.min(*x);
                *high = high.max(*x);
            }
        }
        for (k, (low, high)) in seen.iter().enumerate() {
            if low.abs() > LARGEST || high.abs() > LARGEST {
                return Err(Error::column(self.of_slope(k), "holds numbers beyond 1e150: rescale it"));
            }
            if high <= low {
                return Err(constant(self.of_slope(k)));
            }
        }
        let mut scales = vec![0.0; p];
        for i in 0..rows {
            let w = weight(i);
            for ((scale, mean), x) in scales.iter_mut().zip(&means).zip(matrix.row(i)) {
                *scale += w / total * (x - mean) * (x - mean);
            }
        }
        for (k, scale) in scales.iter_mut().enumerate() {
            *scale = scale.sqrt();
            let (low, high) = seen[k];
            // What varies only in the last digits is rounding.
            if *scale <= 1e-13 * low.abs().max(high.abs()) {
                return Err(constant(self.of_slope(k)));
            }
        }
        matrix.standardise(&means, &scales);
        let mut at = 0;
        for covariate in &mut self.0 {
            let size = covariate.size();
            let (m, s) = (&means[at..at + size], &scales[at..at + size]);
            match covariate {
                Covariate::Number { mean, scale, .. } => (*mean, *scale) = (m[0], s[0]),
                Covariate::Level { means, scales, .. } => {
                    means.copy_from_slice(m);
                    scales.copy_from_slice(s);
                }
            }
            at += size;
        }
        let mut products = vec![0.0; p * p];
        for (i, row) in matrix.values.chunks_exact(p.max(1)).enumerate() {
            let w = weight(i) / total;
            for (k, x) in row.iter().enumerate() {
                for (cell, y) in products[k * p..=k * p + k].iter_mut().zip(row) {
                    *cell += w * x * y;
                }
            }
        }
        self.check_rank(
            &products,
            1.0,
            "is a linear combination of the covariates before it: leave one of them out",
        )
    }

    /// Scales a matrix by the means and standard deviations that are known.
    pub(in crate::clv) fn scale(&self, matrix: &mut Matrix) {
        matrix.standardise(&self.means(), &self.scales());
    }

    /// An error that names the first column that adds nothing to those before
    /// it, by a symmetric matrix of which the lower triangle is read. Beside `whole`, the size of an entry
    /// that tells much, what is left by rounding is nothing.
    pub(in crate::clv) fn check_rank(&self, products: &[f64], whole: f64, reason: &str) -> Result<()> {
        let p = self.size();
        let mut lower = products.to_vec();
        for i in 0..p {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| lower[i * p + k] * lower[j * p + k]).sum();
                let rest = lower[i * p + j] - dot;
                if i == j {
                    let size = products[i * p + i].max(whole);
                    if rest.is_nan() || rest <= 1e-11 * size {
                        return Err(Error::column(self.of_slope(i), reason));
                    }
                    lower[i * p + i] = rest.sqrt();
                } else {
                    lower[i * p + j] = rest / lower[j * p + j];
                }
            }
        }
        Ok(())
    }

    /// β · (x − mean) of every row, in the units of the data.
    pub(in crate::clv) fn predictors(&self, matrix: &Matrix, slopes: &[f64]) -> Vec<f64> {
        let means = self.means();
        let dot = |i: usize| {
            let row = matrix.row(i).iter().zip(&means).zip(slopes);
            row.map(|((x, m), b)| b * (x - m)).sum()
        };
        (0..matrix.rows).map(dot).collect()
    }

    /// What each covariate adds to β · (x − mean) of one row.
    pub(in crate::clv) fn contributions(&self, row: &[f64], slopes: &[f64]) -> Vec<f64> {
        let mut at = 0;
        let mut out = Vec::with_capacity(self.0.len());
        for covariate in &self.0 {
            let size = covariate.size();
            let part = row[at..at + size].iter().zip(covariate.means()).zip(&slopes[at..at + size]);
            out.push(part.map(|((x, m), b)| b * (x - m)).sum());
            at += size;
        }
        out
    }

    /// A covariate's value in one row, for people.
    pub(in crate::clv) fn shown(&self, covariate: usize, row: &[f64]) -> String {
        let at: usize = self.0.iter().take(covariate).map(Covariate::size).sum();
        match self.0.get(covariate) {
            Some(Covariate::Level { levels, reference, .. }) => {
                let on = levels.iter().zip(&row[at..]).find(|(_, x)| **x != 0.0);
                on.map_or_else(|| reference.clone(), |(level, _)| level.clone())
            }
            Some(Covariate::Number { .. }) => format!("{}", row[at]),
            None => String::new(),
        }
    }

    /// The reference level of each coefficient; empty for numbers.
    pub(in crate::clv) fn references(&self) -> Vec<&str> {
        let mut out = Vec::new();
        for covariate in &self.0 {
            let reference = match covariate {
                Covariate::Number { .. } => "",
                Covariate::Level { reference, .. } => reference.as_str(),
            };
            out.extend(std::iter::repeat_n(reference, covariate.size()));
        }
        out
    }

    /// What a loaded model must satisfy.
    pub(in crate::clv) fn check(&self) -> Result<()> {
        let numbers = |v: &[f64]| v.iter().all(|x| x.abs() <= LARGEST);
        let sound = self.0.iter().all(|c| {
            c.size() > 0
                && c.means().len() == c.size()
                && c.scales().len() == c.size()
                && numbers(c.means())
                && numbers(c.scales())
                && c.scales().iter().all(|s| *s > 0.0)
        });
        if sound && self.size() <= MOST_SLOPES {
            Ok(())
        } else {
            Err(Error::model_file("its covariates lack means or scales; fit and save the model again"))
        }
    }
}

fn constant(name: &str) -> Error {
    Error::column(name, "is the same in every row, so it explains nothing: leave it out")
}

/// Codes of groups in the order of their labels, and the labels; one group
/// with an empty label where there is no column.
pub(super) fn sorted_groups(names: Option<&Names>, rows: usize) -> (Vec<u32>, Vec<String>) {
    let Some(names) = names else { return (vec![0; rows], vec![String::new()]) };
    let mut used = vec![false; names.labels.len()];
    for code in &names.codes {
        if let Some(used) = used.get_mut(*code as usize) {
            *used = true;
        }
    }
    let mut order: Vec<u32> = (0..names.labels.len() as u32).filter(|c| used[*c as usize]).collect();
    order.sort_by(|a, b| match &*names.labels {
        Labels::Int(ints) => ints[*a as usize].cmp(&ints[*b as usize]),
        Labels::Text(_) => names.labels.get(*a).cmp(&names.labels.get(*b)),
    });
    let mut rank = vec![0_u32; names.labels.len()];
    for (place, code) in order.iter().enumerate() {
        rank[*code as usize] = place as u32;
    }
    let codes = names.codes.iter().map(|c| rank[*c as usize]).collect();
    (codes, order.iter().map(|c| names.labels.get(*c).into_owned()).collect())
}

/// Rows of numbers in the order of their first difference.
pub(super) fn by_value(a: &[f64], b: &[f64]) -> Ordering {
    let differs = a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne());
    differs.unwrap_or(Ordering::Equal)
}

/// The customers, or the numbers of rows of the frame, of these places.
pub(super) fn who(table: Table, customer: Option<&Names>, row: &[i64], places: &[usize]) -> Table {
    match customer {
        Some(names) => {
            let codes = places.iter().map(|i| names.codes[*i]).collect();
            table.with("customer", Values::Names(Names { codes, labels: names.labels.clone() }))
        }
        None => table.with("row", Values::I64(places.iter().map(|i| row[*i]).collect())),
    }
}
