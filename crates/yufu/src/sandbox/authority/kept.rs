//! The authority of a data folder, kept from run to run: so what was told once to trust it need not
//! be told again. The file has the intermediate's key; the root's is nowhere.

use std::path::{Path, PathBuf};

use rcgen::KeyPair;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use yufu_core::time::{Lifetime, Timestamp};

use super::{Authority, HOSTS, LEAF_LIFE, Paper};

/// What the file holds.
#[derive(Serialize, Deserialize)]
pub(super) struct File {
    pub(super) version: u8,
    pub(super) number: String,
    pub(super) until: Timestamp,
    pub(super) hosts: Vec<String>,
    pub(super) root: String,
    pub(super) intermediate: String,
    pub(super) key: String,
}

fn path(folder: &Path) -> PathBuf {
    folder.join("authority.json")
}

/// Reads the authority of a folder; `None` where there is none that does what it should for as long
/// as a certificate lives that it would sign now.
pub(super) fn read(folder: &Path, now: Timestamp) -> Option<Authority> {
    let text = std::fs::read_to_string(path(folder)).ok()?;
    let file: File = serde_json::from_str(&text).ok()?;
    if file.version != 1 || file.hosts != HOSTS {
        return None;
    }
    let authority = Authority::with(
        &file.number,
        paper(file.root)?,
        paper(file.intermediate)?,
        KeyPair::from_pem(&file.key).ok()?,
        file.until,
    );
    let authority = authority.ok()?;
    let later = now.plus(LEAF_LIFE).minus(Lifetime::minutes(1));
    let holds = authority.holds(now, now) && authority.holds(now, later);
    holds.then_some(authority)
}

fn paper(pem: String) -> Option<Paper> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(Paper { pem, der })
}

/// Puts the file in its place whole.
pub(super) fn write(folder: &Path, file: &File) -> Result<(), String> {
    let place = path(folder);
    let write = || -> std::io::Result<()> {
        let draft = place.with_extension(format!("{}.draft", std::process::id()));
        crate::sandbox::write_private(&draft, &serde_json::to_string_pretty(file)?)?;
        std::fs::rename(&draft, &place)
    };
    write().map_err(|error| format!("{} cannot be written: {error}", place.display()))
}
