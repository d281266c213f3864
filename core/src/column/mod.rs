//! Columns in, columns out.
//!
//! The pillars work on dense `u32` codes, `i64` microseconds and `f64`
//! amounts. This floor makes them from whatever the caller has, checks them,
//! and counts what it drops.

mod amount;
#[cfg(feature = "arrow")]
mod arrow;
mod data;
mod dedupe;
mod duration;
mod flaw;
mod intake;
mod intern;
mod names;
mod runs;
mod stored;
mod strings;
mod table;
mod time;

pub(crate) use amount::check_sum;
#[cfg(feature = "arrow")]
pub use arrow::ColumnsBuilder;
pub(crate) use data::Cells;
pub use data::{Columns, Data, Kind};
pub(crate) use dedupe::Rows;
pub use duration::{DAY, Duration};
pub use intake::{DropReason, Dropped, Intake, Kept, OnInvalid, Sign, names_together};
pub use intern::{intern, intern_ints};
pub use names::{Labels, NULL, Names, Text};
pub(crate) use runs::{Coded, Keys, ends, int_runs, ints};
pub(crate) use stored::Stored;
pub(crate) use strings::Strings;
pub use table::{Column, Table, Tables, Values};
pub use time::{MAX_TIME, MIN_TIME, TimeUnit, parse_time};
pub(crate) use time::{civil, days, written};
