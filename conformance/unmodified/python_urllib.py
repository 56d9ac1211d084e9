"""A login with nothing but Python's own urllib."""
import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request

class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None

def authorize(opener):
    query = urllib.parse.urlencode({"appid": os.environ["APPID"], "redirect_uri": os.environ["REDIRECT"],
                                    "response_type": "code", "scope": "snsapi_login", "state": "from-urllib"})
    try:
        opener.open("https://open.weixin.qq.com/connect/qrconnect?" + query, timeout=20)
    except urllib.error.HTTPError as answer:
        return urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["location"]).query)
    raise SystemExit("the authorize page did not send the browser back")

def get(opener, url, **params):
    with opener.open(url + "?" + urllib.parse.urlencode(params), timeout=20) as answer:
        return json.loads(answer.read())

def other(opener, url):
    try:
        with opener.open(url, timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.URLError as problem:
        assert isinstance(problem.reason, ssl.SSLCertVerificationError), problem
        return "refused"

def main(*handlers):
    opener = urllib.request.build_opener(Stay, *handlers)
    came = authorize(opener)
    tokens = get(opener, "https://api.weixin.qq.com/sns/oauth2/access_token", appid=os.environ["APPID"],
                 secret=os.environ["SECRET"], code=came["code"][0], grant_type="authorization_code")
    user = get(opener, "https://api.weixin.qq.com/sns/userinfo", access_token=tokens["access_token"], openid=tokens["openid"])
    print(json.dumps({"nickname": user["nickname"], "openid": tokens["openid"], "state": came["state"][0],
                      "trusted": other(opener, os.environ["TRUSTED"]), "untrusted": other(opener, os.environ["UNTRUSTED"])}))

if __name__ == "__main__":
    main()
