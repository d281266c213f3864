//! Cells of tables, and what attribution is asked with.

use headwater::attribution::{AttributeOptions, Markov, Model, Shapley};
use headwater::column::{Columns, Table};

pub fn floats<'a>(table: &'a Table, column: &str) -> &'a [f64] {
    table.f64s(column).unwrap_or_else(|| panic!("no {column} in {table:?}"))
}

pub fn row(table: &Table, key: &[(&str, &str)]) -> usize {
    (0..table.rows())
        .find(|r| key.iter().all(|(c, v)| table.text(c, *r).as_deref() == Some(*v)))
        .unwrap_or_else(|| panic!("no {key:?} in {table:?}"))
}

pub fn cell(table: &Table, key: &[(&str, &str)], column: &str) -> f64 {
    floats(table, column)[row(table, key)]
}

pub fn options(models: &[Model], bootstrap: usize) -> AttributeOptions {
    AttributeOptions { models: models.to_vec(), bootstrap, ..AttributeOptions::default() }
}

pub fn rules() -> Vec<Model> {
    vec![
        Model::First,
        Model::Last,
        Model::Linear,
        Model::PositionBased { first: 0.4, last: 0.4 },
        Model::Shapley(Shapley::default()),
        Model::Markov(Markov::default()),
    ]
}

pub fn tests_frame(rows: &[(&str, f64, f64)]) -> Columns {
    Columns::new()
        .with("channel", rows.iter().map(|r| r.0.to_owned()).collect::<Vec<_>>())
        .with("effect", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .with("standard_error", rows.iter().map(|r| r.2).collect::<Vec<_>>())
}
