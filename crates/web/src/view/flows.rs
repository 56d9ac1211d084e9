//! The live picture of all logins: a page that its script fills.

use askama::Template;

use super::{control::CONTROL_WORDS, lang::Lang, sample::Sample, text::Text as T};

/// The page of the flows.
#[derive(Clone, Debug, Template)]
#[template(path = "flows.html")]
pub struct Flows {
    /// The language.
    pub lang: Lang,
    /// The same page in the other language.
    pub lang_href: Option<String>,
    /// The demo app, for whoever has seen no login yet.
    pub demo_href: String,
}

/// One of the living pages of the sandbox, as the others lead to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) href: &'static str,
    pub(super) name: &'static str,
    /// This is the page that is shown.
    pub(super) here: bool,
}

/// The places of the sandbox, seen from one of them.
pub(super) fn places(lang: Lang, here: &str) -> [Place; 4] {
    [
        ("/flows", T::FlowsLink),
        ("/phone", T::PhoneLink),
        ("/_sandbox", T::ControlLink),
        ("/dev/inbox", T::DevInboxLink),
    ]
    .map(|(href, name)| Place {
        href,
        name: lang.t(name),
        here: href == here,
    })
}

/// A text that a script says: its key, Chinese, English. A gap reads `{n}`.
pub type Word = (&'static str, &'static str, &'static str);

/// What the script of the flows says.
pub const FLOW_WORDS: &[Word] = &[
    // The list.
    ("list", "登录列表", "Logins"),
    ("search", "筛选", "Filter"),
    ("all_client", "全部应用", "All apps"),
    ("all_person", "所有人", "Everyone"),
    ("all_state", "全部状态", "Any state"),
    ("with_findings", "有问题的", "With findings"),
    ("count", "{n} 次登录", "{n} logins"),
    ("count_one", "1 次登录", "1 login"),
    ("count_of", "{n} / {all} 次登录", "{n} of {all} logins"),
    ("fresh", "{n} 条新的 ↑", "{n} new ↑"),
    ("none_yet", "还没有登录。", "No logins yet."),
    (
        "none_match",
        "没有符合筛选的登录。",
        "No login matches the filter.",
    ),
    ("unfilter", "清除筛选", "Clear the filter"),
    ("no_app", "未知应用", "Unknown app"),
    ("now", "刚刚", "now"),
    ("seconds", "{n} 秒", "{n} s"),
    ("minutes", "{n} 分钟", "{n} min"),
    ("hours", "{n} 小时", "{n} h"),
    ("days", "{n} 天", "{n} d"),
    ("state_logged_in", "已登录", "logged in"),
    ("state_returned", "已返回应用", "returned"),
    ("state_open", "进行中", "in progress"),
    ("state_failed", "失败", "failed"),
    ("state_denied", "被拒绝", "denied"),
    ("state_expired", "已过期", "expired"),
    ("door_scan", "扫码", "QR code"),
    ("door_in_client", "应用内网页", "in-app page"),
    ("door_native", "原生应用", "native app"),
    ("door_mini", "小程序", "mini program"),
    ("door_refresh", "刷新令牌", "token refresh"),
    ("door_other", "其他", "other"),
    ("error", "错误", "error"),
    ("warning", "警告", "warning"),
    ("note", "提示", "note"),
    ("fault", "注入的故障", "played fault"),
    ("export", "导出 JSON", "Export JSON"),
    ("clear", "清空", "Clear"),
    ("clear_sure", "清空这 {n} 条？", "Clear all {n}?"),
    ("live_waits", "连接中…", "Connecting…"),
    ("live_on", "实时", "Live"),
    ("live_lost", "正在重连…", "Reconnecting…"),
    (
        "live_locked",
        "沙箱已重启：请从终端重新打开",
        "The sandbox was restarted: open its address from the terminal",
    ),
    (
        "new_finding",
        "新问题：{what}（{app}）。",
        "New finding: {what} ({app}).",
    ),
    // The open flow.
    ("picture", "登录过程", "The login as a picture"),
    ("back", "返回", "Back"),
    ("following", "跟随最新", "following the newest"),
    ("copy_text", "复制文本", "Copy as text"),
    ("copy_link", "复制链接", "Copy link"),
    ("copy", "复制", "Copy"),
    ("copied", "已复制", "Copied"),
    (
        "failed",
        "沙箱回答了 {status}。",
        "The sandbox answered {status}.",
    ),
    (
        "gone",
        "这次登录已不在记录中",
        "This login is no longer kept",
    ),
    (
        "gone_why",
        "{id} 已被清空，或被更新的登录挤出。",
        "{id} was cleared, or newer logins took its place.",
    ),
    ("trouble", "没能读取", "That could not be read"),
    ("lanes", "参与者", "Who takes part"),
    ("arrows", "请求", "Exchanges"),
    ("lane_user", "用户", "User"),
    ("lane_app", "应用", "App"),
    ("lane_browser", "浏览器", "Browser"),
    ("lane_backend", "后端", "Backend"),
    ("lane_platform", "平台", "Platform"),
    ("nobody", "未登录", "nobody yet"),
    ("dialect_wechat", "微信", "WeChat"),
    ("dialect_qq", "QQ", "QQ"),
    ("dialect_weibo", "微博", "Weibo"),
    ("later", "{span} 之后", "{span} later"),
    (
        "times",
        "合并了 {n} 次相同的请求",
        "{n} alike, drawn as one",
    ),
    ("fine", "成功", "fine,"),
    ("refused", "被拒", "refused,"),
    ("cut_off", "中断", "cut"),
    (
        "arrow_said",
        "{after}，{from} 到 {to}：{label}，{result}",
        "{after}, {from} to {to}: {label}, {result}",
    ),
    ("goes_on", "进行中", "in progress"),
    (
        "dropped",
        "另有 {n} 个请求没有保留。",
        "{n} more exchanges were not kept.",
    ),
    ("request", "请求", "Request"),
    ("answer", "回答", "Answer"),
    (
        "no_answer",
        "没有回答：连接被切断。",
        "No answer: the connection was cut.",
    ),
    ("no_body", "没有正文。", "No body."),
    ("headers", "{n} 个头部", "{n} headers"),
    ("empty", "空", "empty"),
    (
        "cut",
        "正文太长，只保留了开头。",
        "The body is longer; only its beginning was kept.",
    ),
    ("findings", "问题", "Findings"),
    ("fix", "怎么改：", "What to do:"),
    ("source", "依据", "Fact:"),
    ("values", "跟踪一个值", "Follow a value"),
    (
        "follow",
        "看看同一个值还在哪里",
        "Show where the same value is",
    ),
    ("with", "{head}：{tail}", "{head}: {tail}"),
    ("note_scanned", "已扫码", "scanned"),
    ("note_agreed", "同意", "agreed"),
    ("note_denied", "拒绝", "denied"),
    ("note_cancelled", "取消", "cancelled"),
    ("note_ignored", "未理会", "ignored"),
    ("note_returned", "返回应用", "returned"),
    ("note_pushed", "已推送", "pushed"),
    ("note_revoked", "撤销授权", "revoked"),
    ("note_adopted", "自动收录", "adopted"),
    ("note_clock", "调钟", "clock"),
    ("note_fault", "故障", "fault"),
    ("note_waits", "等待", "waits"),
    ("note_turned away", "被拒", "turned away"),
    ("note_over", "过期", "over"),
    ("note_stays", "停在页面", "stays"),
    (
        "note_sends the browser to the platform",
        "送浏览器去平台",
        "sends the browser to the platform",
    ),
    ("note_comes back", "回调", "comes back"),
    ("note_signed in", "登录平台账号", "signed in"),
    (
        "note_signs in as somebody else",
        "换个账号",
        "signs in as somebody else",
    ),
    (
        "note_not seen: the browser does not come through the proxy",
        "没有看到：浏览器没走代理",
        "not seen: the browser does not come through the proxy",
    ),
    ("step_begins", "开始", "begins"),
    (
        "step_the app begins a login",
        "应用发起登录",
        "the app begins a login",
    ),
    ("step_shows the QR code", "展示二维码", "shows the QR code"),
    (
        "step_scanned: the phone is asked",
        "已扫码，等手机确认",
        "scanned: the phone is asked",
    ),
    (
        "step_waits for the person",
        "等待本人",
        "waits for the person",
    ),
    (
        "step_signed in: waits for the answer",
        "已登录平台，等待确认",
        "signed in: waits for the answer",
    ),
    ("step_agreed", "已同意", "agreed"),
    ("step_refused", "被平台拒绝", "refused"),
    ("step_the person said no", "本人拒绝", "the person said no"),
    (
        "step_the person turned away",
        "本人取消",
        "the person turned away",
    ),
    (
        "step_the person does nothing",
        "本人未理会",
        "the person does nothing",
    ),
    ("step_the app gave it up", "应用放弃", "the app gave it up"),
    (
        "step_the QR code ran out",
        "二维码过期",
        "the QR code ran out",
    ),
    (
        "step_the code is on its way to the app",
        "code 正送往应用",
        "the code is on its way to the app",
    ),
    (
        "step_the app has the code",
        "应用拿到 code",
        "the app has the code",
    ),
    (
        "step_the app did not answer",
        "应用没有回答",
        "the app did not answer",
    ),
    ("step_the app answered", "应用回答", "the app answered"),
    ("step_the code was paid", "code 已兑换", "the code was paid"),
    (
        "step_the code was refused",
        "code 被拒",
        "the code was refused",
    ),
    ("step_paid again", "重复兑换", "paid again"),
    (
        "step_the answer with the tokens was lost",
        "令牌的回答丢失",
        "the answer with the tokens was lost",
    ),
    (
        "step_the app never paid the code",
        "应用没有兑换 code",
        "the app never paid the code",
    ),
    (
        "step_the profile was read",
        "已读取资料",
        "the profile was read",
    ),
    (
        "step_the profile was refused",
        "资料被拒",
        "the profile was refused",
    ),
    ("step_the token is alive", "令牌有效", "the token is alive"),
    (
        "step_the token was refused",
        "令牌被拒",
        "the token was refused",
    ),
    (
        "step_the token was renewed",
        "令牌已续期",
        "the token was renewed",
    ),
    (
        "step_the renewal was refused",
        "续期被拒",
        "the renewal was refused",
    ),
    (
        "step_the app got a token of its own",
        "应用取得自己的令牌",
        "the app got a token of its own",
    ),
    (
        "step_the app was refused",
        "应用被拒",
        "the app was refused",
    ),
    (
        "step_bound: the app has a session",
        "已绑定，应用有了会话",
        "bound: the app has a session",
    ),
    (
        "step_the app's backend answered",
        "应用后端回答",
        "the app's backend answered",
    ),
    (
        "step_nothing happened any more",
        "不再有动静",
        "nothing happened any more",
    ),
    // Nothing yet.
    ("welcome", "等待第一次登录", "Waiting for the first login"),
    (
        "welcome_why",
        "每一次登录都会在这里实时画出来。三种开始的办法：",
        "Every login is drawn here while it happens. Three ways to begin:",
    ),
    ("begin_demo", "用演示应用", "With the demo app"),
    (
        "begin_demo_how",
        "打开演示应用“小屋”，登录一次。",
        "Open the demo app “Rooms” and log in once.",
    ),
    ("begin_demo_do", "打开演示应用", "Open the demo app"),
    ("begin_run", "用你自己的后端", "With your own backend"),
    (
        "begin_run_how",
        "照常启动它，前面加上 yufu run；代码一行不改。",
        "Start it as always, with yufu run before it; no line of code changes.",
    ),
    (
        "begin_run_do",
        "yufu run -- npm start",
        "yufu run -- npm start",
    ),
    ("begin_open", "用你自己的网页", "With your own web page"),
    (
        "begin_open_how",
        "在浏览器里打开它；那里的 open.weixin.qq.com 就是沙箱。",
        "Open it in a browser whose open.weixin.qq.com is the sandbox.",
    ),
    (
        "begin_open_do",
        "yufu open http://localhost:3000",
        "yufu open http://localhost:3000",
    ),
    // Hints and keys.
    ("hints", "提醒", "Hints"),
    ("dismiss", "关闭提醒", "Dismiss"),
    ("keys", "键盘", "Keyboard"),
    ("key_filter", "筛选", "filter"),
    ("key_move", "上下移动", "move up and down"),
    ("key_ends", "到最新、最旧", "to the newest, the oldest"),
    (
        "key_open",
        "打开登录，或一个请求",
        "open a login, or an exchange",
    ),
    ("key_back", "返回", "back"),
    ("key_help", "这个帮助", "this help"),
    ("close", "关闭", "Close"),
];

/// The words of a script in a language.
pub(super) fn in_lang(words: &'static [Word], lang: Lang) -> Vec<(&'static str, &'static str)> {
    let pick = |(key, zh, en): &Word| match lang {
        Lang::Zh => (*key, *zh),
        Lang::En => (*key, *en),
    };
    words.iter().map(pick).collect()
}

impl Flows {
    /// What the script says.
    #[must_use]
    pub fn words(&self) -> Vec<(&'static str, &'static str)> {
        // The faults are called here what they are called where they are set.
        let faults = in_lang(CONTROL_WORDS, self.lang).into_iter();
        let faults = faults.filter(|(key, _)| key.starts_with("fault_"));
        in_lang(FLOW_WORDS, self.lang)
            .into_iter()
            .chain(faults)
            .collect()
    }
}

impl Sample for Flows {
    const NAME: &'static str = "flows";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        vec![(
            "plain",
            Flows {
                lang,
                lang_href: Some("/flows?lang=en".to_owned()),
                demo_href: "/demo/".to_owned(),
            },
        )]
    }
}
