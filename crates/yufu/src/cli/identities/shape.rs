//! The shapes of exports: our own columns, and the tables of other projects, each with what it
//! cannot know (`docs/identities.md` says it at length).

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde_json::{Map, Value};

use super::row::{Fields, Record, member, text_of};

/// Whose export it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Our own columns.
    Plain,
    /// `social_user` joined with `social_user_auth`.
    Justauth,
    /// `system_social_user` joined with `system_social_user_bind`.
    Ruoyi,
    /// Users as the API or the table has them.
    Casdoor,
    /// Users as the API or the table has them.
    Logto,
}

impl Shape {
    /// The word for it; also the source of its user ids unless another is named.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Justauth => "justauth",
            Self::Ruoyi => "ruoyi",
            Self::Casdoor => "casdoor",
            Self::Logto => "logto",
        }
    }

    /// The columns without which nothing can be made of a table: one of each list.
    pub(crate) const fn needs(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Plain => &[USER],
            Self::Justauth => &[&["user_id"], &["source"], &["open_id", "uuid"]],
            Self::Ruoyi => &[&["user_id"], &["type", "social_type"], &["openid"]],
            Self::Casdoor => &[&["id", "name"], &["wechat", "properties"]],
            Self::Logto => &[&["id"], &["identities"]],
        }
    }
}

/// What keys are that may be an openid or a unionid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unsure {
    /// Nobody knows: they are kept without an app, and the doctor counts them.
    #[default]
    Keep,
    /// Openids of the app that `--app` names.
    Openid,
    /// Unionids.
    Unionid,
}

/// A row of any shape, in our words. What is empty is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) user: String,
    pub(crate) provider: String,
    /// What the project calls the app, when it does not know the appid.
    pub(crate) channel: String,
    pub(crate) appid: String,
    pub(crate) openid: String,
    pub(crate) unionid: String,
    /// An openid or a unionid.
    pub(crate) unsure: String,
    pub(crate) account: String,
    pub(crate) phone: String,
    pub(crate) nickname: String,
    pub(crate) avatar: String,
    pub(crate) created_at: String,
    pub(crate) seen_at: String,
    pub(crate) disabled: bool,
}

const USER: &[&str] = &["user", "user_id", "uid"];
/// `login_date` is where members of ruoyi-vue-pro have it.
const SEEN: &[&str] = &["seen_at", "last_login_at", "login_date"];

/// The rows that a row of an export holds; none when it is about nothing of ours.
pub(crate) fn rows(
    shape: Shape,
    apps: &BTreeMap<String, String>,
    unsure: Unsure,
    fields: &Fields<'_>,
    line: u64,
) -> Vec<Row> {
    let mut rows = match shape {
        Shape::Plain => vec![plain(fields)],
        Shape::Justauth => justauth(fields),
        Shape::Ruoyi => ruoyi(fields),
        Shape::Casdoor => casdoor(fields),
        Shape::Logto => logto(fields),
    };
    for row in &mut rows {
        row.line = line;
        match unsure {
            Unsure::Keep => {}
            Unsure::Openid if row.openid.is_empty() => {
                row.openid = std::mem::take(&mut row.unsure);
            }
            Unsure::Unionid if row.unionid.is_empty() => {
                row.unionid = std::mem::take(&mut row.unsure);
            }
            Unsure::Openid | Unsure::Unionid => {}
        }
        if row.appid.is_empty()
            && let Some(appid) = apps.get(&row.channel.to_lowercase())
        {
            row.appid.clone_from(appid);
        }
    }
    rows
}

fn is_true(text: &str) -> bool {
    ["1", "true", "t", "\u{1}"].contains(&text.to_lowercase().as_str())
}

/// Whether a row says so, in any of these columns. An object may say it with a plain `true`.
fn says(fields: &Fields<'_>, names: &[&str]) -> bool {
    let flag = |name: &&str| match fields.record {
        Record::Object(object) => member(object, name).and_then(Value::as_bool) == Some(true),
        Record::Table(_) => false,
    };
    names.iter().any(flag) || is_true(&fields.text(names))
}

fn plain(fields: &Fields<'_>) -> Row {
    let text = |names: &[&str]| fields.text(names).into_owned();
    Row {
        user: text(USER),
        provider: text(&["provider"]),
        appid: text(&["appid", "app"]),
        openid: text(&["openid"]),
        unionid: text(&["unionid"]),
        account: text(&["account"]),
        phone: text(&["phone", "mobile"]),
        nickname: text(&["nickname"]),
        avatar: text(&["avatar"]),
        created_at: text(&["created_at", "create_time"]),
        seen_at: text(SEEN),
        disabled: says(fields, &["disabled"]),
        ..Row::default()
    }
}

/// `source` names the platform; those of WeChat are these. `WECHAT_ENTERPRISE` is another thing:
/// its ids are of a company's staff.
const JUSTAUTH: [&str; 4] = [
    "WECHAT_OPEN",
    "WECHAT_MP",
    "WECHAT_MINI_PROGRAM",
    "WECHAT_MINI",
];

/// The library's advice for tables: `social_user` holds what a platform said, `social_user_auth`
/// whose it is. `uuid` of WeChat is the openid. No column names the app.
fn justauth(fields: &Fields<'_>) -> Vec<Row> {
    let text = |names: &[&str]| fields.text(names).into_owned();
    let source = text(&["source"]).to_uppercase();
    if !JUSTAUTH.contains(&source.as_str()) {
        return Vec::new();
    }
    vec![Row {
        user: text(&["user_id"]),
        appid: text(&["appid"]),
        channel: source,
        openid: text(&["open_id", "uuid"]),
        unionid: text(&["union_id"]),
        phone: text(&["phone", "mobile", "phonenumber"]),
        nickname: text(&["nick_name"]),
        avatar: text(&["avatar"]),
        created_at: text(&["create_time", "created_at"]),
        seen_at: text(SEEN),
        ..Row::default()
    }]
}

/// Its numbers of what is WeChat's: 31 service account, 32 website, 34 mini program. 30 is the
/// companies' WeChat.
const RUOYI: [&str; 3] = ["31", "32", "34"];

/// `system_social_user` has openid and the raw answers, `system_social_user_bind` whose it is. No
/// column has a unionid, but the raw answers do where the platform told one.
fn ruoyi(fields: &Fields<'_>) -> Vec<Row> {
    let text = |names: &[&str]| fields.text(names).into_owned();
    let channel = text(&["type", "social_type"]);
    if !RUOYI.contains(&channel.as_str()) || says(fields, &["deleted"]) {
        return Vec::new();
    }
    let raw = ["raw_token_info", "raw_user_info"].map(|name| fields.json(name));
    let unionid = raw.iter().flatten().find_map(|raw| {
        let told = text_of(member(raw.as_object()?, "unionid")?).into_owned();
        (!told.is_empty()).then_some(told)
    });
    // Members and staff are numbered each from 1.
    let (kind, user) = (text(&["user_type"]), text(&["user_id"]));
    vec![Row {
        user: match kind.is_empty() || user.is_empty() {
            true => user,
            false => format!("{kind}/{user}"),
        },
        channel,
        appid: text(&["appid"]),
        openid: text(&["openid"]),
        unionid: unionid.unwrap_or_else(|| text(&["union_id"])),
        phone: text(&["mobile", "phone"]),
        nickname: text(&["nickname"]),
        avatar: text(&["avatar"]),
        created_at: text(&["create_time"]),
        seen_at: text(SEEN),
        ..Row::default()
    }]
}

/// Where its properties keep what a platform said.
const CASDOOR_EXTRA: &str = "oauth_WeChat_extra";
const CASDOOR_UNIONID: &str = "oauth_WeChat_unionId";
/// Before the appid, in that.
const CASDOOR_OPENID: &str = "wechat_openid_";

/// One row a user; `wechat` holds the unionid or else the openid. What it is can be told where the
/// openid is known too: in the properties by appid, or under the word `wechat_unionid`, which
/// holds an openid whatever it says.
fn casdoor(fields: &Fields<'_>) -> Vec<Row> {
    let text = |names: &[&str]| fields.text(names).into_owned();
    if says(fields, &["is_deleted"]) {
        return Vec::new();
    }
    let name = text(&["id"]);
    let person = Row {
        user: if name.is_empty() {
            text(&["name"])
        } else {
            name
        },
        channel: "wechat".to_owned(),
        phone: dialled(text(&["phone"]), &text(&["countryCode"])),
        nickname: text(&["displayName"]),
        avatar: text(&["avatar"]),
        created_at: text(&["createdTime"]),
        seen_at: text(&["lastSigninTime"]),
        disabled: says(fields, &["is_forbidden"]),
        ..Row::default()
    };
    let properties = fields.json("properties").map(std::borrow::Cow::into_owned);
    let properties = match properties {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    let extra = properties
        .get(CASDOOR_EXTRA)
        .map(text_of)
        .unwrap_or_default();
    let extra: BTreeMap<String, String> = serde_json::from_str(&extra).unwrap_or_default();
    let told = properties
        .get(CASDOOR_UNIONID)
        .map(text_of)
        .unwrap_or_default();
    let key = text(&["wechat"]);
    let mut openids: Vec<(String, String)> = Vec::new();
    for (word, openid) in extra.iter().filter(|(_, openid)| !openid.is_empty()) {
        if let Some(appid) = word.strip_prefix(CASDOOR_OPENID) {
            openids.push((appid.to_owned(), openid.clone()));
        }
    }
    if openids.is_empty()
        && let Some(openid) = extra
            .get("wechat_unionid")
            .filter(|openid| !openid.is_empty())
    {
        openids.push((String::new(), openid.clone()));
    }
    let is_openid = openids.iter().any(|(_, openid)| *openid == key);
    let (unionid, unsure) = match (told.is_empty(), openids.is_empty()) {
        (false, _) => (told.into_owned(), String::new()),
        (true, true) => (String::new(), key),
        (true, false) if is_openid => (String::new(), String::new()),
        (true, false) => (key, String::new()),
    };
    if openids.is_empty() {
        return vec![Row {
            unionid,
            unsure,
            ..person
        }];
    }
    let each = openids.into_iter().map(|(appid, openid)| Row {
        appid,
        openid,
        unionid: unionid.clone(),
        ..person.clone()
    });
    each.collect()
}

/// Calling codes of the regions that its phone numbers are most often of.
const CALLING: [(&str, &str); 22] = [
    ("CN", "86"),
    ("HK", "852"),
    ("MO", "853"),
    ("TW", "886"),
    ("US", "1"),
    ("CA", "1"),
    ("GB", "44"),
    ("SG", "65"),
    ("MY", "60"),
    ("JP", "81"),
    ("KR", "82"),
    ("TH", "66"),
    ("VN", "84"),
    ("ID", "62"),
    ("PH", "63"),
    ("AU", "61"),
    ("NZ", "64"),
    ("DE", "49"),
    ("FR", "33"),
    ("IT", "39"),
    ("ES", "34"),
    ("RU", "7"),
];

/// A number with the country that stands beside it. Of a region that is not known here the number
/// stays bare, and is then no mainland number either: it is complained of.
fn dialled(phone: String, region: &str) -> String {
    if phone.is_empty() || phone.starts_with('+') || region.is_empty() {
        return phone;
    }
    let region = region.to_uppercase();
    match CALLING.iter().find(|(known, _)| *known == region) {
        Some((_, code)) => format!("+{code}{phone}"),
        None => format!("{region} {phone}"),
    }
}

/// One row a user; `identities` has under `wechat` the unionid or else the openid, and, when the
/// connector kept it, the platform's raw answer with both. Two connectors (app and website) share
/// that one place, so the app is not known.
fn logto(fields: &Fields<'_>) -> Vec<Row> {
    let text = |names: &[&str]| fields.text(names).into_owned();
    let phone = text(&["primary_phone"]);
    let person = Row {
        user: text(&["id"]),
        phone: match phone.starts_with(|c: char| c.is_ascii_digit()) {
            true => format!("+{phone}"),
            false => phone,
        },
        nickname: text(&["name"]),
        avatar: text(&["avatar"]),
        created_at: text(&["created_at"]),
        seen_at: text(&["last_sign_in_at"]),
        disabled: says(fields, &["is_suspended"]),
        ..Row::default()
    };
    let identities = fields.json("identities").map(std::borrow::Cow::into_owned);
    let Some(Value::Object(identities)) = identities else {
        return vec![person];
    };
    let ours = identities
        .iter()
        .filter(|(target, _)| target.starts_with("wechat"));
    let rows: Vec<Row> = ours
        .filter_map(|(target, identity)| {
            Some(logto_identity(&person, target, identity.as_object()?))
        })
        .collect();
    if rows.is_empty() { vec![person] } else { rows }
}

fn logto_identity(person: &Row, target: &str, identity: &Map<String, Value>) -> Row {
    let none = Map::new();
    let object = |of: &Map<String, Value>, name: &str| -> Option<Map<String, Value>> {
        member(of, name).and_then(Value::as_object).cloned()
    };
    let details = object(identity, "details").unwrap_or_else(|| none.clone());
    let raw = object(&details, "rawData").unwrap_or(none);
    let said = |name: &str| {
        member(&raw, name)
            .map(text_of)
            .unwrap_or_default()
            .into_owned()
    };
    let key = member(identity, "userId")
        .map(text_of)
        .unwrap_or_default()
        .into_owned();
    let (openid, unionid) = (said("openid"), said("unionid"));
    let unsure = match openid.is_empty() && unionid.is_empty() {
        true => key.clone(),
        false => String::new(),
    };
    let is_unionid = unionid.is_empty() && !openid.is_empty() && key != openid;
    Row {
        channel: target.to_owned(),
        openid,
        unionid: if is_unionid { key } else { unionid },
        unsure,
        ..person.clone()
    }
}
