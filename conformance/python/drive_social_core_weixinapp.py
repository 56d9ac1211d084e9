"""social-auth-core's `weixinapp` backend: inside WeChat, parameters in alphabetical order."""

import social_login

social_login.run("weixinapp", "WEIXINAPP", "social_core.backends.weixin.WeixinOAuth2APP", "snsapi_userinfo")
