//! Passcodes of the login backend: bound to a scene, limited per number, device, network and country.
//!
//! Nothing here ever reads a user: whether a number has an account cannot show in an answer, nor in
//! the time it takes (SMS-10). What limits a number is stored, so that all processes and restarts
//! share it; what limits a caller or the whole is counted in this process.

use super::{LoginHalt, Row, amend, settled_login};
use crate::engine::Engine;
use crate::id::Number;
use crate::limit::{Rate, block, network};
use crate::login::body::Sends;
use crate::login::{Device, LoginRefusal, LoginSettings, LoginStop};
use crate::refusal::Fault;
use crate::secret::{Secret, SecretHash};
use crate::store::Change;
use crate::ticket::{Kind, Passcode, Scene, Ticket};
use crate::time::{Lifetime, Timestamp};
use crate::user::Phone;

/// The windows of [`LoginSettings::passcodes_hourly`] and [`LoginSettings::passcodes_daily`]. They
/// roll, as those of the gateways do.
const HOUR: Lifetime = Lifetime::minutes(60);
const DAY: Lifetime = Lifetime::days(1);
/// How many replaced passcodes are remembered.
const FORMER: usize = 3;

/// Somebody wants a passcode.
#[derive(Clone, Copy, Debug)]
pub struct PasscodeRequest<'a> {
    /// To which number.
    pub phone: &'a Phone,
    /// What it shall be good for.
    pub scene: Scene,
    /// Who asks.
    pub device: Device<'a>,
    /// Whether they solved a captcha for it.
    pub captcha_passed: bool,
}

/// A passcode that is stored and shall now be sent.
#[derive(Clone, Debug)]
pub struct PasscodeSent {
    /// What the message says.
    pub digits: Secret,
    /// How long until the number may be sent another.
    pub resend_after: Lifetime,
    /// How long it is good.
    pub ttl: Lifetime,
    /// The message's id, for the gateway and [`Engine::passcode_undelivered`].
    pub id: Number,
    /// Whether it is a test number's: nothing is sent.
    pub is_test: bool,
}

/// Something that was counted in this process, and is taken back when nothing comes of it.
type Count = (String, Rate);

impl Engine {
    // --- sending -----------------------------------------------------------------------------

    /// Stores a new passcode for a number; the caller sends it. The newest one counts: what was
    /// sent for this scene before is over. A refusal counts nothing.
    ///
    /// # Errors
    /// [`LoginRefusal::PhoneInvalid`], [`LoginRefusal::PasscodeTooSoon`],
    /// [`LoginRefusal::PasscodeLimit`], [`LoginRefusal::CaptchaRequired`] and, when the budget for
    /// all is used up, [`LoginRefusal::RateLimited`].
    pub async fn send_login_passcode(
        &self,
        request: PasscodeRequest<'_>,
        now: Timestamp,
    ) -> Result<PasscodeSent, LoginStop> {
        self.check_device(&request.device)?;
        let given = self.test_digits(request.phone);
        if given.is_some() {
            return settled_login!(self.store_passcode(&request, given, now));
        }
        if !takes_messages(request.phone, self.login()) {
            return Err(LoginRefusal::PhoneInvalid.into());
        }
        // Before the callers' limits: who asks again at once loses nothing by it.
        self.sends_before(request.phone, now).await?;
        let counted = self.count_sending(&request, now).await?;
        let outcome = settled_login!(self.store_passcode(&request, None, now));
        if outcome.is_err() {
            self.forget(&counted, now);
        }
        outcome
    }

    /// The passcode of a test number.
    fn test_digits(&self, phone: &Phone) -> Option<&Secret> {
        let mut numbers = self.login().test_numbers.iter();
        numbers
            .find(|(number, _)| number == phone)
            .map(|(_, digits)| digits)
    }

    /// What was sent to a number, if it may be sent more.
    async fn sends_before(
        &self,
        phone: &Phone,
        now: Timestamp,
    ) -> Result<Option<Ticket<Sends>>, LoginStop> {
        let before: Option<Ticket<Sends>> = self.looked_up(Kind::Sends, phone.as_str()).await?;
        let none = Sends::default();
        let sends = before.as_ref().map_or(&none, |before| &before.body);
        judge_sends(sends, self.login(), now)?;
        Ok(before)
    }

    /// Counts a sending against caller, country and all, or against none of them. What a captcha
    /// forgives is counted as long as there is room.
    async fn count_sending(
        &self,
        request: &PasscodeRequest<'_>,
        now: Timestamp,
    ) -> Result<Vec<Count>, LoginRefusal> {
        let mut counted = Vec::new();
        for (key, rate) in self.callers(request) {
            if self.limiter.attempt(&key, rate, now).is_ok() {
                counted.push((key, rate));
            } else if !request.captcha_passed {
                self.forget(&counted, now);
                return Err(LoginRefusal::CaptchaRequired);
            }
        }
        let (key, rate) = budget(self.login());
        if let Err(retry_after) = self.limiter.attempt(&key, rate, now) {
            self.forget(&counted, now);
            self.alert_budget(rate, now).await;
            return Err(LoginRefusal::RateLimited { retry_after });
        }
        counted.push((key, rate));
        Ok(counted)
    }

    /// What a sending counts against, but for the budget of all.
    fn callers(&self, request: &PasscodeRequest<'_>) -> Vec<Count> {
        let (settings, device) = (self.login(), &request.device);
        let mut keys = vec![
            (
                format!("passcode address:{}", network(device.address)),
                settings.address_passcodes,
            ),
            (
                format!("passcode network:{}", block(device.address)),
                settings.network_passcodes,
            ),
        ];
        // A device that proves none is known by what it says: that stops the careless.
        let known = match self.device_hash(device.secret) {
            Some(hash) => Some(String::from(hash)),
            None if device.id.is_empty() => None,
            None => Some(format!("named {}", device.id)),
        };
        if let Some(known) = known {
            let key = format!("passcode device:{known}");
            keys.push((key, settings.device_passcodes));
        }
        keys.extend(country(request.phone, settings));
        keys
    }

    fn forget(&self, counted: &[Count], now: Timestamp) {
        for (key, rate) in counted {
            self.limiter.forgive(key, *rate, now);
        }
    }

    /// Tells once that the budget is used up. It earns a passcode back now and then and is used
    /// up again: that is one opening, until it had the time to fill.
    async fn alert_budget(&self, rate: Rate, now: Timestamp) {
        let full = rate.each.millis().saturating_mul(i64::from(rate.burst));
        let once = Rate {
            burst: 1,
            each: Lifetime::from_millis(full),
        };
        let told = self.limiter.attempt("passcode budget told", once, now);
        if told.is_ok() {
            let detail = format!(
                "{} passcodes, one more each {} ms",
                rate.burst,
                rate.each.millis()
            );
            self.suspect("alert.sms_budget", None, &detail, now).await;
        }
    }

    async fn store_passcode(
        &self,
        request: &PasscodeRequest<'_>,
        given: Option<&Secret>,
        now: Timestamp,
    ) -> Result<PasscodeSent, LoginHalt> {
        let (phone, scene, settings) = (request.phone, request.scene, self.login());
        let mut changes = Vec::new();
        if given.is_none() {
            // Looked at in each round: of two requests at once, one sends.
            let before = self.sends_before(phone, now).await?;
            changes.push(self.add_send(phone, before, now)?);
        }
        let digits = given.cloned().unwrap_or_else(|| self.draw_digits());
        let id = self.draw_number();
        let before = self.login_passcode(phone, scene).await?;
        let body = Passcode {
            scene,
            mac: self.login_mac(id.0, scene, phone, digits.expose()),
            attempts: 0,
            sent_at: now,
            nonce: id.0,
            former: before.as_ref().map(former).unwrap_or_default(),
            used: false,
        };
        let expires_at = now.plus(settings.passcode_life);
        changes.push(match before {
            Some(before) => amend(&before, &body, expires_at)?,
            None => {
                let content = content(phone, scene);
                self.row(&content, body, now, expires_at)?
            }
        });
        self.commit(changes).await?;
        Ok(PasscodeSent {
            digits,
            resend_after: settings.passcode_resend,
            ttl: settings.passcode_life,
            id,
            is_test: given.is_some(),
        })
    }

    /// The change that remembers one more sending, and forgets those of more than a day ago.
    fn add_send(
        &self,
        phone: &Phone,
        before: Option<Ticket<Sends>>,
        now: Timestamp,
    ) -> Result<Change, Fault> {
        let expires_at = now.plus(DAY);
        match before {
            Some(before) => {
                let mut at = within(&before.body, DAY, self.login(), now);
                at.push(now);
                amend(&before, &Sends { at }, expires_at)
            }
            None => self.row(phone.as_str(), Sends { at: vec![now] }, now, expires_at),
        }
    }

    /// A new row that is found by its content.
    fn row<B: crate::ticket::Body>(
        &self,
        content: &str,
        body: B,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Change, Fault> {
        let (number, hash) = self.keyring.look_up(B::KIND, content.as_bytes());
        Row {
            number,
            hash,
            family: None,
            user: None,
            body,
            now,
            expires_at,
        }
        .issue()
    }

    // --- what became of it -------------------------------------------------------------------

    /// No gateway took the message, or one said that the number had enough (`limited`): the
    /// passcode is void (SMS-08). In the first case it does not count, for nothing came; in the
    /// second it does. A no-op when the passcode was replaced or used meanwhile.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn passcode_undelivered(
        &self,
        phone: &Phone,
        scene: Scene,
        id: Number,
        limited: bool,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        settled_login!(self.void_passcode(phone, scene, id, limited, now))
    }

    async fn void_passcode(
        &self,
        phone: &Phone,
        scene: Scene,
        id: Number,
        limited: bool,
        now: Timestamp,
    ) -> Result<(), LoginHalt> {
        let row = self.login_passcode(phone, scene).await?;
        let Some(row) = row.filter(|row| row.body.nonce == id.0 && !row.body.used) else {
            return Ok(());
        };
        let mut changes = vec![spend(&row)?];
        if !limited
            && let Some(sends) = self.looked_up::<Sends>(Kind::Sends, phone.as_str()).await?
        {
            let mut at = sends.body.at.clone();
            if let Some(i) = at.iter().rposition(|at| *at == row.body.sent_at) {
                at.remove(i);
                changes.push(amend(&sends, &Sends { at }, sends.expires_at)?);
            }
        }
        let why = if limited { "limited" } else { "no gateway" };
        let detail = format!("{} {}: {why}", phone.masked(), scene.word());
        changes.push(self.event("sms.undelivered", None, None, &detail, now));
        self.commit(changes).await?;
        if !limited {
            // Nothing was spent: neither the budget nor the country pays for it.
            self.forget(&[budget(self.login())], now);
            self.forget(country(phone, self.login()).as_slice(), now);
        }
        Ok(())
    }

    /// Writes down what a gateway says became of a message: `sms.receipt` in the audit. The
    /// words are the gateway's, so they are cut down to what ids and codes are made of, and a
    /// phone number among them is masked. Nothing follows from a receipt; the caller has checked
    /// that it is the gateway who speaks.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn passcode_receipt(
        &self,
        id_text: &str,
        delivered: bool,
        code: &str,
        now: Timestamp,
    ) -> Result<(), LoginStop> {
        let outcome = if delivered { "delivered" } else { "failed" };
        let detail = format!("{} {outcome} {}", tame(id_text), tame(code));
        settled_login!(self.note_receipt(detail.trim_end(), now))
    }

    async fn note_receipt(&self, detail: &str, now: Timestamp) -> Result<(), LoginHalt> {
        let event = self.event("sms.receipt", None, None, detail, now);
        Ok(self.commit(vec![event]).await?)
    }

    // --- carriers ----------------------------------------------------------------------------

    /// Counts that a carrier is about to be asked about a token: that costs money, and whoever
    /// brings no good one shall not do it for ever. To be followed by [`Engine::forgive_carrier`]
    /// unless the carrier calls the token nothing.
    ///
    /// # Errors
    /// [`LoginRefusal::RateLimited`].
    pub fn count_carrier(&self, address: &str, now: Timestamp) -> Result<(), LoginRefusal> {
        let (key, rate) = self.carrier(address);
        let counted = self.limiter.attempt(&key, rate, now);
        counted.map_err(|retry_after| LoginRefusal::RateLimited { retry_after })
    }

    /// Takes back what [`Engine::count_carrier`] counted.
    pub fn forgive_carrier(&self, address: &str, now: Timestamp) {
        let (key, rate) = self.carrier(address);
        self.limiter.forgive(&key, rate, now);
    }

    fn carrier(&self, address: &str) -> Count {
        let rate = self.login().address_failures;
        (format!("carrier:{}", network(address)), rate)
    }

    // --- using -------------------------------------------------------------------------------

    /// Judges a passcode. A wrong one is counted in the store before the answer goes out; for a
    /// right one, the change that spends it is answered and must ride in the caller's commit: of
    /// two that bring it at once, one is told that it is over.
    ///
    /// # Errors
    /// [`LoginRefusal::BadRequest`] for what is no passcode at all, [`LoginRefusal::PasscodeWrong`],
    /// [`LoginRefusal::PasscodeExhausted`], [`LoginRefusal::PasscodeOver`].
    pub(super) async fn use_login_passcode(
        &self,
        phone: &Phone,
        scene: Scene,
        digits: &str,
        now: Timestamp,
    ) -> Result<Change, LoginHalt> {
        let digits = read_digits(digits).ok_or(LoginRefusal::BadRequest { field: "sms_code" })?;
        let Some(row) = self.login_passcode(phone, scene).await? else {
            return Err(self.none_here(phone, scene, now).await?.into());
        };
        let most = self.login().passcode_attempts;
        let sent = |nonce, mac| self.login_mac(nonce, scene, phone, digits.expose()) == mac;
        let matches = sent(row.body.nonce, row.body.mac);
        // A late message is no guess. This tells only what was good once.
        let late = row
            .body
            .former
            .iter()
            .any(|(nonce, mac)| sent(*nonce, *mac));
        if row.body.used || !row.is_alive(now) {
            let known = matches || late;
            return Err(match known {
                true => LoginRefusal::PasscodeOver.into(),
                false => self.none_here(phone, scene, now).await?.into(),
            });
        }
        if row.body.attempts >= most {
            return Err(LoginRefusal::PasscodeExhausted.into());
        }
        if matches {
            return Ok(spend(&row)?);
        }
        if late {
            return Err(LoginRefusal::PasscodeOver.into());
        }
        let body = Passcode {
            attempts: row.body.attempts + 1,
            ..row.body.clone()
        };
        self.commit(vec![amend(&row, &body, row.expires_at)?])
            .await?;
        Err(match most.saturating_sub(body.attempts) {
            0 => LoginRefusal::PasscodeExhausted.into(),
            left => LoginRefusal::PasscodeWrong { left }.into(),
        })
    }

    /// What to say where nothing is good in this scene: that the passcode is wrong here when
    /// another scene has a live one. The digits are not looked at: nothing is counted, so nothing
    /// may be learnt about them.
    async fn none_here(
        &self,
        phone: &Phone,
        scene: Scene,
        now: Timestamp,
    ) -> Result<LoginRefusal, Fault> {
        let most = self.login().passcode_attempts;
        for other in Scene::OF_LOGIN.into_iter().filter(|other| *other != scene) {
            let row = self.login_passcode(phone, other).await?;
            let good = |row: &Ticket<Passcode>| {
                row.is_alive(now) && !row.body.used && row.body.attempts < most
            };
            if row.as_ref().is_some_and(good) {
                return Ok(LoginRefusal::PasscodeWrong { left: most });
            }
        }
        Ok(LoginRefusal::PasscodeOver)
    }

    async fn login_passcode(
        &self,
        phone: &Phone,
        scene: Scene,
    ) -> Result<Option<Ticket<Passcode>>, Fault> {
        self.looked_up(Kind::Passcode, &content(phone, scene)).await
    }

    fn login_mac(&self, nonce: u64, scene: Scene, phone: &Phone, digits: &str) -> SecretHash {
        let parts: [&[u8]; 4] = [
            &nonce.to_be_bytes(),
            scene.word().as_bytes(),
            phone.as_str().as_bytes(),
            digits.as_bytes(),
        ];
        SecretHash(self.keyring.digest("login passcode", &parts))
    }
}

/// By what the passcode of a scene is found; the platform's own have no first line.
fn content(phone: &Phone, scene: Scene) -> String {
    format!("login\n{}\n{phone}", scene.word())
}

/// Whether messages are sent there.
fn takes_messages(phone: &Phone, settings: &LoginSettings) -> bool {
    let country = phone.country();
    let served =
        settings.countries.is_empty() || settings.countries.iter().any(|served| served == country);
    served && phone.is_mobile()
}

/// What a number's country is limited by, unless it is the home of the house.
fn country(phone: &Phone, settings: &LoginSettings) -> Option<Count> {
    let code = phone.country();
    let home = settings.countries.first().is_some_and(|home| home == code);
    (!home).then(|| {
        (
            format!("passcode country:{code}"),
            settings.country_passcodes,
        )
    })
}

fn budget(settings: &LoginSettings) -> Count {
    ("passcode budget".to_owned(), settings.all_passcodes)
}

/// Judges the limits of a number; the waits are exact.
fn judge_sends(
    sends: &Sends,
    settings: &LoginSettings,
    now: Timestamp,
) -> Result<(), LoginRefusal> {
    let resend = settings.passcode_resend;
    if let Some(last) = within(sends, resend, settings, now).last() {
        let retry_after = last.plus(resend).since(now);
        return Err(LoginRefusal::PasscodeTooSoon { retry_after });
    }
    let windows = [
        (HOUR, settings.passcodes_hourly),
        (DAY, settings.passcodes_daily),
    ];
    let waits = windows.into_iter().filter_map(|(window, most)| {
        let sent = within(sends, window, settings, now);
        let over = sent.len().checked_sub(most as usize)?;
        // When so many have left the window that there is room for one.
        let until = sent
            .get(over)
            .map_or(now.plus(window), |at| at.plus(window));
        Some(until.since(now))
    });
    match waits.max() {
        Some(retry_after) => Err(LoginRefusal::PasscodeLimit { retry_after }),
        None => Ok(()),
    }
}

/// The sendings of the last while, oldest first. What lies in the future by a little was written by
/// a process whose clock is ahead, and counts as now; by much, before the clock was turned back:
/// it counts no more.
fn within(
    sends: &Sends,
    window: Lifetime,
    settings: &LoginSettings,
    now: Timestamp,
) -> Vec<Timestamp> {
    let latest = now.plus(settings.passcode_resend);
    let known = sends.at.iter().filter(|at| **at < latest);
    let mut sent: Vec<_> = known
        .map(|at| (*at).min(now))
        .filter(|at| now < at.plus(window))
        .collect();
    sent.sort();
    sent
}

/// The MACs of what a new passcode replaces, newest first.
fn former(before: &Ticket<Passcode>) -> Vec<(u64, SecretHash)> {
    let replaced = (before.body.nonce, before.body.mac);
    let older = before.body.former.iter().copied();
    std::iter::once(replaced)
        .chain(older)
        .take(FORMER)
        .collect()
}

/// The change that spends a passcode. The row stays amendable: the next passcode is written over it.
fn spend(row: &Ticket<Passcode>) -> Result<Change, Fault> {
    let body = Passcode {
        used: true,
        ..row.body.clone()
    };
    amend(row, &body, row.expires_at)
}

/// Reads a passcode as it was typed; `None` for what can be none.
fn read_digits(text: &str) -> Option<Secret> {
    let plain = |c: char| match c {
        '0'..='9' => Some(c),
        // Full-width, as a Chinese keyboard may write them.
        '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(c) - 0xff10, 10),
        _ => None,
    };
    let text = text.trim();
    // Bytes are at least characters: what is far too long is not looked at.
    if text.len() > 24 {
        return None;
    }
    let digits: String = text.chars().map(plain).collect::<Option<_>>()?;
    (4..=8).contains(&digits.len()).then(|| Secret::new(digits))
}

/// A gateway's word, fit for the audit.
fn tame(word: &str) -> String {
    if let Ok(phone) = Phone::parse(word) {
        return phone.masked();
    }
    let fit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '^' | '-');
    word.chars().filter(fit).take(64).collect()
}
