//! Addresses and codes as people paste them.

use super::*;

const HERE: &str = "http://127.0.0.1:8420";

#[test]
fn an_address_is_read_as_clients_make_it() {
    for url in [
        "https://open.weixin.qq.com/connect/qrconnect?appid=wx1&redirect_uri=http://a.example/b&response_type=code&scope=snsapi_login&state=#wechat_redirect",
        "https://OPEN.weixin.qq.com:443/connect/oauth2/authorize?appid=wx1&",
        "http://127.0.0.1:8420/connect/app/authorize?appid=wx1",
        " http://localhost:8420/connect/qrconnect?appid=wx1 ",
    ] {
        let target = target(url, HERE).unwrap_or_else(|trouble| panic!("{url}: {trouble:?}"));
        assert_eq!(target.request.params().get("appid"), Some("wx1"), "{url}");
    }
}

#[test]
fn what_is_no_authorize_address_is_told_apart() {
    for (url, words) in [
        ("", "no address"),
        ("open.weixin.qq.com/connect/qrconnect", "no address"),
        (
            "https://example.com/connect/qrconnect?appid=wx1",
            "example.com is not the platform",
        ),
        (
            "ftp://open.weixin.qq.com/connect/qrconnect",
            "is not the platform",
        ),
        (
            "http://127.0.0.1:9999/connect/qrconnect",
            "is not the platform",
        ),
        (
            "https://open.weixin.qq.com/connect/confirm?uuid=x",
            "scan it with the phone",
        ),
        (
            "https://api.weixin.qq.com/sns/userinfo",
            "/sns/userinfo is no authorize address",
        ),
    ] {
        match target(url, HERE) {
            Err(Trouble::Address(text)) => assert!(text.contains(words), "{url}: {text}"),
            other => panic!("{url}: {:?}", other.map(|_| ())),
        }
    }
}

#[test]
fn a_code_is_known_by_what_it_says() {
    for what in [
        "https://open.weixin.qq.com/connect/confirm?uuid=041abcDEF",
        "http://127.0.0.1:8420/connect/qrcode/041abcDEF",
        " 041abcDEF ",
        "http://x/connect/confirm?uuid=041abcDEF&lang=en",
    ] {
        assert_eq!(uuid_in(what).as_deref(), Some("041abcDEF"), "{what}");
    }
    for what in [
        "",
        "https://open.weixin.qq.com/connect/qrconnect?appid=wx1",
        "/connect/qrcode/",
    ] {
        assert_eq!(uuid_in(what), None, "{what}");
    }
}
