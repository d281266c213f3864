//! Who belongs together?
