//! Random operations and jumps in time on a small world, beside a model of what must be true.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tokio::runtime::Builder;
use yufu_core::message::Tokens;
use yufu_core::refusal::Stop;
use yufu_core::secret::Secret;
use yufu_core::store::Browse;
use yufu_core::time::Timestamp;

use crate::world::*;

/// One thing that happens. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Op {
    /// A person says yes to a client.
    Authorize(usize, usize),
    /// A code is exchanged: rightly, with a wrong secret, by another client, in bad weather.
    Exchange(usize, Way),
    /// A refresh token is used: likewise.
    Refresh(usize, Way),
    /// A person takes a yes back.
    TakeBack(usize, usize),
    /// An operator revokes an access token, a refresh token or a code.
    Revoke(usize, u8),
    /// Seconds pass, or are taken back.
    Jump(i64),
    /// The broom goes round.
    Sweep,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Right,
    WrongSecret,
    ByAnother,
    In(Weather),
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        6 => Just(Way::Right),
        1 => Just(Way::WrongSecret),
        1 => Just(Way::ByAnother),
        1 => Just(Way::In(Weather::Failed)),
        1 => Just(Way::In(Weather::UnknownLost)),
        1 => Just(Way::In(Weather::UnknownApplied)),
        1 => Just(Way::In(Weather::Exists)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0usize..2, 0usize..2).prop_map(|(person, app)| Op::Authorize(person, app)),
        6 => (any::<usize>(), way()).prop_map(|(code, way)| Op::Exchange(code, way)),
        4 => (any::<usize>(), way()).prop_map(|(family, way)| Op::Refresh(family, way)),
        1 => (0usize..2, 0usize..2).prop_map(|(person, app)| Op::TakeBack(person, app)),
        1 => (any::<usize>(), 0u8..3).prop_map(|(which, what)| Op::Revoke(which, what)),
        3 => prop_oneof![
            Just(0), Just(1), Just(299), Just(600), Just(7199), Just(7200), Just(86_400),
            Just(31 * 86_400), -3600i64..0,
        ].prop_map(Op::Jump),
        1 => Just(Op::Sweep),
    ]
}

/// Which yes: the person, the client, and how often it was taken back before.
type Root = (usize, usize, u32);

struct CodeModel {
    root: Root,
    secret: Secret,
    end: Timestamp,
    spent: bool,
}

struct Family {
    root: Root,
    refresh: Secret,
    end: Timestamp,
    dead: bool,
    access: Vec<AccessModel>,
}

struct AccessModel {
    secret: Secret,
    end: Timestamp,
    revoked: bool,
}

struct Model {
    w: World,
    single: bool,
    now: Timestamp,
    latest: Timestamp,
    /// How often each yes was taken back, and whether one stands.
    yes: BTreeMap<(usize, usize), (u32, bool)>,
    codes: Vec<CodeModel>,
    families: Vec<Family>,
    openids: BTreeMap<(usize, usize), String>,
    unionids: BTreeMap<usize, String>,
}

impl Model {
    async fn new(single: bool) -> Self {
        let w = World::new().await;
        w.set(&w.page, |policy| policy.single_live_token = single)
            .await;
        Self {
            w,
            single,
            now: NOW,
            latest: NOW,
            yes: BTreeMap::new(),
            codes: Vec::new(),
            families: Vec::new(),
            openids: BTreeMap::new(),
            unionids: BTreeMap::new(),
        }
    }

    fn person(&self, person: usize) -> &Person {
        [&self.w.mei, &self.w.wei][person]
    }

    fn app(&self, app: usize) -> &App {
        [&self.w.page, &self.w.site][app]
    }

    fn stands(&self, (person, app, times): Root) -> bool {
        self.yes.get(&(person, app)) == Some(&(times, true))
    }

    /// Whether a commit in this weather is applied and answered.
    fn prepare(&self, way: Way) -> bool {
        let Way::In(weather) = way else {
            return way == Way::Right;
        };
        self.w.store.forecast(&[weather]);
        matches!(weather, Weather::UnknownApplied | Weather::Exists)
    }

    /// The client as it presents itself.
    fn caller(&self, app: usize, way: Way) -> App {
        match way {
            Way::WrongSecret => App {
                secret: Secret::new("wrong"),
                ..self.app(app).clone()
            },
            Way::ByAnother => self.app(1 - app).clone(),
            _ => self.app(app).clone(),
        }
    }

    async fn run(&mut self, op: Op) {
        match op {
            Op::Authorize(person, app) => self.authorize(person, app).await,
            Op::Exchange(n, way) if !self.codes.is_empty() => {
                self.exchange(n % self.codes.len(), way).await;
            }
            Op::Refresh(n, way) if !self.families.is_empty() => {
                self.refresh(n % self.families.len(), way).await;
            }
            Op::TakeBack(person, app) => self.take_back(person, app).await,
            Op::Revoke(n, what) => self.revoke(n, what).await,
            Op::Jump(seconds) => {
                let moved = self.now.0 + seconds * 1000;
                // Back by an hour at most: what the broom took was dead for a day.
                self.now = Timestamp(moved.max(self.latest.0 - 3_600_000));
                self.latest = self.latest.max(self.now);
            }
            Op::Sweep => {
                self.w.store.sweep(self.now, NOW).await.unwrap();
            }
            Op::Exchange(..) | Op::Refresh(..) => {}
        }
        self.w.store.forecast(&[]);
        self.check().await;
    }

    async fn authorize(&mut self, person: usize, app: usize) {
        let who = self.person(person).clone();
        let client = self.app(app).clone();
        let secret = self.w.code(&client, &who, self.now).await;
        assert!(fit(&secret));
        let entry = self.yes.entry((person, app)).or_insert((0, false));
        entry.1 = true;
        let root = (person, app, entry.0);
        let life = if app == 0 { 300_000 } else { 600_000 };
        let end = Timestamp(self.now.0 + life);
        let spent = false;
        self.codes.push(CodeModel {
            root,
            secret,
            end,
            spent,
        });
    }

    async fn exchange(&mut self, n: usize, way: Way) {
        let code = &self.codes[n];
        let root = code.root;
        let pays = !code.spent && self.now < code.end && self.stands(root);
        let answered = self.prepare(way);
        let caller = self.caller(root.1, way);
        let secret = code.secret.clone();
        let outcome = self.w.exchange(&caller, &secret, self.now).await;
        if !(pays && answered) {
            assert!(outcome.is_err(), "{way:?}: paid what it must not");
            return;
        }
        let tokens = outcome.expect("a good code pays");
        self.codes[n].spent = true;
        if self.single && root.1 == 0 {
            for family in self
                .families
                .iter_mut()
                .filter(|family| family.root == root)
            {
                family.dead = true;
            }
        }
        self.name(root, &tokens);
        let refresh = tokens.refresh.clone().unwrap();
        assert!(fit(&refresh) && fit(&tokens.access));
        self.families.push(Family {
            root,
            refresh,
            end: Timestamp(self.now.0 + 30 * 86_400_000),
            dead: false,
            access: vec![self.access(tokens.access)],
        });
    }

    fn access(&self, secret: Secret) -> AccessModel {
        AccessModel {
            secret,
            end: Timestamp(self.now.0 + 7_200_000),
            revoked: false,
        }
    }

    async fn refresh(&mut self, n: usize, way: Way) {
        let family = &self.families[n];
        let works = self.now < family.end && !family.dead && self.stands(family.root);
        // No secret is needed, so a wrong one is right.
        let way = if way == Way::WrongSecret {
            Way::Right
        } else {
            way
        };
        let answered = self.prepare(way);
        let caller = self.caller(family.root.1, way);
        let secret = family.refresh.clone();
        let last = family.access.last().unwrap();
        let same = !last.revoked && self.now < last.end;
        // A prolonging of unknown outcome issues nothing that could be read back: it is busy.
        let answered = answered && !(same && way == Way::In(Weather::UnknownApplied));
        let outcome = self.w.refresh(&caller, &secret, self.now).await;
        if works && same && way == Way::In(Weather::UnknownApplied) {
            let end = Timestamp(self.now.0 + 7_200_000);
            self.families[n].access.last_mut().unwrap().end = end;
        }
        if !(works && answered) {
            assert!(outcome.is_err(), "{way:?}: refreshed what it must not");
            return;
        }
        let tokens = outcome.expect("a good refresh token works");
        assert!(tokens.refresh.as_ref() == Some(&secret), "it never changes");
        self.name(self.families[n].root, &tokens);
        assert_eq!(
            tokens.access == self.families[n].access.last().unwrap().secret,
            same
        );
        assert!(fit(&tokens.access));
        let access = self.access(tokens.access);
        let all = &mut self.families[n].access;
        if same {
            all.pop();
        } else {
            assert!(all.iter().all(|known| known.secret != access.secret));
        }
        all.push(access);
    }

    async fn take_back(&mut self, person: usize, app: usize) {
        let who = self.person(person).clone();
        let client = self.app(app).clone();
        let grant = self.w.grant(&who, &client).await;
        let stood = self.yes.get(&(person, app)).is_some_and(|yes| yes.1);
        assert_eq!(grant.is_some(), stood);
        if let Some(grant) = grant {
            self.w
                .engine
                .revoke_grant(who.id, grant.id, self.now)
                .await
                .unwrap();
            let times = self.yes[&(person, app)].0;
            self.yes.insert((person, app), (times + 1, false));
        }
    }

    async fn revoke(&mut self, n: usize, what: u8) {
        let secret = match what {
            0 if !self.codes.is_empty() => {
                let n = n % self.codes.len();
                self.codes[n].spent = true;
                self.codes[n].secret.clone()
            }
            1 if !self.families.is_empty() => {
                let n = n % self.families.len();
                let last = self.families[n].access.last_mut().unwrap();
                last.revoked = true;
                last.secret.clone()
            }
            2 if !self.families.is_empty() => {
                let n = n % self.families.len();
                self.families[n].dead = true;
                self.families[n].refresh.clone()
            }
            _ => return,
        };
        match self.w.engine.revoke_secret(&secret, self.now).await {
            Ok(()) | Err(Stop::Refused(_)) => {}
            Err(stop) => panic!("{stop:?}"),
        }
    }

    /// A client's name for a person is the same each time.
    fn name(&mut self, (person, app, _): Root, tokens: &Tokens) {
        let openid = tokens.openid.as_ref().unwrap().as_str().to_owned();
        let known = self.openids.entry((person, app)).or_insert(openid.clone());
        assert_eq!(*known, openid);
        if let Some(unionid) = &tokens.unionid {
            let unionid = unionid.as_str().to_owned();
            let known = self.unionids.entry(person).or_insert(unionid.clone());
            assert_eq!(*known, unionid);
        }
        let names: BTreeSet<_> = self
            .openids
            .values()
            .chain(self.unionids.values())
            .collect();
        assert_eq!(names.len(), self.openids.len() + self.unionids.len());
    }

    /// Every access token ever answered works until its end, and not after.
    async fn check(&self) {
        for family in &self.families {
            for access in &family.access {
                let alive = self.now < access.end
                    && !access.revoked
                    && !family.dead
                    && self.stands(family.root);
                let works = self.w.profile(&access.secret, self.now).await;
                assert_eq!(works.is_ok(), alive, "{works:?} at {:?}", self.now);
            }
        }
    }
}

fn fit(secret: &Secret) -> bool {
    !secret.expose().to_ascii_lowercase().contains("errcode")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_the_rules_hold(
        single: bool,
        ops in proptest::collection::vec(op(), 1..60),
    ) {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new(single).await;
            for op in ops {
                model.run(op).await;
            }
        });
    }
}
