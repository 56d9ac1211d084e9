use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// A folder of a test, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("yufu-ca-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn openssl(&self, args: &[&str]) -> Output {
        Command::new("openssl")
            .args(args)
            .current_dir(&self.0)
            .output()
            .expect("openssl is installed")
    }

    /// What openssl says of a leaf, for those who trust the root alone.
    fn verified(&self, leaf: &CertificateDer<'_>, host: &str) -> (bool, String) {
        std::fs::write(self.0.join("leaf.der"), leaf).unwrap();
        let read = self.openssl(&[
            "x509", "-inform", "DER", "-in", "leaf.der", "-out", "leaf.pem",
        ]);
        assert!(read.status.success());
        let output = self.openssl(&[
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "intermediate.pem",
            "-verify_hostname",
            host,
            "leaf.pem",
        ]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.success(), said)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_name_of_the_platform_gets_a_certificate_that_is_trusted() {
    let authority = Authority::make(NOW, RUN_LIFE).unwrap();
    for host in HOSTS {
        let certified = authority.certify_at(host, NOW).unwrap();
        let leaf = &certified.cert[0];
        assert_eq!(certified.cert.len(), 2);
        assert!(authority.is_trusted(leaf, host, NOW), "{host}");
        assert!(
            authority.is_trusted(leaf, host, NOW.plus(Lifetime::days(6))),
            "{host}"
        );
        for other in HOSTS.iter().filter(|other| **other != host) {
            assert!(!authority.is_trusted(leaf, other, NOW), "{host} as {other}");
        }
        let days = [Lifetime::days(8), Lifetime::days(-1)];
        for at in days.map(|days| NOW.plus(days)) {
            assert!(!authority.is_trusted(leaf, host, at), "{host}");
        }
    }
}

#[test]
fn no_other_name_gets_a_certificate() {
    let authority = Authority::make(NOW, RUN_LIFE).unwrap();
    for stranger in [
        "",
        ".",
        "com",
        "qq.com",
        "weixin.qq.com",
        "mp.weixin.qq.com",
        "evil.api.weixin.qq.com",
        "api.weixin.qq.com.evil.example",
        "api.weixin.qq.com.",
        ".api.weixin.qq.com",
        "API.weixin.qq.com",
        "*.weixin.qq.com",
        "*.api.weixin.qq.com",
        "api.weixin.qq.com:443",
        "api.weixin.qq.com\0.evil.example",
        " api.weixin.qq.com",
        "127.0.0.1",
        "::1",
        "localhost",
        "www.example.com",
    ] {
        let refused = authority.certify_at(stranger, NOW);
        assert_eq!(refused.err(), Some(Stranger(stranger.to_owned())));
    }
}

#[test]
fn a_host_is_known_however_it_is_spelt() {
    for host in [
        "api.weixin.qq.com",
        "API.Weixin.QQ.com",
        "api.weixin.qq.com.",
    ] {
        assert_eq!(known(host), Some("api.weixin.qq.com"));
    }
    for host in [
        "",
        ".",
        "weixin.qq.com",
        "x.api.weixin.qq.com",
        "api.weixin.qq.com..",
        "api.weixin.qq.com:443",
        "api.weixin.qq.com.evil.example",
    ] {
        assert_eq!(known(host), None, "{host}");
    }
}

/// What a thief of the intermediate's key might try.
const STOLEN: &[&[&str]] = &[
    &["www.example.com"],
    &["weixin.qq.com"],
    &["mp.weixin.qq.com"],
    &["*.qq.com"],
    &["127.0.0.1"],
    &["::1"],
    &["203.0.113.7"],
    &["api.weixin.qq.com", "www.example.com"],
    &["api.weixin.qq.com", "127.0.0.1"],
];

#[test]
fn what_is_signed_for_another_name_is_trusted_by_nobody() {
    let folder = Folder::new("stolen");
    let now = clock::real();
    let authority = Authority::make(now, RUN_LIFE).unwrap();
    folder.put("root.pem", &authority.root.pem);
    folder.put("intermediate.pem", &authority.intermediate.pem);
    let end = now.plus(Lifetime::days(1));
    // The same signature without what is wrong: so it is the names that are refused below.
    let honest = authority.sign(&["graph.qq.com"], now, end).unwrap();
    assert!(authority.is_trusted(&honest, "graph.qq.com", now));
    let (trusted, said) = folder.verified(&honest, "graph.qq.com");
    assert!(trusted, "{said}");
    for names in STOLEN {
        let stolen = authority.sign(names, now, end).unwrap();
        for name in *names {
            let name = name.replace('*', "www");
            assert!(!authority.is_trusted(&stolen, &name, now), "{name}");
        }
        let (trusted, said) = folder.verified(&stolen, names[0]);
        assert!(!trusted, "{names:?}");
        let because = ["permitted subtree violation", "excluded subtree violation"];
        assert!(because.iter().any(|why| said.contains(why)), "{said}");
    }
}

#[test]
fn openssl_reads_what_we_meant() {
    let folder = Folder::new("openssl");
    let authority = Arc::new(Authority::open(&folder.0, false).unwrap());
    folder.put("root.pem", &authority.root.pem);
    folder.put("intermediate.pem", &authority.intermediate.pem);
    for (file, path_length) in [("root.pem", 1), ("intermediate.pem", 0)] {
        let output = folder.openssl(&["x509", "-in", file, "-noout", "-text"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for line in [
            "X509v3 Name Constraints: critical",
            "IP:0.0.0.0/0.0.0.0",
            "IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0",
            "X509v3 Basic Constraints: critical",
            &format!("CA:TRUE, pathlen:{path_length}"),
            "Public Key Algorithm: id-ecPublicKey",
        ] {
            assert!(lines.contains(&line), "{line} in {text}");
        }
        let named = lines.iter().filter_map(|line| line.strip_prefix("DNS:"));
        assert_eq!(named.collect::<Vec<_>>(), HOSTS, "{text}");
    }
    for host in HOSTS {
        let leaf = authority.certify(host).unwrap();
        let (trusted, said) = folder.verified(&leaf.cert[0], host);
        assert!(trusted, "{said}");
    }
    // As Chromium counts it.
    let steps = "openssl x509 -in intermediate.pem -pubkey -noout | openssl pkey -pubin -outform DER \
                 | openssl dgst -sha256 -binary | openssl base64";
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", steps]).current_dir(&folder.0).output();
    let counted = String::from_utf8(output.unwrap().stdout).unwrap();
    assert_eq!(counted.trim(), authority.spki_sha256_base64());
    assert!(!folder.0.join("authority.json").exists());
}

#[test]
fn every_certificate_has_a_serial_number_of_its_own() {
    let folder = Folder::new("serial");
    let authority = Authority::make(NOW, RUN_LIFE).unwrap();
    let mut serials = std::collections::BTreeSet::new();
    for host in HOSTS {
        let leaf = authority.certify_at(host, NOW).unwrap();
        std::fs::write(folder.0.join("leaf.der"), &leaf.cert[0]).unwrap();
        let output = folder.openssl(&[
            "x509", "-inform", "DER", "-in", "leaf.der", "-noout", "-serial",
        ]);
        serials.insert(output.stdout);
    }
    assert_eq!(serials.len(), HOSTS.len());
}

#[test]
fn a_certificate_is_made_once_and_again_before_its_end() {
    let authority = Authority::make(NOW, FOLDER_LIFE).unwrap();
    let leaf = |days| {
        let at = NOW.plus(Lifetime::days(days));
        let leaf = authority.certify_at("graph.qq.com", at).unwrap();
        assert!(authority.is_trusted(&leaf.cert[0], "graph.qq.com", at));
        leaf.cert[0].to_vec()
    };
    let first = leaf(0);
    assert_eq!(leaf(19), first);
    let second = leaf(21);
    assert_ne!(second, first);
    // None outlives the authority.
    leaf(45);
    let last = leaf(75);
    assert_eq!(leaf(89), last);
}

fn kept(folder: &Folder, now: Timestamp) -> (Authority, bool) {
    match kept::read(&folder.0, now) {
        Some(authority) => (authority, false),
        None => {
            let (authority, file) = Authority::found(now, FOLDER_LIFE).unwrap();
            kept::write(&folder.0, &file).unwrap();
            (authority, true)
        }
    }
}

#[test]
fn a_folder_keeps_its_authority_until_near_its_end() {
    let folder = Folder::new("kept");
    let (first, new) = kept(&folder, NOW);
    assert!(new);
    let mode = std::fs::metadata(folder.0.join("authority.json")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    for days in [0, 30, 59] {
        let now = NOW.plus(Lifetime::days(days));
        let (again, new) = kept(&folder, now);
        assert!(!new, "{days}");
        assert_eq!(again.root.pem, first.root.pem);
        assert_eq!(again.spki_sha256_base64(), first.spki_sha256_base64());
        let leaf = again.certify_at("open.weibo.cn", now).unwrap();
        assert!(first.is_trusted(&leaf.cert[0], "open.weibo.cn", now));
    }
    let (second, new) = kept(&folder, NOW.plus(Lifetime::days(61)));
    assert!(new);
    assert_ne!(second.root.pem, first.root.pem);
    // The clock of the machine was set back.
    assert!(kept(&folder, NOW).1);
}

#[test]
fn a_broken_file_is_no_authority() {
    let folder = Folder::new("broken");
    let (_, file) = Authority::found(NOW, FOLDER_LIFE).unwrap();
    let whole = serde_json::to_value(&file).unwrap();
    let (_, other) = Authority::found(NOW, FOLDER_LIFE).unwrap();
    let other = serde_json::to_value(&other).unwrap();
    let put = |value: &serde_json::Value| folder.put("authority.json", &value.to_string());
    put(&whole);
    assert!(kept::read(&folder.0, NOW).is_some());
    for (key, value) in [
        ("version", serde_json::json!(2)),
        ("hosts", serde_json::json!(["api.weixin.qq.com"])),
        ("number", other["number"].clone()),
        ("root", other["root"].clone()),
        ("intermediate", other["intermediate"].clone()),
        ("key", other["key"].clone()),
        ("key", serde_json::json!("no key")),
        ("root", serde_json::json!("")),
    ] {
        let mut broken = whole.clone();
        broken[key] = value;
        put(&broken);
        assert!(kept::read(&folder.0, NOW).is_none(), "{key}");
    }
    for text in ["", "{", "[]"] {
        folder.put("authority.json", text);
        assert!(kept::read(&folder.0, NOW).is_none());
    }
}

#[test]
fn the_files_of_a_run_are_private_and_hold_no_key() {
    let folder = Folder::new("files");
    let authority = Authority::open(&folder.0, true).unwrap();
    let files = authority.write(&folder.0).unwrap();
    for file in [&files.root, &files.chain] {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!std::fs::read_to_string(file).unwrap().contains("PRIVATE"));
    }
    let chain = std::fs::read_to_string(&files.chain).unwrap();
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2);
    assert!(chain.starts_with(authority.root_pem()));
}
