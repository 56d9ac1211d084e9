//! The platform's books: developers, clients and their review, people made by operators, tokens
//! looked at by operators.

use std::sync::Arc;

use super::login::EndedBy;
use super::{Engine, Halt, settled};
use crate::client::{
    Client, ClientKind, ClientPolicy, ClientSecret, Developer, NativeIdentity, Review, Status,
};
use crate::id::{ClientId, DeveloperId, GrantId, UserId};
use crate::keyring::hex;
use crate::message::SignedIn;
use crate::redirect::RedirectRule;
use crate::refusal::{Refusal, Stop};
use crate::scope::{self, Scopes};
use crate::secret::{Layout, Secret, SecretHash};
use crate::store::{Change, Record, UserKey};
use crate::ticket::{Code, CodePurpose, Kind};
use crate::time::Timestamp;
use crate::user::{Handle, Phone, Profile, User, UserStatus, check_password};

/// A client to be made.
#[derive(Clone, Debug)]
pub struct ClientDraft {
    /// Who owns it.
    pub developer: DeveloperId,
    /// What it is.
    pub kind: ClientKind,
    /// Its name.
    pub name: String,
    /// Where it may be answered.
    pub redirects: Vec<RedirectRule>,
    /// What it registers of itself on phones.
    pub native: NativeIdentity,
    /// Whether it belongs to the developer's Open Platform account.
    pub bound: bool,
    /// Its settings.
    pub policy: ClientPolicy,
    /// Where it starts; a draft unless the operator vouches for it.
    pub status: Status,
}

/// A change of a client; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct ClientEdit {
    /// Its name: identity, so it is reviewed again.
    pub name: Option<String>,
    /// Where it may be answered: reviewed again.
    pub redirects: Option<Vec<RedirectRule>>,
    /// What it registers of itself on phones: reviewed again.
    pub native: Option<NativeIdentity>,
    /// Whether it belongs to the developer's Open Platform account: the platform's own affair.
    pub bound: Option<bool>,
    /// Its settings: the platform's own affair.
    pub policy: Option<ClientPolicy>,
}

/// A user to be made by an operator.
#[derive(Clone, Debug, Default)]
pub struct UserDraft {
    /// What the user tells of themselves.
    pub profile: Profile,
    /// The phone number, vouched for by the operator.
    pub phone: Option<Phone>,
    /// A password.
    pub password: Option<Secret>,
    /// A password's hash in PHC form, brought from elsewhere; the password wins when both are given.
    pub password_hash: Option<String>,
}

/// What an operator sees of a token. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenReport {
    /// What it is.
    pub kind: Kind,
    /// Whose.
    pub user: Option<UserId>,
    /// For which client.
    pub client: Option<ClientId>,
    /// The grant it hangs from, and whether that stands.
    pub grant: Option<(GrantId, bool)>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When its life ends.
    pub expires_at: Timestamp,
    /// When it was spent.
    pub taken_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Engine {
    /// Makes a developer.
    ///
    /// # Errors
    /// [`Refusal::ProfileUnfit`] for an empty or overlong name.
    pub async fn create_developer(&self, name: &str, now: Timestamp) -> Result<Developer, Stop> {
        let developer = Developer {
            id: DeveloperId(self.draw_number()),
            name: checked_name(name)?,
            created_at: now,
        };
        let changes = || {
            vec![
                Change::Put(Record::Developer(developer.clone())),
                self.event("developer.created", None, None, &developer.name, now),
            ]
        };
        settled!(|_round| self.apply(changes()))?;
        Ok(developer)
    }

    /// Makes a client and answers it with its secret, which is never said again.
    ///
    /// # Errors
    /// [`Refusal::ProfileUnfit`] for the name, [`Refusal::RedirectMalformed`] for a rule that
    /// cannot match or matches too much, [`Refusal::Malformed`] for native identities.
    pub async fn create_client(
        &self,
        draft: ClientDraft,
        now: Timestamp,
    ) -> Result<(Client, Secret), Stop> {
        let (id, secret) = (self.draw_client_id(), self.draw_client_secret());
        let client = self.put_new_client(draft, id, &secret, now).await?;
        Ok((client, secret))
    }

    /// Makes a client under the id and the secret that it has had elsewhere: an app that moves
    /// here needs no change.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] (`client` for an id that is taken, or is not 1 to 64 of
    /// `A-Z a-z 0-9 - _ .`; `secret` for one that is not 8 to 128 visible ASCII characters), and
    /// as [`Engine::create_client`].
    pub async fn bring_client(
        &self,
        draft: ClientDraft,
        id: &ClientId,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<Client, Stop> {
        let name = id.as_str();
        let in_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > ClientId::MAX_BYTES || !name.bytes().all(in_name) {
            return Err(Refusal::Malformed("client").into());
        }
        check_secret(secret)?;
        if self.store().client(id).await?.is_some() {
            return Err(Refusal::Malformed("client").into());
        }
        self.put_new_client(draft, id.clone(), secret, now).await
    }

    /// Gives a client the secret that it has elsewhere; every other one is dropped.
    ///
    /// # Errors
    /// [`Refusal::UnknownClient`], [`Refusal::Malformed`] (`secret`).
    pub async fn give_secret(
        &self,
        id: &ClientId,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<(), Stop> {
        check_secret(secret)?;
        let hash = SecretHash::of(secret.expose().as_bytes());
        settled!(
            |_round| self.change_client(id, "client.secret_given", "", now, |client| {
                client.secrets = vec![ClientSecret {
                    hash,
                    created_at: now,
                    retires_at: None,
                }];
                Ok(())
            })
        )?;
        Ok(())
    }

    async fn put_new_client(
        &self,
        draft: ClientDraft,
        id: ClientId,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<Client, Stop> {
        let developer = self.store().developer(draft.developer).await?;
        developer.ok_or(Refusal::Malformed("developer"))?;
        let client = Client {
            id,
            developer: draft.developer,
            kind: draft.kind,
            name: checked_name(&draft.name)?,
            secrets: vec![ClientSecret {
                hash: SecretHash::of(secret.expose().as_bytes()),
                created_at: now,
                retires_at: None,
            }],
            status: draft.status,
            reason: String::new(),
            redirects: draft.redirects,
            scopes: draft.kind.scopes(),
            native: draft.native,
            bound: draft.bound,
            policy: draft.policy,
            created_at: now,
            version: 1,
        };
        check_client(&client)?;
        let changes = || {
            vec![
                Change::Put(Record::Client(client.clone())),
                self.event("client.created", None, Some(&client.id), &client.name, now),
            ]
        };
        settled!(|_round| self.apply(changes()))?;
        Ok(client)
    }

    /// `wx` and 16 hexadecimal digits (`docs/facts/wechat.md` §2).
    fn draw_client_id(&self) -> ClientId {
        ClientId::new(&format!("wx{:016x}", self.noise()))
    }

    /// 32 hexadecimal digits (§2).
    fn draw_client_secret(&self) -> Secret {
        let mut bytes = [0; 16];
        self.ports.entropy.fill(&mut bytes);
        Secret::new(hex(&bytes))
    }

    /// Reads a client, changes it, and commits it against the version that was read.
    async fn change_client(
        &self,
        id: &ClientId,
        what: &str,
        detail: &str,
        now: Timestamp,
        change: impl Fn(&mut Client) -> Result<(), Refusal> + Send,
    ) -> Result<Client, Halt> {
        let mut client = Client::clone(&*self.known_client(id).await?);
        change(&mut client)?;
        check_client(&client)?;
        client.version += 1;
        self.commit(vec![
            Change::Put(Record::Client(client.clone())),
            self.event(what, None, Some(id), detail, now),
        ])
        .await?;
        Ok(client)
    }

    /// Takes a client one step through its review.
    ///
    /// # Errors
    /// [`Refusal::UnknownClient`]; [`Refusal::Malformed`] for a step impossible from where it is.
    pub async fn review(
        &self,
        id: &ClientId,
        step: Review,
        reason: &str,
        now: Timestamp,
    ) -> Result<Client, Stop> {
        let what = match step {
            Review::Submit => "client.submitted",
            Review::Approve => "client.approved",
            Review::Reject => "client.rejected",
            Review::Suspend => "client.suspended",
            Review::Edit => "client.edited",
        };
        settled!(
            |_round| self.change_client(id, what, reason, now, |client| {
                client.status = client
                    .status
                    .after(step)
                    .ok_or(Refusal::Malformed("status"))?;
                match step {
                    Review::Reject | Review::Suspend => client.reason = reason.to_owned(),
                    Review::Submit | Review::Approve => client.reason.clear(),
                    // An edit answers nothing: what was rejected or suspended still is.
                    Review::Edit => {}
                }
                Ok(())
            })
        )
    }

    /// Changes a client; a change of identity or redirects goes back to review.
    ///
    /// # Errors
    /// [`Refusal::UnknownClient`], and as [`Engine::create_client`].
    pub async fn edit_client(
        &self,
        id: &ClientId,
        edit: ClientEdit,
        now: Timestamp,
    ) -> Result<Client, Stop> {
        settled!(
            |_round| self.change_client(id, "client.edited", "", now, |client| {
                let before = (
                    client.name.clone(),
                    client.redirects.clone(),
                    client.native.clone(),
                );
                let edit = edit.clone();
                if let Some(name) = edit.name {
                    client.name = checked_name(&name)?;
                }
                client.redirects = edit.redirects.unwrap_or_else(|| before.1.clone());
                client.native = edit.native.unwrap_or_else(|| before.2.clone());
                client.bound = edit.bound.unwrap_or(client.bound);
                client.policy = edit.policy.unwrap_or_else(|| client.policy.clone());
                let after = (&client.name, &client.redirects, &client.native);
                if after != (&before.0, &before.1, &before.2) {
                    client.status = client
                        .status
                        .after(Review::Edit)
                        .ok_or(Refusal::Malformed("status"))?;
                }
                Ok(())
            })
        )
    }

    /// Draws a new secret; the one before it works on for [`super::Settings::secret_overlap`],
    /// any older one is dropped.
    ///
    /// # Errors
    /// [`Refusal::UnknownClient`].
    pub async fn rotate_secret(&self, id: &ClientId, now: Timestamp) -> Result<Secret, Stop> {
        let secret = self.draw_client_secret();
        let hash = SecretHash::of(secret.expose().as_bytes());
        let overlap = self.settings.secret_overlap;
        settled!(
            |_round| self.change_client(id, "client.secret_rotated", "", now, |client| {
                client.secrets.retain(|known| known.retires_at.is_none());
                for known in &mut client.secrets {
                    known.retires_at = Some(now.plus(overlap));
                }
                client.secrets.push(ClientSecret {
                    hash,
                    created_at: now,
                    retires_at: None,
                });
                Ok(())
            })
        )?;
        Ok(secret)
    }

    /// A client by its id.
    ///
    /// # Errors
    /// [`Refusal::UnknownClient`].
    pub async fn client(&self, id: &ClientId) -> Result<Arc<Client>, Stop> {
        self.known_client(id).await
    }

    /// A user by id.
    ///
    /// # Errors
    /// [`Refusal::NotSignedIn`] for an unknown user.
    pub async fn user(&self, id: UserId) -> Result<Arc<User>, Stop> {
        let user = self.store().user(UserKey::Id(id)).await?;
        Ok(user.ok_or(Refusal::NotSignedIn)?)
    }

    /// Makes a user whose number the operator vouches for.
    ///
    /// # Errors
    /// [`Refusal::ProfileUnfit`], [`Refusal::PasswordUnfit`]; [`Refusal::Malformed`] (`phone`)
    /// when the number has an account.
    pub async fn create_user(&self, draft: UserDraft, now: Timestamp) -> Result<User, Stop> {
        draft.profile.check()?;
        let phc = match &draft.password {
            Some(password) => {
                check_password(password.expose(), draft.phone.as_ref())?;
                Some(self.ports.hasher.hash(password.clone()).await?)
            }
            None => draft.password_hash.clone(),
        };
        let (profile, phone) = (&draft.profile, &draft.phone);
        settled!(|_round| self.create_user_once(
            self.new_user(profile.clone(), phone.clone(), phc.clone(), now),
            now
        ))
    }

    async fn create_user_once(&self, user: User, now: Timestamp) -> Result<User, Halt> {
        let mut changes = vec![Change::Put(Record::User(user.clone()))];
        if let Some(phone) = &user.phone {
            let handle = Handle::Phone(phone.clone());
            if self.store().user(UserKey::Handle(&handle)).await?.is_some() {
                return Err(Refusal::Malformed("phone").into());
            }
            changes.push(Change::Put(Record::Handle(handle, user.id)));
        }
        changes.push(self.event("user.created", Some(user.id), None, "", now));
        self.commit(changes).await?;
        Ok(user)
    }

    /// A mini program's login code, as the platform's own client would hand it to the program
    /// (`docs/facts/wechat.md` §7.5).
    ///
    /// # Errors
    /// [`Refusal::UnknownClient`], [`Refusal::ClientNotApproved`], [`Refusal::UserRestricted`],
    /// [`Refusal::NotSignedIn`] for an unknown user.
    pub async fn issue_mini_code(
        &self,
        client: &ClientId,
        user: UserId,
        now: Timestamp,
    ) -> Result<Secret, Stop> {
        let client = self.known_client(client).await?;
        if client.status != Status::Approved {
            return Err(Refusal::ClientNotApproved.into());
        }
        let user = self.store().user(UserKey::Id(user)).await?;
        let signed_in = SignedIn {
            user: user.ok_or(Refusal::NotSignedIn)?,
            authenticated_at: now,
        };
        settled!(|round| self.issue_mini_code_once(&client, &signed_in, round, now))
    }

    async fn issue_mini_code_once(
        &self,
        client: &Arc<Client>,
        signed_in: &SignedIn,
        round: u32,
        now: Timestamp,
    ) -> Result<Secret, Halt> {
        let scopes = Scopes::of(&[scope::BASE]);
        let (grant, mut changes) = self
            .grant_for(client, signed_in, &scopes, false, round, now)
            .await?;
        let minted = self.mint(Kind::Code, Layout::WeChatCode)?;
        let body = Code {
            scopes,
            challenge: None,
            purpose: CodePurpose::Mini,
            snapshot: false,
        };
        let code =
            super::authorize::code_ticket(client, &grant, minted.number, minted.hash, body, now);
        changes.push(Change::Issue(code.seal()?));
        self.commit(changes).await?;
        Ok(minted.secret)
    }

    // --- tokens, as operators see them -------------------------------------------------------

    /// Finds what a secret is: a code, an access token or a refresh token.
    pub(super) async fn find_secret(
        &self,
        secret: &Secret,
    ) -> Result<Arc<crate::ticket::RawTicket>, Stop> {
        let places = [
            (Kind::Access, Layout::WeChatToken),
            (Kind::Refresh, Layout::WeChatToken),
            (Kind::Code, Layout::WeChatCode),
        ];
        for (kind, layout) in places {
            let Some(presented) = self.keyring.read(kind, layout, secret.expose()) else {
                continue;
            };
            let raw = self.store().ticket(kind, presented.number).await?;
            if let Some(raw) = raw.filter(|raw| presented.proves(&raw.ticket.hash)) {
                return Ok(raw);
            }
        }
        Err(Refusal::UnknownAccess.into())
    }

    /// What an operator may see of a code or token.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccess`] when it is none of ours.
    pub async fn inspect_secret(&self, secret: &Secret) -> Result<TokenReport, Stop> {
        let raw = self.find_secret(secret).await?;
        let ticket = &raw.ticket;
        let grant = match ticket.grant {
            Some(id) => {
                let grant = self.store().grant(crate::store::GrantKey::Id(id)).await?;
                Some((id, grant.is_some_and(|grant| grant.stands())))
            }
            None => None,
        };
        Ok(TokenReport {
            kind: raw.kind,
            user: ticket.user,
            client: ticket.client.clone(),
            grant,
            issued_at: ticket.issued_at,
            expires_at: ticket.expires_at,
            taken_at: ticket.taken_at,
            revoked_at: ticket.revoked_at,
        })
    }

    /// Revokes a code or token, and with a refresh token everything of its family.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccess`] when it is none of ours.
    pub async fn revoke_secret(&self, secret: &Secret, now: Timestamp) -> Result<(), Stop> {
        let raw = self.find_secret(secret).await?;
        let (user, client) = (raw.ticket.user, raw.ticket.client.as_ref());
        let changes = || {
            let mut changes = vec![Change::Revoke {
                kind: raw.kind,
                number: raw.ticket.number,
                at: now,
            }];
            if let (Kind::Refresh, Some(family)) = (raw.kind, raw.ticket.family) {
                changes.push(Change::RevokeFamily { family, at: now });
            }
            changes.push(self.event("token.revoked", user, client, raw.kind.word(), now));
            changes
        };
        settled!(|_round| self.apply(changes()))
    }

    /// Restricts a user or lifts the restriction.
    ///
    /// # Errors
    /// [`Refusal::NotSignedIn`] for an unknown user, and for one that is gone or about to go: that
    /// is not an operator's switch.
    pub async fn set_user_status(
        &self,
        id: UserId,
        status: crate::user::UserStatus,
        now: Timestamp,
    ) -> Result<(), Stop> {
        settled!(|_round| self.set_user_status_once(id, status, now))
    }

    async fn set_user_status_once(
        &self,
        id: UserId,
        status: crate::user::UserStatus,
        now: Timestamp,
    ) -> Result<(), Halt> {
        let user = self.store().user(UserKey::Id(id)).await?;
        let user = user.filter(|user| user.status.may_sign_in());
        let user = user.ok_or(Refusal::NotSignedIn)?;
        let mut user = User::clone(&user);
        let mut changes = Vec::new();
        if status == UserStatus::Restricted && user.status != status {
            let by = EndedBy::Disabled;
            changes = self.tell_ends(&user, None, by, now).await?;
        }
        user.status = status;
        user.version += 1;
        changes.push(Change::Put(Record::User(user)));
        changes.push(self.event("user.status", Some(id), None, "", now));
        self.commit(changes).await?;
        Ok(())
    }
}

fn checked_name(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    let fits =
        !name.is_empty() && name.chars().count() <= 64 && !name.chars().any(char::is_control);
    if fits {
        Ok(name.to_owned())
    } else {
        Err(Refusal::ProfileUnfit("name"))
    }
}

/// A secret that was drawn elsewhere: long enough, and without blanks that get lost on the way.
fn check_secret(secret: &Secret) -> Result<(), Refusal> {
    let text = secret.expose();
    let fits = (8..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    fits.then_some(()).ok_or(Refusal::Malformed("secret"))
}

/// Checks what a client registers of itself.
fn check_client(client: &Client) -> Result<(), Refusal> {
    if !client.redirects.iter().all(RedirectRule::is_sound) {
        return Err(Refusal::RedirectMalformed);
    }
    let native = &client.native;
    let fields = [
        (&native.ios_bundle, "ios_bundle"),
        (&native.ios_universal_link, "ios_universal_link"),
        (&native.android_package, "android_package"),
        (&native.android_signature, "android_signature"),
        (&native.harmony_bundle, "harmony_bundle"),
        (&native.harmony_identifier, "harmony_identifier"),
    ];
    for (field, name) in fields {
        let plain = |text: &String| {
            (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if field.as_ref().is_some_and(|text| !plain(text)) {
            return Err(Refusal::Malformed(name));
        }
    }
    // §11.3: https, no query, ends with a slash so that the appid can follow. A link to this
    // machine may be plain http: it is how a stand-in for an app is reached in development.
    let link_is_sound = native.ios_universal_link.as_ref().is_none_or(|link| {
        let here = ["http://127.0.0.1:", "http://localhost:"];
        (link.starts_with("https://") || here.iter().any(|start| link.starts_with(start)))
            && link.ends_with('/')
            && RedirectRule::Exact(link.clone()).is_sound()
            && !link.contains('?')
    });
    if !link_is_sound {
        return Err(Refusal::Malformed("ios_universal_link"));
    }
    // §11.4: 32 hexadecimal digits without colons.
    let digest_is_sound = native.android_signature.as_ref().is_none_or(|digest| {
        digest.len() == 32
            && digest
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    });
    if !digest_is_sound {
        return Err(Refusal::Malformed("android_signature"));
    }
    Ok(())
}
