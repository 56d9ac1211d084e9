//! Two accounts of one person become one: its logins move, and can move back for a while.
//!
//! What moves is what a person is known by. The data of the app is the app's to move: it is told
//! when a merge was proposed, and again when it is final or was undone.

use std::collections::BTreeSet;

use serde_json::json;

use super::bind::{enterable, open_to_ticket};
use super::deletion::{faulty, forget};
use super::ending::EndedBy;
use super::{LoginHalt, Row, amend, masked_name, persons, put, settled_login};
use crate::engine::Engine;
use crate::id::{MergeId, UserId};
use crate::identity::{Identity, Person};
use crate::login::body::Merge;
use crate::login::{LoginRefusal, LoginStop, Taken};
use crate::refusal::Fault;
use crate::store::{Change, Record};
use crate::ticket::{Kind, RawTicket, Ticket};
use crate::time::Timestamp;
use crate::user::{Handle, Phone, User, UserStatus};

/// How far a merge came, as webhooks are told.
#[derive(Clone, Copy)]
enum Phase {
    Proposed,
    Final,
    Undone,
}

impl Phase {
    const fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Final => "final",
            Self::Undone => "undone",
        }
    }
}

impl Engine {
    /// Moves the logins of one account to another, on the word of an operator: identities, and
    /// the phone number where the other account has none. For a while it can be undone.
    ///
    /// # Errors
    /// [`LoginRefusal::BadRequest`] when `from` or `to` is nobody, or they are the same, or `from`
    /// has nothing to move, or `to` is known by nothing; [`LoginRefusal::Deleting`],
    /// [`LoginRefusal::Disabled`] when one of them may not be entered;
    /// [`LoginRefusal::PhoneTaken`] when they are two people at the same platform.
    pub async fn merge_users(
        &self,
        from: UserId,
        to: UserId,
        by: &str,
        now: Timestamp,
    ) -> Result<MergeId, LoginStop> {
        settled_login!(self.merge_named(from, to, by, now))
    }

    async fn merge_named(
        &self,
        from: UserId,
        to: UserId,
        by: &str,
        now: Timestamp,
    ) -> Result<MergeId, LoginHalt> {
        let from = self.mergeable("from", from).await?;
        let mut to = self.mergeable("to", to).await?;
        if from.id == to.id || is_bare(&to) {
            return Err(LoginRefusal::BadRequest { field: "to" }.into());
        }
        if differ(&from.identities, &to.identities) {
            return Err(other_person(&to).into());
        }
        let (id, mut changes) = self.merging(from, &mut to, by, now).await?;
        changes.push(put(&mut to));
        self.commit(changes).await?;
        Ok(id)
    }

    /// An account that may take part in a merge.
    async fn mergeable(&self, field: &'static str, id: UserId) -> Result<User, LoginHalt> {
        let nobody = LoginRefusal::BadRequest { field };
        let user = self.load(id).await?.ok_or(nobody.clone())?;
        match user.status {
            UserStatus::Deleted | UserStatus::Merged(_) => Err(nobody.into()),
            _ => {
                enterable(&user)?;
                Ok(user)
            }
        }
    }

    /// The changes that move the logins of one account to another, its record included; that of
    /// the other is the caller's to put, after them.
    pub(super) async fn merge_changes(
        &self,
        from: User,
        to: &mut User,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        Ok(self.merging(from, to, by, now).await?.1)
    }

    async fn merging(
        &self,
        mut from: User,
        to: &mut User,
        by: &str,
        now: Timestamp,
    ) -> Result<(MergeId, Vec<Change>), LoginHalt> {
        if collide(&from.identities, &to.identities) {
            return Err(other_person(to).into());
        }
        let phone = if to.phone.is_none() {
            from.phone.take()
        } else {
            None
        };
        let moved = std::mem::take(&mut from.identities);
        if moved.is_empty() && phone.is_none() {
            return Err(LoginRefusal::BadRequest { field: "from" }.into());
        }
        let mut changes = rehandle(&handles_of(&moved, phone.as_ref()), from.id, to.id);
        to.identities.extend(moved.iter().cloned());
        if phone.is_some() {
            to.phone.clone_from(&phone);
        }
        if is_bare(&from) {
            from.status = UserStatus::Merged(to.id);
        }
        from.replacing = None;
        changes.extend(
            self.end_others(&mut from, None, EndedBy::Merged, now)
                .await?,
        );
        changes.push(put(&mut from));
        let number = self.draw_number();
        let row = Row {
            number,
            hash: self.numbered(Kind::Merge, number),
            family: None,
            user: Some(to.id),
            body: Merge {
                from: from.id,
                identities: moved,
                phone,
                at: now,
                by: by.to_owned(),
                undone: false,
            },
            now,
            expires_at: now.plus(self.login().merge_undo),
        };
        changes.push(row.issue()?);
        let id = MergeId(number);
        changes.extend(self.tell_merge(id, Phase::Proposed, from.id, to.id, now));
        Ok((id, changes))
    }

    /// What webhooks and both accounts' audits hear of a merge.
    fn tell_merge(
        &self,
        id: MergeId,
        phase: Phase,
        from: UserId,
        to: UserId,
        now: Timestamp,
    ) -> Vec<Change> {
        let phase = phase.word();
        let data = json!({
            "merge": id.to_string(),
            "phase": phase,
            "from": from.to_string(),
            "to": to.to_string(),
        });
        let mut changes = self.notices("user.merged", to, &data, now);
        for (user, other) in [
            (to, format!("{id} {phase} from {from}")),
            (from, format!("{id} {phase} to {to}")),
        ] {
            changes.push(self.event("user.merged", Some(user), None, &other, now));
        }
        changes
    }

    // --- final ---------------------------------------------------------------------------------

    /// Makes the merges final whose time to be undone is over, at most `limit`; answers how many.
    ///
    /// # Errors
    /// The store's faults, after the others were finished.
    pub async fn finish_merges(&self, now: Timestamp, limit: usize) -> Result<u64, Fault> {
        let mut finished = 0;
        let mut failed = None;
        for raw in self.browse().due(Kind::Merge, now, limit).await? {
            let done: Result<bool, LoginStop> = settled_login!(self.finish_merge(&raw, now));
            match done {
                Ok(done) => finished += u64::from(done),
                Err(stop) => failed = failed.or(Some(faulty(stop))),
            }
        }
        failed.map_or(Ok(finished), Err)
    }

    async fn finish_merge(&self, raw: &RawTicket, now: Timestamp) -> Result<bool, LoginHalt> {
        let row = self.store().ticket(Kind::Merge, raw.ticket.number).await?;
        let open =
            row.filter(|row| row.ticket.taken_at.is_none() && row.ticket.revoked_at.is_none());
        let Some(open) = open else {
            return Ok(false);
        };
        let open = open.open::<Merge>()?;
        let mut changes = close_merge(&open, false, now)?;
        if let Some(to) = open.user {
            changes.extend(self.forget_merged(open.body.from, to, now).await?);
            let id = MergeId(open.number);
            changes.extend(self.tell_merge(id, Phase::Final, open.body.from, to, now));
        }
        self.commit(changes).await?;
        Ok(true)
    }

    /// A merge into an account that is erased cannot be undone: what it remembered goes too, and
    /// what was left of the accounts that were emptied into it.
    pub(super) async fn forget_merges(
        &self,
        to: UserId,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let mut changes = Vec::new();
        // What was emptied into it may itself have been merged into before.
        let mut known = BTreeSet::from([to]);
        let mut into = vec![to];
        while let Some(to) = into.pop() {
            for raw in self.store().tickets_of(to, Kind::Merge).await? {
                let row = raw.open::<Merge>()?;
                if row.taken_at.is_some() || row.revoked_at.is_some() {
                    continue;
                }
                changes.extend(close_merge(&row, false, now)?);
                let from = row.body.from;
                if known.insert(from) && self.is_emptied(from, to).await? {
                    changes.extend(self.forget_merged(from, to, now).await?);
                    into.push(from);
                }
            }
        }
        Ok(changes)
    }

    async fn is_emptied(&self, from: UserId, to: UserId) -> Result<bool, Fault> {
        let emptied = self.load(from).await?;
        Ok(emptied.is_some_and(|from| from.status == UserStatus::Merged(to)))
    }

    /// An account that was emptied into another tells nothing of the person any more.
    async fn forget_merged(
        &self,
        from: UserId,
        to: UserId,
        now: Timestamp,
    ) -> Result<Vec<Change>, LoginHalt> {
        let emptied = self.load(from).await?;
        let emptied = emptied.filter(|from| from.status == UserStatus::Merged(to));
        let Some(mut from) = emptied else {
            return Ok(Vec::new());
        };
        let mut changes = self.forget_sessions(from.id, now).await?;
        forget(&mut from);
        changes.push(put(&mut from));
        Ok(changes)
    }

    // --- undone --------------------------------------------------------------------------------

    /// Moves everything back that a merge moved, while that may be done. The sessions of both
    /// accounts end: nobody knows which of them were whose.
    ///
    /// # Errors
    /// [`LoginRefusal::TicketInvalid`] when there is no such merge (any more);
    /// [`LoginRefusal::WechatTaken`], [`LoginRefusal::PhoneTaken`] when what moved has another
    /// owner since, or its place is taken; [`LoginRefusal::LastIdentity`] when nothing would be
    /// left to the other account; [`LoginRefusal::Deleting`], [`LoginRefusal::Disabled`] when one
    /// of them may not be entered.
    pub async fn undo_merge(&self, id: MergeId, now: Timestamp) -> Result<(), LoginStop> {
        settled_login!(self.move_back(id, now))
    }

    async fn move_back(&self, id: MergeId, now: Timestamp) -> Result<(), LoginHalt> {
        let gone = LoginRefusal::TicketInvalid;
        let row = self.store().ticket(Kind::Merge, id.0).await?;
        let row = row.ok_or(gone.clone())?.open::<Merge>()?;
        let owner = row.user.filter(|_| row.is_alive(now)).ok_or(gone.clone())?;
        let mut to = self.load(owner).await?.ok_or(gone.clone())?;
        let mut from = self.load(row.body.from).await?.ok_or(gone.clone())?;
        match from.status {
            UserStatus::Merged(into) if into == to.id => from.status = UserStatus::Active,
            UserStatus::Deleted | UserStatus::Merged(_) => return Err(gone.into()),
            _ => {}
        }
        open_to_ticket(&from)?;
        open_to_ticket(&to)?;
        let mut changes = take_back(&row.body, &mut from, &mut to)?;
        if is_bare(&to) {
            return Err(LoginRefusal::LastIdentity.into());
        }
        changes.extend(
            self.end_others(&mut from, None, EndedBy::Merged, now)
                .await?,
        );
        changes.extend(self.end_others(&mut to, None, EndedBy::Merged, now).await?);
        changes.push(put(&mut from));
        changes.push(put(&mut to));
        changes.extend(close_merge(&row, true, now)?);
        changes.extend(self.tell_merge(id, Phase::Undone, from.id, to.id, now));
        self.commit(changes).await?;
        Ok(())
    }
}

/// Ends a merge for good: its row remembers nothing more of the person.
fn close_merge(row: &Ticket<Merge>, undone: bool, now: Timestamp) -> Result<Vec<Change>, Fault> {
    let bare = Merge {
        identities: Vec::new(),
        phone: None,
        undone,
        ..row.body.clone()
    };
    let take = Change::Take {
        kind: Kind::Merge,
        number: row.number,
        at: now,
    };
    Ok(vec![amend(row, &bare, row.expires_at)?, take])
}

/// Whether an account is known by nothing.
fn is_bare(user: &User) -> bool {
    user.phone.is_none() && user.identities.is_empty()
}

fn other_person(to: &User) -> LoginRefusal {
    let names = to
        .identities
        .iter()
        .map(|identity| identity.nickname.as_str());
    let name = names
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    LoginRefusal::PhoneTaken {
        reason: Taken::OtherWechat,
        other: masked_name(name),
    }
}

/// Whether two accounts have different logins at one app: an account has room for one.
fn collide(a: &[Identity], b: &[Identity]) -> bool {
    pairs(a, b).any(|(a, b)| {
        (a.key.provider, &a.key.app) == (b.key.provider, &b.key.app) && a.key != b.key
    })
}

/// Whether two accounts are of two people, as far as anybody can tell: they have different logins
/// at one app, or were told different people within one scope.
fn differ(a: &[Identity], b: &[Identity]) -> bool {
    let people =
        |a: &Person, b: &Person| (a.provider, &a.scope) == (b.provider, &b.scope) && a.id != b.id;
    let told = pairs(a, b).any(|(a, b)| match (&a.person, &b.person) {
        (Some(a), Some(b)) => people(a, b),
        _ => false,
    });
    told || collide(a, b)
}

fn pairs<'a>(
    a: &'a [Identity],
    b: &'a [Identity],
) -> impl Iterator<Item = (&'a Identity, &'a Identity)> {
    a.iter().flat_map(move |a| b.iter().map(move |b| (a, b)))
}

/// The handles of identities and of a number.
fn handles_of(identities: &[Identity], phone: Option<&Phone>) -> Vec<Handle> {
    let mut handles: Vec<_> = phone.cloned().map(Handle::Phone).into_iter().collect();
    for identity in identities {
        handles.push(Handle::of(&identity.key));
        handles.extend(persons(identity).iter().map(Handle::of_person));
    }
    handles
}

/// Moves handles from one user to another. A handle that neither of them had stays away: another
/// user's is a clash, and so is never taken.
fn rehandle(handles: &[Handle], from: UserId, to: UserId) -> Vec<Change> {
    let mut changes = Vec::new();
    for handle in handles {
        changes.push(Change::DropHandle(handle.clone(), from));
        changes.push(Change::Put(Record::Handle(handle.clone(), to)));
    }
    changes
}

/// What a merge moved goes back, as it is now: the changes that move the handles.
fn take_back(merge: &Merge, from: &mut User, to: &mut User) -> Result<Vec<Change>, LoginRefusal> {
    let taken = || LoginRefusal::PhoneTaken {
        reason: Taken::OtherAccount,
        other: String::new(),
    };
    if merge.phone.is_some() {
        if to.phone != merge.phone || from.phone.is_some() {
            return Err(taken());
        }
        from.phone = to.phone.take();
    }
    let was_moved = |known: &Identity| merge.identities.iter().any(|moved| moved.key == known.key);
    let (mut back, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut to.identities)
        .into_iter()
        .partition(was_moved);
    to.identities = kept;
    if back.len() != merge.identities.len() || collide(&back, &from.identities) {
        return Err(LoginRefusal::WechatTaken);
    }
    let staying: Vec<Person> = to.identities.iter().flat_map(persons).collect();
    for identity in &mut back {
        part(identity, &merge.identities, &staying);
    }
    let handles = handles_of(&back, merge.phone.as_ref());
    from.identities.extend(back);
    Ok(rehandle(&handles, to.id, from.id))
}

/// A person that the other account has another login of stays there: the login that goes back
/// knows again only what it knew before.
fn part(identity: &mut Identity, moved: &[Identity], staying: &[Person]) {
    let before = moved.iter().find(|moved| moved.key == identity.key);
    if persons(identity)
        .iter()
        .any(|person| staying.contains(person))
    {
        identity.person = before.and_then(|before| before.person.clone());
        identity.former = before
            .map(|before| before.former.clone())
            .unwrap_or_default();
    }
}
