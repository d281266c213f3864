//! Taking several channels out together, or a sequence of them.

use serde::{Deserialize, Serialize};

use super::removal::{Cut, Pair, Walks, of_journeys};
use super::{Markov, MarkovModel, Removal};
use crate::column::{Table, Text, Values};
use crate::journey::Repeats;
use crate::run::Run;
use crate::{Error, Result};

/// Options of the report `joint_effects`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JointOptions {
    /// Sets of channels to remove together.
    pub sets: Vec<Vec<String>>,
    /// Sequences of two or more channels to remove, each touched right after
    /// the one before it.
    pub sequences: Vec<Vec<String>>,
}

impl MarkovModel {
    /// The effects of removing several channels at once, by the model's own
    /// removal: kind ("set" or "sequence"), channels (joined by `" + "`, or by
    /// `" > "` in a sequence), removal_effect, removal_effect_value (missing
    /// where no value is known), sum_of_effects (of the channels one by one;
    /// missing for sequences).
    ///
    /// A set removed by `null` sends every state with one of its channels to
    /// null; where the joint effect is less than the sum, the channels stand
    /// in for each other. A sequence removed by `null` loses a walk at the
    /// moment it completes the sequence: at a state that shows it, or at the
    /// transition into its last channel. So a chain of order k knows sequences
    /// of up to k + 1 channels.
    ///
    /// Errors: [`Error::Option`] for no set and no sequence, an unknown
    /// channel, a sequence too long for the order, one that repeats a channel
    /// where repeats are collapsed, and sequences where removal is defined on
    /// journeys (`skip`, `fail`, `fail_refit`).
    pub fn joint_effects(&self, options: &JointOptions, run: &Run) -> Result<Table> {
        if options.sets.is_empty() && options.sequences.is_empty() {
            return Err(Error::option("sets", "name at least one set or sequence of channels"));
        }
        let chain = self.chain();
        run.stage("remove together", (options.sets.len() + options.sequences.len()) as u64)?;
        let walks = Walks::new(&chain, run)?;
        let removal = self.markov.removal;
        let (mut kind, mut channels) = (Text::new(), Text::new());
        let (mut effects, mut sums) = (Vec::new(), Vec::new());
        for set in &options.sets {
            let mut codes = self.codes("sets", set)?;
            codes.sort_unstable();
            codes.dedup();
            kind.push("set");
            channels.push(&set.join(" + "));
            effects.push(match (&walks, &self.sets) {
                (_, Some(all)) => of_journeys(removal, all, &codes),
                (Some(walks), None) => walks.effect(removal, &Cut::Channels(&codes), run)?,
                (None, None) => [0.0; 2],
            });
            sums.push(Some(codes.iter().map(|c| self.removal_effects[*c as usize]).sum()));
            run.advance(1)?;
        }
        for sequence in &options.sequences {
            let codes = self.codes("sequences", sequence)?;
            self.check_sequence(&codes)?;
            kind.push("sequence");
            channels.push(&sequence.join(" > "));
            effects.push(match &walks {
                Some(walks) => walks.effect(removal, &Cut::Sequence(&codes), run)?,
                None => [0.0; 2],
            });
            sums.push(None);
            run.advance(1)?;
        }
        let column = |k: usize| effects.iter().map(move |e: &Pair| e[k]);
        Ok(Table::new()
            .with("kind", Values::Text(kind))
            .with("channels", Values::Text(channels))
            .with("removal_effect", Values::F64(column(0).collect()))
            .with_optional("removal_effect_value", column(1).map(|e| self.has_value.then_some(e)))
            .with_optional("sum_of_effects", sums))
    }

    fn codes(&self, option: &str, labels: &[String]) -> Result<Vec<u32>> {
        if labels.is_empty() {
            return Err(Error::option(option, "holds an empty list of channels"));
        }
        let code = |label: &String| {
            let at = self.channels.iter().position(|c| c == label);
            at.map(|at| at as u32)
                .ok_or_else(|| Error::option(option, format!("there is no channel `{label}` in the model")))
        };
        labels.iter().map(code).collect()
    }

    fn check_sequence(&self, codes: &[u32]) -> Result<()> {
        let refuse = |reason: String| Err(Error::option("sequences", reason));
        let Markov { order, repeats, removal, .. } = self.markov;
        if !matches!(removal, Removal::Null | Removal::Reconnect) {
            return refuse("a sequence can be removed by `null` or `reconnect` only".into());
        }
        match codes.len() {
            1 => refuse("a sequence has at least two channels; name one alone in `sets`".into()),
            n if n > order + 1 => {
                refuse(format!("{n} channels in a row need a chain of order {} or more, not {order}", n - 1))
            }
            n if n == order + 1 && repeats == Repeats::Collapse && codes.windows(2).all(|w| w[0] == w[1]) => {
                refuse("repeats are collapsed, so the chain never shows it: fit with repeats=\"keep\"".into())
            }
            _ => Ok(()),
        }
    }
}
