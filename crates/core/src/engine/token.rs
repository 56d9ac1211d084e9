//! Tokens: exchange, refresh, use, check.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Engine, Halt, settled};
use crate::client::{AuthenticatedClient, Client, ClientKind, Status};
use crate::grant::Grant;
use crate::id::{ClientId, Number};
use crate::keyring::{Minted, Presented};
use crate::limit::Rate;
use crate::message::{
    AccessRequest, MiniSession, PlatformTicket, ProfileAnswer, TokenGrant, TokenRequest, Tokens,
};
use crate::refusal::{Fault, Refusal, Stop};
use crate::scope::{self, Scopes};
use crate::secret::{Layout, Secret};
use crate::store::{Change, GrantKey, Record, UserKey};
use crate::subject::{Sector, Subject};
use crate::ticket::{
    Access, Body, Code, CodeProof, CodePurpose, Kind, Nonce, PlatformStanding, Redeemed, Refresh,
    Ticket,
};
use crate::time::{Lifetime, Timestamp};
use crate::user::{Profile, User, UserStatus};

/// A live access token and all that it speaks for.
struct LiveAccess {
    scopes: Scopes,
    grant: Arc<Grant>,
    client: Arc<Client>,
    user: Arc<User>,
    snapshot: bool,
}

/// By which names a client is told of a user.
struct Named {
    openid: Subject,
    unionid: Option<Subject>,
    snapshot: bool,
}

impl Engine {
    /// Tokens for a code, a refresh token, or the client itself. `address` is the caller's.
    ///
    /// # Errors
    /// Refusals of [`Client::authenticate`], of [`Ticket::redeem`], of refresh tokens; a refused
    /// code is not spent, and neither is one whose exchange failed by our fault.
    pub async fn exchange(
        &self,
        request: &TokenRequest,
        address: &str,
        now: Timestamp,
    ) -> Result<Tokens, Stop> {
        let client = self.known_client(&request.client).await?;
        self.count_call(&client, now)?;
        let needs_secret = !matches!(request.grant, TokenGrant::Refresh { .. });
        if let TokenGrant::Refresh {
            at_code_endpoint: true,
            ..
        } = request.grant
            && !client.policy.refresh_at_access_token
        {
            return Err(Refusal::GrantTypeUnsupported.into());
        }
        let client = client.authenticate(request.secret.as_ref(), needs_secret, address, now)?;
        match &request.grant {
            TokenGrant::Code { code, verifier } => {
                let verifier = verifier.as_ref().map(Secret::expose);
                settled!(|_round| self.pay_code(&client, code, verifier, now))
            }
            TokenGrant::Refresh { token, .. } => {
                settled!(|_round| self.renew(&client, token, now))
            }
            TokenGrant::Client => settled!(|_round| self.client_token(&client, now)),
        }
    }

    /// Reads a code and judges its redemption.
    async fn redeem(
        &self,
        client: &AuthenticatedClient,
        code: &Secret,
        verifier: Option<&str>,
        purpose: CodePurpose,
        now: Timestamp,
    ) -> Result<(Redeemed, Arc<Grant>), Stop> {
        let presented = self
            .keyring
            .read(Kind::Code, Layout::WeChatCode, code.expose())
            .ok_or(Refusal::UnknownCode)?;
        let raw = self.store().ticket(Kind::Code, presented.number).await?;
        let ticket = raw.ok_or(Refusal::UnknownCode)?.open::<Code>()?;
        let proof = CodeProof {
            presented: &presented,
            verifier,
            purpose,
        };
        let redeemed = match ticket.redeem(client, &proof, now) {
            Ok(redeemed) => redeemed,
            Err(refusal) => {
                if refusal == Refusal::SpentCode && client.client().policy.reuse_revokes {
                    // RFC 6749 §4.1.2; whether or not it succeeds, the answer is the refusal.
                    let family = ticket.number;
                    let _ = self
                        .commit(vec![Change::RevokeFamily { family, at: now }])
                        .await;
                }
                return Err(refusal.into());
            }
        };
        let grant = self.store().grant(GrantKey::Id(redeemed.grant)).await?;
        let grant = grant
            .filter(|grant| grant.stands())
            .ok_or(Refusal::UnknownCode)?;
        let user = self.store().user(UserKey::Id(redeemed.user)).await?;
        let user = user.ok_or_else(|| Fault::new("a code without its user"))?;
        check_user(client.client(), &user, ticket.issued_at)?;
        Ok((redeemed, grant))
    }

    async fn pay_code(
        &self,
        client: &AuthenticatedClient,
        code: &Secret,
        verifier: Option<&str>,
        now: Timestamp,
    ) -> Result<Tokens, Halt> {
        let (redeemed, mut grant) = self
            .redeem(client, code, verifier, CodePurpose::Tokens, now)
            .await?;
        let client = client.client();
        let refresh = self.mint(Kind::Refresh, Layout::WeChatToken)?;
        let number = Layout::WeChatToken.draw_number(&*self.ports.entropy);
        let access = self.child_access(&refresh.presented(), number)?;
        let family = Some(redeemed.number);
        let scopes = redeemed.scopes;
        let mut changes = vec![Change::Take {
            kind: Kind::Code,
            number: redeemed.number,
            at: now,
        }];
        if client.policy.single_live_token {
            // Never the same value again, whatever the clock says.
            let tokens_from = now.max(Timestamp(grant.tokens_from.0.saturating_add(1)));
            grant = Arc::new(Grant {
                tokens_from,
                version: grant.version + 1,
                ..Grant::clone(&grant)
            });
            changes.push(Change::Put(Record::Grant(Grant::clone(&grant))));
        }
        let issue = Issued {
            client,
            grant: &grant,
            family,
            now,
        };
        let (from, snapshot) = (grant.tokens_from, redeemed.snapshot);
        let body = Access {
            scopes: scopes.clone(),
            from,
            snapshot,
        };
        changes.push(issue.ticket(&access, body, client.policy.access_life)?);
        let body = Refresh {
            scopes: scopes.clone(),
            access: number,
            from,
            snapshot,
        };
        changes.push(issue.ticket(&refresh, body, client.policy.refresh_life)?);
        changes.push(self.event(
            "code.exchanged",
            Some(redeemed.user),
            Some(&client.id),
            &scopes.to_string(),
            now,
        ));
        self.commit(changes).await?;
        let named = self.named(&grant, snapshot);
        Ok(tokens(
            client,
            named,
            scopes,
            access.secret,
            refresh.secret,
            true,
        ))
    }

    /// WeChat's access token follows from the refresh token and a number, so that a refresh can
    /// say the same one again without it being stored (`docs/facts/wechat.md` §10).
    fn child_access(&self, parent: &Presented, number: Number) -> Result<Minted, Fault> {
        self.keyring
            .mint_from(parent, Kind::Access, Layout::WeChatToken, number)
    }

    async fn renew(
        &self,
        client: &AuthenticatedClient,
        token: &Secret,
        now: Timestamp,
    ) -> Result<Tokens, Halt> {
        let client = client.client();
        let presented = self
            .keyring
            .read(Kind::Refresh, Layout::WeChatToken, token.expose())
            .ok_or(Refusal::UnknownRefresh)?;
        let raw = self.store().ticket(Kind::Refresh, presented.number).await?;
        let raw = raw
            .filter(|raw| presented.proves(&raw.ticket.hash))
            .ok_or(Refusal::UnknownRefresh)?;
        let refresh = raw.open::<Refresh>()?;
        let mine = refresh.client.as_ref() == Some(&client.id);
        if !mine || refresh.revoked_at.is_some() || refresh.taken_at.is_some() {
            return Err(Refusal::UnknownRefresh.into());
        }
        let grant = match refresh.grant {
            Some(id) => self.store().grant(GrantKey::Id(id)).await?,
            None => None,
        };
        let grant = grant
            .filter(|grant| grant.stands() && refresh.body.from == grant.tokens_from)
            .ok_or(Refusal::UnknownRefresh)?;
        let user = self.store().user(UserKey::Id(grant.user)).await?;
        let user = user.ok_or_else(|| Fault::new("a grant without its user"))?;
        check_user(client, &user, refresh.issued_at)?;
        if now >= refresh.expires_at {
            return Err(Refusal::ExpiredRefresh.into());
        }
        let latest = self
            .store()
            .ticket(Kind::Access, refresh.body.access)
            .await?;
        let alive = latest.is_some_and(|raw| raw.ticket.is_alive(now));
        let life = client.policy.access_life;
        let access = if alive {
            let access = self.child_access(&presented, refresh.body.access)?;
            self.commit(vec![Change::Extend {
                kind: Kind::Access,
                number: access.number,
                expires_at: now.plus(life),
            }])
            .await?;
            access
        } else {
            let number = Layout::WeChatToken.draw_number(&*self.ports.entropy);
            let access = self.child_access(&presented, number)?;
            let from = refresh.body.from;
            let body = Refresh {
                scopes: refresh.body.scopes.clone(),
                access: number,
                from,
                snapshot: refresh.body.snapshot,
            };
            let issue = Issued {
                client,
                grant: &grant,
                family: refresh.family,
                now,
            };
            let access_body = Access {
                scopes: refresh.body.scopes.clone(),
                from,
                snapshot: refresh.body.snapshot,
            };
            self.commit(vec![
                Change::Amend {
                    kind: Kind::Refresh,
                    number: refresh.number,
                    version: refresh.version,
                    body: serde_json::to_vec(&body)
                        .map_err(|e| Fault::from("write a refresh token", e))?,
                    expires_at: refresh.expires_at,
                },
                issue.ticket(&access, access_body, life)?,
            ])
            .await?;
            access
        };
        let secret = Secret::new(token.expose());
        let named = self.named(&grant, refresh.body.snapshot);
        Ok(tokens(
            client,
            named,
            refresh.body.scopes,
            access.secret,
            secret,
            false,
        ))
    }

    /// A token for the client itself; the one before it lives on for a few minutes (§6).
    async fn client_token(
        &self,
        client: &AuthenticatedClient,
        now: Timestamp,
    ) -> Result<Tokens, Halt> {
        let client = client.client();
        let access = self.mint(Kind::Access, Layout::WeChatToken)?;
        let life = client.policy.access_life;
        let ticket = Ticket {
            number: access.number,
            hash: access.hash,
            grant: None,
            family: None,
            client: Some(client.id.clone()),
            user: None,
            body: Access {
                scopes: Scopes::default(),
                from: Timestamp(0),
                snapshot: false,
            },
            issued_at: now,
            expires_at: now.plus(life),
            taken_at: None,
            revoked_at: None,
            version: 1,
        };
        let mut changes = vec![Change::Issue(ticket.seal()?)];
        let standing = self.platform_standing(&client.id).await?;
        let previous = standing.as_ref().and_then(|standing| standing.body.access);
        if let Some(number) = previous {
            let end = now.plus(self.settings.platform_overlap);
            let raw = self.store().ticket(Kind::Access, number).await?;
            if raw.is_some_and(|raw| raw.ticket.is_alive(now) && raw.ticket.expires_at > end) {
                changes.push(Change::Extend {
                    kind: Kind::Access,
                    number,
                    expires_at: end,
                });
            }
        }
        let ticket = standing.as_ref().and_then(|standing| standing.body.ticket);
        let body = PlatformStanding {
            access: Some(access.number),
            ticket,
        };
        changes.push(self.put_standing(&client.id, standing, body, now)?);
        self.commit(changes).await?;
        Ok(Tokens {
            access: access.secret,
            expires_in: life,
            refresh: None,
            openid: None,
            unionid: None,
            scopes: Scopes::default(),
            scope_trailing_comma: false,
            is_snapshot: false,
        })
    }

    /// Writes a client's standing: it never expires before what it names.
    fn put_standing(
        &self,
        client: &ClientId,
        before: Option<Ticket<PlatformStanding>>,
        body: PlatformStanding,
        now: Timestamp,
    ) -> Result<Change, Fault> {
        let ticket_ends_at = body.ticket.map_or(now, |(_, ends_at)| ends_at);
        let expires_at = now.max(ticket_ends_at).plus(Lifetime::days(1));
        Ok(match before {
            Some(before) => Change::Amend {
                kind: Kind::Platform,
                number: before.number,
                version: before.version,
                body: serde_json::to_vec(&body).map_err(|e| Fault::from("write a standing", e))?,
                expires_at,
            },
            None => {
                let (number, hash) = self
                    .keyring
                    .look_up(Kind::Platform, client.as_str().as_bytes());
                let ticket = Ticket {
                    number,
                    hash,
                    grant: None,
                    family: None,
                    client: Some(client.clone()),
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
        })
    }

    /// The ticket that signs requests for QR codes, for a client's own token (§6). It stays the
    /// same until it ends.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccess`], [`Refusal::ExpiredAccess`], [`Refusal::WrongTokenKind`],
    /// [`Refusal::WrongClientKind`], [`Refusal::ClientSuspended`].
    pub async fn platform_ticket(
        &self,
        access: &Secret,
        now: Timestamp,
    ) -> Result<PlatformTicket, Stop> {
        let ticket = self.access_ticket(access, now).await?;
        let id = match (&ticket.client, ticket.grant) {
            (Some(id), None) => id.clone(),
            _ => return Err(Refusal::WrongTokenKind.into()),
        };
        let client = self.known_client(&id).await?;
        if client.status == Status::Suspended {
            return Err(Refusal::ClientSuspended.into());
        }
        if client.kind != ClientKind::Mobile {
            return Err(Refusal::WrongClientKind.into());
        }
        settled!(|_round| self.platform_ticket_once(&id, now))
    }

    async fn platform_ticket_once(
        &self,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<PlatformTicket, Halt> {
        let standing = self.platform_standing(client).await?;
        let live = standing
            .as_ref()
            .and_then(|standing| standing.body.ticket)
            .filter(|(_, ends_at)| now < *ends_at);
        let (number, ends_at) = match live {
            Some(live) => live,
            None => {
                let ends_at = now.plus(self.settings.platform_ticket_life);
                let fresh = (self.draw_number(), ends_at);
                let access = standing.as_ref().and_then(|standing| standing.body.access);
                let body = PlatformStanding {
                    access,
                    ticket: Some(fresh),
                };
                let change = self.put_standing(client, standing, body, now)?;
                self.commit(vec![change]).await?;
                fresh
            }
        };
        Ok(PlatformTicket {
            ticket: self.keyring.platform_ticket(client, number),
            expires_in: ends_at.since(now),
        })
    }

    /// A mini program's login (§7.5).
    ///
    /// # Errors
    /// As [`Engine::exchange`] for codes.
    pub async fn mini_login(
        &self,
        request: &TokenRequest,
        address: &str,
        now: Timestamp,
    ) -> Result<MiniSession, Stop> {
        let TokenGrant::Code { code, .. } = &request.grant else {
            return Err(Refusal::GrantTypeUnsupported.into());
        };
        let client = self.known_client(&request.client).await?;
        self.count_call(&client, now)?;
        let client = client.authenticate(request.secret.as_ref(), true, address, now)?;
        settled!(|_round| self.pay_mini(&client, code, now))
    }

    async fn pay_mini(
        &self,
        client: &AuthenticatedClient,
        code: &Secret,
        now: Timestamp,
    ) -> Result<MiniSession, Halt> {
        let (redeemed, grant) = self
            .redeem(client, code, None, CodePurpose::Mini, now)
            .await?;
        let client = client.client();
        let mut key = [0; 16];
        self.ports.entropy.fill(&mut key);
        let session_key = Secret::new(STANDARD.encode(key));
        // Nothing is issued that could be read back after a commit of unknown outcome: a nonce of
        // this answer's own stands in.
        let (number, hash) = self
            .keyring
            .look_up(Kind::Nonce, session_key.expose().as_bytes());
        let receipt = Ticket {
            number,
            hash,
            grant: None,
            family: None,
            client: Some(client.id.clone()),
            user: None,
            body: Nonce {},
            issued_at: now,
            expires_at: now,
            taken_at: None,
            revoked_at: None,
            version: 1,
        };
        let user = Some(redeemed.user);
        self.commit(vec![
            Change::Take {
                kind: Kind::Code,
                number: redeemed.number,
                at: now,
            },
            Change::Issue(receipt.seal()?),
            self.event("mini.exchanged", user, Some(&client.id), "", now),
        ])
        .await?;
        Ok(MiniSession {
            session_key,
            openid: grant.openid.clone(),
            unionid: client.union_sector().and(grant.unionid.clone()),
        })
    }

    async fn access_ticket(&self, access: &Secret, now: Timestamp) -> Result<Ticket<Access>, Stop> {
        let presented = self
            .keyring
            .read(Kind::Access, Layout::WeChatToken, access.expose())
            .ok_or(Refusal::UnknownAccess)?;
        let raw = self.store().ticket(Kind::Access, presented.number).await?;
        let raw = raw
            .filter(|raw| presented.proves(&raw.ticket.hash))
            .ok_or(Refusal::UnknownAccess)?;
        let ticket = raw.open::<Access>()?;
        if ticket.revoked_at.is_some() {
            return Err(Refusal::UnknownAccess.into());
        }
        if now >= ticket.expires_at {
            return Err(Refusal::ExpiredAccess.into());
        }
        Ok(ticket)
    }

    async fn live_access(&self, access: &Secret, now: Timestamp) -> Result<LiveAccess, Stop> {
        let ticket = self.access_ticket(access, now).await?;
        let id = ticket.grant.ok_or(Refusal::UnknownAccess)?;
        let grant = self.store().grant(GrantKey::Id(id)).await?;
        let grant = grant
            .filter(|grant| grant.stands() && ticket.body.from == grant.tokens_from)
            .ok_or(Refusal::UnknownAccess)?;
        let client = self.store().client(&grant.client).await?;
        let client = client.ok_or(Refusal::UnknownAccess)?;
        self.count_call(&client, now)?;
        if client.status == Status::Suspended {
            return Err(Refusal::ClientSuspended.into());
        }
        let user = self.store().user(UserKey::Id(grant.user)).await?;
        let user = user.ok_or_else(|| Fault::new("a grant without its user"))?;
        check_user(&client, &user, ticket.issued_at)?;
        Ok(LiveAccess {
            scopes: ticket.body.scopes,
            grant,
            client,
            user,
            snapshot: ticket.body.snapshot,
        })
    }

    /// The names under which a client knows the user of a grant; made up for a snapshot page,
    /// where neither is ever the real one (`docs/facts/wechat.md` §3).
    fn named(&self, grant: &Grant, snapshot: bool) -> Named {
        /// Far beyond any round of a race for a real subject.
        const VIRTUAL: u32 = 1 << 20;
        if !snapshot {
            return Named {
                openid: grant.openid.clone(),
                unionid: grant.unionid.clone(),
                snapshot,
            };
        }
        let sector = Sector::Client(grant.client.clone());
        let virtual_subject = |round| self.keyring.subject(grant.user, &sector, round);
        Named {
            openid: virtual_subject(VIRTUAL),
            unionid: grant.unionid.as_ref().map(|_| virtual_subject(VIRTUAL + 1)),
            snapshot,
        }
    }

    /// Counts a call against the client's own bound (§8: 45011).
    fn count_call(&self, client: &Client, now: Timestamp) -> Result<(), Refusal> {
        let burst = client.policy.calls_per_minute;
        if burst == 0 {
            return Ok(());
        }
        let rate = Rate {
            burst,
            each: Lifetime::from_millis((60_000 / i64::from(burst)).max(1)),
        };
        let counted = self
            .limiter
            .attempt(&format!("calls:{}", client.id), rate, now);
        counted.map_err(|_| Refusal::TooFast)
    }

    /// The profile behind an access token.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccess`], [`Refusal::ExpiredAccess`], [`Refusal::ScopeInsufficient`];
    /// [`Refusal::WrongSubject`] where the client wants the openid checked (§7.4).
    pub async fn profile(
        &self,
        request: &AccessRequest,
        now: Timestamp,
    ) -> Result<ProfileAnswer, Stop> {
        let live = self.live_access(&request.access, now).await?;
        if !live.scopes.contains(scope::USERINFO) && !live.scopes.contains(scope::LOGIN) {
            return Err(Refusal::ScopeInsufficient.into());
        }
        let named = self.named(&live.grant, live.snapshot);
        if live.client.policy.strict_openid && request.openid != named.openid.as_str() {
            return Err(Refusal::WrongSubject.into());
        }
        let told = live.client.tells_unionid(&live.scopes);
        let user = if live.snapshot {
            Arc::new(User {
                profile: Profile {
                    nickname: SNAPSHOT_NICKNAME.to_owned(),
                    ..Profile::default()
                },
                ..User::clone(&live.user)
            })
        } else {
            live.user
        };
        Ok(ProfileAnswer {
            openid: named.openid,
            unionid: named.unionid.filter(|_| told),
            user,
            full: live.client.policy.full_profile,
        })
    }

    /// Whether an access token is alive and belongs to this subject.
    ///
    /// # Errors
    /// [`Refusal::UnknownAccess`], [`Refusal::ExpiredAccess`], [`Refusal::WrongSubject`].
    pub async fn inspect(&self, request: &AccessRequest, now: Timestamp) -> Result<(), Stop> {
        let live = self.live_access(&request.access, now).await?;
        if request.openid != self.named(&live.grant, live.snapshot).openid.as_str() {
            return Err(Refusal::WrongSubject.into());
        }
        Ok(())
    }
}

/// What a snapshot page calls its virtual user.
const SNAPSHOT_NICKNAME: &str = "微信用户";

/// Whether a user may be spoken for by something issued at this moment.
fn check_user(client: &Client, user: &User, issued_at: Timestamp) -> Result<(), Refusal> {
    if user.status == UserStatus::Restricted {
        return Err(Refusal::UserRestricted);
    }
    let changed = user.password_changed_at.is_some_and(|at| issued_at < at);
    if changed && client.policy.password_change_voids {
        return Err(Refusal::CredentialsChanged);
    }
    Ok(())
}

/// What all tokens of one exchange have in common.
struct Issued<'a> {
    client: &'a Client,
    grant: &'a Grant,
    family: Option<Number>,
    now: Timestamp,
}

impl Issued<'_> {
    fn ticket<B: Body>(&self, minted: &Minted, body: B, life: Lifetime) -> Result<Change, Fault> {
        let ticket = Ticket {
            number: minted.number,
            hash: minted.hash,
            grant: Some(self.grant.id),
            family: self.family,
            client: Some(self.client.id.clone()),
            user: Some(self.grant.user),
            body,
            issued_at: self.now,
            expires_at: self.now.plus(life),
            taken_at: None,
            revoked_at: None,
            version: 1,
        };
        Ok(Change::Issue(ticket.seal()?))
    }
}

fn tokens(
    client: &Client,
    named: Named,
    scopes: Scopes,
    access: Secret,
    refresh: Secret,
    fresh: bool,
) -> Tokens {
    let told = fresh && client.tells_unionid(&scopes);
    Tokens {
        access,
        expires_in: client.policy.access_life,
        refresh: Some(refresh),
        openid: Some(named.openid),
        unionid: named.unionid.filter(|_| told),
        scopes,
        is_snapshot: named.snapshot,
        // Seen on refresh answers only (§7.2).
        scope_trailing_comma: !fresh && client.policy.scope_trailing_comma,
    }
}
