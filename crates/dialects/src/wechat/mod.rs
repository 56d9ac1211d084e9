//! The WeChat dialect (`docs/facts/wechat.md`).
