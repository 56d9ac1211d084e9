//! A browser: cookies, forms, and the way through sign-in and consent.

use std::collections::BTreeMap;

use super::process::House;
use super::wire::{Answer, Ask, enc, query};

/// A browser with a cookie jar.
pub(crate) struct Browser<'a> {
    pub(crate) house: &'a House,
    pub(crate) jar: BTreeMap<String, String>,
    /// Headers that go with every request.
    pub(crate) headers: Vec<(String, String)>,
    /// Who it signs in as when asked: phone and password.
    pub(crate) person: (String, String),
}

/// A form as it stands in a page.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) csrf: String,
}

/// The form of a page that holds this button.
#[track_caller]
pub(crate) fn form_of(page: &Answer, act: &str) -> Form {
    find_form(page, act).unwrap_or_else(|| panic!("no form for {act}: {}", page.text()))
}

fn find_form(page: &Answer, act: &str) -> Option<Form> {
    let button = format!("value=\"{act}\"");
    let form = page
        .text()
        .split("<form")
        .skip(1)
        .find(|form| form.split("</form>").next().unwrap_or("").contains(&button))?;
    Some(Form {
        action: field(form, "action=\"")?.to_owned(),
        csrf: field(form, "name=\"csrf\" value=\"")?.to_owned(),
    })
}

/// What stands between a mark and the next quote.
pub(crate) fn field<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(mark)?;
    rest.split('"').next()
}

/// A parameter of an address, still encoded.
pub(crate) fn param<'a>(address: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = address.split_once('?')?;
    let query = query.split('#').next().unwrap_or(query);
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

impl<'a> Browser<'a> {
    /// A browser of the nth seeded person, not signed in.
    pub(crate) fn of(house: &'a House, person: usize) -> Self {
        Self::new(house, house.person(person))
    }

    pub(crate) fn new(house: &'a House, person: (String, String)) -> Self {
        // In development somebody clicked on the first address that was printed.
        let token = house.token().map(|token| {
            let name = format!("yufu_sandbox_{}", house.port);
            (name, token.to_owned())
        });
        Self {
            house,
            jar: token.into_iter().collect(),
            headers: Vec::new(),
            person,
        }
    }

    /// Sends a request with the jar's cookies, and keeps the cookies of the answer.
    pub(crate) fn ask(&mut self, mut ask: Ask) -> Answer {
        if !self.jar.is_empty() {
            let cookies: Vec<_> = self
                .jar
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            ask = ask.header("cookie", &cookies.join("; "));
        }
        ask.headers.extend(self.headers.iter().cloned());
        let answer = self.house.ask(&ask);
        for cookie in answer.all("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.ask(Ask::get(target))
    }

    pub(crate) fn post(&mut self, target: &str, form: &[(&str, &str)]) -> Answer {
        self.ask(Ask::post(target, form))
    }

    /// Presses a button of a page, with these fields filled in.
    #[track_caller]
    pub(crate) fn press(&mut self, page: &Answer, act: &str, fields: &[(&str, &str)]) -> Answer {
        let form = form_of(page, act);
        let mut all = vec![("csrf", form.csrf.as_str()), ("act", act)];
        all.extend(fields);
        self.post(&form.action, &all)
    }

    /// The value of the session cookie.
    pub(crate) fn session(&self) -> Option<&str> {
        self.cookie("session")
    }

    pub(crate) fn cookie(&self, role: &str) -> Option<&str> {
        let found = self
            .jar
            .iter()
            .find(|(name, _)| name.contains(&format!("yufu_{role}")));
        found.map(|(_, value)| value.as_str())
    }

    /// Signs in at the account page.
    #[track_caller]
    pub(crate) fn sign_in(&mut self) -> Answer {
        let page = self.get("/account/sign-in");
        let (phone, password) = self.person.clone();
        let answer = self.press(
            &page,
            "sign_in",
            &[("phone", &phone), ("password", &password)],
        );
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(answer.location(), "/account");
        answer
    }

    /// Goes to an address and through sign-in and consent as far as they are asked for, pressing
    /// `act` at the end; answers the last answer, which is no form any more.
    #[track_caller]
    pub(crate) fn go_through(&mut self, target: &str, act: &str) -> Answer {
        let mut answer = self.get(target);
        for _ in 0..8 {
            let next = answer.header("location").map(str::to_owned);
            answer = match next {
                Some(next) if next.starts_with('/') => self.get(&next),
                Some(_) => return answer,
                None if find_form(&answer, act).is_some() => self.press(&answer, act, &[]),
                None if find_form(&answer, "sign_in").is_some() => {
                    let (phone, password) = self.person.clone();
                    self.press(
                        &answer,
                        "sign_in",
                        &[("phone", &phone), ("password", &password)],
                    )
                }
                None => return answer,
            };
        }
        let said = answer
            .text()
            .split("role=\"alert\">")
            .nth(1)
            .unwrap_or(answer.text());
        panic!("this leads round in circles: {said}");
    }

    /// Goes through an authorization, says yes, and answers where it led.
    #[track_caller]
    pub(crate) fn allow(&mut self, target: &str) -> String {
        let answer = self.go_through(target, "allow");
        answer.location().to_owned()
    }

    /// A code of a service client for these scopes.
    #[track_caller]
    pub(crate) fn code(&mut self, appid: &str, scope: &str) -> String {
        let target = in_client(appid, "http://localhost/cb", scope, "s");
        let location = self.allow(&target);
        param(&location, "code")
            .unwrap_or_else(|| panic!("no code: {location}"))
            .to_owned()
    }

    /// A QR page: its uuid.
    #[track_caller]
    pub(crate) fn qr(&mut self, appid: &str, more: &[(&str, &str)]) -> (String, Answer) {
        let mut params = vec![
            ("appid", appid),
            ("redirect_uri", "http://localhost/cb"),
            ("response_type", "code"),
            ("scope", "snsapi_login"),
        ];
        params.extend(more);
        let page = self.get(&format!("/connect/qrconnect?{}", query(&params)));
        assert_eq!(page.status, 200);
        let uuid = field(page.text(), "src=\"/connect/qrcode/");
        let uuid = uuid.unwrap_or_else(|| panic!("no QR code: {}", page.text()));
        (uuid.to_owned(), page)
    }

    /// A QR page that returns to this address.
    #[track_caller]
    pub(crate) fn qr_at(&mut self, appid: &str, redirect: &str) -> (String, Answer) {
        self.qr(appid, &[("redirect_uri", redirect)])
    }

    /// What a poll says now.
    pub(crate) fn poll(&mut self, uuid: &str, more: &str) -> Answer {
        self.get(&format!("/connect/l/qrconnect?uuid={}{more}", enc(uuid)))
    }

    /// A code by scan: this browser shows the QR code, another one answers it.
    #[track_caller]
    pub(crate) fn scan(&mut self, appid: &str, phone: &mut Browser<'_>) -> String {
        let (uuid, _) = self.qr(appid, &[]);
        let done = phone.go_through(&format!("/connect/confirm?uuid={uuid}"), "allow");
        assert_eq!(done.status, 200, "{}", done.text());
        let answer = self.poll(&uuid, "");
        let holes = answer.says(
            "text/javascript",
            "window.wx_errcode=405;window.wx_code='<code>';",
        );
        holes[0].clone()
    }
}

/// The address of an in-client authorization.
pub(crate) fn in_client(appid: &str, redirect: &str, scope: &str, state: &str) -> String {
    let params = [
        ("appid", appid),
        ("redirect_uri", redirect),
        ("response_type", "code"),
        ("scope", scope),
        ("state", state),
    ];
    format!("/connect/oauth2/authorize?{}", query(&params))
}
