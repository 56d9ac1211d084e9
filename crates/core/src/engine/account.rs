//! People: signing in and up, passcodes, passwords, the profile, and what they authorized.

use std::sync::Arc;

use super::{Engine, Halt, settled};
use crate::client::{Client, Developer};
use crate::grant::Grant;
use crate::id::{GrantId, UserId};
use crate::limit::{Rate, network};
use crate::message::SignedIn;
use crate::refusal::{Fault, Refusal, Stop};
use crate::secret::{Layout, Secret, SecretHash};
use crate::store::{Change, GrantKey, Letter, Record, UserKey};
use crate::ticket::{Kind, Passcode, Scene, Session, Ticket};
use crate::time::{Lifetime, Timestamp};
use crate::user::{Handle, Phone, Profile, User, check_password};

/// How somebody proves to be the holder of a phone number's account.
pub enum Proof {
    /// By the account's password.
    Password(Secret),
    /// By the passcode that was sent to the number.
    Passcode(Secret),
}

/// What a new account is made of.
pub struct SignUp {
    /// The number that the passcode proves.
    pub phone: Phone,
    /// The passcode that was sent to it.
    pub passcode: Secret,
    /// The shown name.
    pub nickname: String,
    /// A password; `None` to sign in by passcode only.
    pub password: Option<Secret>,
}

/// An attempt that was counted before it was made; forgiven when it succeeds.
struct Counted {
    keys: Vec<(String, Rate)>,
    now: Timestamp,
}

impl Engine {
    /// Counts an attempt against the account and the address.
    fn count(&self, phone: &Phone, address: &str, now: Timestamp) -> Result<Counted, Refusal> {
        let network = network(address);
        // A stranger elsewhere cannot keep somebody out at ten failures, and many strangers
        // together have a bound too.
        let keys = vec![
            (
                format!("account:{phone}:{network}"),
                self.settings.account_failures,
            ),
            (
                format!("account:{phone}"),
                self.settings.account_failures_all,
            ),
            (format!("address:{network}"), self.settings.address_failures),
        ];
        self.count_all(keys, now).map_err(Refusal::TooManyFailures)
    }

    /// Counts against every key or none; the error says how long to wait.
    fn count_all(&self, keys: Vec<(String, Rate)>, now: Timestamp) -> Result<Counted, Lifetime> {
        for (i, (key, rate)) in keys.iter().enumerate() {
            if let Err(wait) = self.limiter.attempt(key, *rate, now) {
                for (key, rate) in keys.iter().take(i) {
                    self.limiter.forgive(key, *rate, now);
                }
                return Err(wait);
            }
        }
        Ok(Counted { keys, now })
    }

    /// Takes an attempt back unless it was refused: neither a success nor our own fault counts.
    fn settle<T>(&self, counted: &Counted, outcome: Result<T, Stop>) -> Result<T, Stop> {
        if !matches!(outcome, Err(Stop::Refused(_))) {
            for (key, rate) in &counted.keys {
                self.limiter.forgive(key, *rate, counted.now);
            }
        }
        outcome
    }

    async fn user_by_phone(&self, phone: &Phone) -> Result<Option<Arc<User>>, Fault> {
        let handle = Handle::Phone(phone.clone());
        self.store().user(UserKey::Handle(&handle)).await
    }

    /// Signs somebody in and answers the session's secret. The answer, and the class of time it
    /// takes, are the same for unknown numbers.
    ///
    /// # Errors
    /// [`Refusal::TooManyFailures`], [`Refusal::WrongCredentials`].
    pub async fn sign_in(
        &self,
        phone: &Phone,
        proof: Proof,
        address: &str,
        now: Timestamp,
    ) -> Result<Secret, Stop> {
        let counted = self.count(phone, address, now)?;
        let outcome = self.prove(phone, proof, now).await;
        self.settle(&counted, outcome)
    }

    /// Signs a user in whom the operator of this house vouches for: the sandbox, whose people are
    /// its own. Answers the session's secret.
    ///
    /// # Errors
    /// [`Refusal::NotSignedIn`] for an unknown user, [`Refusal::UserRestricted`] for one that is gone.
    pub async fn sign_in_as(&self, user: UserId, now: Timestamp) -> Result<Secret, Stop> {
        let user = self.store().user(UserKey::Id(user)).await?;
        let user = user.ok_or(Refusal::NotSignedIn)?;
        settled!(|_round| self.open_session(&user, Vec::new(), now))
    }

    async fn prove(&self, phone: &Phone, proof: Proof, now: Timestamp) -> Result<Secret, Stop> {
        let user = self.user_by_phone(phone).await?;
        match proof {
            Proof::Password(password) => {
                let phc = user.as_ref().and_then(|user| user.password.clone());
                let matches = self.ports.hasher.verify(password, phc).await?;
                let user = user.filter(|_| matches);
                let user = user.ok_or(Refusal::WrongCredentials)?;
                settled!(|_round| self.open_session(&user, Vec::new(), now))
            }
            Proof::Passcode(passcode) => {
                settled!(|_round| self.sign_in_by_passcode(user.as_ref(), phone, &passcode, now))
            }
        }
    }

    async fn sign_in_by_passcode(
        &self,
        user: Option<&Arc<User>>,
        phone: &Phone,
        passcode: &Secret,
        now: Timestamp,
    ) -> Result<Secret, Halt> {
        let spent = self
            .use_passcode(phone, Scene::SignIn, passcode, now)
            .await?;
        match user {
            Some(user) => self.open_session(user, vec![spent], now).await,
            None => Err(Refusal::WrongCredentials.into()),
        }
    }

    /// Begins a session; `with` rides in the same commit.
    async fn open_session(
        &self,
        user: &User,
        with: Vec<Change>,
        now: Timestamp,
    ) -> Result<Secret, Halt> {
        if !user.status.may_sign_in() {
            return Err(Refusal::UserRestricted.into());
        }
        let minted = self.mint(Kind::Session, Layout::Own)?;
        let ends_at = now.plus(self.settings.session_absolute);
        let session = Ticket {
            number: minted.number,
            hash: minted.hash,
            grant: None,
            family: None,
            client: None,
            user: Some(user.id),
            body: Session {
                authenticated_at: now,
                ends_at,
                // As it was when the proof was judged: a password changed since then ends this
                // session before it begins.
                from: user.sessions_from,
            },
            issued_at: now,
            expires_at: now.plus(self.settings.session_idle).min(ends_at),
            taken_at: None,
            revoked_at: None,
            version: 1,
        };
        let mut changes = with;
        changes.push(Change::Issue(session.seal()?));
        changes.push(self.event("session.began", Some(user.id), None, "", now));
        self.commit(changes).await?;
        Ok(minted.secret)
    }

    /// Ends the session of this cookie; a no-op when there is none.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn sign_out(&self, cookie: Option<&str>, now: Timestamp) -> Result<(), Stop> {
        let Some(session) = self.open_session_ticket(cookie, now).await? else {
            return Ok(());
        };
        let changes = || {
            vec![
                Change::Revoke {
                    kind: Kind::Session,
                    number: session.number,
                    at: now,
                },
                self.event("session.ended", session.user, None, "", now),
            ]
        };
        settled!(|_round| self.apply(changes()))
    }

    /// Ends every session of the user, this one too.
    ///
    /// # Errors
    /// [`Refusal::NotSignedIn`]; faults of the store.
    pub async fn sign_out_everywhere(&self, user: UserId, now: Timestamp) -> Result<(), Stop> {
        settled!(
            |_round| self.change_user(user, "session.all_ended", now, |user| {
                user.sessions_from = sessions_end(user, now);
                Ok(())
            })
        )
    }

    /// Reads a user, changes it, and commits it against the version that was read.
    async fn change_user(
        &self,
        id: UserId,
        what: &str,
        now: Timestamp,
        change: impl Fn(&mut User) -> Result<(), Refusal> + Send,
    ) -> Result<(), Halt> {
        let user = self.store().user(UserKey::Id(id)).await?;
        let user = user.ok_or(Refusal::NotSignedIn)?;
        let mut user = User::clone(&user);
        change(&mut user)?;
        user.version += 1;
        self.commit(vec![
            Change::Put(Record::User(user)),
            self.event(what, Some(id), None, "", now),
        ])
        .await?;
        Ok(())
    }

    // --- passcodes ---------------------------------------------------------------------------

    fn passcode_mac(&self, scene: Scene, phone: &Phone, digits: &str) -> SecretHash {
        let parts = [
            scene.word().as_bytes(),
            phone.as_str().as_bytes(),
            digits.as_bytes(),
        ];
        SecretHash(self.keyring.digest("passcode", &parts))
    }

    async fn passcode(
        &self,
        phone: &Phone,
        scene: Scene,
    ) -> Result<Option<Ticket<Passcode>>, Fault> {
        let number = self.passcode_row(phone, scene).0;
        let raw = self.store().ticket(Kind::Passcode, number).await?;
        raw.map(|raw| raw.open::<Passcode>()).transpose()
    }

    fn passcode_row(&self, phone: &Phone, scene: Scene) -> (crate::id::Number, SecretHash) {
        let content = format!("{}\n{phone}", scene.word());
        self.keyring.look_up(Kind::Passcode, content.as_bytes())
    }

    /// Sends a passcode to a number. The answer is the same whether or not the number has an
    /// account; where the scene needs one and there is none, nothing is sent.
    ///
    /// # Errors
    /// [`Refusal::PasscodeTooSoon`] within a minute, and when the number or address had too many.
    pub async fn send_passcode(
        &self,
        phone: &Phone,
        scene: Scene,
        address: &str,
        now: Timestamp,
    ) -> Result<(), Stop> {
        // Before the limits: who asks again at once is told to wait and loses nothing by it.
        self.passcode_before(phone, scene, now).await?;
        let keys = vec![
            (
                format!("send number:{phone}"),
                self.settings.number_passcodes,
            ),
            (
                format!("send address:{}", network(address)),
                self.settings.address_passcodes,
            ),
        ];
        self.count_all(keys, now)
            .map_err(Refusal::PasscodeTooSoon)?;
        let known = self.user_by_phone(phone).await?.is_some();
        let send = known || scene == Scene::SignUp;
        settled!(|_round| self.post_passcode(phone, scene, send, now))
    }

    /// The passcode that was sent to a number before.
    ///
    /// # Errors
    /// [`Refusal::PasscodeTooSoon`] when that was a moment ago; not when it was in the future,
    /// before the clock was turned back.
    async fn passcode_before(
        &self,
        phone: &Phone,
        scene: Scene,
        now: Timestamp,
    ) -> Result<Option<Ticket<Passcode>>, Stop> {
        let before = self.passcode(phone, scene).await?;
        if let Some(sent_at) = before.as_ref().map(|before| before.body.sent_at) {
            let again_at = sent_at.plus(self.settings.passcode_resend);
            if (sent_at..again_at).contains(&now) {
                return Err(Refusal::PasscodeTooSoon(again_at.since(now)).into());
            }
        }
        Ok(before)
    }

    async fn post_passcode(
        &self,
        phone: &Phone,
        scene: Scene,
        send: bool,
        now: Timestamp,
    ) -> Result<(), Halt> {
        // Looked at in each round: of two requests at once, one sends.
        let before = self.passcode_before(phone, scene, now).await?;
        let digits = self.draw_digits();
        let body = Passcode {
            scene,
            mac: self.passcode_mac(scene, phone, digits.expose()),
            attempts: 0,
            sent_at: now,
            nonce: 0,
            former: Vec::new(),
            used: false,
        };
        let expires_at = now.plus(self.settings.passcode_life);
        let mut changes = vec![match before {
            Some(before) => amend_passcode(&before, &body, expires_at)?,
            None => {
                let (number, hash) = self.passcode_row(phone, scene);
                let ticket = Ticket {
                    number,
                    hash,
                    grant: None,
                    family: None,
                    client: None,
                    user: None,
                    body,
                    issued_at: now,
                    expires_at,
                    taken_at: None,
                    revoked_at: None,
                    version: 1,
                };
                Change::Issue(ticket.seal()?)
            }
        }];
        if send {
            changes.push(Change::Post(Letter {
                number: self.draw_number(),
                to: phone.clone(),
                about: scene.word().to_owned(),
                passcode: digits.expose().to_owned(),
                posted_at: now,
            }));
        }
        self.commit(changes).await?;
        Ok(())
    }

    /// Six digits, each number equally likely.
    pub(super) fn draw_digits(&self) -> Secret {
        loop {
            let value = self.noise() >> 44;
            // 2^20 is a little over a million: draw again beyond it.
            if value < 1_000_000 {
                return Secret::new(format!("{value:06}"));
            }
        }
    }

    /// Judges a passcode. A wrong one is counted in the store before the answer goes out; for a
    /// right one, the change that spends it is answered and must ride in the caller's commit.
    async fn use_passcode(
        &self,
        phone: &Phone,
        scene: Scene,
        passcode: &Secret,
        now: Timestamp,
    ) -> Result<Change, Halt> {
        let ticket = self.passcode(phone, scene).await?;
        let ticket = ticket.ok_or(Refusal::WrongCredentials)?;
        let most = self.settings.passcode_attempts;
        if !ticket.is_alive(now) || ticket.body.attempts >= most {
            return Err(Refusal::WrongCredentials.into());
        }
        let matches = self.passcode_mac(scene, phone, passcode.expose().trim()) == ticket.body.mac;
        let attempts = if matches {
            u32::MAX
        } else {
            ticket.body.attempts + 1
        };
        let body = Passcode {
            attempts,
            ..ticket.body.clone()
        };
        let change = amend_passcode(&ticket, &body, ticket.expires_at)?;
        if matches {
            return Ok(change);
        }
        self.commit(vec![change]).await?;
        Err(Refusal::WrongCredentials.into())
    }

    /// Makes an account for a proved number and signs it in. A number that has an account already
    /// is signed in to it: whoever proved the number may know, and nobody else learns it.
    ///
    /// # Errors
    /// [`Refusal::WrongCredentials`] for the passcode, [`Refusal::TooManyFailures`],
    /// [`Refusal::ProfileUnfit`], [`Refusal::PasswordUnfit`].
    pub async fn sign_up(
        &self,
        sign_up: SignUp,
        address: &str,
        now: Timestamp,
    ) -> Result<Secret, Stop> {
        let profile = Profile {
            nickname: sign_up.nickname.trim().to_owned(),
            ..Profile::default()
        };
        profile.check()?;
        if let Some(password) = &sign_up.password {
            check_password(password.expose(), Some(&sign_up.phone))?;
        }
        // Counted before the hashing: that costs us more than the caller.
        let counted = self.count(&sign_up.phone, address, now)?;
        let outcome = self.prove_and_found(&sign_up, &profile, now).await;
        self.settle(&counted, outcome)
    }

    async fn prove_and_found(
        &self,
        sign_up: &SignUp,
        profile: &Profile,
        now: Timestamp,
    ) -> Result<Secret, Stop> {
        let phc = match &sign_up.password {
            Some(password) => Some(self.ports.hasher.hash(password.clone()).await?),
            None => None,
        };
        settled!(|_round| self.sign_up_once(sign_up, profile, phc.clone(), now))
    }

    async fn sign_up_once(
        &self,
        sign_up: &SignUp,
        profile: &Profile,
        phc: Option<String>,
        now: Timestamp,
    ) -> Result<Secret, Halt> {
        let phone = &sign_up.phone;
        let spent = self
            .use_passcode(phone, Scene::SignUp, &sign_up.passcode, now)
            .await?;
        if let Some(user) = self.user_by_phone(phone).await? {
            return self.open_session(&user, vec![spent], now).await;
        }
        let user = self.new_user(profile.clone(), Some(phone.clone()), phc, now);
        let changes = vec![
            spent,
            Change::Put(Record::User(user.clone())),
            Change::Put(Record::Handle(Handle::Phone(phone.clone()), user.id)),
            self.event("user.created", Some(user.id), None, "", now),
        ];
        self.open_session(&user, changes, now).await
    }

    pub(super) fn new_user(
        &self,
        profile: Profile,
        phone: Option<Phone>,
        password: Option<String>,
        now: Timestamp,
    ) -> User {
        User {
            profile,
            phone,
            password,
            ..User::new(UserId(self.draw_number()), now)
        }
    }

    // --- passwords ---------------------------------------------------------------------------

    /// Sets a new password for a proved number, ends all its sessions and begins a new one.
    ///
    /// # Errors
    /// [`Refusal::WrongCredentials`], [`Refusal::TooManyFailures`], [`Refusal::PasswordUnfit`].
    pub async fn reset_password(
        &self,
        phone: &Phone,
        passcode: &Secret,
        password: Secret,
        address: &str,
        now: Timestamp,
    ) -> Result<Secret, Stop> {
        check_password(password.expose(), Some(phone))?;
        let counted = self.count(phone, address, now)?;
        let outcome = self.prove_and_reset(phone, passcode, password, now).await;
        self.settle(&counted, outcome)
    }

    async fn prove_and_reset(
        &self,
        phone: &Phone,
        passcode: &Secret,
        password: Secret,
        now: Timestamp,
    ) -> Result<Secret, Stop> {
        let phc = self.ports.hasher.hash(password).await?;
        settled!(|_round| self.reset_once(phone, passcode, &phc, now))
    }

    async fn reset_once(
        &self,
        phone: &Phone,
        passcode: &Secret,
        phc: &str,
        now: Timestamp,
    ) -> Result<Secret, Halt> {
        let spent = self
            .use_passcode(phone, Scene::Reset, passcode, now)
            .await?;
        let user = self.user_by_phone(phone).await?;
        let user = user.ok_or(Refusal::WrongCredentials)?;
        self.put_password(&user, phc, vec![spent], now).await
    }

    async fn put_password(
        &self,
        user: &User,
        phc: &str,
        mut changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Secret, Halt> {
        let changed = User {
            password: Some(phc.to_owned()),
            password_changed_at: Some(now),
            // Sessions that began earlier are over; the one that begins now is not.
            sessions_from: sessions_end(user, now),
            version: user.version + 1,
            ..user.clone()
        };
        changes.push(Change::Put(Record::User(changed.clone())));
        changes.push(self.event("password.changed", Some(user.id), None, "", now));
        self.open_session(&changed, changes, now).await
    }

    /// Changes the password of a signed-in user, ends all sessions and begins a new one. A user
    /// without a password resets instead.
    ///
    /// # Errors
    /// [`Refusal::NotSignedIn`], [`Refusal::WrongCredentials`], [`Refusal::TooManyFailures`],
    /// [`Refusal::PasswordUnfit`].
    pub async fn change_password(
        &self,
        signed_in: &SignedIn,
        current: Secret,
        password: Secret,
        address: &str,
        now: Timestamp,
    ) -> Result<Secret, Stop> {
        let user = &signed_in.user;
        check_password(password.expose(), user.phone.as_ref())?;
        let phone = user.phone.clone().ok_or(Refusal::NotSignedIn)?;
        let counted = self.count(&phone, address, now)?;
        let outcome = self.prove_and_change(user, current, password, now).await;
        self.settle(&counted, outcome)
    }

    async fn prove_and_change(
        &self,
        user: &User,
        current: Secret,
        password: Secret,
        now: Timestamp,
    ) -> Result<Secret, Stop> {
        let hasher = &self.ports.hasher;
        if !hasher.verify(current, user.password.clone()).await? {
            return Err(Refusal::WrongCredentials.into());
        }
        let phc = hasher.hash(password).await?;
        settled!(|_round| self.change_password_once(user, &phc, now))
    }

    async fn change_password_once(
        &self,
        proved: &User,
        phc: &str,
        now: Timestamp,
    ) -> Result<Secret, Halt> {
        let user = self.store().user(UserKey::Id(proved.id)).await?;
        let user = user.ok_or(Refusal::NotSignedIn)?;
        // What was proved is the password as it was read; another may have changed it since.
        if user.password != proved.password {
            return Err(Refusal::WrongCredentials.into());
        }
        self.put_password(&user, phc, Vec::new(), now).await
    }

    // --- my account --------------------------------------------------------------------------

    /// Changes what a user tells of themselves.
    ///
    /// # Errors
    /// [`Refusal::ProfileUnfit`], [`Refusal::NotSignedIn`].
    pub async fn save_profile(
        &self,
        user: UserId,
        profile: Profile,
        now: Timestamp,
    ) -> Result<(), Stop> {
        profile.check()?;
        settled!(
            |_round| self.change_user(user, "profile.changed", now, |user| {
                user.profile = profile.clone();
                Ok(())
            })
        )
    }

    /// The apps that a user authorized, newest first.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn authorized(
        &self,
        user: UserId,
    ) -> Result<Vec<(Grant, Arc<Client>, Arc<Developer>)>, Fault> {
        let mut all = Vec::new();
        for grant in self.ports.browse.grants_of(user).await? {
            let client = self.store().client(&grant.client).await?;
            let Some(client) = client else { continue };
            if let Some(developer) = self.store().developer(client.developer).await? {
                all.push((grant, client, developer));
            }
        }
        Ok(all)
    }

    /// Takes a yes back: its tokens are dead when this answers (40001, 40014, 40030).
    ///
    /// # Errors
    /// [`Refusal::UnknownGrant`] for a grant that is not this user's or stands no more.
    pub async fn revoke_grant(
        &self,
        user: UserId,
        grant: GrantId,
        now: Timestamp,
    ) -> Result<(), Stop> {
        settled!(|_round| self.revoke_once(user, grant, now))
    }

    async fn revoke_once(&self, user: UserId, id: GrantId, now: Timestamp) -> Result<(), Halt> {
        let grant = self.store().grant(GrantKey::Id(id)).await?;
        let grant = grant
            .filter(|grant| grant.user == user && grant.stands())
            .ok_or(Refusal::UnknownGrant)?;
        let revoked = Grant {
            revoked_at: Some(now),
            version: grant.version + 1,
            ..Grant::clone(&grant)
        };
        self.commit(vec![
            Change::Put(Record::Grant(revoked)),
            self.event("grant.revoked", Some(user), Some(&grant.client), "", now),
        ])
        .await?;
        Ok(())
    }
}

/// The value under which the next sessions begin: the moment, and strictly later than before.
pub(super) fn sessions_end(user: &User, now: Timestamp) -> Timestamp {
    now.max(Timestamp(user.sessions_from.0.saturating_add(1)))
}

fn amend_passcode(
    before: &Ticket<Passcode>,
    body: &Passcode,
    expires_at: Timestamp,
) -> Result<Change, Fault> {
    Ok(Change::Amend {
        kind: Kind::Passcode,
        number: before.number,
        version: before.version,
        body: serde_json::to_vec(body).map_err(|e| Fault::from("write a passcode", e))?,
        expires_at,
    })
}
