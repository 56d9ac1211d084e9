//! The documents of the login API: printed from the code where they can be, held to it where they
//! are written by hand. `YUFU_BLESS=1 cargo test -p yufu-web --test login_documents` prints them
//! anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use yufu_core::login::LoginRefusal;
use yufu_web::api::table::{Answers, ENDPOINTS, Endpoint};
use yufu_web::api::{catalogue, document, document_text, message, status};
use yufu_web::view::Lang;

const GUIDE: &str = "login-backend.md";
const BEGIN: &str = "<!-- calls:";
const END: &str = "<!-- end of calls -->";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_default()
}

fn fresh(name: &str, text: &str) {
    if std::env::var_os("YUFU_BLESS").is_some() {
        std::fs::write(path(name), text).unwrap();
    }
    assert!(
        read(name) == text,
        "docs/{name} is stale: print it anew with YUFU_BLESS=1"
    );
}

// --- printed --------------------------------------------------------------------------------------

#[test]
fn the_openapi_document_of_the_login_api_is_fresh() {
    fresh("login-openapi.json", &document_text());
}

#[test]
fn the_table_of_calls_is_fresh() {
    let guide = read(GUIDE);
    let (before, rest) = guide.split_once(BEGIN).expect("where the table begins");
    let (mark, rest) = rest.split_once("-->\n").expect("the end of the mark");
    let (_, after) = rest.split_once(END).expect("where the table ends");
    let page = catalogue();
    let table = page
        .split("\n\n")
        .find(|part| part.starts_with("| Call |"))
        .expect("a table");
    fresh(
        GUIDE,
        &format!(
            "{before}{BEGIN}{mark}-->\n{}\n{END}{after}",
            table.trim_end()
        ),
    );
}

#[test]
fn the_codes_are_fresh() {
    fresh("login-codes.md", &codes());
}

/// What a refusal tells beside its code, by the API's own table.
fn members() -> BTreeMap<u16, String> {
    let page = catalogue();
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let code = cells.first()?.trim_start_matches("| ").parse().ok()?;
        Some((code, cells.get(3)?.trim().to_owned()))
    });
    rows.collect()
}

fn codes() -> String {
    let members = members();
    let mut text = String::from(
        "# Codes of the login API\n\n\
         What each code means and what the app does then, in English and in Chinese. `says` is the `msg` of the answer: it \
         is written for developers, not for people; show words of your own. The calls that answer a code stand in \
         [login-backend.md](login-backend.md) §5, how the codes follow from WeChat's in [facts/login.md](facts/login.md) \
         §3. Printed by a test of `yufu-web` from the code; not to be edited by hand \
         (`YUFU_BLESS=1 cargo test -p yufu-web --test login_documents` writes it anew).\n\n\
         0 is success. A fault of ours is 1005 with `data.incident`, and 500 in strict mode: try again, quote the incident.\n\n\
         ## English\n\n\
         | Code | Name | Strict status | data | says | What the app does |\n|---|---|---|---|---|---|\n",
    );
    let mut chinese = String::from(
        "\n## 中文\n\n\
         | 代码 | 名称 | 严格模式状态 | data | msg | 应用怎么做 |\n|---|---|---|---|---|---|\n",
    );
    for refusal in LoginRefusal::all() {
        let (zh, en) = does(&refusal);
        let data = members.get(&refusal.code()).map_or("", String::as_str);
        for (page, lang, does) in [(&mut text, Lang::En, en), (&mut chinese, Lang::Zh, zh)] {
            let _ = writeln!(
                page,
                "| {} | {} | {} | {data} | {} | {does} |",
                refusal.code(),
                refusal.name(),
                status(refusal.code()).as_u16(),
                message(&refusal, lang),
            );
        }
    }
    text.push_str(&chinese);
    text.push_str("\n## Members of data\n\n| Member | What it is | 含义 |\n|---|---|---|\n");
    for (name, en, zh) in MEMBERS {
        let _ = writeln!(text, "| `{name}` | {en} | {zh} |");
    }
    text
}

/// The members of a refusal's data.
const MEMBERS: &[(&str, &str, &str)] = &[
    (
        "account",
        "the first of `candidates`",
        "`candidates` 的第一项",
    ),
    (
        "after",
        "when it may be done without the proof",
        "何时起无需该证明",
    ),
    ("at", "when it happened", "发生时间"),
    (
        "cancel_ticket",
        "takes the deletion back, once, on this device, for 10 minutes",
        "撤销注销的凭据，限本设备一次，10 分钟有效",
    ),
    (
        "candidates",
        "the accounts that may be meant: `key`, and `nickname` and `phone` masked",
        "可能的账号：`key`、打码的 `nickname` 和 `phone`",
    ),
    (
        "deletable_at",
        "when the account will be erased",
        "账号将被清除的时间",
    ),
    (
        "device_secret",
        "drawn for this call; `cancel_ticket` is good on that device",
        "本次请求新生成的设备密钥，`cancel_ticket` 限该设备使用",
    ),
    (
        "device",
        "platform and name of the device that took the place",
        "取而代之的设备：平台与名称",
    ),
    (
        "field",
        "the field or header that is wrong",
        "有误的字段或请求头",
    ),
    (
        "incident",
        "the number of a fault of ours, for a report",
        "我方故障编号，反馈时附上",
    ),
    ("left", "tries that are left", "剩余次数"),
    (
        "merge_ticket",
        "chooses between `candidates` a and b, as above; absent at `bind`, where the bind ticket stays good",
        "在候选 a、b 间选择的凭据；`bind` 时没有，沿用 bind_ticket",
    ),
    (
        "other",
        "the name of the account's other login, masked; may be empty",
        "该账号另一登录方式的打码名称，可为空",
    ),
    (
        "proofs",
        "which proofs would do: `phone`, `wechat`",
        "可用的证明：`phone`、`wechat`",
    ),
    (
        "reason",
        "`other_wechat` or `other_account`",
        "`other_wechat` 或 `other_account`",
    ),
    (
        "retry_after",
        "seconds to wait; also in the header Retry-After",
        "需等待的秒数，亦见 Retry-After 响应头",
    ),
];

/// What the app does, in Chinese and English. It has no arm for the rest: a code that nobody
/// explained does not compile.
const fn does(refusal: &LoginRefusal) -> (&'static str, &'static str) {
    use LoginRefusal as R;
    match refusal {
        R::BadRequest { .. } => (
            "多为程序错误：记录 `data.field` 和 `request_id`。若是用户输入的 `code`、`sms_code`、`phone`，请其检查。",
            "Mostly a bug: log `data.field` and `request_id`. Where it is what the user typed (`phone`, `sms_code`), let them check it.",
        ),
        R::RateLimited { .. } => (
            "显示倒计时，到时再试。",
            "Show a countdown, then let the user try again.",
        ),
        R::ConsentRequired => (
            "展示当前协议（版本见 `GET /user/config`），同意后带 `consent_version` 重试。",
            "Show the current terms (`GET /user/config` names their version); after a yes, send the call again with `consent_version`.",
        ),
        R::StateInvalid => (
            "丢弃 code 和 state，提示“请重试”，用户再点时重新 `prepare`。",
            "Drop code and state, say “please try again”, and `prepare` anew when the user taps.",
        ),
        R::Conflict => (
            "稍候以同一请求重试一次；仍失败则请用户再试。",
            "Send the same request once more after a moment; then let the user try again.",
        ),
        R::CodeInvalid => (
            "提示“授权已过期”，重新 `prepare` 并再次授权。",
            "Say that the authorization is over; `prepare` and authorize again.",
        ),
        R::CodeUsed => (
            "不要重发；重新 `prepare`。若常见，检查回调是否被处理了两次，并使用 Idempotency-Key。",
            "Do not send it again; `prepare` anew. If you see it often, look for a second handler of the callback, and send an Idempotency-Key.",
        ),
        R::AppMisconfigured => (
            "显示“暂时不可用”，提供手机号登录；通知运维：AppID 或 AppSecret 有误。",
            "Say “temporarily unavailable”, offer the phone login; tell the operators: appid or secret is wrong.",
        ),
        R::UpstreamBusy { .. } => (
            "保留 code 和 state，等待后发送完全相同的请求；同时提供手机号登录。不要让用户重新授权。",
            "Keep code and state, wait, send the very same request; offer the phone login meanwhile. Do not make the user authorize again.",
        ),
        R::UpstreamUnreadable => (
            "重新 `prepare` 并再次授权。",
            "`prepare` and authorize again.",
        ),
        R::ScopeMissing => (
            "以 `prepare` 给出的 `scope` 重新授权。",
            "Authorize again with the `scope` that `prepare` gives.",
        ),
        R::UpstreamRestricted => (
            "说明该微信号受限，提供手机号登录。",
            "Say that this WeChat account is restricted; offer the phone login.",
        ),
        R::Reauthorize => (
            "保留本地数据，转到微信登录；授权后回到同一账号。",
            "Keep local data, go to the WeChat login; it leads back to the same account.",
        ),
        R::PhoneInvalid => (
            "请用户检查号码；只收 `login.countries` 内的手机号。",
            "Let the user check the number; only mobile numbers of the countries served are taken.",
        ),
        R::PasscodeTooSoon { .. } => (
            "显示倒计时；上一条仍可输入。",
            "Show the countdown; the passcode sent before can still be typed.",
        ),
        R::PasscodeLimit { .. } => (
            "显示多久后再试，提供微信登录。",
            "Say when it will be possible again; offer WeChat login.",
        ),
        R::PasscodeWrong { .. } => (
            "留在输入页，显示剩余次数。",
            "Stay on the page and show the tries that are left.",
        ),
        R::PasscodeOver => (
            "清空输入，请用户重新获取。",
            "Clear the field; let the user have a new one sent.",
        ),
        R::PasscodeExhausted => (
            "清空输入，请用户重新获取；原验证码已作废。",
            "Clear the field; let the user have a new one sent: the old one is void.",
        ),
        R::GatewayFailed => (
            "稍后再试，或提供微信登录。",
            "Try again later, or offer WeChat login.",
        ),
        R::CaptchaRequired => (
            "完成人机验证后带 `captcha` 再次 `sms/send`。",
            "Show the captcha, then call `sms/send` again with `captcha`.",
        ),
        R::CarrierInvalid => ("改用短信验证码。", "Fall back to a passcode."),
        R::PhoneTaken { .. } => (
            "`other_wechat`：换号码、用那个微信登录，或以 `replace` 申请替换。`other_account`：换号码。",
            "`other_wechat`: another number, log in with that WeChat, or ask to `replace`. `other_account`: another number.",
        ),
        R::WechatTaken => (
            "`bind` 时：丢弃凭据，用微信重新登录。`link` 时：告知该微信属于另一个账号。",
            "At `bind`: drop the ticket and log in with WeChat again. At `link`: say that this WeChat belongs to another account.",
        ),
        R::TicketInvalid => (
            "丢弃凭据，从微信登录重新开始。",
            "Drop the ticket; begin with the WeChat login.",
        ),
        R::LastIdentity => (
            "请先绑定手机号（`phone/change`），再解绑。",
            "Let the user add a phone number (`phone/change`) first.",
        ),
        R::ConfirmNeeded { .. } => (
            "展示候选账号。`bind`：确认后带 `confirm` 重发。`login`：选定后以 `merge_ticket` 调用 `merge`。",
            "Show the accounts. At `bind`: after a yes, the same again with `confirm`. At `login`: `merge` with `merge_ticket` and the choice.",
        ),
        R::Deleting { .. } => (
            "显示日期；有 `cancel_ticket` 时询问是否撤销，由用户明确选择。",
            "Show the date; with a `cancel_ticket`, ask whether to take the deletion back. Never do so unasked.",
        ),
        R::Disabled => (
            "清除会话，显示申诉途径。",
            "Drop the session; show how to appeal.",
        ),
        R::AlreadyLinked => (
            "请先解绑现有微信，再绑定新的。",
            "Let the user unlink the present WeChat first.",
        ),
        R::StepUpRequired { .. } => (
            "按 `proofs` 取得证明后重发；替换微信时也可在 `after` 之后再来。",
            "Get one of `proofs`, then the same again; where a WeChat is to be replaced, it also works after `after`.",
        ),
        R::RecycledSuspected => (
            "询问原账号是否属于自己：是则用其他方式登录；不是则带 `fresh` 重发。",
            "Ask whether the old account is theirs. Yes: log in by its other way. No: the same again with `fresh`.",
        ),
        R::SessionInvalid => (
            "清除本地会话，回到登录页。带了错误的设备密钥也会如此。",
            "Drop the session, go to the login page. A wrong device secret ends here too.",
        ),
        R::SessionExpired => (
            "用刷新令牌刷新一次；若刷新也得到此码，回到登录页。",
            "Refresh once; when the refresh says the same, go to the login page.",
        ),
        R::SessionReplaced { .. } => (
            "清除会话，告知何时、被哪台设备取代。",
            "Drop the session; say when and by which device it was replaced.",
        ),
        R::SessionKicked { .. } => (
            "清除会话，告知已从别处退出。",
            "Drop the session; say that it was ended from elsewhere.",
        ),
        R::RefreshReused => (
            "清除会话，重新登录；提示用户检查设备列表。若常见，检查是否并发刷新。",
            "Drop the session and log in again; point the user to the list of devices. If you see it often, look for refreshes that race.",
        ),
        R::DeviceLimit => (
            "请用户在另一台设备上退出后再登录。",
            "Let the user log out on another device, then log in.",
        ),
    }
}

#[test]
fn every_member_of_a_refusals_data_is_explained() {
    let told = members().into_values().flat_map(|cell| {
        let names = cell.split('`').skip(1).step_by(2).map(str::to_owned);
        names.collect::<Vec<_>>()
    });
    let mut told: BTreeSet<String> = told.collect();
    // Those that no sample has.
    told.extend(
        [
            "incident",
            "merge_ticket",
            "cancel_ticket",
            "device_secret",
            "after",
        ]
        .map(str::to_owned),
    );
    let explained: BTreeSet<String> = MEMBERS
        .iter()
        .map(|(name, ..)| (*name).to_owned())
        .collect();
    assert_eq!(told, explained);
    let document = document("http://127.0.0.1:8430");
    let known = &document["components"]["schemas"]["RefusedData"]["properties"];
    let known: BTreeSet<String> = known.as_object().unwrap().keys().cloned().collect();
    assert_eq!(explained, known);
}

// --- written by hand ------------------------------------------------------------------------------

/// A call's section of the guide: what it asks, and what it hears.
struct Section {
    endpoint: &'static Endpoint,
    shell: String,
    answers: Vec<Value>,
}

/// The fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let begins = format!("```{language}\n");
    let pieces = text.split(begins.as_str()).skip(1);
    pieces
        .filter_map(|piece| piece.split("\n```").next())
        .collect()
}

fn sections() -> Vec<Section> {
    let guide = read(GUIDE);
    let pieces = guide.split("\n### `").skip(1);
    let read = |piece: &str| {
        let (title, text) = piece.split_once('`').expect("a title");
        let (verb, path) = title.split_once(' ').expect("a verb and a path");
        let text = text.split("\n## ").next().unwrap();
        let mut all = ENDPOINTS.iter();
        let endpoint = all.find(|one| one.verb.word() == verb && one.path == path);
        let answers = blocks(text, "json").into_iter().map(|block| {
            serde_json::from_str(block).unwrap_or_else(|error| panic!("{title}: {error}: {block}"))
        });
        Section {
            endpoint: endpoint.unwrap_or_else(|| panic!("no call {title}")),
            shell: blocks(text, "sh").join("\n").replace("\\\n", " "),
            answers: answers.collect(),
        }
    };
    pieces.map(read).collect()
}

#[test]
fn every_call_has_a_section_with_a_request_and_a_good_answer() {
    let sections = sections();
    let guide = read(GUIDE);
    for endpoint in ENDPOINTS {
        let title = format!("{} {}", endpoint.verb.word(), endpoint.path);
        if !matches!(endpoint.answers, Answers::Data(_)) {
            let table = guide
                .split("### What is no call")
                .nth(1)
                .expect("the table of the rest");
            assert!(table.contains(&format!("`{title}`")), "no word on {title}");
            continue;
        }
        let section = sections
            .iter()
            .find(|section| std::ptr::eq(section.endpoint, endpoint));
        let section = section.unwrap_or_else(|| panic!("no section on {title}"));
        let beginning = endpoint.path.split('{').next().unwrap();
        assert!(
            section.shell.contains(&format!("$L{beginning}")),
            "no request of {title}"
        );
        assert!(
            section.answers.iter().any(|answer| answer["code"] == 0),
            "no answer of {title}"
        );
    }
}

#[test]
fn requests_of_the_guide_have_known_fields() {
    let guide = read(GUIDE);
    let shell = blocks(&guide, "sh").join("\n").replace("\\\n", " ");
    let mut seen = 0;
    for request in shell.split("curl ").skip(1) {
        let Some(body) = request
            .split("-d '")
            .nth(1)
            .and_then(|rest| rest.split('\'').next())
        else {
            continue;
        };
        let path = request.split("$L").nth(1).expect("a path");
        let path = path.split([' ', '"', '?']).next().unwrap();
        let mut all = ENDPOINTS.iter();
        let Some(endpoint) = all.find(|one| one.path == path && one.verb.word() == "POST") else {
            assert!(path.starts_with("/hooks/"), "{path}");
            continue;
        };
        let body: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}"));
        for name in body.as_object().unwrap().keys() {
            assert!(endpoint.field(name).is_some(), "{path} has no {name}");
        }
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn answers_of_the_guide_are_what_the_code_says() {
    let document = document("http://127.0.0.1:8430");
    let all = LoginRefusal::all();
    for Section {
        endpoint, answers, ..
    } in sections()
    {
        let Answers::Data(name) = endpoint.answers else {
            panic!("{} answers no data", endpoint.path);
        };
        for answer in answers {
            let names: Vec<&str> = answer
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            let names: BTreeSet<&str> = names.into_iter().collect();
            assert_eq!(
                names,
                BTreeSet::from(["code", "data", "msg", "request_id"]),
                "{answer}"
            );
            let code = answer["code"].as_u64().unwrap();
            let refusal = all.iter().find(|refusal| u64::from(refusal.code()) == code);
            let (msg, schema) = match refusal {
                Some(refusal) => {
                    let known = endpoint.codes().contains(&refusal.code());
                    assert!(known, "{} never answers {code}", endpoint.path);
                    (message(refusal, Lang::Zh), "RefusedData")
                }
                None => ("成功", name),
            };
            assert_eq!(answer["msg"], msg);
            let schema = json!({"$ref": format!("#/components/schemas/{schema}")});
            assert!(
                fits(&document, &schema, &answer["data"]),
                "{}: {answer}",
                endpoint.path
            );
        }
    }
}

/// Whether a value has all members that its schema wants and none that it does not know.
fn fits(document: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = document
            .pointer(reference.trim_start_matches('#'))
            .expect("a schema");
        return fits(document, found, value);
    }
    if let Some(ways) = schema["oneOf"].as_array() {
        return ways.iter().any(|way| fits(document, way, value));
    }
    if let Some(constant) = schema.get("const") {
        return constant == value;
    }
    if let Some(known) = schema["enum"].as_array() {
        return known.contains(value);
    }
    match schema["type"].as_str() {
        Some("object") => {
            let Some(members) = value.as_object() else {
                return false;
            };
            let required = schema["required"].as_array().into_iter().flatten();
            let mut required = required.map(|name| name.as_str().unwrap());
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
                return true;
            };
            // A schema that tells only the beginning of an object is open.
            let is_open = properties.contains_key("events");
            required.all(|name| members.contains_key(name))
                && members
                    .iter()
                    .all(|(name, member)| match properties.get(name) {
                        Some(property) => fits(document, property, member),
                        None => is_open,
                    })
        }
        Some("array") => {
            let Some(items) = value.as_array() else {
                return false;
            };
            items
                .iter()
                .all(|item| fits(document, &schema["items"], item))
        }
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => true,
    }
}
