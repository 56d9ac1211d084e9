//! The control of the sandbox: a page that its script fills.

use askama::Template;

use super::{
    flows::{Word, in_lang},
    lang::Lang,
    sample::{self, Sample},
    text::Text as T,
};

/// The page of the control.
#[derive(Clone, Debug, Template)]
#[template(path = "control.html")]
pub struct Control {
    /// The language.
    pub lang: Lang,
    /// The same page in the other language.
    pub lang_href: Option<String>,
    /// What can go wrong on purpose.
    pub kinds: Vec<FaultKind>,
}

/// A kind of fault, for the form that adds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultKind {
    /// Its word.
    pub word: String,
    /// What happens, in one sentence.
    pub about: String,
    /// The endpoints where it can play.
    pub endpoints: Vec<String>,
    /// What it is told, besides whom it is for.
    pub fields: Vec<FaultField>,
}

/// A field of a fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultField {
    /// Its name.
    pub name: String,
    /// `number`, `text` or `person`.
    pub shape: String,
    /// What it is for.
    pub about: String,
    /// Whether it cannot be left out.
    pub must: bool,
    /// The least and the most of a number.
    pub bounds: Option<(i64, i64)>,
    /// What it is unless told otherwise.
    pub value: Option<String>,
    /// The words to choose from.
    pub words: Vec<String>,
}

/// What the script of the control says.
pub const CONTROL_WORDS: &[Word] = &[
    (
        "failed",
        "沙箱回答了 {status}。",
        "The sandbox answered {status}.",
    ),
    ("with", "{head}：{tail}", "{head}: {tail}"),
    ("copy", "复制", "Copy"),
    ("copied", "已复制", "Copied"),
    ("optional", "可不填", "optional"),
    ("save", "保存", "Save"),
    ("saved", "已保存。", "Saved."),
    ("add", "添加", "Add"),
    ("added", "已添加。", "Added."),
    ("edit", "编辑", "Edit"),
    ("remove", "删除", "Remove"),
    ("remove_sure", "确定删除？", "Really remove?"),
    ("show", "显示", "Show"),
    ("hide", "隐藏", "Hide"),
    ("sections", "本页内容", "On this page"),
    // People.
    ("people", "人", "People"),
    (
        "people_note",
        "这里的改动，你的应用下次请求就会看到。",
        "Your app sees a change here at its next request.",
    ),
    ("add_person", "添加一个人", "Add a person"),
    ("name", "名字", "Name"),
    ("short_name", "短名", "Short name"),
    (
        "short_name_note",
        "接口和命令行里用，如 mei。",
        "For the API and the command line, such as mei.",
    ),
    ("nickname", "昵称", "Nickname"),
    ("phone", "手机号", "Phone number"),
    ("sex", "性别", "Sex"),
    ("sex_unknown", "未知", "unknown"),
    ("sex_female", "女", "female"),
    ("sex_male", "男", "male"),
    ("country", "国家", "Country"),
    ("province", "省份", "Province"),
    ("city", "城市", "City"),
    ("has_avatar", "有头像", "Has a picture"),
    ("has_unionid", "返回 unionid", "Gets a unionid"),
    ("has_app", "手机装了微信", "Has the app installed"),
    ("standing", "账号状态", "Account"),
    ("standing_active", "正常", "in good standing"),
    ("standing_restricted", "受限", "restricted"),
    ("standing_closed", "已注销", "closed"),
    ("close_do", "注销账号", "Close the account"),
    (
        "close_sure",
        "注销后不能恢复，确定？",
        "For good: really close it?",
    ),
    ("open_phone", "打开手机", "Open the phone"),
    // Apps.
    ("clients", "应用", "Apps"),
    (
        "clients_note",
        "你的应用在平台上的登记。",
        "How your apps are registered with the platform.",
    ),
    ("add_client", "添加一个应用", "Add an app"),
    ("client_name", "名称", "Name"),
    ("client_kind", "类型", "Kind"),
    ("kind_website", "网站应用", "website"),
    ("kind_mobile", "移动应用", "mobile app"),
    ("kind_service", "服务号", "service account"),
    ("adopted", "自动接纳", "taken in"),
    ("redirects", "授权回调", "Returns to"),
    (
        "redirects_note",
        "域名、完整地址、scheme:…，或 loopback（本机）；用空格分隔。",
        "Hosts, whole addresses, scheme:…, or loopback for this machine; with blanks between them.",
    ),
    (
        "appid_note",
        "留空则新生成；填你自己的，代码就不用改。",
        "Drawn if left out. Give your own, and no code changes.",
    ),
    ("secret_note", "留空则新生成。", "Drawn if left out."),
    ("listed", "已上架", "Listed"),
    (
        "bound",
        "绑定开放平台（有 unionid）",
        "In the Open Platform account (unionid)",
    ),
    ("push", "事件推送", "Event push"),
    ("push_to", "事件推送：{url}", "Event push: {url}"),
    ("push_url", "推送地址", "Address"),
    (
        "push_place",
        "http://127.0.0.1:3000/wechat/events",
        "http://127.0.0.1:3000/wechat/events",
    ),
    ("push_token", "Token", "Token"),
    ("push_key", "EncodingAESKey", "EncodingAESKey"),
    (
        "push_key_note",
        "43 个字母和数字；加密模式需要。",
        "43 letters and digits, for the encrypted modes.",
    ),
    ("push_mode", "加密方式", "Mode"),
    ("mode_plain", "明文", "plain"),
    ("mode_compatible", "兼容", "compatible"),
    ("mode_encrypted", "安全", "encrypted"),
    ("push_format", "格式", "Format"),
    // Faults.
    ("faults", "故障", "Faults"),
    (
        "faults_note",
        "让平台按你的要求出错，看看应用怎么应对。",
        "Let the platform fail on purpose, and see what your app makes of it.",
    ),
    ("presets", "常用：", "At once:"),
    ("preset_busy", "繁忙一次（−1）", "busy once (−1)"),
    (
        "preset_often",
        "太频繁三次（45011）",
        "too often, 3 times (45011)",
    ),
    ("preset_slow", "兑换慢 8 秒", "exchange takes 8 s"),
    (
        "preset_burnt",
        "消耗 code 后断开",
        "cut after the code is spent",
    ),
    ("preset_twice", "回调送达两次", "callback twice"),
    (
        "preset_denied",
        "资料被拒（48001）",
        "profile denied (48001)",
    ),
    ("fault_kind", "出什么错", "What goes wrong"),
    ("fault_endpoint", "哪个接口", "Where"),
    (
        "fault_anywhere",
        "该故障的默认接口",
        "wherever it usually does",
    ),
    ("fault_client", "哪个应用", "For which app"),
    ("everybody_app", "所有应用", "all apps"),
    ("fault_person", "哪个人", "For whom"),
    ("everybody", "所有人", "everybody"),
    ("anybody_else", "任意另一个人", "anybody else"),
    ("fault_times", "次数", "How often"),
    ("always", "一直", "always"),
    ("fault_chance", "概率（0 到 1）", "Chance (0 to 1)"),
    ("fault_add", "添加故障", "Add the fault"),
    ("fault_added", "故障已添加。", "The fault is on."),
    ("fault_now", "正在生效", "On now"),
    (
        "fault_none",
        "没有故障，平台一切正常。",
        "None: the platform is in good health.",
    ),
    (
        "fault_left",
        "还剩 {left} / {times}",
        "{left} of {times} left",
    ),
    ("fault_played", "已触发 {n} 次", "played {n} times"),
    ("fault_by_chance", "概率 {n}%", "chance {n}%"),
    ("fault_clear", "全部移除", "Remove all"),
    ("fault_clear_sure", "移除这 {n} 个？", "Remove all {n}?"),
    ("fault_errcode", "返回错误码", "Refuse with a number"),
    ("fault_slow", "回答变慢", "Slow answer"),
    ("fault_drop", "连接中断", "Connection cut"),
    ("fault_status", "网关错误（5xx）", "Gateway error (5xx)"),
    (
        "fault_html",
        "返回网页而不是 JSON",
        "A page instead of JSON",
    ),
    ("fault_truncated", "JSON 被截断", "JSON cut short"),
    ("fault_content_type", "内容类型不对", "Wrong content type"),
    (
        "fault_errcode_zero",
        "成功时也带 errcode 0",
        "errcode 0 in a good answer",
    ),
    ("fault_extra", "多一个字段", "One field more"),
    ("fault_missing", "少一个字段", "One field less"),
    ("fault_duplicate", "字段出现两次", "A field twice"),
    ("fault_strings", "数字写成字符串", "Numbers as texts"),
    (
        "fault_other_openid",
        "返回别人的 openid",
        "Somebody else’s openid",
    ),
    ("fault_mojibake", "昵称乱码", "Damaged nickname"),
    ("fault_code_expired", "code 已过期", "Code expired"),
    (
        "fault_access_expired",
        "access_token 已过期",
        "Access token expired",
    ),
    (
        "fault_refresh_dead",
        "refresh_token 失效",
        "Refresh token dead",
    ),
    (
        "fault_userinfo_denied",
        "拒绝提供资料（48001）",
        "Profile denied (48001)",
    ),
    ("fault_clock_skew", "平台时钟偏差", "Platform clock off"),
    ("fault_scan_expired", "二维码过期", "QR code expired"),
    ("fault_callback_twice", "回调送达两次", "Callback twice"),
    (
        "fault_other_code",
        "回调带了别人的 code",
        "Somebody else’s code",
    ),
    ("fault_other_state", "回调的 state 不对", "Another state"),
    ("fault_no_state", "回调没有 state", "No state"),
    ("of_code", "错误码", "Number"),
    ("of_text", "说明文字", "Words"),
    ("of_when", "时机", "When"),
    (
        "of_when_before",
        "处理之前（什么都没消耗）",
        "before it acts: nothing is spent",
    ),
    (
        "of_when_after",
        "处理之后（code 已消耗）",
        "after it acted: a code is burnt",
    ),
    ("of_ms", "毫秒", "Milliseconds"),
    ("of_status", "HTTP 状态", "HTTP status"),
    ("of_bytes", "字节数", "Bytes"),
    ("of_type", "内容类型", "Content type"),
    ("of_field", "字段", "Field"),
    ("of_value", "值", "Value"),
    ("of_how", "怎样", "How"),
    ("of_how_latin1", "按 Latin-1 误读", "read as Latin-1"),
    ("of_how_bytes", "半个字符", "a character cut in two"),
    (
        "of_how_control",
        "夹带控制字符",
        "a control character inside",
    ),
    ("of_how_expired", "过期（42002）", "expired (42002)"),
    ("of_how_revoked", "被撤销（40030）", "revoked (40030)"),
    ("of_by", "偏差", "How far"),
    ("of_whose", "谁的", "Whose"),
    ("of_state", "state", "State"),
    // The clock.
    ("clock", "时钟", "Clock"),
    (
        "clock_note",
        "平台、登录后端和它们签发的一切都看这个钟。",
        "The platform, the login backend and all that they issue go by it.",
    ),
    ("on_time", "与真实时间一致", "on time"),
    ("ahead", "快 {span}", "{span} ahead"),
    ("behind", "慢 {span}", "{span} behind"),
    ("frozen", "已停住", "frozen"),
    ("n_days", "{n} 天", "{n} d"),
    ("n_hours", "{n} 小时", "{n} h"),
    ("n_minutes", "{n} 分", "{n} min"),
    ("n_seconds", "{n} 秒", "{n} s"),
    ("plus_days", "+{n} 天", "+{n} d"),
    ("freeze", "停住", "Freeze"),
    ("thaw", "继续走", "Let it go on"),
    ("real", "回到真实时间", "Back to real"),
    ("jump", "跳多远", "Jump by"),
    ("jump_do", "跳", "Jump"),
    ("expire", "让一个令牌现在过期", "Expire a token now"),
    (
        "expire_note",
        "code、access_token 或 refresh_token。",
        "A code, an access token or a refresh token.",
    ),
    ("expire_do", "过期", "Expire"),
    ("expired_now", "它现在过期了。", "It has expired."),
    // Auto.
    ("auto", "自动应答", "Auto-answer"),
    (
        "auto_note",
        "无人值守时，由一个人立刻答复所有授权。",
        "For unattended runs: one person answers every authorization at once.",
    ),
    ("auto_on", "{person}：{decision}", "{person}: {decision}"),
    ("auto_off", "关", "off"),
    ("auto_person", "谁", "Who"),
    ("auto_decision", "怎么答复", "What they say"),
    ("auto_page", "二维码页", "QR page"),
    ("page_skip", "跳过", "skipped"),
    (
        "page_show",
        "显示，稍后扫码",
        "shown, and scanned a moment later",
    ),
    ("auto_do", "开启", "Switch on"),
    ("auto_stop", "关闭", "Switch off"),
    ("decision_allow", "同意", "allow"),
    ("decision_deny", "拒绝", "deny"),
    ("decision_cancel", "取消", "cancel"),
    // Events.
    ("events", "事件", "Events"),
    (
        "events_note",
        "平台推送到应用的隐私事件：撤销、改资料、注销。",
        "Privacy events that the platform pushes to an app: revoked, changed, closed.",
    ),
    ("event", "事件", "Event"),
    (
        "event_user_authorization_revoke",
        "撤销授权",
        "authorization revoked",
    ),
    ("event_user_info_modified", "修改资料", "profile changed"),
    (
        "event_user_authorization_cancellation",
        "注销账号",
        "account closed",
    ),
    ("event_person", "谁", "Who"),
    ("event_client", "推给", "To"),
    (
        "event_client_note",
        "推送地址在上面“应用”里设置。",
        "Its address is set above, under Apps.",
    ),
    ("event_mode", "按应用的设置", "as the app is set"),
    ("event_do", "发送", "Send"),
    ("event_told", "应用的回答", "What came of it"),
    // Snapshots.
    ("snapshots", "快照", "Snapshots"),
    (
        "snapshots_note",
        "把整个沙箱存下来，随时回去。",
        "Keep the whole sandbox as it is, and go back whenever you like.",
    ),
    ("snapshot_name", "名称", "Name"),
    ("snapshot_do", "保存快照", "Save a snapshot"),
    ("snapshot_none", "还没有快照。", "No snapshots yet."),
    ("restore", "恢复", "Restore"),
    ("restore_sure", "确定恢复？", "Really restore?"),
    ("restored", "已恢复。", "Restored."),
    (
        "reset_note",
        "重置：一切回到刚启动的样子，时钟也是。",
        "Reset: everything as at the start, the clock too.",
    ),
    ("reset", "重置沙箱", "Reset the sandbox"),
    ("reset_sure", "确定全部重置？", "Really reset everything?"),
    (
        "reset_done",
        "沙箱和刚启动时一样了。",
        "The sandbox is as it was at the start.",
    ),
];

impl Control {
    /// What the script says.
    #[must_use]
    pub fn words(&self) -> Vec<(&'static str, &'static str)> {
        in_lang(CONTROL_WORDS, self.lang)
    }
}

impl Sample for Control {
    const NAME: &'static str = "control";

    fn samples(lang: Lang) -> Vec<(&'static str, Self)> {
        let kind = |word: &str, fields| FaultKind {
            word: word.to_owned(),
            about: "What happens.".to_owned(),
            endpoints: vec!["access_token".to_owned(), "userinfo".to_owned()],
            fields,
        };
        let plain = Control {
            lang,
            lang_href: Some("/_sandbox?lang=en".to_owned()),
            kinds: vec![
                kind(
                    "errcode",
                    vec![FaultField {
                        name: "code".to_owned(),
                        shape: "number".to_owned(),
                        must: true,
                        bounds: Some((-99, 99)),
                        ..FaultField::default()
                    }],
                ),
                kind("no_state", Vec::new()),
            ],
        };
        let hostile = FaultKind {
            about: sample::HOSTILE.to_owned(),
            endpoints: vec![sample::HOSTILE.to_owned()],
            ..kind(
                sample::HOSTILE,
                vec![FaultField {
                    name: sample::HOSTILE.to_owned(),
                    shape: sample::HOSTILE.to_owned(),
                    about: sample::HOSTILE.to_owned(),
                    value: Some(sample::HOSTILE.to_owned()),
                    words: vec![sample::HOSTILE.to_owned()],
                    ..FaultField::default()
                }],
            )
        };
        let hostile = Control {
            kinds: vec![hostile],
            ..plain.clone()
        };
        vec![("plain", plain), ("hostile", hostile)]
    }
}
