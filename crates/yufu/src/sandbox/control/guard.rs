//! Who may use the control, the phone, the flows and the inbox: whoever sits at this machine and
//! holds the token of the run. A page of somebody else's must not, though it runs in a browser on
//! this machine: neither under a name that was turned to 127.0.0.1 (DNS rebinding), nor from
//! another origin.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use yufu_core::secret::{Secret, same};
use yufu_dialects::http as plain;
use yufu_web::dev;
use yufu_web::view::{DevLocked, Field, Lang};

use super::answer::Refused;
use crate::read::Complaints;
use crate::sandbox::state::Addresses;

/// What every path begins with that the guard keeps.
const KEPT: [&str; 4] = ["/_sandbox", "/dev", "/phone", "/flows"];
/// What is told to every program of this machine, but to no strange name.
const NAMED: [&str; 1] = ["/proxy.pac"];

/// Under which names a listener answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// This machine's own: nobody from outside can send a browser to them.
    Machine,
    /// Addresses in digits, which no name server can turn elsewhere: for other devices.
    Digits,
}

/// What is needed to tell friend from stranger.
#[derive(Clone)]
pub struct Keeper {
    token: Secret,
    cookie: String,
    names: Names,
    /// The origins of our own pages; when empty, the one that was asked.
    origins: Vec<String>,
    /// The address to open once, for those who came without the token.
    opens: String,
}

/// Why somebody is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stranger {
    Name,
    Origin,
    NoToken,
    WrongToken,
}

/// What the guard says to a request.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    /// The token came in the address: it goes into the cookie, and the address is left.
    Enter(String),
    Away(Stranger),
}

impl Keeper {
    /// The guard of this machine's own addresses.
    pub fn new(token: Secret, addresses: &Addresses) -> Self {
        let own = [&addresses.platform, &addresses.app, &addresses.login];
        let ports = own.map(|url| url.rsplit(':').next().unwrap_or("").to_owned());
        let origins = ["127.0.0.1", "localhost", "[::1]"]
            .into_iter()
            .flat_map(|name| {
                let origin = move |port: &String| format!("http://{name}:{port}");
                ports.iter().map(origin)
            });
        Self {
            token,
            cookie: format!("yufu_sandbox_{}", ports[0]),
            names: Names::Machine,
            origins: origins.collect(),
            opens: addresses.app.clone(),
        }
    }

    /// The guard of a listener that other devices reach.
    pub fn beyond(token: Secret, port: u16) -> Self {
        Self {
            token,
            cookie: format!("yufu_phone_{port}"),
            names: Names::Digits,
            origins: Vec::new(),
            opens: String::new(),
        }
    }

    fn judge(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Verdict {
        let path = uri.path();
        let kept = match self.names {
            Names::Machine => KEPT.iter().any(|prefix| path.starts_with(prefix)),
            // Everything but the looks of the page that asks for the token.
            Names::Digits => !path.starts_with("/assets/"),
        };
        let query = plain::Request::get("", uri.query().unwrap_or("")).params();
        let brought = query.get("token").filter(|_| method == Method::GET);
        if !kept && !NAMED.contains(&path) && (path != "/" || brought.is_none()) {
            return Verdict::Pass;
        }
        if !self.is_named(uri, headers) {
            return Verdict::Away(Stranger::Name);
        }
        if NAMED.contains(&path) && self.names == Names::Machine {
            return Verdict::Pass;
        }
        if !self.is_ours(headers) {
            return Verdict::Away(Stranger::Origin);
        }
        match brought {
            Some(token) if self.is_token(token) => Verdict::Enter(without_token(uri)),
            Some(_) => Verdict::Away(Stranger::WrongToken),
            None => self.holds_token(headers),
        }
    }

    /// One name, in the header and, where it stands there too, in the address.
    fn is_named(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(_), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let digits = |host: &str| {
            let name = dev::host_name(host);
            name.is_some_and(|name| name.parse::<IpAddr>().is_ok())
        };
        let fits = |headers: &HeaderMap| match self.names {
            Names::Machine => dev::is_local(headers),
            Names::Digits => text(headers, &header::HOST).is_some_and(digits),
        };
        let in_address = uri.authority().is_none_or(|authority| {
            let host = HeaderValue::try_from(authority.as_str());
            host.is_ok_and(|host| fits(&HeaderMap::from_iter([(header::HOST, host)])))
        });
        fits(headers) && in_address
    }

    /// Whether the browser, where it tells, says that a page of ours asks, or the person. Our
    /// pages send no referrer, and browsers then write `Origin: null` on their forms: those are
    /// told by the fetch metadata.
    fn is_ours(&self, headers: &HeaderMap) -> bool {
        let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
        if !matches!(site, None | Some("none" | "same-origin" | "same-site")) {
            return false;
        }
        match text(headers, &header::ORIGIN) {
            None => !headers.contains_key(header::ORIGIN),
            Some("null") => site == Some("same-origin"),
            Some(origin) if self.origins.is_empty() => {
                let host = text(headers, &header::HOST).unwrap_or("");
                origin.strip_prefix("http://") == Some(host)
            }
            Some(origin) => self.origins.iter().any(|own| own == origin),
        }
    }

    fn holds_token(&self, headers: &HeaderMap) -> Verdict {
        let bearer = text(headers, &header::AUTHORIZATION);
        let bearer = bearer.and_then(|text| text.split_once(' '));
        let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let lines = headers.get_all(header::COOKIE).iter();
        let pairs = lines.filter_map(|line| line.to_str().ok());
        let pairs = pairs.flat_map(|line| line.split(';'));
        let cookies = pairs.filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == self.cookie).then_some(value)
        });
        let held: Vec<&str> = bearer
            .map(|(_, token)| token.trim())
            .into_iter()
            .chain(cookies)
            .collect();
        match held.as_slice() {
            [] => Verdict::Away(Stranger::NoToken),
            held if held.iter().any(|token| self.is_token(token)) => Verdict::Pass,
            _ => Verdict::Away(Stranger::WrongToken),
        }
    }

    fn is_token(&self, text: &str) -> bool {
        same(text.as_bytes(), self.token.expose().as_bytes())
    }

    fn turn_away(&self, why: Stranger, request: &Request) -> Response {
        let headers = request.headers();
        let page = request.method() == Method::GET
            && text(headers, &header::ACCEPT).is_some_and(|accept| accept.contains("text/html"));
        if page && matches!(why, Stranger::NoToken | Stranger::WrongToken) {
            return locked(why == Stranger::WrongToken, request);
        }
        let (status, code) = match why {
            Stranger::Name => (StatusCode::FORBIDDEN, "host"),
            Stranger::Origin => (StatusCode::FORBIDDEN, "origin"),
            Stranger::NoToken | Stranger::WrongToken => (StatusCode::UNAUTHORIZED, "token"),
        };
        let complaints = self.complaints(why);
        let mut response = Refused {
            status,
            code,
            complaints,
        }
        .answer();
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }

    fn complaints(&self, why: Stranger) -> Complaints {
        let no_token = |what| {
            if self.names == Names::Digits {
                let remedy = "open the address that yufu dev --lan printed";
                return Complaints::one("Authorization", what, remedy);
            }
            Complaints::one(
                "Authorization",
                what,
                format!(
                    "send Authorization: Bearer and the token, which is in the first line of `yufu \
                     dev` (`token` with --json); or open {}/?token=… once in this browser",
                    self.opens
                ),
            )
        };
        match (why, self.names) {
            (Stranger::Name, Names::Machine) => Complaints::one(
                "Host",
                "is no name of this machine",
                "use 127.0.0.1 or localhost",
            ),
            (Stranger::Name, Names::Digits) => Complaints::one(
                "Host",
                "is no address in digits",
                "use the address that yufu dev printed",
            ),
            (Stranger::Origin, _) => Complaints::one(
                "Origin",
                "is that of another page",
                "call from a program or a test, without an Origin; open pages by hand",
            ),
            (Stranger::NoToken, _) => no_token("does not hold the token of this run"),
            (Stranger::WrongToken, _) => {
                no_token("holds a token, but not of this run: each start draws another")
            }
        }
    }

    fn let_in(&self, address: &str) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SEE_OTHER;
        let cookie = format!(
            "{}={}; Path=/; HttpOnly; SameSite=Strict",
            self.cookie,
            self.token.expose()
        );
        for (name, value) in [
            (header::LOCATION, address),
            (header::SET_COOKIE, &cookie),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn without_token(uri: &Uri) -> String {
    // Two strokes at its beginning would make a path the address of another host, and browsers
    // take a backslash for a stroke.
    let strokes = ['/', '\\'];
    let path = format!("/{}", uri.path().trim_start_matches(strokes));
    let pairs = uri.query().unwrap_or("").split('&');
    let is_token = |pair: &&str| {
        plain::Request::get("", pair)
            .params()
            .get("token")
            .is_some()
    };
    let pairs: Vec<&str> = pairs
        .filter(|pair| !pair.is_empty() && !is_token(pair))
        .collect();
    match pairs.as_slice() {
        [] => path,
        pairs => format!("{path}?{}", pairs.join("&")),
    }
}

/// The page of whoever comes without the token, with a place to paste it.
fn locked(wrong: bool, request: &Request) -> Response {
    let query = plain::Request::get("", request.uri().query().unwrap_or("")).params();
    let asked = query.get("lang").and_then(Lang::from_param);
    let accept = text(request.headers(), &header::ACCEPT_LANGUAGE).unwrap_or("");
    let pairs = without_token(request.uri());
    let pairs = pairs.split_once('?').map_or("", |(_, pairs)| pairs);
    let names = pairs.split('&').filter_map(|pair| pair.split('=').next());
    let more = names.filter_map(|name| Some(Field::new(name, query.get(name)?)));
    let page = DevLocked {
        lang: asked.unwrap_or_else(|| Lang::from_accept(accept)),
        wrong,
        action: request.uri().path().to_owned(),
        more: more.collect(),
    };
    dev::page(StatusCode::UNAUTHORIZED, page.render())
}

/// Puts the guard before a router: nothing below the kept paths is reached without it, whoever
/// mounted it.
pub fn around(router: Router, keeper: &Keeper) -> Router {
    router.layer(from_fn_with_state(Arc::new(keeper.clone()), stand))
}

/// Lets a browser bring the token to the first page of a router that keeps nothing itself: cookies
/// do not know ports, so the demo app's page opens the platform's.
pub fn entrance(router: Router, keeper: &Keeper) -> Router {
    router.layer(from_fn_with_state(Arc::new(keeper.clone()), enter))
}

async fn enter(state: State<Arc<Keeper>>, request: Request, next: Next) -> Response {
    match request.uri().path() {
        "/" => stand(state, request, next).await,
        _ => next.run(request).await,
    }
}

async fn stand(State(keeper): State<Arc<Keeper>>, request: Request, next: Next) -> Response {
    match keeper.judge(request.method(), request.uri(), request.headers()) {
        Verdict::Pass => next.run(request).await,
        Verdict::Enter(address) => keeper.let_in(&address),
        Verdict::Away(why) => keeper.turn_away(why, &request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper() -> Keeper {
        let proxy = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let addresses = Addresses {
            platform: "http://127.0.0.1:8420".to_owned(),
            app: "http://127.0.0.1:8421".to_owned(),
            login: "http://127.0.0.1:8430".to_owned(),
            proxy,
            gate: proxy,
        };
        Keeper::new(Secret::new("0123abcd"), &addresses)
    }

    fn judge(keeper: &Keeper, target: &str, pairs: &[(&'static str, &str)]) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::try_from(*value).unwrap());
        }
        if !headers.contains_key("host") {
            headers.insert("host", HeaderValue::from_static("127.0.0.1:8420"));
        }
        keeper.judge(&Method::GET, &target.parse().unwrap(), &headers)
    }

    const BEARER: (&str, &str) = ("authorization", "Bearer 0123abcd");

    #[test]
    fn the_token_opens_by_header_and_by_cookie() {
        let keeper = keeper();
        for pairs in [
            &[BEARER][..],
            &[("authorization", "bearer  0123abcd")],
            &[("cookie", "a=b; yufu_sandbox_8420=0123abcd")],
            &[
                ("cookie", "yufu_sandbox_8420=old"),
                ("cookie", "yufu_sandbox_8420=0123abcd"),
            ],
            &[
                ("authorization", "Basic eDp5"),
                ("cookie", "yufu_sandbox_8420=0123abcd"),
            ],
        ] {
            for path in ["/_sandbox/state", "/dev/inbox", "/phone", "/flows/stream"] {
                assert_eq!(
                    judge(&keeper, path, pairs),
                    Verdict::Pass,
                    "{path} {pairs:?}"
                );
            }
        }
        let away = |pairs| judge(&keeper, "/_sandbox/state", pairs);
        assert_eq!(away(&[]), Verdict::Away(Stranger::NoToken));
        for pairs in [
            &[("authorization", "Bearer 0123abce")][..],
            &[("authorization", "Bearer ")],
            &[("authorization", "Bearer 0123abcd0")],
            &[("cookie", "yufu_sandbox_8420=")],
        ] {
            assert_eq!(
                away(pairs),
                Verdict::Away(Stranger::WrongToken),
                "{pairs:?}"
            );
        }
        assert_eq!(
            away(&[("cookie", "yufu_sandbox_8421=0123abcd")]),
            Verdict::Away(Stranger::NoToken)
        );
        assert_eq!(judge(&keeper, "/sns/auth", &[]), Verdict::Pass);
        assert_eq!(judge(&keeper, "/", &[]), Verdict::Pass);
    }

    #[test]
    fn a_visit_with_the_token_goes_on_without_it() {
        let keeper = keeper();
        let enter = |target| judge(&keeper, target, &[("host", "localhost:8420")]);
        for (target, then) in [
            ("/?token=0123abcd", "/"),
            ("/?lang=en&token=0123abcd", "/?lang=en"),
            ("/flows?client=wx1&token=0123abcd&&x", "/flows?client=wx1&x"),
            ("/phone?%74oken=0123abcd", "/phone"),
        ] {
            assert_eq!(enter(target), Verdict::Enter(then.to_owned()), "{target}");
        }
        assert_eq!(enter("/?token="), Verdict::Away(Stranger::WrongToken));
        assert_eq!(enter("/phone?token=x"), Verdict::Away(Stranger::WrongToken));
        let strange = [("host", "evil.example")];
        let verdict = judge(&keeper, "/?token=0123abcd", &strange);
        assert_eq!(verdict, Verdict::Away(Stranger::Name));
    }

    #[test]
    fn strange_names_are_turned_away_whatever_they_bring() {
        let keeper = keeper();
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "api.weixin.qq.com",
            "192.168.0.7:8420",
            "[::1].evil.example",
            "[::1]evil.example:8420",
            "[::1",
            "127.0.0.1:8420.evil.example",
            "localhost:@evil.example",
            "",
        ] {
            for path in ["/_sandbox/state", "/dev/inbox", "/proxy.pac"] {
                let verdict = judge(&keeper, path, &[("host", host), BEARER]);
                assert_eq!(verdict, Verdict::Away(Stranger::Name), "{path} at {host}");
            }
        }
        let two = [("host", "127.0.0.1"), ("host", "evil.example"), BEARER];
        assert_eq!(
            judge(&keeper, "/phone", &two),
            Verdict::Away(Stranger::Name)
        );
        let whole = judge(&keeper, "http://evil.example/phone", &[BEARER]);
        assert_eq!(whole, Verdict::Away(Stranger::Name));
        let within = "http://127.0.0.1:x@evil.example/phone";
        assert_eq!(
            judge(&keeper, within, &[BEARER]),
            Verdict::Away(Stranger::Name)
        );
        let shouted = judge(&keeper, "/phone", &[("host", "LocalHost:8420"), BEARER]);
        assert_eq!(shouted, Verdict::Pass);
        let whole = judge(&keeper, "http://localhost:8420/phone", &[BEARER]);
        assert_eq!(whole, Verdict::Pass);
        assert_eq!(judge(&keeper, "/proxy.pac", &[]), Verdict::Pass);
    }

    #[test]
    fn pages_of_other_origins_are_turned_away() {
        let keeper = keeper();
        let at = |pairs: &[(&'static str, &str)]| {
            let pairs: Vec<_> = pairs.iter().copied().chain([BEARER]).collect();
            judge(&keeper, "/_sandbox/state", &pairs)
        };
        for pairs in [
            &[][..],
            &[("origin", "http://127.0.0.1:8421")],
            &[
                ("origin", "http://localhost:8430"),
                ("sec-fetch-site", "same-site"),
            ],
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-site")],
        ] {
            assert_eq!(at(pairs), Verdict::Pass, "{pairs:?}");
        }
        for pairs in [
            &[("origin", "http://127.0.0.1:3000")][..],
            &[("origin", "https://127.0.0.1:8420")],
            &[("origin", "http://evil.example")],
            &[("origin", "null")],
            &[("origin", "null"), ("sec-fetch-site", "same-site")],
            &[("origin", "")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "x")],
        ] {
            assert_eq!(at(pairs), Verdict::Away(Stranger::Origin), "{pairs:?}");
        }
    }

    #[test]
    fn other_devices_come_by_an_address_in_digits() {
        let keeper = Keeper::beyond(Secret::new("0123abcd"), 9000);
        let at = |host: &str, origin: &str| {
            let pairs = [("host", host), ("origin", origin), BEARER];
            judge(&keeper, "/phone", &pairs)
        };
        assert_eq!(
            at("192.168.0.7:9000", "http://192.168.0.7:9000"),
            Verdict::Pass
        );
        assert_eq!(at("[fe80::1]:9000", "http://[fe80::1]:9000"), Verdict::Pass);
        let bare = |path| judge(&keeper, path, &[("host", "192.168.0.7:9000")]);
        for path in ["/", "/phone", "/anything", "/proxy.pac", "/sns/auth"] {
            let away = bare(path);
            assert_eq!(away, Verdict::Away(Stranger::NoToken), "{path}");
        }
        assert_eq!(bare("/assets/app.css"), Verdict::Pass);
        let away = at("192.168.0.7:9000", "http://192.168.0.7:8420");
        assert_eq!(away, Verdict::Away(Stranger::Origin));
        // The way on from the address with the token is a way within this listener.
        for target in [
            "//evil.example/?token=0123abcd",
            "///evil.example/?token=0123abcd",
            "/\\evil.example/?token=0123abcd",
        ] {
            let verdict = judge(&keeper, target, &[("host", "192.168.0.7:9000")]);
            assert_eq!(
                verdict,
                Verdict::Enter("/evil.example/".to_owned()),
                "{target}"
            );
        }
        for host in [
            "evil.example:9000",
            "localhost:9000",
            "192.168.0.7:9000.evil.example",
        ] {
            let origin = format!("http://{host}");
            assert_eq!(at(host, &origin), Verdict::Away(Stranger::Name), "{host}");
        }
    }
}
