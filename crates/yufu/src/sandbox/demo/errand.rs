//! What somebody is about to do with a phone number: log in by it, bind it, change it, or prove by
//! it that WeChat may be unlinked or the account deleted. And the questions in between.

use axum::response::Response;
use serde_json::{Value, json};
use yufu_core::client::ClientKind;
use yufu_core::secret::Secret;
use yufu_core::user::Phone;
use yufu_web::view::{
    self, DemoAsk, DemoDone, DemoPhone, DemoQuestion, DemoStep, Lang, Moment, Problem, Text as T,
};

use super::api::Answer;
use super::visit::{Aim, Knock};
use super::{enter, page, refused};
use crate::sandbox::backend::TERMS;

/// One of them under way.
#[derive(Clone)]
pub(super) struct Errand {
    ask: DemoAsk,
    step: Step,
    /// What stands for the login that waits for a number.
    ticket: Option<Secret>,
    /// Whom WeChat says it is.
    who: Option<(String, Option<String>)>,
    /// The number as it was typed.
    phone: String,
    /// The account's own number, masked.
    own: String,
    /// Whether a login at WeChat proves the account's owner.
    wechat: bool,
    /// The passcode as it was typed: a question in between does not spend it.
    passcode: String,
    /// The login at WeChat that shall be linked: a code and a state that nobody spent yet.
    login: Option<Value>,
    error: Option<Problem>,
}

/// How far it is.
#[derive(Clone)]
enum Step {
    Own,
    OwnPasscode,
    Number,
    Passcode,
    Question(Question),
}

/// Something that only the person knows.
#[derive(Clone)]
enum Question {
    /// 4005: is this account yours?
    Confirm { name: String },
    /// 4001: the number's account has another WeChat.
    Taken { other: String },
    /// 4010: the other WeChat is to be proved first, or so much time has to pass.
    Prove { after: i64 },
    /// 4011: is the account of this number yours at all?
    Recycled,
    /// 4005 with a ticket: which of two accounts stays?
    Choose { ticket: Secret, names: Vec<String> },
    /// 4006: the account is being deleted.
    Cancel { ticket: Secret, at: i64 },
    /// That was asked for.
    Deleted { at: i64 },
}

/// The path of an errand.
const fn path(ask: DemoAsk) -> &'static str {
    match ask {
        DemoAsk::Login => "/phone",
        DemoAsk::Bind => "/bind",
        DemoAsk::Change => "/change",
        DemoAsk::Link => "/link",
        DemoAsk::Unlink => "/unlink",
        DemoAsk::Delete => "/delete",
    }
}

/// The errand of a path segment.
pub(super) fn kind(name: &str) -> Option<DemoAsk> {
    use DemoAsk as D;
    let all = [D::Login, D::Bind, D::Change, D::Link, D::Unlink, D::Delete];
    all.into_iter()
        .find(|ask| path(*ask).get(1..) == Some(name))
}

impl Errand {
    fn new(ask: DemoAsk, step: Step) -> Self {
        Self {
            ask,
            step,
            ticket: None,
            who: None,
            phone: String::new(),
            own: String::new(),
            wechat: false,
            passcode: String::new(),
            login: None,
            error: None,
        }
    }

    /// A login at WeChat that waits for a number.
    pub(super) fn bind(ticket: Option<Secret>, who: Option<(String, Option<String>)>) -> Self {
        Self {
            ticket,
            who,
            ..Self::new(DemoAsk::Bind, Step::Number)
        }
    }

    fn at(mut self, step: Step) -> Self {
        self.step = step;
        self.error = None;
        self
    }

    fn with(mut self, error: Problem) -> Self {
        self.error = Some(error);
        self
    }

    /// Whether the account's own number is all that is proved.
    const fn is_own(&self) -> bool {
        matches!(self.ask, DemoAsk::Link | DemoAsk::Unlink | DemoAsk::Delete)
    }

    fn is_question(&self) -> bool {
        matches!(self.step, Step::Question(_))
    }
}

/// What a refusal says to the person in front of a form.
pub(super) fn problem(knock: &Knock, answer: &Answer) -> Problem {
    match u32::try_from(answer.number("retry_after")) {
        Ok(seconds) if seconds > 0 => Problem::TooOften(seconds),
        _ => Problem::Said(enter::advice(knock, answer)),
    }
}

/// Keeps an errand, and shows it.
fn stay(knock: &Knock, errand: Errand) -> Response {
    let path = path(errand.ask);
    knock.change(|seat| seat.errand = Some(errand));
    knock.leave(path)
}

// --- pages --------------------------------------------------------------------------------------

/// The page of an errand; one that was not begun begins, where it can.
pub(super) async fn show(knock: &Knock, ask: DemoAsk) -> Response {
    let seat = knock.seat();
    let errand = match seat.errand.filter(|errand| errand.ask == ask) {
        Some(errand) => errand,
        None if ask == DemoAsk::Login => Errand::new(ask, Step::Number),
        None if ask == DemoAsk::Bind || seat.session.is_none() => return knock.leave("/"),
        None if ask == DemoAsk::Link => return knock.leave("/security"),
        None => {
            knock.change(|seat| seat.wire.clear());
            match begun(knock, ask).await {
                Ok(errand) => errand,
                Err(response) => return response,
            }
        }
    };
    let may_number = !errand.is_own() && !matches!(errand.step, Step::Own | Step::OwnPasscode);
    let errand = match knock.params.get("step") {
        Some("number") if may_number => errand.at(Step::Number),
        _ => errand,
    };
    knock.change(|seat| seat.errand = Some(errand.clone()));
    match &errand.step {
        Step::Question(question) => asked(knock, &errand, question),
        _ => form(knock, &errand),
    }
}

/// An errand of somebody who is logged in: who it is, and what can prove it.
async fn begun(knock: &Knock, ask: DemoAsk) -> Result<Errand, Response> {
    let me = knock.authed("GET", "/user/me", Value::Null).await;
    let me = me.map_err(|answer| enter::ended(knock, &answer))?;
    let known = knock.authed("GET", "/user/identities", Value::Null).await;
    let known = known.map_err(|answer| enter::ended(knock, &answer))?;
    let own = me.text("phone").to_owned();
    let step = match (ask, own.is_empty()) {
        (DemoAsk::Change, true) => Step::Number,
        _ => Step::Own,
    };
    Ok(Errand {
        own,
        // Whoever unlinks WeChat proves what is left.
        wechat: matches!(ask, DemoAsk::Change | DemoAsk::Delete)
            && !known.list("identities").is_empty(),
        ..Errand::new(ask, step)
    })
}

fn form(knock: &Knock, errand: &Errand) -> Response {
    let masked = match errand.is_own() {
        true => errand.own.clone(),
        false => Phone::parse(&errand.phone).map_or_else(|_| String::new(), |it| it.masked()),
    };
    let own = || errand.own.clone();
    let path = path(errand.ask);
    let back = match errand.ask {
        DemoAsk::Login | DemoAsk::Bind => "/",
        DemoAsk::Change | DemoAsk::Link | DemoAsk::Unlink | DemoAsk::Delete => "/security",
    };
    let view = DemoPhone {
        lang: knock.lang,
        frame: knock.frame(Some(path)),
        ask: errand.ask,
        step: match errand.step {
            Step::Own => DemoStep::Own {
                masked: own(),
                wechat: errand.wechat,
            },
            Step::OwnPasscode => DemoStep::OwnPasscode { masked: own() },
            Step::Passcode => DemoStep::Passcode { masked },
            Step::Number | Step::Question(_) => DemoStep::Number,
        },
        action: format!("{}{path}", knock.base),
        who: errand.who.clone(),
        phone: errand.phone.clone(),
        error: errand.error.clone(),
        inbox_href: knock.demo.inbox(),
        back_href: format!("{}{back}", knock.base),
    };
    page(&knock.demo, view.render())
}

/// What a question says: heading, sentence, the code that asks it.
fn words(lang: Lang, question: &Question) -> (T, String, Option<u16>) {
    let day = |at: i64| Moment(at).day();
    match question {
        Question::Confirm { name } => {
            let text = lang.with(T::BindConfirmText, name);
            (T::BindConfirmTitle, text, Some(4005))
        }
        Question::Taken { other } => {
            let text = lang.with(T::BindTakenText, other);
            (T::BindTakenTitle, text, Some(4001))
        }
        Question::Prove { after } => {
            let text = lang.with(T::BindProveText, day(*after));
            (T::BindProveTitle, text, Some(4010))
        }
        Question::Recycled => {
            let text = lang.t(T::BindRecycledText).to_owned();
            (T::BindRecycledTitle, text, Some(4011))
        }
        Question::Choose { .. } => {
            let text = lang.t(T::ChooseText).to_owned();
            (T::ChooseTitle, text, Some(4005))
        }
        Question::Cancel { at, .. } => {
            let text = lang.with(T::CancelText, day(*at));
            (T::CancelTitle, text, Some(4006))
        }
        Question::Deleted { at } => {
            let text = lang.with(T::RoomsDeletedText, day(*at));
            (T::RoomsDeletedTitle, text, None)
        }
    }
}

/// What can be said to a question.
fn answers(lang: Lang, question: &Question) -> Vec<view::Answer> {
    let one = |act, label: T| {
        let label = lang.t(label).to_owned();
        vec![view::Answer { act, label }]
    };
    match question {
        Question::Confirm { .. } => one("confirm", T::BindConfirmYes),
        Question::Taken { .. } => one("replace", T::BindTakenReplace),
        Question::Prove { .. } => one("other", T::BindProveDo),
        Question::Recycled => one("fresh", T::BindRecycledFresh),
        Question::Cancel { .. } => one("cancel", T::CancelDo),
        Question::Choose { names, .. } => {
            let acts = ["keep_a", "keep_b"].into_iter().zip(names);
            let keep = |(act, name)| {
                let label = lang.with(T::ChooseKeep, name);
                view::Answer { act, label }
            };
            acts.map(keep).collect()
        }
        Question::Deleted { .. } => Vec::new(),
    }
}

fn asked(knock: &Knock, errand: &Errand, question: &Question) -> Response {
    let (lang, at) = (knock.lang, path(errand.ask));
    let (title, text, code) = words(lang, question);
    let number = (T::OtherNumber, format!("{at}?step=number"));
    let ways_out = match question {
        Question::Confirm { .. } | Question::Recycled => vec![number],
        Question::Taken { .. } | Question::Prove { .. } => {
            vec![number, (T::RoomsOtherWechat, "/".to_owned())]
        }
        Question::Choose { .. } => Vec::new(),
        Question::Cancel { .. } => vec![(T::Back, "/".to_owned())],
        Question::Deleted { .. } => vec![(T::RoomsBackHome, "/".to_owned())],
    };
    let link = |(label, path): (T, String)| {
        let href = format!("{}{path}", knock.base);
        (lang.t(label).to_owned(), href)
    };
    let view = DemoQuestion {
        lang,
        frame: knock.frame(Some(at)),
        title: lang.t(title).to_owned(),
        text,
        code,
        action: format!("{}{at}", knock.base),
        answers: answers(lang, question),
        links: ways_out.into_iter().map(link).collect(),
    };
    page(&knock.demo, view.render())
}

// --- acts ---------------------------------------------------------------------------------------

/// A form of an errand was sent.
pub(super) async fn act(knock: &Knock, ask: DemoAsk) -> Response {
    let act = knock.field("act").to_owned();
    let errand = knock.seat().errand.filter(|errand| errand.ask == ask);
    let Some(mut errand) = errand.filter(|_| !act.is_empty()) else {
        return knock.leave(path(ask));
    };
    knock.change(|seat| seat.wire.clear());
    match act.as_str() {
        "own" => send_own(knock, errand).await,
        "prove" => {
            prove_own(
                knock,
                errand,
                json!({ "sms_code": knock.field("passcode") }),
            )
            .await
        }
        "wechat" if errand.wechat => {
            let way = knock.seat().way.unwrap_or(ClientKind::Service);
            enter::begin(knock, way, Aim::Own).await
        }
        "other" => {
            let way = knock.seat().way.unwrap_or(ClientKind::Service);
            enter::begin(knock, way, Aim::Other).await
        }
        "send" => {
            errand.phone = knock.field("phone").chars().take(32).collect();
            send(knock, errand).await
        }
        "resend" if errand.is_own() => send_own(knock, errand).await,
        "resend" => send(knock, errand).await,
        "enter" => {
            errand.passcode = knock.field("passcode").chars().take(8).collect();
            finish(knock, errand, None).await
        }
        "confirm" => finish(knock, errand, Some("confirm")).await,
        "replace" => finish(knock, errand, Some("replace")).await,
        "fresh" => finish(knock, errand, Some("fresh")).await,
        "keep_a" => choose(knock, errand, "a").await,
        "keep_b" => choose(knock, errand, "b").await,
        "cancel" => cancel(knock, errand).await,
        _ => knock.leave(if errand.is_own() || ask == DemoAsk::Change {
            "/security"
        } else {
            "/"
        }),
    }
}

/// A passcode to the account's own number.
async fn send_own(knock: &Knock, errand: Errand) -> Response {
    let sent = knock
        .authed("POST", "/user/sms/send", json!({ "scene": "verify" }))
        .await;
    let next = match errand.is_own() {
        true => Step::Passcode,
        false => Step::OwnPasscode,
    };
    match sent {
        Ok(answer) if answer.code == 0 => stay(knock, errand.at(next)),
        Ok(answer) => {
            let words = problem(knock, &answer);
            stay(knock, errand.with(words))
        }
        Err(answer) => enter::ended(knock, &answer),
    }
}

/// A passcode to the number that was typed.
async fn send(knock: &Knock, errand: Errand) -> Response {
    let scene = match errand.ask {
        DemoAsk::Login => "login",
        DemoAsk::Bind => "bind",
        _ => "change",
    };
    let body = json!({ "scene": scene, "phone": errand.phone });
    let answer = knock.call("POST", "/user/sms/send", body).await;
    if answer.code == 0 {
        return stay(knock, errand.at(Step::Passcode));
    }
    let words = problem(knock, &answer);
    // One that was sent a moment ago can still be typed.
    let errand = match answer.code {
        3002 => errand.at(Step::Passcode),
        _ => errand,
    };
    stay(knock, errand.with(words))
}

/// Proves the account's owner before a number is changed. The backend takes the proof and says
/// that the number is missing: that is the answer hoped for.
async fn prove_own(knock: &Knock, errand: Errand, proof: Value) -> Response {
    let body = json!({ "proof": proof });
    match knock.authed("POST", "/user/phone/change", body).await {
        Ok(answer) if answer.code == 1001 && answer.text("field") == "phone" => {
            stay(knock, errand.at(Step::Number))
        }
        Ok(answer) => answered(knock, errand, &answer),
        Err(answer) => enter::ended(knock, &answer),
    }
}

/// Back from WeChat with a proof that it is the account's owner.
pub(super) async fn own_proved(knock: &Knock, proof: Value) -> Response {
    let Some(errand) = knock.seat().errand else {
        return knock.leave("/security");
    };
    if errand.ask == DemoAsk::Change {
        return prove_own(knock, errand, proof).await;
    }
    match knock
        .authed("POST", "/user/account/delete", json!({ "proof": proof }))
        .await
    {
        Ok(answer) => answered(knock, errand, &answer),
        Err(answer) => enter::ended(knock, &answer),
    }
}

/// Back from WeChat with a login to be linked, which takes a proof of the account's owner first:
/// nothing was spent, so the same code goes out again with it.
pub(super) async fn linking(knock: &Knock, login: Value) -> Response {
    match begun(knock, DemoAsk::Link).await {
        Ok(errand) => {
            let login = Some(login);
            stay(knock, Errand { login, ..errand })
        }
        Err(response) => response,
    }
}

/// Back from WeChat with a proof of the login that another one shall replace.
pub(super) async fn other_proved(knock: &Knock, proof: Value) -> Response {
    let Some(errand) = knock.seat().errand else {
        return knock.leave("/");
    };
    let ticket = errand
        .ticket
        .as_ref()
        .map(|ticket| ticket.expose().to_owned());
    let phone = errand.phone.clone();
    let body = json!({ "bind_ticket": ticket, "phone": phone, "replace": true, "proof": proof });
    let answer = knock.call("POST", "/user/wechat/bind", body).await;
    answered(knock, errand, &answer)
}

/// The call that ends an errand, and its body.
fn ending(knock: &Knock, errand: &Errand, is_answer: bool) -> (&'static str, Value) {
    let (phone, digits) = (&errand.phone, &errand.passcode);
    match errand.ask {
        DemoAsk::Login => {
            let consent = knock.seat().agreed.then_some(TERMS);
            let body = json!({
                "phone": phone, "sms_code": digits, "platform": "web",
                "consent_version": consent, "device_id": knock.device_name(),
            });
            ("/user/phone/login", body)
        }
        DemoAsk::Bind => {
            let ticket = errand.ticket.as_ref().map(Secret::expose);
            // The ticket keeps the number's proof: a question in between spends nothing more.
            let digits = (!is_answer).then_some(digits);
            let body = json!({ "bind_ticket": ticket, "phone": phone, "sms_code": digits });
            ("/user/wechat/bind", body)
        }
        DemoAsk::Change => {
            let body = json!({ "phone": phone, "sms_code": digits });
            ("/user/phone/change", body)
        }
        DemoAsk::Link => {
            let mut body = errand.login.clone().unwrap_or_else(|| json!({}));
            if let Some(body) = body.as_object_mut() {
                body.insert("sms_code".to_owned(), json!(digits));
            }
            ("/user/wechat/link", body)
        }
        DemoAsk::Unlink => ("/user/wechat/unlink", json!({ "sms_code": digits })),
        DemoAsk::Delete => ("/user/account/delete", json!({ "sms_code": digits })),
    }
}

/// Ends an errand, or hears why not. `flag` is what the person said to a question.
async fn finish(knock: &Knock, errand: Errand, flag: Option<&'static str>) -> Response {
    let (path, mut body) = ending(knock, &errand, flag.is_some());
    if let (Some(body), Some(flag)) = (body.as_object_mut(), flag) {
        body.insert(flag.to_owned(), Value::Bool(true));
    }
    let answer = match errand.ask {
        DemoAsk::Login | DemoAsk::Bind => Ok(knock.call("POST", path, body).await),
        _ => knock.authed("POST", path, body).await,
    };
    match answer {
        Ok(answer) => answered(knock, errand, &answer),
        Err(answer) => enter::ended(knock, &answer),
    }
}

async fn choose(knock: &Knock, errand: Errand, keep: &str) -> Response {
    let Step::Question(Question::Choose { ticket, .. }) = &errand.step else {
        return knock.leave(path(errand.ask));
    };
    let body = json!({ "merge_ticket": ticket.expose(), "keep": keep });
    let answer = knock.call("POST", "/user/wechat/merge", body).await;
    answered(knock, errand, &answer)
}

async fn cancel(knock: &Knock, errand: Errand) -> Response {
    let Step::Question(Question::Cancel { ticket, .. }) = &errand.step else {
        return knock.leave(path(errand.ask));
    };
    let body = json!({ "cancel_ticket": ticket.expose() });
    let answer = knock
        .call("POST", "/user/account/delete/cancel", body)
        .await;
    match answer.code {
        0 => enter::logged_in(knock, &answer, DemoDone::Kept),
        _ => answered(knock, errand, &answer),
    }
}

/// What an answer means for an errand: it is over, a question comes up, or it is tried again.
pub(super) fn answered(knock: &Knock, errand: Errand, answer: &Answer) -> Response {
    if answer.code == 0 {
        return over(knock, errand, answer);
    }
    if let Some(question) = question(&errand, answer) {
        return stay(knock, errand.at(Step::Question(question)));
    }
    let words = problem(knock, answer);
    match answer.code {
        // A question was shown: what is wrong with its number belongs to the form.
        3001..=3009 if errand.is_question() => stay(knock, errand.at(Step::Number).with(words)),
        1001 | 1002 | 1005 | 3004..=3006 | 3009 if !errand.is_question() => {
            stay(knock, errand.with(words))
        }
        3001 => stay(knock, errand.at(Step::Number).with(words)),
        1003 => enter::home(knock, Some(words)),
        _ => refused(knock, answer),
    }
}

fn over(knock: &Knock, errand: Errand, answer: &Answer) -> Response {
    let done = match errand.ask {
        DemoAsk::Login | DemoAsk::Bind => {
            return enter::logged_in(knock, answer, DemoDone::LoggedIn);
        }
        DemoAsk::Delete => {
            let at = answer.number("deletable_at");
            knock.change(super::visit::Seat::logged_out);
            return stay(knock, errand.at(Step::Question(Question::Deleted { at })));
        }
        DemoAsk::Change => DemoDone::Changed,
        DemoAsk::Link => DemoDone::Linked,
        DemoAsk::Unlink => DemoDone::Unlinked,
    };
    knock.change(|seat| {
        seat.errand = None;
        seat.done = Some(done);
    });
    knock.leave("/security")
}

/// The question that a refusal asks, if it asks one.
fn question(errand: &Errand, answer: &Answer) -> Option<Question> {
    let enters = matches!(errand.ask, DemoAsk::Login | DemoAsk::Bind);
    let named = |value: &Value| {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or("");
        // An account without a name is known by its number alone.
        let name = text("nickname").trim_matches('*');
        let name = if name.is_empty() {
            ""
        } else {
            text("nickname")
        };
        format!("{name} {}", text("phone")).trim().to_owned()
    };
    match answer.code {
        4001 if enters => Some(Question::Taken {
            other: answer.text("other").to_owned(),
        }),
        4005 => {
            let names = answer.list("candidates").iter().map(named);
            Some(match answer.secret("merge_ticket") {
                Some(ticket) => Question::Choose {
                    ticket,
                    names: names.collect(),
                },
                None => Question::Confirm {
                    name: names.collect(),
                },
            })
        }
        4006 => {
            let at = answer.number("deletable_at");
            answer
                .secret("cancel_ticket")
                .map(|ticket| Question::Cancel { ticket, at })
        }
        4010 if enters => Some(Question::Prove {
            after: answer.number("after"),
        }),
        4011 => Some(Question::Recycled),
        _ => None,
    }
}
