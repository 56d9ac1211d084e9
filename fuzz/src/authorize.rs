//! An authorize request is understood the same however it is written, holds what it was given,
//! and is answered only at a checked address.

use yufu_core::id::ClientId;
use yufu_core::message::{AuthorizeRequest, Authorized, Channel, Outcome};
use yufu_core::redirect::{RedirectRule, ReturnPath};
use yufu_core::refusal::Refusal;
use yufu_core::secret::Secret;
use yufu_dialects::endpoint::{Door, Operation, PageContext};
use yufu_dialects::http::Request;
use yufu_dialects::wechat::DIALECT;

/// A request, tried at every door that takes authorizations.
pub fn run(data: &[u8]) {
    let request = crate::request(data);
    for endpoint in DIALECT.endpoints {
        let (parse, door) = match endpoint.operation {
            Operation::Authorize { parse, door, look } => {
                let look = look(&request);
                assert!(look.href.is_none_or(|href| {
                    href.starts_with("data:text/css") && !href.chars().any(char::is_control)
                }));
                (parse, door)
            }
            Operation::SignedScan { parse, .. } => (parse, Door::Phone),
            _ => continue,
        };
        let heard = parse(&request);
        if !crate::has_replacement(&request) {
            assert_eq!(
                heard,
                parse(&crate::rewritten(&request)),
                "{}",
                endpoint.path
            );
        }
        match heard {
            Ok(asked) => understood(&request, &asked),
            Err(refusal) => refused(&refusal, door),
        }
    }
}

fn understood(request: &Request, asked: &AuthorizeRequest) {
    let params = request.params();
    let id = asked.client.as_str();
    assert!(!id.is_empty() && id.len() <= ClientId::MAX_BYTES);
    assert!(!asked.scopes.is_empty());
    assert_eq!(asked.state.as_deref(), params.get("state"));
    if params.filled("code_challenge").is_some() {
        assert!(
            asked.challenge.is_some(),
            "a challenge was sent and is not enforced"
        );
    }
    let web = matches!(asked.channel, Channel::InClient | Channel::Scan);
    assert_eq!(asked.redirect.is_some(), web);
    // The login script of web pages sends no response_type.
    let script = asked.channel == Channel::Scan && params.get("login_type") == Some("jssdk");
    assert!(!web || script || asked.response_type.is_some());
    if let Some(redirect) = &asked.redirect {
        answered(redirect, asked);
    }
}

/// The answer goes to the registered host, with the state as it came.
fn answered(redirect: &str, asked: &AuthorizeRequest) {
    let rule = RedirectRule::Host("www.example.com".to_owned());
    let Ok(return_path) = ReturnPath::check(redirect, &[rule]) else {
        return;
    };
    let address = (DIALECT.finish)(&Authorized {
        return_path,
        state: asked.state.clone(),
        channel: asked.channel.clone(),
        outcome: Outcome::Code(Secret::new("011abc")),
        authdeny: false,
    });
    let url = url::Url::parse(&address).expect("an address of the registered host");
    assert_eq!(url.host_str(), Some("www.example.com"), "{address}");
    let mut last = url.query_pairs().collect::<Vec<_>>();
    if let Some(state) = &asked.state {
        let (name, value) = last.pop().expect("the state");
        assert_eq!((&*name, &*value), ("state", state.as_str()), "{address}");
    }
    let (name, value) = last.pop().expect("the code");
    assert_eq!((&*name, &*value), ("code", "011abc"), "{address}");
}

fn refused(refusal: &Refusal, door: Door) {
    let said = (DIALECT.page)(refusal, &PageContext { door });
    assert!(!said.text.is_empty() && !said.fix_zh.is_empty() && !said.fix_en.is_empty());
    assert!(
        said.source.starts_with("docs/facts/wechat.md §"),
        "{}",
        said.source
    );
}
