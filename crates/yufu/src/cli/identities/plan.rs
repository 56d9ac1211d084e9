//! Which of several accounts of one person stays, and what stands in the way.

use yufu_core::id::UserId;
use yufu_core::identity::Identity;
use yufu_core::time::Timestamp;
use yufu_core::user::{Phone, User, UserStatus};

/// The columns of a plan.
pub(crate) const COLUMNS: &[&str] = &["from", "to", "why", "hindrance"];
/// The hindrance of a pair that nobody has judged: which of the two stays is decided when it is
/// merged.
pub(crate) const UNJUDGED: &str = "unjudged";

/// An account as far as it matters for a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: UserId,
    /// What an export calls it.
    pub(crate) name: Option<String>,
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) phone: Option<Phone>,
    pub(crate) identities: Vec<Identity>,
    pub(crate) status: UserStatus,
}

impl Member {
    /// Somebody of whom nothing is known yet.
    pub(crate) fn new(id: UserId, name: Option<&str>) -> Self {
        Self {
            id,
            name: name.map(str::to_owned),
            created_at: None,
            phone: None,
            identities: Vec::new(),
            status: UserStatus::Active,
        }
    }

    /// Learns of an account, or of a part of one.
    pub(crate) fn add(&mut self, user: &User) {
        let oldest = [self.created_at, Some(user.created_at)]
            .into_iter()
            .flatten()
            .min();
        self.created_at = oldest;
        if self.phone.is_none() {
            self.phone.clone_from(&user.phone);
        }
        if user.status != UserStatus::Active {
            self.status = user.status;
        }
        for identity in &user.identities {
            if self
                .identities
                .iter()
                .all(|known| known.key != identity.key)
            {
                self.identities.push(identity.clone());
            }
        }
    }

    /// An account as it is.
    pub(crate) fn of(user: &User) -> Self {
        let mut member = Self::new(user.id, None);
        member.add(user);
        member
    }

    /// Who it is, for people: the export's name, or the id.
    pub(crate) fn shown(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// What stands in the way of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hindrance {
    /// One of them is disabled: whoever closed it decides.
    Disabled,
    /// One of them is about to be deleted, or gone.
    Ending,
    /// They have two numbers: maybe two people.
    TwoPhones,
    /// They have two openids at one app: two people there.
    TwoOpenids,
    /// They have two unionids in one account: two people there.
    TwoUnionids,
}

impl Hindrance {
    /// The word for it in plans.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Ending => "ending",
            Self::TwoPhones => "two-phones",
            Self::TwoOpenids => "two-openids",
            Self::TwoUnionids => "two-unionids",
        }
    }
}

/// One account that would go into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) from: Member,
    pub(crate) to: Member,
    pub(crate) hindrance: Option<Hindrance>,
}

/// Which of them stays: the oldest that has a number, since that one can be proved by a passcode;
/// the oldest, where none has. One that is closed or ending only stays where all are.
pub(crate) fn steps(members: &[Member], force_phones: bool) -> Vec<Step> {
    let rank = |member: &&Member| {
        let is_closed = closed(member).is_some();
        (
            is_closed,
            member.phone.is_none(),
            member.created_at,
            member.id,
        )
    };
    let Some(to) = members.iter().min_by_key(rank) else {
        return Vec::new();
    };
    let mut to = to.clone();
    let mut others: Vec<&Member> = members.iter().filter(|member| member.id != to.id).collect();
    others.sort_by_key(rank);
    let mut steps = Vec::new();
    for from in others {
        let hindrance = hindrance(from, &to, force_phones);
        let before = to.clone();
        if hindrance.is_none() {
            to.identities.extend(from.identities.iter().cloned());
            to.phone = to.phone.or_else(|| from.phone.clone());
        }
        steps.push(Step {
            from: from.clone(),
            to: before,
            hindrance,
        });
    }
    steps
}

/// What stands in the way of moving one account's logins to another.
pub(crate) fn hindrance(from: &Member, to: &Member, force_phones: bool) -> Option<Hindrance> {
    if let Some(hindrance) = closed(from).or(closed(to)) {
        return Some(hindrance);
    }
    let mut pairs = from
        .identities
        .iter()
        .flat_map(|a| to.identities.iter().map(move |b| (a, b)));
    let told = pairs.clone().any(|(a, b)| match (&a.person, &b.person) {
        (Some(a), Some(b)) => (a.provider, &a.scope) == (b.provider, &b.scope) && a.id != b.id,
        _ => false,
    });
    if told {
        return Some(Hindrance::TwoUnionids);
    }
    let collide = pairs.any(|(a, b)| {
        (a.key.provider, &a.key.app) == (b.key.provider, &b.key.app) && a.key != b.key
    });
    if collide {
        return Some(Hindrance::TwoOpenids);
    }
    match (&from.phone, &to.phone) {
        (Some(a), Some(b)) if a != b && !force_phones => Some(Hindrance::TwoPhones),
        _ => None,
    }
}

fn closed(member: &Member) -> Option<Hindrance> {
    match member.status {
        UserStatus::Active => None,
        UserStatus::Restricted => Some(Hindrance::Disabled),
        UserStatus::Deleting(_) | UserStatus::Deleted | UserStatus::Merged(_) => {
            Some(Hindrance::Ending)
        }
    }
}

#[cfg(test)]
mod tests {
    use yufu_core::id::{ClientId, Number};
    use yufu_core::identity::{IdentityKey, IdentityStatus, Person, Provider};

    use super::*;

    fn member(id: u64, created: i64, phone: Option<&str>, keys: &[(&str, &str, &str)]) -> Member {
        let identities = keys.iter().map(|(app, openid, unionid)| Identity {
            key: IdentityKey {
                provider: Provider::Wechat,
                app: ClientId::new(app),
                subject: (*openid).to_owned(),
            },
            person: (!unionid.is_empty()).then(|| Person {
                provider: Provider::Wechat,
                scope: "north".into(),
                id: (*unionid).to_owned(),
            }),
            former: Vec::new(),
            status: IdentityStatus::Linked,
            linked_at: Timestamp(0),
            nickname: String::new(),
            avatar: String::new(),
        });
        Member {
            created_at: Some(Timestamp(created)),
            phone: phone.map(|phone| Phone::parse(phone).unwrap()),
            identities: identities.collect(),
            ..Member::new(UserId(Number(id)), None)
        }
    }

    fn outcome(members: &[Member], force: bool) -> Vec<(u64, u64, Option<Hindrance>)> {
        let steps = steps(members, force);
        steps
            .iter()
            .map(|s| (s.from.id.0.0, s.to.id.0.0, s.hindrance))
            .collect()
    }

    const P: Option<&str> = Some("13800000001");
    const Q: Option<&str> = Some("13800000002");

    #[test]
    fn the_oldest_with_a_number_stays() {
        let old = member(1, 10, None, &[("a", "o1", "u")]);
        let young = member(2, 20, P, &[("b", "o2", "u")]);
        let younger = member(3, 30, None, &[("c", "o3", "u")]);
        let all = [old.clone(), young.clone(), younger.clone()];
        assert_eq!(outcome(&all, false), [(1, 2, None), (3, 2, None)]);
        assert_eq!(outcome(&[younger, old], false), [(3, 1, None)]);
        assert_eq!(outcome(&[young], false), []);
    }

    #[test]
    fn one_that_is_closed_neither_stays_nor_goes() {
        let mut old = member(1, 10, P, &[("a", "o1", "u")]);
        let young = member(2, 20, None, &[("b", "o2", "u")]);
        old.status = UserStatus::Restricted;
        let all = [old.clone(), young.clone()];
        assert_eq!(outcome(&all, true), [(1, 2, Some(Hindrance::Disabled))]);
        old.status = UserStatus::Deleting(Timestamp(5));
        assert_eq!(
            outcome(&[old, young], true),
            [(1, 2, Some(Hindrance::Ending))]
        );
    }

    #[test]
    fn two_numbers_want_force_and_two_people_none_at_all() {
        let a = member(1, 10, P, &[("a", "o1", "u")]);
        let b = member(2, 20, Q, &[("b", "o2", "u")]);
        assert_eq!(
            outcome(&[a.clone(), b.clone()], false),
            [(2, 1, Some(Hindrance::TwoPhones))]
        );
        assert_eq!(outcome(&[a.clone(), b], true), [(2, 1, None)]);
        let same_app = member(3, 30, None, &[("a", "o9", "")]);
        let other = member(4, 40, None, &[("d", "o4", "w")]);
        assert_eq!(
            outcome(&[a, same_app, other], true),
            [
                (3, 1, Some(Hindrance::TwoOpenids)),
                (4, 1, Some(Hindrance::TwoUnionids))
            ]
        );
    }

    #[test]
    fn what_moved_before_counts_for_what_moves_next() {
        let to = member(1, 10, P, &[("a", "o1", "u")]);
        let one = member(2, 20, None, &[("b", "o2", "u")]);
        let two = member(3, 30, None, &[("b", "o3", "")]);
        assert_eq!(
            outcome(&[to, one, two], false),
            [(2, 1, None), (3, 1, Some(Hindrance::TwoOpenids))]
        );
    }
}
