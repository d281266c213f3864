//! A market whose truth is known.
