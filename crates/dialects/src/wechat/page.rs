//! What WeChat's error pages say, and what the developer should fix
//! (`docs/facts/wechat.md` §9; native numbers §11.2).

use yufu_core::refusal::Refusal;

use super::refusal::{Place, errcode};
use crate::endpoint::{Door, PageContext, PageText};

const ERRORS: &str = "docs/facts/wechat.md §9";
const IN_CLIENT: &str = "docs/facts/wechat.md §3";
const SCAN: &str = "docs/facts/wechat.md §4.1";
const NATIVE: &str = "docs/facts/wechat.md §11.2";

/// The number and words of a page for a refusal. Exhaustive: a new refusal cannot be forgotten.
/// Never holds a registered value.
pub fn page(refusal: &Refusal, context: &PageContext) -> PageText {
    match refusal {
        Refusal::MissingClientId => said(
            ERRORS,
            Some(10012),
            "appid 参数为空",
            "在授权地址里加上 appid（应用的 AppID，wx 开头的 18 个字符）。",
            "Put the app's appid (wx and 16 more characters) into the authorize address.",
        ),
        Refusal::MissingRedirect => said(
            ERRORS,
            Some(10011),
            "redirect_uri 参数为空",
            "在授权地址里加上 redirect_uri，并做一次 URL 编码。",
            "Put redirect_uri into the authorize address, percent-encoded once.",
        ),
        Refusal::MissingScope => said(
            ERRORS,
            Some(10010),
            "scope 参数为空",
            match context.door {
                Door::Scan => "在授权地址里加上 scope=snsapi_login。",
                Door::InClient => "在授权地址里加上 scope：snsapi_base 或 snsapi_userinfo。",
                Door::Native | Door::Phone => "在授权请求里加上 scope=snsapi_userinfo。",
            },
            match context.door {
                Door::Scan => "Put scope=snsapi_login into the authorize address.",
                Door::InClient => {
                    "Put a scope into the authorize address: snsapi_base or snsapi_userinfo."
                }
                Door::Native | Door::Phone => "Put scope=snsapi_userinfo into the request.",
            },
        ),
        Refusal::ResponseTypeUnsupported => said(
            IN_CLIENT,
            None,
            "response_type 参数错误",
            "response_type 只能填 code。",
            "response_type must be code.",
        ),
        Refusal::UnknownClient => said(
            ERRORS,
            None,
            "AppID 参数错误",
            "核对 appid 是否与后台显示的一致；此平台上没有这个应用。",
            "Compare the appid with the one in the console; no such app exists on this platform.",
        ),
        Refusal::RedirectMalformed => said(
            ERRORS,
            Some(10003),
            "redirect_uri 参数错误",
            "redirect_uri 必须是完整的 http 或 https 地址，做一次 URL 编码，不含空格、反斜杠或用户名，不超过 2048 字节。",
            "redirect_uri must be a whole http or https address, percent-encoded once, without \
             spaces, backslashes or user names, 2048 bytes at most.",
        ),
        Refusal::RedirectMismatch => said(
            ERRORS,
            Some(10003),
            "redirect_uri 参数错误",
            "redirect_uri 的域名必须与后台登记的授权回调域完全相同：不能是子域名，不能带端口；路径不限。",
            "The host of redirect_uri must be exactly the redirect domain registered for this app: \
             no sub-domain, no port; any path.",
        ),
        Refusal::ClientSuspended => said(
            ERRORS,
            Some(10004),
            "应用已被封禁",
            "此应用已被平台停用；原因可在后台查看，恢复请联系平台管理员。",
            "The platform has suspended this app; the reason is in the console, and the operator \
             can lift it.",
        ),
        Refusal::ClientNotApproved => said(
            ERRORS,
            Some(10005),
            "Scope 参数错误或没有 Scope 权限",
            "此应用尚未通过审核，没有登录权限；提交审核并等待通过。",
            "This app has not been approved and may not log people in yet; submit it and wait for \
             the approval.",
        ),
        Refusal::ScopeUnknown | Refusal::ScopeDenied => said(
            ERRORS,
            Some(10005),
            "Scope 参数错误或没有 Scope 权限",
            match context.door {
                Door::Scan => {
                    "网站应用用 scope=snsapi_login；其他 scope 须先获得权限，多个之间用逗号。"
                }
                Door::InClient => {
                    "服务号网页用 snsapi_base 或 snsapi_userinfo；其他 scope 须先获得权限。"
                }
                Door::Native | Door::Phone => "移动应用用 scope=snsapi_userinfo。",
            },
            match context.door {
                Door::Scan => {
                    "Website apps use scope=snsapi_login; others must be granted to the app first, \
                     and are separated by commas."
                }
                Door::InClient => {
                    "Service clients use snsapi_base or snsapi_userinfo; others must be granted \
                     to the app first."
                }
                Door::Native | Door::Phone => "Mobile apps use scope=snsapi_userinfo.",
            },
        ),
        Refusal::WrongClientKind => wrong_kind(context.door),
        Refusal::StateTooLong => said(
            match context.door {
                Door::InClient => IN_CLIENT,
                Door::Scan => SCAN,
                Door::Native | Door::Phone => "docs/facts/wechat.md §11.1",
            },
            None,
            "state too long",
            match context.door {
                Door::InClient => {
                    "state 最长 128 字节；把数据存在自己的服务器上，state 只放一个随机编号。"
                }
                Door::Scan | Door::Phone => {
                    "state 最长 4096 字节；把数据存在自己的服务器上，state 只放一个随机编号。"
                }
                Door::Native => {
                    "state 最长 1024 字节；把数据存在自己的服务器上，state 只放一个随机编号。"
                }
            },
            match context.door {
                Door::InClient => {
                    "state may have 128 bytes here; keep the data on your server and put only a \
                     random key into state."
                }
                Door::Scan | Door::Phone => {
                    "state may have 4096 bytes here; keep the data on your server and put only a \
                     random key into state."
                }
                Door::Native => {
                    "state may have 1024 bytes here; keep the data on your server and put only a \
                     random key into state."
                }
            },
        ),
        Refusal::Malformed(part) => PageText {
            text: format!("{part} 参数错误"),
            fix_zh: format!("{part} 必须是 UTF-8 文本，并做一次 URL 编码。"),
            fix_en: format!("{part} must be UTF-8 text, percent-encoded once."),
            ..said(ERRORS, None, "", "", "")
        },
        Refusal::TooLarge(part) => PageText {
            text: format!("{part} too long"),
            fix_zh: format!("{part} 过长；缩短后再试。"),
            fix_en: format!("{part} is too long; shorten it."),
            ..said(ERRORS, None, "", "", "")
        },
        Refusal::TooFast
        | Refusal::QuotaSpent
        | Refusal::TooManyFailures(_)
        | Refusal::PasscodeTooSoon(_) => said(
            ERRORS,
            Some(10009),
            "操作太频繁，请稍后再试",
            "请求过于频繁；一分钟后再试，并检查页面是否在循环跳转。",
            "Too many requests; try again in a minute, and check that no page redirects in a loop.",
        ),
        Refusal::OpenInClient => said(
            IN_CLIENT,
            None,
            "请在微信客户端打开链接",
            "此地址只能在客户端内的页面打开；普通浏览器里的网站请改用 /connect/qrconnect。",
            "This address works only inside the platform's own client; websites in a browser use \
             /connect/qrconnect.",
        ),
        Refusal::IdentityMismatch(field) => PageText {
            text: "第三方应用信息校验失败".to_owned(),
            fix_zh: format!("{field} 与后台登记的不一致；{}", identity_zh(field)),
            fix_en: format!(
                "{field} is not what was registered for this app; {}",
                identity_en(field)
            ),
            ..said(NATIVE, Some(-6), "", "", "")
        },
        Refusal::ChallengeRequired => said(
            NATIVE,
            None,
            "缺少 code_challenge 参数",
            "移动应用须带 PKCE：生成 code_verifier，发送 code_challenge=BASE64URL(SHA256(code_verifier)) 与 code_challenge_method=S256。",
            "Mobile apps must use PKCE: make a code_verifier and send \
             code_challenge=BASE64URL(SHA256(code_verifier)) with code_challenge_method=S256.",
        ),
        Refusal::ChallengeMalformed => said(
            NATIVE,
            None,
            "code_challenge 参数错误",
            "code_challenge_method 只能是 S256，code_challenge 是 43 个 base64url 字符，不带等号。",
            "code_challenge_method must be S256, and code_challenge 43 characters of base64url \
             without padding.",
        ),
        Refusal::ConsentDenied => said(
            NATIVE,
            Some(-4),
            "用户拒绝授权",
            "用户没有同意；应用应能继续以未登录状态使用。",
            "The user said no; let the app go on without a login.",
        ),
        Refusal::ConsentCancelled => said(
            NATIVE,
            Some(-2),
            "用户取消",
            "用户离开了授权页；可以让用户再次点击登录。",
            "The user turned away; offer the login again.",
        ),
        Refusal::InteractionGone => said(
            SCAN,
            None,
            "页面已过期",
            "授权页或二维码已失效；回到应用里重新发起登录。",
            "This page or QR code is over; go back to the app and start the login again.",
        ),
        Refusal::WrongBrowser => said(
            SCAN,
            None,
            "请在原浏览器中继续",
            "这次授权是在另一个浏览器里开始的；请在本浏览器里重新发起登录，并允许 Cookie。",
            "This authorization was begun in another browser; start again in this one, with \
             cookies allowed.",
        ),
        Refusal::UserRestricted => said(
            ERRORS,
            Some(50002),
            "用户受限",
            "此用户已被平台限制，不能授权；与应用的配置无关。",
            "The platform has restricted this user; nothing is wrong with the app.",
        ),
        // No page shows these for an authorization; they speak as the JSON endpoints do.
        Refusal::WrongMethod
        | Refusal::MissingSecret
        | Refusal::MissingCode
        | Refusal::MissingRefresh
        | Refusal::MissingAccess
        | Refusal::MissingSubject
        | Refusal::WrongSecret
        | Refusal::AddressRefused(_)
        | Refusal::GrantTypeUnsupported
        | Refusal::UnknownCode
        | Refusal::SpentCode
        | Refusal::ExpiredCode
        | Refusal::VerifierMismatch
        | Refusal::RedirectChanged
        | Refusal::UnknownRefresh
        | Refusal::ExpiredRefresh
        | Refusal::UnknownAccess
        | Refusal::ExpiredAccess
        | Refusal::WrongSubject
        | Refusal::ScopeInsufficient
        | Refusal::CredentialsChanged
        | Refusal::WrongTokenKind
        | Refusal::SignatureMismatch
        | Refusal::TimestampSkewed
        | Refusal::NonceUsed
        | Refusal::NotSignedIn
        | Refusal::WrongCredentials
        | Refusal::PhoneMalformed
        | Refusal::PasswordUnfit
        | Refusal::ProfileUnfit(_)
        | Refusal::FormForged
        | Refusal::UnknownGrant => {
            let (code, text) = errcode(refusal, Place::Tokens);
            PageText {
                text,
                ..said(
                    "docs/facts/wechat.md §8",
                    Some(code),
                    "",
                    "回到应用里重新发起登录；若再次出现，请把编号告诉开发者。",
                    "Go back to the app and start the login again; if this returns, tell the \
                     developer the number.",
                )
            }
        }
    }
}

fn said(source: &'static str, number: Option<i32>, text: &str, zh: &str, en: &str) -> PageText {
    PageText {
        number,
        text: text.to_owned(),
        fix_zh: zh.to_owned(),
        fix_en: en.to_owned(),
        source,
    }
}

/// §1: each kind of client has its own door.
fn wrong_kind(door: Door) -> PageText {
    match door {
        Door::InClient => said(
            ERRORS,
            Some(10016),
            "此处不支持开放平台应用的 appid",
            "/connect/oauth2/authorize 只接受服务号的 appid；网站应用请用 /connect/qrconnect，移动应用请用 SDK。",
            "/connect/oauth2/authorize takes service appids only; website apps use \
             /connect/qrconnect, mobile apps the SDK.",
        ),
        Door::Scan => said(
            SCAN,
            Some(10005),
            "Scope 参数错误或没有 Scope 权限",
            "/connect/qrconnect 只接受网站应用的 appid；服务号网页请用 /connect/oauth2/authorize。",
            "/connect/qrconnect takes website appids only; service clients use \
             /connect/oauth2/authorize.",
        ),
        Door::Native | Door::Phone => said(
            NATIVE,
            Some(10005),
            "Scope 参数错误或没有 Scope 权限",
            "此入口只接受移动应用的 appid。",
            "This door takes the appids of mobile apps only.",
        ),
    }
}

fn identity_zh(field: &str) -> &'static str {
    match field {
        "platform" => "platform 填 ios、android 或 harmony，并在后台登记该系统的信息。",
        "signature" => {
            "Android 填签名证书的 MD5（32 位小写，无冒号），HarmonyOS 填 appIdentifier；检查用哪个证书打的包。"
        }
        _ => "iOS 填 Bundle ID，Android 填包名，HarmonyOS 填 Bundle 名；修改登记后需重新审核。",
    }
}

fn identity_en(field: &str) -> &'static str {
    match field {
        "platform" => {
            "send platform=ios, android or harmony, and register the app for that system."
        }
        "signature" => {
            "Android sends the MD5 of its signing certificate (32 lower-case digits, no colons), \
             HarmonyOS its appIdentifier; check which certificate signed this build."
        }
        _ => {
            "iOS sends its bundle id, Android its package, HarmonyOS its bundle name; a change of \
             the registration is reviewed again."
        }
    }
}
