//! The one error type, and the stable codes that Python and Node share.

/// What can go wrong, one variant for each kind of remedy.
///
/// [`Error::code`] is the contract of all three languages: Python raises a
/// subclass of `HeadwaterError` for each code, Node throws an `Error` whose
/// `code` is it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A column is missing, or is of a type that its role cannot take.
    #[error("column `{column}`: {reason}")]
    Column {
        /// The column's name as the caller gave it.
        column: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Some rows of a column hold values that the role cannot take.
    #[error("column `{column}`, row {row}: {reason} ({count} such row{s}; pass on_invalid=\"drop\" to drop and count them)", s = if *.count == 1 { "" } else { "s" })]
    Row {
        /// The column's name.
        column: String,
        /// The first such row, counted from 0.
        row: u64,
        /// What is wrong with the value.
        reason: String,
        /// How many rows are like it.
        count: u64,
    },
    /// The same in a frame whose rows are not dropped, such as one of segments
    /// or of credits.
    #[error("column `{column}`, row {row}: {reason} ({count} such row{s})", s = if *.count == 1 { "" } else { "s" })]
    Unfit {
        /// The column's name.
        column: String,
        /// The first such row, counted from 0.
        row: u64,
        /// What is wrong with the value.
        reason: String,
        /// How many rows are like it.
        count: u64,
    },
    /// An option has a value that it cannot take.
    #[error("option `{option}`: {reason}")]
    Option {
        /// The option's name.
        option: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// An iteration stopped without an answer that can be trusted.
    #[error(
        "{model} did not converge after {iterations} iterations (gradient norm {gradient_norm:.3e}): {hint}"
    )]
    NotConverged {
        /// The model.
        model: &'static str,
        /// Iterations done.
        iterations: usize,
        /// Norm of the gradient where it stopped.
        gradient_norm: f64,
        /// What to try.
        hint: String,
    },
    /// The data holds nothing that the model could be estimated from.
    #[error("{reason}")]
    NotEnoughData {
        /// What is missing, and what to do.
        reason: String,
    },
    /// A model file is damaged, of another kind, or from a newer version.
    #[error("model file: {reason}")]
    ModelFile {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The caller asked the work to stop.
    #[error("the work was cancelled")]
    Cancelled,
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The stable code of the error's kind.
    ///
    /// ```
    /// assert_eq!(headwater::Error::Cancelled.code(), "HW_CANCELLED");
    /// ```
    pub fn code(&self) -> &'static str {
        match self {
            Self::Column { .. } => "HW_COLUMN",
            Self::Row { .. } | Self::Unfit { .. } => "HW_ROW",
            Self::Option { .. } => "HW_OPTION",
            Self::NotConverged { .. } => "HW_NOT_CONVERGED",
            Self::NotEnoughData { .. } => "HW_NOT_ENOUGH_DATA",
            Self::ModelFile { .. } => "HW_MODEL_FILE",
            Self::Cancelled => "HW_CANCELLED",
            Self::Io { .. } => "HW_IO",
        }
    }

    /// An [`Error::Column`].
    pub fn column(column: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Column { column: column.into(), reason: reason.into() }
    }

    /// An [`Error::Option`].
    pub fn option(option: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Option { option: option.into(), reason: reason.into() }
    }

    /// The same of one customer that was asked about, whose numbers are options and no rows of a frame.
    pub(crate) fn of_one(self) -> Self {
        match self {
            Self::Row { column, reason, .. } | Self::Unfit { column, reason, .. } => {
                Self::option(column, reason)
            }
            other => other,
        }
    }

    /// Of a frame whose rows are not dropped: an [`Error::Row`] gives no remedy
    /// that there is not.
    pub(crate) fn undroppable(self) -> Self {
        match self {
            Self::Row { column, row, reason, count } => Self::Unfit { column, row, reason, count },
            other => other,
        }
    }

    /// An [`Error::ModelFile`].
    pub fn model_file(reason: impl Into<String>) -> Self {
        Self::ModelFile { reason: reason.into() }
    }

    /// An [`Error::NotEnoughData`].
    pub fn not_enough_data(reason: impl Into<String>) -> Self {
        Self::NotEnoughData { reason: reason.into() }
    }
}
