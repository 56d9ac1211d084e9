//! What an operator does to people beside their standing: gives them another number, closes their
//! account.

use super::account::sessions_end;
use super::{Engine, Halt, settled};
use crate::grant::Grant;
use crate::id::UserId;
use crate::refusal::{Refusal, Stop};
use crate::store::{Change, Record, UserKey};
use crate::time::Timestamp;
use crate::user::{Handle, Phone, Profile, User, UserStatus};

impl Engine {
    /// Gives a user another number, which the operator vouches for; the old one is free again.
    ///
    /// # Errors
    /// [`Refusal::NotSignedIn`] for an unknown user and for one that is gone;
    /// [`Refusal::Malformed`] (`phone`) when the number has an account.
    pub async fn move_number(
        &self,
        user: UserId,
        phone: &Phone,
        now: Timestamp,
    ) -> Result<(), Stop> {
        settled!(|_round| self.move_number_once(user, phone, now))
    }

    async fn move_number_once(
        &self,
        id: UserId,
        phone: &Phone,
        now: Timestamp,
    ) -> Result<(), Halt> {
        let mut user = self.somebody(id).await?;
        if user.phone.as_ref() == Some(phone) {
            return Ok(());
        }
        let handle = Handle::Phone(phone.clone());
        if self.store().user(UserKey::Handle(&handle)).await?.is_some() {
            return Err(Refusal::Malformed("phone").into());
        }
        let mut changes = Vec::new();
        if let Some(old) = user.phone.replace(phone.clone()) {
            changes.push(Change::DropHandle(Handle::Phone(old), id));
        }
        changes.push(Change::Put(Record::Handle(handle, id)));
        user.version += 1;
        changes.push(Change::Put(Record::User(user)));
        changes.push(self.event("user.phone", Some(id), None, "", now));
        self.commit(changes).await?;
        Ok(())
    }

    /// Closes a user's account for good: every yes is taken back, every session is over, the
    /// number is free again, and nothing is left of the person but the id.
    ///
    /// # Errors
    /// [`Refusal::NotSignedIn`] for an unknown user and for one that is gone.
    pub async fn close_user(&self, user: UserId, now: Timestamp) -> Result<(), Stop> {
        settled!(|_round| self.close_user_once(user, now))
    }

    async fn close_user_once(&self, id: UserId, now: Timestamp) -> Result<(), Halt> {
        let user = self.somebody(id).await?;
        let mut changes = Vec::new();
        for grant in self.ports.browse.grants_of(id).await? {
            changes.push(Change::Put(Record::Grant(Grant {
                revoked_at: Some(now),
                version: grant.version + 1,
                ..grant
            })));
        }
        if let Some(phone) = &user.phone {
            changes.push(Change::DropHandle(Handle::Phone(phone.clone()), id));
        }
        changes.push(Change::Put(Record::User(User {
            profile: Profile::default(),
            phone: None,
            password: None,
            status: UserStatus::Deleted,
            sessions_from: sessions_end(&user, now),
            version: user.version + 1,
            ..user
        })));
        changes.push(self.event("user.closed", Some(id), None, "", now));
        self.commit(changes).await?;
        Ok(())
    }

    /// Somebody who is still there.
    async fn somebody(&self, id: UserId) -> Result<User, Stop> {
        let user = self.store().user(UserKey::Id(id)).await?;
        let user = user.filter(|user| user.status.may_sign_in());
        let user = user.ok_or(Refusal::NotSignedIn)?;
        Ok(User::clone(&user))
    }
}
