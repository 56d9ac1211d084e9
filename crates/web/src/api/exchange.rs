//! A code that came back, until there is an answer: the work goes on when its caller is gone or has
//! waited long enough, and whoever asks again hears what came of it (UPS-09).

use std::time::Duration;

use serde_json::{Value, json};
use yufu_core::engine::login::{Begun, CodeRequest, Exchanging, Outcome, Proved};
use yufu_core::id::UserId;
use yufu_core::identity::VouchedProfile;
use yufu_core::login::{
    Device, ExchangeFailure, Exchanged, Idempotency, LoggedIn, LoginRefusal, LoginStop, Purpose,
};
use yufu_core::refusal::Fault;
use yufu_core::secret::Secret;
use yufu_core::time::Lifetime;

use std::sync::Arc;

use super::LoginHouse;
use super::envelope::put;
use super::read::Ask;
use crate::clock::Budget;

/// How often somebody who waits for another one's exchange looks again.
const LOOK_EACH: Duration = Duration::from_millis(50);
/// How often the second commit is tried: the code is spent, and only this process knows for what.
const FINISHES: u32 = 3;
/// What somebody is told who has waited long enough.
const LATER: Lifetime = Lifetime::seconds(2);

/// A code and what came with it, owned: it outlives the request.
pub(crate) struct Coming {
    pub(crate) purposes: &'static [Purpose],
    pub(crate) code: Secret,
    pub(crate) state: Secret,
    pub(crate) device: Option<Secret>,
    pub(crate) address: String,
    pub(crate) user: Option<UserId>,
    pub(crate) key: Option<String>,
}

impl Coming {
    /// Of a call.
    pub(crate) fn of(
        ask: &Ask,
        purposes: &'static [Purpose],
        code: &str,
        state: &str,
        user: Option<UserId>,
    ) -> Self {
        Self {
            purposes,
            code: Secret::new(code),
            state: Secret::new(state),
            device: ask.device_secret().map(Secret::new),
            address: ask.caller.address.clone(),
            user,
            key: ask.key().0.map(str::to_owned),
        }
    }

    fn request(&self) -> CodeRequest<'_> {
        CodeRequest {
            purposes: self.purposes,
            code: self.code.expose(),
            state: self.state.expose(),
            device: Device {
                secret: self.device.as_ref().map(Secret::expose),
                id: "",
                platform: "",
                address: &self.address,
            },
            user: self.user,
            key: Idempotency(self.key.as_deref()),
        }
    }
}

/// Has a code paid and waits for the outcome as long as the house allows.
pub(crate) async fn outcome(house: &Arc<LoginHouse>, coming: Coming) -> Result<Outcome, LoginStop> {
    let work = house.run(pay(house.clone(), coming));
    match tokio::time::timeout(house.front.answer_budget, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Fault::new("an exchange panicked").into()),
        Err(_) => Err(LoginRefusal::UpstreamBusy { retry_after: LATER }.into()),
    }
}

/// As [`outcome`], for everything but a login.
pub(crate) async fn proved(house: &Arc<LoginHouse>, coming: Coming) -> Result<Proved, LoginStop> {
    match outcome(house, coming).await? {
        Outcome::Proved(proved) => Ok(proved),
        Outcome::Login(_) => Err(LoginRefusal::StateInvalid.into()),
    }
}

async fn pay(house: Arc<LoginHouse>, coming: Coming) -> Result<Outcome, LoginStop> {
    let patience = Budget::new(house.front.answer_budget);
    let exchanging = loop {
        let now = house.clock.now();
        match house.engine.begin_exchange(coming.request(), now).await? {
            Begun::Exchange(exchanging) => break exchanging,
            Begun::Answer(said) => return said.map_err(LoginStop::from),
            Begun::Wait if patience.left().is_zero() => {
                return Err(LoginRefusal::UpstreamBusy { retry_after: LATER }.into());
            }
            Begun::Wait => tokio::time::sleep(LOOK_EACH).await,
        }
    };
    let now = {
        let clock = house.clock.clone();
        move || clock.now()
    };
    let heard = house
        .upstreams
        .exchange(exchanging.app(), &coming.code, &now)
        .await;
    let mut tries = 1;
    loop {
        match finish(&house, &exchanging, heard.clone()).await {
            Err(LoginStop::Failed(fault)) if tries < FINISHES => {
                crate::fault::note(&house.engine, &house.metrics, "exchange", &fault);
                tokio::time::sleep(LOOK_EACH * (1 << tries)).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

async fn finish(
    house: &LoginHouse,
    exchanging: &Exchanging,
    heard: Result<Exchanged, ExchangeFailure>,
) -> Result<Outcome, LoginStop> {
    let now = house.clock.now();
    match exchanging.purpose() {
        Purpose::Login => {
            let answer = house.engine.finish_login(exchanging, heard, now).await?;
            Ok(Outcome::Login(answer))
        }
        Purpose::Link | Purpose::Reauth | Purpose::Delete => {
            let proved = house.engine.finish_proof(exchanging, heard, now).await?;
            Ok(Outcome::Proved(proved))
        }
    }
}

/// What an upstream told of the person, for the wire.
pub(crate) fn profile(profile: Option<&VouchedProfile>) -> Value {
    match profile {
        Some(profile) => json!({ "nickname": profile.nickname, "avatar": profile.avatar }),
        None => Value::Null,
    }
}

/// Somebody who is logged in, for the wire.
pub(crate) fn logged_in(done: &LoggedIn) -> Value {
    let mut data = json!({
        "token": done.pair.token.expose(),
        "refresh_token": done.pair.refresh_token.expose(),
        "expires_in": done.pair.expires_in.as_seconds(),
        "is_bind": done.is_bind,
        "uid": done.user.to_string(),
        "profile": profile(done.profile.as_ref()),
    });
    let shown = done.upstream_token.as_ref().map(Secret::expose);
    put(&mut data, "access_token", shown);
    put(
        &mut data,
        "upstream_unverified",
        done.upstream_unverified.then_some(true),
    );
    data
}
