"""A login with requests."""
import json
import os
from urllib.parse import parse_qs, urlsplit

import requests

def other(url):
    try:
        return requests.get(url, timeout=20).text
    except requests.exceptions.SSLError as problem:
        assert "CERTIFICATE_VERIFY_FAILED" in str(problem), problem
        return "refused"

page = requests.get("https://open.weixin.qq.com/connect/qrconnect", allow_redirects=False, timeout=20, params={
    "appid": os.environ["APPID"], "redirect_uri": os.environ["REDIRECT"], "response_type": "code",
    "scope": "snsapi_login", "state": "from-requests"})
came = parse_qs(urlsplit(page.headers["location"]).query)
tokens = requests.get("https://api.weixin.qq.com/sns/oauth2/access_token", timeout=20, params={
    "appid": os.environ["APPID"], "secret": os.environ["SECRET"], "code": came["code"][0],
    "grant_type": "authorization_code"}).json()
answer = requests.get("https://api.weixin.qq.com/sns/userinfo", timeout=20, params={
    "access_token": tokens["access_token"], "openid": tokens["openid"]})
answer.encoding = "utf-8"
print(json.dumps({"nickname": answer.json()["nickname"], "openid": tokens["openid"], "state": came["state"][0],
                  "trusted": other(os.environ["TRUSTED"]), "untrusted": other(os.environ["UNTRUSTED"])}))
