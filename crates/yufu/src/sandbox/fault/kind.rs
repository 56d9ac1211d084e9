//! The kinds of faults: one table that reading, documents and the API description are made of.

use serde::{Deserialize, Serialize};

use super::edit::How;
use super::spot::Spot;

/// What the platform does wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// Refuses with a number.
    Errcode {
        /// The number.
        code: i32,
        /// The words; the platform's own unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// Before or after it acted.
        when: When,
    },
    /// Takes its time.
    Slow {
        /// How long, in milliseconds.
        ms: u64,
        /// Before or after it acted.
        when: When,
    },
    /// Cuts the connection.
    Drop {
        /// Before or after it acted.
        when: When,
    },
    /// Answers as a gateway does whose server is gone.
    Status {
        /// The HTTP status.
        status: u16,
        /// Before or after it acted.
        when: When,
    },
    /// Answers a page instead of JSON.
    Html {
        /// Before or after it acted.
        when: When,
    },
    /// Ends an answer in its middle.
    Truncated {
        /// After how many bytes; half of them unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<usize>,
    },
    /// Names another content type.
    ContentType {
        /// Which.
        #[serde(rename = "type")]
        kind: String,
    },
    /// Says errcode 0 in a good answer.
    ErrcodeZero {},
    /// Says something more.
    Extra {
        /// The field.
        field: String,
        /// What it says.
        value: String,
    },
    /// Leaves a field out.
    Missing {
        /// The field.
        field: String,
    },
    /// Says a field twice.
    Duplicate {
        /// The field.
        field: String,
        /// What the second one says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
    /// Writes numbers as texts.
    Strings {},
    /// Names another openid than the token's.
    OtherOpenid {},
    /// Damages the nickname.
    Mojibake {
        /// How.
        how: How,
    },
    /// Takes a code for expired.
    CodeExpired {},
    /// Takes an access token for expired.
    AccessExpired {},
    /// Takes a refresh token for dead.
    RefreshDead {
        /// Past its time, or revoked.
        how: Death,
    },
    /// Does not tell the profile.
    UserinfoDenied {},
    /// Has a clock that is off.
    ClockSkew {
        /// How far, such as `-10m`.
        by: String,
    },
    /// Takes a QR code for expired.
    ScanExpired {},
    /// Delivers a callback twice.
    CallbackTwice {
        /// How long after the first time, in milliseconds.
        ms: u64,
    },
    /// Hands out a code of somebody else.
    OtherCode {
        /// Whose; anybody else's unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whose: Option<String>,
    },
    /// Hands back another state.
    OtherState {
        /// Which.
        state: String,
    },
    /// Hands back no state.
    NoState {},
}

/// Whether the platform had acted before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// It did nothing: a code is as good as before.
    Before,
    /// It did everything: a code is spent.
    After,
}

/// How a refresh token died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Death {
    /// Its time is over: 42002.
    Expired,
    /// It was revoked: 40030.
    Revoked,
}

/// A kind as people see it.
pub struct Row {
    /// Its word.
    pub word: &'static str,
    /// What happens, in one sentence.
    pub about: &'static str,
    /// Where it can play.
    pub plays: &'static [Spot],
    /// Where it plays unless an endpoint is named.
    pub by_itself: &'static [Spot],
    /// What it is told, besides whom it is for.
    pub fields: &'static [Field],
    /// An example, as JSON.
    pub example: &'static str,
}

/// What a kind is told.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub shape: Shape,
    /// What it is for.
    pub about: &'static str,
}

/// What a field may be.
#[derive(Clone, Copy)]
pub enum Shape {
    /// A whole number within bounds, with what it is when it is left out.
    Number(i64, i64, Option<i64>),
    /// One of these words; the first unless given.
    Word(&'static [&'static str]),
    /// A text, with what it is when it is left out.
    Text(Option<&'static str>),
    /// A text that may be left out.
    Maybe,
    /// A whole number that may be left out.
    MaybeNumber(i64, i64),
    /// A span of time, such as `-10m`.
    Span,
    /// A person's short name, which may be left out.
    Person,
    /// What a JSON answer of the platform may hold.
    Key,
}

/// What the platform's JSON answers hold.
pub const KEYS: [&str; 18] = [
    "access_token",
    "expires_in",
    "refresh_token",
    "openid",
    "scope",
    "unionid",
    "nickname",
    "sex",
    "language",
    "city",
    "province",
    "country",
    "headimgurl",
    "privilege",
    "session_key",
    "ticket",
    "errcode",
    "errmsg",
];

const WHEN_BEFORE: Field = Field {
    name: "when",
    shape: Shape::Word(&["before", "after"]),
    about: "`before` it acts: nothing is spent. `after`: it has acted, and a code is burnt.",
};
const WHEN_AFTER: Field = Field {
    name: "when",
    shape: Shape::Word(&["after", "before"]),
    about: "`after` it acted: a code is burnt. `before`: nothing is spent.",
};
const KEY: Field = Field {
    name: "field",
    shape: Shape::Key,
    about: "The field.",
};

/// Every kind.
pub const KINDS: [Row; 24] = [
    Row {
        word: "errcode",
        about: "The platform refuses with this number, in its own words.",
        plays: Spot::SERVER,
        by_itself: Spot::SERVER,
        fields: &[
            Field {
                name: "code",
                shape: Shape::Number(-99_999_999, 99_999_999, None),
                about: "The number: -1 busy, 45011 too often this minute, 45009 too often today, 40001 the token is not good, 48001 not allowed, or any other.",
            },
            Field {
                name: "text",
                shape: Shape::Maybe,
                about: "Other words than the platform's own.",
            },
            WHEN_BEFORE,
        ],
        example: r#"{"kind":"errcode","code":45011,"endpoint":"access_token","times":3}"#,
    },
    Row {
        word: "slow",
        about: "The answer takes its time.",
        plays: Spot::ALL,
        by_itself: Spot::SERVER,
        fields: &[
            Field {
                name: "ms",
                shape: Shape::Number(1, 600_000, None),
                about: "How many milliseconds more.",
            },
            WHEN_AFTER,
        ],
        example: r#"{"kind":"slow","ms":8000,"endpoint":"access_token"}"#,
    },
    Row {
        word: "drop",
        about: "The connection is cut instead of an answer.",
        plays: Spot::ALL,
        by_itself: Spot::SERVER,
        fields: &[WHEN_AFTER],
        example: r#"{"kind":"drop","endpoint":"access_token","times":1}"#,
    },
    Row {
        word: "status",
        about: "A gateway answers with an HTTP error and a page of its own.",
        plays: Spot::ALL,
        by_itself: Spot::SERVER,
        fields: &[
            Field {
                name: "status",
                shape: Shape::Number(400, 599, Some(502)),
                about: "The HTTP status.",
            },
            WHEN_BEFORE,
        ],
        example: r#"{"kind":"status","status":503,"times":2}"#,
    },
    Row {
        word: "html",
        about: "A page with HTTP 200 comes instead of JSON.",
        plays: Spot::SERVER,
        by_itself: Spot::SERVER,
        fields: &[WHEN_BEFORE],
        example: r#"{"kind":"html","endpoint":"userinfo"}"#,
    },
    Row {
        word: "truncated",
        about: "The JSON ends in its middle; the HTTP around it is sound.",
        plays: Spot::SERVER,
        by_itself: Spot::SERVER,
        fields: &[Field {
            name: "bytes",
            shape: Shape::MaybeNumber(0, 65_536),
            about: "How many bytes come; half of them unless given.",
        }],
        example: r#"{"kind":"truncated","endpoint":"access_token"}"#,
    },
    Row {
        word: "content_type",
        about: "The answer names another content type.",
        plays: Spot::ALL,
        by_itself: Spot::SERVER,
        fields: &[Field {
            name: "type",
            shape: Shape::Text(Some("text/html")),
            about: "The content type.",
        }],
        example: r#"{"kind":"content_type","type":"text/plain; charset=utf-8","endpoint":"userinfo"}"#,
    },
    Row {
        word: "errcode_zero",
        about: "A good answer carries errcode 0 and errmsg ok as well.",
        plays: Spot::SERVER,
        by_itself: Spot::SERVER,
        fields: &[],
        example: r#"{"kind":"errcode_zero"}"#,
    },
    Row {
        word: "extra",
        about: "An answer carries a field that nobody expects.",
        plays: Spot::SERVER,
        by_itself: Spot::SERVER,
        fields: &[
            Field {
                name: "field",
                shape: Shape::Text(Some("token_type")),
                about: "The field.",
            },
            Field {
                name: "value",
                shape: Shape::Text(Some("bearer")),
                about: "What it says.",
            },
        ],
        example: r#"{"kind":"extra","field":"token_type","value":"bearer"}"#,
    },
    Row {
        word: "missing",
        about: "A field is not in the answer: no refresh_token, no openid, no unionid.",
        plays: Spot::SERVER,
        by_itself: Spot::SERVER,
        fields: &[KEY],
        example: r#"{"kind":"missing","field":"unionid","endpoint":"access_token"}"#,
    },
    Row {
        word: "duplicate",
        about: "A field stands twice in the answer, and the two differ.",
        plays: Spot::SERVER,
        by_itself: Spot::SERVER,
        fields: &[
            KEY,
            Field {
                name: "value",
                shape: Shape::Maybe,
                about: "What the second one says.",
            },
        ],
        example: r#"{"kind":"duplicate","field":"openid","endpoint":"access_token"}"#,
    },
    Row {
        word: "strings",
        about: "Numbers are written as texts.",
        plays: Spot::SERVER,
        by_itself: Spot::SERVER,
        fields: &[],
        example: r#"{"kind":"strings","endpoint":"access_token"}"#,
    },
    Row {
        word: "other_openid",
        about: "The openid in the answer is not the token's.",
        plays: &[Spot::Exchange, Spot::Refresh, Spot::Profile, Spot::Mini],
        by_itself: &[Spot::Profile],
        fields: &[],
        example: r#"{"kind":"other_openid"}"#,
    },
    Row {
        word: "mojibake",
        about: "The nickname is damaged.",
        plays: &[Spot::Profile],
        by_itself: &[Spot::Profile],
        fields: &[Field {
            name: "how",
            shape: Shape::Word(&["latin1", "bytes", "control"]),
            about: "`latin1`: read as Latin-1 and written as UTF-8. `bytes`: a character is cut in two, which is no UTF-8. `control`: a control character stands in it as it is, which is no JSON.",
        }],
        example: r#"{"kind":"mojibake","how":"control"}"#,
    },
    Row {
        word: "code_expired",
        about: "The code is judged as if its time were over: 40029.",
        plays: &[Spot::Exchange, Spot::Mini],
        by_itself: &[Spot::Exchange, Spot::Mini],
        fields: &[],
        example: r#"{"kind":"code_expired","person":"mei","times":1}"#,
    },
    Row {
        word: "access_expired",
        about: "The access token is judged as if its time were over: 42001.",
        plays: &[Spot::Check, Spot::Profile],
        by_itself: &[Spot::Check, Spot::Profile],
        fields: &[],
        example: r#"{"kind":"access_expired","endpoint":"userinfo","times":1}"#,
    },
    Row {
        word: "refresh_dead",
        about: "The refresh token is not good any more.",
        plays: &[Spot::Refresh],
        by_itself: &[Spot::Refresh],
        fields: &[Field {
            name: "how",
            shape: Shape::Word(&["expired", "revoked"]),
            about: "`expired`: 42002. `revoked`: 40030.",
        }],
        example: r#"{"kind":"refresh_dead","person":"mei"}"#,
    },
    Row {
        word: "userinfo_denied",
        about: "The profile is not told: 48001.",
        plays: &[Spot::Profile],
        by_itself: &[Spot::Profile],
        fields: &[],
        example: r#"{"kind":"userinfo_denied"}"#,
    },
    Row {
        word: "clock_skew",
        about: "The platform's clock is off for these requests: what they bring is judged by it, and the Date of the answer says it.",
        plays: Spot::ALL,
        by_itself: Spot::SERVER,
        fields: &[Field {
            name: "by",
            shape: Shape::Span,
            about: "How far: `10m` ahead, `-10m` behind.",
        }],
        example: r#"{"kind":"clock_skew","by":"-10m"}"#,
    },
    Row {
        word: "scan_expired",
        about: "The QR code on the page is judged as if its time were over.",
        plays: &[Spot::Poll],
        by_itself: &[Spot::Poll],
        fields: &[],
        example: r#"{"kind":"scan_expired","times":1}"#,
    },
    Row {
        word: "callback_twice",
        about: "A callback to this machine is delivered twice: the sandbox fetches it once more.",
        plays: Spot::CALLBACK,
        by_itself: Spot::CALLBACK,
        fields: &[Field {
            name: "ms",
            shape: Shape::Number(0, 60_000, Some(50)),
            about: "How many milliseconds after the browser was sent there.",
        }],
        example: r#"{"kind":"callback_twice","times":1}"#,
    },
    Row {
        word: "other_code",
        about: "The callback carries a code of another person for the same client.",
        plays: Spot::CALLBACK,
        by_itself: Spot::CALLBACK,
        fields: &[Field {
            name: "whose",
            shape: Shape::Person,
            about: "Whose code; anybody else's unless given.",
        }],
        example: r#"{"kind":"other_code","person":"mei","whose":"wei"}"#,
    },
    Row {
        word: "other_state",
        about: "The callback carries another state than the app sent.",
        plays: &[Spot::Begin],
        by_itself: &[Spot::Begin],
        fields: &[Field {
            name: "state",
            shape: Shape::Text(Some("another-state")),
            about: "The state.",
        }],
        example: r#"{"kind":"other_state"}"#,
    },
    Row {
        word: "no_state",
        about: "The callback carries no state.",
        plays: &[Spot::Begin],
        by_itself: &[Spot::Begin],
        fields: &[],
        example: r#"{"kind":"no_state"}"#,
    },
];

/// A fault, and whom it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What it is called; given by the desk.
    #[serde(default)]
    pub id: String,
    /// What the platform does wrong.
    #[serde(flatten)]
    pub kind: Kind,
    /// Only for this client, by its appid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Only for this person, by short name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Only at this endpoint: its path, or its last words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Only so many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Only with this chance, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// How many times are left of `times`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
    /// How often it was played.
    #[serde(default)]
    pub played: u64,
}

impl Kind {
    /// Its row of the table.
    pub fn row(&self) -> &'static Row {
        let word = match self {
            Self::Errcode { .. } => "errcode",
            Self::Slow { .. } => "slow",
            Self::Drop { .. } => "drop",
            Self::Status { .. } => "status",
            Self::Html { .. } => "html",
            Self::Truncated { .. } => "truncated",
            Self::ContentType { .. } => "content_type",
            Self::ErrcodeZero {} => "errcode_zero",
            Self::Extra { .. } => "extra",
            Self::Missing { .. } => "missing",
            Self::Duplicate { .. } => "duplicate",
            Self::Strings {} => "strings",
            Self::OtherOpenid {} => "other_openid",
            Self::Mojibake { .. } => "mojibake",
            Self::CodeExpired {} => "code_expired",
            Self::AccessExpired {} => "access_expired",
            Self::RefreshDead { .. } => "refresh_dead",
            Self::UserinfoDenied {} => "userinfo_denied",
            Self::ClockSkew { .. } => "clock_skew",
            Self::ScanExpired {} => "scan_expired",
            Self::CallbackTwice { .. } => "callback_twice",
            Self::OtherCode { .. } => "other_code",
            Self::OtherState { .. } => "other_state",
            Self::NoState {} => "no_state",
        };
        // The tests try every kind.
        KINDS
            .iter()
            .find(|row| row.word == word)
            .unwrap_or(&KINDS[0])
    }
}
