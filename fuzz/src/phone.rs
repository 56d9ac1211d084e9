//! A phone number that was read is read again as itself, however it is spaced.

use yufu_core::user::Phone;

/// Text that may be a number.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(phone) = Phone::parse(&text) else {
        return;
    };
    let written = phone.as_str();
    let digits = written.strip_prefix('+').expect("E.164 begins with a plus");
    assert!((8..=15).contains(&digits.len()) && !digits.starts_with('0'));
    assert!(digits.bytes().all(|b| b.is_ascii_digit()));
    assert_eq!(Phone::parse(written).as_ref(), Ok(&phone));
    assert_eq!(Phone::parse(&format!("00{digits}")).as_ref(), Ok(&phone));
    let spaced: String = written.chars().flat_map(|c| [c, ' ']).collect();
    assert_eq!(Phone::parse(&spaced).as_ref(), Ok(&phone));
    let shown = phone.masked().bytes().filter(u8::is_ascii_digit).count();
    assert!(shown < digits.len(), "nothing is masked in {written}");
}
