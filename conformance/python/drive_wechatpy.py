"""wechatpy's WeChatOAuth, as a website that shows a QR code."""

from wechatpy.exceptions import WeChatOAuthException
from wechatpy.oauth import WeChatOAuth

from harness import STATE, authorize, client, drive, holds, query, same, subject


def login():
    oauth = WeChatOAuth(client["appid"], client["secret"], client["callback"], "snsapi_login", STATE)
    back = query(authorize(oauth.qrconnect_url, client["callback"]))
    same("state", back["state"], STATE)

    token = oauth.fetch_access_token(back["code"])
    subject("openid", oauth.open_id)
    subject("unionid", token["unionid"])
    same("expires_in", oauth.expires_in, 7200)
    same("scope", token["scope"], "snsapi_login")

    profile = oauth.get_user_info()
    same("nickname", profile["nickname"], client["nickname"])
    same("openid again", profile["openid"], oauth.open_id)
    same("unionid again", profile["unionid"], token["unionid"])
    same("sns/auth", oauth.check_access_token(), True)

    renewed = oauth.refresh_access_token(token["refresh_token"])
    same("refresh", renewed["openid"], profile["openid"])
    same("refresh lasts", renewed["expires_in"], 7200)

    try:
        oauth.fetch_access_token(back["code"])
        holds("used code", False, "accepted again")
    except WeChatOAuthException as refusal:
        same("40163", refusal.errcode, 40163)
        holds("errmsg", refusal.errmsg.startswith("code been used"), refusal.errmsg)

    same("refusal leads nowhere", authorize(oauth.qrconnect_url, client["callback"], refuse=True), None)


drive(login)
