//! Everything that is kept about a person, for that person: without secrets.

use serde::Serialize;

use super::persons;
use crate::engine::Engine;
use crate::identity::{Identity, IdentityStatus};
use crate::login::body::{DeviceSession, Ending};
use crate::login::{Authenticated, LoginRefusal, LoginStop};
use crate::ticket::Kind;
use crate::time::Timestamp;
use crate::user::{Profile, UserStatus};

/// The most events that are told.
const EVENTS: usize = 1000;

/// Everything that is kept about a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Export {
    /// The account's id.
    pub user: String,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the person last logged in.
    pub seen_at: Option<Timestamp>,
    /// The version of the terms that was accepted.
    pub consent: String,
    /// What the person tells of themselves.
    pub profile: Profile,
    /// The phone number, whole.
    pub phone: Option<String>,
    /// Whether a password is set.
    pub has_password: bool,
    /// What the person is known by at upstreams.
    pub identities: Vec<ExportedIdentity>,
    /// The devices that are or were logged in, as far as it is still known.
    pub sessions: Vec<ExportedSession>,
    /// What happened to the account, newest first, as far back as it is kept.
    pub events: Vec<ExportedEvent>,
}

/// An upstream identity of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedIdentity {
    /// The platform.
    pub provider: &'static str,
    /// Our app there.
    pub app: String,
    /// The platform's name of the person for that app.
    pub openid: String,
    /// The platform's names of the person for all our apps, the present one last.
    pub unionids: Vec<String>,
    /// Whether the authorization was withdrawn there.
    pub revoked: bool,
    /// When it was linked.
    pub linked_at: Timestamp,
    /// The shown name there.
    pub nickname: String,
    /// The address of the picture there.
    pub avatar: String,
}

/// A device of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedSession {
    /// The app's own name of the device.
    pub device_id: String,
    /// The device's platform.
    pub platform: String,
    /// From which address the session began.
    pub address: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When it was last refreshed.
    pub seen_at: Timestamp,
    /// When it ends or ended.
    pub ends_at: Timestamp,
    /// How it ended, if something ended it.
    pub ended: Option<Ending>,
}

/// Something that happened to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: String,
    /// A short detail.
    pub detail: String,
}

impl Engine {
    /// Everything that is kept about the person who asks.
    ///
    /// # Errors
    /// [`LoginRefusal::SessionInvalid`] when the account is gone meanwhile; faults of the store.
    pub async fn export(&self, auth: &Authenticated) -> Result<Export, LoginStop> {
        let user = self.load(auth.user).await?;
        let id = auth.user;
        let user = user.filter(|user| user.status == UserStatus::Active);
        let user = user.ok_or(LoginRefusal::SessionInvalid)?;
        let mut sessions = Vec::new();
        for raw in self.store().tickets_of(id, Kind::Device).await? {
            let row = raw.open::<DeviceSession>()?;
            let ended = row.body.ended.as_ref();
            sessions.push(ExportedSession {
                began_at: row.body.began_at,
                seen_at: row.body.seen_at,
                ends_at: ended.map_or(row.expires_at, |ended| ended.at),
                ended: ended.map(|ended| ended.by),
                device_id: row.body.device_id,
                platform: row.body.platform,
                address: row.body.address,
            });
        }
        let events = self.browse().events_of(id, EVENTS).await?;
        Ok(Export {
            user: id.to_string(),
            created_at: user.created_at,
            seen_at: user.seen_at,
            has_password: user.password.is_some(),
            phone: user.phone.as_ref().map(ToString::to_string),
            identities: user.identities.iter().map(told).collect(),
            consent: user.consent,
            profile: user.profile,
            sessions,
            events: events
                .into_iter()
                .map(|event| ExportedEvent {
                    at: event.at,
                    what: event.what,
                    detail: event.detail,
                })
                .collect(),
        })
    }
}

fn told(identity: &Identity) -> ExportedIdentity {
    ExportedIdentity {
        provider: identity.key.provider.word(),
        app: identity.key.app.to_string(),
        openid: identity.key.subject.clone(),
        unionids: persons(identity)
            .into_iter()
            .map(|person| person.id)
            .collect(),
        revoked: identity.status == IdentityStatus::Revoked,
        linked_at: identity.linked_at,
        nickname: identity.nickname.clone(),
        avatar: identity.avatar.clone(),
    }
}
