//! Damage to the text of a dump: what a broken disk, a broken pipe or another version of the compiler could do to it.
//!
//! It knows lines and words and nothing of what they mean. Used by `fuzz_text.rs`.

use super::dice::Dice;

/// What is put in place of something else, besides words of other lines.
const STRANGE: [&str; 28] = [
    "",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    "\"",
    "'",
    "\\",
    ";",
    "::",
    " as ",
    " -> ",
    "// scope 0 at ",
    "\n}\n",
    "\n",
    "bb0",
    "bb4294967296",
    "_0",
    "_99999999999999999999",
    "18446744073709551616",
    "asm!(\"",
    "const {alloc9: &u8}",
    "é",
    "{closure@",
];

/// One of `choices`.
fn any<'c, T>(dice: &mut Dice, choices: &'c [T]) -> &'c T {
    &choices[dice.below(choices.len())]
}

/// The text with one to three kinds of damage.
pub fn damage(dice: &mut Dice, text: &str, other: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..=dice.below(3) {
        text = match dice.below(9) {
            0 => without_lines(dice, &text),
            1 => with_line_of(dice, &text, other),
            2 => with_swapped_lines(dice, &text),
            3 | 4 => with_other_word(dice, &text, other),
            5 => with_strange(dice, &text),
            6 => with_other_byte(dice, &text),
            7 => with_other_number(dice, &text),
            _ => cut(dice, &text),
        };
    }
    text
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn without_lines(dice: &mut Dice, text: &str) -> String {
    let mut lines = lines(text);
    let at = dice.below(lines.len() + 1);
    let end = (at + 1 + dice.below(3)).min(lines.len());
    lines.drain(at.min(end)..end);
    lines.concat()
}

fn with_line_of(dice: &mut Dice, text: &str, other: &str) -> String {
    let mut lines = lines(text);
    let source = if dice.below(2) == 0 { text } else { other };
    let new = source.split_inclusive('\n').nth(dice.below(source.lines().count() + 1)).unwrap_or_default();
    lines.insert(dice.below(lines.len() + 1), new);
    lines.concat()
}

fn with_swapped_lines(dice: &mut Dice, text: &str) -> String {
    let mut lines = lines(text);
    let (a, b) = (dice.below(lines.len().max(1)), dice.below(lines.len().max(1)));
    if a < lines.len() && b < lines.len() {
        lines.swap(a, b);
    }
    lines.concat()
}

/// Where words and what stands between them begin and end.
fn words(text: &str) -> Vec<(usize, usize)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut bounds = vec![0];
    let mut last = None;
    for (at, c) in text.char_indices() {
        if last.is_some_and(|last| last != is_word(c)) {
            bounds.push(at);
        }
        last = Some(is_word(c));
    }
    bounds.push(text.len());
    bounds.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// A random line, so that finding its words does not cost the whole text.
fn a_line(dice: &mut Dice, text: &str) -> (usize, usize) {
    let at = text.floor_char_boundary(dice.below(text.len() + 1));
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    (start, end)
}

fn with_other_word(dice: &mut Dice, text: &str, other: &str) -> String {
    let (start, end) = a_line(dice, text);
    let (from, to) = *any(dice, &words(&text[start..end]));
    let source = if dice.below(2) == 0 { text } else { other };
    let (new_start, new_end) = a_line(dice, source);
    let line = &source[new_start..new_end];
    let (new_from, new_to) = *any(dice, &words(line));
    let new = if dice.below(4) == 0 { "" } else { &line[new_from..new_to] };
    [&text[..start + from], new, &text[start + to..]].concat()
}

fn with_strange(dice: &mut Dice, text: &str) -> String {
    let at = text.floor_char_boundary(dice.below(text.len() + 1));
    let times = [1, 1, 1, 1, 3, 200][dice.below(6)];
    [&text[..at], &any(dice, &STRANGE).repeat(times), &text[at..]].concat()
}

fn with_other_byte(dice: &mut Dice, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    if !bytes.is_empty() {
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn with_other_number(dice: &mut Dice, text: &str) -> String {
    let digits: Vec<usize> = (0..text.len()).filter(|at| text.as_bytes()[*at].is_ascii_digit()).collect();
    if digits.is_empty() {
        return text.to_owned();
    }
    let at = *any(dice, &digits);
    let new = ["0", "1", "9", "13", "4294967295", ""][dice.below(6)];
    [&text[..at], new, &text[at + 1..]].concat()
}

fn cut(dice: &mut Dice, text: &str) -> String {
    text[..text.floor_char_boundary(dice.below(text.len() + 1))].to_owned()
}
