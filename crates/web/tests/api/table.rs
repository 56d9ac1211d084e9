//! Loops over the table: what every endpoint does alike.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Map, Value, json};
use yufu_core::login::LoginRefusal;
use yufu_web::api::table::{Answers, Auth, ENDPOINTS, Endpoint, Field, Kind, Need, Verb};
use yufu_web::api::{Statuses, document, message};
use yufu_web::view::Lang;

use crate::world::{HERE, P1, SITE, World, device, plan};

/// The calls that read a body.
fn posts() -> impl Iterator<Item = &'static Endpoint> {
    let calls = ENDPOINTS
        .iter()
        .filter(|endpoint| matches!(endpoint.answers, Answers::Data(_)));
    calls.filter(|endpoint| endpoint.verb == Verb::Post)
}

fn calls() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS
        .iter()
        .filter(|endpoint| matches!(endpoint.answers, Answers::Data(_)))
}

fn path(endpoint: &Endpoint) -> String {
    endpoint.path.replace("{id}", "0123")
}

fn example(field: &Field) -> Value {
    match field.kind {
        Kind::Flag | Kind::Proof(_) => serde_json::from_str(field.example).unwrap(),
        _ => json!(field.example),
    }
}

/// A body with every field that must be there.
fn least(endpoint: &Endpoint) -> Map<String, Value> {
    let fields = endpoint
        .fields
        .iter()
        .filter(|field| field.need != Need::May);
    fields
        .map(|field| (field.name.to_owned(), example(field)))
        .collect()
}

/// Values that a field of this kind never takes.
fn misfits(kind: Kind) -> Vec<Value> {
    let mut list = vec![
        json!([]),
        json!(["a"]),
        json!(1),
        json!(1.5),
        json!([[[[]]]]),
    ];
    match kind {
        Kind::Text(most) => list.extend([
            json!("x".repeat(most + 1)),
            json!("a\u{0}b"),
            json!("a\nb"),
            json!({}),
            json!(true),
        ]),
        Kind::Phone => list.extend([json!("1".repeat(257)), json!({}), json!(true)]),
        Kind::Word(_) => list.extend([json!("nonsense"), json!({}), json!(true)]),
        Kind::Flag => list.extend([json!("true"), json!({})]),
        Kind::Proof(_) => list.extend([
            json!("x"),
            json!({}),
            json!({"code": "a"}),
            json!({"state": "a"}),
            json!({"code": 1, "state": "b"}),
            json!({"code": "x".repeat(513), "state": "b"}),
            json!({"code": "a\n", "state": "b"}),
            json!({"code": {}, "state": []}),
        ]),
    }
    list
}

#[tokio::test]
async fn every_bad_field_is_named_and_nothing_happens() {
    let world = World::new().await;
    let mut app = device(&world);
    app.join("mei", P1).await;
    app.headers.clear();
    let me = app.get("/user/me").await.ok();
    let sent = world.others.sent.lock().unwrap().len();
    let calls = world.platform.count("/sns/");
    for endpoint in posts() {
        let mut caller = app.clone();
        if endpoint.auth == Auth::Service {
            caller.token = None;
            caller.headers.push((
                "authorization",
                "Basic b3JkZXJzOm9yZGVycy1zZWNyZXQ=".to_owned(),
            ));
        }
        for field in endpoint.fields {
            let misfits = misfits(field.kind).into_iter();
            let must = [Value::Null, json!("")]
                .into_iter()
                .filter(|_| field.need == Need::Must);
            for value in misfits.chain(must) {
                let mut body = least(endpoint);
                body.insert(field.name.to_owned(), value.clone());
                let said = caller.post(endpoint.path, Value::Object(body)).await;
                assert_eq!(
                    said.code, 1001,
                    "{} {}={value}: {}",
                    endpoint.path, field.name, said.text
                );
                assert_eq!(said.data["field"], field.name, "{} {value}", endpoint.path);
            }
            if field.need == Need::Must {
                let mut body = least(endpoint);
                body.remove(field.name);
                caller
                    .post(endpoint.path, Value::Object(body))
                    .await
                    .bad(field.name);
            }
        }
        for name in endpoint.forbidden {
            let mut body = least(endpoint);
            body.insert((*name).to_owned(), Value::Null);
            caller
                .post(endpoint.path, Value::Object(body))
                .await
                .bad(name);
        }
    }
    assert_eq!(app.get("/user/me").await.ok(), me);
    assert_eq!(
        app.get("/user/sessions").await.ok()["sessions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(world.others.sent.lock().unwrap().len(), sent);
    assert_eq!(world.platform.count("/sns/"), calls);
}

#[tokio::test]
async fn every_bad_body_is_refused() {
    let world = World::new().await;
    let mut app = device(&world);
    app.by_phone(P1).await.ok();
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let json = "application/json";
    for endpoint in posts() {
        let mut caller = app.clone();
        if endpoint.auth == Auth::Service {
            caller.token = None;
            caller.headers.push((
                "authorization",
                "Basic b3JkZXJzOm9yZGVycy1zZWNyZXQ=".to_owned(),
            ));
        }
        for (media, body, field) in [
            (json, b"[]".to_vec(), "body"),
            (json, b"null".to_vec(), "body"),
            (json, b"\"x\"".to_vec(), "body"),
            (json, b"{".to_vec(), "body"),
            (json, b"{} {}".to_vec(), "body"),
            (json, b"{'a':1}".to_vec(), "body"),
            (json, b"\xef\xbb\xbf{}".to_vec(), "body"),
            (json, b"{\"a\":\"\xff\"}".to_vec(), "body"),
            (json, b"code=a&state=b".to_vec(), "body"),
            (json, deep.clone().into_bytes(), "body"),
            (json, vec![b' '; 17 * 1024], "body"),
            ("text/plain", b"{}".to_vec(), "Content-Type"),
            (
                "application/x-www-form-urlencoded",
                b"a=b".to_vec(),
                "Content-Type",
            ),
            ("", b"{}".to_vec(), "Content-Type"),
            ("application/json5", b"{}".to_vec(), "Content-Type"),
        ] {
            let request = caller
                .request("POST", endpoint.path)
                .header("content-type", media);
            let raw = world.raw(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(raw.status.as_u16(), 400, "{} {media}", endpoint.path);
            let value: Value = serde_json::from_str(&raw.text()).unwrap();
            assert_eq!(
                (&value["code"], &value["data"]["field"]),
                (&json!(1001), &json!(field)),
                "{}",
                endpoint.path
            );
        }
    }
    app.get("/user/me").await.ok();
}

#[tokio::test]
async fn sessions_are_asked_for_wherever_the_table_says_so() {
    let world = World::new().await;
    let mut good = device(&world);
    good.by_phone(P1).await.ok();
    let mut expired = device(&world);
    expired.by_phone(P1).await.ok();
    for endpoint in calls().filter(|endpoint| endpoint.auth == Auth::Session) {
        let verb = endpoint.verb.word();
        let nobody = device(&world);
        let ask = |token: &str| {
            let mut caller = nobody.clone();
            caller.headers = vec![("authorization", token.to_owned())];
            async move { caller.call(verb, &path(endpoint)).await }
        };
        let said = nobody.call(verb, &path(endpoint)).await;
        assert_eq!(said.headers["www-authenticate"], "Bearer");
        said.no(5001);
        let refresh = format!("Bearer {}", good.refresh.as_deref().unwrap());
        for token in [
            "Bearer",
            "Bearer ",
            "Bearer x",
            "Basic eDp5",
            "x",
            &format!("Bearer {}", "1".repeat(39)),
            &refresh,
        ] {
            ask(token).await.no(5001);
        }
    }
    world.turn(7201);
    for endpoint in calls().filter(|endpoint| endpoint.auth == Auth::Session) {
        expired
            .call(endpoint.verb.word(), &path(endpoint))
            .await
            .no(5002);
    }
    good.get("/user/me").await.no(5002);
}

#[tokio::test]
async fn wrong_methods_and_paths_stay_in_the_envelope() {
    let world = World::new().await;
    for endpoint in ENDPOINTS {
        let here: Vec<_> = ENDPOINTS
            .iter()
            .filter(|other| other.path == endpoint.path)
            .map(|other| other.verb.word())
            .collect();
        for method in [
            "GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW",
        ] {
            if here.contains(&method) {
                continue;
            }
            let path = path(endpoint).replace("{gateway}", "ali");
            let raw = world
                .raw(
                    Request::builder()
                        .method(method)
                        .uri(&path)
                        .body(Body::empty())
                        .unwrap(),
                )
                .await;
            assert_eq!(raw.status.as_u16(), 405, "{method} {path}");
            assert_eq!(raw.header("allow"), here.join(", "));
            let value: Value = serde_json::from_str(&raw.text()).unwrap();
            assert_eq!(
                (&value["code"], &value["data"]["field"]),
                (&json!(1001), &json!("method"))
            );
        }
    }
    for path in [
        "/user",
        "/user/wechat/login/",
        "/user/sessions/a/b",
        "/user/wechat",
        "//user/me",
        "/..%2f",
        "/favicon.ico",
    ] {
        for method in ["GET", "POST"] {
            let raw = world
                .raw(
                    Request::builder()
                        .method(method)
                        .uri(path)
                        .body(Body::empty())
                        .unwrap(),
                )
                .await;
            assert_eq!(raw.status.as_u16(), 404, "{path}");
            let value: Value = serde_json::from_str(&raw.text()).unwrap();
            assert_eq!(
                (&value["code"], &value["data"]["field"]),
                (&json!(1001), &json!("path"))
            );
        }
    }
}

#[tokio::test]
async fn in_compat_mode_every_call_answers_200() {
    let mut plan = plan();
    plan.front.statuses = Statuses::Compat;
    let world = World::of(plan).await;
    for endpoint in calls() {
        let said = device(&world)
            .call(endpoint.verb.word(), &path(endpoint))
            .await;
        assert_eq!(said.status.as_u16(), 200, "{}", endpoint.path);
        assert!(said.headers.get("www-authenticate").is_none());
    }
    let mut app = device(&world);
    let state = app.state().await;
    let said = app
        .post("/user/wechat/login", json!({"code": "bug", "state": state}))
        .await;
    assert_eq!(said.status.as_u16(), 200);
    assert!(said.no(1005)["incident"].is_string());
}

#[tokio::test]
async fn everybody_is_spoken_to_in_their_language() {
    let world = World::new().await;
    let ask = |language: &str| {
        let mut app = device(&world);
        app.headers.push(("accept-language", language.to_owned()));
        async move { (app.get("/user/config").await, app.get("/user/me").await) }
    };
    for (language, fine, lang) in [
        ("", "成功", Lang::Zh),
        ("zh-CN,zh;q=0.9,en;q=0.8", "成功", Lang::Zh),
        ("en-US,en;q=0.9", "OK", Lang::En),
        ("fr", "OK", Lang::En),
    ] {
        let (good, bad) = ask(language).await;
        assert_eq!(good.msg, fine, "{language}");
        assert_eq!(bad.msg, message(&LoginRefusal::SessionInvalid, lang));
        assert_eq!(bad.headers["content-language"], lang.tag());
    }
}

#[tokio::test]
async fn registered_origins_may_call_and_others_may_not() {
    let world = World::new().await;
    let ask = |method: &str, path: &str, origin: &str, preflight: bool| {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("origin", origin);
        if preflight {
            request = request.header("access-control-request-method", "POST");
        }
        let (world, request) = (world.clone(), request.body(Body::empty()).unwrap());
        async move { world.raw(request).await }
    };
    for endpoint in ENDPOINTS {
        let path = path(endpoint).replace("{gateway}", "ali");
        let raw = ask("OPTIONS", &path, SITE, true).await;
        assert_eq!(raw.status.as_u16(), 204, "{path}");
        assert_eq!(raw.header("access-control-allow-origin"), SITE);
        assert_eq!(raw.header("access-control-allow-credentials"), "true");
        assert!(
            raw.header("access-control-allow-methods")
                .contains(endpoint.verb.word())
        );
        assert!(
            raw.header("access-control-allow-headers")
                .contains("x-yufu-device")
        );
        for origin in [
            "https://evil.example",
            "null",
            "https://app.example.evil",
            "http://app.example",
            HERE,
        ] {
            let raw = ask("OPTIONS", &path, origin, true).await;
            assert_eq!(raw.status.as_u16(), 204);
            assert!(
                !raw.headers
                    .keys()
                    .any(|name| name.as_str().starts_with("access-control")),
                "{origin}"
            );
        }
    }
    let raw = ask("GET", "/user/config", SITE, false).await;
    assert_eq!(raw.header("access-control-allow-origin"), SITE);
    assert!(
        raw.header("access-control-expose-headers")
            .contains("retry-after")
    );
    assert_eq!(raw.header("vary"), "Origin");
    let raw = ask("GET", "/user/config", "https://evil.example", false).await;
    assert_eq!(
        (
            raw.status.as_u16(),
            raw.header("access-control-allow-origin")
        ),
        (200, "")
    );
    assert_eq!(
        ask("GET", "/nowhere", SITE, false)
            .await
            .header("access-control-allow-origin"),
        SITE
    );
}

#[tokio::test]
async fn the_house_tells_how_it_is() {
    let world = World::new().await;
    let get = |path: &str| {
        let (world, request) = (
            world.clone(),
            Request::get(path).body(Body::empty()).unwrap(),
        );
        async move { world.raw(request).await }
    };
    device(&world).get("/user/me").await.no(5001);
    device(&world).get("/user/config").await.ok();
    let counted = get("/metrics").await.text();
    assert!(
        counted.contains("endpoint=\"/user/me\",outcome=\"SessionInvalid\"} 1"),
        "{counted}"
    );
    assert!(counted.contains("endpoint=\"/user/config\",outcome=\"ok\"} 1"));
    assert_eq!(get("/healthz").await.text(), "ok\n");
    assert_eq!(get("/readyz").await.status.as_u16(), 200);
    world.house.close();
    assert_eq!(get("/readyz").await.status.as_u16(), 503);
    let served: Value = serde_json::from_str(&get("/openapi.json").await.text()).unwrap();
    assert_eq!(served, document(HERE));
}

#[test]
fn the_document_has_every_endpoint_once_and_refers_to_what_exists() {
    let document = document(HERE);
    let mut names = std::collections::HashSet::new();
    for endpoint in ENDPOINTS {
        let operation = &document["paths"][endpoint.path][endpoint.verb.word().to_lowercase()];
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name.to_owned()), "{name} twice");
        if endpoint.has_tail() {
            let asked = operation["parameters"].as_array().unwrap();
            assert!(asked.iter().any(|asked| asked["in"] == "path"
                && endpoint.path.contains(asked["name"].as_str().unwrap())));
        }
    }
    for reference in document.to_string().split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    // The examples are requests that fit.
    for endpoint in posts() {
        let body =
            &document["paths"][endpoint.path]["post"]["requestBody"]["content"]["application/json"];
        let wrong = crate::schema::complaints(&document, &body["schema"], &body["example"]);
        assert!(wrong.is_empty(), "{}: {wrong:?}", endpoint.path);
    }
}
