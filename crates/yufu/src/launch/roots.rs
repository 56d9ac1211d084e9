//! The roots that this machine trusts, as a file of certificates: whoever is given our authority is
//! given these too, so that every other host goes on working.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Where systems keep their roots in one file.
const BUNDLES: [&str; 10] = [
    // Debian, Ubuntu, Arch, Gentoo, and NixOS for those who ask there.
    "/etc/ssl/certs/ca-certificates.crt",
    // Fedora, RHEL and their kin.
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    // openSUSE.
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    // Alpine, macOS, OpenBSD.
    "/etc/ssl/cert.pem",
    // NixOS.
    "/etc/ssl/certs/ca-bundle.crt",
    // FreeBSD.
    "/usr/local/etc/ssl/cert.pem",
    // Homebrew.
    "/opt/homebrew/etc/ca-certificates/cert.pem",
    "/usr/local/etc/ca-certificates/cert.pem",
];
/// The most bytes of a file of certificates.
const MOST: u64 = 16 * 1024 * 1024;

/// The system's roots as PEM; `None` where there is no such file.
pub fn system() -> Option<String> {
    place().and_then(|path| read(&path))
}

/// The file of the system's roots.
pub fn place() -> Option<PathBuf> {
    let places = BUNDLES.iter().map(PathBuf::from);
    places.into_iter().find(|path| read(path).is_some())
}

/// The certificates of a file, or of a folder of them, as PEM; `None` when there is none.
pub fn read(path: &Path) -> Option<String> {
    let files = match path.is_dir() {
        false => vec![path.to_owned()],
        true => {
            let entries = std::fs::read_dir(path).ok()?.flatten();
            let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
            files.sort();
            files
        }
    };
    let mut text = String::new();
    for file in files {
        let small = std::fs::metadata(&file).is_ok_and(|it| it.is_file() && it.len() <= MOST);
        if let Some(more) = small.then(|| std::fs::read(&file).ok()).flatten() {
            let more = String::from_utf8_lossy(&more);
            if more.contains("-----BEGIN ") {
                text = joined(&text, &more);
            }
        }
    }
    (!certificates(&text).is_empty()).then_some(text)
}

/// Two files as one.
pub fn joined(one: &str, other: &str) -> String {
    let mut text = one.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(other);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The certificates in a text, each once; what is none is left out.
pub fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    let mut all = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for found in CertificateDer::pem_slice_iter(pem.as_bytes()).flatten() {
        if seen.insert(found.as_ref().to_vec()) {
            all.push(found);
        }
    }
    all
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// No certificate, but the form of one; nobody here looks inside.
    pub(in crate::launch) fn form(bytes: &[u8]) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn a_text_is_read_certificate_by_certificate_each_once() {
        let text = format!("# a root\n{}{}{}", form(b"one"), form(b"two"), form(b"one"));
        let found = certificates(&text);
        let found: Vec<&[u8]> = found.iter().map(AsRef::as_ref).collect();
        assert_eq!(found, [b"one", b"two"]);
    }

    #[test]
    fn a_folder_is_read_like_a_file_and_other_files_are_left_out() {
        let folder = std::env::temp_dir().join(format!("yufu-roots-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a.pem"), form(b"one").trim_end()).unwrap();
        std::fs::write(folder.join("b.0"), form(b"two")).unwrap();
        std::fs::write(folder.join("README"), "nothing").unwrap();
        let text = read(&folder).unwrap();
        let file = read(&folder.join("a.pem")).unwrap();
        let none = read(&folder.join("README"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(certificates(&text).len(), 2, "{text}");
        assert_eq!(certificates(&file).len(), 1);
        assert_eq!(none, None);
        assert_eq!(read(&folder), None);
    }
}
