//! What the gateways' signatures are made of: hashes, escapes and calendar days.

use aws_lc_rs::{digest, hmac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use yufu_core::time::Timestamp;

/// Everything but the unreserved characters of RFC 3986 §2.3 is escaped: a blank is `%20`, a star
/// `%2A`, a tilde stays.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const DAY: i64 = 86_400;
/// Receipts tell the time of Beijing, eight hours ahead.
const BEIJING: i64 = 8 * 3600;

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

pub(super) fn hmac_sha256(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

pub(super) fn hmac_sha1(key: &[u8], text: &str) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    hmac::sign(&key, text.as_bytes())
}

pub(super) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A query with its parameters in order of their names.
pub(super) fn sorted_query(mut params: Vec<(&str, String)>) -> String {
    params.sort_unstable();
    let pairs = params
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The day in UTC: `2026-11-21`.
pub(super) fn day(at: Timestamp) -> String {
    // Counted in eras of 400 years that begin in March: leap days come last.
    let days = at.seconds().div_euclid(DAY) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + i64::from(month < 3);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The second in UTC, as ISO 8601 has it: `2026-11-21T10:42:07Z`.
pub(super) fn iso(at: Timestamp) -> String {
    let second = at.seconds().rem_euclid(DAY);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{}T{hour:02}:{minute:02}:{:02}Z", day(at), second % 60)
}

/// Reads the time of Beijing: `2026-11-21 18:42:07`.
pub(super) fn beijing(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.trim().split_once(' ')?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let sound = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let from_march = (month + 9) % 12;
    let year = year - i64::from(month < 3);
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    let seconds = days * DAY + hour * 3600 + minute * 60 + second - BEIJING;
    sound.then(|| Timestamp::from_seconds(seconds))
}

/// Three numbers of few digits.
fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let number = |text: &str| {
        let digits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    let read: Option<Vec<i64>> = text.split(between).map(number).collect();
    read?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_are_the_calendars() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_551_113_065, "2019-02-25T16:44:25Z"),
            (1_698_315_752, "2023-10-26T10:22:32Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(iso(Timestamp::from_seconds(seconds)), text);
        }
    }

    #[test]
    fn beijing_is_eight_hours_ahead() {
        let at = Timestamp::from_seconds(1_551_113_065);
        assert_eq!(beijing("2019-02-26 00:44:25"), Some(at));
        assert_eq!(
            beijing("1970-01-01 08:00:00"),
            Some(Timestamp::from_seconds(0))
        );
        for bad in [
            "",
            "2019-02-26",
            "2019-02-26T00:44:25Z",
            "2019-13-26 00:44:25",
            "2019-02-26 24:44:25",
            "2019-02-26 00:44",
            "2019-02-26 00:44:25:1",
            "99999-02-26 00:44:25",
            "-019-02-26 00:44:25",
        ] {
            assert_eq!(beijing(bad), None, "{bad}");
        }
    }

    #[test]
    fn queries_are_sorted_and_escaped_after_rfc_3986() {
        let params = vec![
            ("b", "a b*~/梅".to_owned()),
            ("B", String::new()),
            ("a", "1".to_owned()),
        ];
        assert_eq!(sorted_query(params), "B=&a=1&b=a%20b%2A~%2F%E6%A2%85");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0i64..253_402_200_000) {
            let at = Timestamp::from_seconds(seconds);
            let ahead = Timestamp::from_seconds(seconds + BEIJING);
            let text = iso(ahead).replace('T', " ").replace('Z', "");
            prop_assert_eq!(beijing(&text), Some(at));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9: -]{0,24}|\\PC{0,24}") {
            let _ = beijing(&text);
        }
    }
}
