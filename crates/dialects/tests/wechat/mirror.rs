//! The two mouths mirror each other: what one writes the other reads.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use yufu_core::client::{ClientKind, Platform};
use yufu_core::id::ClientId;
use yufu_core::message::{
    Authorized, Challenge, Channel, NativeApp, Outcome, ProfileAnswer, TokenGrant, Tokens,
};
use yufu_core::refusal::Refusal;
use yufu_core::scope::Scopes;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::time::Lifetime;
use yufu_core::user::{Profile, Sex};
use yufu_dialects::http::{Method, Request};
use yufu_dialects::wechat::DIALECT;
use yufu_dialects::wechat::call::{
    Ask, Call, CallError, Granted, Lang, Returned, Upstream, UpstreamProfile, read_profile,
    read_return, read_tokens, read_verdict,
};
use yufu_dialects::wechat::refusal::{Place, errcode};

use crate::world::*;

const ORIGIN: &str = "http://127.0.0.1:8420";

fn upstream(kind: ClientKind, appid: &str, secret: &str) -> Upstream {
    Upstream::new(kind, ClientId::new(appid), Secret::new(secret)).at(ORIGIN)
}

/// The request as the platform hears it.
fn arrives(url: &str) -> Request {
    let url = url.split('#').next().unwrap();
    let rest = url.strip_prefix(ORIGIN).expect("our origin");
    assert!(rest.is_ascii(), "{rest}");
    let (path, query) = rest.split_once('?').expect("a query");
    Request::get(path, query)
}

fn sent(call: &Call) -> Request {
    assert_eq!(call.method, Method::Get);
    assert!(!format!("{call:?}").contains("127.0.0.1"));
    arrives(call.url.expose())
}

fn scopes() -> impl Strategy<Value = Scopes> {
    let names = ["snsapi_login", "snsapi_userinfo", "snsapi_base", "x-1.y"];
    proptest::sample::subsequence(names.to_vec(), 1..=4).prop_map(|names| Scopes::of(&names))
}

fn platform() -> impl Strategy<Value = Platform> {
    prop_oneof![
        Just(Platform::Ios),
        Just(Platform::Android),
        Just(Platform::Harmony)
    ]
}

fn kind() -> impl Strategy<Value = ClientKind> {
    proptest::sample::select(ClientKind::ALL.to_vec())
}

/// Any text without a U+FFFD at either end is carried as it is; here simply any text.
fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 1..40).prop_map(String::from_iter)
}

fn subject() -> impl Strategy<Value = Subject> {
    "o[A-Za-z0-9_-]{27}".prop_map(|text| Subject::new(&text))
}

fn token_text() -> impl Strategy<Value = String> {
    "8[1-9]_[A-Za-z0-9_-]{107}"
}

/// Text as a profile may hold it: no control characters.
fn shown_text() -> impl Strategy<Value = String> {
    vec(
        any::<char>().prop_filter("control", |c| !c.is_control()),
        0..30,
    )
    .prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn authorize_is_heard_as_it_was_written(
        kind in kind(),
        appid in "wx[0-9a-f]{16}",
        redirect in text(),
        scopes in scopes(),
        state in of(vec(any::<char>(), 0..40).prop_map(String::from_iter)),
        verifier in of("[A-Za-z0-9._~-]{43,128}"),
        force: bool,
        platform in platform(),
        bundle in text(),
        signature in text(),
    ) {
        let challenge = verifier.as_deref().map(Challenge::of);
        let app = NativeApp { platform, bundle, signature };
        let ask = Ask {
            redirect: redirect.clone(),
            scopes: scopes.clone(),
            state: state.clone(),
            challenge,
            force_consent: force,
            native: Some(app.clone()),
        };
        let url = upstream(kind, &appid, "s").authorize_url(&ask);
        let heard = authorize_request(&arrives(&url)).unwrap();
        prop_assert_eq!(heard.client.as_str(), appid);
        prop_assert_eq!(heard.scopes, scopes);
        prop_assert_eq!(heard.state, state);
        prop_assert_eq!(heard.challenge, challenge);
        let (channel, redirect, response_type, force) = match kind {
            ClientKind::Service => (Channel::InClient, Some(redirect), Some("code"), force),
            ClientKind::Website => (Channel::Scan, Some(redirect), Some("code"), false),
            ClientKind::Mobile => (Channel::Native(app), None, None, false),
        };
        prop_assert_eq!(heard.channel, channel);
        prop_assert_eq!(heard.redirect, redirect);
        prop_assert_eq!(heard.response_type.as_deref(), response_type);
        prop_assert_eq!(heard.force_consent, force);
    }

    #[test]
    fn an_exchange_is_heard_as_it_was_written(
        appid in "\\PC{1,16}", secret in text(), code in text(), verifier in of(text()),
    ) {
        let call = upstream(ClientKind::Website, &appid, &secret)
            .exchange(&Secret::new(code.clone()), verifier.clone().map(Secret::new).as_ref());
        let heard = token_request(&sent(&call)).unwrap();
        prop_assert_eq!(heard.client.as_str(), appid);
        prop_assert_eq!(heard.secret.as_ref().map(Secret::expose), Some(secret.as_str()));
        match heard.grant {
            TokenGrant::Code { code: heard, verifier: heard_verifier } => {
                prop_assert_eq!(heard.expose(), code);
                prop_assert_eq!(
                    heard_verifier.as_ref().map(Secret::expose),
                    verifier.as_deref()
                );
            }
            _ => prop_assert!(false, "not a code"),
        }
    }

    #[test]
    fn a_refresh_is_heard_as_it_was_written(appid in "\\PC{1,16}", token in text()) {
        let call = upstream(ClientKind::Website, &appid, "hush")
            .refresh(&Secret::new(token.clone()));
        prop_assert!(!call.url.expose().contains("hush"));
        let heard = token_request(&sent(&call)).unwrap();
        prop_assert_eq!(heard.client.as_str(), appid);
        prop_assert!(heard.secret.is_none());
        match heard.grant {
            TokenGrant::Refresh { token: heard, at_code_endpoint } => {
                prop_assert_eq!(heard.expose(), token);
                prop_assert!(!at_code_endpoint);
            }
            _ => prop_assert!(false, "not a refresh"),
        }
    }

    #[test]
    fn checks_and_profiles_are_heard_as_they_were_written(access in text(), openid in text()) {
        let upstream = upstream(ClientKind::Service, APPID, SECRET);
        let access = Secret::new(access);
        for call in [
            upstream.check(&access, &openid),
            upstream.profile(&access, &openid, None),
            upstream.profile(&access, &openid, Some(Lang::Traditional)),
        ] {
            let heard = access_request(&sent(&call)).unwrap();
            prop_assert_eq!(heard.access.expose(), access.expose());
            prop_assert_eq!(&heard.openid, &openid);
        }
    }

    #[test]
    fn tokens_are_read_as_they_were_said(
        access in token_text(),
        refresh in token_text(),
        openid in subject(),
        unionid in of(subject()),
        scopes in scopes(),
        seconds in 0..315_360_000_i64,
        comma: bool,
        at_refresh: bool,
        is_snapshot: bool,
    ) {
        let path = if at_refresh { "/sns/oauth2/refresh_token" } else { "/sns/oauth2/access_token" };
        let reply = tokens_reply(&Request::get(path, ""), Ok(Tokens {
            access: Secret::new(access.clone()),
            expires_in: Lifetime::seconds(seconds),
            refresh: Some(Secret::new(refresh.clone())),
            openid: Some(openid.clone()),
            unionid: unionid.clone(),
            scopes: scopes.clone(),
            scope_trailing_comma: comma,
            is_snapshot,
        }));
        prop_assert_eq!(read_tokens(&reply.body), Ok(Granted {
            access: Secret::new(access),
            expires_in: Lifetime::seconds(seconds),
            refresh: Some(Secret::new(refresh)),
            openid,
            // §7.2: a refresh does not tell it.
            unionid: unionid.filter(|_| !at_refresh),
            scopes,
            // §7.1 only.
            is_snapshot: is_snapshot && !at_refresh,
        }));
    }

    #[test]
    fn a_profile_is_read_as_it_was_said(
        openid in subject(),
        unionid in of(subject()),
        nickname in shown_text(),
        avatar in prop_oneof![Just(String::new()), "https://[a-z]{1,9}/[a-z0-9/_]{0,20}"],
        places in proptest::array::uniform3(shown_text()),
        sex in 0..3_u64,
        full: bool,
    ) {
        let [province, city, country] = places;
        let profile = Profile {
            nickname, avatar, province, city, country,
            sex: Sex::from_number(sex),
            language: "zh_CN".into(),
        };
        let reply = profile_reply(&Request::get("/sns/userinfo", ""), Ok(ProfileAnswer {
            openid: openid.clone(),
            unionid: unionid.clone(),
            user: user(profile.clone()),
            full,
        }));
        let told = if full {
            profile
        } else {
            Profile { nickname: profile.nickname, avatar: profile.avatar, ..Profile::default() }
        };
        prop_assert_eq!(read_profile(&reply.body), Ok(UpstreamProfile {
            openid, unionid, profile: told, privilege: Vec::new(),
        }));
    }

    #[test]
    fn a_return_is_read_as_it_was_sent(
        state in of(vec(any::<char>(), 0..40).prop_map(String::from_iter)),
        native: bool,
        authdeny: bool,
        which in 0..3,
    ) {
        let (outcome, code) = match which {
            0 => (Outcome::Code(Secret::new(CODE)), Ok(Secret::new(CODE))),
            1 => (Outcome::Denied, Err(Refusal::ConsentDenied)),
            // §3: only the native hand-over tells turning away from a no.
            _ if native => (Outcome::Cancelled, Err(Refusal::ConsentCancelled)),
            _ => (Outcome::Cancelled, Err(Refusal::ConsentDenied)),
        };
        let address = (DIALECT.finish)(&Authorized {
            return_path: return_path("https://www.example.com/cb#end"),
            state: state.clone(),
            channel: if native { native_app() } else { Channel::InClient },
            outcome,
            authdeny,
        });
        let before = address.strip_suffix("#end").unwrap();
        let query = before.split_once('?').map_or("", |(_, query)| query);
        prop_assert_eq!(read_return(query), Returned { code, state });
    }
}

/// §8: every refusal, at every JSON endpoint, is read with the number and words it was said in.
#[test]
fn refusals_are_read_as_they_were_said() {
    for endpoint in DIALECT.endpoints {
        let request = Request::get(endpoint.path, "");
        let place = Place::of(endpoint.path);
        for refusal in Refusal::all() {
            let Some(reply) = refused(&request, &refusal) else {
                continue;
            };
            if endpoint.path == "/connect/l/qrconnect" {
                continue;
            }
            let (code, message) = errcode(&refusal, place);
            let read = Some(CallError::Refused {
                code: code.into(),
                message,
            });
            assert_eq!(read_tokens(&reply.body).err(), read, "{}", endpoint.path);
            assert_eq!(read_profile(&reply.body).err(), read);
            assert_eq!(read_verdict(&reply.body).err(), read);
        }
    }
    let busy = (DIALECT.busy)(&Request::get("/sns/userinfo", ""), &STAMP);
    assert_eq!(read_profile(&busy.body).err(), Some(CallError::Busy));
    assert_eq!(read_verdict(&verdict_reply(Ok(())).body), Ok(()));
}

/// §1, §3, §4.1: the real platform's hosts, the documents' order, the fragment in-client.
#[test]
fn addresses_to_the_real_platform_are_those_of_the_documents() {
    let ask = Ask {
        redirect: "https://www.example.com/cb?a=1".into(),
        scopes: Scopes::of(&["snsapi_login"]),
        state: Some("s t".into()),
        challenge: None,
        force_consent: false,
        native: None,
    };
    let real = |kind| Upstream::new(kind, ClientId::new(APPID), Secret::new(SECRET));
    assert_eq!(
        real(ClientKind::Website).authorize_url(&ask),
        "https://open.weixin.qq.com/connect/qrconnect?appid=wx0123456789abcdef&redirect_uri=https%3A%2F%2Fwww.example.com%2Fcb%3Fa%3D1&response_type=code&scope=snsapi_login&state=s%20t"
    );
    assert_eq!(
        real(ClientKind::Service).authorize_url(&ask),
        "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx0123456789abcdef&redirect_uri=https%3A%2F%2Fwww.example.com%2Fcb%3Fa%3D1&response_type=code&scope=snsapi_login&state=s%20t#wechat_redirect"
    );
    let code = Secret::new(CODE);
    assert_eq!(
        real(ClientKind::Website).exchange(&code, None).url.expose(),
        "https://api.weixin.qq.com/sns/oauth2/access_token?appid=wx0123456789abcdef&secret=0123456789abcdef0123456789abcdef&code=01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D&grant_type=authorization_code"
    );
    let access = Secret::new("82_a");
    assert_eq!(
        real(ClientKind::Website)
            .profile(&access, OPENID, Some(Lang::Simplified))
            .url
            .expose(),
        "https://api.weixin.qq.com/sns/userinfo?access_token=82_a&openid=oAbCdEfGhIjKlMnOpQrStUvWxYz0&lang=zh_CN"
    );
}
