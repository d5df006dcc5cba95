//! JSON messages of about 1 KiB, all different, as services exchange them: field names and words
//! that recur, numbers and identifiers that do not.

use std::fmt::Write;

const WORDS: [&str; 32] = [
    "order",
    "shipped",
    "pending",
    "north",
    "harbour",
    "invoice",
    "customer",
    "express",
    "return",
    "warehouse",
    "priority",
    "delivered",
    "route",
    "carrier",
    "weight",
    "volume",
    "discount",
    "season",
    "summer",
    "winter",
    "garden",
    "kitchen",
    "office",
    "blue",
    "green",
    "large",
    "small",
    "steel",
    "wooden",
    "glass",
    "fragile",
    "insured",
];

/// The message with this number.
pub fn message(number: u64) -> String {
    let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..4 {
        random.next();
    }
    let mut text = format!(
        "{{\"id\":\"{:016x}\",\"sequence\":{number},\"time\":\"2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\",\"items\":[",
        random.next(),
        1 + random.below(12),
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60),
        random.below(1000),
    );
    while text.len() < 900 {
        if !text.ends_with('[') {
            text.push(',');
        }
        let word = |random: &mut Random| WORDS[random.below(WORDS.len() as u64) as usize];
        let (first, second) = (word(&mut random), word(&mut random));
        write!(
            text,
            "{{\"sku\":\"{:08X}\",\"name\":\"{first} {second}\",\"quantity\":{},\"price\":{}.{:02}}}",
            random.next() as u32,
            1 + random.below(40),
            random.below(500),
            random.below(100),
        )
        .unwrap();
    }
    write!(
        text,
        "],\"customer\":{{\"name\":\"{} {}\",\"token\":\"{:016x}\"}},\"total\":{}.{:02}}}",
        WORDS[random.below(32) as usize],
        WORDS[random.below(32) as usize],
        random.next(),
        random.below(10_000),
        random.below(100),
    )
    .unwrap();
    text
}

/// The first thousand messages.
pub fn thousand() -> Vec<String> {
    (0..1000).map(message).collect()
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }
}
