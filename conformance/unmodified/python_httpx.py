"""A login with httpx, many requests at a time."""
import asyncio
import json
import os
from urllib.parse import parse_qs, urlsplit

import httpx

async def other(client, url):
    try:
        return (await client.get(url)).text
    except httpx.ConnectError as problem:
        assert "CERTIFICATE_VERIFY_FAILED" in str(problem), problem
        return "refused"

async def main():
    async with httpx.AsyncClient(timeout=20) as client:
        page = await client.get("https://open.weixin.qq.com/connect/qrconnect", params={
            "appid": os.environ["APPID"], "redirect_uri": os.environ["REDIRECT"], "response_type": "code",
            "scope": "snsapi_login", "state": "from-httpx"})
        came = parse_qs(urlsplit(page.headers["location"]).query)
        tokens = (await client.get("https://api.weixin.qq.com/sns/oauth2/access_token", params={
            "appid": os.environ["APPID"], "secret": os.environ["SECRET"], "code": came["code"][0],
            "grant_type": "authorization_code"})).json()
        user, trusted, untrusted = await asyncio.gather(
            client.get("https://api.weixin.qq.com/sns/userinfo", params={
                "access_token": tokens["access_token"], "openid": tokens["openid"]}),
            other(client, os.environ["TRUSTED"]), other(client, os.environ["UNTRUSTED"]))
        print(json.dumps({"nickname": json.loads(user.content)["nickname"], "openid": tokens["openid"],
                          "state": came["state"][0], "trusted": trusted, "untrusted": untrusted}))

asyncio.run(main())
