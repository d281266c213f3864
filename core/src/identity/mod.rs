//! Who is this? Identifiers stitched into customers.
