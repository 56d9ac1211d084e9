//! The seeded world: two developers, their clients, three people. Kept beside the database with
//! its secrets, so that a data folder that is opened again tells them again.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use yufu_core::client::{ClientKind, ClientPolicy, Developer, NativeIdentity, Status};
use yufu_core::engine::{ClientDraft, ClientEdit, Engine, UserDraft};
use yufu_core::id::{ClientId, DeveloperId, UserId};
use yufu_core::redirect::RedirectRule;
use yufu_core::refusal::Stop;
use yufu_core::time::Timestamp;
use yufu_core::user::{Phone, Profile, Sex};
use yufu_web::dev::Dev;
use yufu_web::view;

use super::write_private;

/// A seeded client, with its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeededClient {
    /// mobile, website or service.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its id.
    pub appid: String,
    /// Its secret.
    pub secret: String,
    /// Its owner's name.
    pub developer: String,
    /// Where it is answered; in development every loopback address will do.
    pub redirect: String,
    /// It was not there at the beginning.
    #[serde(skip)]
    pub added: bool,
    /// It came by itself, with an appid of its own. Its secret is the first that arrives for it,
    /// and empty until then.
    #[serde(skip)]
    pub adopted: bool,
    /// Where it is told of what people do.
    #[serde(skip)]
    pub push: Option<Push>,
}

/// Where a client is told of what people do (`docs/facts/wechat.md` §12.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The address.
    pub url: String,
    /// What signs.
    pub token: String,
    /// The EncodingAESKey; empty where nothing is encrypted.
    pub aes_key: String,
    /// plain, compatible or encrypted.
    pub mode: String,
    /// xml or json.
    pub format: String,
}

/// A seeded person, with their password.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeededPerson {
    /// A short name for commands.
    pub name: String,
    /// The phone number.
    pub phone: String,
    /// The password.
    pub password: String,
    /// The shown name.
    pub nickname: String,
    /// The user's id.
    #[serde(skip_serializing, default)]
    pub id: String,
    /// Whether there is a drawn picture of them.
    #[serde(skip, default = "yes")]
    pub face: bool,
    /// Whether apps are told a unionid.
    #[serde(skip, default = "yes")]
    pub unionid: bool,
    /// Whether the platform's app is on the phone.
    #[serde(skip, default = "yes")]
    pub installed: bool,
}

const fn yes() -> bool {
    true
}

/// What is kept of a person beside what scripts are told.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PersonMarks {
    face: bool,
    unionid: bool,
    installed: bool,
}

/// What is kept of a client beside what scripts are told.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ClientMarks {
    added: bool,
    adopted: bool,
    push: Option<Push>,
}

/// What was seeded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct World {
    /// The clients: one of each kind of the first developer, then the second developer's.
    pub clients: Vec<SeededClient>,
    /// The people.
    pub people: Vec<SeededPerson>,
    /// The people's ids, in the same order: kept here, not told to scripts.
    #[serde(default)]
    user_ids: Vec<String>,
    /// What else is kept of the people, in the same order.
    #[serde(default)]
    person_marks: Vec<PersonMarks>,
    /// The same of the clients.
    #[serde(default)]
    client_marks: Vec<ClientMarks>,
}

/// The bundle id of the demo app.
pub(super) const BUNDLE: &str = "com.example.rooms";
/// The password of every person of a sandbox.
pub(super) const PASSWORD: &str = "yufu-dev-2026";
/// Its hash, made once and for all: a password that everybody knows needs no hashing at each start.
pub(super) const PASSWORD_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$eXVmdSBzZWVkZWQgc2FsdA$\
                             bjqO+dA4mcZqn9CZNfgJkxlhjci2ZIy6oOIP5s1PGOY";

/// Short name, number, shown name, sex, province, city.
type Person = (
    &'static str,
    &'static str,
    &'static str,
    Sex,
    &'static str,
    &'static str,
);

const PEOPLE: [Person; 3] = [
    (
        "mei",
        "+8613800000001",
        "梅 Zoé 🐟",
        Sex::Female,
        "湖南",
        "长沙",
    ),
    ("wei", "+8613800000002", "阿伟", Sex::Male, "广东", "深圳"),
    ("ana", "+8613800000003", "Ana", Sex::Unknown, "", ""),
];

impl World {
    /// A person by their short name.
    pub fn person(&self, name: &str) -> Option<&SeededPerson> {
        self.people.iter().find(|person| person.name == name)
    }

    /// Shows this world on the pages of development.
    pub(super) fn show(&self, dev: &Dev) {
        dev.set_world(
            self.people.iter().map(SeededPerson::view).collect(),
            self.clients.iter().map(SeededClient::view).collect(),
        );
    }

    /// The first seeded client of a kind.
    pub fn client(&self, kind: ClientKind) -> Option<&SeededClient> {
        self.clients
            .iter()
            .find(|client| client.kind == kind.word())
    }

    /// As it is kept: with the ids that scripts are not told.
    ///
    /// # Errors
    /// None so far.
    pub(super) fn kept(&self) -> Result<serde_json::Value, serde_json::Error> {
        let ids = self.people.iter().map(|person| person.id.clone());
        let people = self.people.iter().map(|person| PersonMarks {
            face: person.face,
            unionid: person.unionid,
            installed: person.installed,
        });
        let clients = self.clients.iter().map(|client| ClientMarks {
            added: client.added,
            adopted: client.adopted,
            push: client.push.clone(),
        });
        let world = Self {
            user_ids: ids.collect(),
            person_marks: people.collect(),
            client_marks: clients.collect(),
            ..self.clone()
        };
        serde_json::to_value(world)
    }

    /// What was kept.
    ///
    /// # Errors
    /// When it is something else.
    pub(super) fn of(kept: serde_json::Value) -> Result<Self, serde_json::Error> {
        let mut world: Self = serde_json::from_value(kept)?;
        for (person, id) in world.people.iter_mut().zip(&world.user_ids) {
            person.id.clone_from(id);
        }
        for (person, marks) in world.people.iter_mut().zip(&world.person_marks) {
            person.face = marks.face;
            person.unionid = marks.unionid;
            person.installed = marks.installed;
        }
        for (client, marks) in world.clients.iter_mut().zip(&world.client_marks) {
            client.added = marks.added;
            client.adopted = marks.adopted;
            client.push.clone_from(&marks.push);
        }
        world.check().map_err(serde_json::Error::custom)?;
        Ok(world)
    }

    /// Whether everybody can be told from everybody else. Files are edited by hand.
    fn check(&self) -> Result<(), String> {
        for (n, person) in self.people.iter().enumerate() {
            let name = &person.name;
            if UserId::parse(&person.id).is_none() {
                return Err(format!("the person {name} has no id in user_ids"));
            }
            let others = || self.people.iter().take(n);
            if others().any(|other| other.name == *name || other.id == person.id) {
                return Err(format!("the person {name} is there twice"));
            }
        }
        for (n, client) in self.clients.iter().enumerate() {
            let appid = &client.appid;
            let others = || self.clients.iter().take(n);
            if others().any(|other| other.appid == *appid) {
                return Err(format!("the client {appid} is there twice"));
            }
        }
        Ok(())
    }

    /// Writes it beside the databases.
    ///
    /// # Errors
    /// In the user's words.
    pub(super) fn write(&self, folder: &Path) -> Result<(), String> {
        let path = file(folder);
        let kept = self.kept().map_err(|error| error.to_string())?;
        let text = serde_json::to_string_pretty(&kept).map_err(|error| error.to_string())?;
        write_private(&path, &text)
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))
    }

    /// Brings a world that was kept to the addresses of this run: the demo app may have another
    /// port than last time.
    ///
    /// # Errors
    /// In the user's words.
    pub(super) async fn settle(
        &mut self,
        engine: &Engine,
        platform: &str,
        app_url: &str,
        now: Timestamp,
    ) -> Result<(), String> {
        if let Some(mobile) = self.client(ClientKind::Mobile) {
            move_link(engine, &mobile.appid, app_url, now)
                .await
                .map_err(words)?;
        }
        for client in self.clients.iter_mut().filter(|client| !client.added) {
            client.redirect = redirect(&client.kind, &client.appid, app_url);
        }
        for person in &self.people {
            move_face(engine, person, platform, now)
                .await
                .map_err(words)?;
        }
        Ok(())
    }
}

/// Where the world is kept.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join("dev.json")
}

/// Seeds an empty house, or reads what was seeded into it before.
pub(super) async fn world(
    engine: &Engine,
    folder: &Path,
    platform: &str,
    app_url: &str,
    now: Timestamp,
) -> Result<World, String> {
    // Processes that start at once on one folder seed it one after the other.
    let key = folder.join("yufu.key");
    let _turn = File::open(&key)
        .and_then(|key| key.lock().map(|()| key))
        .map_err(|error| format!("{} cannot be locked: {error}", key.display()))?;
    let path = file(folder);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let unread = |error| format!("{} cannot be read: {error}", path.display());
            let kept = serde_json::from_str(&text).map_err(unread)?;
            let mut world = World::of(kept).map_err(unread)?;
            world.settle(engine, platform, app_url, now).await?;
            Ok(world)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let world = make(engine, platform, app_url, now).await.map_err(words)?;
            world.write(folder)?;
            Ok(world)
        }
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

fn words(stop: Stop) -> String {
    match stop {
        Stop::Refused(refusal) => format!("the world could not be seeded: {refusal}"),
        Stop::Failed(fault) => format!("the world could not be seeded: {fault}"),
    }
}

fn native(app_url: &str) -> NativeIdentity {
    NativeIdentity {
        ios_bundle: Some(BUNDLE.to_owned()),
        // A stand-in for a universal link: the demo app's own page on this machine.
        ios_universal_link: Some(format!("{app_url}/app/")),
        android_package: Some(BUNDLE.to_owned()),
        android_signature: Some("0123456789abcdef0123456789abcdef".to_owned()),
        harmony_bundle: Some(BUNDLE.to_owned()),
        harmony_identifier: Some("1234567890".to_owned()),
    }
}

/// Where the demo app takes the answers for a client of this kind.
fn redirect(kind: &str, appid: &str, app_url: &str) -> String {
    match ClientKind::parse(kind) {
        Some(ClientKind::Mobile) => format!("{app_url}/app/{appid}/oauth"),
        Some(ClientKind::Service) => format!("{app_url}/callback/page"),
        Some(ClientKind::Website) | None => format!("{app_url}/callback/scan"),
    }
}

async fn move_link(
    engine: &Engine,
    appid: &str,
    app_url: &str,
    now: Timestamp,
) -> Result<(), Stop> {
    let id = ClientId::new(appid);
    if engine.client(&id).await?.native == native(app_url) {
        return Ok(());
    }
    let edit = ClientEdit {
        native: Some(native(app_url)),
        ..ClientEdit::default()
    };
    let edited = engine.edit_client(&id, edit, now).await?;
    if edited.status == Status::InReview {
        let step = yufu_core::client::Review::Approve;
        engine.review(&id, step, "", now).await?;
    }
    Ok(())
}

/// The path of a person's drawn picture.
pub(super) fn face_path(name: &str) -> String {
    format!("/mmopen/vi_32/{name}/132")
}

/// Where a person's drawn picture is; empty for none.
pub(super) fn face(drawn: bool, name: &str, platform: &str) -> String {
    if drawn {
        format!("{platform}{}", face_path(name))
    } else {
        String::new()
    }
}

/// Whether a picture is one that is drawn here.
pub(super) fn is_drawn(avatar: &str) -> bool {
    avatar.contains("/mmopen/vi_32/")
}

/// Keeps a picture at this run's port, unless the person has changed it.
async fn move_face(
    engine: &Engine,
    person: &SeededPerson,
    platform: &str,
    now: Timestamp,
) -> Result<(), Stop> {
    let avatar = face(person.face, &person.name, platform);
    let Some(id) = UserId::parse(&person.id) else {
        return Ok(());
    };
    let user = engine.user(id).await?;
    if !is_drawn(&user.profile.avatar) || user.profile.avatar == avatar {
        return Ok(());
    }
    let profile = Profile {
        avatar,
        ..user.profile.clone()
    };
    engine.save_profile(id, profile, now).await
}

async fn make(
    engine: &Engine,
    platform: &str,
    app_url: &str,
    now: Timestamp,
) -> Result<World, Stop> {
    // All at once: the store flushes what waits together.
    let (rooms, books) = tokio::try_join!(
        engine.create_developer("小屋科技 Rooms Ltd", now),
        engine.create_developer("Petit Livre 书店", now),
    )?;
    let client = |developer, kind, name| one_client(engine, developer, kind, name, app_url, now);
    let person = |index: usize| one_person(engine, &PEOPLE[index], platform, now);
    let (website, mobile, service, other, mei, wei, ana) = tokio::try_join!(
        client(&rooms, ClientKind::Website, "小屋 Rooms"),
        client(&rooms, ClientKind::Mobile, "小屋 Rooms App"),
        client(&rooms, ClientKind::Service, "小屋服务号 Rooms Pages"),
        client(&books, ClientKind::Website, "Petit Livre 书店"),
        person(0),
        person(1),
        person(2),
    )?;
    let clients = vec![website, mobile, service, other];
    let people = vec![mei, wei, ana];
    let user_ids = people.iter().map(|person| person.id.clone()).collect();
    Ok(World {
        clients,
        people,
        user_ids,
        person_marks: Vec::new(),
        client_marks: Vec::new(),
    })
}

async fn one_client(
    engine: &Engine,
    developer: &Developer,
    kind: ClientKind,
    name: &str,
    app_url: &str,
    now: Timestamp,
) -> Result<SeededClient, Stop> {
    let draft = draft(developer.id, kind, name, app_url);
    let (client, secret) = engine.create_client(draft, now).await?;
    Ok(SeededClient {
        kind: kind.word().to_owned(),
        name: client.name,
        appid: client.id.to_string(),
        secret: secret.expose().to_owned(),
        developer: developer.name.clone(),
        redirect: match kind {
            ClientKind::Website => format!("{app_url}/callback/scan"),
            ClientKind::Mobile => format!("{app_url}/app/{}/oauth", client.id),
            ClientKind::Service => format!("{app_url}/callback/page"),
        },
        added: false,
        adopted: false,
        push: None,
    })
}

async fn one_person(
    engine: &Engine,
    (name, phone, nickname, sex, province, city): &Person,
    platform: &str,
    now: Timestamp,
) -> Result<SeededPerson, Stop> {
    // The third has no picture.
    let drawn = *name != "ana";
    let draft = UserDraft {
        profile: Profile {
            nickname: (*nickname).to_owned(),
            sex: *sex,
            province: (*province).to_owned(),
            city: (*city).to_owned(),
            country: if province.is_empty() { "" } else { "中国" }.to_owned(),
            language: "zh_CN".to_owned(),
            avatar: face(drawn, name, platform),
        },
        phone: Some(Phone::parse(phone)?),
        password: None,
        password_hash: Some(PASSWORD_HASH.to_owned()),
    };
    let user = engine.create_user(draft, now).await?;
    Ok(SeededPerson {
        name: (*name).to_owned(),
        phone: (*phone).to_owned(),
        password: PASSWORD.to_owned(),
        nickname: (*nickname).to_owned(),
        id: user.id.to_string(),
        face: drawn,
        unionid: true,
        installed: true,
    })
}

impl SeededPerson {
    pub(super) fn view(&self) -> view::DevPerson {
        view::DevPerson {
            id: self.id.clone(),
            name: self.nickname.clone(),
            phone: self.phone.clone(),
            password: self.password.clone(),
            avatar: self.face.then(|| face_path(&self.name)),
        }
    }
}

impl SeededClient {
    fn view(&self) -> view::DevClient {
        view::DevClient {
            name: self.name.clone(),
            kind: self.kind.clone(),
            appid: self.appid.clone(),
            secret: self.secret.clone(),
            redirect: self.redirect.clone(),
        }
    }
}

/// The app's own backend pays its codes, and speaks as it would to WeChat, which has no PKCE.
pub(super) fn policy(kind: ClientKind) -> ClientPolicy {
    ClientPolicy {
        wechat_compatible: kind == ClientKind::Mobile,
        ..ClientPolicy::of(kind)
    }
}

fn draft(developer: DeveloperId, kind: ClientKind, name: &str, app_url: &str) -> ClientDraft {
    ClientDraft {
        developer,
        kind,
        name: name.to_owned(),
        redirects: vec![RedirectRule::Loopback],
        native: if kind == ClientKind::Mobile {
            native(app_url)
        } else {
            NativeIdentity::default()
        },
        bound: true,
        policy: policy(kind),
        status: Status::Approved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Argon2Hasher;
    use yufu_core::engine::Hasher as _;
    use yufu_core::secret::Secret;

    #[tokio::test]
    async fn the_kept_hash_is_that_of_the_seeded_password() {
        let hasher = Argon2Hasher::default();
        let verify = |text: &str| hasher.verify(Secret::new(text), Some(PASSWORD_HASH.to_owned()));
        assert!(verify(PASSWORD).await.unwrap());
        assert!(!verify("another").await.unwrap());
    }
}
