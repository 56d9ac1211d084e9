//! The platform's answers: whatever comes, what is understood is plain, and it is understood
//! again when our own platform says it.

use yufu_core::message::Tokens;
use yufu_core::secret::Secret;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_dialects::endpoint::Operation;
use yufu_dialects::http::{Request, Stamp};
use yufu_dialects::wechat::DIALECT;
use yufu_dialects::wechat::call::{
    CallError, Granted, meaning, read_profile, read_return, read_tokens, read_verdict,
};

/// An answer of any endpoint, and the query of a return.
pub fn run(data: &[u8]) {
    let strict: Option<serde_json::Value> = serde_json::from_slice(data).ok();
    // Told by another reader: a refusal is never taken for an answer.
    let errcode = strict.as_ref().and_then(|value| value["errcode"].as_i64());
    let refused = errcode.is_some_and(|code| code != 0);

    match read_tokens(data) {
        Ok(granted) => {
            assert!(!refused);
            plain(granted.access.expose());
            plain(granted.openid.as_str());
            let life = granted.expires_in;
            assert!(life >= Lifetime::seconds(0) && life <= Lifetime::days(3650));
            mirrored(granted);
        }
        Err(error) => error_is_sound(&error),
    }
    match read_profile(data) {
        Ok(told) => {
            assert!(!refused);
            plain(told.openid.as_str());
            let profile = &told.profile;
            for text in [
                &profile.nickname,
                &profile.city,
                &profile.province,
                &profile.avatar,
            ] {
                assert!(!text.chars().any(char::is_control));
            }
            let avatar = &profile.avatar;
            assert!(avatar.is_empty() || avatar.starts_with("http"));
        }
        Err(error) => error_is_sound(&error),
    }
    match read_verdict(data) {
        Ok(()) => assert!(!refused),
        Err(error) => error_is_sound(&error),
    }
    if let Ok(query) = std::str::from_utf8(data) {
        let returned = read_return(query);
        if let Ok(code) = &returned.code {
            plain(code.expose());
            assert_ne!(code.expose(), "authdeny");
        }
    }
}

fn plain(text: &str) {
    assert!(!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()));
}

fn error_is_sound(error: &CallError) {
    if let CallError::Refused { code, message } = error {
        assert!(*code != 0 && *code != -1);
        assert!(!message.chars().any(char::is_control) && message.chars().count() <= 200);
        let _ = meaning(*code);
    }
    let _ = error.meaning();
}

/// What was granted, said by our platform and read again, is the same.
fn mirrored(granted: Granted) {
    let expected = granted.clone();
    let stamp = Stamp {
        now: Timestamp(0),
        noise: 0,
    };
    let endpoint = DIALECT
        .find("/sns/oauth2/access_token")
        .expect("in the table");
    let Operation::Token { render, .. } = endpoint.operation else {
        unreachable!("the table says so")
    };
    let tokens = Tokens {
        access: granted.access,
        expires_in: granted.expires_in,
        refresh: granted.refresh.map(|refresh| Secret::new(refresh.expose())),
        openid: Some(granted.openid),
        unionid: granted.unionid,
        scopes: granted.scopes,
        scope_trailing_comma: false,
        is_snapshot: granted.is_snapshot,
    };
    let reply = render(
        &Request::get("/sns/oauth2/access_token", ""),
        &stamp,
        Ok(tokens),
    );
    assert_eq!(read_tokens(&reply.body), Ok(expected));
}
