//! Every setting, once. What is read, overridden, explained and printed follows from here.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number within bounds.
    Number(i64, i64),
    /// One of these words, or a whole number within bounds.
    WordOrNumber(&'static [&'static str], i64, i64),
    /// `true` or `false`.
    Flag,
    /// A list of texts.
    List,
    /// A table of texts.
    Texts,
}

/// One setting.
#[derive(Debug)]
pub struct Field {
    /// Its place: table and key, or the key alone in a [`Group`].
    pub path: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// The default as it would be written; empty when there is none.
    pub default: &'static str,
    /// What it means, with its unit.
    pub about: &'static str,
}

/// A table that may stand in the file any number of times: `[[upstream]]`. Each has a `name`.
#[derive(Debug)]
pub struct Group {
    /// The table's name.
    pub name: &'static str,
    /// What one of them is.
    pub about: &'static str,
    /// Its settings.
    pub fields: &'static [Field],
}

/// The tables of the login backend, which is there when `[login]` is.
pub const OF_LOGIN: &[&str] = &["login", "captcha", "carrier", "number_history"];
/// The tables of the platform, which is there when `[platform]` is.
pub const OF_PLATFORM: &[&str] = &["platform", "sms", "people", "wechat"];

macro_rules! fields {
    ($(#[$about:meta])* $name:ident: $($path:literal $shape:expr, $default:literal, $words:literal;)*) => {
        $(#[$about])*
        pub const $name: &[Field] = &[$(Field { path: $path, shape: $shape, default: $default, about: $words }),*];
    };
}

const SECONDS: Shape = Shape::Number(1, 400 * 86_400);
const COUNT: Shape = Shape::Number(1, 100_000_000);

fields! {
    /// Every setting that stands in the file once.
    FIELDS:
    "platform.public_url" Shape::Text, "", "Needed for the platform. The address under which browsers and clients reach it, without a path: https, or http on this machine alone.";
    "platform.listen" Shape::Text, "127.0.0.1:8420", "Where the platform listens: address and port.";
    "platform.trusted_proxies" Shape::List, "[]", "IP addresses of proxies whose X-Forwarded-For is believed. Needed when a proxy in front speaks TLS: without it all callers share the proxy's address and its limits; [] if they shall.";
    "platform.poll_host" Shape::Text, "", "A second name of this server, below the public host, at which scans are polled too; the mark of scans is then sent there as well.";
    "platform.in_client_agent" Shape::Text, "", "In-client pages open only for browsers whose User-Agent holds this text; empty for all.";
    "platform.public_metrics" Shape::Flag, "false", "Whether /metrics answers everybody instead of this machine alone.";
    "tls.certificate" Shape::Text, "", "A PEM file with the certificate chain, for every listener; empty when a proxy in front speaks TLS.";
    "tls.key" Shape::Text, "", "The PEM file of its private key.";
    "store.path" Shape::Text, "", "Needed for the platform. The SQLite file that holds everything of it.";
    "store.max_pages" Shape::Number(0, 4_294_967_294), "0", "The most pages of 2 KiB that a database file may grow to; 0 for no bound.";
    "store.cache_entries" Shape::Number(0, 100_000_000), "200000", "How many tokens, clients, users and grants are kept in memory, for each database.";
    "keys.master" Shape::Text, "", "The master key as 64 hexadecimal digits. Better: keys.master_file.";
    "keys.master_file" Shape::Text, "", "A file that holds the master key as 64 hexadecimal digits; make one with: openssl rand -hex 32";
    "sms.deliver" Shape::Word(&["stderr", "file"]), "", "Needed for the platform. Where its passcodes go: \"stderr\", or \"file\" for one line of JSON each in sms.file.";
    "sms.file" Shape::Text, "", "The file for sms.deliver = \"file\".";
    "people.session_idle" SECONDS, "604800", "Seconds that a session lives without use.";
    "people.session_absolute" SECONDS, "2592000", "Seconds that a session lives at most.";
    "people.passcode_life" SECONDS, "300", "Seconds that a passcode lives.";
    "people.passcode_resend" SECONDS, "60", "Seconds until another passcode goes to the same number.";
    "people.passcode_attempts" Shape::Number(1, 100), "5", "How often a passcode may be tried.";
    "people.account_failures" Shape::Number(1, 100_000), "10", "Failed sign-ins per account and address at once; one more each minute.";
    "people.account_failures_all" Shape::Number(1, 100_000), "100", "Failed sign-ins per account from everywhere at once; one more every six seconds.";
    "people.address_failures" Shape::Number(1, 100_000), "50", "Failed sign-ins per address at once; one more every ten seconds.";
    "people.number_passcodes" Shape::Number(1, 100_000), "5", "Passcodes per number at once; one more every ten minutes.";
    "people.address_passcodes" Shape::Number(1, 100_000), "20", "Passcodes per address at once; one more each minute.";
    "people.address_authorizations" COUNT, "1000", "Authorizations and QR codes begun per address at once; five more each second.";
    "wechat.interaction_life" SECONDS, "1800", "Seconds that an authorization page may be left open.";
    "wechat.scan_life" SECONDS, "300", "Seconds that a QR code lives.";
    "wechat.scan_repeat" SECONDS, "60", "Seconds for which a scan's code is said again to the poller that got it.";
    "wechat.poll_hold" Shape::Number(0, 120), "25", "Seconds that a poll is held when nothing is new.";
    "wechat.signature_window" SECONDS, "600", "Seconds that the timestamp of a signed scan may be off.";
    "wechat.platform_overlap" SECONDS, "300", "Seconds that a client's previous own token lives beside its new one.";
    "wechat.platform_ticket_life" SECONDS, "7200", "Seconds that the ticket that signs scans lives.";
    "wechat.secret_overlap" SECONDS, "604800", "Seconds that an old AppSecret works beside a new one.";
    "wechat.state_in_client" Shape::Number(1, 8192), "128", "The most bytes of a state in-client.";
    "wechat.state_scan" Shape::Number(1, 8192), "4096", "The most bytes of a state at a scan.";
    "wechat.state_native" Shape::Number(1, 8192), "1024", "The most bytes of a state at a native hand-over.";
    "login.public_url" Shape::Text, "", "Needed for the login backend. The address under which apps and browsers reach it, without a path: https, or http on this machine alone.";
    "login.listen" Shape::Text, "127.0.0.1:8430", "Where the login backend listens: address and port.";
    "login.trusted_proxies" Shape::List, "[]", "As platform.trusted_proxies.";
    "login.public_metrics" Shape::Flag, "false", "As platform.public_metrics.";
    "login.store_path" Shape::Text, "", "Needed for the login backend. The SQLite file that holds everything of it; never the platform's.";
    "login.statuses" Shape::Word(&["compat", "strict"]), "compat", "\"compat\" answers every call with HTTP 200 and says what went wrong in the body alone; \"strict\" also says it by the status.";
    "login.bind_policy" Shape::Word(&["phone_required", "optional"]), "phone_required", "Whether somebody new must bind a phone number before there is an account.";
    "login.merge_policy" Shape::Word(&["confirm", "auto"]), "confirm", "Whether an account found by its phone number is linked after the user said so, or at once.";
    "login.consent_version" Shape::Text, "", "The version of the terms that a login must have accepted; empty: any word will do, but some word must come.";
    "login.phone" Shape::Flag, "true", "Whether passcodes are sent to phones; needs an [[sms_gateway]]. Without them a number is proved by [carrier] alone.";
    "login.device_policy" Shape::Word(&["concurrent", "one_per_platform", "exclusive"]), "concurrent", "Which sessions of a user live beside each other.";
    "login.yields" Shape::Word(&["old", "new"]), "old", "Whether the old session ends or the new login is refused where the policy allows no more.";
    "login.session_limit" Shape::Number(1, 1000), "12", "The most sessions of a user.";
    "login.device_on_every_call" Shape::Flag, "false", "Whether every call of a session proves its device, not login, bind and refresh alone.";
    "login.access_life" SECONDS, "7200", "Seconds that a session token lives.";
    "login.refresh_idle" SECONDS, "2592000", "Seconds that a refresh token lives without use.";
    "login.session_absolute" SECONDS, "7776000", "Seconds that a session lives at most.";
    "login.refresh_grace" Shape::Number(0, 600), "10", "Seconds for which a refresh token that was used is answered with the same pair again.";
    "login.transaction_life" SECONDS, "600", "Seconds that a state lives.";
    "login.ticket_life" SECONDS, "600", "Seconds that a bind_ticket and its like live.";
    "login.proof_life" SECONDS, "300", "Seconds that a proof counts as fresh.";
    "login.replay_life" SECONDS, "60", "Seconds for which the same idempotency key hears the same answer.";
    "login.exchange_patience" SECONDS, "30", "Seconds after which an exchange that nobody finished is taken over.";
    "login.answer_budget" Shape::Number(1, 60), "5", "Seconds that a login waits for its upstream before it says: try again.";
    "login.deletion_delay" Shape::Number(0, 21 * 86_400), "604800", "Seconds for which a request to delete an account can be taken back; 21 days at most.";
    "login.replace_delay" SECONDS, "259200", "Seconds until an upstream login that cannot be proved any more may be replaced.";
    "login.merge_undo" SECONDS, "604800", "Seconds for which a merge can be undone.";
    "login.recycle_after" SECONDS, "15552000", "Seconds of silence after which the owner of a number is asked whether it is still theirs.";
    "login.expose_upstream_token" Shape::Flag, "false", "Whether clients see the upstream's access token and may log in again with it.";
    "login.verify_upstream" Shape::WordOrNumber(&["never", "on_relogin"], 1, 400 * 86_400), "never", "Whether a stored upstream token is checked at a login with stored credentials: never, each time, or when the last check is so many seconds old.";
    "login.upstream_trust" SECONDS, "86400", "Seconds for which an upstream that cannot be asked is taken to say what it said last.";
    "login.origins" Shape::List, "[]", "Further origins whose pages may call with cookies and be returned to, such as [\"https://app.example.com\"].";
    "login.bind_url" Shape::Text, "/login/bind", "Where a browser goes to bind a phone number: a path of this server, or an address at one of login.origins.";
    "login.outgoing_allow" Shape::List, "[]", "Hosts, addresses and networks that may be called although they are private, and over plain http.";
    "login.outgoing_roots" Shape::Text, "", "A PEM file with further roots to trust in calls to other servers.";
    "login.passcode_life" SECONDS, "300", "Seconds that a passcode lives.";
    "login.passcode_resend" SECONDS, "60", "Seconds until another passcode goes to the same number.";
    "login.passcode_attempts" Shape::Number(1, 100), "5", "How often a passcode may be tried.";
    "login.passcodes_hourly" COUNT, "5", "Passcodes to one number within an hour.";
    "login.passcodes_daily" COUNT, "10", "Passcodes to one number within 24 hours.";
    "login.address_passcodes" COUNT, "20", "Passcodes per address and hour before a captcha is asked for.";
    "login.network_passcodes" COUNT, "60", "Passcodes per network (/24 or /64) and hour before a captcha is asked for.";
    "login.device_passcodes" COUNT, "5", "Passcodes per device and hour before a captcha is asked for.";
    "login.country_passcodes" COUNT, "60", "Passcodes per hour to each country but the first of login.countries.";
    "login.all_passcodes" COUNT, "3600", "All passcodes per hour: the budget against toll fraud.";
    "login.countries" Shape::List, "[\"86\"]", "Calling codes that passcodes are sent to; [] for all.";
    "login.address_failures" Shape::Number(1, 100_000), "50", "Failed logins per address at once; one more every ten seconds.";
    "login.address_transactions" COUNT, "200", "Logins begun per address at once; one more each second.";
    "login.test_numbers" Shape::List, "[]", "Numbers with a fixed passcode. For `yufu dev` alone: `yufu serve` refuses them.";
    "captcha.url" Shape::Text, "", "Who judges captchas: gets POST {response, address}, answers {success}.";
    "captcha.secret" Shape::Text, "", "What its requests are signed with. Better: captcha.secret_file.";
    "captcha.secret_file" Shape::Text, "", "A file that holds it.";
    "carrier.url" Shape::Text, "", "Who exchanges a carrier's one-tap token: gets POST {token}, answers {phone}.";
    "carrier.secret" Shape::Text, "", "What its requests are signed with. Better: carrier.secret_file.";
    "carrier.secret_file" Shape::Text, "", "A file that holds it.";
    "number_history.url" Shape::Text, "", "Who knows whether a number has a new owner: gets POST {phone, since}, answers {reissued}.";
    "number_history.secret" Shape::Text, "", "What its requests are signed with. Better: number_history.secret_file.";
    "number_history.secret_file" Shape::Text, "", "A file that holds it.";
    "audit.keep_days" Shape::Number(1, 36_500), "180", "Days that the audit is kept.";
}

/// Every table that may stand in the file several times.
pub const GROUPS: &[Group] = &[
    Group {
        name: "upstream",
        about: "An app of yours at a platform that people log in with.",
        fields: UPSTREAM,
    },
    Group {
        name: "sms_gateway",
        about: "A gateway for the login backend's passcodes; tried in the order of the file.",
        fields: SMS_GATEWAY,
    },
    Group {
        name: "webhook",
        about: "A server of yours that is told what happens to accounts.",
        fields: WEBHOOK,
    },
    Group {
        name: "service",
        about: "A server of yours that may ask about session tokens.",
        fields: SERVICE,
    },
];

fields! {
    /// The settings of an `[[upstream]]`.
    UPSTREAM:
    "name" Shape::Text, "", "Needed. Its name, by which calls choose it: lower-case letters, digits and dashes.";
    "kind" Shape::Word(&["wechat-mobile", "wechat-website", "wechat-service", "wechat-mini"]), "", "Needed. What the app is there.";
    "appid" Shape::Text, "", "Needed. Its appid.";
    "secret" Shape::Text, "", "Its AppSecret. Better: secret_file.";
    "secret_file" Shape::Text, "", "A file that holds its AppSecret.";
    "base_url" Shape::Text, "", "The origin of the platform when it is another than WeChat's own, such as a yufu.";
    "account" Shape::Text, "", "A name for the Open Platform account it belongs to: unionids count within one.";
    "push_token" Shape::Text, "", "The token of its event pushes; goes with push_key.";
    "push_key" Shape::Text, "", "The EncodingAESKey of its event pushes: 43 characters. Better: push_key_file.";
    "push_key_file" Shape::Text, "", "A file that holds it.";
}

fields! {
    /// The settings of an `[[sms_gateway]]`.
    SMS_GATEWAY:
    "name" Shape::Text, "", "Needed. Its name: lower-case letters, digits and dashes. Its receipts come to /hooks/sms/<name>.";
    "kind" Shape::Word(&["aliyun", "tencent", "webhook", "console", "file"]), "", "Needed. What it is; \"console\" is for a login backend that this machine alone can reach.";
    "key_id" Shape::Text, "", "aliyun, tencent: the id of the access key.";
    "key_secret" Shape::Text, "", "aliyun, tencent: the access key's secret. Better: key_secret_file.";
    "key_secret_file" Shape::Text, "", "A file that holds it.";
    "sign_name" Shape::Text, "", "aliyun, tencent: the approved signature before the text.";
    "app_id" Shape::Text, "", "tencent: the SMS application's id.";
    "region" Shape::Text, "", "aliyun, tencent: the region, when it is not the usual one.";
    "host" Shape::Text, "", "aliyun, tencent: the gateway's host, when it is not the usual one.";
    "signing" Shape::Word(&["v3", "v1"]), "v3", "aliyun: how requests are signed; \"v1\" is the old way.";
    "template" Shape::Text, "", "aliyun, tencent: the approved text for every scene.";
    "templates" Shape::Texts, "{}", "aliyun, tencent: the approved texts of single scenes (login, bind, change, verify).";
    "gaps" Shape::List, "[\"code={code}\"]", "aliyun, tencent: the gaps of the texts in order, by name; {code} and {minutes} are filled in.";
    "text" Shape::Text, "", "webhook: a whole text to send along; {code} and {minutes} are filled in.";
    "url" Shape::Text, "", "webhook: its address.";
    "secret" Shape::Text, "", "webhook: what requests and receipts are signed with. Better: secret_file.";
    "secret_file" Shape::Text, "", "A file that holds it.";
    "path" Shape::Text, "", "file: the file that gets one line of JSON for each passcode.";
    "receipt_key" Shape::Text, "", "The key that receipts bring as ?key=; without one, none are heard; those of a webhook are signed too. Better: receipt_key_file.";
    "receipt_key_file" Shape::Text, "", "A file that holds it.";
}

fields! {
    /// The settings of a `[[webhook]]`.
    WEBHOOK:
    "name" Shape::Text, "", "Needed. Its name: lower-case letters, digits and dashes.";
    "url" Shape::Text, "", "Needed. Its address.";
    "secret" Shape::Text, "", "What messages to it are signed with: whsec_ and base64, or any text of 24 characters and more. Better: secret_file.";
    "secret_file" Shape::Text, "", "A file that holds it.";
    "events" Shape::List, "[]", "What it hears of, by the beginnings of the words, such as [\"user.\"]; [] for everything.";
}

fields! {
    /// The settings of a `[[service]]`.
    SERVICE:
    "name" Shape::Text, "", "Needed. The user name of its HTTP Basic credentials: lower-case letters, digits and dashes.";
    "secret" Shape::Text, "", "Their password: 24 characters and more. Better: secret_file.";
    "secret_file" Shape::Text, "", "A file that holds it.";
}
