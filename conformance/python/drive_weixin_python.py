"""weixin-python's WeixinLogin, as a service account. It writes the redirect address into the URL without escaping it."""

from weixin.login import WeixinLogin, WeixinLoginError

from harness import STATE, authorize, client, drive, holds, query, same, subject


def login():
    weixin = WeixinLogin(client["appid"], client["secret"])
    back = query(authorize(weixin.authorize(client["callback"], "snsapi_userinfo", STATE), client["callback"]))
    same("state", back["state"], STATE)

    token = weixin.access_token(back["code"])
    subject("openid", token.openid)
    same("expires_in", token.expires_in, 7200)
    same("scope", token.scope, "snsapi_userinfo")

    profile = weixin.userinfo(token.access_token, token.openid)
    same("nickname", profile.nickname, client["nickname"])
    same("openid again", profile.openid, token.openid)
    subject("unionid", profile.unionid)
    same("sns/auth", weixin.auth(token.access_token, token.openid).errmsg, "ok")

    renewed = weixin.refresh_token(token.refresh_token)
    same("refresh", renewed.openid, token.openid)
    same("refresh keeps the token", renewed.access_token, token.access_token)

    try:
        weixin.access_token(back["code"])
        holds("used code", False, "accepted again")
    except WeixinLoginError as refusal:
        holds("40163", str(refusal).startswith("40163 code been used"), str(refusal))


drive(login)
