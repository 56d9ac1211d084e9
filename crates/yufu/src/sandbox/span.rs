//! Spans of time as people write them: `90s`, `5m`, `2h`, `31d`, `-5m`, `1h30m`.

use yufu_core::time::Lifetime;

/// What to write instead of something that is no span.
pub const REMEDY: &str = "write a number with s, m, h or d behind it: 90s, 5m, 2h, 31d, -5m, 1h30m";

/// The longest span either way: ten years.
const MOST: i64 = 3660 * 86_400_000;

/// Reads a span of time.
///
/// # Errors
/// What is wrong with it, to be read after its name.
pub fn read(text: &str) -> Result<Lifetime, String> {
    let wrong = || format!("is \"{}\", which is no span of time", text.escape_debug());
    let (sign, mut rest) = match text.trim().split_at_checked(1) {
        Some(("-", rest)) => (-1, rest),
        Some(("+", rest)) => (1, rest),
        _ => (1, text.trim()),
    };
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut millis: i64 = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let each = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let number: i64 = number.parse().map_err(|_| wrong())?;
        millis = millis.saturating_add(number.saturating_mul(each));
        rest = after;
    }
    if millis > MOST {
        return Err(format!(
            "is \"{}\", which is more than ten years",
            text.escape_debug()
        ));
    }
    Ok(Lifetime::from_millis(sign * millis))
}

/// Writes a span in its largest whole units: `2h`, `1h30m`, `-5m`, `0s`.
pub fn write(span: Lifetime) -> String {
    let sign = if span.millis() < 0 { "-" } else { "" };
    let mut left = span.millis().unsigned_abs();
    let mut text = String::new();
    for (unit, each) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ] {
        let whole = left / each;
        left %= each;
        if whole > 0 {
            text.push_str(&format!("{whole}{unit}"));
        }
    }
    if text.is_empty() {
        return "0s".to_owned();
    }
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_every_unit_and_both_ways() {
        for (text, millis) in [
            ("90s", 90_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("31d", 31 * 86_400_000),
            ("181d", 181 * 86_400_000),
            ("-5m", -300_000),
            ("+5m", 300_000),
            ("1h30m", 5_400_000),
            ("-1d12h", -129_600_000),
            ("250ms", 250),
            (" 0s ", 0),
            ("3660d", MOST),
        ] {
            assert_eq!(read(text), Ok(Lifetime::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "-",
            "5",
            "m",
            "5x",
            "5 m",
            "1.5h",
            "--5m",
            "5m-",
            "5M",
            "٣m",
            "梅",
            "99999999999999999999s",
        ] {
            assert!(
                read(text).unwrap_err().ends_with("no span of time"),
                "{text}"
            );
        }
        assert!(read("3661d").unwrap_err().ends_with("ten years"));
        assert!(
            read("9223372036854775807d")
                .unwrap_err()
                .ends_with("ten years")
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["2h", "1h30m", "-5m", "0s", "31d", "1d1h1m1s1ms", "-250ms"] {
            assert_eq!(write(read(text).unwrap()), text);
        }
    }
}
