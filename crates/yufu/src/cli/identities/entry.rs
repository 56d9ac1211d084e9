//! What a row means: an identity and a number that may be stored, and what is wrong with the rest.

use std::collections::BTreeMap;

use yufu_core::id::{ClientId, Number, UserId};
use yufu_core::identity::{Identity, IdentityKey, IdentityStatus, Person, Provider};
use yufu_core::secret::SecretHash;
use yufu_core::time::Timestamp;
use yufu_core::user::Phone;

use super::shape::Row;

/// The app of keys that no app is known of. No appid is called so.
pub(crate) const UNKEYED: &str = "unkeyed";

/// Ids of imported accounts have this many bits: they lie below every id that was ever drawn (the
/// milliseconds of 2005), so nobody who signs up later gets one of them.
const ID_BITS: u32 = 61;
/// Of an old id that is a number, this many are the number itself.
const NUMBER_BITS: u32 = 38;
/// Set in the ids of numbers, clear in those of all else.
const IS_NUMBER: u64 = 1 << (ID_BITS - 1);

/// The account of an old user id. The same rows lead to the same account however often and in
/// whatever order they come: that is what makes an import repeatable.
///
/// Numbers, which most projects have, are kept: two of one source can never meet, and an export in
/// their order is written in order. What is in front of a slash belongs to the source. Any other
/// id is a hash: of ten million, two meet once in twenty thousand imports, and then the second
/// one's keys and number are complained of instead of given to the first.
pub(crate) fn account_of(source: &str, user: &str) -> UserId {
    let (part, last) = user.rsplit_once('/').unwrap_or(("", user));
    let number = last.parse::<u64>().ok();
    let number = number.filter(|it| it >> NUMBER_BITS == 0 && it.to_string() == last);
    let bits = match number {
        Some(number) => {
            let source = digest(&["number", source, part]) >> (64 - (ID_BITS - 1 - NUMBER_BITS));
            IS_NUMBER | (source << NUMBER_BITS) | number
        }
        None => digest(&["text", source, user]) >> (64 - (ID_BITS - 1)),
    };
    UserId(Number(bits.max(1)))
}

fn digest(parts: &[&str]) -> u64 {
    let hash = SecretHash::of(parts.join("\n").as_bytes()).0;
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Whether an account was made by an import.
pub(crate) const fn is_imported(id: UserId) -> bool {
    id.0.0 >> ID_BITS == 0
}

/// In which Open Platform account an app's unionids mean something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scopes {
    /// By appid: as the command line says, or else the settings.
    pub(crate) of_app: BTreeMap<String, String>,
    /// Of every other app.
    pub(crate) of_all: Option<String>,
}

impl Scopes {
    /// The account of an app.
    pub(crate) fn of(&self, appid: &str) -> Option<&str> {
        self.of_app
            .get(appid)
            .or(self.of_all.as_ref())
            .map(String::as_str)
    }
}

/// What may be wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    /// It is no row.
    Broken,
    /// It does not say whose it is.
    NoUser,
    /// Another platform than ours.
    Provider,
    /// An openid without its app.
    NoApp,
    /// An app without an openid.
    NoOpenid,
    /// A key that cannot be one.
    BadKey,
    /// No phone number.
    BadPhone,
    /// No time.
    BadTime,
    /// A unionid, and no account in which it means anything.
    NoAccount,
    /// The openid is another account's.
    OpenidTaken,
    /// The unionid is another account's: two accounts of one person.
    UnionidTaken,
    /// The number is another account's.
    PhoneTaken,
    /// The account has another openid at this app.
    OtherOpenid,
    /// The account's identity has another unionid.
    OtherUnionid,
    /// The account has another number.
    OtherPhone,
    /// The account was deleted here.
    Gone,
    /// Nothing was left by which anybody could be known.
    Nothing,
}

impl What {
    /// The word for it, in JSON and files.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::NoUser => "no-user",
            Self::Provider => "provider",
            Self::NoApp => "no-app",
            Self::NoOpenid => "no-openid",
            Self::BadKey => "bad-key",
            Self::BadPhone => "bad-phone",
            Self::BadTime => "bad-time",
            Self::NoAccount => "no-account",
            Self::OpenidTaken => "openid-taken",
            Self::UnionidTaken => "unionid-taken",
            Self::PhoneTaken => "phone-taken",
            Self::OtherOpenid => "other-openid",
            Self::OtherUnionid => "other-unionid",
            Self::OtherPhone => "other-phone",
            Self::Gone => "gone",
            Self::Nothing => "nothing",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Broken => "is no row; left out",
            Self::NoUser => "names no user; left out",
            Self::Provider => "is of another platform; its identity is left out",
            Self::NoApp => {
                "has an openid without its app (give --app NAME=APPID); the openid is left out"
            }
            Self::NoOpenid => "has an app but no openid; its identity is left out",
            Self::BadKey => "has a key that is too long or holds control characters; left out",
            Self::BadPhone => "has a phone number that is none; the number is left out",
            Self::BadTime => "has a time that is none; taken as unknown",
            Self::NoAccount => {
                "has a unionid, and nobody said in which account (give --account NAME); the unionid is left out"
            }
            Self::OpenidTaken => "has an openid that another account has; left out",
            Self::UnionidTaken => {
                "has a unionid that another account has: two accounts of one person; imported beside it"
            }
            Self::PhoneTaken => {
                "has a phone number that another account has; the number is left out"
            }
            Self::OtherOpenid => "is of a user with another openid at this app; left out",
            Self::OtherUnionid => {
                "has another unionid than is known of this openid; the known one stays"
            }
            Self::OtherPhone => "has another phone number than the account; the account's stays",
            Self::Gone => "is of an account that was deleted here; left out",
            Self::Nothing => "leaves nothing that a user could be known by; no account is made",
        }
    }
}

/// Something that is wrong with a row. It names lines and users, never numbers or keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) line: u64,
    pub(crate) user: String,
    pub(crate) what: What,
    /// More about it.
    pub(crate) detail: String,
}

impl Complaint {
    /// The whole sentence.
    pub(crate) fn text(&self) -> String {
        let Self {
            line, user, detail, ..
        } = self;
        let whose = match user.is_empty() {
            true => String::new(),
            false => format!(" (user {user})"),
        };
        let what = match (self.what, detail.as_str()) {
            (What::Broken, detail) => format!("{detail}; left out"),
            (what, "") => what.sentence().to_owned(),
            (what, detail) => format!("{} ({detail})", what.sentence()),
        };
        format!("line {line}{whose}: {what}")
    }
}

/// What a row gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) line: u64,
    pub(crate) user: String,
    pub(crate) identity: Option<Identity>,
    pub(crate) phone: Option<Phone>,
    pub(crate) nickname: String,
    pub(crate) avatar: String,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) seen_at: Option<Timestamp>,
    pub(crate) disabled: bool,
}

/// The most characters of a shown name, as profiles allow.
const MOST_NAME: usize = 64;
/// The most bytes of a picture's address.
const MOST_ADDRESS: usize = 512;
/// The most bytes of an old user id.
const MOST_USER: usize = 256;

/// Judges a row; `None` when it is nobody's.
pub(crate) fn judge(
    row: Row,
    scopes: &Scopes,
    now: Timestamp,
    complain: &mut dyn FnMut(Complaint),
) -> Option<Entry> {
    let mut faults = Vec::new();
    let is_named = !row.user.is_empty() && is_clean(&row.user, MOST_USER);
    let entry = is_named.then(|| read(&row, scopes, now, &mut faults));
    if !is_named {
        faults = vec![What::NoUser];
    }
    for what in faults {
        complain(Complaint {
            line: row.line,
            user: if is_named {
                row.user.clone()
            } else {
                String::new()
            },
            what,
            detail: String::new(),
        });
    }
    entry
}

fn read(row: &Row, scopes: &Scopes, now: Timestamp, faults: &mut Vec<What>) -> Entry {
    let mut time = |text: &str| {
        let at = time_of(text);
        if at.is_none() && !text.is_empty() {
            faults.push(What::BadTime);
        }
        at
    };
    let (created_at, seen_at) = (time(&row.created_at), time(&row.seen_at));
    let phone = match row.phone.as_str() {
        "" => None,
        text => {
            let phone = Phone::parse(text).ok();
            if phone.is_none() {
                faults.push(What::BadPhone);
            }
            phone
        }
    };
    let nickname = match is_name(&row.nickname) {
        true => row.nickname.clone(),
        false => String::new(),
    };
    let is_web = row.avatar.starts_with("https://") || row.avatar.starts_with("http://");
    let avatar = match is_web && is_clean(&row.avatar, MOST_ADDRESS) {
        true => row.avatar.clone(),
        false => String::new(),
    };
    let keyed = key_of(row, scopes, faults);
    let identity = keyed.map(|(key, person)| Identity {
        key,
        person,
        former: Vec::new(),
        status: IdentityStatus::Linked,
        linked_at: created_at.unwrap_or(now),
        nickname: nickname.clone(),
        avatar: avatar.clone(),
    });
    Entry {
        line: row.line,
        user: row.user.clone(),
        identity,
        phone,
        nickname,
        avatar,
        created_at,
        seen_at,
        disabled: row.disabled,
    }
}

/// The key and the person of a row's identity.
fn key_of(
    row: &Row,
    scopes: &Scopes,
    faults: &mut Vec<What>,
) -> Option<(IdentityKey, Option<Person>)> {
    let provider = match row.provider.to_lowercase().as_str() {
        "" => Provider::Wechat,
        word => match Provider::parse(word) {
            Some(provider) => provider,
            None => {
                faults.push(What::Provider);
                return None;
            }
        },
    };
    let keys = [&row.openid, &row.unionid, &row.unsure];
    let is_sound = is_clean(&row.appid, ClientId::MAX_BYTES)
        // It goes into the key of the person, and into complaints and listings.
        && is_clean(&row.account, MOST_USER);
    if keys.iter().any(|key| !is_key(key)) || !is_sound {
        faults.push(What::BadKey);
        return None;
    }
    let account = match row.account.as_str() {
        "" => scopes.of(&row.appid).map(str::to_owned),
        account => Some(account.to_owned()),
    };
    let person = |id: &str| {
        let scope = account.clone()?;
        let id = id.to_owned();
        (!id.is_empty()).then_some(Person {
            provider,
            scope,
            id,
        })
    };
    let (app, subject) = match (row.appid.is_empty(), row.openid.is_empty()) {
        (false, false) => (row.appid.as_str(), &row.openid),
        (is_bare, is_unknown) => {
            if is_bare && !is_unknown {
                faults.push(What::NoApp);
            } else if !is_bare && row.unionid.is_empty() && row.unsure.is_empty() {
                faults.push(What::NoOpenid);
            }
            let key = if row.unionid.is_empty() {
                &row.unsure
            } else {
                &row.unionid
            };
            if key.is_empty() {
                return None;
            }
            (UNKEYED, key)
        }
    };
    let told = if app == UNKEYED {
        subject
    } else {
        &row.unionid
    };
    let person = person(told);
    if person.is_none() && !row.unionid.is_empty() {
        faults.push(What::NoAccount);
    }
    let key = IdentityKey {
        provider,
        app: ClientId::new(app),
        subject: subject.clone(),
    };
    Some((key, person))
}

fn is_clean(text: &str, most: usize) -> bool {
    text.len() <= most && !text.chars().any(char::is_control)
}

fn is_key(text: &str) -> bool {
    is_clean(text, IdentityKey::MAX_SUBJECT_BYTES) && !text.contains(char::is_whitespace)
}

fn is_name(text: &str) -> bool {
    text.chars().count() <= MOST_NAME && !text.chars().any(char::is_control)
}

/// A time as databases and APIs write it: seconds or milliseconds since 1970, or a date with a
/// time of day. One without a zone is taken as UTC: it only decides which account is older.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    if let Ok(number) = text.parse::<i64>() {
        // Seconds have had eleven digits at most, milliseconds have thirteen.
        let is_seconds = number.unsigned_abs() < 100_000_000_000;
        return Some(if is_seconds {
            Timestamp::from_seconds(number)
        } else {
            Timestamp(number)
        });
    }
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    let mut parts = date.split(['-', '/']).map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month);
    if !is_date || !(1..=31).contains(&day) || parts.next().is_some() {
        return None;
    }
    let seconds = seconds_of(time.trim())?;
    Some(Timestamp::from_seconds(
        days_of(year, month, day) * 86_400 + seconds,
    ))
}

/// The seconds of a time of day, and of its zone.
fn seconds_of(time: &str) -> Option<i64> {
    if time.is_empty() {
        return Some(0);
    }
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at_checked(zone_at)?;
    let time = time.trim().split('.').next()?;
    let mut parts = time.split(':').map(|part| part.parse::<i64>().ok());
    let hour = parts.next()??;
    let minute = parts.next()??;
    let second = parts.next().unwrap_or(Some(0))?;
    let is_time =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    let zone = match zone {
        "" | "Z" | "z" => 0,
        zone => {
            let digits = zone.get(1..)?.replace(':', "");
            let hours: i64 = digits.get(..2)?.parse().ok()?;
            let minutes: i64 = digits
                .get(2..)
                .filter(|rest| !rest.is_empty())
                .map_or(Some(0), |rest| rest.parse().ok())?;
            let is_zone = (0..24).contains(&hours) && (0..60).contains(&minutes);
            if !is_zone {
                return None;
            }
            let distance = hours * 3600 + minutes * 60;
            if zone.starts_with('-') {
                -distance
            } else {
                distance
            }
        }
    };
    is_time.then_some(hour * 3600 + minute * 60 + second - zone)
}

/// Days from 1970 to a date of the Gregorian calendar, counted in years that begin in March, so
/// that the leap day is the last.
const fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let of_march = if month > 2 { month - 3 } else { month + 9 };
    let leaps = year / 4 - year / 100 + year / 400;
    // 719 468 days lie between March of the year 0 and 1970.
    365 * year + leaps + (153 * of_march + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn judged(row: Row) -> (Option<Entry>, Vec<What>) {
        let scopes = Scopes {
            of_app: BTreeMap::from([("wxsouth".to_owned(), "south".to_owned())]),
            of_all: Some("north".to_owned()),
        };
        let mut whats = Vec::new();
        let row = Row { line: 7, ..row };
        let entry = judge(row, &scopes, NOW, &mut |complaint| {
            whats.push(complaint.what)
        });
        (entry, whats)
    }

    fn row(user: &str, appid: &str, openid: &str, unionid: &str) -> Row {
        Row {
            user: user.into(),
            appid: appid.into(),
            openid: openid.into(),
            unionid: unionid.into(),
            ..Row::default()
        }
    }

    #[test]
    fn a_row_gives_an_identity_within_its_account() {
        for (appid, account, scope) in [
            ("wx1", "", "north"),
            ("wxsouth", "", "south"),
            ("wxsouth", "east", "east"),
        ] {
            let given = Row {
                account: account.into(),
                ..row("1", appid, "o1", "u1")
            };
            let (entry, whats) = judged(given);
            let identity = entry.unwrap().identity.unwrap();
            assert_eq!(identity.key.app.as_str(), appid);
            assert_eq!(identity.person.unwrap().scope, scope);
            assert_eq!(whats, []);
        }
    }

    #[test]
    fn what_is_missing_is_said_and_the_rest_kept() {
        for (given, what, keyed_at) in [
            (row("1", "", "o1", ""), Some(What::NoApp), None),
            (row("1", "", "o1", "u1"), Some(What::NoApp), Some(UNKEYED)),
            (row("1", "wx1", "", ""), Some(What::NoOpenid), None),
            (row("1", "wx1", "", "u1"), None, Some(UNKEYED)),
            (row("1", "", "", "u1"), None, Some(UNKEYED)),
            (row("1", "wx1", "o 1", ""), Some(What::BadKey), None),
            (
                row("1", "wx1", &"o".repeat(129), ""),
                Some(What::BadKey),
                None,
            ),
            (
                Row {
                    provider: "qq".into(),
                    ..row("1", "wx1", "o1", "")
                },
                Some(What::Provider),
                None,
            ),
            (
                Row {
                    account: "north\u{1b}[2J".into(),
                    ..row("1", "wx1", "o1", "u1")
                },
                Some(What::BadKey),
                None,
            ),
            (
                Row {
                    phone: "12".into(),
                    ..row("1", "wx1", "o1", "")
                },
                Some(What::BadPhone),
                Some("wx1"),
            ),
            (
                Row {
                    created_at: "soon".into(),
                    ..row("1", "wx1", "o1", "")
                },
                Some(What::BadTime),
                Some("wx1"),
            ),
            (
                Row {
                    unsure: "x".into(),
                    ..row("1", "", "", "")
                },
                None,
                Some(UNKEYED),
            ),
        ] {
            let said = format!("{given:?}");
            let (entry, whats) = judged(given);
            assert_eq!(whats, what.into_iter().collect::<Vec<_>>(), "{said}");
            let identity = entry.unwrap().identity;
            assert_eq!(
                identity.as_ref().map(|it| it.key.app.as_str()),
                keyed_at,
                "{said}"
            );
        }
        assert_eq!(judged(row("", "wx1", "o1", "")), (None, vec![What::NoUser]));
    }

    #[test]
    fn a_unionid_means_nothing_outside_an_account() {
        let mut whats = Vec::new();
        let entry = judge(
            row("1", "wx1", "o1", "u1"),
            &Scopes::default(),
            NOW,
            &mut |complaint| {
                whats.push(complaint.what);
            },
        );
        assert_eq!(entry.unwrap().identity.unwrap().person, None);
        assert_eq!(whats, [What::NoAccount]);
    }

    #[test]
    fn times_are_read_as_databases_write_them() {
        for (text, seconds) in [
            ("1700000000", 1_700_000_000),
            ("1700000000000", 1_700_000_000),
            ("1970-01-01", 0),
            ("2024-02-29 00:00:00", 1_709_164_800),
            ("2024/02/29 00:00", 1_709_164_800),
            ("2023-11-14T22:13:20Z", 1_700_000_000),
            ("2023-11-14T22:13:20.123456Z", 1_700_000_000),
            ("2023-11-15T06:13:20+08:00", 1_700_000_000),
            ("2023-11-14 17:13:20-0500", 1_700_000_000),
            ("2000-03-01", 951_868_800),
            ("2100-03-01", 4_107_542_400),
        ] {
            let at = time_of(text).map(Timestamp::seconds);
            assert_eq!(at, Some(seconds), "{text}");
        }
        for text in [
            "",
            "soon",
            "2024-13-01",
            "2024-01",
            "2024-01-01 25:00",
            "2024-01-01 1",
            "2024-01-01 00:00+25:00",
            "2024-01-01 00:00+00:60",
            "2024-01-01 00:00+009223372036854775807",
        ] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }

    #[test]
    fn old_ids_lead_to_accounts_of_their_own_below_every_drawn_one() {
        let (a, b) = (account_of("plain", "1"), account_of("plain", "2"));
        assert!(a != b && a != account_of("logto", "1"));
        assert_eq!(a, account_of("plain", "1"));
        assert!(is_imported(a) && is_imported(b));
        assert!(a < b, "numbers keep their order");
        let others = ["01", "1/1", "x1", "274877906944", "", "-1", "+1"];
        let all: std::collections::BTreeSet<_> = others
            .iter()
            .map(|other| account_of("plain", other))
            .collect();
        assert_eq!(all.len(), others.len());
        assert!(!all.contains(&a) && all.iter().all(|id| is_imported(*id)));
        // 2026, as the layout of numbers has it.
        assert!(!is_imported(UserId(Number(1_767_225_600_000 << 21))));
        assert_eq!(UserId::parse(&a.to_string()), Some(a));
    }
}
