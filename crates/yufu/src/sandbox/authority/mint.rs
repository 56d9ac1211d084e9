//! Making keys and certificates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, SanType, SerialNumber,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use yufu_core::secret::Entropy as _;
use yufu_core::time::{Lifetime, Timestamp};
use zeroize::Zeroize as _;

use super::kept::File;
use super::{Authority, HOSTS, LEAF_LIFE, Leaf, Paper};
use crate::ports::SystemEntropy;

/// Certificates begin to be good before they are made: clocks of other machines are late.
const HEAD_START: Lifetime = Lifetime::minutes(60);

impl Authority {
    /// An authority that nobody keeps.
    pub(super) fn make(now: Timestamp, life: Lifetime) -> Result<Self, String> {
        Self::found(now, life).map(|(authority, _)| authority)
    }

    /// A new authority, and what a folder keeps of it.
    pub(super) fn found(now: Timestamp, life: Lifetime) -> Result<(Self, File), String> {
        let until = now.plus(life);
        let mut number = [0; 4];
        SystemEntropy.fill(&mut number);
        // Each has a name of its own: two roots of one name in one file confuse libraries.
        let number = yufu_core::keyring::hex(&number);
        let found = || -> Result<_, rcgen::Error> {
            let mut root_key = KeyPair::generate()?;
            let root_params = authority_params(&root_name(&number), 1, now, until);
            let root = root_params.self_signed(&root_key)?;
            let key = KeyPair::generate()?;
            let params = authority_params(&name(&number), 0, now, until);
            let issuer = Issuer::from_params(&root_params, &root_key);
            let intermediate = params.signed_by(&key, &issuer)?;
            // Nobody signs with the root again.
            root_key.zeroize();
            drop(root_key);
            Ok((Paper::from(root), Paper::from(intermediate), key))
        };
        let wrong = |error: rcgen::Error| format!("the certificate authority: {error}");
        let (root, intermediate, key) = found().map_err(wrong)?;
        let file = File {
            version: 1,
            number: number.clone(),
            until,
            hosts: HOSTS.map(str::to_owned).to_vec(),
            root: root.pem.clone(),
            intermediate: intermediate.pem.clone(),
            key: key.serialize_pem(),
        };
        let authority = Self::with(&number, root, intermediate, key, until).map_err(wrong)?;
        Ok((authority, file))
    }

    /// An authority around its certificates and the intermediate's key.
    pub(super) fn with(
        number: &str,
        root: Paper,
        intermediate: Paper,
        key: KeyPair,
        until: Timestamp,
    ) -> Result<Self, rcgen::Error> {
        // What signing reads of them is the name and the uses of the key; the dates are of no account.
        let params = authority_params(&name(number), 0, until, until);
        Ok(Self {
            root,
            intermediate,
            issuer: Issuer::new(params, key),
            until,
            key: KeyPair::generate()?,
            leaves: Mutex::new(BTreeMap::new()),
        })
    }

    /// A certificate of one of the platform's names.
    pub(super) fn mint(&self, host: &'static str, now: Timestamp) -> Result<Leaf, String> {
        let end = now.plus(LEAF_LIFE).min(self.until);
        let leaf = self.sign(&[host], now, end)?;
        let chain = vec![leaf, self.intermediate.der.clone()];
        let key = PrivatePkcs8KeyDer::from(self.key.serialized_der());
        let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&PrivateKeyDer::Pkcs8(key))
            .map_err(|error| error.to_string())?;
        Ok(Leaf {
            certified: Arc::new(CertifiedKey::new(chain, key)),
            // At the end of the authority there is nothing to be renewed any more.
            renew_at: match end == self.until {
                true => Timestamp(i64::MAX),
                false => end.minus(Lifetime::days(10)),
            },
        })
    }

    /// Signs. Knows no bounds: callers do, and so do those who verify.
    pub(super) fn sign(
        &self,
        hosts: &[&str],
        now: Timestamp,
        end: Timestamp,
    ) -> Result<CertificateDer<'static>, String> {
        let sign = || -> Result<_, rcgen::Error> {
            let mut params = params(hosts.first().copied().unwrap_or_default(), now, end);
            for host in hosts {
                params.subject_alt_names.push(match host.parse() {
                    Ok(address) => SanType::IpAddress(address),
                    Err(_) => SanType::DnsName((*host).try_into()?),
                });
            }
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            let leaf = params.signed_by(&self.key, &self.issuer)?;
            Ok(leaf.der().clone())
        };
        sign().map_err(|error| error.to_string())
    }

    /// Whether those who trust the root trust, at a time, what is signed for all the names now.
    pub(super) fn holds(&self, now: Timestamp, at: Timestamp) -> bool {
        let end = now.plus(LEAF_LIFE).min(self.until);
        let Ok(leaf) = self.sign(&HOSTS, now, end) else {
            return false;
        };
        self.is_trusted(&leaf, HOSTS[0], at)
    }

    /// Whether those who trust the root trust a certificate for a host.
    pub(super) fn is_trusted(&self, leaf: &CertificateDer<'_>, host: &str, at: Timestamp) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        if roots.add(self.root.der.clone()).is_err() {
            return false;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let (Ok(verifier), Ok(name)) = (verifier, ServerName::try_from(host.to_owned())) else {
            return false;
        };
        let seconds = u64::try_from(at.seconds()).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let chain = [self.intermediate.der.clone()];
        verifier
            .verify_server_cert(leaf, &chain, &name, &[], at)
            .is_ok()
    }
}

fn root_name(number: &str) -> String {
    format!("yufu sandbox root {number}")
}

fn name(number: &str) -> String {
    format!("yufu sandbox {number}")
}

/// What every certificate of ours has.
fn params(name: &str, now: Timestamp, end: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    // The library's own dates reach from 1975 to 4096, and its name is its own.
    let since = |at: Timestamp| Duration::from_secs(u64::try_from(at.seconds()).unwrap_or(0));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since(now.minus(HEAD_START));
    params.not_after = epoch + since(end);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    // By itself it would be taken from the key, which our certificates share.
    let mut serial = [0; 16];
    SystemEntropy.fill(&mut serial);
    serial[0] = serial[0] & 0x3f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// What a certificate has that signs others: the constraints above all.
fn authority_params(name: &str, below: u8, now: Timestamp, end: Timestamp) -> CertificateParams {
    let mut params = params(name, now, end);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Whole names without a dot before them: libraries differ on what the dot means.
    let permitted = HOSTS.map(|host| GeneralSubtree::DnsName(host.to_owned()));
    let everywhere = [
        CidrSubnet::V4([0; 4], [0; 4]),
        CidrSubnet::V6([0; 16], [0; 16]),
    ];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: permitted.to_vec(),
        excluded_subtrees: everywhere.map(GeneralSubtree::IpAddress).to_vec(),
    });
    params
}
