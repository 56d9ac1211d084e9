//! Logging in by phone number, changing it, and the passcodes that prove it.

use serde_json::json;
use yufu_core::engine::login::{PasscodeRequest, PhoneLogin, PhoneProof, PhoneStep};
use yufu_core::login::{LoginRefusal, LoginStop, Purpose};
use yufu_core::secret::Secret;
use yufu_core::ticket::Scene;
use yufu_core::time::Timestamp;
use yufu_core::user::Phone;

use super::envelope::put;
use super::ports::CarrierFailure;
use super::read::Ask;
use super::sms::SendFailure;
use super::wechat::{with_device, with_session};
use super::{Good, LoginHouse, Said, account, exchange};

fn bad(field: &'static str) -> LoginStop {
    LoginRefusal::BadRequest { field }.into()
}

/// The number of a call and what proves it: the carrier's word, or a passcode. A number that was
/// typed beside a carrier's token must be the token's (PHO-14).
pub(crate) async fn proof(
    ask: &Ask,
    typed: Option<Phone>,
) -> Result<(Option<Phone>, PhoneProof<'_>), LoginStop> {
    let Some(token) = ask.body.some("carrier_token") else {
        let proof = ask
            .body
            .some("sms_code")
            .map_or(PhoneProof::None, PhoneProof::Passcode);
        if !ask.house.front.passcodes && matches!(proof, PhoneProof::Passcode(_)) {
            return Err(bad("phone"));
        }
        return Ok((typed, proof));
    };
    let Some(carrier) = &ask.house.ports.carrier else {
        return Err(LoginRefusal::CarrierInvalid.into());
    };
    let (engine, address, now) = (&ask.house.engine, &ask.caller.address, ask.now());
    engine.count_carrier(address, now)?;
    let told = carrier.phone_of(token).await;
    if told != Err(CarrierFailure::Invalid) {
        engine.forgive_carrier(address, now);
    }
    let phone = match told {
        Ok(phone) => phone,
        Err(CarrierFailure::Invalid) => return Err(LoginRefusal::CarrierInvalid.into()),
        Err(CarrierFailure::Failed) => return Err(LoginRefusal::GatewayFailed.into()),
    };
    if typed.is_some_and(|typed| typed != phone) {
        return Err(LoginRefusal::CarrierInvalid.into());
    }
    Ok((Some(phone), PhoneProof::Carrier))
}

/// Whether a number has a new owner since then; who cannot be asked has heard of none.
pub(crate) async fn reissued(house: &LoginHouse, phone: &Phone, since: Timestamp) -> bool {
    match &house.ports.numbers {
        Some(numbers) => numbers.reissued(phone, since).await.unwrap_or(false),
        None => false,
    }
}

pub(crate) async fn send(ask: Ask) -> Said {
    let scene = Scene::parse(ask.body.text("scene")).ok_or_else(|| bad("scene"))?;
    if !ask.house.front.passcodes {
        return Err(bad("phone"));
    }
    let phone = match (ask.body.phone()?, scene) {
        (Some(phone), _) => phone,
        (None, Scene::Verify) => own_phone(&ask).await?,
        (None, _) => return Err(bad("phone")),
    };
    let engine = &ask.house.engine;
    let drawn = engine.device_secret(ask.device_secret())?;
    let mut request = PasscodeRequest {
        phone: &phone,
        scene,
        device: ask.device(),
        captcha_passed: false,
    };
    let mut sent = engine.send_login_passcode(request, ask.now()).await;
    // The captcha's answer is good once: it is shown only to whoever asked for it.
    if let (Err(LoginStop::Refused(LoginRefusal::CaptchaRequired)), Some(answer), Some(captcha)) =
        (&sent, ask.body.some("captcha"), &ask.house.ports.captcha)
        && captcha.passed(answer, &ask.caller.address).await
    {
        request.captcha_passed = true;
        sent = engine.send_login_passcode(request, ask.now()).await;
    }
    let sent = sent?;
    if !sent.is_test {
        let messenger = &ask.house.messenger;
        let taken = messenger
            .send(&phone, scene.word(), &sent.digits, sent.id)
            .await;
        if let Err(failure) = taken {
            let limited = failure == SendFailure::Limited;
            let now = ask.house.clock.now();
            engine
                .passcode_undelivered(&phone, scene, sent.id, limited, now)
                .await?;
            return Err(match failure {
                SendFailure::Limited => LoginRefusal::PasscodeTooSoon {
                    retry_after: sent.resend_after,
                },
                SendFailure::Failed => LoginRefusal::GatewayFailed,
            }
            .into());
        }
    }
    let mut data = json!({
        "resend_after": sent.resend_after.as_seconds(),
        "ttl": sent.ttl.as_seconds(),
    });
    put(
        &mut data,
        "device_secret",
        drawn.as_ref().map(|drawn| drawn.expose()),
    );
    Ok(with_device(&ask, Good::data(data), drawn.as_ref()))
}

/// The number of whoever is logged in.
async fn own_phone(ask: &Ask) -> Result<Phone, LoginStop> {
    let who = ask.maybe_who().await?.ok_or_else(|| bad("phone"))?;
    let phone = ask.house.engine.own_phone(&who).await?;
    phone.ok_or_else(|| bad("phone"))
}

pub(crate) async fn login(ask: Ask) -> Said {
    let typed = ask.body.phone()?;
    let consent = ask.body.text("consent_version");
    // A device whose first call this is has no secret yet: a one-tap login needs no other call.
    let drawn = ask.house.engine.device_secret(ask.device_secret())?;
    let mut device = ask.device();
    if let Some(drawn) = &drawn {
        device.secret = Some(drawn.expose());
    }
    ask.house.engine.check_phone_login(consent, &device)?;
    let (phone, proof) = proof(&ask, typed).await?;
    let phone = phone.ok_or_else(|| bad("phone"))?;
    let mut request = PhoneLogin {
        phone: &phone,
        proof,
        consent,
        fresh: ask.body.flag("fresh"),
        reissued: None,
        device,
        key: ask.key(),
    };
    let done = loop {
        let now = ask.house.clock.now();
        let step = ask.house.engine.phone_login(request, now).await;
        match step.map_err(|stop| on_device(stop, drawn.as_ref()))? {
            PhoneStep::Done(done) => break done,
            PhoneStep::AskCarrier { since } => {
                request.reissued = Some(reissued(&ask.house, &phone, since).await);
            }
        }
    };
    let mut data = exchange::logged_in(&done);
    put(
        &mut data,
        "device_secret",
        drawn.as_ref().map(Secret::expose),
    );
    let good = with_session(&ask, data, &done);
    Ok(with_device(&ask, good, drawn.as_ref()))
}

/// A ticket that a refusal brings is good on its device alone: a device that was drawn just now
/// must hear who it is.
fn on_device(stop: LoginStop, drawn: Option<&Secret>) -> LoginStop {
    match stop {
        LoginStop::Refused(LoginRefusal::Deleting {
            deletable_at,
            cancel_ticket: Some(ticket),
            ..
        }) => LoginRefusal::Deleting {
            deletable_at,
            cancel_ticket: Some(ticket),
            device_secret: drawn.cloned(),
        }
        .into(),
        stop => stop,
    }
}

pub(crate) async fn change(ask: Ask) -> Said {
    let who = ask.who()?;
    let typed = ask.body.phone()?;
    // Here `sms_code` proves the new number.
    account::prove(&ask, who, &[Purpose::Reauth], None).await?;
    if ask.body.some("carrier_token").is_some() {
        let now = ask.house.clock.now();
        ask.house.engine.may_change_phone(who, now).await?;
    }
    let (phone, proof) = proof(&ask, typed).await?;
    let phone = phone.ok_or_else(|| bad("phone"))?;
    let now = ask.house.clock.now();
    ask.house
        .engine
        .change_phone(who, &phone, proof, now)
        .await?;
    Ok(Good::data(json!({ "phone": phone.masked() })))
}
