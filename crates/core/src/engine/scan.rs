//! Scans: a QR code on one screen, answered on another.

use aws_lc_rs::digest;

use super::authorize::code_ticket;
use super::{Engine, Halt, settled};
use crate::client::Admitted;
use crate::id::{ClientId, GrantId, Number};
use crate::keyring::{Minted, hex};
use crate::message::{PollAnswer, PollRequest, PollState, ScanShown, ScanSignature, Step, Visitor};
use crate::refusal::{Fault, Refusal, Stop};
use crate::secret::{Layout, SecretHash, same};
use crate::store::{Change, Clash, GrantKey};
use crate::ticket::{
    Code, CodePurpose, Interaction, Kind, Nonce, PlatformStanding, Scan, ScanStage, Ticket,
};
use crate::time::Timestamp;

impl Engine {
    pub(super) async fn begin_scan(
        &self,
        admitted: Admitted,
        browser: Option<SecretHash>,
        mut changes: Vec<Change>,
        now: Timestamp,
    ) -> Result<Step, Stop> {
        let client = admitted.client;
        let minted = self.mint(Kind::Scan, Layout::ScanUuid)?;
        let scan = Ticket {
            number: minted.number,
            hash: minted.hash,
            grant: None,
            family: None,
            client: Some(client.id.clone()),
            user: None,
            body: Scan {
                channel: admitted.channel,
                return_path: admitted.return_path.clone(),
                scopes: admitted.scopes,
                state: admitted.state.clone(),
                challenge: admitted.challenge,
                browser,
                stage: ScanStage::Waiting,
            },
            issued_at: now,
            expires_at: now.plus(self.settings.scan_life),
            taken_at: None,
            revoked_at: None,
            version: 1,
        };
        changes.push(Change::Issue(scan.seal()?));
        match self.commit(changes).await {
            Ok(()) => {}
            // The nonce was spent between the check and the commit; a uuid never repeats.
            Err(Clash::Exists) => return Err(Refusal::NonceUsed.into()),
            Err(Clash::Failed(fault) | Clash::Unknown(fault)) => {
                return Err(fault.into());
            }
            Err(_) => return Err(Fault::new("a scan could not be begun").into()),
        }
        Ok(Step::Scan(ScanShown {
            uuid: minted.secret,
            client,
            return_path: admitted.return_path,
            state: admitted.state,
            life: self.settings.scan_life,
        }))
    }

    /// Checks a mobile app's signature and answers the change that spends its nonce
    /// (`docs/facts/wechat.md` §6: SHA-1 over appid, noncestr, sdk_ticket, timestamp).
    pub(super) async fn check_signature(
        &self,
        client: &ClientId,
        signed: &ScanSignature,
        now: Timestamp,
    ) -> Result<Change, Stop> {
        let at: i64 = signed
            .timestamp
            .parse()
            .map_err(|_| Refusal::TimestampSkewed)?;
        let at = Timestamp::from_seconds(at);
        let off = at.since(now).max(now.since(at));
        if off > self.settings.signature_window {
            return Err(Refusal::TimestampSkewed.into());
        }
        let standing = self.platform_standing(client).await?;
        let ticket = standing
            .and_then(|standing| standing.body.ticket)
            .filter(|(_, ends_at)| now < *ends_at)
            .ok_or(Refusal::SignatureMismatch)?;
        let ticket = self.keyring.platform_ticket(client, ticket.0);
        let text = format!(
            "appid={client}&noncestr={}&sdk_ticket={}&timestamp={}",
            signed.nonce,
            ticket.expose(),
            signed.timestamp
        );
        let expected = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let presented = signed.signature.to_ascii_lowercase();
        if !same(hex(expected.as_ref()).as_bytes(), presented.as_bytes()) {
            return Err(Refusal::SignatureMismatch.into());
        }
        let content = format!("{client}\n{}", signed.nonce);
        let (number, hash) = self.keyring.look_up(Kind::Nonce, content.as_bytes());
        if self.store().ticket(Kind::Nonce, number).await?.is_some() {
            return Err(Refusal::NonceUsed.into());
        }
        // Kept until no timestamp that goes with it can pass the window any more.
        let window = self.settings.signature_window;
        let nonce = Ticket {
            number,
            hash,
            grant: None,
            family: None,
            client: Some(client.clone()),
            user: None,
            body: Nonce {},
            issued_at: now,
            expires_at: now.plus(window).plus(window),
            taken_at: None,
            revoked_at: None,
            version: 1,
        };
        Ok(Change::Issue(nonce.seal()?))
    }

    pub(super) async fn platform_standing(
        &self,
        client: &ClientId,
    ) -> Result<Option<Ticket<PlatformStanding>>, Fault> {
        let (number, _) = self
            .keyring
            .look_up(Kind::Platform, client.as_str().as_bytes());
        let raw = self.store().ticket(Kind::Platform, number).await?;
        raw.map(|raw| raw.open::<PlatformStanding>()).transpose()
    }

    pub(super) async fn live_scan(
        &self,
        number: Number,
        now: Timestamp,
    ) -> Result<Ticket<Scan>, Stop> {
        let raw = self.store().ticket(Kind::Scan, number).await?;
        let scan = raw.ok_or(Refusal::InteractionGone)?.open::<Scan>()?;
        if scan.is_alive(now) {
            Ok(scan)
        } else {
            Err(Refusal::InteractionGone.into())
        }
    }

    /// The number behind a scan's public name, to find those who poll it.
    ///
    /// # Errors
    /// [`Refusal::InteractionGone`] for a name that no scan can have.
    pub fn scan_number(&self, uuid: &str) -> Result<Number, Refusal> {
        let presented = self.keyring.read(Kind::Scan, Layout::ScanUuid, uuid);
        Ok(presented.ok_or(Refusal::InteractionGone)?.number)
    }

    /// Whether a scan of this public name is alive: its picture may be drawn.
    ///
    /// # Errors
    /// [`Refusal::InteractionGone`].
    pub async fn check_scan(&self, uuid: &str, now: Timestamp) -> Result<(), Stop> {
        self.live_scan(self.scan_number(uuid)?, now)
            .await
            .map(|_| ())
    }

    /// How a scan stands, for whoever only looks: nothing is paid.
    ///
    /// # Errors
    /// Faults of the store; an unknown scan is an expired one.
    pub async fn scan_state(&self, uuid: &str, now: Timestamp) -> Result<PollState, Stop> {
        let Ok(number) = self.scan_number(uuid) else {
            return Ok(PollState::Expired);
        };
        match self.live_scan(number, now).await {
            Ok(scan) => Ok(match scan.body.stage {
                ScanStage::Waiting => PollState::Waiting,
                ScanStage::Scanned => PollState::Scanned,
                ScanStage::Cancelled => PollState::Cancelled,
                ScanStage::Approved { .. } | ScanStage::Paid { .. } => PollState::Confirmed,
            }),
            Err(Stop::Refused(_)) => Ok(PollState::Expired),
            Err(stop) => Err(stop),
        }
    }

    /// A phone opens a scan: the page that shows it hears of it, and the phone is asked.
    ///
    /// # Errors
    /// [`Refusal::InteractionGone`] when the scan is over; a client no longer approved.
    pub async fn open_scan(
        &self,
        uuid: &str,
        visitor: &Visitor<'_>,
        now: Timestamp,
    ) -> Result<Step, Stop> {
        let number = self.scan_number(uuid)?;
        let browser = visitor.browser.ok_or(Refusal::WrongBrowser)?;
        let scan = self.live_scan(number, now).await?;
        let id = scan.client.clone().ok_or(Refusal::InteractionGone)?;
        let client = self.approved_client(&id).await?;
        settled!(|_round| self.mark_scanned(number, now))?;
        let interaction = Interaction {
            channel: scan.body.channel.clone(),
            return_path: None,
            scopes: scan.body.scopes.clone(),
            state: None,
            challenge: None,
            browser: self.browser_hash(browser),
            force_consent: true,
            scan: Some(number),
        };
        self.enter(&client, interaction, visitor, now).await
    }

    async fn mark_scanned(&self, number: Number, now: Timestamp) -> Result<(), Halt> {
        let scan = self.live_scan(number, now).await?;
        match scan.body.stage {
            ScanStage::Scanned => Ok(()),
            ScanStage::Waiting | ScanStage::Cancelled => {
                let change = amend_scan(&scan, ScanStage::Scanned, scan.expires_at)?;
                Ok(self.commit(vec![change]).await?)
            }
            ScanStage::Approved { .. } | ScanStage::Paid { .. } => {
                Err(Refusal::InteractionGone.into())
            }
        }
    }

    /// How a scan stands for this poller. The code goes only to the browser that began the scan:
    /// the uuid is printed in the picture and is no secret.
    ///
    /// # Errors
    /// Faults of the store; an unknown scan is an expired one.
    pub async fn poll(
        &self,
        request: &PollRequest,
        browser: Option<&str>,
        now: Timestamp,
    ) -> Result<PollAnswer, Stop> {
        settled!(|_round| self.poll_once(request, browser, now))
    }

    async fn poll_once(
        &self,
        request: &PollRequest,
        browser: Option<&str>,
        now: Timestamp,
    ) -> Result<PollAnswer, Halt> {
        let over = Ok(PollAnswer::State(PollState::Expired));
        let Ok(number) = self.scan_number(request.uuid.expose()) else {
            return over;
        };
        let scan = match self.live_scan(number, now).await {
            Ok(scan) => scan,
            Err(Stop::Refused(_)) => return over,
            Err(stop) => return Err(stop.into()),
        };
        let may_have_code = match scan.body.browser {
            None => true,
            Some(owner) => browser.map(|text| self.browser_hash(text)) == Some(owner),
        };
        match scan.body.stage {
            ScanStage::Waiting => Ok(PollAnswer::State(PollState::Waiting)),
            ScanStage::Scanned => Ok(PollAnswer::State(PollState::Scanned)),
            ScanStage::Cancelled => Ok(PollAnswer::State(PollState::Cancelled)),
            ScanStage::Approved { .. } | ScanStage::Paid { .. } if !may_have_code => {
                Ok(PollAnswer::State(PollState::Scanned))
            }
            ScanStage::Approved { grant, .. } => self.pay_scan(&scan, grant, now).await,
            ScanStage::Paid { code, version, .. } => {
                let minted = self.scan_code(&scan, code, version)?;
                Ok(PollAnswer::Code(minted.secret))
            }
        }
    }

    fn scan_code(&self, scan: &Ticket<Scan>, code: Number, version: u8) -> Result<Minted, Fault> {
        let context = scan.number.0.to_be_bytes();
        self.keyring
            .mint_known(version, Kind::Code, Layout::WeChatCode, code, &context)
    }

    /// Mints the code of an approved scan, once; it is derived so that it can be said again.
    async fn pay_scan(
        &self,
        scan: &Ticket<Scan>,
        grant: GrantId,
        now: Timestamp,
    ) -> Result<PollAnswer, Halt> {
        let grant = self.store().grant(GrantKey::Id(grant)).await?;
        let Some(grant) = grant.filter(|grant| grant.stands()) else {
            return Ok(PollAnswer::State(PollState::Expired));
        };
        let client = self.known_client(&grant.client).await?;
        let number = Layout::WeChatCode.draw_number(&*self.ports.entropy);
        let version = self.keyring.current_version();
        let minted = self.scan_code(scan, number, version)?;
        let body = Code {
            scopes: scan.body.scopes.clone(),
            challenge: scan.body.challenge,
            purpose: CodePurpose::Tokens,
            snapshot: false,
        };
        let code = code_ticket(&client, &grant, number, minted.hash, body, now);
        let stage = ScanStage::Paid {
            code: number,
            version,
            at: now,
        };
        let end = now.plus(self.settings.scan_repeat);
        self.commit(vec![
            amend_scan(scan, stage, end)?,
            Change::Issue(code.seal()?),
        ])
        .await?;
        Ok(PollAnswer::Code(minted.secret))
    }
}

pub(super) fn amend_scan(
    scan: &Ticket<Scan>,
    stage: ScanStage,
    expires_at: Timestamp,
) -> Result<Change, Fault> {
    let body = Scan {
        stage,
        ..scan.body.clone()
    };
    Ok(Change::Amend {
        kind: Kind::Scan,
        number: scan.number,
        version: scan.version,
        body: serde_json::to_vec(&body).map_err(|e| Fault::from("write a scan", e))?,
        expires_at,
    })
}
