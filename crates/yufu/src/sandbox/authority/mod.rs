//! The certificate authority of a run, good for the platform's own names and nothing else.
//!
//! Whoever trusts it trusts a key on this machine, so it is made to be worth little to a thief: the
//! root and the intermediate are both constrained to the names of the platform, and to no address;
//! the root's key is gone before anybody sees its certificate; nothing lives long. It is put into
//! no store of the system.
//!
//! Its dates follow real time, not the clock of the house: browsers and libraries judge them.

mod hosts;
mod kept;
mod mint;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{Issuer, KeyPair, PublicKeyData as _};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use yufu_core::time::{Lifetime, Timestamp};
use yufu_web::clock;

pub use hosts::{HOSTS, known};

/// How long the authority of a temporary run is good.
const RUN_LIFE: Lifetime = Lifetime::days(7);
/// How long the authority of a data folder is good.
const FOLDER_LIFE: Lifetime = Lifetime::days(90);
/// The longest that a certificate of a name is good.
const LEAF_LIFE: Lifetime = Lifetime::days(30);

/// A name that no certificate is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger(pub String);

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no name of the platform's", self.0)
    }
}

impl std::error::Error for Stranger {}

/// Signs certificates for the platform's names.
pub struct Authority {
    root: Paper,
    intermediate: Paper,
    issuer: Issuer<'static, KeyPair>,
    until: Timestamp,
    /// One key for all names: whoever has it has them all anyway.
    key: KeyPair,
    leaves: Mutex<BTreeMap<&'static str, Leaf>>,
}

/// A certificate, as it is written and as it is read.
struct Paper {
    pem: String,
    der: CertificateDer<'static>,
}

impl From<rcgen::Certificate> for Paper {
    fn from(certificate: rcgen::Certificate) -> Self {
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
        }
    }
}

/// A certificate of a name, ready to be shown.
struct Leaf {
    certified: Arc<CertifiedKey>,
    renew_at: Timestamp,
}

/// What was written into the folder of a run.
#[derive(Clone, Debug)]
pub struct Files {
    /// The root, for whoever shall trust it.
    pub root: PathBuf,
    /// The root and the intermediate.
    pub chain: PathBuf,
}

impl Authority {
    /// Makes an authority for this run; or takes the one that a data folder keeps, and makes it
    /// anew where there is none, where it is broken, or where it is near its end.
    ///
    /// # Errors
    /// In the user's words: a file that cannot be written.
    pub fn open(folder: &Path, kept: bool) -> Result<Self, String> {
        let now = clock::real();
        if !kept {
            return Self::make(now, RUN_LIFE);
        }
        if let Some(authority) = kept::read(folder, now) {
            return Ok(authority);
        }
        let (authority, file) = Self::found(now, FOLDER_LIFE)?;
        kept::write(folder, &file)?;
        Ok(authority)
    }

    /// Writes the certificates that others may need into a folder, as PEM.
    ///
    /// # Errors
    /// In the user's words, naming the file.
    pub fn write(&self, folder: &Path) -> Result<Files, String> {
        let files = Files {
            root: folder.join("ca.pem"),
            chain: folder.join("ca-chain.pem"),
        };
        for (file, text) in [
            (&files.root, self.root.pem.as_str()),
            (&files.chain, &self.chain_pem()),
        ] {
            crate::sandbox::write_private(file, text)
                .map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
        }
        Ok(files)
    }

    /// The root as PEM.
    pub fn root_pem(&self) -> &str {
        &self.root.pem
    }

    /// The root and the intermediate as PEM.
    pub fn chain_pem(&self) -> String {
        format!("{}{}", self.root.pem, self.intermediate.pem)
    }

    /// What Chromium wants to hear of the intermediate's key (`--ignore-certificate-errors-spki-list`):
    /// base64 of SHA-256 over its `SubjectPublicKeyInfo`.
    pub fn spki_sha256_base64(&self) -> String {
        let spki = self.issuer.key().subject_public_key_info();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &spki);
        STANDARD.encode(digest.as_ref())
    }

    /// When nothing of it is good any more, in real time.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The chain and key of one of [`HOSTS`], in that very spelling.
    ///
    /// # Errors
    /// For any other name.
    pub fn certify(&self, host: &str) -> Result<Arc<CertifiedKey>, Stranger> {
        self.certify_at(host, clock::real())
    }

    fn certify_at(&self, host: &str, now: Timestamp) -> Result<Arc<CertifiedKey>, Stranger> {
        let stranger = || Stranger(host.to_owned());
        let ours = HOSTS.into_iter().find(|ours| *ours == host);
        let ours = ours.ok_or_else(stranger)?;
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = leaves.get(ours)
            && now < leaf.renew_at
        {
            return Ok(leaf.certified.clone());
        }
        let leaf = self.mint(ours, now).map_err(|error| {
            tracing::error!(%error, ours, "a certificate");
            stranger()
        })?;
        let certified = leaf.certified.clone();
        leaves.insert(ours, leaf);
        Ok(certified)
    }

    /// How a server speaks TLS under the platform's names: the name that is asked for decides, and
    /// who asks for none, or for another, gets no certificate. HTTP/1.1 alone, for what upgrades a
    /// connection.
    ///
    /// # Errors
    /// When the library has none of what it needs.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ByName(self.clone())));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// Finds the certificate by the name that a client asks for.
struct ByName(Arc<Authority>);

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByName")
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.certify(hello.server_name()?).ok()
    }
}
