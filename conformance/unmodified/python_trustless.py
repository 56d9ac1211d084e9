"""httpx that looks at no proxy in the environment: trust_env=False."""
import json
import os
import ssl
from urllib.parse import parse_qs, urlsplit

import httpx

def other(client, url):
    try:
        return client.get(url).text
    except httpx.ConnectError as problem:
        assert "CERTIFICATE_VERIFY_FAILED" in str(problem), problem
        return "refused"

with httpx.Client(trust_env=False, verify=ssl.create_default_context(), timeout=20) as client:
    page = client.get("https://open.weixin.qq.com/connect/qrconnect", params={
        "appid": os.environ["APPID"], "redirect_uri": os.environ["REDIRECT"], "response_type": "code",
        "scope": "snsapi_login", "state": "from-trustless"})
    came = parse_qs(urlsplit(page.headers["location"]).query)
    tokens = client.get("https://api.weixin.qq.com/sns/oauth2/access_token", params={
        "appid": os.environ["APPID"], "secret": os.environ["SECRET"], "code": came["code"][0],
        "grant_type": "authorization_code"}).json()
    user = client.get("https://api.weixin.qq.com/sns/userinfo", params={
        "access_token": tokens["access_token"], "openid": tokens["openid"]})
    print(json.dumps({"nickname": json.loads(user.content)["nickname"], "openid": tokens["openid"], "state": came["state"][0],
                      "trusted": other(client, os.environ["TRUSTED"]), "untrusted": other(client, os.environ["UNTRUSTED"])}))
