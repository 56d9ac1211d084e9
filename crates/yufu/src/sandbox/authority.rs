//! The certificate authority of a run, good for the platform's own names and nothing else.

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
