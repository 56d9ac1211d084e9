"""The drivers: which library, as which kind of client, and what it can be asked to do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Driver:
    name: str       # also names the script, with dashes as underscores: python/drive_NAME.py or node/drive_NAME.mjs
    language: str   # "python" or "node"
    package: str    # as the registry names it
    kind: str       # "website" scans a QR code, "service" asks inside WeChat
    refreshes: bool = False

    @property
    def script(self):
        stem = self.name.replace("-", "_")
        return f"python/drive_{stem}.py" if self.language == "python" else f"node/drive_{stem}.mjs"


DRIVERS = [
    Driver("wechatpy", "python", "wechatpy", "website", refreshes=True),
    Driver("social-core-weixin", "python", "social-auth-core", "website"),
    Driver("social-core-weixinapp", "python", "social-auth-core", "service"),
    Driver("django-allauth", "python", "django-allauth", "website"),
    Driver("weixin-python", "python", "weixin-python", "service", refreshes=True),
    Driver("wechat-oauth", "node", "wechat-oauth", "website", refreshes=True),
    Driver("co-wechat-oauth", "node", "co-wechat-oauth", "service", refreshes=True),
    Driver("auth-core", "node", "@auth/core", "website"),
    Driver("better-auth", "node", "better-auth", "website", refreshes=True),
    Driver("logto-wechat-web", "node", "@logto/connector-wechat-web", "website"),
    Driver("passport-wechat", "node", "passport-wechat", "service"),
    Driver("passport-weixin", "node", "passport-weixin", "website"),
    Driver("grant", "node", "grant", "service"),
    Driver("node-socialite", "node", "node-socialite", "website"),
]
