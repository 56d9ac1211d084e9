//! An app on a device: it keeps what its backend gives it, and calls the backend over HTTP.

use serde_json::{Value, json};

use super::wire::{Answer, Ask, Wire};

/// What the backend said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) code: i64,
    pub(crate) data: Value,
    pub(crate) answer: Answer,
}

impl Said {
    fn read(answer: Answer) -> Self {
        let body = answer.json();
        assert!(
            body["msg"].as_str().is_some_and(|msg| !msg.is_empty()),
            "{body}"
        );
        assert!(body["request_id"].is_string(), "{body}");
        assert!(body["data"].is_object(), "{body}");
        assert_eq!(answer.status, 200, "{body}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        Self {
            code: body["code"].as_i64().expect("a code"),
            data: body["data"].clone(),
            answer,
        }
    }

    /// That it is this code; answers the data.
    #[track_caller]
    pub(crate) fn is(&self, code: i64) -> &Value {
        assert_eq!(self.code, code, "{}", self.answer.text());
        &self.data
    }

    #[track_caller]
    pub(crate) fn ok(&self) -> &Value {
        self.is(0)
    }

    /// A text of the data.
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> &str {
        let text = self.data[name].as_str();
        text.unwrap_or_else(|| panic!("no {name}: {}", self.answer.text()))
    }

    /// A number of the data.
    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> i64 {
        let number = self.data[name].as_i64();
        number.unwrap_or_else(|| panic!("no {name}: {}", self.answer.text()))
    }

    /// The bytes of the data as they came.
    pub(crate) fn data_bytes(&self) -> &str {
        let text = self.answer.text();
        let (_, rest) = text.split_once("\"data\":").expect("data");
        rest.rsplit_once(",\"request_id\"")
            .map_or(rest, |(data, _)| data)
    }
}

/// An app on a device.
#[derive(Clone, Debug)]
pub(crate) struct App {
    port: u16,
    /// Which of the backend's upstreams it belongs to.
    pub(crate) app: String,
    pub(crate) device_id: String,
    pub(crate) platform: String,
    pub(crate) device: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) refresh: Option<String>,
    /// From where it seems to call.
    pub(crate) address: Option<String>,
}

/// The version of the terms that everybody accepts.
pub(crate) const TERMS: &str = "2026-01";

impl App {
    pub(crate) fn new(port: u16, app: &str, device_id: &str, platform: &str) -> Self {
        Self {
            port,
            app: app.into(),
            device_id: device_id.into(),
            platform: platform.into(),
            device: None,
            token: None,
            refresh: None,
            address: None,
        }
    }

    /// Another device of the same backend.
    pub(crate) fn beside(&self, device_id: &str, platform: &str) -> Self {
        Self::new(self.port, &self.app, device_id, platform)
    }

    /// The same device, speaking to another server.
    pub(crate) fn at(&self, port: u16) -> Self {
        Self {
            port,
            ..self.clone()
        }
    }

    /// Speaks to the world's own server from now on.
    pub(crate) fn port_of(&mut self, world: &super::world::World) {
        self.port = world.port;
    }

    fn request(&self, ask: Ask) -> Said {
        Said::read(self.raw(ask))
    }

    /// Sends a request with the device's and session's secrets.
    pub(crate) fn raw(&self, mut ask: Ask) -> Answer {
        if let Some(device) = &self.device {
            ask = ask.header("x-yufu-device", device);
        }
        if let Some(token) = &self.token {
            ask = ask.header("authorization", &format!("Bearer {token}"));
        }
        if let Some(address) = &self.address {
            ask = ask.header("x-forwarded-for", address);
        }
        Wire::to(self.port).ask(&ask)
    }

    pub(crate) fn get(&self, path: &str) -> Said {
        self.request(Ask::get(path))
    }

    pub(crate) fn delete(&self, path: &str) -> Said {
        self.request(Ask::new("DELETE", path))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Said {
        self.post_once(path, body, None)
    }

    /// The same with an idempotency key.
    pub(crate) fn post_once(&self, path: &str, body: &Value, key: Option<&str>) -> Said {
        let mut ask = Ask::new("POST", path)
            .header("content-type", "application/json")
            .body(body.to_string());
        if let Some(key) = key {
            ask = ask.header("idempotency-key", key);
        }
        self.request(ask)
    }

    // --- the calls ----------------------------------------------------------------------------

    pub(crate) fn prepare_for(&mut self, purpose: &str) -> Said {
        let said = self.post(
            "/user/wechat/prepare",
            &json!({
                "purpose": purpose, "app": self.app, "device_id": self.device_id,
                "platform": self.platform, "consent_version": TERMS, "mode": "app",
            }),
        );
        if let Some(device) = said.data["device_secret"].as_str() {
            self.device = Some(device.to_owned());
        }
        said
    }

    /// Begins a login and answers its state.
    pub(crate) fn prepare(&mut self) -> String {
        let said = self.prepare_for("login");
        said.ok();
        said.text("state").to_owned()
    }

    pub(crate) fn login(&mut self, code: &str, state: &str) -> Said {
        self.login_once(code, state, None)
    }

    pub(crate) fn login_once(&mut self, code: &str, state: &str, key: Option<&str>) -> Said {
        let body = json!({"code": code, "state": state, "device_id": self.device_id});
        let said = self.post_once("/user/wechat/login", &body, key);
        self.keep(&said);
        said
    }

    pub(crate) fn bind(&mut self, ticket: &str, more: &Value) -> Said {
        self.bind_once(ticket, more, None)
    }

    pub(crate) fn bind_once(&mut self, ticket: &str, more: &Value, key: Option<&str>) -> Said {
        let mut body = json!({"bind_ticket": ticket});
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        let said = self.post_once("/user/wechat/bind", &body, key);
        self.keep(&said);
        said
    }

    pub(crate) fn refresh(&mut self) -> Said {
        let refresh = self.refresh.clone().expect("a refresh token");
        let said = self.refresh_with(&refresh);
        self.keep(&said);
        said
    }

    pub(crate) fn refresh_with(&self, refresh: &str) -> Said {
        let body = json!({"refresh_token": refresh});
        self.post("/user/session/refresh", &body)
    }

    pub(crate) fn me(&self) -> Said {
        self.get("/user/me")
    }

    /// Keeps the secrets of an answer that logs in.
    pub(crate) fn keep(&mut self, said: &Said) {
        let secret = |name: &str| {
            let text = said.data[name].as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        if let Some(token) = secret("token") {
            self.token = Some(token);
        }
        if let Some(refresh) = secret("refresh_token") {
            self.refresh = Some(refresh);
        }
    }

    /// Forgets who is logged in; the device stays.
    pub(crate) fn forget(&mut self) {
        self.token = None;
        self.refresh = None;
    }
}
