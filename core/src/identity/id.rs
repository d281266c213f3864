//! Customer ids.
//!
//! A customer is named after its founder, the identifier that was seen first:
//! `c_` and the first 96 bits of SipHash-2-4-128 over the length of the
//! namespace (8 bytes, little-endian), the namespace and the value, in
//! hexadecimal. The key is the SipHash of the rules' salt under a zero key.
//! A thousand million customers share an id with a chance of one in 10¹¹.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

/// Names customers.
#[derive(Clone, Debug)]
pub(super) struct Namer {
    hasher: SipHasher24,
}

/// A customer id as a number.
pub(super) type Id = u128;

impl Namer {
    pub(super) fn new(salt: &str) -> Self {
        let mut hasher = SipHasher24::new_with_keys(0, 0);
        hasher.write(salt.as_bytes());
        let key = hasher.finish128();
        Self { hasher: SipHasher24::new_with_keys(key.h1, key.h2) }
    }

    pub(super) fn id(&self, namespace: &str, value: &str) -> Id {
        let mut hasher = self.hasher;
        hasher.write(&(namespace.len() as u64).to_le_bytes());
        hasher.write(namespace.as_bytes());
        hasher.write(value.as_bytes());
        hasher.finish128().as_u128() >> 32
    }
}

pub(super) fn text(id: Id) -> String {
    ascii(id).map(char::from).iter().collect()
}

/// The text of an id.
pub(super) fn ascii(id: Id) -> [u8; 26] {
    let mut digits = *b"c_000000000000000000000000";
    for (i, digit) in digits.iter_mut().rev().take(24).enumerate() {
        *digit = b"0123456789abcdef"[(id >> (4 * i)) as usize & 15];
    }
    digits
}

/// The number of an id; `None` for text that is no id.
pub(super) fn parse(text: &str) -> Option<Id> {
    let digits = text.strip_prefix("c_")?;
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (digits.len() == 24 && digits.bytes().all(lower)).then(|| Id::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_forever() {
        let id = Namer::new("").id("email", "a@x.org");
        assert_eq!(text(id), "c_f70fe3846279a6953a213fc3");
        assert_eq!(parse(&text(id)), Some(id));
        assert_ne!(Namer::new("salt").id("email", "a@x.org"), id);
        assert_ne!(Namer::new("").id("emai", "la@x.org"), id);
    }

    #[test]
    fn other_text_is_no_id() {
        for wrong in ["", "c_", "c_1", "c_+00000000000000000000001", "c_00000000000000000000000G", "é_"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
