"""social-auth-core's `weixin` backend: a website with a QR code, the token asked for with a form."""

import social_login

social_login.run("weixin", "WEIXIN", "social_core.backends.weixin.WeixinOAuth2", "snsapi_login")
