//! The shared vectors of identity, run as Python and Node run them.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod support;

use headwater::column::{Columns, Table, Values};
use headwater::identity::{
    EvaluateOptions, IdentityGraph, StitchOptions, evaluate, explain_table, normalize_email, normalize_phone,
    stitch,
};
use headwater::{Error, Result, Run, options};
use serde::Deserialize;

/// A path to explain: `[[namespace, identifier], [namespace, identifier]]`.
#[derive(Deserialize)]
struct Explain {
    #[serde(flatten)]
    stitch: serde_json::Value,
    explain: [(String, String); 2],
}

fn text_column(frame: &Columns, name: &str) -> Result<Vec<String>> {
    let run = Run::new();
    let mut intake = headwater::column::Intake::new(frame, headwater::column::OnInvalid::Error, &run);
    let names = intake.optional_names(name)?;
    Ok((0..names.len()).map(|i| names.get(i).unwrap_or_default().into_owned()).collect())
}

#[test]
fn vectors() {
    support::run_vectors("identity", |call, frames, json, run| {
        let frame = |name: &str| frames.get(name).cloned().unwrap_or_default();
        Ok(match call {
            "stitch" => {
                let people = stitch(&frame("events"), &options::parse::<StitchOptions>(json)?, run)?;
                vec![
                    ("customers", people.customers()),
                    ("assign", people.assign_table()),
                    ("refused", people.refused()),
                    ("blocked", people.blocked()),
                    ("sizes", people.sizes()),
                    ("dropped", people.dropped().table()),
                ]
            }
            "identity_graph" => {
                let options: StitchOptions = options::parse(json)?;
                let mut graph = IdentityGraph::new(&options.rules)?;
                graph.extend(&frame("events"), &options, run)?;
                vec![("customers", graph.customers()), ("refused", graph.refused())]
            }
            "explain" => {
                let Explain { stitch: rest, explain: [a, b] } =
                    serde_json::from_str(json).map_err(|e| Error::option("explain", e.to_string()))?;
                let people =
                    stitch(&frame("events"), &options::parse::<StitchOptions>(&rest.to_string())?, run)?;
                let links = people.explain((&a.0, &a.1), (&b.0, &b.1)).unwrap_or_default();
                vec![("explain", explain_table(&links))]
            }
            "pairwise" => {
                let options: EvaluateOptions = options::parse(json)?;
                vec![("scores", evaluate(&frame("rows"), &options, run)?.table())]
            }
            "normalize" => {
                // A value that is none is written as an empty text.
                let column = |values: Vec<String>, f: &dyn Fn(&str) -> Option<String>| {
                    Values::Text(values.iter().map(|v| f(v).unwrap_or_default()).collect())
                };
                let emails = text_column(&frame("values"), "email")?;
                let phones = text_column(&frame("values"), "phone")?;
                let table = Table::new()
                    .with("email", column(emails.clone(), &|v| normalize_email(v, false)))
                    .with("gmail", column(emails, &|v| normalize_email(v, true)))
                    .with("phone", column(phones, &|v| normalize_phone(v, Some("GB"))));
                vec![("values", table)]
            }
            other => panic!("no such call: {other}"),
        })
    });
}
