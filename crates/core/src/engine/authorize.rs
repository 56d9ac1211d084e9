//! Authorization: from the first knock to the code on its way.

use std::sync::Arc;

use super::scan::amend_scan;
use super::{AuthorizeStop, Engine, Halt, settled};
use crate::client::{AuthorizeRefusal, Client, Developer, Status};
use crate::grant::Grant;
use crate::id::{ClientId, GrantId, Number, UserId};
use crate::message::{
    Act, Asked, AuthorizeRequest, Authorized, Channel, Outcome, SignedIn, Step, Visitor,
};
use crate::refusal::{Fault, Refusal, Stop};
use crate::scope::{self, Scopes};
use crate::secret::{Layout, Secret, SecretHash};
use crate::store::{Change, Clash, GrantKey, Record, UserKey};
use crate::subject::{Sector, Subject};
use crate::ticket::{Code, CodePurpose, Interaction, Kind, Next, ScanStage, Session, Ticket};
use crate::time::Timestamp;
use crate::user::UserStatus;

impl Engine {
    /// A browser or app asks to authorize.
    ///
    /// # Errors
    /// Refusals as [`Client::admit`], and those of a signed scan; faults of the store.
    pub async fn begin(
        &self,
        request: AuthorizeRequest,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Step, AuthorizeStop> {
        let stay = |refusal| AuthorizeStop::Refused(AuthorizeRefusal::Stay(refusal));
        let client = self.known_client(&request.client).await?;
        let admitted = client
            .admit(request, &self.settings.state_limits)
            .map_err(AuthorizeStop::Refused)?;
        let channel = admitted.channel.clone();
        match &channel {
            Channel::Scan => {
                let browser = visitor.browser.ok_or(stay(Refusal::WrongBrowser))?;
                self.count_row(visitor, now).map_err(stay)?;
                let bound = (!client.policy.public_scan).then(|| self.browser_hash(browser));
                Ok(self.begin_scan(admitted, bound, Vec::new(), now).await?)
            }
            Channel::SignedScan(signature) => {
                self.count_row(visitor, now).map_err(stay)?;
                let nonce = self.check_signature(&client.id, signature, now).await?;
                Ok(self.begin_scan(admitted, None, vec![nonce], now).await?)
            }
            Channel::InClient | Channel::Native(_) => {
                let browser = visitor.browser.ok_or(stay(Refusal::WrongBrowser))?;
                let interaction = Interaction {
                    channel,
                    return_path: admitted.return_path,
                    scopes: admitted.scopes,
                    state: admitted.state,
                    challenge: admitted.challenge,
                    browser: self.browser_hash(browser),
                    force_consent: admitted.force_consent,
                    scan: None,
                };
                Ok(self.enter(&client, interaction, visitor, now).await?)
            }
        }
    }

    pub(super) async fn known_client(&self, id: &ClientId) -> Result<Arc<Client>, Stop> {
        if id.as_str().len() > ClientId::MAX_BYTES {
            return Err(Refusal::UnknownClient.into());
        }
        let client = self.store().client(id).await?;
        Ok(client.ok_or(Refusal::UnknownClient)?)
    }

    async fn developer_of(&self, client: &Client) -> Result<Arc<Developer>, Fault> {
        let developer = self.store().developer(client.developer).await?;
        developer.ok_or_else(|| Fault::new("a client without its developer"))
    }

    /// Goes on with an interaction that is not stored yet: straight to the answer where nobody
    /// needs to be asked, else stores it and says what is needed.
    pub(super) async fn enter(
        &self,
        client: &Arc<Client>,
        interaction: Interaction,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Step, Stop> {
        let signed_in = self.session(visitor.session, now).await?;
        let user = signed_in.as_ref().map(|s| s.user.id);
        let grant = self.standing(user, &client.id).await?;
        let next = interaction.next(user, grant.as_deref());
        if let (Next::Return, Some(signed_in)) = (next, &signed_in) {
            let asked = false;
            return settled!(|round| self.answer(
                client,
                (&interaction, None),
                signed_in,
                asked,
                round,
                now
            ));
        }
        self.count_row(visitor, now)?;
        let secret = settled!(|_round| self.keep(client, &interaction, now))?;
        let asked = self.asked(client, &interaction, secret).await?;
        Ok(match signed_in {
            Some(signed_in) => Step::Consent(asked, signed_in),
            None => Step::Authenticate(asked),
        })
    }

    /// Stores an interaction and answers the secret that continues it.
    async fn keep(
        &self,
        client: &Client,
        interaction: &Interaction,
        now: Timestamp,
    ) -> Result<Secret, Halt> {
        let minted = self.mint(Kind::Interaction, Layout::Own)?;
        let ticket = Ticket {
            number: minted.number,
            hash: minted.hash,
            grant: None,
            family: None,
            client: Some(client.id.clone()),
            user: None,
            body: interaction.clone(),
            issued_at: now,
            expires_at: now.plus(self.settings.interaction_life),
            taken_at: None,
            revoked_at: None,
            version: 1,
        };
        self.apply(vec![Change::Issue(ticket.seal()?)]).await?;
        Ok(minted.secret)
    }

    async fn standing(
        &self,
        user: Option<UserId>,
        client: &ClientId,
    ) -> Result<Option<Arc<Grant>>, Fault> {
        match user {
            Some(user) => self.store().grant(GrantKey::Standing(user, client)).await,
            None => Ok(None),
        }
    }

    async fn asked(
        &self,
        client: &Arc<Client>,
        interaction: &Interaction,
        secret: Secret,
    ) -> Result<Asked, Fault> {
        Ok(Asked {
            interaction: secret,
            client: client.clone(),
            developer: self.developer_of(client).await?,
            scopes: interaction.scopes.clone(),
            channel: interaction.channel.clone(),
            return_path: interaction.return_path.clone(),
            on_phone: interaction.scan.is_some(),
        })
    }

    /// Who is signed in by this session cookie; `None` for nobody. A session that is used lives on
    /// until its absolute end.
    ///
    /// # Errors
    /// Faults of the store.
    pub async fn session(
        &self,
        cookie: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<SignedIn>, Fault> {
        let Some(session) = self.open_session_ticket(cookie, now).await? else {
            return Ok(None);
        };
        let user = match session.user {
            Some(id) => self.store().user(UserKey::Id(id)).await?,
            None => None,
        };
        let Some(user) = user
            .filter(|user| session.body.from == user.sessions_from && user.status.may_sign_in())
        else {
            return Ok(None);
        };
        let idle = self.settings.session_idle;
        let end = now.plus(idle).min(session.body.ends_at);
        // Written at most once in a tenth of the idle time.
        if end.since(session.expires_at).millis() > idle.millis() / 10 {
            let extend = Change::Extend {
                kind: Kind::Session,
                number: session.number,
                expires_at: end,
            };
            // A race lost here was lost to a sign-out or to another extension: both stand.
            let _ = self.commit(vec![extend]).await;
        }
        Ok(Some(SignedIn {
            user,
            authenticated_at: session.body.authenticated_at,
        }))
    }

    pub(super) async fn open_session_ticket(
        &self,
        cookie: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Ticket<Session>>, Fault> {
        let presented = cookie.and_then(|text| self.keyring.read(Kind::Session, Layout::Own, text));
        let Some(presented) = presented else {
            return Ok(None);
        };
        let raw = self.store().ticket(Kind::Session, presented.number).await?;
        let Some(raw) = raw.filter(|raw| presented.proves(&raw.ticket.hash)) else {
            return Ok(None);
        };
        let session = raw.open::<Session>()?;
        Ok(session.is_alive(now).then_some(session))
    }

    async fn open_interaction(
        &self,
        secret: &str,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Ticket<Interaction>, Stop> {
        let presented = self
            .keyring
            .read(Kind::Interaction, Layout::Own, secret)
            .ok_or(Refusal::InteractionGone)?;
        let raw = self
            .store()
            .ticket(Kind::Interaction, presented.number)
            .await?
            .filter(|raw| presented.proves(&raw.ticket.hash))
            .ok_or(Refusal::InteractionGone)?;
        let interaction = raw.open::<Interaction>()?;
        if !interaction.is_alive(now) {
            return Err(Refusal::InteractionGone.into());
        }
        let browser = visitor.browser.map(|browser| self.browser_hash(browser));
        if browser != Some(interaction.body.browser) {
            return Err(Refusal::WrongBrowser.into());
        }
        Ok(interaction)
    }

    async fn client_of(&self, ticket: &Ticket<Interaction>) -> Result<Arc<Client>, Stop> {
        let id = ticket.client.as_ref().ok_or(Refusal::InteractionGone)?;
        self.approved_client(id).await
    }

    pub(super) async fn approved_client(&self, id: &ClientId) -> Result<Arc<Client>, Stop> {
        let client = self.known_client(id).await?;
        match client.status {
            Status::Approved => Ok(client),
            Status::Suspended => Err(Refusal::ClientSuspended.into()),
            _ => Err(Refusal::ClientNotApproved.into()),
        }
    }

    /// What an open interaction needs now: the page of its address.
    ///
    /// # Errors
    /// [`Refusal::InteractionGone`], [`Refusal::WrongBrowser`], a client no longer approved.
    pub async fn look(
        &self,
        secret: &str,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Step, Stop> {
        let ticket = self.open_interaction(secret, visitor, now).await?;
        let client = self.client_of(&ticket).await?;
        let signed_in = self.session(visitor.session, now).await?;
        let user = signed_in.as_ref().map(|s| s.user.id);
        let grant = self.standing(user, &client.id).await?;
        let next = ticket.body.next(user, grant.as_deref());
        match (next, signed_in) {
            (Next::Return, Some(signed_in)) => {
                let stored = (&ticket.body, Some(ticket.number));
                let asked = false;
                settled!(|round| self.answer(&client, stored, &signed_in, asked, round, now))
            }
            (Next::Consent, Some(signed_in)) => {
                let asked = self
                    .asked(&client, &ticket.body, Secret::new(secret))
                    .await?;
                Ok(Step::Consent(asked, signed_in))
            }
            _ => {
                let asked = self
                    .asked(&client, &ticket.body, Secret::new(secret))
                    .await?;
                Ok(Step::Authenticate(asked))
            }
        }
    }

    /// What a user does on an interaction's page. The caller has checked the form's token, which
    /// binds the page to the session it was shown in ([`Engine::check_form`]): a page that was
    /// shown to one user is not answered by another who signed in meanwhile.
    ///
    /// # Errors
    /// As [`Engine::look`]; [`Refusal::InteractionGone`] for a second answer.
    pub async fn proceed(
        &self,
        secret: &str,
        act: Act,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Step, Stop> {
        let ticket = self.open_interaction(secret, visitor, now).await?;
        let client = self.client_of(&ticket).await?;
        let signed_in = self.session(visitor.session, now).await?;
        match (act, signed_in) {
            (Act::Approve, None) => {
                let asked = self
                    .asked(&client, &ticket.body, Secret::new(secret))
                    .await?;
                Ok(Step::Authenticate(asked))
            }
            (Act::Approve, Some(signed_in)) => {
                settled!(|round| self.approve(&client, secret, &signed_in, visitor, round, now))
            }
            (act, _) => settled!(|_round| self.decline(&client, secret, act, visitor, now)),
        }
    }

    async fn approve(
        &self,
        client: &Arc<Client>,
        secret: &str,
        signed_in: &SignedIn,
        visitor: &Visitor<'_>,
        round: u32,
        now: Timestamp,
    ) -> Result<Step, Halt> {
        let ticket = self.open_interaction(secret, visitor, now).await?;
        let interaction = &ticket.body;
        let Some(scan_number) = interaction.scan else {
            let stored = (interaction, Some(ticket.number));
            return self
                .answer(client, stored, signed_in, true, round, now)
                .await;
        };
        let scan = self.live_scan(scan_number, now).await?;
        if scan.body.stage != ScanStage::Scanned {
            return Err(Refusal::InteractionGone.into());
        }
        let (grant, mut changes) = self
            .grant_for(client, signed_in, &interaction.scopes, true, round, now)
            .await?;
        let life = now.plus(self.settings.scan_repeat).max(scan.expires_at);
        changes.push(Change::Take {
            kind: Kind::Interaction,
            number: ticket.number,
            at: now,
        });
        let stage = ScanStage::Approved {
            grant: grant.id,
            user: grant.user,
        };
        changes.push(amend_scan(&scan, stage, life)?);
        self.commit(changes).await?;
        Ok(Step::ScanAnswered {
            allowed: true,
            scan: scan_number,
        })
    }

    async fn decline(
        &self,
        client: &Arc<Client>,
        secret: &str,
        act: Act,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Step, Halt> {
        let ticket = self.open_interaction(secret, visitor, now).await?;
        let mut changes = vec![Change::Take {
            kind: Kind::Interaction,
            number: ticket.number,
            at: now,
        }];
        if let Some(number) = ticket.body.scan {
            let scan = self.live_scan(number, now).await?;
            if scan.body.stage == ScanStage::Scanned {
                changes.push(amend_scan(&scan, ScanStage::Cancelled, scan.expires_at)?);
            }
            self.commit(changes).await?;
            return Ok(Step::ScanAnswered {
                allowed: false,
                scan: number,
            });
        }
        self.commit(changes).await?;
        let return_path = ticket.body.return_path.ok_or(Refusal::InteractionGone)?;
        Ok(Step::Return(Authorized {
            return_path,
            state: ticket.body.state,
            channel: ticket.body.channel,
            outcome: if act == Act::Cancel {
                Outcome::Cancelled
            } else {
                Outcome::Denied
            },
            authdeny: client.policy.authdeny,
        }))
    }

    /// Mints the code and sends it on its way; spends the interaction if it was stored.
    async fn answer(
        &self,
        client: &Arc<Client>,
        (interaction, stored): (&Interaction, Option<Number>),
        signed_in: &SignedIn,
        asked: bool,
        round: u32,
        now: Timestamp,
    ) -> Result<Step, Halt> {
        let return_path = interaction
            .return_path
            .clone()
            .ok_or(Refusal::InteractionGone)?;
        let (grant, mut changes) = self
            .grant_for(client, signed_in, &interaction.scopes, asked, round, now)
            .await?;
        if let Some(number) = stored {
            changes.push(Change::Take {
                kind: Kind::Interaction,
                number,
                at: now,
            });
        }
        let minted = self.mint(Kind::Code, Layout::WeChatCode)?;
        let body = Code {
            scopes: interaction.scopes.clone(),
            challenge: interaction.challenge,
            purpose: CodePurpose::Tokens,
            snapshot: client.policy.snapshot_pages
                && interaction.channel == Channel::InClient
                && interaction.scopes.contains(scope::USERINFO),
        };
        let code = code_ticket(client, &grant, minted.number, minted.hash, body, now);
        changes.push(Change::Issue(code.seal()?));
        self.commit(changes).await.map_err(|clash| match clash {
            // The interaction was answered by another request of the same browser.
            Clash::Taken(Kind::Interaction, _) => Halt::from(Refusal::InteractionGone),
            clash => clash.into(),
        })?;
        Ok(Step::Return(Authorized {
            return_path,
            state: interaction.state.clone(),
            channel: interaction.channel.clone(),
            outcome: Outcome::Code(minted.secret),
            authdeny: client.policy.authdeny,
        }))
    }

    /// The grant that stands after this consent, and the changes that make it stand. A silent
    /// answer (`asked` off) under a grant that covers everything changes nothing, and neither
    /// does one that lost a race: what the winner confirmed in this moment is confirmed.
    pub(super) async fn grant_for(
        &self,
        client: &Arc<Client>,
        signed_in: &SignedIn,
        scopes: &Scopes,
        asked: bool,
        round: u32,
        now: Timestamp,
    ) -> Result<(Grant, Vec<Change>), Stop> {
        let user = &signed_in.user;
        if user.status != UserStatus::Active {
            return Err(Refusal::UserRestricted.into());
        }
        let mut changes = Vec::new();
        let standing = self.standing(Some(user.id), &client.id).await?;
        let unionid = match (&standing, client.union_sector()) {
            (Some(grant), _) if grant.unionid.is_some() => grant.unionid.clone(),
            (_, Some(sector)) => Some(
                self.subject_in(user.id, sector, round, &mut changes)
                    .await?,
            ),
            (_, None) => None,
        };
        let grant = match standing {
            Some(grant)
                if (!asked || round > 0) && grant.covers(scopes) && grant.unionid == unionid =>
            {
                return Ok((Grant::clone(&grant), changes));
            }
            Some(grant) => Grant {
                scopes: grant.scopes.union(scopes),
                unionid,
                updated_at: now,
                version: grant.version + 1,
                ..Grant::clone(&grant)
            },
            None => Grant {
                id: GrantId(self.draw_number()),
                user: user.id,
                client: client.id.clone(),
                scopes: scopes.clone(),
                openid: self
                    .subject_in(
                        user.id,
                        Sector::Client(client.id.clone()),
                        round,
                        &mut changes,
                    )
                    .await?,
                unionid,
                created_at: now,
                updated_at: now,
                tokens_from: Timestamp(0),
                revoked_at: None,
                version: 1,
            },
        };
        changes.push(Change::Put(Record::Grant(grant.clone())));
        changes.push(self.event(
            "grant.given",
            Some(user.id),
            Some(&client.id),
            &scopes.to_string(),
            now,
        ));
        Ok((grant, changes))
    }

    async fn subject_in(
        &self,
        user: UserId,
        sector: Sector,
        round: u32,
        changes: &mut Vec<Change>,
    ) -> Result<Subject, Stop> {
        if let Some(subject) = self.store().subject(user, &sector).await? {
            return Ok(subject);
        }
        // A subject that another user has already shows as a lost race: draw the next one then.
        let subject = self.keyring.subject(user, &sector, round);
        changes.push(Change::Put(Record::Subject(user, sector, subject.clone())));
        Ok(subject)
    }
}

/// A code for a grant.
pub(super) fn code_ticket(
    client: &Client,
    grant: &Grant,
    number: Number,
    hash: SecretHash,
    body: Code,
    now: Timestamp,
) -> Ticket<Code> {
    Ticket {
        number,
        hash,
        grant: Some(grant.id),
        family: None,
        client: Some(client.id.clone()),
        user: Some(grant.user),
        body,
        issued_at: now,
        expires_at: now.plus(client.policy.code_life),
        taken_at: None,
        revoked_at: None,
        version: 1,
    }
}
