//! Whose names these are: what is answered for, and nothing else.

/// The names that the sandbox answers for.
pub const HOSTS: [&str; 9] = [
    "api.weixin.qq.com",
    "open.weixin.qq.com",
    "lp.open.weixin.qq.com",
    "long.open.weixin.qq.com",
    "res.wx.qq.com",
    "thirdwx.qlogo.cn",
    "graph.qq.com",
    "api.weibo.com",
    "open.weibo.cn",
];

/// The name of the platform that a host stands for, however it is spelt: letters of either case,
/// and a dot at the end, mean the same host to whoever would resolve it.
pub fn known(host: &str) -> Option<&'static str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    HOSTS
        .into_iter()
        .find(|ours| ours.eq_ignore_ascii_case(host))
}
