//! What the tests share: one moment, one client, one user, and the table's functions by path.

use std::sync::Arc;

use yufu_core::client::{Client, ClientKind, ClientPolicy, NativeIdentity, Status};
use yufu_core::id::{ClientId, DeveloperId, Number, UserId};
use yufu_core::message::{
    AccessRequest, AuthorizeRequest, Authorized, Channel, MiniSession, NativeApp, Outcome,
    PlatformTicket, PollAnswer, PollRequest, ProfileAnswer, ScanShown, TokenRequest, Tokens,
};
use yufu_core::redirect::{RedirectRule, ReturnPath};
use yufu_core::refusal::Refusal;
use yufu_core::scope::Scopes;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::{Profile, Sex, User};
use yufu_dialects::endpoint::{Endpoint, Operation};
use yufu_dialects::http::{Reply, Request, Stamp};
use yufu_dialects::wechat::DIALECT;

pub(crate) const APPID: &str = "wx0123456789abcdef";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const CODE: &str = "01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D";
pub(crate) const OPENID: &str = "oAbCdEfGhIjKlMnOpQrStUvWxYz0";
pub(crate) const UNIONID: &str = "oZyXwVuTsRqPoNmLkJiHgFeDcBa9";

/// §2: the first group of a request id is Unix seconds in hexadecimal; 6aac007a is 2026-09-17.
pub(crate) const STAMP: Stamp = Stamp {
    now: Timestamp(0x6aac_007a * 1000 + 999),
    noise: 0x0123_4567_89ab_cdef,
};

pub(crate) fn endpoint(path: &str) -> &'static Endpoint {
    DIALECT.find(path).expect("a path of the table")
}

pub(crate) fn token_request(request: &Request) -> Result<TokenRequest, Refusal> {
    match &endpoint(&request.path).operation {
        Operation::Token { parse, .. } | Operation::Mini { parse, .. } => parse(request),
        _ => panic!("no token endpoint: {}", request.path),
    }
}

pub(crate) fn authorize_request(request: &Request) -> Result<AuthorizeRequest, Refusal> {
    match &endpoint(&request.path).operation {
        Operation::Authorize { parse, .. } | Operation::SignedScan { parse, .. } => parse(request),
        _ => panic!("no authorize endpoint: {}", request.path),
    }
}

pub(crate) fn access_request(request: &Request) -> Result<AccessRequest, Refusal> {
    match &endpoint(&request.path).operation {
        Operation::Profile { parse, .. } | Operation::Inspect { parse, .. } => parse(request),
        _ => panic!("no endpoint for access tokens: {}", request.path),
    }
}

pub(crate) fn poll_request(request: &Request) -> Result<PollRequest, Refusal> {
    match &endpoint(&request.path).operation {
        Operation::Poll { parse, .. } => parse(request),
        _ => panic!("no poll: {}", request.path),
    }
}

pub(crate) fn tokens_reply(request: &Request, outcome: Result<Tokens, Refusal>) -> Reply {
    match &endpoint(&request.path).operation {
        Operation::Token { render, .. } => render(request, &STAMP, outcome),
        _ => panic!("no token endpoint: {}", request.path),
    }
}

pub(crate) fn profile_reply(request: &Request, outcome: Result<ProfileAnswer, Refusal>) -> Reply {
    match &endpoint(&request.path).operation {
        Operation::Profile { render, .. } => render(request, &STAMP, outcome),
        _ => panic!("no profile: {}", request.path),
    }
}

pub(crate) fn poll_reply(query: &str, outcome: Result<PollAnswer, Refusal>) -> Reply {
    let request = Request::get("/connect/l/qrconnect", query);
    match &endpoint(&request.path).operation {
        Operation::Poll { render, .. } => render(&request, &STAMP, outcome),
        _ => unreachable!(),
    }
}

pub(crate) fn mini_reply(outcome: Result<MiniSession, Refusal>) -> Reply {
    let request = Request::get("/sns/jscode2session", "");
    match &endpoint(&request.path).operation {
        Operation::Mini { render, .. } => render(&request, &STAMP, outcome),
        _ => unreachable!(),
    }
}

pub(crate) fn verdict_reply(outcome: Result<(), Refusal>) -> Reply {
    let request = Request::get("/sns/auth", "");
    match &endpoint(&request.path).operation {
        Operation::Inspect { render, .. } => render(&request, &STAMP, outcome),
        _ => unreachable!(),
    }
}

pub(crate) fn ticket_reply(outcome: Result<PlatformTicket, Refusal>) -> Reply {
    let request = Request::get("/cgi-bin/ticket/getticket", "");
    match &endpoint(&request.path).operation {
        Operation::PlatformTicket { render, .. } => render(&request, &STAMP, outcome),
        _ => unreachable!(),
    }
}

pub(crate) fn signed_scan_reply(outcome: Result<(&ScanShown, &[u8], &str), Refusal>) -> Reply {
    let request = Request::get("/connect/sdk/qrconnect", "");
    match &endpoint(&request.path).operation {
        Operation::SignedScan { render, .. } => render(&request, &STAMP, outcome),
        _ => unreachable!(),
    }
}

/// The answer of any JSON endpoint or poll to a refusal; `None` for pages and pictures.
pub(crate) fn refused(request: &Request, refusal: &Refusal) -> Option<Reply> {
    let refusal = refusal.clone();
    Some(match &endpoint(&request.path).operation {
        Operation::SignedScan { render, .. } => render(request, &STAMP, Err(refusal)),
        Operation::Poll { render, .. } => render(request, &STAMP, Err(refusal)),
        Operation::Token { render, .. } => render(request, &STAMP, Err(refusal)),
        Operation::Mini { render, .. } => render(request, &STAMP, Err(refusal)),
        Operation::Profile { render, .. } => render(request, &STAMP, Err(refusal)),
        Operation::Inspect { render, .. } => render(request, &STAMP, Err(refusal)),
        Operation::PlatformTicket { render, .. } => render(request, &STAMP, Err(refusal)),
        Operation::Authorize { .. }
        | Operation::ScanImage
        | Operation::ScanOpen
        | Operation::Document(_) => return None,
    })
}

/// The refusal with which any endpoint meets a request; `None` when it is let through.
pub(crate) fn heard(request: &Request) -> Option<Refusal> {
    match &endpoint(&request.path).operation {
        Operation::Authorize { parse, .. } | Operation::SignedScan { parse, .. } => {
            parse(request).err()
        }
        Operation::Poll { parse, .. } => parse(request).err(),
        Operation::Token { parse, .. } | Operation::Mini { parse, .. } => parse(request).err(),
        Operation::Profile { parse, .. } | Operation::Inspect { parse, .. } => parse(request).err(),
        Operation::PlatformTicket { parse, .. } => parse(request).err(),
        Operation::ScanImage | Operation::ScanOpen | Operation::Document(_) => None,
    }
}

pub(crate) fn body(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).expect("UTF-8")
}

/// §2: 110 characters, `82_` and 107 of base64url.
pub(crate) fn token(fill: char) -> String {
    format!("82_{}", fill.to_string().repeat(107))
}

pub(crate) fn tokens() -> Tokens {
    Tokens {
        access: Secret::new(token('A')),
        expires_in: Lifetime::seconds(7200),
        refresh: Some(Secret::new(token('R'))),
        openid: Some(Subject::new(OPENID)),
        unionid: Some(Subject::new(UNIONID)),
        scopes: Scopes::of(&["snsapi_login"]),
        scope_trailing_comma: false,
        is_snapshot: false,
    }
}

pub(crate) fn user(profile: Profile) -> Arc<User> {
    Arc::new(User {
        profile,
        sessions_from: STAMP.now,
        ..User::new(UserId(Number(1)), STAMP.now)
    })
}

/// A nickname with Chinese, an emoji, a Latin-1 letter and a slash.
pub(crate) fn mei() -> Profile {
    Profile {
        nickname: "梅 é 🐟 a/b".into(),
        avatar: "https://thirdwx.qlogo.cn/mmopen/vi_32/Q0j4TwGTfTK/132".into(),
        sex: Sex::Female,
        province: "湖南".into(),
        city: "长沙".into(),
        country: "中国".into(),
        language: "zh_CN".into(),
    }
}

pub(crate) fn profile_answer(full: bool) -> ProfileAnswer {
    ProfileAnswer {
        openid: Subject::new(OPENID),
        unionid: Some(Subject::new(UNIONID)),
        user: user(mei()),
        full,
    }
}

pub(crate) fn client(kind: ClientKind) -> Arc<Client> {
    Arc::new(Client {
        id: ClientId::new(APPID),
        developer: DeveloperId(Number(1)),
        kind,
        name: "鱼市".into(),
        secrets: Vec::new(),
        status: Status::Approved,
        reason: String::new(),
        redirects: vec![RedirectRule::Host("www.example.com".into())],
        scopes: kind.scopes(),
        native: NativeIdentity::default(),
        bound: true,
        policy: ClientPolicy::of(kind),
        created_at: STAMP.now,
        version: 1,
    })
}

/// §2: a uuid of 16 alphanumerics.
pub(crate) fn shown(kind: ClientKind) -> ScanShown {
    ScanShown {
        uuid: Secret::new("061p2Za447CUkl2X"),
        client: client(kind),
        return_path: None,
        state: None,
        life: Lifetime::seconds(300),
    }
}

pub(crate) fn return_path(address: &str) -> ReturnPath {
    let rules = [
        RedirectRule::Host("www.example.com".into()),
        RedirectRule::Scheme(APPID.into()),
    ];
    ReturnPath::check(address, &rules).expect("a registered address")
}

pub(crate) fn native_app() -> Channel {
    Channel::Native(NativeApp {
        platform: yufu_core::client::Platform::Android,
        bundle: "com.example.app".into(),
        signature: "00112233445566778899aabbccddeeff".into(),
    })
}

pub(crate) fn finished(
    address: &str,
    channel: Channel,
    outcome: Outcome,
    state: Option<&str>,
) -> String {
    (DIALECT.finish)(&Authorized {
        return_path: return_path(address),
        state: state.map(str::to_owned),
        channel,
        outcome,
        authdeny: false,
    })
}
