//! Where the browser goes with the answer.

use yufu_core::message::{Authorized, Channel, Outcome};
use yufu_core::secret::Secret;
use yufu_dialects::wechat::DIALECT;

use crate::world::*;

fn code() -> Outcome {
    Outcome::Code(Secret::new(CODE))
}

/// §3: `?` or `&`, then code, then state.
#[test]
fn code_and_state_are_appended() {
    for channel in [Channel::InClient, Channel::Scan] {
        assert_eq!(
            finished(
                "https://www.example.com/cb",
                channel.clone(),
                code(),
                Some("xyz")
            ),
            "https://www.example.com/cb?code=01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D&state=xyz"
        );
        assert_eq!(
            finished(
                "https://www.example.com/cb?_oauthstate=a%2Fb",
                channel,
                code(),
                Some("xyz")
            ),
            "https://www.example.com/cb?_oauthstate=a%2Fb&code=01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D&state=xyz"
        );
    }
}

/// §4.2: before the fragment, although the platform's own page appends after it.
#[test]
fn the_fragment_stays_last() {
    assert_eq!(
        finished(
            "https://www.example.com/#/login",
            Channel::Scan,
            code(),
            Some("s")
        ),
        "https://www.example.com/?code=01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D&state=s#/login"
    );
    assert_eq!(
        finished(
            "https://www.example.com/a?b=c#d?e",
            Channel::InClient,
            code(),
            None
        ),
        "https://www.example.com/a?b=c&code=01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D#d?e"
    );
}

/// §3, §14: echoed byte for byte after one encoding; empty is not absent.
#[test]
fn state_comes_back_as_it_was() {
    for (state, echoed) in [
        (None, ""),
        (Some(""), "&state="),
        (Some("a b&c=d#e%"), "&state=a%20b%26c%3Dd%23e%25"),
        (Some("鱼+/="), "&state=%E9%B1%BC%2B%2F%3D"),
    ] {
        assert_eq!(
            finished("https://www.example.com/", Channel::Scan, code(), state),
            format!("https://www.example.com/?code=01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D{echoed}")
        );
    }
}

/// §3, §17.16: state alone, never an OAuth error.
#[test]
fn a_denial_returns_the_state_alone() {
    for channel in [Channel::InClient, Channel::Scan] {
        for outcome in [Outcome::Denied, Outcome::Cancelled] {
            assert_eq!(
                finished(
                    "https://www.example.com/cb",
                    channel.clone(),
                    outcome,
                    Some("s")
                ),
                "https://www.example.com/cb?state=s"
            );
        }
    }
    assert_eq!(
        finished(
            "https://www.example.com/cb",
            Channel::InClient,
            Outcome::Denied,
            None
        ),
        "https://www.example.com/cb"
    );
}

/// §3: old clients know `code=authdeny`; a setting, for the in-client page.
#[test]
fn authdeny_is_a_setting_of_the_in_client_page() {
    let denied = |channel, outcome| {
        (DIALECT.finish)(&Authorized {
            return_path: return_path("https://www.example.com/cb"),
            state: Some("s".into()),
            channel,
            outcome,
            authdeny: true,
        })
    };
    assert_eq!(
        denied(Channel::InClient, Outcome::Denied),
        "https://www.example.com/cb?code=authdeny&state=s"
    );
    assert_eq!(
        denied(Channel::InClient, Outcome::Cancelled),
        "https://www.example.com/cb?state=s"
    );
    assert_eq!(
        denied(Channel::Scan, Outcome::Denied),
        "https://www.example.com/cb?state=s"
    );
}

/// §11.2, §11.3: the app's own scheme or link, −4 for no, −2 for away.
#[test]
fn the_native_hand_over_returns_to_the_app() {
    let scheme = "wx0123456789abcdef://oauth";
    assert_eq!(
        finished(scheme, native_app(), code(), Some("s")),
        "wx0123456789abcdef://oauth?code=01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D&state=s"
    );
    assert_eq!(
        finished(scheme, native_app(), Outcome::Denied, Some("s")),
        "wx0123456789abcdef://oauth?errcode=-4&state=s"
    );
    assert_eq!(
        finished(scheme, native_app(), Outcome::Cancelled, Some("s")),
        "wx0123456789abcdef://oauth?errcode=-2&state=s"
    );
    assert_eq!(
        finished(
            "https://www.example.com/app/wx0123456789abcdef/oauth",
            native_app(),
            code(),
            Some("s")
        ),
        "https://www.example.com/app/wx0123456789abcdef/oauth?code=01128NFwGJ8hI9CBAJEFnDEuJLRxbZ5D&state=s"
    );
}
