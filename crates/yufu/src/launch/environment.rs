//! What the command of `yufu run` finds in its environment, so that its own code reaches the
//! sandbox: for each runtime the settings that it looks at, and what was there before kept.
//!
//! Left alone on purpose: `ALL_PROXY` (the two others win over it, and it would send what is not
//! HTTP to us), and what leads only to other hosts, which are tunnelled as they are: `PIP_CERT`,
//! `GIT_SSL_CAINFO`, `AWS_CA_BUNDLE`, `CARGO_HTTP_CAINFO`.

use std::path::Path;

use super::found::{SANDBOX, TOKEN};
use super::{keystore, roots};
use crate::sandbox::authority::HOSTS;

/// Where the command is led.
pub struct Target<'a> {
    /// The platform, such as `http://127.0.0.1:8420`.
    pub platform: &'a str,
    /// What opens `/_sandbox`.
    pub token: &'a str,
    /// The port of the proxy.
    pub proxy: u16,
    /// The port of the gate.
    pub gate: u16,
    /// The port of the platform.
    pub plain: u16,
    /// The root of our authority, as PEM.
    pub ca: &'a str,
}

/// The machine as it was found.
pub struct Before<'a> {
    /// A variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The certificates of a file or folder, as PEM.
    pub read: &'a dyn Fn(&Path) -> Option<String>,
    /// The system's roots.
    pub roots: Option<&'a str>,
    /// Now, in real milliseconds.
    pub now: i64,
}

/// What is to be done: nothing of it is done yet.
#[derive(Default)]
pub struct Plan {
    /// The variables to set.
    pub variables: Vec<(&'static str, String)>,
    /// The files to write into the folder of the run: name and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// What the person should hear.
    pub words: Vec<String>,
}

/// Variables that name the only roots that are trusted: they get the system's, and ours. With them,
/// who reads them.
const BUNDLES: [&str; 4] = [
    // OpenSSL and what is built on it (Python, Ruby, PHP, .NET on Linux), Go, and Rust with the
    // system's roots.
    "SSL_CERT_FILE",
    // Python's requests, and much that is built on it, pip included.
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    // Python's httplib2.
    "HTTPLIB2_CA_CERTS",
];
/// Variables that name further roots: they get ours alone. Node and Bun; Deno.
const ADDED: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];
/// This machine, for those who are told where no proxy is wanted.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const PRELOAD: &str = include_str!("preload.cjs");

/// Plans the environment of a command.
pub fn plan(target: &Target<'_>, folder: &Path, before: &Before<'_>) -> Plan {
    let mut plan = Plan::default();
    plan.proxies(target, before);
    plan.certificates(target, folder, before);
    plan.node(target, folder, before);
    plan.java(target, folder, before);
    plan.php(folder, before);
    plan.set(SANDBOX, target.platform.to_owned());
    plan.set(TOKEN, target.token.to_owned());
    plan
}

impl Plan {
    fn set(&mut self, name: &'static str, value: String) {
        self.variables.push((name, value));
    }

    /// Writes a file once, and answers its path.
    fn file(&mut self, folder: &Path, name: &str, content: Vec<u8>) -> String {
        let same = self.files.iter().find(|(_, other)| *other == content);
        let name = match same {
            Some((name, _)) => name.clone(),
            None => {
                self.files.push((name.to_owned(), content));
                name.to_owned()
            }
        };
        folder.join(name).to_string_lossy().into_owned()
    }

    fn proxies(&mut self, target: &Target<'_>, before: &Before<'_>) {
        let ours = format!("http://127.0.0.1:{}", target.proxy);
        // Below another `yufu run` it is that one's proxy, and nothing is lost.
        let is_inner = (before.variable)(SANDBOX).is_some();
        for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            let had = (before.variable)(name).filter(|had| !had.is_empty() && !is_inner);
            if let Some(had) = had.filter(|had| !self.words.iter().any(|it| it.contains(had))) {
                self.words.push(format!(
                    "{name}={had} is not used meanwhile: other hosts are reached directly"
                ));
            }
            self.set(name, ours.clone());
        }
        let had = ["NO_PROXY", "no_proxy"].map(|name| (before.variable)(name));
        let had: Vec<&str> = had
            .iter()
            .flatten()
            .flat_map(|had| had.split(','))
            .collect();
        let had = had.iter().map(|entry| entry.trim());
        let mut entries: Vec<&str> = LOCAL.to_vec();
        // An entry that would keep the platform's own names from the proxy keeps nothing else.
        for entry in had.filter(|entry| !entry.is_empty() && !keeps_ours(entry)) {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        let entries = entries.join(",");
        self.set("NO_PROXY", entries.clone());
        self.set("no_proxy", entries);
    }

    fn certificates(&mut self, target: &Target<'_>, folder: &Path, before: &Before<'_>) {
        if before.roots.is_none() {
            self.words.push(
                "no file with the system's roots was found: other HTTPS hosts will be refused.\n  Install the package ca-certificates, or set SSL_CERT_FILE."
                    .to_owned(),
            );
        }
        let own = |name: &'static str, plan: &mut Self| {
            let path = (before.variable)(name).filter(|path| !path.is_empty())?;
            let found = (before.read)(Path::new(&path));
            if found.is_none() {
                plan.words.push(format!(
                    "{name}={path} holds no certificate; the system's roots take its place"
                ));
            }
            found
        };
        for name in BUNDLES {
            let base = own(name, self).or_else(|| before.roots.map(str::to_owned));
            let text = roots::joined(base.as_deref().unwrap_or_default(), target.ca);
            let file = format!("{}.pem", name.to_lowercase());
            let path = self.file(folder, &file, text.into_bytes());
            self.set(name, path);
        }
        for name in ADDED {
            let base = own(name, self).unwrap_or_default();
            let text = roots::joined(&base, target.ca);
            let file = format!("{}.pem", name.to_lowercase());
            let path = self.file(folder, &file, text.into_bytes());
            self.set(name, path);
        }
    }

    fn node(&mut self, target: &Target<'_>, folder: &Path, before: &Before<'_>) {
        let told = serde_json::json!({
            "hosts": HOSTS, "gate": target.gate, "plain": target.plain,
        });
        let text = PRELOAD.replace("/*told*/ null", &told.to_string());
        let path = self.file(folder, "preload.cjs", text.into_bytes());
        let mut options = (before.variable)("NODE_OPTIONS").unwrap_or_default();
        if !options.is_empty() {
            options.push(' ');
        }
        options.push_str("--require ");
        options.push_str(&for_node(&path));
        self.set("NODE_OPTIONS", options);
        // From version 24 on Node looks at the proxies by itself, once it is asked to.
        self.set("NODE_USE_ENV_PROXY", "1".to_owned());
    }

    fn java(&mut self, target: &Target<'_>, folder: &Path, before: &Before<'_>) {
        let all = roots::joined(before.roots.unwrap_or_default(), target.ca);
        let store = keystore::write(&roots::certificates(&all), before.now);
        let path = self.file(folder, "truststore.jks", store);
        let (port, password) = (target.proxy, keystore::PASSWORD);
        let ours = [
            "-Dhttps.proxyHost=127.0.0.1".to_owned(),
            format!("-Dhttps.proxyPort={port}"),
            "-Dhttp.proxyHost=127.0.0.1".to_owned(),
            format!("-Dhttp.proxyPort={port}"),
            "-Dhttp.nonProxyHosts=localhost|127.*|[::1]".to_owned(),
            for_java(&format!("-Djavax.net.ssl.trustStore={path}")),
            "-Djavax.net.ssl.trustStoreType=JKS".to_owned(),
            format!("-Djavax.net.ssl.trustStorePassword={password}"),
        ]
        .join(" ");
        // Of two settings of one name the later one counts.
        let options = match (before.variable)("JAVA_TOOL_OPTIONS") {
            Some(had) if !had.is_empty() => format!("{had} {ours}"),
            _ => ours,
        };
        self.set("JAVA_TOOL_OPTIONS", options);
    }

    /// PHP's curl looks at its own settings alone. A folder of settings is read after those of the
    /// system, which an empty entry stands for.
    fn php(&mut self, folder: &Path, before: &Before<'_>) {
        let bundle = self.variables.iter().find(|(name, _)| *name == BUNDLES[0]);
        let bundle = bundle.map_or_else(String::new, |(_, path)| path.clone());
        let text = format!("curl.cainfo=\"{bundle}\"\nopenssl.cafile=\"{bundle}\"\n");
        self.files
            .push(("php/yufu.ini".to_owned(), text.into_bytes()));
        let had = (before.variable)("PHP_INI_SCAN_DIR").unwrap_or_default();
        let ours = folder.join("php");
        self.set("PHP_INI_SCAN_DIR", format!("{had}:{}", ours.display()));
    }
}

/// Whether an entry of `NO_PROXY` holds one of the platform's names.
fn keeps_ours(entry: &str) -> bool {
    let entry = entry.rsplit_once("://").map_or(entry, |(_, rest)| rest);
    let entry = entry.split(':').next().unwrap_or_default().to_lowercase();
    let entry = entry.trim_start_matches('*').trim_start_matches('.');
    if entry.is_empty() {
        return true;
    }
    HOSTS.iter().any(|host| {
        let rest = host.strip_suffix(entry);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// A path in `NODE_OPTIONS`, which is cut at blanks outside of double quotes.
fn for_node(path: &str) -> String {
    if path.contains([' ', '"', '\\']) {
        format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        path.to_owned()
    }
}

/// An option in `JAVA_TOOL_OPTIONS`, which is cut at blanks outside of quotes.
fn for_java(option: &str) -> String {
    if option.contains(char::is_whitespace) {
        let quote = if option.contains('"') { '\'' } else { '"' };
        format!("{quote}{option}{quote}")
    } else {
        option.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::roots::tests::form;
    use super::*;

    struct Planned {
        variables: BTreeMap<&'static str, String>,
        files: BTreeMap<String, String>,
        words: Vec<String>,
    }

    impl Planned {
        fn of(had: &[(&str, &str)], roots: Option<&str>) -> Self {
            let variable = |name: &str| {
                let found = had.iter().find(|(had, _)| *had == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let read = |path: &Path| match path.to_str() {
                Some("/own.pem") => Some(form(b"own")),
                _ => None,
            };
            let ca = form(b"ours");
            let target = Target {
                platform: "http://127.0.0.1:8420",
                token: "t0k3n",
                proxy: 8425,
                gate: 8426,
                plain: 8420,
                ca: &ca,
            };
            let before = Before {
                variable: &variable,
                read: &read,
                roots,
                now: 0,
            };
            let plan = plan(&target, Path::new("/run me"), &before);
            let files = plan.files.into_iter();
            let files = files.map(|(name, it)| (name, String::from_utf8_lossy(&it).into_owned()));
            Self {
                variables: plan.variables.into_iter().collect(),
                files: files.collect(),
                words: plan.words,
            }
        }

        /// The certificates in the file that a variable names.
        fn trusts(&self, name: &str) -> Vec<String> {
            let file = self.variables[name].strip_prefix("/run me/").unwrap();
            let found = roots::certificates(&self.files[file]);
            let found = found
                .iter()
                .map(|it| String::from_utf8_lossy(it).into_owned());
            found.collect()
        }
    }

    #[test]
    fn every_runtime_is_told() {
        let it = Planned::of(&[], Some(&form(b"system")));
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
            assert_eq!(it.variables[name], "http://127.0.0.1:8425");
        }
        for name in ["NO_PROXY", "no_proxy"] {
            assert_eq!(it.variables[name], "localhost,127.0.0.1,::1");
        }
        for name in BUNDLES {
            assert_eq!(it.trusts(name), ["system", "ours"], "{name}");
        }
        for name in ADDED {
            assert_eq!(it.trusts(name), ["ours"], "{name}");
        }
        assert_eq!(
            it.variables["NODE_OPTIONS"],
            "--require \"/run me/preload.cjs\""
        );
        assert_eq!(it.variables["NODE_USE_ENV_PROXY"], "1");
        let preload = &it.files["preload.cjs"];
        assert!(
            preload.contains("\"gate\":8426") && preload.contains("\"api.weixin.qq.com\""),
            "{preload}"
        );
        let java = &it.variables["JAVA_TOOL_OPTIONS"];
        assert!(java.contains("-Dhttps.proxyPort=8425"), "{java}");
        assert!(
            java.contains("\"-Djavax.net.ssl.trustStore=/run me/truststore.jks\""),
            "{java}"
        );
        assert_eq!(it.variables["PHP_INI_SCAN_DIR"], ":/run me/php");
        let php = &it.files["php/yufu.ini"];
        assert!(php.contains(&it.variables["SSL_CERT_FILE"]), "{php}");
        assert_eq!(it.variables["YUFU_SANDBOX"], "http://127.0.0.1:8420");
        assert_eq!(it.variables["YUFU_SANDBOX_TOKEN"], "t0k3n");
        for name in ["ALL_PROXY", "PIP_CERT", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE"] {
            assert!(!it.variables.contains_key(name), "{name}");
        }
        assert_eq!(it.words, Vec::<String>::new());
    }

    #[test]
    fn what_was_there_is_kept() {
        let had = [
            (
                "NO_PROXY",
                "intern.example, *.qq.com,.weixin.qq.com,*,10.0.0.0/8",
            ),
            ("NODE_OPTIONS", "--max-old-space-size=512"),
            ("JAVA_TOOL_OPTIONS", "-Xmx64m"),
            ("PHP_INI_SCAN_DIR", "/etc/own"),
            ("REQUESTS_CA_BUNDLE", "/own.pem"),
            ("NODE_EXTRA_CA_CERTS", "/own.pem"),
        ];
        let it = Planned::of(&had, Some(&form(b"system")));
        assert_eq!(
            it.variables["no_proxy"],
            "localhost,127.0.0.1,::1,intern.example,10.0.0.0/8"
        );
        let node = &it.variables["NODE_OPTIONS"];
        assert!(
            node.starts_with("--max-old-space-size=512 --require "),
            "{node}"
        );
        assert!(it.variables["JAVA_TOOL_OPTIONS"].starts_with("-Xmx64m -Dhttps"));
        assert!(it.variables["PHP_INI_SCAN_DIR"].starts_with("/etc/own:/run me"));
        assert_eq!(it.trusts("REQUESTS_CA_BUNDLE"), ["own", "ours"]);
        assert_eq!(it.trusts("NODE_EXTRA_CA_CERTS"), ["own", "ours"]);
        assert_eq!(it.trusts("SSL_CERT_FILE"), ["system", "ours"]);
        assert_eq!(it.words, Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_kept_is_said() {
        let had = [
            ("HTTPS_PROXY", "http://proxy.example:3128"),
            ("https_proxy", "http://proxy.example:3128"),
            ("SSL_CERT_FILE", "/gone.pem"),
        ];
        let it = Planned::of(&had, None);
        let words = it.words.join("\n");
        assert_eq!(it.words.len(), 3, "{words}");
        for part in [
            "proxy.example:3128",
            "ca-certificates",
            "SSL_CERT_FILE=/gone.pem",
        ] {
            assert!(words.contains(part), "{words}");
        }
        assert_eq!(it.trusts("SSL_CERT_FILE"), ["ours"]);
        let had = [had[0], ("YUFU_SANDBOX", "http://127.0.0.1:8420")];
        let inner = Planned::of(&had, Some(&form(b"system")));
        assert_eq!(inner.words, Vec::<String>::new());
    }

    #[test]
    fn an_entry_of_no_proxy_is_judged_as_clients_judge_it() {
        for entry in [
            "*",
            "qq.com",
            ".qq.com",
            "*.qq.com",
            "API.weixin.qq.com:443",
            "https://weixin.qq.com",
            "com",
        ] {
            assert!(keeps_ours(entry), "{entry}");
        }
        for entry in [
            "q.com",
            "mail.qq.com",
            "example.com",
            "10.0.0.1",
            "192.168.0.0/16",
        ] {
            assert!(!keeps_ours(entry), "{entry}");
        }
    }
}
