"""Log in with WeChat, as it is written against the real platform: nothing here knows of yufu."""
import os
import secrets
from urllib.parse import urlencode

import requests
from flask import Flask, redirect, request, session, url_for

APPID = os.environ.get("WECHAT_APPID", "wx8c2b54f1d07e6a39")
SECRET = os.environ.get("WECHAT_SECRET", "7d793037a0760186574b0282f2f435e7")
app = Flask(__name__)
app.secret_key = secrets.token_bytes(32)


@app.get("/")
def home():
    name = session.get("nickname")
    return f"Hello, {name}" if name else '<a href="/login">Log in with WeChat</a>'


@app.get("/login")
def login():
    session["state"] = secrets.token_hex(16)
    query = {"appid": APPID, "redirect_uri": url_for("callback", _external=True), "response_type": "code",
             "scope": "snsapi_login", "state": session["state"]}
    return redirect(f"https://open.weixin.qq.com/connect/qrconnect?{urlencode(query)}#wechat_redirect")


@app.get("/callback")
def callback():
    if "code" not in request.args or request.args.get("state") != session.pop("state", None):
        return "Start again", 400
    ask = {"appid": APPID, "secret": SECRET, "code": request.args["code"], "grant_type": "authorization_code"}
    token = requests.get("https://api.weixin.qq.com/sns/oauth2/access_token", params=ask, timeout=10).json()
    if "errcode" in token:
        return token["errmsg"], 502
    ask = {"access_token": token["access_token"], "openid": token["openid"]}
    user = requests.get("https://api.weixin.qq.com/sns/userinfo", params=ask, timeout=10)
    user.encoding = "utf-8"
    session["nickname"] = user.json()["nickname"]
    return redirect("/")


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ.get("PORT", "5000")))
