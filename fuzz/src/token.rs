//! Calls from servers: what is refused is refused in the platform's tongue, with status 200, and
//! the answer repeats nothing of what was asked. Text of any kind survives the answers.

use std::sync::Arc;

use yufu_core::id::{Number, UserId};
use yufu_core::message::{PollAnswer, ProfileAnswer};
use yufu_core::refusal::Refusal;
use yufu_core::secret::Secret;
use yufu_core::subject::Subject;
use yufu_core::time::Timestamp;
use yufu_core::user::{Profile, Sex, User};
use yufu_dialects::endpoint::{Operation, Render};
use yufu_dialects::http::{Reply, Request, Stamp};
use yufu_dialects::wechat::DIALECT;

const STAMP: Stamp = Stamp {
    now: Timestamp(1_800_000_000_123),
    noise: 0x0123_4567_89ab_cdef,
};

/// A request, tried at every address that servers and pollers call.
pub fn run(data: &[u8]) {
    let heard = crate::request(data);
    for endpoint in DIALECT.endpoints {
        let request = Request {
            path: endpoint.path.to_owned(),
            ..heard.clone()
        };
        match endpoint.operation {
            Operation::Token { parse, render } => {
                if let Ok(asked) = judged(&request, parse(&request), render) {
                    assert!(!asked.client.as_str().is_empty());
                }
            }
            Operation::Mini { parse, render } => {
                let _ = judged(&request, parse(&request), render);
            }
            Operation::Profile { parse, render } => {
                if let Ok(asked) = judged(&request, parse(&request), render) {
                    assert!(!asked.access.expose().is_empty() && !asked.openid.is_empty());
                }
                told(&request, render);
            }
            Operation::Inspect { parse, render } => {
                let _ = judged(&request, parse(&request), render);
                json(&render(&request, &STAMP, Ok(())));
            }
            Operation::PlatformTicket { parse, render } => {
                let _ = judged(&request, parse(&request), render);
            }
            Operation::Poll { parse, render } => {
                let parsed = parse(&request);
                polled(&request, render, parsed.is_ok());
                if let Err(refusal) = parsed {
                    state(&request, &render(&request, &STAMP, Err(refusal)));
                }
            }
            _ => {}
        }
        let busy = (DIALECT.busy)(&request, &STAMP);
        assert_eq!(busy.status, 200);
    }
}

/// A refusal is an errcode, and says the same to a request that holds nothing else.
fn judged<T, U>(
    request: &Request,
    parsed: Result<T, Refusal>,
    render: Render<U>,
) -> Result<T, Refusal> {
    if let Err(refusal) = &parsed {
        let reply = render(request, &STAMP, Err(refusal.clone()));
        let answer = json(&reply);
        assert!(answer["errcode"].as_i64().is_some_and(|code| code != 0));
        assert!(
            answer["errmsg"]
                .as_str()
                .is_some_and(|text| text.contains("rid: "))
        );
        let bare = Request {
            query: String::new(),
            body: Vec::new(),
            ..request.clone()
        };
        assert_eq!(reply, render(&bare, &STAMP, Err(refusal.clone())));
    }
    parsed
}

fn json(reply: &Reply) -> serde_json::Value {
    assert_eq!(reply.status, 200);
    let kind = reply.header("content-type").expect("a content type");
    assert!(!kind.contains("charset"), "{kind}");
    let value: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert!(value.is_object());
    value
}

/// A profile made of the request's own text comes out as it went in.
fn told(request: &Request, render: Render<ProfileAnswer>) {
    let params = request.params();
    let text = |name| params.get(name).unwrap_or_default().to_owned();
    let profile = Profile {
        nickname: text("openid"),
        avatar: text("access_token"),
        sex: Sex::from_number(request.query.len() as u64 % 3),
        province: text("lang"),
        ..Profile::default()
    };
    let answer = ProfileAnswer {
        openid: Subject::new("oAAAAA0000000000000000000000"),
        unionid: None,
        full: true,
        user: Arc::new(User {
            profile: profile.clone(),
            ..User::new(UserId(Number(1)), Timestamp(0))
        }),
    };
    let value = json(&render(request, &STAMP, Ok(answer)));
    assert_eq!(value["nickname"], profile.nickname.as_str());
    assert_eq!(value["headimgurl"], profile.avatar.as_str());
    assert_eq!(value["province"], profile.province.as_str());
    assert!(value.get("errcode").is_none() && value.get("unionid").is_none());
}

/// Whatever a code is, the answer to a poll is one of the two shapes and holds no script of others.
fn polled(request: &Request, render: Render<PollAnswer>, understood: bool) {
    let uuid = request.params().get("uuid").unwrap_or_default().to_owned();
    let plain = !uuid.is_empty() && uuid.bytes().all(|b| b.is_ascii_alphanumeric());
    let answer = PollAnswer::Code(Secret::new(uuid.as_str()));
    let (number, code) = state(request, &render(request, &STAMP, Ok(answer)));
    if understood && plain {
        assert_eq!((number, code), (405, uuid));
    }
}

fn state(request: &Request, reply: &Reply) -> (i64, String) {
    assert_eq!(reply.status, 200);
    let text = std::str::from_utf8(&reply.body).expect("text");
    let (number, code) = if request.params().get("f") == Some("json") {
        let value = json(reply);
        let code = value["wx_code"].as_str().expect("a code").to_owned();
        (value["wx_errcode"].as_i64().expect("a number"), code)
    } else {
        let rest = text.strip_prefix("window.wx_errcode=").expect("the script");
        let (number, rest) = rest.split_once(";window.wx_code='").expect("the script");
        let code = rest.strip_suffix("';").expect("the script");
        (number.parse().expect("a number"), code.to_owned())
    };
    assert!([402, 403, 404, 405, 408, 500].contains(&number), "{number}");
    assert!(code.bytes().all(|b| b.is_ascii_alphanumeric()), "{code}");
    (number, code)
}
