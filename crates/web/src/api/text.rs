//! What the codes say to whoever builds an app on them: which way the user goes on.

use yufu_core::login::LoginRefusal;

use crate::view::Lang;

/// The message of a good answer.
pub(crate) const fn fine(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "成功",
        Lang::En => "OK",
    }
}

/// The message of a fault of ours.
pub(crate) const fn fault(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "服务出了问题，请稍后重试；反馈时请附上 data.incident。",
        Lang::En => {
            "Something failed on our side. Try again soon; quote data.incident when reporting."
        }
    }
}

/// The message of a refusal.
pub fn message(refusal: &LoginRefusal, lang: Lang) -> &'static str {
    let (zh, en) = both(refusal);
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}

/// What a person reads of a refusal, on a page of ours.
pub(crate) fn to_person(refusal: &LoginRefusal, lang: Lang) -> String {
    use LoginRefusal as R;
    let wait = |refusal: &LoginRefusal| match refusal {
        R::RateLimited { retry_after }
        | R::UpstreamBusy { retry_after }
        | R::PasscodeTooSoon { retry_after }
        | R::PasscodeLimit { retry_after } => super::envelope::wait(*retry_after),
        _ => 0,
    };
    let (zh, en) = match refusal {
        R::RateLimited { .. } | R::PasscodeTooSoon { .. } | R::PasscodeLimit { .. } => {
            let seconds = wait(refusal);
            return match lang {
                Lang::Zh => format!("操作太频繁，请 {seconds} 秒后再试。"),
                Lang::En => format!("Too often. Wait {seconds} seconds."),
            };
        }
        R::PasscodeWrong { left } => {
            return match lang {
                Lang::Zh => format!("验证码不对，还可以试 {left} 次。"),
                Lang::En => format!("That passcode is wrong. {left} tries left."),
            };
        }
        R::UpstreamBusy { .. } => (
            "微信暂时没有回应，请稍后再试。",
            "WeChat does not answer. Try again in a moment.",
        ),
        R::BadRequest { field: "phone" } | R::PhoneInvalid => (
            "请输入能收短信的手机号。",
            "Enter a mobile number that takes messages.",
        ),
        R::BadRequest { field: "sms_code" } => ("请输入验证码。", "Enter the passcode."),
        R::PasscodeOver | R::PasscodeExhausted => (
            "验证码已失效，请重新获取。",
            "This passcode is over. Send a new one.",
        ),
        R::CaptchaRequired => (
            "请求太多，这里暂时不能再发验证码，请稍后再试。",
            "Too many requests: no passcode can be sent from here for a while.",
        ),
        R::GatewayFailed => (
            "短信没有发出去，请稍后再试。",
            "The message could not be sent. Try again later.",
        ),
        R::Disabled => (
            "这个账号已被停用，请联系客服。",
            "This account is disabled. Contact support.",
        ),
        R::UpstreamRestricted => (
            "这个微信号受微信限制，请用手机号登录。",
            "WeChat restricts this user. Use your phone number.",
        ),
        R::AppMisconfigured => (
            "微信登录暂时不可用，请用手机号登录。",
            "WeChat login is not available. Use your phone number.",
        ),
        R::WechatTaken => (
            "这个微信已经有账号，请重新用微信登录。",
            "This WeChat has an account already: log in with WeChat again.",
        ),
        R::AlreadyLinked => (
            "账号已绑定另一个微信。",
            "The account has another WeChat already.",
        ),
        R::DeviceLimit => (
            "登录的设备已达上限，请先在别的设备上退出。",
            "Too many devices are logged in. Log out on another one first.",
        ),
        R::Conflict => (
            "没有完成，请再试一次。",
            "That did not work. Try once more.",
        ),
        R::BadRequest { .. } => ("这个链接不正确。", "This link is not right."),
        _ => ("请重新登录。", "Please log in again."),
    };
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
    .to_owned()
}

/// Every message in both languages. It has no arm for the rest: a refusal without words does not
/// compile.
const fn both(refusal: &LoginRefusal) -> (&'static str, &'static str) {
    use LoginRefusal as R;
    match refusal {
        R::BadRequest { .. } => (
            "请求不正确，请检查 data.field 所指的字段。",
            "The request is not right: look at the field that data.field names.",
        ),
        R::RateLimited { .. } => (
            "操作太频繁，请等待 data.retry_after 秒。",
            "Too many calls. Wait data.retry_after seconds.",
        ),
        R::ConsentRequired => (
            "请先让用户同意最新的协议，再带上 consent_version 重试。",
            "Let the user accept the current terms first, then send consent_version.",
        ),
        R::StateInvalid => (
            "这次授权已失效，请重新发起登录。",
            "This authorization is no longer valid here. Begin the login again.",
        ),
        R::Conflict => (
            "同一账号正在被修改，请重试。",
            "Somebody else is changing the same account. Try again.",
        ),
        R::CodeInvalid => (
            "微信授权已过期，请让用户再点一次微信登录。",
            "The WeChat code is not valid any more. Let the user tap WeChat login again.",
        ),
        R::CodeUsed => (
            "这个微信授权码已用过，请重新登录。",
            "This WeChat code was used before. Let the user log in again.",
        ),
        R::AppMisconfigured => (
            "微信登录暂时不可用，请换用手机号登录。",
            "WeChat login is not available right now. Offer the phone number instead.",
        ),
        R::UpstreamBusy { .. } => (
            "微信暂时没有回应，请等待 data.retry_after 秒后用同一 code 和 state 重试。",
            "WeChat does not answer. Wait data.retry_after seconds, then send the same request again.",
        ),
        R::UpstreamUnreadable => (
            "微信的回应无法采信，请让用户重新授权。",
            "WeChat's answer cannot be trusted. Let the user authorize again.",
        ),
        R::ScopeMissing => (
            "授权范围不足，请重新授权并允许所需权限。",
            "The authorization does not reach far enough. Ask for it again with the right scope.",
        ),
        R::UpstreamRestricted => (
            "该微信号受微信限制，请换用手机号登录。",
            "WeChat restricts this user. Offer the phone number instead.",
        ),
        R::Reauthorize => (
            "需要用户重新在微信授权，请转到微信登录。",
            "The user must authorize at WeChat again: begin a WeChat login.",
        ),
        R::PhoneInvalid => (
            "这不是能收短信的手机号，请检查。",
            "That is not a mobile number that takes messages. Let the user check it.",
        ),
        R::PasscodeTooSoon { .. } => (
            "验证码刚发过，请等待 data.retry_after 秒。",
            "A passcode was just sent. Wait data.retry_after seconds.",
        ),
        R::PasscodeLimit { .. } => (
            "这个号码今天收到的验证码太多，请在 data.retry_after 秒后再试。",
            "This number had its share of passcodes. Try again in data.retry_after seconds.",
        ),
        R::PasscodeWrong { .. } => (
            "验证码不对，还可以试 data.left 次。",
            "That passcode is wrong. There are data.left tries left.",
        ),
        R::PasscodeOver => (
            "验证码已失效，请重新获取。",
            "This passcode is over. Send a new one.",
        ),
        R::PasscodeExhausted => (
            "验证码输错太多次，已作废，请重新获取。",
            "The passcode was tried too often and is void. Send a new one.",
        ),
        R::GatewayFailed => (
            "短信没有发出去，请稍后再试或换一种登录方式。",
            "The message could not be sent. Try again later, or offer another way to log in.",
        ),
        R::CaptchaRequired => (
            "请让用户完成人机验证，再带上 captcha 重试。",
            "Show a captcha and send its answer as captcha.",
        ),
        R::CarrierInvalid => (
            "一键登录凭证无效，请改用短信验证码。",
            "The carrier's token is not good. Use a passcode instead.",
        ),
        R::PhoneTaken { .. } => (
            "这个手机号已属于另一个账号：可换号码、用原微信登录，或申请替换。",
            "This number belongs to another account: use another number, log in with the other WeChat, or ask to replace it.",
        ),
        R::WechatTaken => (
            "这个微信已有账号，请直接用它登录。",
            "This WeChat has an account already: log in with it.",
        ),
        R::TicketInvalid => (
            "这一步已过期，请重新用微信登录。",
            "This step is over. Begin the WeChat login again.",
        ),
        R::LastIdentity => (
            "这是进入账号的唯一方式，请先绑定手机号。",
            "It is the only way into the account. Add a phone number first.",
        ),
        R::ConfirmNeeded { .. } => (
            "找到了已有账号，请让用户确认是哪一个。",
            "There is an account already. Let the user say which one is theirs.",
        ),
        R::Deleting { .. } => (
            "账号正在注销，可在 data.deletable_at 之前撤销。",
            "The account is being deleted. Its owner can take that back until data.deletable_at.",
        ),
        R::Disabled => (
            "账号已被停用，请联系客服。",
            "The account is disabled. Show how to appeal.",
        ),
        R::AlreadyLinked => (
            "账号已绑定另一个微信，请先解绑。",
            "The account has another WeChat already. Unlink that one first.",
        ),
        R::StepUpRequired { .. } => (
            "需要再验证一次身份，方式见 data.proofs。",
            "A fresh proof is needed first: data.proofs says which.",
        ),
        R::RecycledSuspected => (
            "这个号码可能换了主人：请让用户确认原账号是否属于自己，不是则以 fresh 重新开始。",
            "The number may have a new owner. Ask whether the old account is theirs; if not, send fresh.",
        ),
        R::SessionInvalid => ("登录状态无效，请重新登录。", "Not logged in. Log in again."),
        R::SessionExpired => (
            "登录已过期，请刷新会话或重新登录。",
            "The session is over. Refresh it, or log in again.",
        ),
        R::SessionReplaced { .. } => (
            "账号已在另一台设备登录，时间和设备见 data。",
            "The account was logged in on another device; data says when and where.",
        ),
        R::SessionKicked { .. } => (
            "这台设备已被移除登录，请重新登录。",
            "This device was logged out from elsewhere. Log in again.",
        ),
        R::RefreshReused => (
            "刷新令牌被重复使用，为安全起见请重新登录。",
            "A refresh token was used twice. For safety, log in again.",
        ),
        R::DeviceLimit => (
            "登录的设备已达上限，请先移除一台。",
            "No more devices may be logged in. Remove one first.",
        ),
    }
}
