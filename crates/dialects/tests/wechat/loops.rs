//! Loops over the table: every endpoint against what nobody should send.

use yufu_core::refusal::Refusal;
use yufu_dialects::endpoint::{Endpoint, PageContext};
use yufu_dialects::http::{Method, Reply, Request};
use yufu_dialects::wechat::DIALECT;

use crate::world::*;

fn requests(endpoint: &Endpoint, query: &str) -> Vec<Request> {
    let path = endpoint.path.replace("{uuid}", "061p2Za447CUkl2X");
    endpoint
        .methods
        .iter()
        .map(|method| match method {
            Method::Get => Request::get(&path, query),
            Method::Post => Request::post(&path, "", query),
        })
        .collect()
}

/// Status 200, the content type of §2, and a body that its type's readers can read.
fn is_sound(request: &Request, reply: &Reply) {
    let at = format!("{request:?}").chars().take(200).collect::<String>();
    assert_eq!(reply.status, 200, "{at}");
    let text = body(reply);
    match reply.header("content-type") {
        Some("text/javascript") => {
            let rest = text.strip_prefix("window.wx_errcode=").expect(text);
            let (number, rest) = rest.split_at(3);
            assert!(["402", "403", "404", "405", "408", "500"].contains(&number));
            let code = rest.strip_prefix(";window.wx_code='").expect(text);
            let code = code.strip_suffix("';").expect(text);
            assert!(code.bytes().all(|b| b.is_ascii_alphanumeric()));
        }
        Some("text/plain" | "application/json" | "application/json; encoding=utf-8") => {
            let value: serde_json::Value = serde_json::from_str(text).expect(text);
            assert!(value.is_object(), "{at}");
        }
        other => panic!("{other:?} {at}"),
    }
}

/// For each endpoint and parameter: empty, unknown, 16 KiB, badly encoded. The parser refuses or
/// lets through, the answer is sound, and a page holds words.
#[test]
fn bad_values_are_refused_or_let_through_and_always_answered() {
    let huge = "A".repeat(16 * 1024);
    let hostile = [
        "",
        "nobody",
        huge.as_str(),
        "%ff%fe",
        "%zz%",
        "%00",
        "%F0%9F%90%9F",
        "'\"<script>",
        "..%2f..%2f",
        "+",
    ];
    let mut met = 0;
    for endpoint in DIALECT.endpoints {
        let good: Vec<String> = endpoint
            .params
            .iter()
            .map(|param| format!("{}=1", param.name))
            .collect();
        for param in endpoint.params {
            for value in hostile {
                let starts = format!("{}=", param.name);
                let mut pieces: Vec<String> = good
                    .iter()
                    .filter(|piece| !piece.starts_with(&starts))
                    .cloned()
                    .collect();
                pieces.push(format!("{starts}{value}"));
                for alone in [false, true] {
                    let query = if alone {
                        format!("{starts}{value}")
                    } else {
                        pieces.join("&")
                    };
                    for request in requests(endpoint, &query) {
                        if let Some(refusal) = heard(&request) {
                            answer(&request, &refusal);
                        }
                        met += 1;
                    }
                }
            }
        }
        for request in requests(endpoint, "") {
            if !endpoint.params.is_empty()
                && let Some(refusal) = heard(&request)
            {
                answer(&request, &refusal);
            }
        }
    }
    assert!(met > 1000, "{met}");
}

fn answer(request: &Request, refusal: &Refusal) {
    match refused(request, refusal) {
        Some(reply) => is_sound(request, &reply),
        None => {
            let door = yufu_dialects::endpoint::Door::Scan;
            let page = (DIALECT.page)(refusal, &PageContext { door });
            assert!(!page.text.is_empty() && !page.fix_zh.is_empty() && !page.fix_en.is_empty());
        }
    }
}

/// Every refusal at every endpoint, GET and POST, with and without `Accept`.
#[test]
fn every_refusal_is_answered_everywhere() {
    for endpoint in DIALECT.endpoints {
        for mut request in requests(endpoint, "f=json&uuid=u") {
            for accept in ["", "application/json"] {
                request.accept = accept.to_owned();
                for refusal in Refusal::all() {
                    if let Some(reply) = refused(&request, &refusal) {
                        is_sound(&request, &reply);
                    }
                }
                is_sound(&request, &(DIALECT.busy)(&request, &STAMP));
            }
        }
    }
}

/// A required parameter that is missing is refused; one that is not required is not asked for.
#[test]
fn the_tables_word_on_required_parameters_is_true() {
    for endpoint in DIALECT.endpoints {
        let sample = |name: &str| match name {
            "grant_type" if endpoint.path.ends_with("refresh_token") => "refresh_token",
            "grant_type" if endpoint.path == "/cgi-bin/token" => "client_credential",
            "grant_type" => "authorization_code",
            "response_type" => "code",
            "type" => "2",
            "platform" => "ios",
            _ => "x",
        };
        let required: Vec<_> = endpoint.params.iter().filter(|p| p.required).collect();
        if required.is_empty() || matches!(endpoint.path, "/connect/confirm") {
            continue;
        }
        let query = |skip: &str| {
            let kept = required.iter().filter(|p| p.name != skip);
            let pieces = kept.map(|p| format!("{}={}", p.name, sample(p.name)));
            pieces.collect::<Vec<_>>().join("&")
        };
        for request in requests(endpoint, &query("")) {
            assert_eq!(heard(&request), None, "{}", endpoint.path);
        }
        for param in &required {
            for request in requests(endpoint, &query(param.name)) {
                assert!(
                    heard(&request).is_some(),
                    "{} without {}",
                    endpoint.path,
                    param.name
                );
            }
        }
    }
}

/// §1: the map.
#[test]
fn the_table_is_the_map_of_section_1() {
    let paths: Vec<_> = DIALECT.endpoints.iter().map(|e| e.path).collect();
    assert_eq!(
        paths,
        [
            "/connect/oauth2/authorize",
            "/connect/qrconnect",
            "/connect/qrcode/{uuid}",
            "/connect/confirm",
            "/connect/l/qrconnect",
            "/connect/sdk/qrconnect",
            "/connect/app/authorize",
            "/sns/oauth2/access_token",
            "/sns/oauth2/refresh_token",
            "/sns/auth",
            "/sns/userinfo",
            "/sns/jscode2session",
            "/cgi-bin/token",
            "/cgi-bin/ticket/getticket",
        ]
    );
    for endpoint in DIALECT.endpoints {
        let api = endpoint.path.starts_with("/sns/") || endpoint.path.starts_with("/cgi-bin/");
        assert_eq!(endpoint.methods.contains(&Method::Post), api);
        assert!(endpoint.methods.contains(&Method::Get));
        assert!(endpoint.summary.ends_with(").") && endpoint.summary.contains('§'));
    }
    assert!(DIALECT.find("/connect/qrcode/061p2Za447CUkl2X").is_some());
    assert!(DIALECT.find("/connect/qrcode/").is_none());
    assert!(DIALECT.find("/sns/oauth2").is_none());
}
