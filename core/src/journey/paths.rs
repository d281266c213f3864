//! Path texts cut into tokens.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::quality::RandomState;

use crate::column::{Data, Kind, Labels, NULL, Rows, Strings, Text};
use crate::run::{CHUNK, Run};
use crate::{Error, Result};

/// Texts cut into tokens, [`CHUNK`] of them in a part.
pub(super) struct Parsed {
    pub(super) tokens: Text,
    parts: Vec<Part>,
    /// Where the steps of each part begin.
    bases: Vec<u32>,
}

#[derive(Default)]
struct Part {
    tokens: Text,
    steps: Vec<u32>,
    ends: Vec<u32>,
    broken: Vec<u32>,
    /// The whole's code of each token.
    codes: Vec<u32>,
}

/// Whether the rows of a column are best cut one by one: they are text, and
/// no dictionary says which are equal.
pub(super) fn is_plain(data: &Data) -> bool {
    data.kind() == Kind::Text && data.chunks.iter().all(|chunk| !chunk.is_dictionary())
}

impl Parsed {
    /// Cuts the rows of a column.
    pub(super) fn rows(data: &Data, sep: &str, run: &Run) -> Result<Self> {
        let pieces: Vec<_> = data.chunks.iter().map(Strings::of).collect();
        Self::new(&Rows::new(&pieces), sep, run)
    }

    /// Cuts labels.
    pub(super) fn labels(labels: &Labels, sep: &str, run: &Run) -> Result<Self> {
        let written;
        let text = match labels {
            Labels::Text(text) => text,
            Labels::Int(ints) => {
                written = ints.iter().map(i64::to_string).collect();
                &written
            }
        };
        Self::new(&Rows::new(&[Strings::of_labels(text)]), sep, run)
    }

    fn new(rows: &Rows<'_, Strings<'_>>, sep: &str, run: &Run) -> Result<Self> {
        let mut parts = run.map_chunks("read paths", rows.total(), |range| cut(rows, range, sep))?;
        let mut tokens = Text::new();
        let mut codes: HashMap<String, u32, RandomState> = HashMap::default();
        let mut bases = Vec::with_capacity(parts.len());
        let mut base = 0;
        for part in &mut parts {
            bases.push(base as u32);
            base += part.steps.len();
            if base >= NULL as usize {
                return Err(too_many());
            }
            part.codes = part
                .tokens
                .iter()
                .map(|token| {
                    codes.get(token).copied().unwrap_or_else(|| {
                        let code = tokens.len() as u32;
                        tokens.push(token);
                        codes.insert(token.to_owned(), code);
                        code
                    })
                })
                .collect();
            part.tokens = Text::new();
            run.check()?;
        }
        Ok(Self { tokens, parts, bases })
    }

    /// The texts with an empty step.
    pub(super) fn broken(&self) -> impl Iterator<Item = usize> + '_ {
        let parts = self.parts.iter().enumerate();
        parts.flat_map(|(p, part)| part.broken.iter().map(move |i| p * CHUNK + *i as usize))
    }

    /// Start and length of a text's steps; (0, 0) for none.
    pub(super) fn range(&self, text: usize) -> (u32, u32) {
        let (Some(part), i) = (self.parts.get(text / CHUNK), text % CHUNK) else { return (0, 0) };
        let Some(end) = part.ends.get(i) else { return (0, 0) };
        let start = if i == 0 { 0 } else { part.ends[i - 1] };
        (self.bases[text / CHUNK] + start, end - start)
    }

    /// Marks the tokens of a text.
    pub(super) fn mark(&self, text: usize, used: &mut [bool]) {
        let (start, len) = self.range(text);
        if len > 0 {
            let part = &self.parts[text / CHUNK];
            let start = (start - self.bases[text / CHUNK]) as usize;
            for step in &part.steps[start..start + len as usize] {
                used[part.codes[*step as usize] as usize] = true;
            }
        }
    }

    /// The steps of all texts, in new codes.
    pub(super) fn into_steps(self, recode: &[u32]) -> Vec<u32> {
        let mut steps = Vec::with_capacity(self.parts.iter().map(|p| p.steps.len()).sum());
        for part in self.parts {
            let codes: Vec<u32> = part.codes.iter().map(|c| recode[*c as usize]).collect();
            steps.extend(part.steps.iter().map(|s| codes[*s as usize]));
        }
        steps
    }
}

fn too_many() -> Error {
    Error::column("path", "holds more than four billion steps: aggregate equal paths first")
}

fn cut(rows: &Rows<'_, Strings<'_>>, range: Range<usize>, sep: &str) -> Result<Part> {
    let sep = Separator::new(sep);
    let mut tokens = Tokens::new();
    let mut out = Part { ends: Vec::with_capacity(range.len()), ..Part::default() };
    for (i, row) in range.enumerate() {
        let text = rows.get(row).unwrap_or_default();
        let blank = !text.bytes().next().is_some_and(is_ink) && text.trim().is_empty();
        if !blank {
            let mut broken = false;
            let mut from = 0;
            loop {
                let next = sep.find(text.as_bytes(), from);
                let end = next.unwrap_or(text.len());
                let (from_ink, to_ink) = trim(text, from, end);
                broken |= from_ink == to_ink;
                out.steps.push(tokens.code(text, from_ink, to_ink));
                let Some(next) = next else { break };
                from = next + sep.bytes.len();
            }
            if broken {
                out.broken.push(i as u32);
            }
            if out.steps.len() >= NULL as usize {
                return Err(too_many());
            }
        }
        out.ends.push(out.steps.len() as u32);
    }
    out.tokens = tokens.list;
    Ok(out)
}

/// An ASCII character that is no white space.
fn is_ink(byte: u8) -> bool {
    byte > b' ' && byte < 0x80
}

/// `str::trim` of a stretch of text.
fn trim(text: &str, mut from: usize, mut to: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    while from < to && bytes[from] == b' ' {
        from += 1;
    }
    while from < to && bytes[to - 1] == b' ' {
        to -= 1;
    }
    if from == to || (is_ink(bytes[from]) && is_ink(bytes[to - 1])) {
        return (from, to);
    }
    let rest = &text[from..to];
    let start = from + (rest.len() - rest.trim_start().len());
    (start, start + rest.trim().len())
}

/// Finds a separator by its first byte that is no space, eight bytes at a time.
struct Separator<'a> {
    bytes: &'a [u8],
    pivot: usize,
}

impl<'a> Separator<'a> {
    fn new(sep: &'a str) -> Self {
        let bytes = sep.as_bytes();
        Self { bytes, pivot: bytes.iter().position(|b| *b > b' ').unwrap_or(0) }
    }

    /// Where it next begins, at `from` or later.
    fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        const ONES: u64 = 0x0101_0101_0101_0101;
        let byte = self.bytes[self.pivot];
        let pattern = ONES * u64::from(byte);
        let mut at = from + self.pivot;
        let found = |at: usize| {
            let start = at - self.pivot;
            let there = text.get(start..start + self.bytes.len())?;
            there.iter().zip(self.bytes).all(|(a, b)| a == b).then_some(start)
        };
        while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let x = u64::from_le_bytes(*word) ^ pattern;
            // The lowest bit set is that of the first zero byte.
            let zeros = x.wrapping_sub(ONES) & !x & (ONES << 7);
            if zeros == 0 {
                at += 8;
                continue;
            }
            at += zeros.trailing_zeros() as usize / 8;
            match found(at) {
                None => at += 1,
                start => return start,
            }
        }
        (at..text.len()).filter(|at| text[*at] == byte).find_map(found)
    }
}

const SLOTS: usize = 512;
const PROBES: usize = 4;

/// A token as up to 16 of its bytes, its length, its code.
#[derive(Clone, Copy)]
struct Slot {
    head: u64,
    tail: u64,
    len: u32,
    code: u32,
}

/// Tokens to codes in first-seen order: a small table that knows the short
/// ones by their bytes alone, before a map of all.
struct Tokens<'a> {
    slots: Vec<Slot>,
    map: HashMap<&'a str, u32, RandomState>,
    list: Text,
}

impl<'a> Tokens<'a> {
    fn new() -> Self {
        let free = Slot { head: 0, tail: 0, len: 0, code: NULL };
        Self { slots: vec![free; SLOTS], map: HashMap::default(), list: Text::new() }
    }

    fn code(&mut self, text: &'a str, from: usize, to: usize) -> u32 {
        let bytes = text.as_bytes();
        let len = to - from;
        let eight = |at: usize| {
            bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()).map(|w| u64::from_le_bytes(*w))
        };
        let short = len.min(8);
        let tail = match to.checked_sub(8).and_then(eight) {
            Some(word) if short > 0 => word >> (64 - 8 * short),
            _ => bytes[from..to].iter().rev().fold(0, |word, b| (word << 8) | u64::from(*b)),
        };
        let head = if len > 8 { eight(from).unwrap_or(0) } else { 0 };
        let hash = (head ^ tail.rotate_left(31) ^ len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let first = (hash >> 40) as usize;
        for probe in 0..PROBES {
            let at = (first + probe) % SLOTS;
            let slot = self.slots[at];
            if slot.code == NULL {
                let code = self.look_up(&text[from..to]);
                self.slots[at] = Slot { head, tail, len: len as u32, code };
                return code;
            }
            let same = slot.head == head
                && slot.tail == tail
                && slot.len as usize == len
                && (len <= 16 || self.list.get(slot.code as usize) == Some(&text[from..to]));
            if same {
                return slot.code;
            }
        }
        self.look_up(&text[from..to])
    }

    fn look_up(&mut self, token: &'a str) -> u32 {
        if let Some(code) = self.map.get(token) {
            return *code;
        }
        let code = self.list.len() as u32;
        self.list.push(token);
        self.map.insert(token, code);
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_as_split_and_trim_do() {
        let texts = [
            "a > b",
            "a>b",
            " > ",
            "a > > b",
            "a >  > b",
            "é > \u{a0}ü\u{a0} > x",
            "\t a \u{b} > b\n",
            "",
            "  ",
            "\u{2003}",
            "a channel of many letters > a channel of many LETTERS > a",
            "abcdefgh > abcdefghi > bcdefghi > h",
            "12345678901234567 > 12345678x01234567 > 1234567890123456",
            ">>a>>>b>",
            "aXYbXYXYc",
        ];
        let many: Vec<String> = (0..3000).map(|i| format!("t{} > t{i}", i * 7919 % 3000)).collect();
        let all: Vec<&str> = texts.iter().copied().chain(many.iter().map(String::as_str)).collect();
        for sep in [" > ", ">", ">>", "XY", " ", "ü", "é > "] {
            let data = Data::from(all.clone());
            let parsed = Parsed::rows(&data, sep, &Run::new()).unwrap();
            let (tokens, broken) = (parsed.tokens.clone(), parsed.broken().collect::<Vec<_>>());
            let ranges: Vec<_> = (0..all.len()).map(|i| parsed.range(i)).collect();
            let steps = parsed.into_steps(&(0..tokens.len() as u32).collect::<Vec<_>>());
            for (i, text) in all.iter().enumerate() {
                let wanted: Vec<&str> = if text.trim().is_empty() {
                    Vec::new()
                } else {
                    text.split(sep).map(str::trim).collect()
                };
                let (start, len) = ranges[i];
                let found: Vec<&str> = steps[start as usize..(start + len) as usize]
                    .iter()
                    .map(|s| tokens.get(*s as usize).unwrap())
                    .collect();
                assert_eq!(found, wanted, "{text:?} by {sep:?}");
                assert_eq!(broken.contains(&i), wanted.contains(&""), "{text:?} by {sep:?}");
            }
        }
    }
}
