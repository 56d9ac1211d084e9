//! Tokens: exchange, refresh, use, check.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::access::{Named, check_user};
use super::{Engine, Halt, settled};
use crate::client::{AuthenticatedClient, Client};
use crate::grant::Grant;
use crate::id::Number;
use crate::keyring::{Minted, Presented};
use crate::message::{MiniSession, TokenGrant, TokenRequest, Tokens};
use crate::refusal::{Fault, Refusal, Stop};
use crate::scope::Scopes;
use crate::secret::{Layout, Secret};
use crate::store::{Change, GrantKey, Record, UserKey};
use crate::ticket::{
    Access, Body, Code, CodeProof, CodePurpose, Kind, Nonce, Redeemed, Refresh, Ticket,
};
use crate::time::{Lifetime, Timestamp};

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
        self.count_call(client.client(), now)?;
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
        let client = client.authenticate(request.secret.as_ref(), true, address, now)?;
        self.count_call(client.client(), now)?;
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
