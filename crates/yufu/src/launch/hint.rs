//! Why nothing of an app arrives, as far as can be told from outside, and what its runtime wants
//! then: a pure function of what was counted.

use serde::Serialize;

use super::runtime::Runtime;
use crate::sandbox::proxy::traffic::{HandshakeFault, TrafficSum};

/// How long a program may do nothing before anybody wonders.
pub const PATIENCE_SECONDS: u64 = 30;
/// The names that people's browsers go to; the others are called by an app's own server.
const FRONT: [&str; 6] = [
    "open.weixin.qq.com",
    "lp.open.weixin.qq.com",
    "long.open.weixin.qq.com",
    "res.wx.qq.com",
    "thirdwx.qlogo.cn",
    "open.weibo.cn",
];

/// What is known of a program since it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What it is written in.
    pub runtime: Runtime,
    /// Whether it runs in a private network.
    pub net: bool,
    /// How long it runs, in seconds.
    pub seconds: u64,
    /// Connections to the proxy and to the gate.
    pub connections: u64,
    /// Requests under names that browsers go to.
    pub front: u64,
    /// Requests under names that servers call, or to the platform's own address.
    pub back: u64,
    /// Whether the certificate was refused, and nothing arrived.
    pub distrusted: bool,
    /// Whether a handshake asked for none of our names.
    pub nameless: bool,
    /// The last other host that was called by the proxy.
    pub other: Option<String>,
}

impl Facts {
    /// Adds what was counted.
    pub fn counted(mut self, sum: &TrafficSum) -> Self {
        let requests = |front: bool| {
            let all = sum.requests.iter();
            let own = all.filter(|(host, _)| FRONT.contains(host) == front);
            own.map(|(_, count)| count).sum::<u64>()
        };
        self.connections = sum.connections + sum.gate;
        self.front = requests(true);
        self.back += requests(false);
        self.distrusted = sum.is_distrusted() && sum.arrived() == 0;
        let last = sum.last_failure();
        self.nameless = last.is_some_and(|(_, why)| why == HandshakeFault::Nameless);
        self.other = sum.last_other().map(str::to_owned);
        self
    }
}

/// Why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hint {
    /// One word for programs.
    pub code: &'static str,
    /// What is so.
    pub title: String,
    /// What to do.
    pub remedy: String,
    /// The same in Chinese.
    pub title_zh: String,
    /// The same in Chinese.
    pub remedy_zh: String,
}

impl Hint {
    fn new(code: &'static str, title: [String; 2], remedy: [&str; 2]) -> Self {
        let ([title, title_zh], [remedy, remedy_zh]) = (title, remedy.map(str::to_owned));
        Self {
            code,
            title,
            remedy,
            title_zh,
            remedy_zh,
        }
    }
}

/// What there is to say, if anything. A refused certificate is said at once, silence only after a
/// while: it may be that nobody has tried to log in yet, and so it is said.
pub fn hint(facts: &Facts) -> Option<Hint> {
    if facts.back > 0 {
        return None;
    }
    let said = |title: [&str; 2]| title.map(str::to_owned);
    if facts.distrusted {
        let title = said([
            "The program reached the sandbox and refused its certificate.",
            "程序连到了沙箱，但不信任它的证书。",
        ]);
        return Some(Hint::new("ca_refused", title, distrusting(facts.runtime)));
    }
    if facts.nameless {
        let title = said([
            "The program opened TLS without saying for which host (no SNI), so there was no certificate for it.",
            "程序建立 TLS 时没有说明主机名（没有 SNI），沙箱无法给出证书。",
        ]);
        let remedy = [
            "Let its TLS library send the host name; or set the app's base URL to the platform's address.",
            "让 TLS 库发送主机名（SNI）；或把应用的接口地址改成沙箱平台的地址。",
        ];
        return Some(Hint::new("no_name", title, remedy));
    }
    if facts.seconds < PATIENCE_SECONDS {
        return None;
    }
    if facts.front > 0 {
        let title = said([
            "A login page was opened here, but the program's own calls have not arrived. If a login has come back to the app already, its server went past the sandbox.",
            "登录页已在沙箱打开，但程序自己的接口调用还没有到达。如果登录已经回到应用，说明它的服务端绕过了沙箱。",
        ]);
        return Some(Hint::new("backend_not_proxied", title, ignoring(facts)));
    }
    if facts.connections == 0 {
        let title = said([
            "Nothing of the program has come by the sandbox yet. If a login was tried already, the program ignores the proxy.",
            "程序还没有任何请求经过沙箱。如果已经尝试过登录，说明程序没有使用代理设置。",
        ]);
        return Some(Hint::new("proxy_ignored", title, ignoring(facts)));
    }
    let other = facts.other.as_deref();
    let [seen, seen_zh] = match other {
        Some(host) => [
            format!(" (it called {host})"),
            format!("（它访问了 {host}）"),
        ],
        None => [String::new(), String::new()],
    };
    let title = [
        format!(
            "The program uses the sandbox's proxy{seen}, but no login page was opened here. If one was, the browser went to the real platform."
        ),
        format!(
            "程序在使用沙箱的代理{seen_zh}，但还没有人在沙箱里打开登录页。如果已经打开过，说明浏览器访问了真实平台。"
        ),
    ];
    let remedy = [
        "Open the app with: yufu open URL. Another browser can take the proxy address /proxy.pac of the platform.",
        "用 yufu open URL 打开应用；其他浏览器可使用平台地址下的 /proxy.pac。",
    ];
    Some(Hint::new("browser_not_proxied", title, remedy))
}

/// Ways past a proxy, by runtime; the first of them wants nothing but another option of ours.
fn ignoring(facts: &Facts) -> [&'static str; 2] {
    if facts.net {
        return [
            "It runs in a private network already, where the platform's names lead here whatever it is set to: then it has not called them. Look at which host it calls.",
            "程序已在私有网络中运行，平台域名必定指向沙箱：说明它还没有调用这些域名。请检查它实际访问的主机。",
        ];
    }
    match facts.runtime {
        Runtime::Node => [
            "A process that is not given NODE_OPTIONS (a child or worker with an environment of its own, Electron) goes past it. Hand the environment on, or: yufu run --net -- …",
            "没有继承 NODE_OPTIONS 的进程（自带环境变量的子进程或 worker、Electron）会绕过代理。请传递环境变量，或使用 yufu run --net -- …",
        ],
        Runtime::Bun => [
            "Bun's fetch reads HTTPS_PROXY, its node:https does not. Use: yufu run --net -- …",
            "Bun 的 fetch 读取 HTTPS_PROXY，但 node:https 不读取。请使用 yufu run --net -- …",
        ],
        Runtime::Deno => [
            "Deno's fetch reads HTTPS_PROXY unless it is given a client of its own. Use: yufu run --net -- …",
            "Deno 的 fetch 会读取 HTTPS_PROXY，除非传入了自己的 client。请使用 yufu run --net -- …",
        ],
        Runtime::Python => [
            "aiohttp wants ClientSession(trust_env=True); requests and httpx must not have trust_env=False. Or: yufu run --net -- …",
            "aiohttp 需要 ClientSession(trust_env=True)；requests 和 httpx 不能设置 trust_env=False。或使用 yufu run --net -- …",
        ],
        Runtime::Java => [
            "A client with a ProxySelector or Proxy.NO_PROXY of its own goes past it; Apache HttpClient wants useSystemProperties(), Reactor Netty proxyWithSystemProperties(). Or: yufu run --net -- …",
            "自定义 ProxySelector 或 Proxy.NO_PROXY 的客户端会绕过代理；Apache HttpClient 需要 useSystemProperties()，Reactor Netty 需要 proxyWithSystemProperties()。或使用 yufu run --net -- …",
        ],
        Runtime::Go => [
            "An http.Transport of its own wants Proxy: http.ProxyFromEnvironment. Or: yufu run --net -- …",
            "自定义的 http.Transport 需要设置 Proxy: http.ProxyFromEnvironment。或使用 yufu run --net -- …",
        ],
        Runtime::Rust => [
            "reqwest must not have .no_proxy(); hyper knows no proxy by itself. Or: yufu run --net -- …",
            "reqwest 不能调用 .no_proxy()；hyper 本身不支持代理。或使用 yufu run --net -- …",
        ],
        Runtime::Ruby => [
            "Net::HTTP must not be given nil as its proxy. Or: yufu run --net -- …",
            "Net::HTTP 的代理参数不能是 nil。或使用 yufu run --net -- …",
        ],
        Runtime::Php => [
            "curl and Guzzle read https_proxy; file_get_contents, Swoole and other streams do not. Use: yufu run --net -- …",
            "curl 和 Guzzle 读取 https_proxy；file_get_contents、Swoole 等流式接口不读取。请使用 yufu run --net -- …",
        ],
        Runtime::Dotnet => [
            "HttpClientHandler must not have UseProxy = false or a Proxy of its own. Or: yufu run --net -- …",
            "HttpClientHandler 不能设置 UseProxy = false 或自定义 Proxy。或使用 yufu run --net -- …",
        ],
        Runtime::Curl => [
            "Look for --noproxy or --proxy on its line and in .curlrc. Or: yufu run --net -- …",
            "检查命令行和 .curlrc 里的 --noproxy 或 --proxy。或使用 yufu run --net -- …",
        ],
        Runtime::Browser => [
            "A browser wants flags of its own: yufu open URL",
            "浏览器需要专门的参数：yufu open URL",
        ],
        Runtime::Unknown => [
            "On Linux: yufu run --net -- … leads it here whatever it is set to. Elsewhere set the app's base URL to the platform's address.",
            "在 Linux 上使用 yufu run --net -- …，无论程序如何设置都会到达沙箱；其他系统请把应用的接口地址改成沙箱平台的地址。",
        ],
    }
}

/// Ways of trusting nobody new, by runtime.
fn distrusting(runtime: Runtime) -> [&'static str; 2] {
    match runtime {
        Runtime::Node | Runtime::Bun => [
            "A `ca` option in its code takes the place of all roots: leave it out, or add the file of `yufu ca --path` to it.",
            "代码中的 ca 选项会替换全部根证书：去掉它，或把 yufu ca --path 给出的文件加进去。",
        ],
        Runtime::Deno => [
            "A client made with caCerts, or --cert on the line, counts instead of DENO_CERT: add the file of `yufu ca --path` there.",
            "用 caCerts 创建的 client 或命令行 --cert 会替代 DENO_CERT：请把 yufu ca --path 给出的文件加进去。",
        ],
        Runtime::Python => [
            "verify=certifi.where(), or an SSL context of its own, goes past SSL_CERT_FILE and REQUESTS_CA_BUNDLE: leave verify out, or set it to os.environ[\"SSL_CERT_FILE\"].",
            "verify=certifi.where() 或自建的 SSL context 会绕过 SSL_CERT_FILE 和 REQUESTS_CA_BUNDLE：不要传 verify，或设为 os.environ[\"SSL_CERT_FILE\"]。",
        ],
        Runtime::Java => [
            "A trust manager of its own, or -Djavax.net.ssl.trustStore on the line of the program, counts more than JAVA_TOOL_OPTIONS: leave it out, or import the file of `yufu ca --path` there with keytool -importcert. Where certificates are pinned, set the app's base URL to the platform's address, which is plain HTTP.",
            "自定义的信任管理器或程序命令行里的 -Djavax.net.ssl.trustStore 优先于 JAVA_TOOL_OPTIONS：去掉它，或用 keytool -importcert 把 yufu ca --path 给出的文件导入；固定了证书（pinning）的程序请把接口地址改成沙箱平台的地址（普通 HTTP）。",
        ],
        Runtime::Go => [
            "On macOS and Windows Go asks the system and not SSL_CERT_FILE; a tls.Config with RootCAs asks neither. Set the app's base URL to the platform's address, or add the file of `yufu ca --path` to RootCAs.",
            "在 macOS 和 Windows 上 Go 使用系统证书而不读取 SSL_CERT_FILE；设置了 RootCAs 的 tls.Config 两者都不用。请把应用的接口地址改成沙箱平台的地址，或把 yufu ca --path 给出的文件加入 RootCAs。",
        ],
        Runtime::Rust => [
            "Roots that are compiled in (webpki-roots) cannot be added to from outside: build it with the system's roots (rustls-native-certs, rustls-platform-verifier), or set the app's base URL to the platform's address.",
            "编译进程序的根证书（webpki-roots）无法从外部添加：改用系统根证书（rustls-native-certs、rustls-platform-verifier）构建，或把应用的接口地址改成沙箱平台的地址。",
        ],
        Runtime::Ruby => [
            "A ca_file or cert_store in its code counts instead of SSL_CERT_FILE: leave it out, or add the file of `yufu ca --path` there.",
            "代码中的 ca_file 或 cert_store 会替代 SSL_CERT_FILE：去掉它，或把 yufu ca --path 给出的文件加进去。",
        ],
        Runtime::Php => [
            "CURLOPT_CAINFO, or Guzzle's verify with a file, counts more than curl.cainfo: leave it out, or name the file of `yufu ca --path`.",
            "CURLOPT_CAINFO 或 Guzzle 的 verify 文件优先于 curl.cainfo：去掉它，或改为 yufu ca --path 给出的文件。",
        ],
        Runtime::Dotnet => [
            "On macOS and Windows .NET asks the system and not SSL_CERT_FILE. Set the app's base URL to the platform's address.",
            "在 macOS 和 Windows 上 .NET 使用系统证书而不读取 SSL_CERT_FILE。请把应用的接口地址改成沙箱平台的地址。",
        ],
        Runtime::Curl => [
            "Look for --cacert or --capath on its line and in .curlrc.",
            "检查命令行和 .curlrc 里的 --cacert 或 --capath。",
        ],
        Runtime::Browser => [
            "A browser wants flags of its own: yufu open URL",
            "浏览器需要专门的参数：yufu open URL",
        ],
        Runtime::Unknown => [
            "It trusts roots of its own alone. Add the file of `yufu ca --path` to them, or set the app's base URL to the platform's address.",
            "程序只信任自带的根证书。请把 yufu ca --path 给出的文件加进去，或把应用的接口地址改成沙箱平台的地址。",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_follows_from_what_was_counted() {
        let late = Facts {
            seconds: PATIENCE_SECONDS,
            ..Facts::default()
        };
        let rows: &[(&str, Facts, Option<&str>)] = &[
            ("just started", Facts::default(), None),
            ("nothing at all", late.clone(), Some("proxy_ignored")),
            (
                "other hosts by the proxy",
                Facts {
                    connections: 2,
                    other: Some("pypi.org:443".to_owned()),
                    ..late.clone()
                },
                Some("browser_not_proxied"),
            ),
            (
                "a page, and no call",
                Facts {
                    connections: 3,
                    front: 4,
                    ..late.clone()
                },
                Some("backend_not_proxied"),
            ),
            (
                "a call",
                Facts {
                    connections: 3,
                    back: 1,
                    ..late.clone()
                },
                None,
            ),
            (
                "a certificate refused, at once",
                Facts {
                    connections: 1,
                    distrusted: true,
                    ..Facts::default()
                },
                Some("ca_refused"),
            ),
            (
                "a certificate refused by one part, taken by another",
                Facts {
                    back: 1,
                    distrusted: true,
                    ..late.clone()
                },
                None,
            ),
            (
                "no name in the handshake",
                Facts {
                    connections: 1,
                    nameless: true,
                    ..Facts::default()
                },
                Some("no_name"),
            ),
        ];
        for (what, facts, code) in rows {
            assert_eq!(hint(facts).map(|it| it.code), *code, "{what}");
        }
    }

    #[test]
    fn every_runtime_has_its_own_remedy_and_never_the_option_it_has() {
        let all = [
            Runtime::Node,
            Runtime::Bun,
            Runtime::Deno,
            Runtime::Python,
            Runtime::Java,
            Runtime::Go,
            Runtime::Rust,
            Runtime::Ruby,
            Runtime::Php,
            Runtime::Dotnet,
            Runtime::Curl,
            Runtime::Browser,
            Runtime::Unknown,
        ];
        let mut seen = std::collections::BTreeSet::new();
        for runtime in all {
            let facts = Facts {
                runtime,
                seconds: PATIENCE_SECONDS,
                ..Facts::default()
            };
            let said = hint(&facts).unwrap();
            assert!(
                seen.insert(said.remedy.clone()),
                "{runtime:?} has a remedy of its own"
            );
            assert!(
                said.remedy.contains("--net") || said.remedy.contains("yufu open"),
                "{runtime:?}: {}",
                said.remedy
            );
            let inside = hint(&Facts {
                net: true,
                ..facts.clone()
            })
            .unwrap();
            assert!(!inside.remedy.contains("--net"), "{}", inside.remedy);
            let refused = hint(&Facts {
                distrusted: true,
                ..facts
            })
            .unwrap();
            // A browser wants the same either way.
            assert_eq!(refused.remedy == said.remedy, runtime == Runtime::Browser);
            for text in [&said.remedy_zh, &said.title_zh, &refused.remedy_zh] {
                assert!(!text.is_ascii(), "{runtime:?}: {text}");
            }
        }
    }
}
