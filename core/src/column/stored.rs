//! Columns in model files.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::data::{Cells, Columns, Data};
use super::names::{Labels, NULL, Names, Text};
use crate::{Error, Result};

/// A column as it stands in a file: text as labels and codes, times in
/// microseconds, what is missing as null.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    name: String,
    values: Values,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Values {
    Float(Vec<Option<Number>>),
    Int(Vec<Option<i64>>),
    Time(Vec<Option<i64>>),
    Bool(Vec<Option<bool>>),
    Text { labels: Vec<String>, codes: Vec<Option<u32>> },
    Null(Vec<()>),
}

/// JSON has no infinities; NaN is as good as missing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Infinite(Infinite),
}

#[derive(Debug, Serialize, Deserialize)]
enum Infinite {
    #[serde(rename = "Infinity")]
    Positive,
    #[serde(rename = "-Infinity")]
    Negative,
}

impl Number {
    fn of(value: f64) -> Option<Self> {
        match value {
            v if v.is_nan() => None,
            f64::INFINITY => Some(Self::Infinite(Infinite::Positive)),
            f64::NEG_INFINITY => Some(Self::Infinite(Infinite::Negative)),
            v => Some(Self::Finite(v)),
        }
    }

    fn value(&self) -> f64 {
        match self {
            Self::Finite(value) => *value,
            Self::Infinite(Infinite::Positive) => f64::INFINITY,
            Self::Infinite(Infinite::Negative) => f64::NEG_INFINITY,
        }
    }
}

impl Values {
    fn of(data: &Data) -> Self {
        let data = data.owned();
        let Some(chunk) = data.chunks.first() else { return Self::Null(Vec::new()) };
        let there = |row: usize| chunk.valid.at(row);
        fn listed<T: Copy>(values: &[T], there: impl Fn(usize) -> bool) -> Vec<Option<T>> {
            values.iter().enumerate().map(|(row, value)| there(row).then_some(*value)).collect()
        }
        match &chunk.cells {
            Cells::F64(v) => {
                Self::Float(listed(v, there).into_iter().map(|v| v.and_then(Number::of)).collect())
            }
            Cells::I64(v) => Self::Int(listed(v, there)),
            Cells::Time(v) => Self::Time(listed(v, there)),
            Cells::Bool(v) => Self::Bool(listed(v, there)),
            Cells::Text(text) => {
                let (mut labels, mut known) = (Vec::new(), HashMap::new());
                let code = |(row, text)| {
                    there(row).then(|| {
                        *known.entry(text).or_insert_with(|| {
                            labels.push(str::to_owned(text));
                            labels.len() as u32 - 1
                        })
                    })
                };
                let codes = text.iter().enumerate().map(code).collect();
                Self::Text { labels, codes }
            }
            _ => Self::Null(vec![(); chunk.rows]),
        }
    }

    fn data(self, name: &str) -> Result<Data> {
        Ok(match self {
            Self::Float(v) => {
                let values = v.iter().map(|v| v.as_ref().map(Number::value));
                values.collect::<Vec<Option<f64>>>().into()
            }
            Self::Int(v) => v.into(),
            Self::Time(v) => Data::optional_times(v),
            Self::Bool(v) => v.into(),
            Self::Text { labels, codes } => {
                if codes.iter().flatten().any(|code| *code as usize >= labels.len()) {
                    return Err(Error::column(name, "has a code without a label"));
                }
                let codes = codes.into_iter().map(|code| code.unwrap_or(NULL)).collect();
                Names { codes, labels: Arc::new(Labels::Text(labels.iter().collect::<Text>())) }.into()
            }
            Self::Null(v) => Data::nulls(v.len()),
        })
    }
}

impl Stored {
    /// The columns of a frame.
    pub(crate) fn of(columns: &Columns) -> Vec<Self> {
        columns.iter().map(|(name, data)| Self { name: name.to_owned(), values: Values::of(data) }).collect()
    }

    /// The frame again.
    pub(crate) fn columns(stored: Vec<Self>) -> Result<Columns> {
        let mut out = Columns::new();
        for Self { name, values } in stored {
            let data = values.data(&name)?;
            out.set(&name, data);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Kind;

    #[test]
    fn every_kind_of_column_comes_back() -> Result<()> {
        let columns = Columns::new()
            .with(
                "float",
                vec![Some(0.1), None, Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(f64::NAN)],
            )
            .with("int", vec![Some(i64::MIN), Some(i64::MAX), None, Some(0), Some(1)])
            .with("time", Data::optional_times([Some(-1), None, Some(0), Some(1), Some(2)]))
            .with("bool", vec![Some(true), Some(false), None, None, Some(true)])
            .with("text", vec![Some("b"), Some(""), None, Some("b"), Some("ä")])
            .with("null", Data::nulls(5));
        let text =
            serde_json::to_string(&Stored::of(&columns)).map_err(|e| Error::model_file(e.to_string()))?;
        let stored = serde_json::from_str(&text).map_err(|e| Error::model_file(e.to_string()))?;
        let back = Stored::columns(stored)?;
        for (name, data) in columns.iter() {
            assert_eq!((back.kind(name), back.require(name)?.len()), (Some(data.kind()), 5), "{name}");
        }
        assert_eq!(back.kind("null"), Some(Kind::Null));
        let again =
            serde_json::to_string(&Stored::of(&back)).map_err(|e| Error::model_file(e.to_string()))?;
        assert_eq!(again, text);
        assert!(text.contains(r#"[0.1,null,"Infinity","-Infinity",null]"#), "{text}");
        assert!(text.contains(r#"{"labels":["b","","ä"],"codes":[0,1,null,0,2]}"#), "{text}");
        Ok(())
    }

    #[test]
    fn a_code_without_a_label_is_an_error() {
        let text = r#"[{"name":"channel","values":{"text":{"labels":["a"],"codes":[0,1]}}}]"#;
        let stored: Vec<Stored> = serde_json::from_str(text).unwrap_or_default();
        assert_eq!(stored.len(), 1);
        assert!(Stored::columns(stored).is_err());
    }
}
