//! The door: the one handler of every dialect endpoint. It reads the clock once, lets the dialect
//! read, the engine judge and the dialect write. No rule stands here.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request as HttpRequest;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use yufu_core::client::AuthorizeRefusal;
use yufu_core::engine::AuthorizeStop;
use yufu_core::message::{PollAnswer, PollRequest, PollState, ProfileAnswer, Step, Visitor};
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_dialects::endpoint::{Dialect, Door, Endpoint, Operation, Parse, Render, ScanLook};
use yufu_dialects::http::{Method, Reply, Request, Stamp};

use crate::clock::Turned;
use crate::house::{ByProxy, House, Peer};
use crate::session::{self, Cookies};
use crate::wait::LOOK_EACH;
use crate::{clock, fault, form, pages, picture};

/// Where the platform's pages are (`docs/facts/wechat.md` §1).
const PAGES: &str = "open.weixin.qq.com";
/// Where the platform's pictures are (`docs/facts/wechat.md` §7.4).
const PICTURES: &str = "thirdwx.qlogo.cn";

/// One knock: everything an arm of the door needs.
pub(crate) struct Knock<'a> {
    pub(crate) house: &'a Arc<House>,
    pub(crate) dialect: &'static Dialect,
    pub(crate) endpoint: &'static Endpoint,
    pub(crate) request: Request,
    pub(crate) headers: HeaderMap,
    pub(crate) cookies: Cookies,
    pub(crate) set_cookies: Vec<HeaderValue>,
    pub(crate) address: String,
    /// The name of the platform's that was asked for, if it was one.
    by: Option<ByProxy>,
    pub(crate) now: Timestamp,
    /// How much later than by the house's clock this knock is judged, each time it is.
    pub(crate) turned: Lifetime,
    pub(crate) stamp: Stamp,
}

/// Opens the door to a request.
pub(crate) async fn open(
    house: &Arc<House>,
    dialect: &'static Dialect,
    endpoint: &'static Endpoint,
    request: HttpRequest,
) -> Response {
    let began = clock::mark();
    let now = house.now_of(request.extensions());
    let stamp = Stamp {
        now,
        noise: house.engine.noise(),
    };
    let (parts, body) = request.into_parts();
    let text = |name| {
        let value = parts
            .headers
            .get(name)
            .and_then(|v: &HeaderValue| v.to_str().ok());
        value.unwrap_or("").to_owned()
    };
    // A HEAD that spent a code would keep its answer to itself.
    let spends = matches!(
        endpoint.operation,
        Operation::Token { .. } | Operation::Mini { .. }
    );
    let method = match parts.method.as_str() {
        "POST" => Some(Method::Post),
        "GET" => Some(Method::Get),
        "HEAD" if !spends => Some(Method::Get),
        _ => None,
    };
    let mut request = Request {
        method: method.unwrap_or(Method::Get),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        accept: text(header::ACCEPT),
        accept_language: text(header::ACCEPT_LANGUAGE),
        content_type: text(header::CONTENT_TYPE),
        body: Vec::new(),
    };
    let mut early = None;
    if request.path.len() + request.query.len() > form::MAX_TARGET {
        early = Some(Refusal::TooLarge("request"));
        request.query.clear();
    } else if !method.is_some_and(|method| endpoint.methods.contains(&method)) {
        early = Some(Refusal::WrongMethod);
    } else if method == Some(Method::Post) {
        match form::body(body).await {
            Ok(body) => request.body = body,
            Err(refusal) => early = Some(refusal),
        }
    }
    let peer = parts.extensions.get::<Peer>();
    let by = parts.extensions.get::<ByProxy>().copied();
    let mut knock = Knock {
        house,
        dialect,
        endpoint,
        request,
        cookies: Cookies::read(house, &parts.headers, by.as_ref()),
        by,
        set_cookies: Vec::new(),
        address: session::address(house, peer, &parts.headers),
        headers: parts.headers,
        now,
        turned: Turned::of(&parts.extensions),
        stamp,
    };
    let mut response = match early {
        Some(refusal) => knock.refuse(refusal),
        None => knock.answer().await,
    };
    for cookie in knock.set_cookies.drain(..) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    if !matches!(endpoint.operation, Operation::Poll { .. }) {
        house.metrics.took(began.elapsed().as_secs_f64());
    }
    response
}

impl Knock<'_> {
    async fn answer(&mut self) -> Response {
        let (house, now) = (self.house, self.now);
        let engine = &house.engine;
        let endpoint = self.endpoint;
        match &endpoint.operation {
            Operation::Authorize { parse, door, look } => {
                self.authorize(*parse, *door, look(&self.request)).await
            }
            Operation::SignedScan { parse, render } => self.signed_scan(*parse, *render).await,
            Operation::ScanImage => self.scan_image().await,
            Operation::ScanOpen => self.scan_open().await,
            Operation::Poll { parse, render } => match parse(&self.request) {
                Ok(request) => {
                    let answer = self.poll(&request).await;
                    self.say(*render, answer)
                }
                Err(refusal) => self.say(*render, Err(refusal.into())),
            },
            Operation::Token { parse, render } => {
                let answer = match parse(&self.request) {
                    Ok(request) => engine.exchange(&request, &self.address, now).await,
                    Err(refusal) => Err(refusal.into()),
                };
                self.say(*render, answer)
            }
            Operation::Mini { parse, render } => {
                let answer = match parse(&self.request) {
                    Ok(request) => engine.mini_login(&request, &self.address, now).await,
                    Err(refusal) => Err(refusal.into()),
                };
                self.say(*render, answer)
            }
            Operation::Profile { parse, render } => {
                let answer = match parse(&self.request) {
                    Ok(request) => {
                        let answer = engine.profile(&request, now).await;
                        answer.map(|answer| self.pictured(answer))
                    }
                    Err(refusal) => Err(refusal.into()),
                };
                self.say(*render, answer)
            }
            Operation::Inspect { parse, render } => {
                let answer = match parse(&self.request) {
                    Ok(request) => engine.inspect(&request, now).await,
                    Err(refusal) => Err(refusal.into()),
                };
                self.say(*render, answer)
            }
            Operation::PlatformTicket { parse, render } => {
                let answer = match parse(&self.request) {
                    Ok(access) => engine.platform_ticket(&access, now).await,
                    Err(refusal) => Err(refusal.into()),
                };
                self.say(*render, answer)
            }
            Operation::Document(write) => self.send(write(), "ok"),
        }
    }

    /// Writes an outcome in the dialect's tongue.
    fn say<T>(&self, render: Render<T>, outcome: Result<T, Stop>) -> Response {
        match outcome {
            Ok(answer) => self.send(render(&self.request, &self.stamp, Ok(answer)), "ok"),
            Err(Stop::Refused(refusal)) => {
                let name = refusal.name();
                self.send(render(&self.request, &self.stamp, Err(refusal)), name)
            }
            Err(Stop::Failed(fault)) => {
                fault::log(self.house, self.endpoint.path, &fault);
                self.send((self.dialect.busy)(&self.request, &self.stamp), "fault")
            }
        }
    }

    fn send(&self, reply: Reply, outcome: &'static str) -> Response {
        self.house.metrics.answer(self.endpoint.path, outcome);
        to_response(reply)
    }

    /// Says a refusal that came before the dialect could read: in its own tongue all the same.
    fn refuse(&self, refusal: Refusal) -> Response {
        let stop = Err(Stop::Refused(refusal.clone()));
        match &self.endpoint.operation {
            Operation::Authorize { door, .. } => self.page_of(&refusal, *door),
            Operation::ScanOpen | Operation::ScanImage => self.page_of(&refusal, Door::Phone),
            Operation::SignedScan { render, .. } => {
                let name = refusal.name();
                self.send(render(&self.request, &self.stamp, Err(refusal)), name)
            }
            Operation::Poll { render, .. } => self.say(*render, stop.map(never)),
            Operation::Token { render, .. } => self.say(*render, stop.map(never)),
            Operation::Mini { render, .. } => self.say(*render, stop.map(never)),
            Operation::Profile { render, .. } => self.say(*render, stop.map(never)),
            Operation::Inspect { render, .. } => self.say(*render, stop.map(never)),
            Operation::PlatformTicket { render, .. } => self.say(*render, stop.map(never)),
            Operation::Document(_) => self.page_of(&refusal, Door::Phone),
        }
    }

    fn page_of(&self, refusal: &Refusal, door: Door) -> Response {
        self.house
            .metrics
            .answer(self.endpoint.path, refusal.name());
        let asked = self.request.params();
        let lang = self.cookies.lang(asked.get("lang"), &self.headers);
        pages::refused(self.dialect, refusal, door, lang)
    }

    fn failed_page(&self, stop: Stop, door: Door) -> Response {
        match stop {
            Stop::Refused(refusal) => self.page_of(&refusal, door),
            Stop::Failed(fault) => {
                self.house.metrics.answer(self.endpoint.path, "fault");
                let incident = fault::log(self.house, self.endpoint.path, &fault);
                pages::busy(self.cookies.lang(None, &self.headers), incident)
            }
        }
    }

    async fn authorize(
        &mut self,
        parse: Parse<yufu_core::message::AuthorizeRequest>,
        door: Door,
        look: ScanLook,
    ) -> Response {
        let agent = &self.house.front.in_client_agent;
        if door == Door::InClient && !agent.is_empty() {
            let sent = self.headers.get(header::USER_AGENT);
            if !sent
                .and_then(|v| v.to_str().ok())
                .is_some_and(|sent| sent.contains(agent))
            {
                return self.page_of(&Refusal::OpenInClient, door);
            }
        }
        let request = match parse(&self.request) {
            Ok(request) => request,
            Err(refusal) => return self.page_of(&refusal, door),
        };
        let marked = match door {
            Door::Scan => self.cookies.mark_scan(self.house),
            _ => self.cookies.mark_browser(self.house),
        };
        match marked {
            Ok(cookie) => self.set_cookies.extend(cookie),
            Err(fault) => return self.failed_page(fault.into(), door),
        }
        // A scan is bound to the mark that also goes along in frames.
        let visitor = match door {
            Door::Scan => Visitor {
                address: &self.address,
                session: None,
                browser: self.cookies.scan.as_deref(),
            },
            _ => self.cookies.visitor(&self.address),
        };
        let began = self.house.engine.begin(request, &visitor, self.now).await;
        match began {
            Ok(step) => {
                self.house.metrics.answer(self.endpoint.path, "ok");
                match step {
                    Step::Scan(shown) if look.xml => to_response((self.dialect.scan_xml)(&shown)),
                    Step::Scan(shown) => pages::scan(self, &shown, &look),
                    step => pages::step(self.dialect, step),
                }
            }
            Err(AuthorizeStop::Refused(AuthorizeRefusal::Stay(refusal))) => {
                self.page_of(&refusal, door)
            }
            Err(AuthorizeStop::Refused(AuthorizeRefusal::Return(_, refusal))) => {
                self.page_of(&refusal, door)
            }
            Err(AuthorizeStop::Failed(fault)) => self.failed_page(fault.into(), door),
        }
    }

    async fn signed_scan(
        &self,
        parse: Parse<yufu_core::message::AuthorizeRequest>,
        render: SignedScanRender,
    ) -> Response {
        let refused = |refusal: Refusal| {
            let name = refusal.name();
            self.send(render(&self.request, &self.stamp, Err(refusal)), name)
        };
        let busy = |fault| {
            fault::log(self.house, self.endpoint.path, &fault);
            self.send((self.dialect.busy)(&self.request, &self.stamp), "fault")
        };
        let request = match parse(&self.request) {
            Ok(request) => request,
            Err(refusal) => return refused(refusal),
        };
        let nobody = Visitor {
            address: &self.address,
            session: None,
            browser: None,
        };
        let shown = match self.house.engine.begin(request, &nobody, self.now).await {
            Ok(Step::Scan(shown)) => shown,
            Ok(_) => return refused(Refusal::WrongClientKind),
            Err(AuthorizeStop::Refused(
                AuthorizeRefusal::Stay(refusal) | AuthorizeRefusal::Return(_, refusal),
            )) => return refused(refusal),
            Err(AuthorizeStop::Failed(fault)) => return busy(fault),
        };
        let address = self.confirm_address(shown.uuid.expose());
        match picture::qr_jpeg(&address) {
            Ok(jpeg) => {
                let answer = Ok((&shown, jpeg.as_slice(), address.as_str()));
                self.send(render(&self.request, &self.stamp, answer), "ok")
            }
            Err(fault) => busy(fault),
        }
    }

    /// What a QR code says: where the phone goes (`docs/facts/wechat.md` §4.1).
    fn confirm_address(&self, uuid: &str) -> String {
        let told = self.house.front.told(self.by.as_ref(), PAGES);
        format!("{told}/connect/confirm?uuid={uuid}")
    }

    /// A picture of ours has the address that the platform would give it, where that leads here.
    fn pictured(&self, mut answer: ProfileAnswer) -> ProfileAnswer {
        let own = &answer.user.profile.avatar;
        let path = own.strip_prefix(&self.house.front.public_url);
        let path = path.filter(|path| path.starts_with("/mmopen/"));
        if let (Some(_), Some(path)) = (&self.by, path) {
            let told = self.house.front.told(self.by.as_ref(), PICTURES);
            let avatar = format!("{told}{path}");
            Arc::make_mut(&mut answer.user).profile.avatar = avatar;
        }
        answer
    }

    async fn scan_image(&self) -> Response {
        let uuid = self.request.last_segment();
        if let Err(stop) = self.house.engine.check_scan(uuid, self.now).await {
            let mut response = self.failed_page(stop, Door::Phone);
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        }
        match picture::qr_jpeg(&self.confirm_address(uuid)) {
            Ok(jpeg) => self.send(Reply::ok("image/jpeg", jpeg), "ok"),
            Err(fault) => self.failed_page(fault.into(), Door::Phone),
        }
    }

    async fn scan_open(&mut self) -> Response {
        match self.cookies.mark_browser(self.house) {
            Ok(cookie) => self.set_cookies.extend(cookie),
            Err(fault) => return self.failed_page(fault.into(), Door::Phone),
        }
        let params = self.request.params();
        let uuid = params.get("uuid").unwrap_or("");
        let engine = &self.house.engine;
        match engine
            .open_scan(uuid, &self.cookies.visitor(&self.address), self.now)
            .await
        {
            Ok(step) => {
                self.house.metrics.answer(self.endpoint.path, "ok");
                if let Ok(number) = engine.scan_number(uuid) {
                    self.house.waiters.wake(number);
                }
                pages::step(self.dialect, step)
            }
            Err(stop) => self.failed_page(stop, Door::Phone),
        }
    }

    /// Holds a poll until there is news, the hold is over, or the server is about to stop.
    async fn poll(&self, request: &PollRequest) -> Result<PollAnswer, Stop> {
        let (house, engine) = (self.house, &self.house.engine);
        let browser = self.cookies.scan.as_deref();
        let hold = u64::try_from(engine.settings().poll_hold.millis()).unwrap_or(0);
        let until = tokio::time::Instant::now() + std::time::Duration::from_millis(hold);
        let number = engine.scan_number(request.uuid.expose()).ok();
        loop {
            // The bell is taken before the look, so that nothing rings unheard in between.
            let bell = number.map(|number| house.waiters.bell(number).notified());
            let now = house.clock.now().plus(self.turned);
            let answer = engine.poll(request, browser, now).await?;
            let state = match answer {
                PollAnswer::State(state) if state.is_held(request.last) => state,
                answer => return Ok(answer),
            };
            if house.is_closing() || tokio::time::Instant::now() >= until {
                let _ = state;
                return Ok(PollAnswer::State(PollState::Waiting));
            }
            let next_look = (tokio::time::Instant::now() + LOOK_EACH).min(until);
            match bell {
                Some(bell) => {
                    let _ = tokio::time::timeout_at(next_look, bell).await;
                }
                None => tokio::time::sleep_until(next_look).await,
            }
        }
    }
}

type SignedScanRender =
    fn(&Request, &Stamp, Result<(&yufu_core::message::ScanShown, &[u8], &str), Refusal>) -> Reply;

/// Gives a refusal the type of any outcome.
fn never<T>(nothing: std::convert::Infallible) -> T {
    match nothing {}
}

/// Puts a reply on the wire, with what every answer of the door carries.
pub(crate) fn to_response(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}
