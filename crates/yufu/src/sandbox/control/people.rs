//! The people of the sandbox: who they are, and what is unusual about them.

use std::sync::Arc;

use serde_json::{Value, json};
use yufu_core::engine::UserDraft;
use yufu_core::id::UserId;
use yufu_core::refusal::{Refusal, Stop};
use yufu_core::time::Timestamp;
use yufu_core::user::{Phone, Profile, Sex, User, UserStatus};

use super::answer::{Refused, Said};
use super::person::{PersonDraft, SEXES, STANDINGS, draft};
use super::table::{Asked, Call, Endpoint, Field, Kind, Verb, Work, work};
use crate::read::Complaints;
use crate::sandbox::SeededPerson;
use crate::sandbox::events::{self, Happened};
use crate::sandbox::seed::{self, PASSWORD, PASSWORD_HASH};
use crate::sandbox::state::Sandbox;

const PATH: &str = "/_sandbox/people";
const ONE: &str = "/_sandbox/people/{name}";
const ANSWER: &str = r#"{"name":"zoe","phone":"+8613800000009","password":"yufu-dev-2026","nickname":"Zoé 🦊","sex":"female","country":"中国","province":"湖南","city":"长沙","avatar":"face","unionid":true,"standing":"active","installed":true}"#;
const LIST: &str = r#"{"people":[{"name":"zoe","phone":"+8613800000009","password":"yufu-dev-2026","nickname":"Zoé 🦊","sex":"female","country":"中国","province":"湖南","city":"长沙","avatar":"face","unionid":true,"standing":"active","installed":true}]}"#;

const NAME: Field = Field::must(
    "name",
    Kind::Text,
    "A short name for commands: small letters, digits, - and _.",
    "zoe",
);
const FIELDS: [Field; 10] = [
    Field::may(
        "phone",
        Kind::Text,
        "The number; a free one is drawn where none is given.",
        "+8613800000009",
    ),
    Field::may(
        "nickname",
        Kind::Text,
        "The shown name, in any script.",
        "Zoé 🦊",
    ),
    Field::may(
        "sex",
        Kind::Word(SEXES),
        "Told where a client has the old profile.",
        "female",
    ),
    Field::may("country", Kind::Text, "The same.", "中国"),
    Field::may("province", Kind::Text, "The same.", "湖南"),
    Field::may("city", Kind::Text, "The same.", "长沙"),
    Field::may(
        "avatar",
        Kind::Text,
        "`face` for a drawn picture, `none`, or the address of one.",
        "face",
    ),
    Field::may(
        "unionid",
        Kind::Flag,
        "Whether apps are told a unionid.",
        "true",
    ),
    Field::may(
        "standing",
        Kind::Word(STANDINGS),
        "`restricted`: the platform lets them do nothing; `closed`: the account is gone, for good.",
        "active",
    ),
    Field::may(
        "installed",
        Kind::Flag,
        "Whether the platform's app is on the phone.",
        "true",
    ),
];
const NEW: &[Field] = &[
    NAME, FIELDS[0], FIELDS[1], FIELDS[2], FIELDS[3], FIELDS[4], FIELDS[5], FIELDS[6], FIELDS[7],
    FIELDS[8], FIELDS[9],
];

/// The calls.
pub const ROWS: &[Endpoint] = &[
    Endpoint {
        about: "Everybody.",
        answer: LIST,
        ..Endpoint::new(Verb::Get, PATH, "people", Call::Json(list))
    },
    Endpoint {
        about: "Adds somebody.",
        fields: NEW,
        answer: ANSWER,
        ..Endpoint::new(Verb::Post, PATH, "people", Call::Json(add))
    },
    Endpoint {
        about: "Changes somebody; what is not given stays.",
        more: "Apps with a push address that they authorized are told, as `POST /_sandbox/events` has it: of a closed account, and of another profile as if the platform had cleaned it.",
        fields: &FIELDS,
        answer: ANSWER,
        ..Endpoint::new(Verb::Patch, ONE, "people", Call::Json(edit))
    },
    Endpoint {
        about: "Closes somebody's account and forgets them; their number is free again.",
        more: "Apps with a push address that they authorized are told: `user_authorization_cancellation`.",
        answer: r#"{"closed":"zoe"}"#,
        ..Endpoint::new(Verb::Delete, ONE, "people", Call::Json(delete))
    },
];

impl PersonDraft {
    /// A profile with what is said here in it.
    fn onto(&self, mut profile: Profile, name: &str, platform: &str) -> Profile {
        for (field, text) in &self.texts {
            let place = match *field {
                "nickname" => &mut profile.nickname,
                "country" => &mut profile.country,
                "province" => &mut profile.province,
                _ => &mut profile.city,
            };
            place.clone_from(text);
        }
        match self.sex {
            Some("male") => profile.sex = Sex::Male,
            Some("female") => profile.sex = Sex::Female,
            Some(_) => profile.sex = Sex::Unknown,
            None => {}
        }
        match self.avatar.as_deref() {
            Some("face") => profile.avatar = seed::face(true, name, platform),
            Some("none") => profile.avatar = String::new(),
            Some(address) => address.clone_into(&mut profile.avatar),
            None => {}
        }
        profile
    }

    /// What is kept beside the database.
    fn mark(&self, person: &mut SeededPerson, profile: &Profile) {
        person.nickname.clone_from(&profile.nickname);
        person.face = seed::is_drawn(&profile.avatar);
        person.unionid = self.unionid.unwrap_or(person.unionid);
        person.installed = self.installed.unwrap_or(person.installed);
    }
}

fn list(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    work(async move { Ok(json!({"people": all(&sandbox).await?})) })
}

/// Everybody, as the control tells of them.
///
/// # Errors
/// Faults of the store.
pub async fn all(sandbox: &Sandbox) -> Result<Vec<Value>, Refused> {
    let people = sandbox.world().people.clone();
    let mut told = Vec::with_capacity(people.len());
    for person in &people {
        told.push(one(sandbox, person).await?);
    }
    Ok(told)
}

async fn one(sandbox: &Sandbox, person: &SeededPerson) -> Said {
    let user = user_of(sandbox, person).await?;
    let profile = &user.profile;
    let avatar = match profile.avatar.as_str() {
        "" => "none",
        avatar if seed::is_drawn(avatar) => "face",
        avatar => avatar,
    };
    Ok(json!({
        "name": person.name,
        "phone": person.phone,
        "password": person.password,
        // Somebody may have changed it on the page of their account.
        "nickname": if profile.nickname.is_empty() { &person.nickname } else { &profile.nickname },
        "sex": match profile.sex {
            Sex::Male => "male",
            Sex::Female => "female",
            Sex::Unknown => "unknown",
        },
        "country": profile.country,
        "province": profile.province,
        "city": profile.city,
        "avatar": avatar,
        "unionid": person.unionid,
        "standing": standing(&user.status),
        "installed": person.installed,
    }))
}

const fn standing(status: &UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "active",
        UserStatus::Restricted => "restricted",
        UserStatus::Deleting(_) | UserStatus::Deleted | UserStatus::Merged(_) => "closed",
    }
}

async fn user_of(sandbox: &Sandbox, person: &SeededPerson) -> Result<Arc<User>, Refused> {
    let id = UserId::parse(&person.id).ok_or_else(|| Refused::fault("a person without an id"))?;
    sandbox.house.engine.user(id).await.map_err(unfit)
}

fn add(asked: &Asked<'_>) -> Work {
    let (body, sandbox) = (&asked.body, asked.sandbox.clone());
    let draft = draft(body, true);
    {
        let world = sandbox.world();
        if draft
            .name
            .as_deref()
            .is_some_and(|name| world.person(name).is_some())
        {
            body.complain("name", "is taken", "take another one, or PATCH this person");
        }
        let phone = draft.phone.as_ref().map(Phone::as_str);
        let owner = world
            .people
            .iter()
            .find(|it| Some(it.phone.as_str()) == phone);
        if let Some(owner) = owner {
            let what = format!("is {}'s", owner.name);
            body.complain("phone", &what, "take another one, or leave it out");
        }
    }
    work(async move {
        let _turn = sandbox.editing.lock().await;
        let name = draft.name.clone().unwrap_or_default();
        // Two calls with the same name came at once.
        if sandbox.world().person(&name).is_some() {
            return Err(Refused::conflict("name", "is taken", "take another one"));
        }
        let person = create(&sandbox, &name, &draft).await?;
        if draft.standing == Some("restricted") {
            set_standing(&sandbox, &person, "restricted", sandbox.clock.now()).await?;
        }
        show_phone(&sandbox, &person);
        let told = one(&sandbox, &person).await;
        let kept = sandbox.change_world(|world| world.people.push(person));
        kept.map_err(Refused::fault)?;
        told
    })
}

async fn create(
    sandbox: &Sandbox,
    name: &str,
    draft: &PersonDraft,
) -> Result<SeededPerson, Refused> {
    let (engine, now) = (&sandbox.house.engine, sandbox.clock.now());
    let platform = &sandbox.addresses.platform;
    let plain = Profile {
        nickname: name.to_owned(),
        language: "zh_CN".to_owned(),
        avatar: seed::face(true, name, platform),
        ..Profile::default()
    };
    let profile = draft.onto(plain, name, platform);
    let mut drawn = 0_u32;
    let user = loop {
        let phone = match &draft.phone {
            Some(phone) => phone.clone(),
            None => {
                drawn += 1;
                Phone::parse(&format!("+86138{drawn:08}")).map_err(Refused::fault)?
            }
        };
        let new = UserDraft {
            profile: profile.clone(),
            phone: Some(phone),
            password: None,
            password_hash: Some(PASSWORD_HASH.to_owned()),
        };
        match engine.create_user(new, now).await {
            Ok(user) => break user,
            // A number that was drawn may be somebody's; whoever gave one is told.
            Err(Stop::Refused(Refusal::Malformed("phone"))) if draft.phone.is_none() => {}
            Err(stop) => return Err(unfit(stop)),
        }
    };
    let mut person = SeededPerson {
        name: name.to_owned(),
        phone: user.phone.as_ref().map_or("", Phone::as_str).to_owned(),
        password: PASSWORD.to_owned(),
        nickname: String::new(),
        id: user.id.to_string(),
        face: true,
        unionid: true,
        installed: true,
    };
    draft.mark(&mut person, &user.profile);
    Ok(person)
}

/// What the engine would not take.
fn unfit(stop: Stop) -> Refused {
    match stop {
        Stop::Refused(Refusal::Malformed("phone")) => {
            let what = "is that of another account of the platform";
            Refused::conflict("phone", what, "take another one, or leave it out")
        }
        Stop::Refused(Refusal::ProfileUnfit(field)) => {
            Refused::bad(Complaints::one(field, "does not fit", "write less"))
        }
        Stop::Refused(Refusal::NotSignedIn) => Refused::conflict(
            "standing",
            "is closed, and stays so",
            "DELETE this person, and add another one: the number is free",
        ),
        Stop::Refused(refusal) => Refused::fault(refusal),
        Stop::Failed(fault) => Refused::fault(fault),
    }
}

/// The phone shows whether the platform's app is on it.
fn show_phone(sandbox: &Sandbox, person: &SeededPerson) {
    if let Some(user) = UserId::parse(&person.id) {
        sandbox.phones.set_installed(user, person.installed);
    }
}

fn edit(asked: &Asked<'_>) -> Work {
    let (body, sandbox) = (&asked.body, asked.sandbox.clone());
    let name = asked.hole("name").to_owned();
    let draft = draft(body, false);
    if let Some(phone) = &draft.phone {
        let world = sandbox.world();
        let mut others = world.people.iter().filter(|other| other.name != name);
        if let Some(owner) = others.find(|other| other.phone == phone.as_str()) {
            body.complain("phone", &format!("is {}'s", owner.name), "take another one");
        }
    }
    work(async move {
        let _turn = sandbox.editing.lock().await;
        let mut person = known(&sandbox, &name)?;
        let user = user_of(&sandbox, &person).await?;
        if !user.status.may_sign_in() {
            return Err(unfit(Refusal::NotSignedIn.into()));
        }
        let mut told = Vec::new();
        let applied = apply(&sandbox, &mut person, &draft, &user, &mut told).await;
        // What was done before something failed is done, and told of.
        show_phone(&sandbox, &person);
        events::happened(&sandbox, told);
        keep(&sandbox, person.clone())?;
        applied?;
        one(&sandbox, &person).await
    })
}

async fn apply(
    sandbox: &Sandbox,
    person: &mut SeededPerson,
    draft: &PersonDraft,
    user: &User,
    told: &mut Vec<Happened>,
) -> Result<(), Refused> {
    let (engine, now) = (&sandbox.house.engine, sandbox.clock.now());
    if let Some(phone) = &draft.phone {
        let moved = engine.move_number(user.id, phone, now).await;
        moved.map_err(unfit)?;
        phone.as_str().clone_into(&mut person.phone);
    }
    let platform = &sandbox.addresses.platform;
    let profile = draft.onto(user.profile.clone(), &person.name, platform);
    if profile != user.profile {
        let modified = events::of_person(sandbox, &person.name, events::MODIFIED).await?;
        let saved = engine.save_profile(user.id, profile.clone(), now).await;
        saved.map_err(unfit)?;
        told.extend(modified);
    }
    draft.mark(person, &profile);
    match draft.standing {
        Some("closed") => {
            let cancelled = events::of_person(sandbox, &person.name, events::CANCELLED).await?;
            set_standing(sandbox, person, "closed", now).await?;
            // Of somebody who is gone there is nothing else to tell.
            *told = cancelled;
            Ok(())
        }
        Some(standing) => set_standing(sandbox, person, standing, now).await,
        None => Ok(()),
    }
}

/// Puts a changed person in the place of the old one.
fn keep(sandbox: &Sandbox, person: SeededPerson) -> Result<(), Refused> {
    let kept = sandbox.change_world(|world| {
        let place = world.people.iter_mut().find(|it| it.name == person.name);
        if let Some(place) = place {
            *place = person;
        }
    });
    kept.map_err(Refused::fault)
}

/// Puts the platform's app on somebody's phone, or takes it off.
///
/// # Errors
/// For a name that nobody has.
pub fn set_installed(sandbox: &Sandbox, name: &str, installed: bool) -> Result<(), Refused> {
    let mut person = known(sandbox, name)?;
    person.installed = installed;
    show_phone(sandbox, &person);
    keep(sandbox, person)
}

async fn set_standing(
    sandbox: &Sandbox,
    person: &SeededPerson,
    standing: &str,
    now: Timestamp,
) -> Result<(), Refused> {
    let engine = &sandbox.house.engine;
    let id = UserId::parse(&person.id).ok_or_else(|| Refused::fault("a person without an id"))?;
    let set = match standing {
        "closed" => engine.close_user(id, now).await,
        "restricted" => {
            engine
                .set_user_status(id, UserStatus::Restricted, now)
                .await
        }
        _ => engine.set_user_status(id, UserStatus::Active, now).await,
    };
    set.map_err(unfit)
}

fn delete(asked: &Asked<'_>) -> Work {
    let sandbox = asked.sandbox.clone();
    let name = asked.hole("name").to_owned();
    work(async move {
        let _turn = sandbox.editing.lock().await;
        let person = known(&sandbox, &name)?;
        let user = user_of(&sandbox, &person).await?;
        if user.status.may_sign_in() {
            let told = events::of_person(&sandbox, &name, events::CANCELLED).await?;
            set_standing(&sandbox, &person, "closed", sandbox.clock.now()).await?;
            events::happened(&sandbox, told);
        }
        let kept = sandbox.change_world(|world| world.people.retain(|it| it.name != name));
        kept.map_err(Refused::fault)?;
        Ok(json!({"closed": name}))
    })
}

/// Somebody by their short name.
fn known(sandbox: &Sandbox, name: &str) -> Result<SeededPerson, Refused> {
    let world = sandbox.world();
    if let Some(person) = world.person(name) {
        return Ok(person.clone());
    }
    let names: Vec<&str> = world.people.iter().map(|it| it.name.as_str()).collect();
    let remedy = match crate::read::nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("there are: {}", names.join(", ")),
    };
    let what = format!("there is no person {}", name.escape_debug());
    Err(Refused::missing(what, remedy))
}
