//! People as an upstream knows them, and what they do there.

use yufu_core::engine::login::{Begun, CodeRequest, PrepareRequest};
use yufu_core::id::{ClientId, UserId};
use yufu_core::identity::{
    Identity, IdentityKey, Person, Provider, UpstreamApp, UpstreamKind, Vouched, VouchedProfile,
};
use yufu_core::login::body::VaultTokens;
use yufu_core::login::{
    Device, Exchanged, Idempotency, LoggedIn, LoginAnswer, LoginStop, Mode, Purpose,
};
use yufu_core::secret::Secret;
use yufu_core::store::{Store, UserKey};
use yufu_core::time::{Lifetime, Timestamp};
use yufu_core::user::{Handle, User};

use crate::world::{TERMS, World, mobile_app};

/// Our website at the upstream, of the same account there as [`mobile_app`].
pub(crate) fn website() -> UpstreamApp {
    UpstreamApp {
        name: "site".into(),
        kind: UpstreamKind::WechatWebsite,
        appid: ClientId::new("wxfedcba9876543210"),
        union_scope: Some("main".into()),
    }
}

/// Our mini program at the upstream.
pub(crate) fn mini_program() -> UpstreamApp {
    UpstreamApp {
        name: "mini".into(),
        kind: UpstreamKind::WechatMini,
        appid: ClientId::new("wx00000000000000aa"),
        union_scope: Some("main".into()),
    }
}

/// The key of somebody at one of our apps.
pub(crate) fn key(app: &UpstreamApp, openid: &str) -> IdentityKey {
    IdentityKey {
        provider: Provider::Wechat,
        app: app.appid.clone(),
        subject: openid.to_owned(),
    }
}

/// The handle of a person of the account of all our apps.
pub(crate) fn person(unionid: &str) -> Person {
    Person {
        provider: Provider::Wechat,
        scope: "main".into(),
        id: unionid.into(),
    }
}

/// What the upstream gives for a code: two hours of access, thirty days of refresh.
pub(crate) fn exchanged(app: &UpstreamApp, openid: &str, unionid: Option<&str>) -> Exchanged {
    Exchanged {
        vouched: Vouched {
            key: key(app, openid),
            person: unionid.map(person),
            profile: Some(VouchedProfile {
                nickname: format!("name of {openid}"),
                avatar: format!("https://wx.example/{openid}"),
            }),
        },
        tokens: VaultTokens {
            access: Secret::new(format!("access-{openid}")),
            refresh: Some(Secret::new(format!("refresh-{openid}"))),
        },
        access_life: Lifetime::minutes(120),
        refresh_life: Lifetime::days(30),
        profile_due: false,
    }
}

impl World {
    /// Logs in at the upstream, which gives this.
    pub(crate) async fn try_wechat(
        &self,
        given: Exchanged,
        device: Device<'_>,
        now: Timestamp,
    ) -> Result<LoginAnswer, LoginStop> {
        let app = self.engine.upstream_app_of(&given.vouched.key.app).unwrap();
        let request = PrepareRequest {
            purpose: Purpose::Login,
            app: &app.name,
            mode: Mode::App,
            consent: TERMS,
            device,
            user: None,
            return_to: None,
        };
        let prepared = self.engine.prepare(request, now).await?;
        let code = format!("code{}", self.engine.noise());
        let request = CodeRequest {
            purposes: &[Purpose::Login],
            code: &code,
            state: prepared.state.expose(),
            device,
            user: None,
            key: Idempotency(None),
        };
        let Begun::Exchange(exchanging) = self.engine.begin_exchange(request, now).await? else {
            panic!("the code was new");
        };
        self.engine.finish_login(&exchanging, Ok(given), now).await
    }

    /// The same where somebody is let in; no trace of it stays in the list of changes.
    pub(crate) async fn wechat(
        &self,
        given: Exchanged,
        device: Device<'_>,
        now: Timestamp,
    ) -> LoggedIn {
        let answer = self.try_wechat(given, device, now).await.unwrap();
        self.store.lists();
        match answer {
            LoginAnswer::Bound(logged_in) => logged_in,
            LoginAnswer::Unbound { .. } => panic!("a number is needed"),
        }
    }

    /// The user that a handle leads to.
    pub(crate) async fn owner(&self, handle: &Handle) -> Option<UserId> {
        let user = self.store.user(UserKey::Handle(handle)).await.unwrap();
        user.map(|user| user.id)
    }

    /// A user's identity at an app.
    pub(crate) async fn identity(&self, user: UserId, key: &IdentityKey) -> Option<Identity> {
        self.user(user).await.identity(key).cloned()
    }
}

/// Whether nothing of a person is left in an account.
pub(crate) fn is_empty(user: &User) -> bool {
    let bare = User {
        created_at: user.created_at,
        status: user.status,
        sessions_from: user.sessions_from,
        version: user.version,
        ..User::new(user.id, user.created_at)
    };
    *user == bare
}

/// The settings of a world where nobody needs a number, and its apps.
pub(crate) fn at_leisure(settings: &mut yufu_core::login::LoginSettings) {
    settings.bind_policy = yufu_core::login::BindPolicy::Optional;
    settings.apps = vec![mobile_app(), website(), mini_program()];
}
