"""wechatpy while the sandbox turns its clock: what it hears of tokens and codes whose time is over."""

from wechatpy.exceptions import WeChatOAuthException
from wechatpy.oauth import WeChatOAuth

from harness import STATE, authorize, client, drive, query, same, sandbox


def refused(what, number, call, *arguments):
    try:
        same(what, call(*arguments), f"errcode {number}")
    except WeChatOAuthException as refusal:
        same(what, refusal.errcode, number)


def turn(**how):
    return sandbox("POST", "/clock", how)


def website():
    oauth = WeChatOAuth(client["appid"], client["secret"], client["callback"], "snsapi_login", STATE)
    code = query(authorize(oauth.qrconnect_url, client["callback"]))["code"]
    oauth.fetch_access_token(code)
    old = oauth.access_token
    turn(jump="2h")
    refused("jump 2h: userinfo is 42001", 42001, oauth.get_user_info)
    oauth.refresh_access_token(oauth.refresh_token)
    same("a new token", oauth.access_token != old, True)
    same("userinfo again", oauth.get_user_info()["nickname"], client["nickname"])
    turn(jump="31d")
    refused("jump 31d: refresh is 42002", 42002, oauth.refresh_access_token, oauth.refresh_token)
    turn(real=True)
    oauth.refresh_access_token(oauth.refresh_token)
    same("back to real: refresh and userinfo", oauth.get_user_info()["nickname"], client["nickname"])
    # A code is good for ten minutes.
    other = query(authorize(oauth.qrconnect_url, client["callback"]))["code"]
    turn(jump="11m")
    refused("jump 11m: the code is 40029", 40029, oauth.fetch_access_token, other)
    turn(real=True)
    oauth.fetch_access_token(other)
    same("back to real: the code pays", oauth.expires_in, 7200)


def mobile():
    app = client["mobile"]
    oauth = WeChatOAuth(app["appid"], app["secret"], "")
    oauth.fetch_access_token(sandbox("POST", "/codes", {"client": app["appid"], "person": client["person"]})["code"])
    turn(jump="31d")
    oauth.refresh_access_token(oauth.refresh_token)
    same("jump 31d: a mobile app's refresh token lives on", oauth.expires_in, 7200)
    turn(real=True)
    turn(jump="181d")
    refused("jump 181d: a mobile app's refresh is 42002", 42002, oauth.refresh_access_token, oauth.refresh_token)
    turn(real=True)
    # Ended on demand.
    sandbox("POST", "/tokens/expire", {"token": oauth.access_token})
    refused("this token, ended now: 42001", 42001, oauth.get_user_info)


drive(lambda: (website(), mobile()))
